"""Stage train_rl_agent: features to a registered trading policy."""
