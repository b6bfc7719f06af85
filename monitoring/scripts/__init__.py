"""Commands and stages of the monitoring."""
