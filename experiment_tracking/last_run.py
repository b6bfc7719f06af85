"""The newest finished run of a stage, read back from MLflow."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiment_tracking import mlflow_utils
from MLOps.settings.stage_settings import StageSettings

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class TrackedRun:
    """A run with the client that it is read by."""

    client: "MlflowClient"
    run: "Run"

    @property
    def title(self) -> str:
        """Its name and the day it was started."""
        import pandas as pd

        return f"{self.run.info.run_name}, {pd.Timestamp(self.run.info.start_time, unit='ms'):%Y-%m-%d %H:%M} UTC"

    def curve(self, metric: str) -> "pd.Series":
        """Values of a metric by step; empty if it was never recorded."""
        import pandas as pd

        points = self.client.get_metric_history(self.run.info.run_id, metric)
        return pd.Series({point.step: point.value for point in points}, name=metric, dtype="float64").sort_index()

    def output(self, name: str, folder: Path) -> Path:
        """A declared file of the stage, copied into `folder`."""
        return Path(self.client.download_artifacts(self.run.info.run_id, f"outputs/{name}", str(folder)))


def last_run(settings: StageSettings, stage: str) -> TrackedRun | None:
    """The newest run of `stage` that ended well; None if there is none."""
    client = mlflow_utils.find_client(settings)
    experiment = client.get_experiment_by_name(settings.tracking.experiment) if client else None
    if client is None or experiment is None:
        return None
    runs = client.search_runs(
        [experiment.experiment_id],
        filter_string=f"tags.stage = '{stage}' AND attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return TrackedRun(client, runs[0]) if runs else None
