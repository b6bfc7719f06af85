"""The image of the signal-rate job."""
