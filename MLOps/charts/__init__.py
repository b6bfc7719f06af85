"""Figures that several pages draw: how they look, and those of strategies."""
