"""Runs stages in forks of one process that has imported everything heavy, so that a try costs no import.

One request a line on standard input, one answer a line on standard output, both JSON. A request holds
`module` and `argv` of the stage, a `log` that takes what it prints, and how it dies: `die_at` names a
failpoint, `kill_after` the seconds until it is killed from outside; both null let it live.
"""

import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from MLOps import failpoints

_HEAVY = (  # what the stages import when they come to need it
    "IPython.display",
    "alembic.command",
    "arch.bootstrap",
    "dvc.repo",
    "exchange_calendars",
    "finrl.meta.env_stock_trading.env_stocktrading",
    "great_expectations",
    "hydra",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "plotly.graph_objects",
    "pyarrow.parquet",
    "pypfopt",
    "sklearn.covariance",
    "stable_baselines3",
    "torch._dynamo",
    "vaderSentiment.vaderSentiment",
)


def _serve(modules: list[str]) -> None:
    for name in (*_HEAVY, *modules):
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        child = os.fork() or _be_stage(request)
        status = _end_of(child, request["kill_after"])
        sys.stdout.write(json.dumps({"status": status, "seconds": time.perf_counter() - started}) + "\n")
        sys.stdout.flush()


def _be_stage(request: Mapping[str, Any]) -> NoReturn:
    os.setsid()
    for suffix, descriptor in (("out", 1), ("err", 2)):
        log = os.open(f"{request['log']}.{suffix}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, descriptor)
    if request["die_at"]:
        failpoints.arm(request["die_at"], lambda: os.kill(os.getpid(), signal.SIGKILL))
    status = 70
    try:
        status = importlib.import_module(request["module"]).main(request["argv"])
        sys.stdout.flush()
    finally:
        os._exit(status)


def _end_of(child: int, kill_after: float | None) -> int:
    """The exit status of `child`, or minus the signal that ended it."""
    handle = os.pidfd_open(child)
    ended, _, _ = select.select([handle], [], [], kill_after)
    if not ended:
        os.killpg(child, signal.SIGKILL)
    os.close(handle)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    _serve(sys.argv[1:])
