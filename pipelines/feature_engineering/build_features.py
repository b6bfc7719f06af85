"""Stage build_features: validated bars and news to point-in-time features in FinRL's long format.

Makes data/processed/<last session>-<key>/processed_data_with_features.parquet and .csv, published as
data/processed/processed_data_with_features.parquet and .csv.
"""

import logging
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, read_result, sha256_of
from MLOps.errors import DataError, FailedExpectationsError
from MLOps.market.data_warnings import BETWEEN_WARNINGS
from MLOps.settings.features import FeatureSettings
from MLOps.stage import Scalar, Stage, StageResult, Tracker, ValueFlag
from MLOps.versioned_output import make_versioned

if TYPE_CHECKING:
    import pandas as pd

    from MLOps.market.feature_table import FeatureTable

_LOG = logging.getLogger(__name__)
_NAME = "processed_data_with_features"
_FORMATS = {"parquet": ("parquet",), "csv": ("csv",), "both": ("parquet", "csv")}
_ORIGIN = ("source", "licence", "origin", "warnings", "as_of", "is_replay")
_SCORER = ("model_kind", "model_version")


def build_features(settings: FeatureSettings, tracker: Tracker) -> StageResult:
    """Compute, validate and write the features.

    Raises
    ------
    DataError
        If bars, news or scores are missing or malformed, the scores are not those of the news, the
        window holds too few sessions, or the features break an expectation.
    SourceUnavailableError
        If the DVC remote cannot be reached.
    """
    inputs = _inputs(settings)
    bars, news, scored_by = _read(inputs)
    origin = _origin(inputs) | scored_by | (_without_names(bars, settings) if "scores" in inputs else {})
    files = tuple(f"{_NAME}.{suffix}" for suffix in _FORMATS[settings.output_format])

    def make(folder: Path, _key: str) -> Made:
        from MLOps.market.feature_table import build_table

        table = build_table(bars, news, settings)
        _validate(table)
        for name in files:
            _write(table.frame, folder / name)
        return _made(table, files, origin)

    output = Output(
        stage=STAGE.name,
        root=settings.paths.processed,
        settings=settings,
        inputs=inputs,
        version=2,
        label=_last_session(bars, settings.last_session).isoformat(),
        extra={name: str(fact) for name, fact in origin.items()},
        publish=files,
    )
    return make_versioned(output, make, tracker, settings.versioning)


def _inputs(settings: FeatureSettings) -> dict[str, Path]:
    """The files to read, with links resolved, so that one version of each is read throughout."""
    paths = {"bars": settings.bars_path, "news": settings.news_path, "scores": settings.scores_path}
    return {name: (settings.paths.workspace / path).resolve() for name, path in paths.items() if path is not None}


def _read(inputs: dict[str, Path]) -> tuple["pd.DataFrame", "pd.DataFrame | None", dict[str, Scalar]]:
    """The bars, the news with their scores, and what is to be told of the scores."""
    from MLOps.market.bars import read_bars
    from MLOps.market.news import read_news
    from MLOps.market.news_scores import read_scores
    from MLOps.market.scored_news import with_scores

    bars = read_bars(inputs["bars"])
    news = read_news(inputs["news"]) if "news" in inputs else None
    if news is None or "scores" not in inputs:
        return bars, news, {}
    scores = read_scores(inputs["scores"])
    scored = with_scores(news, scores)
    told: dict[str, Scalar] = {"sentiment_model_sha256": ",".join(scores["model_sha256"].unique())}
    if unscored := int(scored["score"].isna().sum()):
        told["articles_without_score"] = f"{unscored} of {len(news)}"
        _LOG.warning(
            "%d of %d articles have no score: nothing in them could be scored, or they came after the scoring",
            unscored,
            len(news),
        )
    return bars, scored, told


def _without_names(bars: "pd.DataFrame", settings: FeatureSettings) -> dict[str, Scalar]:
    """Tickers of which the scoring knows no name; that the news name none of them means nothing."""
    named = {ticker for company in settings.companies.values() for ticker in company.tickers}
    unnamed = sorted(set(settings.tickers or bars["ticker"]) - named - {settings.vix_ticker})
    if not unnamed:
        return {}
    _LOG.warning("config/company_names.yaml has no names of %s: no news will be theirs", ", ".join(unnamed))
    return {"tickers_without_names": ",".join(unnamed)}


