"""Serve the dashboard on 127.0.0.1, until it is ended.

Run: ``python -m monitoring.dashboards.web.show_dashboard [key=value ...]`` (`make dashboard`)
"""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from MLOps.errors import PlatformError
from MLOps.settings.compose import compose_settings
from MLOps.settings.dashboard import DashboardSettings

_LOG = logging.getLogger(__name__)
_APP = Path(__file__).with_name("app.py")
_OPTIONS = {
    "server.address": "127.0.0.1",
    "server.headless": "true",  # opens no browser
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",  # nothing calls home
    "client.toolbarMode": "minimal",
    "theme.base": "light",  # as the charts are drawn
    "theme.primaryColor": "#0072b2",
    "theme.backgroundColor": "#ffffff",
    "theme.secondaryBackgroundColor": "#f6f8fa",
    "theme.textColor": "#1f2933",
    "theme.borderColor": "#e1e6eb",
    "theme.baseRadius": "10px",
}


def command(settings: DashboardSettings, overrides: Sequence[str]) -> list[str]:
    """The command line that serves the pages; `overrides` go on to them."""
    options = {**_OPTIONS, "server.port": str(settings.ports.streamlit)}
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(_APP), *flags, "--", *overrides]


def main(argv: Sequence[str] | None = None) -> int:
    """Check the settings, then become the server."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    overrides = sys.argv[1:] if argv is None else argv
    try:
        settings = compose_settings(DashboardSettings, "dashboard", overrides)
    except PlatformError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    _LOG.info("the dashboard: http://127.0.0.1:%d (Ctrl-C ends it)", settings.ports.streamlit)
    return _become(command(settings, overrides))


def _become(line: list[str]) -> NoReturn:
    """Let the server take this process's place, so that signals reach it."""
    os.execv(line[0], line)


if __name__ == "__main__":
    sys.exit(main())
