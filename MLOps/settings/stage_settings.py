"""What every stage's settings share: paths, tracking, registry, ports, metrics, run date, and the fingerprint."""

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from MLOps.settings.project import from_project


class Settings(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def machine_field(description: str, **arguments: Any) -> Any:
    """A field that says where or how a stage runs, not what it makes; no part of the fingerprint."""
    return Field(description=description, json_schema_extra={"identity": False}, **arguments)


class PathSettings(Settings):
    """Where runs put what they make; every folder derives from the workspace."""

    workspace: Path = Field(description="Root of everything that runs make; relative to the project root.")

    @field_validator("workspace")
    @classmethod
    def _absolute(cls, workspace: Path) -> Path:
        return from_project(workspace.expanduser()).resolve()

    @property
    def data(self) -> Path:
        return self.workspace / "data"

    @property
    def raw(self) -> Path:
        return self.data / "raw"

    @property
    def processed(self) -> Path:
        return self.data / "processed"

    @property
    def cache(self) -> Path:
        return self.data / "cache"

    @property
    def models(self) -> Path:
        return self.workspace / "models"

    @property
    def reports(self) -> Path:
        return self.workspace / "reports"


class TrackingSettings(Settings):
    """Where runs are recorded."""

    enabled: bool = Field(description="Record runs in MLflow; false keeps them in memory only.")
    uri: str = Field(description="MLflow tracking URI; a sqlite:/// path is relative to the workspace.")

    @field_validator("uri")
    @classmethod
    def _without_password(cls, uri: str) -> str:
        if urlsplit(uri).password is not None:
            raise ValueError("a password does not belong into settings; MLflow reads it from MLFLOW_TRACKING_PASSWORD")
        return uri

    experiment: str = Field(min_length=1, description="MLflow experiment that the runs belong to.")
    timeout_seconds: int = Field(ge=1, le=600, description="How long to wait for an MLflow server, in seconds.")
    max_artifact_mib: int = Field(ge=0, description="Larger outputs are recorded by digest and path, not copied.")


class RegistrySettings(Settings):
    """Where models are registered."""

    kind: Literal["mlflow", "filesystem"] = Field(description="Which registry keeps the model versions.")
    model_name: str = Field(
        pattern=r"^[A-Za-z0-9_-]+$", description="Name under which the strategy's models are registered."
    )


class PortSettings(Settings):
    """Ports of the platform's servers, all bound to 127.0.0.1."""

    airflow: int = Field(ge=1024, le=65535, description="Airflow UI and API.")
    mlflow: int = Field(ge=1024, le=65535, description="MLflow server.")
    predictor: int = Field(ge=1024, le=65535, description="Inference server.")
    model_api: int = Field(ge=1024, le=65535, description="Model manager API.")
    streamlit: int = Field(ge=1024, le=65535, description="Streamlit app.")
    prometheus: int = Field(ge=1024, le=65535, description="Prometheus.")
    pushgateway: int = Field(ge=1024, le=65535, description="Prometheus Pushgateway.")
    alertmanager: int = Field(ge=1024, le=65535, description="Alertmanager.")
    alert_receiver: int = Field(ge=1024, le=65535, description="Webhook receiver, which keeps and shows alerts.")
    airflow_statsd: int = Field(ge=1024, le=65535, description="UDP port that takes Airflow's own metrics.")
    airflow_metrics: int = Field(ge=1024, le=65535, description="Page of Airflow's own metrics, for Prometheus.")
    grafana: int = Field(ge=1024, le=65535, description="Grafana.")


class MetricsSettings(Settings):
    """Where stages report how they fared, for Prometheus."""

    sink: Literal["auto", "text_file", "pushgateway", "none"] = Field(
        description="text_file: reports/metrics/<stage>.prom; pushgateway: there too; auto: there too while the "
        "workspace's own services run, or where pushgateway_url is given; none: nowhere."
    )
    pushgateway_url: str | None = Field(
        pattern=r"^https?://[^/@\s]+(/[^@\s]*)?$",
        description="Address of the Pushgateway, without a password; empty means ports.pushgateway on 127.0.0.1.",
    )
    timeout_seconds: float = Field(gt=0, le=2, description="How long a sink may keep a stage waiting, in seconds.")
    history_runs: int = Field(
        ge=1, le=1000, description="Runs that made something whose median wall time is a stage's usual one."
    )


class StageSettings(Settings):
    """The base of every stage's settings; its values come from config/common/global_vars.yaml."""

    paths: PathSettings = machine_field("Folders.")
    tracking: TrackingSettings = machine_field("MLflow tracking.")
    registry: RegistrySettings = machine_field("Model registry.")
    ports: PortSettings = machine_field("Server ports.")
    metrics: MetricsSettings = machine_field("Metrics of the stages.")
    run_date: date | None = machine_field("Logical date of the run, YYYY-MM-DD; empty means today.")
    show_progress: bool = machine_field("Draw a progress bar when standard error is a terminal.")


def identity_of(settings: BaseModel) -> dict[str, Any]:
    """The JSON-able values that decide what a stage makes, machine fields left out."""
    values: dict[str, Any] = {}
    for name, info in type(settings).model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and extra.get("identity") is False:
            continue
        value = getattr(settings, name)
        values[name] = (
            identity_of(value)
            if isinstance(value, BaseModel)
            else json.loads(settings.model_dump_json(include={name}))[name]
        )
    return values


def fingerprint(settings: BaseModel) -> str:
    """Sha256 of `identity_of`, in hexadecimal."""
    return hashlib.sha256(json.dumps(identity_of(settings), sort_keys=True).encode()).hexdigest()
