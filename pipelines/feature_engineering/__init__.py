"""Stage build_features: validated bars to point-in-time features."""
