"""The contract of a stage: ``run(settings, tracker) -> StageResult``.

A stage is a plain function. A test calls it with a `MemoryTracker`, a person through its command
line, a DAG task through the same command line; all three get the same `StageResult`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from MLOps.settings.stage_settings import StageSettings

Scalar = str | int | float | bool | None
SettingsT = TypeVar("SettingsT", bound=StageSettings)


class Artifact(BaseModel):
    """A file or folder that a stage made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="Absolute path.")
    sha256: str = Field(description="Digest of the file, or of a folder's sorted names and digests.")


class StageResult(BaseModel):
    """What a stage hands on: the last line of its standard output, and a DAG's XCom."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str = Field(description="Name of the stage.")
    key: str = Field(description="Hash of the stage's settings and inputs; the same key means the same output.")
    status: Literal["made", "already_made"] = Field(description="Whether this run made the output or found it whole.")
    folder: Path = Field(description="Folder that holds the output.")
    metrics: dict[str, float] = Field(default_factory=dict, description="Final figures, by name.")
    artifacts: dict[str, Artifact] = Field(default_factory=dict, description="Declared files, by name.")
    details: dict[str, Scalar] = Field(default_factory=dict, description="Further facts, plain JSON.")
    inputs: dict[str, str] = Field(default_factory=dict, description="Digest of each input, by name.")
    seconds: float = Field(default=0.0, ge=0, description="Wall time of the stage's own process.")


class Tracker(Protocol):
    """Where a stage reports while it works. MLflow's implementation lives in experiment_tracking."""

    run_id: str
    """The recorded run; empty before `begin`, and always where nothing is recorded."""

    def begin(self, key: str, inputs: Mapping[str, str], is_made: bool = False) -> None:
        """Open the run of `key`, or continue the one that an earlier try opened.

        With `is_made` the output stands already: what is recorded of its making is left as it is.
        """

    def params(self, values: Mapping[str, Scalar]) -> None:
        """Record facts that stay fixed during the run."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Record figures, at `step` if they belong to a curve."""

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a copy of a file or folder with the run."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Label the run."""


@dataclass
class MemoryTracker:
    """A tracker that keeps everything in memory, for tests and for use without tracking."""

    run_id: str = ""
    key: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    param_values: dict[str, Scalar] = field(default_factory=dict)
    curves: dict[str, list[tuple[int | None, float]]] = field(default_factory=dict)
    artifact_paths: list[tuple[Path, str]] = field(default_factory=list)
    tag_values: dict[str, str] = field(default_factory=dict)

    def begin(self, key: str, inputs: Mapping[str, str], is_made: bool = False) -> None:  # noqa: ARG002
        self.key, self.inputs = key, dict(inputs)

    def params(self, values: Mapping[str, Scalar]) -> None:
        self.param_values.update(values)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        for name, value in values.items():
            self.curves.setdefault(name, []).append((step, float(value)))

    def artifact(self, path: Path, folder: str = "") -> None:
        self.artifact_paths.append((path, folder))

    def tags(self, values: Mapping[str, str]) -> None:
        self.tag_values.update(values)


@dataclass(frozen=True)
class FileFlag:
    """A command-line flag that lays a YAML file over the composed settings.

    `section` is the dotted key that the file fills ("" for the whole); with `replaces` the section
    is taken from the file alone, else the file's keys lie over what was composed.
    """

    name: str
    section: str
    help: str
    replaces: bool = False


@dataclass(frozen=True)
class ValueFlag:
    """A command-line flag that sets one key; with `is_switch` it takes no value and sets true."""

    name: str
    key: str
    help: str
    is_switch: bool = False


RESUME_FLAG = ValueFlag(
    "resume",
    "training.resume",
    "go on from the checkpoint of an interrupted run; this is the default, training.resume=false turns it off",
    is_switch=True,
)


@dataclass(frozen=True)
class AnswerFlag(Generic[SettingsT]):
    """A command-line flag whose value is answered at once, in place of the job.

    The answer is the last line of standard output, as JSON; no run is recorded and no output made.
    """

    name: str
    answer: Callable[[SettingsT, str], BaseModel]
    help: str


def _always_ok(_settings: StageSettings, _result: StageResult) -> int:
    return 0


@dataclass(frozen=True)
class Stage(Generic[SettingsT]):
    """One job of the platform.

    Attributes
    ----------
    name : str
        Verb and noun; also the primary YAML: ``config/stages/<name>.yaml``.
    settings_type : type
        The frozen model that the YAML is composed into.
    run : callable
        The job itself.
    flags : tuple
        The stage's own flags beside the common ones.
    answers : tuple
        Flags that ask something in place of the job.
    exit_status : callable
        The command's exit status once there is a result, where the result itself is an answer: a check that found
        what it looked for. The result is printed and recorded all the same.
    """

    name: str
    settings_type: type[SettingsT]
    run: Callable[[SettingsT, Tracker], StageResult]
    flags: tuple[FileFlag | ValueFlag, ...] = ()
    answers: tuple[AnswerFlag[SettingsT], ...] = ()
    exit_status: Callable[[SettingsT, StageResult], int] = _always_ok
