"""The demo: the whole strategy through Airflow on real data, with its verdict and its report.

Run: ``python -m deployment.local_services.run_demo [--workspace FOLDER] [key=value ...]``

Airflow runs the chain in one process (``airflow dags test``), so no service is needed. What the
stages say is shown as it comes; what Airflow says goes to a log.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import yaml

from deployment.local_services.airflow_environment import airflow_environment, airflow_home
from deployment.local_services.service_table import airflow_command
from deployment.local_services.start_services import prepare_database, read_settings
from MLOps.errors import PlatformError, SettingsError
from MLOps.settings.local_services import STAGE_OUTPUT_VARIABLE, LocalServicesSettings
from MLOps.settings.project import project_root

_DAG = "full_strategy"


def run_demo(settings: LocalServicesSettings, conf: dict[str, object]) -> int:
    """Run the strategy's DAG and tell what it came to; returns the exit status.

    Raises
    ------
    ServiceUnavailableError
        If Airflow's database cannot be made.
    """
    _say("Airflow: preparing its database")
    prepare_database(settings)
    log = airflow_home(settings) / "run_demo.log"
    _say(f"Airflow: running {_DAG} (its own log: {log})")
    began, started = datetime.now(UTC), time.monotonic()
    status = _run_dag(settings, conf, log)
    told = _summarize(settings, began, time.monotonic() - started)
    if status != 0 and not told:
        _say(f"Airflow ended with exit status {status}: {_last_line(log)}")
    return status


def _run_dag(settings: LocalServicesSettings, conf: dict[str, object], log: Path) -> int:
    """``airflow dags test``, with the stages writing straight to our standard error."""
    stages = os.dup(2)
    environment = airflow_environment(settings) | {STAGE_OUTPUT_VARIABLE: str(stages)}
    try:
        with log.open("wb") as stream:
            return subprocess.run(
                airflow_command("dags", "test", _DAG, "--conf", json.dumps(conf)),
                env=environment,
                cwd=project_root(),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                pass_fds=[stages],
                check=False,
            ).returncode
    finally:
        os.close(stages)


def _summarize(settings: LocalServicesSettings, began: datetime, wall_seconds: float) -> bool:
    """Print what the run came to; false if no stage was begun."""
    flags = {
        "--workspace": str(settings.paths.workspace),
        "--begun_after": began.isoformat(),
        "--plan": _DAG,
        "--wall_seconds": f"{wall_seconds:.3f}",
    }
    command = [
        sys.executable,
        "-m",
        "pipelines.orchestration.summary",
        *(part for flag in flags.items() for part in flag),
    ]
    ended = subprocess.run(command, cwd=project_root(), capture_output=True, text=True, check=False)
    sys.stdout.write(ended.stdout)
    return bool(ended.stdout)


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _conf(texts: Sequence[str]) -> dict[str, object]:
    """``key=value`` texts as the values that a form would have been filled with."""
    wrong = [text for text in texts if "=" not in text]
    if wrong:
        raise SettingsError(f"{', '.join(wrong)} cannot be read", "key=value", "the command line")
    return {key: yaml.safe_load(value) for key, _, value in (text.partition("=") for text in texts)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=project_root(), help="where everything is made")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings, for the stages that know the key")
    arguments = parser.parse_intermixed_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = read_settings([f"paths.workspace={json.dumps(str(arguments.workspace.resolve()))}"])
        return run_demo(settings, _conf(arguments.overrides))
    except PlatformError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("interrupted; the same command goes on from here")
        return 130


if __name__ == "__main__":
    sys.exit(main())
