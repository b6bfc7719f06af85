"""Training loops' companions: checkpoints, callbacks, progress."""
