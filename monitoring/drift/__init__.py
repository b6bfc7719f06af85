"""Drift: how far the newest rows lie from those before, and whether that is more than usual."""
