"""Whether the stages run, succeed, and take as long as usual."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards.grafana.panels import (
    IS_WELL,
    Column,
    Query,
    State,
    bars,
    curve,
    figure,
    page,
    rows_of,
    states,
)

_SLOWNESS = "max by (stage) (trading_stage_duration_seconds) / max by (stage) (trading_stage_usual_duration_seconds)"
_RUN_SECONDS = "sum by (dag_id) (airflow_dagrun_duration_success_seconds_sum)"
_RUNS = "sum by (dag_id) (airflow_dagrun_duration_success_seconds_count)"
_UP = {1: State("up", "green"), 0: State("down", "red")}


def pipeline_health() -> Dashboard:
    """The dashboard."""
    return page(
        "pipeline_health",
        "Pipeline health",
        "Whether the stages run, succeed, and take as long as usual.",
        {
            "Now": [
                figure(
                    "Stages that failed",
                    "Stages whose last run failed. The table below names them; the last line of their log tells why.",
                    Query("sum(1 - max by (stage) (trading_stage_success))"),
                    alarm_from=1,
                ),
                figure(
                    "Slowest against its history",
                    "The largest ratio of a stage's last wall time to the median of its earlier ones. "
                    "The alert asks for more than 60 s too.",
                    Query(f"max({_SLOWNESS})"),
                    alarm_from=3,
                ),
                figure(
                    "Since data came in",
                    "Time since ingest_data last succeeded. The longest holiday is four days.",
                    Query('time() - max(trading_stage_last_success_timestamp_seconds{stage="ingest_data"})'),
                    alarm_from=5 * 86400,
                    unit="s",
                ),
                figure(
                    "Services that do not answer",
                    "Whom Prometheus asks and does not reach; their metrics are missing.",
                    Query("sum(1 - min by (job) (up))"),
                    alarm_from=1,
                ),
            ],
            "Stages": [
                rows_of(
                    "Last run of each stage",
                    "What each stage told of its last run.",
                    (
                        Column("succeeded", "max by (stage) (trading_stage_success)", meaning=IS_WELL),
                        Column("ended ago", "time() - max by (stage) (trading_stage_last_run_timestamp_seconds)", "s"),
                        Column(
                            "succeeded ago",
                            "time() - max by (stage) (trading_stage_last_success_timestamp_seconds)",
                            "s",
                        ),
                        Column("took", "max by (stage) (trading_stage_duration_seconds)", "s"),
                        Column("usually takes", "max by (stage) (trading_stage_usual_duration_seconds)", "s"),
                        Column("rows", "max by (stage) (trading_stage_rows)"),
                    ),
                ),
                states(
                    "Success",
                    "Whether the last run of each stage succeeded, over time.",
                    Query("max by (stage) (trading_stage_success)", "{{stage}}"),
                    IS_WELL,
                ),
                curve(
                    "Wall time",
                    "Of each stage's last run.",
                    Query("max by (stage) (trading_stage_duration_seconds)", "{{stage}}"),
                    unit="s",
                ),
                bars(
                    "Wall time against history",
                    "Last wall time over the median of earlier ones. Only stages that made something before are here. "
                    "The alert asks for more than 60 s too.",
                    Query(_SLOWNESS, "{{stage}}"),
                    alarm_from=3,
                ),
                curve("Rows", "Of each stage's output.", Query("max by (stage) (trading_stage_rows)", "{{stage}}")),
            ],
            "Airflow": [
                curve(
                    "Tasks that ended",
                    "In the last hour, by how they ended.",
                    Query("sum by (state) (increase(airflow_ti_finish_total[1h]))", "{{state}}"),
                ),
                curve(
                    "Tasks in the executor",
                    "Those that run and those that wait. Many that wait with no slot free: raise the parallelism.",
                    Query("max(airflow_executor_running_tasks)", "running"),
                    Query("max(airflow_executor_queued_tasks)", "waiting"),
                    Query("max(airflow_executor_open_slots)", "free slots"),
                ),
                curve(
                    "Time of a run",
                    "Mean of the runs that succeeded, since Airflow was started.",
                    Query(f"{_RUN_SECONDS} / {_RUNS}", "{{dag_id}}"),
                    unit="s",
                ),
                curve(
                    "Heartbeats",
                    "A minute. At 0 that part of Airflow does not live; its gauges keep their last value.",
                    Query("60 * sum(rate(airflow_scheduler_heartbeat_total[5m]))", "scheduler"),
                    Query("60 * sum(rate(airflow_dag_processor_heartbeat_total[5m]))", "DAG processor"),
                    Query("60 * sum(rate(airflow_triggerer_heartbeat_total[5m]))", "triggerer"),
                ),
            ],
            "Ways that metrics come": [
                bars(
                    "Since the last push",
                    "The Pushgateway shows the last samples of a job for ever; this is their age.",
                    Query("time() - max by (job) (push_time_seconds)", "{{job}}"),
                    alarm_from=9 * 86400,
                    unit="s",
                ),
                states("Services", "Whether Prometheus reaches them.", Query("min by (job) (up)", "{{job}}"), _UP),
            ],
        },
        since="now-7d",
    )
