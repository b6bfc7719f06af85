"""What gives a stage its command line: flags, settings, tracking, one JSON line out, one clear line on failure."""

import argparse
import contextlib
import errno
import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from pydantic import BaseModel

from experiment_tracking.last_figures import LastFigures
from experiment_tracking.stage_report import report_failure, report_success
from experiment_tracking.told_result import print_told, result_lines
from MLOps import failpoints
from MLOps.errors import PlatformError, SettingsError, StorageError
from MLOps.settings.compose import SettingsFile, compose_settings
from MLOps.settings.project import project_root
from MLOps.settings.secret_values import masked
from MLOps.settings.stage_settings import StageSettings
from MLOps.stage import FileFlag, MemoryTracker, SettingsT, Stage, StageResult, ValueFlag

_LOG = logging.getLogger(__name__)
_ROOMS = ("MLOps", "experiment_tracking", "model_registry", "monitoring", "pipelines", "deployment", "__main__")
_FULL_DISK = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_PLACE = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}

COMMON_FLAGS: tuple[FileFlag | ValueFlag, ...] = (
    FileFlag("global_config_path", "", "YAML laid over config/common/global_vars.yaml"),
    ValueFlag("run_date", "run_date", "logical date of the run, YYYY-MM-DD (default: today)"),
    ValueFlag("workspace", "paths.workspace", "root of data/, models/ and reports/ (default: the project)"),
)


def run_stage(stage: Stage[SettingsT], argv: Sequence[str] | None = None) -> int:
    """Run a stage from its command line; returns the exit status.

    Prose and progress go to standard error. On success the last line of standard output is the
    `StageResult` as JSON, unless that is a terminal: then a person reads a few lines. On failure
    standard error ends with one line and nothing half-written stays.
    The status of a success is what the stage's `exit_status` makes of the result, 0 as a rule.
    """
    set_up_logging()
    # Read when a stage first loads torch: threads that spin while they wait made an epoch take 11 to 122 s on two
    # busy cores. How many threads there are stays an argument of what computes.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    started = time.perf_counter()
    settings: StageSettings | None = None
    with _terminable():
        try:
            arguments = _parser(stage).parse_intermixed_args(argv)
            settings = _compose(stage, arguments)
            with contextlib.redirect_stdout(sys.stderr):
                told = _answer(stage, settings, arguments) or _run(stage, settings, started)
            status = stage.exit_status(settings, told) if isinstance(told, StageResult) else 0
            _tell(told)
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the edge: every failure becomes one line
            line, status = told_failure(stage.name, settings, error)
            _LOG.error("%s", line)
    return status


def read_settings(stage: Stage[SettingsT], argv: Sequence[str] | None = None) -> SettingsT:
    """The stage's settings from its command line."""
    return _compose(stage, _parser(stage).parse_intermixed_args(argv))


def _compose(stage: Stage[SettingsT], arguments: argparse.Namespace) -> SettingsT:
    flags = (*COMMON_FLAGS, *stage.flags)
    files, overrides = [], []
    for flag in flags:
        given = getattr(arguments, flag.name)
        if given is None or given is False:
            continue
        if isinstance(flag, FileFlag):
            files.append(SettingsFile(_existing(Path(given)), flag.section, flag.replaces))
        else:
            overrides.append(f"{flag.key}={'true' if flag.is_switch else _quoted(given)}")
    return compose_settings(stage.settings_type, stage.name, [*overrides, *arguments.overrides], files)


def _existing(path: Path) -> Path:
    """A path as the caller meant it: from the working directory, else from the project root."""
    return path if path.exists() or path.is_absolute() else project_root() / path


def _quoted(value: str) -> str:
    """A value that Hydra's grammar takes as one string, whatever it holds; numbers and dates stay as they are."""
    if all(character.isalnum() or character in "._/-" for character in value) and value:
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are settings errors like any other."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(masked(message), mend="the command line; --help lists flags and keys")


