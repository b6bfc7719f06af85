"""How trainings ended."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards.grafana.panels import IS_WELL, IS_WRONG, Query, curve, figure, page, states

_OF_TRAINING = '{stage=~"train_.*"}'
_USUAL_REWARD = "max by (model) (trading_training_usual_reward)"


def training() -> Dashboard:
    """The dashboard."""
    return page(
        "training",
        "Training",
        "How trainings ended. The curves of a single training are in MLflow.",
        {
            "Now": [
                figure(
                    "Trainings that failed",
                    "The champion stays as it is; the same command resumes from the last checkpoint.",
                    Query(f"sum(1 - max by (stage) (trading_stage_success{_OF_TRAINING}))"),
                    alarm_from=1,
                ),
                figure(
                    "Models that diverged",
                    "Trainings that ended in NaN or infinity. Look at their curves in MLflow.",
                    Query("sum(max by (model) (trading_training_diverged))"),
                    alarm_from=1,
                ),
                figure(
                    "Since the last training",
                    "Time since any training succeeded.",
                    Query(f"time() - max(trading_stage_last_success_timestamp_seconds{_OF_TRAINING})"),
                    alarm_from=9 * 86400,
                    unit="s",
                ),
                figure(
                    "Longest training",
                    "Wall time of the slowest stage's last run.",
                    Query(f"max(trading_stage_duration_seconds{_OF_TRAINING})"),
                    alarm_from=4 * 3600,
                    unit="s",
                ),
            ],
            "Trainings": [
                curve(
                    "Reward",
                    "Mean reward of an episode at the end of each training.",
                    Query("max by (model) (trading_training_reward)", "{{model}}"),
                ),
                curve(
                    "Loss",
                    "At the end of each training. Losses of unlike algorithms do not compare.",
                    Query("max by (model) (trading_training_loss)", "{{model}}"),
                ),
                curve(
                    "Reward against its history",
                    "The last reward, the median of the earlier trainings, and half of that median below it, which is "
                    "the alarm.",
                    Query("max by (model) (trading_training_reward)", "{{model}}"),
                    Query(_USUAL_REWARD, "{{model}}, usual"),
                    Query(f"{_USUAL_REWARD} - 0.5 * abs({_USUAL_REWARD})", "{{model}}, alarm below"),
                ),
                curve(
                    "Wall time",
                    "Of each training.",
                    Query(f"max by (stage) (trading_stage_duration_seconds{_OF_TRAINING})", "{{stage}}"),
                    unit="s",
                ),
                states(
                    "Diverged",
                    "Whether the last training of each model ended in NaN or infinity.",
                    Query("max by (model) (trading_training_diverged)", "{{model}}"),
                    IS_WRONG,
                ),
                states(
                    "Success",
                    "Whether the last run of each training succeeded.",
                    Query(f"max by (stage) (trading_stage_success{_OF_TRAINING})", "{{stage}}"),
                    IS_WELL,
                ),
            ],
        },
        since="now-30d",
    )
