"""Reinforcement-learning agents: one file a library, one factory."""
