"""Old MLflow runs: which of them can go, and how one goes."""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from experiment_tracking.mlflow_utils import IDEMPOTENCY_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_STAGE_TAG = "stage"


def old_runs(
    client: "MlflowClient",
    experiment: str,
    started_before_ms: int,
    keep_count: int,
    kept_ids: Collection[str],
    kept_keys: Collection[str],
) -> "list[Run]":
    """Ended runs of a stage that are older than a moment and not among its newest.

    Parameters
    ----------
    started_before_ms : int
        Milliseconds since 1970, UTC.
    keep_count : int
        So many of the newest runs of each stage stay.
    kept_ids, kept_keys : collection of str
        Runs that stay by their id, and by their stage's output key.
    """
    counts: dict[str, int] = {}
    found = []
    for run in _newest_first(client, experiment):
        stage = run.data.tags[_STAGE_TAG]
        counts[stage] = counts.get(stage, 0) + 1
        is_old = counts[stage] > keep_count and run.info.start_time < started_before_ms
        is_kept = run.info.run_id in kept_ids or run.data.tags.get(IDEMPOTENCY_TAG) in kept_keys
        if is_old and not is_kept and run.info.status != "RUNNING":
            found.append(run)
    return found


def remove_run(client: "MlflowClient", run: "Run", artifacts: Path) -> None:
    """Delete a run, and its files where they lie below the folder `artifacts` of this machine.

    MLflow keeps the rows of a deleted run, hidden, until someone runs ``mlflow gc``; that command also
    frees the files that a server keeps.
    """
    client.delete_run(run.info.run_id)
    uri = urlsplit(run.info.artifact_uri)
    folder = Path(unquote(uri.path)).resolve()
    if uri.scheme in {"", "file"} and artifacts.resolve() in folder.parents:
        shutil.rmtree(folder.parent, ignore_errors=True)  # the run's own folder holds just its artifacts


def _newest_first(client: "MlflowClient", experiment: str) -> "list[Run]":
    """All runs that a stage made."""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            [experiment],
            filter_string=f"tags.{_STAGE_TAG} != ''",
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        runs += page
        token = page.token
        if not token:
            return runs
