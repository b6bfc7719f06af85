"""prometheus.yaml and alertmanager.yaml out of their templates, with the addresses and times of the settings."""

from dataclasses import dataclass
from pathlib import Path

from MLOps.settings.monitoring_services import MonitoringSettings
from MLOps.settings.project import project_root
from MLOps.settings.stage_settings import PortSettings


@dataclass(frozen=True)
class Addresses:
    """Host and port of each service, as the others reach it."""

    prometheus: str
    pushgateway: str
    alertmanager: str
    alert_receiver: str
    airflow_metrics: str | None = None  # where nothing bridges Airflow's own metrics
    predictor: str | None = None  # where no inference server is planned, or it asks for a key

    @classmethod
    def on_this_machine(cls, ports: PortSettings) -> "Addresses":
        """Every service on 127.0.0.1."""
        return cls(
            prometheus=f"127.0.0.1:{ports.prometheus}",
            pushgateway=f"127.0.0.1:{ports.pushgateway}",
            alertmanager=f"127.0.0.1:{ports.alertmanager}",
            alert_receiver=f"127.0.0.1:{ports.alert_receiver}",
            airflow_metrics=f"127.0.0.1:{ports.airflow_metrics}",
            predictor=f"127.0.0.1:{ports.predictor}",
        )


def rules_folder() -> Path:
    """Where the alert rules lie."""
    return project_root() / "monitoring" / "alerts" / "rules"


def prometheus_configuration(addresses: Addresses, times: MonitoringSettings, rules: str) -> str:
    """The text of prometheus.yaml; `rules` is the folder of the rules as Prometheus sees it."""
    return _render("prometheus.yaml.j2", addresses, times, rules=rules)


def alertmanager_configuration(addresses: Addresses, times: MonitoringSettings) -> str:
    """The text of alertmanager.yaml."""
    return _render("alertmanager.yaml.j2", addresses, times)


def _render(template: str, addresses: Addresses, times: MonitoringSettings, **further: str) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # YAML, not HTML: each value goes through tojson, whose strings are YAML strings.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template(template).render(addresses=addresses, times=times, **further)