def _last_session(bars: "pd.DataFrame", limit: date | None) -> date:
    newest: date = bars["session"].iloc[-1].date()
    return min(newest, limit) if limit else newest


def _validate(table: "FeatureTable") -> None:
    from MLOps.market.feature_expectations import feature_expectations
    from MLOps.vendors.great_expectations import validate_table

    suite = feature_expectations(table)
    broken = [finding for finding in validate_table(table.frame, suite) if not finding.is_met]
    if broken:
        rows = table.frame.loc[list(broken[0].rows[:3]), ["date", "tic"]]
        named = ", ".join(f"{row.tic} on {row.date:%Y-%m-%d}" for row in rows.itertuples())
        reasons = "; ".join(f"{finding.reason}: {len(finding.rows)} rows break it" for finding in broken)
        raise FailedExpectationsError(
            f"features fail their validation ({reasons}; first: {named})",
            mend="the bars they come from",
            failed=len(broken),
        )
    _LOG.info("features: %d expectations met", len(suite))


def _write(frame: "pd.DataFrame", path: Path) -> None:
    """Write Parquet or CSV by the suffix; the same table gives the same bytes."""
    if path.suffix == ".csv":
        frame.to_csv(path, index=False, date_format="%Y-%m-%d", lineterminator="\n")
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, compression="zstd")


def _origin(inputs: dict[str, Path]) -> dict[str, Scalar]:
    """What earlier stages said of bars and scores, for the reports of later ones; nothing of what came by another way.

    Raises
    ------
    DataError
        If the scores' own result says that they were made of other news.
    """
    ingested = read_result(inputs["bars"].parent)
    told = {name: ingested.details[name] for name in _ORIGIN if name in ingested.details} if ingested else {}
    scored = read_result(inputs["scores"].parent) if "scores" in inputs else None
    if scored is None:
        return told
    if scored.inputs.get("news", "") not in ("", sha256_of(inputs["news"])):
        raise DataError(
            f"{inputs['scores']} was made of other news than {inputs['news']}",
            "scores of these news",
            "run pipelines/sentiment_model/score_news.py on them",
        )
    warnings = [str(details["warnings"]) for details in (told, scored.details) if details.get("warnings")]
    return (
        told
        | {f"sentiment_{name}": scored.details[name] for name in _SCORER if name in scored.details}
        | ({"warnings": BETWEEN_WARNINGS.join(warnings)} if warnings else {})
    )


def _made(table: "FeatureTable", files: tuple[str, ...], origin: dict[str, Scalar]) -> Made:
    frame = table.frame
    sessions, tickers = frame["date"].nunique(), sorted(frame["tic"].unique())
    _LOG.info("features: %d sessions of %d tickers, %d columns", sessions, len(tickers), frame.shape[1])
    if table.dropped_indicators:
        _LOG.warning("the bars have closes only: without %s", ", ".join(table.dropped_indicators))
    return Made(
        files=dict(zip(("features", "features_csv"), files, strict=False)),
        metrics={
            "rows": len(frame),
            "sessions": sessions,
            "tickers": len(tickers),
            "warm_up_sessions_dropped": table.warm_up_sessions,
            "carried_bars": table.carried_bars,
            "sessions_with_news_fraction": frame["has_news"].mean(),
            "ticker_sessions_with_news_fraction": frame["ticker_has_news"].mean(),
        },
        details=origin
        | {
            "first_session": f"{frame['date'].iloc[0]:%Y-%m-%d}",
            "last_session": f"{frame['date'].iloc[-1]:%Y-%m-%d}",
            "sessions_with_news": f"{frame.loc[frame['has_news'], 'date'].nunique()} of {sessions}",
            "tickers": ",".join(tickers),
            "indicators": ",".join(table.indicators),
            "dropped_indicators": ",".join(table.dropped_indicators),
            "has_vix": "vix" in frame,
            "price_scale": "back-adjusted by the source" if table.is_close_only else "forward-adjusted",
        },
    )


STAGE = Stage(
    name="build_features",
    settings_type=FeatureSettings,
    run=build_features,
    flags=(
        ValueFlag("bars_path", "bars_path", "folder of validated bars (default: data/raw/latest/bars)"),
        ValueFlag("news_path", "news_path", "Parquet file of news, or null (default: data/raw/latest/news.parquet)"),
        ValueFlag("scores_path", "scores_path", "Parquet file of the news' scores, or null (default: null)"),
        ValueFlag("output_format", "output_format", "parquet, csv or both (default: both)"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
