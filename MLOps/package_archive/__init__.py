"""Data files and models inside pinned package archives of the configured pip index; never installed, never run."""
