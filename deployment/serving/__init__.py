"""The inference server of the buy-timing models, and their decisions over a file of bars."""
