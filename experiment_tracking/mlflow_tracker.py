"""The `Tracker` that writes to MLflow, one run per identity."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from experiment_tracking import mlflow_utils
from experiment_tracking.provenance import UNKNOWN_CODE, package_versions, provenance_tags
from MLOps.settings.stage_settings import StageSettings, identity_of
from MLOps.stage import Scalar, StageResult

if TYPE_CHECKING:
    from mlflow import MlflowClient

_BATCH = 100  # MLflow's limit of params or tags in one call
_METRICS_BATCH = 1000  # its limit of metrics
_RECORDED = "result_recorded"
_VALUE_LENGTH = 500  # MLflow's shortest limit of a value, kept by all of its stores


class MlflowTracker:
    """Reports a stage's work to MLflow.

    The run is opened by `begin`, continued if its key was seen before, and ends with the context:
    FINISHED, FAILED or KILLED.
    """

    def __init__(self, stage: str, settings: StageSettings) -> None:
        self._stage, self._settings = stage, settings
        self._stack = ExitStack()
        self._client: MlflowClient | None = None
        self.run_id = ""
        self._is_recorded = False

    def __enter__(self) -> "MlflowTracker":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.__exit__(*exception)

    @property
    def client(self) -> "MlflowClient":
        """The open client; `begin` comes first."""
        assert self._client is not None, "begin() opens the run"
        return self._client

    def begin(self, key: str, inputs: Mapping[str, str], is_made: bool = False) -> None:
        self._client = mlflow_utils.open_client(self._settings)
        experiment = mlflow_utils.experiment_id(self._client, self._settings)
        name = f"{self._stage} {key[:8]}"
        run = self._stack.enter_context(mlflow_utils.start_run(self._client, experiment, name, key))
        self.run_id = run.info.run_id
        self._is_recorded = is_made and run.data.tags.get(_RECORDED) == "true"
        is_new = "stage" not in run.data.tags
        if is_new:
            self.tags({"stage": self._stage, **{f"input.{name}.sha256": digest for name, digest in inputs.items()}})
            self.params(dict(_flat(identity_of(self._settings))))
        if not is_made:
            self._record_origin()
        elif is_new:  # made before this store knew of it
            self.tags(UNKNOWN_CODE)

    def _record_origin(self) -> None:
        """Which code, settings and packages make the output now."""
        self.tags({**provenance_tags(self._settings), _RECORDED: "false"})
        self._text(yaml.safe_dump(self._settings.model_dump(mode="json"), sort_keys=False), "settings.yaml")
        self._text(yaml.safe_dump(package_versions()), "packages.yaml")

    def params(self, values: Mapping[str, Scalar]) -> None:
        from mlflow.entities import Param

        params = [Param(key, str(value)[:_VALUE_LENGTH]) for key, value in values.items()]
        for start in range(0, len(params), _BATCH):
            self.client.log_batch(self.run_id, params=params[start : start + _BATCH])

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        metrics = [Metric(key, float(value), now, step or 0) for key, value in values.items()]
        for start in range(0, len(metrics), _METRICS_BATCH):
            self.client.log_batch(self.run_id, metrics=metrics[start : start + _METRICS_BATCH])

    def artifact(self, path: Path, folder: str = "") -> None:
        if path.is_dir():
            self.client.log_artifacts(self.run_id, str(path), folder or path.name)
        else:
            self.client.log_artifact(self.run_id, str(path), folder or None)

    def tags(self, values: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        self.client.log_batch(self.run_id, tags=[RunTag(key, str(value)) for key, value in values.items()])

    def finish(self, result: StageResult) -> None:
        """Record a stage's result, once: figures, digests, details, and copies of what is small enough."""
        self.tags({f"detail.{name}": str(value) for name, value in result.details.items()})
        if self._is_recorded:
            return
        if result.metrics:
            self.metrics(result.metrics)
        for name, artifact in result.artifacts.items():
            self.tags({f"artifact.{name}.sha256": artifact.sha256, f"artifact.{name}.path": str(artifact.path)})
            if _size(artifact.path) <= self._settings.tracking.max_artifact_mib * 2**20:
                self.artifact(artifact.path, f"outputs/{name}" if artifact.path.is_dir() else "outputs")
        self._text(result.model_dump_json(indent=2), "result.json")
        self.tags({_RECORDED: "true"})

    def _text(self, text: str, name: str) -> None:
        self.client.log_text(self.run_id, text, name)


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Scalar]]:
    pairs: list[tuple[str, Scalar]] = []
    for name, value in values.items():
        key = f"{prefix}{name}"
        pairs += _flat(value, f"{key}.") if isinstance(value, dict) else [(key, value)]
    return pairs


def _size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
