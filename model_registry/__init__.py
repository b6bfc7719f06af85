"""What becomes of a model: versions, aliases, verdicts."""
