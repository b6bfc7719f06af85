"""Write what the containers mount: the configuration of Prometheus and Alertmanager, and settings.

Run: ``python -m deployment.docker.platform.write_configuration`` after a change; a test fails where it was forgotten.

In the network of the compose file each service is called by its name, at the port that it has on this machine.
"""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from MLOps.artifacts import write_text
from MLOps.settings.compose import compose_settings
from MLOps.settings.monitoring_services import MonitoringServicesSettings
from MLOps.settings.project import project_root
from monitoring.services.configuration import Addresses, alertmanager_configuration, prometheus_configuration

RULES = "/etc/prometheus/rules"
"""Where the container of Prometheus sees the alert rules."""


def mounted_folder() -> Path:
    """Where the files lie."""
    return Path(__file__).parent


def addresses(settings: MonitoringServicesSettings) -> Addresses:
    """Where services find each other."""
    ports = settings.ports
    return Addresses(
        prometheus=f"prometheus:{ports.prometheus}",
        pushgateway=f"pushgateway:{ports.pushgateway}",
        alertmanager=f"alertmanager:{ports.alertmanager}",
        # It listens on 127.0.0.1 alone and shares Alertmanager's network.
        alert_receiver=f"127.0.0.1:{ports.alert_receiver}",
    )


def _prometheus(settings: MonitoringServicesSettings) -> str:
    return prometheus_configuration(addresses(settings), settings.monitoring, RULES)


def _alertmanager(settings: MonitoringServicesSettings) -> str:
    return alertmanager_configuration(addresses(settings), settings.monitoring)


def _global_vars(settings: MonitoringServicesSettings) -> str:
    places = {
        "workspace": "workspace",
        "uri": f"http://mlflow:{settings.ports.mlflow}",
        "sink": "pushgateway",
        "pushgateway_url": f"http://pushgateway:{settings.ports.pushgateway}",
    }
    return _with_places("common/global_vars.yaml", places)


def _deliver_alerts(settings: MonitoringServicesSettings) -> str:
    """What the watching delivery and the callbacks in Airflow's containers deliver by."""
    places = {
        "alertmanager_url": f"http://alertmanager:{settings.ports.alertmanager}",
        "airflow_url": f"http://airflow-api-server:{settings.ports.airflow}",
    }
    return _with_places("stages/deliver_alerts.yaml", places)


def _with_places(name: str, places: Mapping[str, str]) -> str:
    """A file of the project's settings, comments and all, with the places of the containers."""
    text = (project_root() / "config" / name).read_text(encoding="utf-8")
    for key, value in places.items():
        text, changed = re.subn(rf"^(  {key}: )\S+", rf"\g<1>{value}", text, flags=re.MULTILINE)
        if changed != 1:
            raise ValueError(f"config/{name} has {changed} keys {key!r}, not one")
    return text


FILES: Mapping[str, Callable[[MonitoringServicesSettings], str]] = {
    "prometheus.yaml": _prometheus,
    "alertmanager.yaml": _alertmanager,
    "global_vars.yaml": _global_vars,
    "deliver_alerts.yaml": _deliver_alerts,
}
"""By name."""


def main() -> int:
    """Write every file and tell where."""
    settings = compose_settings(MonitoringServicesSettings, "monitoring_services")
    for name, make in FILES.items():
        path = mounted_folder() / name
        write_text(path, make(settings))
        print(path)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
