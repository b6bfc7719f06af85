"""Signal rate: how often a close lies above its rolling mean."""
