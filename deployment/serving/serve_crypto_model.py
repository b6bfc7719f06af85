"""Stage serve_crypto_model: answers POST /predict with the decisions of a buy-timing model until it is ended.

The model is the registry's champion, followed as its alias moves, or that of a folder (--model_path). GET /docs tells
the other routes. SIGTERM and Ctrl-C end it: what was asked for is answered first.
"""

import errno
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence

from deployment.serving.access import KeyCheck, key_check
from deployment.serving.build_server import Application, build_application
from deployment.serving.draining_server import DrainingServer
from deployment.serving.model_slot import ModelSource
from deployment.serving.model_sources import ChampionSource, CoinSource, FolderSource
from deployment.serving.unread_answers import end_unread
from experiment_tracking.runner import run_stage
from MLOps.errors import ServiceUnavailableError, SettingsError
from MLOps.settings.serving import ServeCryptoModelSettings
from MLOps.settings.stage_settings import fingerprint
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag

_LOG = logging.getLogger(__name__)
_BACKLOG = 2048


def serve_crypto_model(settings: ServeCryptoModelSettings, tracker: Tracker) -> StageResult:
    """Serve until SIGTERM or SIGINT; the result tells what was served.

    Raises
    ------
    SettingsError
        If others than this machine could reach the server, and there is no API key.
    ServiceUnavailableError
        If the port is taken.
    DataError, ModelError
        If a folder is named that holds no usable model.
    """
    key = fingerprint(settings)[:16]
    tracker.begin(key, {})
    keys = key_check(settings.serving)
    with _bound(settings.serving.host, settings.ports.predictor) as listener:
        end_unread(listener, settings.serving.limits.unread_seconds)
        application = _application(settings, keys)
        server = DrainingServer(application.gate, settings.serving, application.metrics.refused_message)
        _LOG.info("an API key is %s", "demanded" if keys.is_on else "not demanded")
        gc.collect()
        gc.freeze()  # what stands now stays: collections while serving need not walk through it, which takes tens of ms
        server.run(sockets=[listener])
    ended_by = server.signal.name if server.signal else ""
    return StageResult(
        stage=STAGE.name,
        key=key,
        status="made",
        folder=settings.paths.workspace,
        metrics=application.metrics.totals(),
        details={"ended_by": ended_by},
    )


def _application(settings: ServeCryptoModelSettings, keys: KeyCheck) -> Application:
    """The application; the model of a folder is served from the start, a champion as soon as there is one."""
    threads, path = settings.serving.threads, settings.model_path
    source: ModelSource = (
        ChampionSource(settings, threads) if path is None else FolderSource(settings.paths.workspace / path, threads)
    )
    if settings.symbol is not None:
        source = CoinSource(source, settings.symbol)
    application = build_application(settings.serving, source, keys, watches=path is None)
    if path is not None:
        application.slot.put(source.wanted().load())
    return application


def _bound(host: str, port: int) -> socket.socket:
    """A socket that has the address, so that nothing is loaded where another server has it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise SettingsError(f"serving.host={host} is no address ({error.strerror})", "127.0.0.1") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        is_taken = error.errno == errno.EADDRINUSE
        told = "is in use" if is_taken else f"cannot be had ({os.strerror(error.errno or 0)})"
        raise ServiceUnavailableError(
            f"port {port} on {host} {told}",
            "a free port",
            "--port, or ports.predictor in config/common/global_vars.yaml",
        ) from error
    return listener


def _exit_status(_settings: ServeCryptoModelSettings, result: StageResult) -> int:
    """0 after SIGTERM, 130 after Ctrl-C, as a shell expects it."""
    return 128 + signal.SIGINT if result.details["ended_by"] == signal.SIGINT.name else 0


STAGE = Stage(
    name="serve_crypto_model",
    settings_type=ServeCryptoModelSettings,
    run=serve_crypto_model,
    flags=(
        ValueFlag(
            "model_path",
            "model_path",
            "model or delivery folder (default: the registry's champion)",
        ),
        ValueFlag("symbol", "symbol", "coin that the model must be of (default: any)"),
        ValueFlag("port", "ports.predictor", "port to listen on (default: 5000)"),
    ),
    exit_status=_exit_status,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
