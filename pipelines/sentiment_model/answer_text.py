"""One text, answered at once."""

import sys
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from MLOps.errors import DataError
from MLOps.settings.score_news import ScoreNewsSettings
from pipelines.sentiment_model.choose_model import ChosenModel, choose_unrecorded

_VADER_EDGE = 0.05  # where VADER's authors draw the lines of its score; the likeliest class is nearly always neutral


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sentiment(_Answer):
    """What a model makes of a text."""

    label: str = Field(description="Class.")
    probabilities: dict[str, float] = Field(description="By class.")
    score: float = Field(description="Probability of positive less that of negative, -1 to 1.")


class SentenceSentiment(Sentiment):
    """What it makes of one sentence."""

    text: str = Field(description="The sentence, as it was scored.")


class ModelRecord(_Answer):
    """Who answers."""

    kind: str = Field(description="Kind on its card.")
    version: str = Field(description="Name and version in the registry, folder, or installed.")
    sha256: str = Field(description="Digest of its folder.")


class TextSentiment(Sentiment):
    """The answer to a text."""

    model: ModelRecord = Field(description="Who answers.")
    sentences: tuple[SentenceSentiment, ...] = Field(description="Each one, if there are several.")


def answer_text(settings: ScoreNewsSettings, text: str) -> TextSentiment:
    """Score `text` as the stage scores an article's body; ``-`` stands for what standard input holds.

    Raises
    ------
    DataError
        If there is no sentence in it that would be scored, or standard input is closed.
    """
    from MLOps.sentiment.article_score import article_scores
    from MLOps.sentiment.sentences import SentenceReader

    given = _standard_input() if text == "-" else text
    article = SentenceReader(settings.reading).read("", given)
    if not article.sentences:
        raise DataError(
            f"--text of {len(given)} characters holds no sentence to score",
            "letters or emoji; boilerplate does not count",
            "the text, or reading in config/stages/score_news.yaml",
        )
    model = choose_unrecorded(settings)
    probabilities = model.open(settings).probabilities(article.sentences)
    whole = next(article_scores(article, probabilities, settings.aggregation, lambda _: ()))
    rows = zip(article.sentences, probabilities.tolist(), strict=True)
    return TextSentiment(
        **_sentiment(model, [whole.negative, whole.neutral, whole.positive]),
        model=ModelRecord(kind=model.card.kind, version=model.version, sha256=model.digest),
        sentences=tuple(SentenceSentiment(text=sentence, **_sentiment(model, row)) for sentence, row in rows)
        if len(article.sentences) > 1
        else (),
    )


def _standard_input() -> str:
    if sys.stdin is None or sys.stdin.closed:  # a process can be started without one
        raise DataError("--text - was given, and standard input is closed", "a text on standard input", "--text")
    return sys.stdin.buffer.read().decode("utf-8", errors="replace")


def _sentiment(model: ChosenModel, probabilities: Sequence[float]) -> dict[str, Any]:
    import numpy as np

    from MLOps.sentiment.scorer import LABELS, score_of
    from MLOps.sentiment.thresholds import Thresholds

    row = np.array(probabilities)
    score = score_of(row)
    is_lexicon = model.card.kind == "vader"
    label = Thresholds(-_VADER_EDGE, _VADER_EDGE).classes(score) if is_lexicon else row.argmax()
    return {
        "label": LABELS[int(label)],
        "probabilities": dict(zip(LABELS, row.tolist(), strict=True)),
        "score": float(score),
    }
