"""What we watch: drift, health and alerts."""
