"""Stages of the buy-timing agent: prices to a registered policy, and a registered policy to files to take away."""
