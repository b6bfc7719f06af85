"""What a dataset of labelled sentences looks like, in numbers."""

import pandas as pd

from MLOps.sentiment.dataset import LabelledDataset
from MLOps.sentiment.labelled import SPLITS
from MLOps.sentiment.scorer import LABELS

_QUANTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95, "max": 1.0}


def dataset_figures(dataset: LabelledDataset) -> dict[str, float]:
    """Sizes, balance of the classes by split, quantiles of the lengths, and what was left out; by name."""
    sentences = dataset.sentences
    figures: dict[str, float] = {"sentences": len(sentences), "groups": sentences["group"].nunique()}
    for split in SPLITS:
        figures |= _balance(sentences[sentences["split"] == split], split)
    for unit, lengths in (
        ("characters", sentences["text"].str.len()),
        ("words", sentences["text"].str.split().str.len()),
    ):
        figures |= {f"{unit}_{name}": float(lengths.quantile(share)) for name, share in _QUANTILES.items()}
    return figures | {
        "empty_texts_dropped": len(dataset.empty_rows),
        "long_texts_cut": len(dataset.cut_rows),
        "near_duplicates_dropped": dataset.near_duplicates,
        "exact_duplicates_dropped": dataset.exact_duplicates,
        "contradictory_dropped": dataset.contradictions,
    }


def _balance(sentences: pd.DataFrame, split: str) -> dict[str, float]:
    fractions = {
        f"{split}_{name}_fraction": float((sentences["label"] == label).mean()) for label, name in enumerate(LABELS)
    }
    return {f"{split}_sentences": len(sentences), f"{split}_groups": sentences["group"].nunique()} | fractions
