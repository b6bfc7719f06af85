"""The compose file keeps the Compose schema, and what it names exists and agrees with the settings.

It was never run: there is no Docker here.
"""

import importlib.util
import json
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from deployment.docker.platform.write_configuration import FILES, mounted_folder
from deployment.local_services.airflow_environment import airflow_environment
from deployment.local_services.debian_programs import SERVERS, Program
from deployment.local_services.monitoring_table import monitoring_services
from deployment.local_services.start_services import read_settings
from MLOps.settings.compose import compose_settings
from MLOps.settings.monitoring_services import MonitoringServicesSettings
from MLOps.settings.project import project_root
from monitoring.alerts import deliver_alerts, webhook_receiver
from pipelines.orchestration.airflow_alerts import airflow_address

ROOT = project_root()
PLACE = ROOT / "deployment/docker"
COMPOSE: dict[str, Any] = yaml.safe_load((PLACE / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS = compose_settings(MonitoringServicesSettings, "monitoring_services")
PORTS = SETTINGS.ports
PUBLISHED = {  # service: what it listens on
    "airflow-api-server": PORTS.airflow,
    "mlflow": PORTS.mlflow,
    "prometheus": PORTS.prometheus,
    "pushgateway": PORTS.pushgateway,
    "alertmanager": PORTS.alertmanager,
    "grafana": PORTS.grafana,
}
POSTGRES = {"postgres": 5432}  # not published
_ADDRESS = re.compile(r"(?:://|@|\")([a-z][a-z-]*):(\d+)")


def test_keeps_the_compose_schema() -> None:
    """The schema of compose-spec, as the package check-jsonschema carries it."""
    try:
        place = distribution("check-jsonschema").locate_file(
            "check_jsonschema/builtin_schemas/vendor/compose-spec.json"
        )
    except PackageNotFoundError:
        pytest.skip("check-jsonschema is not installed")
    schema = json.loads(Path(str(place)).read_text())
    faults = [f"{list(fault.path)}: {fault.message}" for fault in validator_for(schema)(schema).iter_errors(COMPOSE)]
    assert faults == []
    wrong = COMPOSE | {"services": {"grafana": SERVICES["grafana"] | {"port": "3000"}}}
    assert not validator_for(schema)(schema).is_valid(wrong)


def test_written_files_are_current() -> None:
    assert {name: (mounted_folder() / name).read_text() for name in FILES} == {
        name: make(SETTINGS) for name, make in FILES.items()
    }


def _mounts() -> list[tuple[str, str]]:
    """Source and target of everything that is mounted."""
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", ())]
    return [(source, target) for source, target, *_ in (mount.split(":") for mount in mounts)]


def test_everything_mounted_exists() -> None:
    files = [PLACE / source for source, _ in _mounts() if source.startswith(".")]
    assert len(files) > 5
    assert [path for path in files if not path.exists() or ROOT not in path.resolve().parents] == []
    read_only = [mount for service in SERVICES.values() for mount in service.get("volumes", ()) if mount[0] == "."]
    assert all(mount.endswith(":ro") for mount in read_only)


def test_every_volume_is_declared_and_used() -> None:
    assert {source for source, _ in _mounts() if not source.startswith(".")} == set(COMPOSE["volumes"])


def test_ports_are_those_of_the_settings_and_on_127_0_0_1() -> None:
    found = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert found == {name: [f"127.0.0.1:{port}:{port}"] for name, port in PUBLISHED.items()}


def _texts(content: Any) -> list[str]:
    if isinstance(content, dict):
        return [text for value in content.values() for text in _texts(value)]
    if isinstance(content, list):
        return [text for value in content for text in _texts(value)]
    return [str(content)]


def test_services_call_each_other_by_name_and_port() -> None:
    mounted = [(mounted_folder() / name).read_text() for name in FILES]
    called = {found for text in [*_texts(SERVICES), *mounted] for found in _ADDRESS.findall(text)}
    listening = {name: str(port) for name, port in (PUBLISHED | POSTGRES).items()}
    assert {name for name, _ in called} == set(listening) - {"grafana"}  # which nobody calls
    assert [(name, port) for name, port in called if listening[name] != port] == []


def test_services_that_others_wait_for_exist_and_can_be_waited_for() -> None:
    for service in SERVICES.values():
        for name, wait in service.get("depends_on", {}).items():
            ends_by_itself = SERVICES[name].get("restart") == "no"
            assert wait["condition"] == ("service_completed_successfully" if ends_by_itself else "service_healthy")
            assert ends_by_itself or "healthcheck" in SERVICES[name]
        network = service.get("network_mode", "service:grafana")
        assert network.removeprefix("service:") in SERVICES


def test_airflow_has_the_settings_that_it_has_without_containers(tmp_path: Path) -> None:
    local = read_settings([f"paths.workspace='{tmp_path}'"])
    wanted = {
        name: value for name, value in airflow_environment(local).items() if name.startswith(("AIRFLOW", "STAGE_"))
    }
    found: dict[str, str] = SERVICES["airflow-scheduler"]["environment"]
    own = {
        "AIRFLOW__API__HOST": "0.0.0.0",
        "AIRFLOW__METRICS__STATSD_ON": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://airflow-api-server:{PORTS.airflow}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
    }
    moved = {
        name: value.replace(str(tmp_path), "/app/workspace").replace(str(ROOT), "/app")
        for name, value in wanted.items()
    }
    unused = {name for name in moved if name.startswith("AIRFLOW__METRICS__")} - set(own)
    given = {name: value for name, value in found.items() if not name.startswith("ALPACA_")}
    assert given == {name: value for name, value in (moved | own).items() if name not in unused}
    parts = [service["environment"] for name, service in SERVICES.items() if name.startswith("airflow")]
    assert all(part == found for part in parts)


@pytest.mark.parametrize("service", ["prometheus", "pushgateway", "alertmanager"])
def test_flags_are_those_without_containers(service: str) -> None:
    programs = {name: Program(Path(name)) for name in SERVERS}
    (local,) = (each for each in monitoring_services(SETTINGS, programs) if each.name.split("-")[-1] == service)
    here = dict(flag.split("=", 1) for flag in local.command[1:])
    there = dict(flag.split("=", 1) for flag in SERVICES[service]["command"])
    assert set(here) <= set(there) | {"--web.external-url"}
    places = {"--config.file", "--storage.path", "--storage.tsdb.path", "--persistence.file"}
    for flag in set(here) - places:
        assert there[flag].replace("0.0.0.0", "127.0.0.1") == here[flag]
    targets = [
        target for source, target in _mounts() if source in COMPOSE["volumes"] or source.startswith("./platform")
    ]
    assert all(there[flag].startswith(tuple(targets)) for flag in places & set(there))


def test_modules_and_settings_of_the_commands_exist() -> None:
    modules = [
        service["command"][service["command"].index("-m") + 1]
        for service in SERVICES.values()
        if "-m" in service.get("command", ())
    ]
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def test_whoever_delivers_alerts_calls_the_services_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watching delivery, and Airflow's callbacks, which say where Airflow is over what the file says."""
    mounted = yaml.safe_load((mounted_folder() / "deliver_alerts.yaml").read_text())
    assert mounted["delivery"]["alertmanager_url"] == f"http://alertmanager:{PORTS.alertmanager}"
    assert mounted["retraining"]["airflow_url"] == f"http://airflow-api-server:{PORTS.airflow}"
    mount = "./platform/deliver_alerts.yaml:/app/config/stages/deliver_alerts.yaml:ro"
    delivering = [name for name in SERVICES if name.startswith("airflow-") or name == "alert-delivery"]
    assert [name for name in delivering if mount not in SERVICES[name]["volumes"]] == []
    for name, value in SERVICES["airflow-scheduler"]["environment"].items():
        monkeypatch.setenv(name, value or "")
    (given,) = airflow_address()
    found = deliver_alerts.read_settings([given]).retraining.airflow_url
    assert found == mounted["retraining"]["airflow_url"]


def test_receiver_is_in_the_network_in_which_it_is_called() -> None:
    """It listens on 127.0.0.1 alone, and Alertmanager calls it there."""
    assert SERVICES["alert-receiver"]["network_mode"] == "service:alertmanager"
    assert SERVICES["alert-receiver"]["command"][-1] == webhook_receiver.__name__
    assert (
        f"http://127.0.0.1:{PORTS.alert_receiver}/notifications" in (mounted_folder() / "alertmanager.yaml").read_text()
    )


def test_grafana_gets_what_its_provisioning_asks_for() -> None:
    grafana, folder = SERVICES["grafana"], ROOT / "monitoring/dashboards/grafana/provisioning"
    asked = {name for path in folder.rglob("*.yaml") for name in re.findall(r": \$(\w+)", path.read_text())}
    assert asked == {"PROMETHEUS_URL", "DASHBOARDS_FOLDER"}
    assert asked <= set(grafana["environment"])
    targets = {target for source, target in _mounts() if "grafana" in source}
    assert {grafana["environment"][name] for name in ("DASHBOARDS_FOLDER", "GF_PATHS_PROVISIONING")} <= targets
    assert grafana["environment"]["GF_SERVER_HTTP_PORT"] == str(PORTS.grafana)


def test_every_password_comes_from_outside() -> None:
    text = (PLACE / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    assert asked == {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD"}
    example = (PLACE / ".env.example").read_text()
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == asked
    set_here = [line for line in text.splitlines() if re.search(r"(PASSWORD|_KEY):|://\w+:[^@\s]*@", line)]
    assert len(set_here) > 4
    assert [line for line in set_here if not re.search(r"\$\{\w+:\?|_KEY:($| #)", line)] == []


def test_images_say_which_version() -> None:
    images = {service["image"] for service in SERVICES.values()}
    ours = {image for image in images if ":" not in image}
    assert ours == {COMPOSE["x-platform"]["image"]}
    assert all(re.search(r":v?\d", image) for image in images - ours)
