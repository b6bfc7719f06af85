"""The monitoring services on this machine: their configuration files, and the command line of each."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deployment.local_services.debian_programs import Program
from deployment.local_services.service_group import Service
from MLOps.artifacts import write_text
from MLOps.settings.monitoring_services import MonitoringServicesSettings
from monitoring.services.configuration import (
    Addresses,
    alertmanager_configuration,
    prometheus_configuration,
    rules_folder,
)


def monitoring_home(settings: MonitoringServicesSettings) -> Path:
    """What the services keep: configuration, samples, silences, logs."""
    return settings.paths.workspace / ".monitoring"


def write_configuration(settings: MonitoringServicesSettings) -> None:
    """Write prometheus.yaml and alertmanager.yaml into the home."""
    addresses, times = Addresses.on_this_machine(settings.ports), settings.monitoring
    home = monitoring_home(settings)
    write_text(home / "prometheus.yaml", prometheus_configuration(addresses, times, str(rules_folder())))
    write_text(home / "alertmanager.yaml", alertmanager_configuration(addresses, times))


def monitoring_services(settings: MonitoringServicesSettings, programs: Mapping[str, Program]) -> list[Service]:
    """The receiver first, so that no alert comes before it."""
    home, addresses = monitoring_home(settings), Addresses.on_this_machine(settings.ports)
    flags = {
        "prometheus-alertmanager": {
            "--config.file": home / "alertmanager.yaml",
            "--storage.path": home / "alertmanager",
            "--web.listen-address": addresses.alertmanager,
            "--web.external-url": f"http://{addresses.alertmanager}",
            "--cluster.listen-address": "",  # alone; its cluster would listen on every interface
        },
        "prometheus-pushgateway": {
            "--web.listen-address": addresses.pushgateway,
            "--persistence.file": home / "pushgateway.data",
        },
        "prometheus": {
            "--config.file": home / "prometheus.yaml",
            "--storage.tsdb.path": home / "prometheus",
            "--storage.tsdb.retention.time": f"{settings.monitoring.retention_days}d",
            "--web.listen-address": addresses.prometheus,
            "--web.external-url": f"http://{addresses.prometheus}",
            # An alert that found no Alertmanager comes again after this, in place of a minute. Alertmanager takes it
            # for resolved once it has not come for four times as long.
            "--rules.alert.resend-delay": "15s",
        },
    }
    servers = [
        Service(name, programs[name].command(*(f"{flag}={value}" for flag, value in own.items())), dict(os.environ))
        for name, own in flags.items()
    ]
    receiver = Service("alert-receiver", _receiver_command(settings), dict(os.environ))
    delivery = Service("alert-delivery", _delivery_command(settings), dict(os.environ))
    bridge = _python_command(settings, "monitoring.airflow_metrics.statsd_bridge", {})
    return [receiver, *servers, delivery, Service("airflow-metrics", bridge, dict(os.environ))]


def _receiver_command(settings: MonitoringServicesSettings) -> tuple[str, ...]:
    times = settings.monitoring
    return _python_command(
        settings,
        "monitoring.alerts.webhook_receiver",
        {
            "monitoring.heartbeat_interval_seconds": times.heartbeat_interval_seconds,
            "monitoring.heartbeat_limit_seconds": times.heartbeat_limit_seconds,
            "monitoring.keep_notifications": times.keep_notifications,
        },
    )


def _delivery_command(settings: MonitoringServicesSettings) -> tuple[str, ...]:
    """Alert events of stages and of Airflow; what waits is told to Prometheus."""
    module = "monitoring.alerts.deliver_alerts"
    return (*_python_command(settings, module, {"metrics.sink": "pushgateway"}), "--watch")


def _python_command(settings: MonitoringServicesSettings, module: str, own: Mapping[str, object]) -> tuple[str, ...]:
    """A module of ours with the places of these settings, and settings of its own."""
    ports = {f"ports.{name}": port for name, port in settings.ports.model_dump().items()}
    values = {"paths.workspace": str(settings.paths.workspace), **ports, **own}
    overrides = (f"{key}={json.dumps(value)}" for key, value in values.items())
    return (sys.executable, "-m", module, *overrides)
