"""Metrics of others that rules and dashboards may ask for, beside those of MLOps/metric_catalogue.py."""

from monitoring.airflow_metrics.exposed_metrics import STORED_NAMES

PROMETHEUS = frozenset({"ALERTS", "prometheus_rule_evaluation_failures_total", "up"})
PUSHGATEWAY = frozenset({"push_failure_time_seconds", "push_time_seconds"})
ALERTMANAGER = frozenset({"alertmanager_notifications_failed_total", "alertmanager_notifications_total"})

FOREIGN_METRICS = PROMETHEUS | PUSHGATEWAY | ALERTMANAGER | STORED_NAMES
"""Their names, as Prometheus stores them."""
