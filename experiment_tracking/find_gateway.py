"""Which Pushgateway gets a stage's figures: one that is named, or the one that `make services-up` started."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

from MLOps.settings.stage_settings import StageSettings


def pushgateway_url(settings: StageSettings) -> str:
    """Address of the Pushgateway that the settings name."""
    return settings.metrics.pushgateway_url or f"http://127.0.0.1:{settings.ports.pushgateway}"


def gateway_file(workspace: Path) -> Path:
    """Where the local services of a workspace tell the address of its Pushgateway; no file while they are down."""
    return workspace / ".monitoring" / "pushgateway.url"


def gateway_to_push(settings: StageSettings, seconds: float) -> str | None:
    """Address of the Pushgateway to push to; None if to none.

    With ``metrics.sink=auto`` it is the one that the settings name, else the one of the workspace's own local services,
    if anything listens there: after a crash or a restart of the machine their file still stands, and is no fault.

    Parameters
    ----------
    settings : StageSettings
        `metrics`, `paths` and `ports`.
    seconds : float
        How long to wait for a connection; who does not refuse one within it is pushed to, so that it is told.
    """
    metrics = settings.metrics
    if metrics.sink == "pushgateway" or (metrics.sink == "auto" and metrics.pushgateway_url):
        return pushgateway_url(settings)
    if metrics.sink != "auto":
        return None
    try:
        url = gateway_file(settings.paths.workspace).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return url if _listens(url, seconds) else None


def _listens(url: str, seconds: float) -> bool:
    """Whether anything takes connections there, or leaves it open whether it does."""
    try:
        place = urlsplit(url)
        if not place.hostname:
            return False
        socket.create_connection((place.hostname, place.port or 80), timeout=seconds).close()
    except (ConnectionRefusedError, ValueError):
        return False
    except OSError:
        return True
    return True
