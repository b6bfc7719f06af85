"""Airflow's own command line, in the project's environment.

Run: ``python -m deployment.local_services.airflow_command dags list``
"""

import os
import sys

from deployment.local_services.airflow_environment import airflow_environment
from deployment.local_services.service_table import airflow_command
from deployment.local_services.start_services import read_settings
from MLOps.errors import PlatformError


def main() -> int:
    """Become Airflow; returns only if the settings are wrong."""
    try:
        environment = airflow_environment(read_settings([]))
    except PlatformError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    command = airflow_command(*sys.argv[1:])
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    sys.exit(main())
