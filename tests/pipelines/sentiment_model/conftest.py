"""Labelled sentences that a word decides, and the command line of a fine-tuning that a test can afford."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from MLOps.sentiment.labelled import write_labelled

_WORDS = {0: ("bad", "awful", "fall", "weak"), 1: ("flat", "same", "plain"), 2: ("good", "great", "rise", "strong")}
_SMALL = (
    "tracking.enabled=false",
    "registry.kind=filesystem",
    "hyperparameters.lora.rank=4",
    "hyperparameters.lora.alpha=4",
    "hyperparameters.lora.first_layer=1",
    "hyperparameters.learning_rate=0.03",
    "hyperparameters.epochs=3",
    "hyperparameters.patience_epochs=3",
    "hyperparameters.batch_size=8",
    "training.threads=1",
    "training.max_tokens=16",
    "training.checkpoint_every_steps=5",
)


@pytest.fixture(scope="session")
def labelled() -> pd.DataFrame:
    """120 sentences of 20 articles, 12 to train on, as prepare_sentiment_dataset writes them."""
    generator = np.random.default_rng(4)
    rows = np.arange(120)
    labels = rows % 3
    articles = rows // 6
    return pd.DataFrame(
        {
            "sentence_id": [f"{row:016x}" for row in rows],
            "text": [f"the market {' '.join(generator.choice(_WORDS[int(label)], 2))}" for label in labels],
            "label": labels,
            "score": np.nan,
            "group": [f"article-{article}" for article in articles],
            "published_at": pd.Series(pd.NaT, index=rows, dtype="datetime64[us, UTC]"),
            "split": np.select([articles < 12, articles < 16], ["train", "validation"], "test"),
        }
    )


@pytest.fixture(scope="session")
def lay_down(labelled: pd.DataFrame) -> Callable[..., Path]:
    """``lay_down(workspace, frame=labelled)``: write the sentences into a workspace; gives the workspace."""

    def lay(workspace: Path, frame: pd.DataFrame = labelled) -> Path:
        path = workspace / "data" / "labelled" / "labelled_sentences.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_labelled(frame, path)
        return workspace

    return lay


@pytest.fixture
def prepared(workspace: Path, lay_down: Callable[..., Path]) -> Path:
    """A workspace that holds labelled sentences."""
    return lay_down(workspace)


@pytest.fixture(scope="session")
def command_line(tiny_base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[str]]:
    """``command_line(workspace, "key=value", ...)``: a small fine-tuning of the tiny encoder."""
    params = tmp_path_factory.mktemp("params") / "tiny.yaml"
    params.write_text(
        f"kind: folder\nname: My Tiny/BERT\nfolder: {tiny_base_model}\nnote: made here\nwarnings: [Tiny.]\n"
    )

    def make(workspace: Path, *more: str) -> list[str]:
        flags = [text for text in more if text.startswith("--")]
        common = ["--workspace", str(workspace), "--sentiment_params_path", str(params)]
        return [*common, *flags, *_SMALL, *(text for text in more if text not in flags)]

    return make
