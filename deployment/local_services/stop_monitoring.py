"""End every process that start_monitoring started, also after a crash.

Run: ``python -m deployment.local_services.stop_monitoring [key=value ...]``
"""

import sys
from collections.abc import Sequence

from deployment.local_services.start_monitoring import monitoring_group, read_settings
from experiment_tracking.find_gateway import gateway_file
from MLOps.errors import PlatformError


def main(argv: Sequence[str] | None = None) -> int:
    """Stop the monitoring services from the command line."""
    try:
        settings = read_settings(sys.argv[1:] if argv is None else argv)
    except PlatformError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    gateway_file(settings.paths.workspace).unlink(missing_ok=True)
    monitoring_group(settings).stop(lambda line: print(line, file=sys.stderr))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
