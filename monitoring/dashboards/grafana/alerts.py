"""What fires, and whether it would reach anybody."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards.grafana.panels import Query, State, curve, figure, page, states

# The alert that always fires says that alerting works; it is no alarm.
_FIRING = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'
_IS_FIRING = {1: State("firing", "red"), 0: State("silent", "green")}


def alerts() -> Dashboard:
    """The dashboard."""
    return page(
        "alerts",
        "Alerts",
        "What fires, and whether it would reach anybody.",
        {
            "Now": [
                figure(
                    "Alerts that fire",
                    "Read their text in Alertmanager: it tells what to do.",
                    Query(f"count({_FIRING}) or vector(0)"),
                    alarm_from=1,
                ),
                figure(
                    "Messages that failed",
                    "Notifications that Alertmanager could not deliver within the last hour; it tries again.",
                    Query("sum(increase(alertmanager_notifications_failed_total[1h]))"),
                    alarm_from=1,
                ),
                figure(
                    "Events that wait",
                    "Events in reports/alerts that Alertmanager has not taken.",
                    Query("max(trading_alerts_undelivered)"),
                    alarm_from=1,
                ),
                figure(
                    "Rules that fail",
                    "Evaluations that failed within the last hour; the alerts of such a rule cannot fire.",
                    Query("sum(increase(prometheus_rule_evaluation_failures_total[1h]))"),
                    alarm_from=1,
                ),
            ],
            "Alerts": [
                states(
                    "Firing",
                    "When each alert fired.",
                    Query(f"max by (alertname, severity) ({_FIRING})", "{{alertname}} ({{severity}})"),
                    _IS_FIRING,
                    width=24,
                ),
            ],
            "Delivery": [
                states(
                    "Heartbeat",
                    "The alert that always fires. While it is missing no alert would arrive.",
                    Query('max by (alertname) (ALERTS{alertstate="firing", alertname="Watchdog"})', "{{alertname}}"),
                    {1: State("alive", "green")},
                ),
                curve(
                    "Messages",
                    "Notifications an hour, by way of delivery.",
                    Query(
                        "sum by (integration) (increase(alertmanager_notifications_total[1h])) > 0",
                        "{{integration}}",
                    ),
                ),
                curve(
                    "Messages that failed",
                    "Notifications an hour that were not taken.",
                    Query(
                        "sum by (integration) (increase(alertmanager_notifications_failed_total[1h]))",
                        "{{integration}}",
                    ),
                ),
                curve(
                    "Since the last event was delivered",
                    "Of those that stages and Airflow write. Long is well where nothing failed.",
                    Query("time() - max(trading_alerts_last_delivery_timestamp_seconds)", "age"),
                    unit="s",
                ),
            ],
        },
        since="now-7d",
    )
