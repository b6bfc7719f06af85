"""The one door to Evidently: a page that shows how columns drifted.

The library takes seconds to import, a tenth of a second for each score that it draws, and reports its use to its
makers unless told not to; all three are dealt with here.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class DriftTest:
    """One score of one column.

    Attributes
    ----------
    column : str
    method : str
        Evidently's name of the score: psi, jensenshannon or wasserstein.
    threshold : float
        From here on Evidently calls it drift.
    """

    column: str
    method: str
    threshold: float


def draw_drift(reference: pd.DataFrame, current: pd.DataFrame, tests: Sequence[DriftTest], page: Path) -> list[float]:
    """Write a page of HTML that opens offline; returns the score of each test, in their order.

    Parameters
    ----------
    reference, current : DataFrame
        Numbers; missing ones are left out. Each column of `tests` has a value in both.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    columns = list(dict.fromkeys(test.column for test in tests))
    definition = DataDefinition(numerical_columns=columns)
    report = Report([ValueDrift(column=test.column, method=test.method, threshold=test.threshold) for test in tests])
    snapshot = report.run(
        Dataset.from_pandas(current[columns].reset_index(drop=True), definition),
        Dataset.from_pandas(reference[columns].reset_index(drop=True), definition),
    )
    snapshot.save_html(str(page))
    return [_score(metric) for metric in snapshot.dict()["metrics"]]


def _score(metric: Mapping[str, object]) -> float:
    return float(str(metric["value"]))
