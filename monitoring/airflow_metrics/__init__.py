"""Airflow's own metrics for Prometheus: StatsD packets in, a /metrics page out."""
