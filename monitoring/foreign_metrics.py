"""Metrics of others that rules and dashboards may ask for, beside those of MLOps/metric_catalogue.py."""

PROMETHEUS = frozenset({"ALERTS", "prometheus_rule_evaluation_failures_total", "up"})
PUSHGATEWAY = frozenset({"push_failure_time_seconds", "push_time_seconds"})
ALERTMANAGER = frozenset({"alertmanager_notifications_failed_total", "alertmanager_notifications_total"})

FOREIGN_METRICS = PROMETHEUS | PUSHGATEWAY | ALERTMANAGER
"""Their names, as Prometheus stores them."""
