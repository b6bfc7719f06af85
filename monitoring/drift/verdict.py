"""From a sample to a verdict: which columns drifted, and whether the subject as a whole did."""

import math
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from MLOps.settings.drift import DriftSettings, DriftSubject, DriftThresholdSettings
from monitoring.drift.recent_means import RecentMean, recent_means
from monitoring.drift.sample import Sample
from monitoring.drift.scores import METHODS, drift_scores
from monitoring.drift.standing_still import standing_still
from monitoring.drift.thresholds import column_thresholds

_NAMED = 5  # columns that a reason names; the file has them all


def coin_of(subject: DriftSubject, settings: DriftSettings) -> str:
    """The coin that a check of the subject is about; empty where it is about none."""
    return settings.data.symbol if subject == "timing_observation" else ""


def name_of(subject: DriftSubject, coin: str) -> str:
    """What metrics and alerts call a subject, checked or absent: the check of one coin says nothing of another."""
    return f"{subject}_{coin.lower()}" if coin else subject


class Status(IntEnum):
    """What a check found; as `trading_drift_status` has it."""

    NO_DRIFT = 0
    DRIFT = 1
    NOT_CHECKED = 2


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ColumnDrift(_Record):
    """What became of one column."""

    column: str
    scores: dict[str, float] = Field(description="By method; empty where a window holds no value.")
    thresholds: dict[str, float] = Field(description="By method.")
    excess: float = Field(description="Largest score as a multiple of its threshold; from 1 on the column drifts.")
    missing_reference: float = Field(description="Share of missing values in the reference window.")
    missing_current: float = Field(description="Share of missing values in the current window.")

    @property
    def is_drifted(self) -> bool:
        return self.excess >= 1


class Window(_Record):
    """A window as a person reads it."""

    first: str
    last: str
    rows: int


class SubjectDrift(_Record):
    """What became of one subject."""

    subject: DriftSubject
    coin: str = Field(default="", description="Coin that it is about; empty where it is about none.")
    status: Status
    reasons: tuple[str, ...] = Field(description="Why it drifts or could not be checked, a line each.")
    notes: tuple[str, ...] = Field(default=(), description="What a reader must know besides.")
    reference: Window | None = None
    current: Window | None = None
    columns: tuple[ColumnDrift, ...] = Field(default=(), description="The most drifted first.")
    least_drifted: int | None = Field(
        default=None, description="Drifted columns from which on the subject drifts; null where none was compared."
    )
    recent_means: tuple[RecentMean, ...] = Field(default=(), description="Means of the newest sessions.")

    @property
    def name(self) -> str:
        """What metrics and alerts call it."""
        return name_of(self.subject, self.coin)

    @property
    def drifted_fraction(self) -> float:
        """Share of the compared columns that drifted; 0 where none was compared."""
        return float(np.mean([column.is_drifted for column in self.columns])) if self.columns else 0.0

    @property
    def missing_fraction(self) -> float:
        """Share of missing values in the current window."""
        return float(np.mean([column.missing_current for column in self.columns])) if self.columns else 0.0

    @property
    def drifted_columns(self) -> str:
        """How many columns drifted, and how many make drift of the subject, for a person."""
        return _drifted_of(self.columns, self.least_drifted)


def judge(subject: DriftSubject, sample: Sample, settings: DriftThresholdSettings) -> SubjectDrift:
    """Score every column that both windows have, and say whether the subject drifts."""
    reference, current = sample.reference, sample.current
    gone = [str(name) for name in reference.columns.difference(current.columns, sort=False)]
    new = [str(name) for name in current.columns.difference(reference.columns, sort=False)]
    shared = reference.columns.intersection(current.columns, sort=False)
    judged = [_column(str(name), reference[name], current[name], settings) for name in shared]
    columns = tuple(sorted(judged, key=lambda column: (-column.excess, column.column)))
    notes = [*sample.notes, *([f"new columns, which nothing can be compared with: {_named(new)}"] if new else [])]
    if unknown := [column.column for column in columns if column.missing_reference == 1]:
        notes.append(f"columns without a value in the reference window: {_named(unknown)}")
    means = tuple(recent_means(reference, current, settings))
    still = standing_still(reference, current, settings.standing_still)
    least = _least_drifted(len(columns), settings)
    reasons = (*_reasons(columns, least, gone, settings), *_shifted(means), *_still(still))
    status = Status.DRIFT if reasons else Status.NO_DRIFT
    if len(unknown) == len(columns):
        reasons, status = ("no column has a value in the reference window",), Status.NOT_CHECKED
    return SubjectDrift(
        subject=subject,
        status=status,
        reasons=reasons,
        notes=tuple(notes),
        reference=_window(reference),
        current=_window(current),
        columns=columns,
        least_drifted=least,
        recent_means=means,
    )


