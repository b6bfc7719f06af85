"""Requests to services that may be down, answer oddly, or run on this machine."""

import ipaddress
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from http.client import HTTPException, HTTPResponse

REQUEST_ERRORS = (OSError, HTTPException)
"""What a request can raise: urllib lets an answer that is no HTTP, or is cut short, through as HTTPException."""

_WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def open_request(request: urllib.request.Request, timeout_seconds: float) -> HTTPResponse:
    """Send `request`; a proxy that the environment names never gets what is for this machine, passwords among it.

    Raises
    ------
    OSError or HTTPException
        If no answer came, or one that refuses or cannot be read.
    """
    own = _is_own(urllib.parse.urlsplit(request.full_url).hostname or "")
    send = _WITHOUT_PROXY.open if own else urllib.request.urlopen
    answer: HTTPResponse = send(request, timeout=timeout_seconds)
    return answer


def refusal_text(error: urllib.error.HTTPError) -> str:
    """The status, and the beginning of what the service says of it, in one line."""
    told = b""
    with suppress(*REQUEST_ERRORS):
        told = error.read(300)
    return " ".join(f"{error.code} {told.decode(errors='replace')}".split())


def _is_own(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False
