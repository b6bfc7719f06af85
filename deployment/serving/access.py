"""Who may ask: the API key, and the addresses that need one."""

import hmac
import ipaddress
from collections.abc import Iterable

from MLOps.errors import SettingsError
from MLOps.settings.credentials import read_api_key
from MLOps.settings.serving import ServerSettings

SERVICE = "serving"
KEY_HEADER = "X-API-Key"
GUARDED_ROUTES = frozenset({"/predict", "/model/info", "/metrics"})
"""Routes that a key guards. Probes and the pages that explain the server need none: they tell nothing of its use."""
_SHORTEST = 16
_BEARER = b"bearer "


class KeyCheck:
    """Compares the key of a request with the server's, in a time that does not tell how much of it is right.

    Parameters
    ----------
    key : str or None
        None lets everybody in.
    """

    def __init__(self, key: str | None) -> None:
        self.is_on = key is not None
        self._key = (key or "").encode()

    def lets_in(self, route: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether a request may be answered.

        The key stands in ``X-API-Key``, or in ``Authorization: Bearer ...``, which Prometheus can send.
        """
        if not self.is_on or route not in GUARDED_ROUTES:
            return True
        return any(hmac.compare_digest(given, self._key) for given in _given_keys(headers))


def _given_keys(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    for name, value in headers:
        if name == b"x-api-key":
            yield value
        elif name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            yield value[len(_BEARER) :].strip()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; a name other than localhost may be anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def key_check(settings: ServerSettings) -> KeyCheck:
    """The check of the settings: a key that is there is demanded of everybody.

    Raises
    ------
    SettingsError
        If there is no key and one is required, which it always is where others reach the server; or it is too short.
    """
    key = read_api_key(SERVICE)
    mend = f"{SERVICE.upper()}_API_KEY in the environment, or {SERVICE}.api_key in config/api_keys.yaml"
    if key is None:
        if not is_loopback(settings.host):
            raise SettingsError(f"serving.host={settings.host} without an API key", "127.0.0.1, or a key", mend)
        if settings.requires_api_key:
            raise SettingsError("serving.requires_api_key=true, but there is no key", "a key", mend)
    elif len(key) < _SHORTEST or not (key.isascii() and key.isprintable() and " " not in key):
        raise SettingsError("the API key of the server is not usable", f"{_SHORTEST} or more visible ASCII", mend)
    return KeyCheck(key)
