"""A registry of sentiment models whose skill stands on their cards, and sentences that lexicons say nothing of."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deployment.promotion import sentiment_contender
from MLOps.inference.model_files import ADAPTER_FILE, CARD_FILE
from MLOps.sentiment.labelled import write_labelled
from MLOps.sentiment.model_card import (
    BaseModelRecord,
    LoraClassifierCard,
    LoraRecord,
    group_digest,
    read_sentiment_card,
)
from MLOps.sentiment.scorer import LABELS
from MLOps.settings.compose import compose_settings
from MLOps.settings.sentiment_promotion import SentimentPromotionSettings
from model_registry.champion import ensure_champion
from model_registry.family import SENTIMENT
from model_registry.open_registry import open_registry
from model_registry.registry import CHALLENGER, ModelRegistry, ModelVersion

NAME = "sentiment"
ARTICLES, SENTENCES = 120, 6  # of an article


class SkilledScorer:
    """Reads the true class off the sentence, and gives it with the chance that is its skill.

    It says that chance as its confidence, unless the card tells another one.
    """

    kind = "lora_classifier"

    def __init__(self, card: LoraClassifierCard) -> None:
        self.skill = float(card.provenance["skill"] or 0)
        self.confidence = float(card.provenance["confidence"] or 0)
        self.name = str(card.provenance["name"])

    def probabilities(self, sentences: Sequence[str]) -> np.ndarray:
        rows = [self._row(sentence) for sentence in sentences]
        return np.array(rows).reshape(-1, len(LABELS))

    def _row(self, sentence: str) -> np.ndarray:
        draw = int(hashlib.sha256(f"{self.name} {sentence}".encode()).hexdigest(), 16)
        label = int(sentence[-2])
        is_right = draw % 10_000 < self.skill * 10_000
        row = np.full(len(LABELS), (1 - self.confidence) / 2)
        row[label if is_right else (label + 1 + draw % 2) % 3] = self.confidence
        return row


@dataclass(frozen=True)
class Arena:
    """A workspace with labelled sentences, a registry, its first champion and a challenger."""

    workspace: Path
    kind: str

    @property
    def overrides(self) -> list[str]:
        tracked = "true" if self.kind == "mlflow" else "false"
        return [
            f"paths.workspace={self.workspace}",
            f"registry.kind={self.kind}",
            f"tracking.enabled={tracked}",
            "bootstrap.resamples=300",
            "gates.min_articles=20",
            "gates.min_sentences=100",
        ]

    @cached_property
    def settings(self) -> SentimentPromotionSettings:
        return compose_settings(SentimentPromotionSettings, "promote_sentiment_model", self.overrides)

    @cached_property
    def registry(self) -> ModelRegistry:
        return open_registry(self.settings)

    @property
    def champion(self) -> ModelVersion:
        return ensure_champion(self.registry, NAME, SENTIMENT)

    @property
    def challenger(self) -> ModelVersion:
        found = self.registry.by_alias(NAME, CHALLENGER)
        assert found is not None
        return found

    @property
    def labelled_path(self) -> Path:
        return self.workspace / "data" / "labelled" / "labelled_sentences.parquet"

    def register(
        self,
        skill: float,
        name: str = "model",
        confidence: float | None = None,
        trained_on: Sequence[str] = (),
        **card_fields: Any,
    ) -> ModelVersion:
        """Register a model and let it be the challenger."""
        card = LoraClassifierCard(
            base_model=BaseModelRecord(name="none", sha256="c" * 64, origin="", warnings=()),
            labels=LABELS,
            lora=LoraRecord(rank=1, alpha=1, target_modules=("query",), first_layer=0),
            pooling="mean",
            max_tokens=16,
            temperature=1,
            training_groups=tuple(sorted(group_digest(article) for article in trained_on)),
            provenance={"skill": skill, "name": name, "confidence": skill if confidence is None else confidence},
        ).model_copy(update=card_fields)
        folder = self.workspace / "trained" / f"{name}-{skill}-{len(trained_on)}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CARD_FILE).write_text(card.model_dump_json())
        (folder / ADAPTER_FILE).write_text("weights that no test here opens")
        version = self.registry.register(folder, NAME, {})
        self.registry.set_alias(NAME, CHALLENGER, version.version)
        return version

    def write_labelled(self, seed: int = 1, **columns: Any) -> pd.DataFrame:
        """Labelled sentences, a third of the articles in each split; `columns` lie over what was made."""
        generator = np.random.default_rng(seed)
        article = np.repeat(np.arange(ARTICLES), SENTENCES)
        labels = generator.integers(0, len(LABELS), len(article))
        rows = enumerate(zip(article, labels, strict=True))
        frame = pd.DataFrame(
            {
                "sentence_id": [f"{row:016x}" for row in range(len(article))],
                "text": [f"Item n{row} of story n{a}, marked {c}." for row, (a, c) in rows],
                "label": labels.astype(np.int8),
                "score": labels - 1.0,
                "group": [f"story {number}" for number in article],
                "published_at": pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(article, unit="D"),
                "split": np.array(["train", "validation", "test"])[article % 3],
            }
        ).assign(**columns)
        self.labelled_path.parent.mkdir(parents=True, exist_ok=True)
        write_labelled(frame, self.labelled_path)
        return frame


@pytest.fixture
def make_real_arena(tracked_workspace: Path) -> Callable[[], Arena]:
    """A maker of an arena without a challenger, whose models are opened as in use."""
    return lambda: Arena(tracked_workspace, "filesystem")


@pytest.fixture
def make_arena(tracked_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Arena]:
    """A maker of arenas with a challenger; each of a kind, each in a folder of its own if named."""
    monkeypatch.setattr(
        sentiment_contender, "open_scorer", lambda folder, *_arguments: SkilledScorer(read_sentiment_card(folder))
    )

    def make(kind: str = "filesystem", name: str = "") -> Arena:
        workspace = tmp_path / name if name else tracked_workspace
        workspace.mkdir(exist_ok=True)
        arena = Arena(workspace, kind)
        arena.write_labelled()
        arena.register(0.8)
        return arena

    return make


@pytest.fixture
def arena(make_arena: Callable[..., Arena]) -> Arena:
    """An arena with a filesystem registry and a challenger that is right four times in five."""
    return make_arena()
