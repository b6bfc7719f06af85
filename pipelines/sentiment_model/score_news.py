"""Stage score_news: the sentiment of every article, and of every company that it names.

Makes data/scores/<last day>-<key>/news_scores.parquet with the model that the registry calls
sentiment_champion, at first VADER. Only articles that this model has not seen are scored; a killed run
goes on from its last chunk.

--text "..." answers one text at once, in one line of JSON; it registers nothing and makes nothing but
caches. --text - reads it from standard input.
"""

import hashlib
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, check_unaltered, make_once
from MLOps.market.data_warnings import BETWEEN_WARNINGS
from MLOps.settings.score_news import ScoreNewsSettings
from MLOps.settings.stage_settings import fingerprint
from MLOps.stage import AnswerFlag, FileFlag, Scalar, Stage, StageResult, Tracker, ValueFlag
from pipelines.sentiment_model.answer_text import answer_text
from pipelines.sentiment_model.choose_model import ChosenModel, choose_model

if TYPE_CHECKING:
    import pandas as pd

    from MLOps.sentiment.score_articles import ArticleScorer

_LOG = logging.getLogger(__name__)
_FILE = "news_scores.parquet"
_TEXT_HELP = (
    "a text to answer at once, in one line of JSON; one that begins with a dash as --text=-40%%; "
    "- reads standard input, as texts above 128 KiB must be given"
)


def score_news(settings: ScoreNewsSettings, tracker: Tracker) -> StageResult:
    """Score the articles of a file.

    Raises
    ------
    DataError
        If there is no such file of news, it does not follow the contract, or was altered after it was made.
    ModelError
        If the model cannot be used: another base model, a broken adapter, an engine that gives other figures.
    RegistryError
        If the registry does not hold the model.
    SourceUnavailableError
        If the base model is needed and cannot be fetched.
    """
    from MLOps.market.news import read_news

    path = (settings.paths.workspace / settings.news_path).resolve()
    check_unaltered(path.parent)
    news, model = read_news(path), choose_model(settings)
    rules = _rules(settings, model)
    output = Output(
        stage=STAGE.name,
        root=settings.paths.data / "scores",
        settings=settings,
        inputs={"news": path},
        label=str(news["published_at"].max().date()) if len(news) else "no-news",
        extra={"rules": rules, "model_version": model.version},  # the libraries that score are among the rules
    )

    def make(folder: Path, _key: str) -> Made:
        return _make(folder, news, model, rules, settings)

    return make_once(output, make, tracker)


def _make(folder: Path, news: "pd.DataFrame", model: ChosenModel, rules: str, settings: ScoreNewsSettings) -> Made:
    from MLOps.market.news_scores import write_scores
    from MLOps.training.progress import Progress

    scorer = _article_scorer(model, rules, settings)
    if not len(news):
        _LOG.info("there is no article to score")
    progress = Progress(len(news), show_bar=settings.show_progress, unit="articles", task="scoring")
    scores = scorer.score(news, settings.chunk_articles, progress.reach)
    progress.close()
    write_scores(scores, folder / _FILE)
    figures = scorer.figures
    _LOG.info(
        "%d articles by %s: %d scored now, %d from the cache; %.0f sentences a second",
        figures.articles,
        model.card.kind,
        figures.articles_scored,
        figures.articles_from_cache,
        figures.sentences_per_second,
    )
    companies = int((scores["ticker"] != "").sum())
    metrics = asdict(figures) | {"sentences_per_second": figures.sentences_per_second, "company_scores": companies}
    return Made(files={"scores": _FILE}, metrics=metrics, details=_details(model, settings))


def _article_scorer(model: ChosenModel, rules: str, settings: ScoreNewsSettings) -> "ArticleScorer":
    from MLOps.market.company_names import CompanyNames
    from MLOps.sentiment.score_articles import ArticleScorer
    from MLOps.sentiment.score_cache import ScoreCache
    from MLOps.sentiment.sentences import SentenceReader

    return ArticleScorer(
        open_model=lambda: model.open(settings),
        model_sha256=model.digest,
        reader=SentenceReader(settings.reading),
        aggregation=settings.aggregation,
        companies=CompanyNames(settings.companies).find,
        cache=ScoreCache(settings.paths.cache / "news_scores" / f"{model.digest[:16]}-{rules}"),
    )


def _rules(settings: ScoreNewsSettings, model: ChosenModel) -> str:
    """Identity of all that decides a sentence's probabilities beside its article: 16 hexadecimal digits."""
    from importlib.metadata import version

    from MLOps.sentiment.open_scorer import scoring_packages
    from MLOps.sentiment.sentences import RULES_VERSION

    packages = {name: version(name) for name in scoring_packages(model.card, settings.engine)}
    identity = [model.digest, _engine(model, settings), packages, fingerprint(settings.reading), RULES_VERSION]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _engine(model: ChosenModel, settings: ScoreNewsSettings) -> str:
    return "lexicon" if model.card.kind == "vader" else settings.engine.kind


def _details(model: ChosenModel, settings: ScoreNewsSettings) -> dict[str, Scalar]:
    from MLOps.sentiment.open_scorer import deviation_from_torch

    return {
        "model_digest": model.digest,
        "model_kind": model.card.kind,
        "model_version": model.version,
        "engine": _engine(model, settings),
        "deviation_from_torch": deviation_from_torch(model.card, model.digest, settings.paths.cache, settings.engine),
        "warnings": BETWEEN_WARNINGS.join(model.warnings),
    }


STAGE = Stage(
    name="score_news",
    settings_type=ScoreNewsSettings,
    run=score_news,
    flags=(
        ValueFlag("news_path", "news_path", "Parquet file of news (default: data/raw/latest/news.parquet)"),
        ValueFlag("model_folder", "model_folder", "folder of a sentiment model, in place of the registry's"),
        FileFlag(
            "sentiment_params_path",
            "base_model",
            "YAML of the base model under an adapter, config/sentiment_models/*.yaml",
            replaces=True,
        ),
        ValueFlag("model_version", "model_version", "registry version (default: the sentiment_champion)"),
    ),
    answers=(AnswerFlag("text", answer_text, _TEXT_HELP),),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
