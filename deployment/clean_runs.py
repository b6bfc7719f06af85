"""Trim what old runs left behind: outputs, reports, MLflow runs, versions that were never promoted.

What is older than `keep_days` and not among the newest `keep_count` of its kind goes. What an alias of
the registry or a `latest` names stays, and so does every model of any family that ever passed its gates
(a rollback may need it), its reports, and the outputs that it was made from. Raw data stays: a past date must
remain repeatable. Logs, alerts and the like go by the same age and count.
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from deployment.old_records import old_records
from experiment_tracking import mlflow_utils
from experiment_tracking.trim_runs import old_runs, remove_run
from MLOps.artifacts import RESULT_FILE
from MLOps.errors import PlatformError
from MLOps.settings.cleaning import CleaningSettings
from MLOps.settings.compose import compose_settings
from MLOps.stage import StageResult
from model_registry.champion import passing_verdicts
from model_registry.open_registry import open_registry
from model_registry.registry import ModelRegistry, ModelVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageOutput:
    """A folder that a stage made."""

    folder: Path
    result: StageResult
    made_at: float
    is_published: bool

    @property
    def model_digest(self) -> str:
        """Digest of the model that it holds or tells of; empty where there is none."""
        return str(self.result.details.get("model_digest") or "")


@dataclass(frozen=True)
class Cleaning:
    """What goes."""

    folders: tuple[Path, ...]
    records: tuple[Path, ...]
    versions: tuple[ModelVersion, ...]
    runs: "tuple[Run, ...]"

    def lines(self, workspace: Path) -> Iterator[str]:
        """One line for each thing."""
        yield from (str(path.relative_to(workspace)) for path in (*self.folders, *self.records))
        yield from (f"registry: {version}" for version in self.versions)
        yield from (f"MLflow run: {run.info.run_name} ({run.info.run_id})" for run in self.runs)


def clean_runs(settings: CleaningSettings, now: datetime) -> Cleaning:
    """Remove what can go, or with `dry_run` only find it.

    Raises
    ------
    ServiceUnavailableError
        If the MLflow server does not answer; nothing is removed then.
    """
    client, registry = mlflow_utils.find_client(settings), open_registry(settings)
    cleaning = plan_cleaning(settings, registry, client, now)
    if settings.dry_run:
        return cleaning
    for version in cleaning.versions:
        registry.remove(version)
    for run in cleaning.runs:
        assert client is not None, "runs are found by a client"
        remove_run(client, run, settings.paths.workspace / "mlartifacts")
    for path in (*cleaning.folders, *cleaning.records):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return cleaning


def plan_cleaning(
    settings: CleaningSettings, registry: ModelRegistry, client: "MlflowClient | None", now: datetime
) -> Cleaning:
    """What can go, the oldest first."""
    before = now - timedelta(days=settings.keep_days)
    versions = [version for name in registry.names() for version in registry.versions(name)]
    needed = _needed(registry, versions)
    outputs = [output for root in _roots(settings) for output in _outputs(root)]
    # scores of the news tell their model too, yet are made anew each day: they stay as sources alone
    of_models = {o.folder for o in outputs if o.model_digest in needed and settings.paths.data not in o.folder.parents}
    kept = _with_sources([o for o in outputs if o.is_published or o.folder in of_models], outputs)
    gone = [o for o in _beyond(outputs, settings.keep_count, before) if o.folder not in {k.folder for k in kept}]
    gone_digests = {o.model_digest for o in gone if settings.paths.models in o.folder.parents and o.model_digest}
    gone_versions = tuple(v for v in versions if v.digest in gone_digests - needed)
    runs: list[Run] = []
    if client is not None:
        gone_folders = {o.folder for o in gone}
        runs = old_runs(
            client,
            mlflow_utils.experiment_id(client, settings),
            int(before.timestamp() * 1000),
            settings.keep_count,
            kept_ids={v.run_id for v in versions if v not in gone_versions},
            kept_keys={o.result.key for o in outputs if o.folder not in gone_folders},
        )
    folders = tuple(o.folder for o in sorted(gone, key=lambda o: o.made_at))
    records = tuple(old_records(settings, now, needed))
    return Cleaning(folders, records, gone_versions, tuple(reversed(runs)))


def _needed(registry: ModelRegistry, versions: Collection[ModelVersion]) -> set[str]:
    """Digests of the models that an alias names or that passed the gates once."""
    named = {(name, number) for name in {v.name for v in versions} for number in registry.aliases(name).values()}
    return {v.digest for v in versions if (v.name, v.version) in named or passing_verdicts(registry, v)}


def _roots(settings: CleaningSettings) -> list[Path]:
    paths = settings.paths
    models = sorted(path for path in paths.models.glob("[!.]*") if not (path / RESULT_FILE).exists())
    reports = sorted(paths.reports.glob("*"))
    markets = sorted((paths.data / "signal_rates").glob("*"))
    data = [paths.processed, paths.data / "scores", paths.data / "labelled", *markets]
    return [root for root in (*data, paths.models, *models, *reports) if root.is_dir()]


def _outputs(root: Path) -> Iterator[StageOutput]:
    """The whole outputs below `root`; what no stage made is not touched."""
    published = [path.resolve() for path in root.iterdir() if path.is_symlink()]
    for file in sorted(root.glob(f"[!.]*/{RESULT_FILE}")):
        folder = file.parent
        if folder.is_symlink():
            continue
        try:
            result = StageResult.model_validate_json(file.read_bytes())
        except ValidationError:
            _LOG.warning("%s is no result of a stage; its folder is left", file)
            continue
        place = folder.resolve()
        is_published = any(place == target or place in target.parents for target in published)
        yield StageOutput(folder, result, file.stat().st_mtime, is_published)


def _with_sources(kept: list[StageOutput], outputs: Sequence[StageOutput]) -> list[StageOutput]:
    """`kept`, and all that they were made from."""
    while True:
        wanted = {digest for output in kept for digest in output.result.inputs.values()}
        folders = {output.folder for output in kept}
        sources = [
            output
            for output in outputs
            if output.folder not in folders and wanted & {a.sha256 for a in output.result.artifacts.values()}
        ]
        if not sources:
            return kept
        kept = kept + sources


def _beyond(outputs: Sequence[StageOutput], keep_count: int, before: datetime) -> Iterator[StageOutput]:
    """Outputs that are too old and, within their root, too far back."""
    for root in sorted({output.folder.parent for output in outputs}):
        newest_first = sorted((o for o in outputs if o.folder.parent == root), key=lambda o: -o.made_at)
        yield from (o for o in newest_first[keep_count:] if o.made_at < before.timestamp())


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: ``python -m deployment.clean_runs [--dry_run] [key=value ...]``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry_run", action="store_true", help="tell what would go, and remove nothing")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="keys of config/stages/clean_runs.yaml")
    arguments = parser.parse_args(argv)
    overrides = [*arguments.overrides, *(["dry_run=true"] if arguments.dry_run else [])]
    try:
        settings = compose_settings(CleaningSettings, "clean_runs", overrides)
        cleaning = clean_runs(settings, datetime.now(UTC))
    except PlatformError as error:
        sys.stderr.write(f"clean_runs: {error}\n")
        return error.exit_code
    verb = "would remove" if settings.dry_run else "removed"
    lines = list(cleaning.lines(settings.paths.workspace))
    summary = f"{verb} {len(lines)} of what is older than {settings.keep_days} days; see --help for what stays"
    sys.stdout.write("\n".join([*(f"{verb} {line}" for line in lines), summary]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
