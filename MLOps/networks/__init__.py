"""Layers and networks of the agents that the platform writes itself."""
