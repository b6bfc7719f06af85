"""How trainings ended."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards.grafana.panels import IS_WELL, IS_WRONG, Query, curve, figure, page, states

_OF_TRAINING = '{stage=~"train_.*"}'
_USUAL_REWARD = "max by (model) (trading_training_usual_reward)"
_SPREAD = "max by (model) (trading_training_usual_reward_spread)"
_HALF, _STRAYED = f"{_USUAL_REWARD} - 0.5 * abs({_USUAL_REWARD})", f"{_USUAL_REWARD} - 3 * {_SPREAD}"
_LOWER_OF_BOTH = f"({_HALF} < {_STRAYED} or {_STRAYED})"


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
                    "The last reward, the median of earlier trainings of its kind and budget, and the alarm: below "
                    "half of the median, and by three standard deviations, which three trainings tell.",
                    Query("max by (model) (trading_training_reward)", "{{model}}"),
                    Query(_USUAL_REWARD, "{{model}}, usual"),
                    Query(_LOWER_OF_BOTH, "{{model}}, alarm below"),
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
