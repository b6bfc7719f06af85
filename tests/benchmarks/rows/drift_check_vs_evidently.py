"""The whole drift check of 100 features over 2,500 sessions, file to files, beside Evidently's scores and page alone.

Both score every feature by PSI, Jensen-Shannon and Wasserstein. Evidently is given the two windows as frames and draws
each score into its page, as it cannot help doing. The check reads the file, finds the thresholds of every feature in
its reference, scores, writes the figures and lets Evidently draw the six most drifted features, as shipped.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import pandas as pd
from comparison import Demand, Measurement, Row, in_turns, require_equal

from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings
from MLOps.stage import MemoryTracker
from MLOps.vendors.evidently import DriftTest, draw_drift
from monitoring.drift.feature_columns import read_features
from monitoring.drift.report import read_report
from monitoring.drift.sample import Sample, newest_against_earlier
from monitoring.drift.scores import METHODS
from monitoring.scripts.check_data_drift import check_data_drift

_LOG = logging.getLogger(__name__)
_FEATURES, _SESSIONS, _CURRENT, _RUNS = 100, 2_500, 250, 5
_MOST = 1.5  # times Evidently's own time
_SEED = 17


def write_features(path: Path) -> None:
    """Features that wander as indicators do: sums of what was drawn, pulled back to 0."""
    drawn = np.random.default_rng(_SEED).normal(size=(_SESSIONS, _FEATURES))
    values = pd.DataFrame(drawn).ewm(halflife=10).mean().to_numpy()
    frame = pd.DataFrame(values, columns=[f"feature_{number:03d}" for number in range(_FEATURES)])
    frame.insert(0, "tic", "AAA")
    frame.insert(0, "date", pd.bdate_range("2010-01-04", periods=_SESSIONS))
    frame.to_parquet(path)


class Ours:
    """The stage over one features file, each time in a workspace of its own."""

    def __init__(self, folder: Path, drawn: int | None = None) -> None:
        self._folder, self._runs = folder, 0
        self._overrides = [f"features_path={folder / 'features.parquet'}", "subjects=[features]", "views={}"]
        self._overrides += [f"market.current_rows={_CURRENT}", f"market.reference_rows={_SESSIONS - _CURRENT}"]
        self._overrides += [] if drawn is None else [f"report_columns={drawn}"]

    def settings(self) -> DriftSettings:
        """With a workspace that no run has seen."""
        self._runs += 1
        workspace = self._folder / f"workspace-{id(self)}-{self._runs}"
        return compose_settings(DriftSettings, "check_data_drift", [f"paths.workspace={workspace}", *self._overrides])

    def sample(self) -> Sample:
        """The two windows."""
        settings = self.settings()
        return newest_against_earlier(read_features(self._folder / "features.parquet", settings), settings.market)

    def check(self) -> Path:
        """Run the stage; returns its output folder."""
        return check_data_drift(self.settings(), MemoryTracker()).folder


def scores_of(report: Path) -> dict[str, list[float]]:
    """Scores by feature, in the order of `METHODS`, as the check wrote them."""
    (found,) = read_report(report).subjects
    return {column.column: [column.scores[method] for method in METHODS] for column in found.columns}


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor time of a call: both sides compute in this process and wait for nothing."""
    begun = process_time()
    work()
    return process_time() - begun


def measure(*, is_quick: bool) -> Measurement:
    """Check, then time."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_features(folder / "features.parquet")
        ours, page = Ours(folder), folder / "evidently.html"
        sample = ours.sample()
        tests = [DriftTest(str(column), method, 0.1) for column in sample.reference for method in METHODS]

        def peer() -> list[float]:
            return draw_drift(sample.reference, sample.current, tests, page)

        _LOG.info("checking")
        found = scores_of(ours.check())
        told = [found[test.column][METHODS.index(test.method)] for test in tests]
        checked = require_equal("three scores of 100 features", told, peer(), rtol=1e-9, atol=1e-12)
        _LOG.info("timing")
        timing = in_turns(
            lambda: processor_seconds(peer), lambda: processor_seconds(ours.check), 1 if is_quick else _RUNS
        )
        everything = processor_seconds(Ours(folder, drawn=_FEATURES).check)
        nothing = processor_seconds(Ours(folder, drawn=0).check)
    return Measurement(
        timing=timing,
        check=checked,
        size={"features": _FEATURES, "rows": _SESSIONS, "scores": len(tests)},
        demands=(Demand("with all features drawn", everything / timing.peer, _MOST, "of Evidently's time", False),),
        notes=(
            "Processor time, imports left out on both sides.",
            "Ours besides: reads the file, scores 25 blocks of the reference for the thresholds, writes the figures.",
            "Ours draws the six most drifted features, Evidently all; the demand is for ours drawing all as well.",
        ),
        details={"ours_all_drawn_s": everything, "ours_none_drawn_s": nothing},
    )


ROW = Row(unit="s of processor time", is_higher_better=False, target_ratio=1 / _MOST, measure=measure)
