"""Drift closes the loop: a drift alert starts the strategy, within a cool-down and a daily budget."""
