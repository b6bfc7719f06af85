"""Start Prometheus, the Pushgateway, Alertmanager and our receiver and delivery of alerts; tell where to look.

Run: ``python -m deployment.local_services.start_monitoring [key=value ...]``
"""

import logging
import sys
from collections.abc import Sequence
from functools import partial

from deployment.local_services.debian_programs import programs_folder, require_programs
from deployment.local_services.monitoring_table import monitoring_home, monitoring_services, write_configuration
from deployment.local_services.service_group import Say, ServiceGroup, answers, require_free_ports
from experiment_tracking.find_gateway import gateway_file
from MLOps.artifacts import write_text
from MLOps.errors import PlatformError
from MLOps.settings.compose import compose_settings
from MLOps.settings.monitoring_services import MonitoringServicesSettings

_READY = {
    "prometheus": "/-/ready",
    "pushgateway": "/-/ready",
    "alertmanager": "/-/ready",
    "alert_receiver": "/health",
    "airflow_metrics": "/metrics",
}


def read_settings(overrides: Sequence[str]) -> MonitoringServicesSettings:
    """The settings of the monitoring services."""
    return compose_settings(MonitoringServicesSettings, "monitoring_services", overrides)


def monitoring_group(settings: MonitoringServicesSettings) -> ServiceGroup:
    """The monitoring services; records and logs are kept in ``.monitoring/services``."""
    return ServiceGroup(
        folder=monitoring_home(settings) / "services",
        start_timeout_seconds=settings.monitoring.start_timeout_seconds,
        stop_timeout_seconds=settings.monitoring.stop_timeout_seconds,
    )


def start_monitoring(settings: MonitoringServicesSettings, say: Say) -> None:
    """Start every service and wait until all answer; on failure none stays.

    Raises
    ------
    ServiceUnavailableError
        If a program is missing and cannot be fetched, a port is taken, a service ends at once, or it does not
        answer in time.
    """
    group = monitoring_group(settings)
    if running := group.running():
        say(f"already running: {', '.join(running)}; make services-down ends them")
        return
    ports = {name: getattr(settings.ports, name) for name in _READY}
    require_free_ports({f"ports.{name}": port for name, port in ports.items()})
    programs = require_programs(programs_folder())
    write_configuration(settings)
    checks = {name: partial(answers, f"http://127.0.0.1:{port}{_READY[name]}") for name, port in ports.items()}
    group.start(monitoring_services(settings, programs), checks, say)
    write_text(gateway_file(settings.paths.workspace), f"http://127.0.0.1:{settings.ports.pushgateway}\n")


def _where_to_look(settings: MonitoringServicesSettings) -> str:
    ports = settings.ports
    return "\n".join(
        (
            f"alerts        http://127.0.0.1:{ports.alert_receiver}",
            f"Prometheus    http://127.0.0.1:{ports.prometheus}",
            f"Alertmanager  http://127.0.0.1:{ports.alertmanager}",
            f"Pushgateway   http://127.0.0.1:{ports.pushgateway}",
            f"logs          {monitoring_group(settings).folder}",
            "stages of this workspace report there from now on (metrics.sink: auto in config/common/global_vars.yaml)",
            "end them with: make services-down",
        )
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Start the monitoring services from the command line."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    try:
        settings = read_settings(sys.argv[1:] if argv is None else argv)
        start_monitoring(settings, lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    except PlatformError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    print(_where_to_look(settings))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