def _parser(stage: Stage[Any]) -> argparse.ArgumentParser:
    module = sys.modules[stage.run.__module__]
    parser = _Parser(
        description=(module.__doc__ or stage.name).strip(),
        epilog=f"Keys that key=value can set (defaults: config/stages/{stage.name}.yaml):\n\n"
        + "\n".join(_key_lines(stage.settings_type)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for flag in (*COMMON_FLAGS, *stage.flags, *stage.answers):
        if isinstance(flag, ValueFlag) and flag.is_switch:
            parser.add_argument(f"--{flag.name}", action="store_true", help=flag.help)
        else:
            parser.add_argument(f"--{flag.name}", metavar=flag.name.upper(), help=flag.help)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that lie over the YAML")
    return parser


def _key_lines(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _key_lines(kind, f"{prefix}{name}.")
        else:
            yield f"  {prefix + name:<44} {info.description or ''}".replace("%", "%%")


def _answer(stage: Stage[SettingsT], settings: SettingsT, arguments: argparse.Namespace) -> BaseModel | None:
    """What the first question on the command line is answered; None where there is none."""
    for flag in stage.answers:
        if (asked := getattr(arguments, flag.name)) is not None:
            return flag.answer(settings, asked)
    return None


def _tell(told: BaseModel) -> None:
    """Print a result, readable on a terminal; an answer is JSON everywhere, for it is short."""
    values = json.loads(told.model_dump_json())
    print_told(values, result_lines(told) if isinstance(told, StageResult) else [json.dumps(values)])


def _run(stage: Stage[SettingsT], settings: SettingsT, started: float) -> StageResult:
    """Run the stage and report how it fared; `started` is the process's start by `time.perf_counter`."""
    curves: dict[str, float] = {}
    try:
        result = _tracked(stage, settings, curves)
    except (KeyboardInterrupt, Exception) as error:
        told = _storage_error(error) or error
        report_failure(settings, stage.name, time.perf_counter() - started, told, curves)
        raise
    result = result.model_copy(update={"seconds": round(time.perf_counter() - started, 3)})
    report_success(settings, result, curves)
    return result


def _tracked(stage: Stage[SettingsT], settings: SettingsT, curves: dict[str, float]) -> StageResult:
    """Run the stage and record it; `curves` gets the last point of each curve, whether the stage ends well or not."""
    if not settings.tracking.enabled:
        return stage.run(settings, LastFigures(MemoryTracker(), curves))

    from experiment_tracking.mlflow_tracker import MlflowTracker

    with MlflowTracker(stage.name, settings) as tracker:
        result = stage.run(settings, LastFigures(tracker, curves))
        failpoints.reach("before_tracking")
        tracker.finish(result)
    return result


def told_failure(name: str, settings: StageSettings | None, error: BaseException) -> tuple[str, int]:
    """A failure in one line, and its exit status; the traceback of what we did not expect goes to a file.

    Parameters
    ----------
    name : str
        The stage or command that failed; begins the line.
    settings : StageSettings, optional
        Tell where reports are kept; else below the project.
    error : BaseException
        What ended it.
    """
    if isinstance(error, KeyboardInterrupt):
        return f"{name}: interrupted; the same command goes on from here", 130
    told = error if isinstance(error, PlatformError) else _storage_error(error)
    if told is not None:
        return f"{name}: {told}", told.exit_code
    place = _keep_traceback(name, settings, error)
    message = " ".join(str(error).split()) or "no message"
    return f"{name}: {type(error).__name__}: {message[:300]}; the traceback is in {place}", 1


def _storage_error(error: BaseException) -> StorageError | None:
    """What a full or read-only disk raised, or a path that is none, wherever it hides in the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        number, text = getattr(cause, "errno", None), str(cause)
        if number in _FULL_DISK or "disk is full" in text or "disk I/O error" in text or "File too large" in text:
            return StorageError(f"the disk is full or a size limit is reached ({_first_line(text)})", mend="free room")
        if number in _NOT_WRITABLE:
            return StorageError(f"cannot write ({_first_line(text)})", mend="paths.workspace or the folder's rights")
        if number in _NO_PLACE:
            allowed = "folders that are folders, links that end, names of up to 255 bytes"
            return StorageError(f"cannot use a path ({_first_line(text)})", allowed, "the setting that holds it")
        cause = cause.__cause__ or cause.__context__
    return None


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:200] if text.strip() else "no message"


def _keep_traceback(stage: str, settings: StageSettings | None, error: BaseException) -> Path | str:
    root = settings.paths.reports if settings else project_root() / "reports"
    path = root / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{stage}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError as failure:
        return f"no file ({failure})"
    return path


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the stage as Ctrl-C does, so that nothing half-written stays."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    try:
        previous = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: the caller's own handling stands
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def set_up_logging() -> None:
    """Our rooms at INFO, third parties at WARNING, all to standard error."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    for room in _ROOMS:
        logging.getLogger(room).setLevel(logging.INFO)
    for noisy in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
