"""Stage run_backtest: a policy against its baselines on the test window."""
