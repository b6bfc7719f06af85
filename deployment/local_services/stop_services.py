"""End every process that start_services started, also after a crash.

Run: ``python -m deployment.local_services.stop_services [key=value ...]``
"""

import sys
from collections.abc import Sequence

from deployment.local_services.start_services import read_settings, service_group
from MLOps.errors import PlatformError


def main(argv: Sequence[str] | None = None) -> int:
    """Stop the services from the command line."""
    try:
        settings = read_settings(sys.argv[1:] if argv is None else argv)
    except PlatformError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    service_group(settings).stop(lambda line: print(line, file=sys.stderr))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
