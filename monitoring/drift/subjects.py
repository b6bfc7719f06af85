"""Where each subject's windows come from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from MLOps.artifacts import check_unaltered
from MLOps.market.price_cycles import timing_bars_path
from MLOps.settings.drift import DriftSettings, DriftSubject
from monitoring.drift.feature_columns import read_features
from monitoring.drift.model_columns import model_windows
from monitoring.drift.news_columns import read_news_scores
from monitoring.drift.sample import Sample, newest_against_earlier
from monitoring.drift.timing_columns import timing_windows
from monitoring.drift.watched_model import WatchedModel

_FEATURES = "processed_data_with_features.parquet"
"""Gives the sample of a subject, or raises a PlatformError that says why there is none."""
Load = Callable[[], Sample]


@dataclass(frozen=True)
class Inputs:
    """Files that the subjects are read from; links are resolved, so that one version is read."""

    features: Path
    reference_features: Path | None
    news: Path | None
    scores: Path | None
    timing_bars: Path | None

    def existing(self) -> dict[str, Path]:
        """Those that are there, by name."""
        return {name: path for name, path in vars(self).items() if path is not None and path.exists()}

    def absent(self) -> list[str]:
        """The names of those that were given and are not there, in alphabetical order."""
        return sorted(name for name, path in vars(self).items() if path is not None and not path.exists())


def find_inputs(settings: DriftSettings) -> Inputs:
    """The files that the settings name."""

    def place(path: Path | None) -> Path | None:
        return None if path is None else (settings.paths.workspace / path).resolve()

    return Inputs(
        features=(
            settings.paths.workspace / (settings.features_path or settings.paths.processed / _FEATURES)
        ).resolve(),
        reference_features=place(settings.reference_features_path),
        news=place(settings.news_path),
        scores=place(settings.scores_path),
        timing_bars=(
            timing_bars_path(settings.timing_bars_path, settings.data, settings.paths)
            if "timing_observation" in settings.subjects
            else None
        ),
    )


def subject_loads(settings: DriftSettings, inputs: Inputs, model: WatchedModel | None) -> Mapping[DriftSubject, Load]:
    """How the windows of each wanted subject are had; without those that are not there to be checked."""
    loads: dict[DriftSubject, Load] = {"features": partial(_features, settings, inputs)}
    if inputs.news is not None and inputs.scores is not None:
        loads["news_scores"] = partial(_news_scores, settings, inputs.news, inputs.scores)
    if model is not None:
        loads["observation"] = lambda: model_windows(model.policy(), inputs.features, settings).observation(settings)
        loads["actions"] = lambda: model_windows(model.policy(), inputs.features, settings).actions(settings)
    if inputs.timing_bars is not None:
        loads["timing_observation"] = partial(_timing, settings, inputs.timing_bars)
    return {subject: loads[subject] for subject in settings.subjects if subject in loads}


def _features(settings: DriftSettings, inputs: Inputs) -> Sample:
    check_unaltered(inputs.features.parent)
    earlier = inputs.reference_features
    reference = None if earlier is None else read_features(earlier, settings)
    return newest_against_earlier(read_features(inputs.features, settings), settings.market, reference)


def _news_scores(settings: DriftSettings, news: Path, scores: Path) -> Sample:
    check_unaltered(scores.parent)
    return newest_against_earlier(read_news_scores(news, scores), settings.news)


def _timing(settings: DriftSettings, bars: Path) -> Sample:
    check_unaltered(bars.parent)
    return timing_windows(bars, settings)