def _shifted(means: tuple[RecentMean, ...]) -> Iterator[str]:
    for mean in means:
        if mean.is_drifted:
            yield (
                f"{mean.feature} of all tickers lies {mean.shift:+.2f} standard deviations off in the newest "
                f"{mean.rows} rows (usual: up to {mean.threshold:.2f})"
            )


def _still(rows_by_column: Mapping[str, int]) -> Iterator[str]:
    if rows_by_column:
        told = [f"{name} ({rows})" for name, rows in rows_by_column.items()]
        yield f"stand still (newest rows that are all the same): {_named(told)}"


def _column(
    name: str, reference: "pd.Series[Any]", current: "pd.Series[Any]", settings: DriftThresholdSettings
) -> ColumnDrift:
    before, now = reference.to_numpy(dtype=np.float64), current.to_numpy(dtype=np.float64)
    has_before, has_now = np.isfinite(before), np.isfinite(now)
    scores: dict[str, float] = {}
    thresholds: dict[str, float] = {}
    excess = 0.0
    if has_before.any() and has_now.any():
        found = drift_scores(before[has_before], now[has_now])
        allowed = column_thresholds(before, len(now), settings)
        scores, thresholds = (dict(zip(METHODS, map(float, values), strict=True)) for values in (found, allowed))
        excess = float((found / allowed).max())
    return ColumnDrift(
        column=name,
        scores=scores,
        thresholds=thresholds,
        excess=excess,
        missing_reference=float(1 - has_before.mean()),
        missing_current=float(1 - has_now.mean()),
    )


def _least_drifted(columns: int, settings: DriftThresholdSettings) -> int:
    """How many of so many columns must drift to make the subject drift."""
    return max(
        math.ceil(settings.drifted_columns_fraction * columns), min(settings.minimum_drifted_columns, columns), 1
    )


def _drifted_of(columns: tuple[ColumnDrift, ...], least: int | None) -> str:
    told = f"{sum(column.is_drifted for column in columns)} of {len(columns)} columns drifted"
    return told if least is None else f"{told}, drift is from {least} on"


def _reasons(
    columns: tuple[ColumnDrift, ...], least: int, gone: list[str], settings: DriftThresholdSettings
) -> Iterator[str]:
    drifted = [column for column in columns if column.is_drifted]
    if len(drifted) >= least:
        yield f"{_drifted_of(columns, least)}: {_named([column.column for column in drifted])}"
    severe = [f"{column.column} ({column.excess:.1f})" for column in drifted if column.excess >= settings.severe_factor]
    if severe:
        yield f"far beyond the threshold (multiple of it): {_named(severe)}"
    allowed = settings.missing_values_increase_fraction
    lost = [
        f"{column.column} ({column.missing_current:.0%}, before {column.missing_reference:.0%})"
        for column in columns
        if column.missing_current - column.missing_reference >= allowed
    ]
    if lost:
        yield f"missing values: {_named(lost)}"
    if gone:
        yield f"columns that are gone: {_named(gone)}"


def _named(names: list[str]) -> str:
    """The first names, and how many more there are."""
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest


def _window(frame: pd.DataFrame) -> Window:
    first, last = (
        str(label.date()) if isinstance(label, pd.Timestamp) else str(label) for label in frame.index[[0, -1]]
    )
    return Window(first=first, last=last, rows=len(frame))
