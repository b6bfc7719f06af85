"""Judging a strategy: performance, baselines, backtest, significance."""
