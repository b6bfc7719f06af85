"""Airflow's own command line, in the project's environment.

Run: ``python -m deployment.local_services.airflow_command dags list``
"""

import subprocess
import sys

from deployment.local_services.airflow_environment import airflow_environment
from deployment.local_services.service_table import airflow_command
from deployment.local_services.start_services import read_settings
from MLOps.errors import PlatformError


def main() -> int:
    """Run Airflow's command line; returns its exit status."""
    try:
        environment = airflow_environment(read_settings([]))
    except PlatformError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return subprocess.run(airflow_command(*sys.argv[1:]), env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
