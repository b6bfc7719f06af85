"""Families of models: what each one's champion is called, must have passed, and is at the start.

A new family is one entry here. Which family a model belongs to follows from the kind on its card, which
its digest covers; which one a verdict speaks for, from its field `family`. Both must agree.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from MLOps.inference.model_folder import write_equal_weight
from MLOps.inference.timing_model import write_buy_first
from MLOps.sentiment.lexicons import write_vader


@dataclass(frozen=True)
class ModelFamily:
    """Models that can take each other's place.

    Attributes
    ----------
    name : str
        As verdicts name it.
    champion_alias : str
        Alias of the champion; no two families share one.
    gates : tuple of str
        Gates of a promotion, in their order; a passing verdict holds all of them.
    baseline_kind : str
        Kind of the model that is champion by definition, until another one passes.
    trained_kinds : frozenset of str
        Kinds of the other models.
    write_baseline : callable
        Writes the baseline's model folder and returns its digest.
    promotion : str
        What a person runs to get a champion.
    """

    name: str
    champion_alias: str
    gates: tuple[str, ...]
    baseline_kind: str
    trained_kinds: frozenset[str]
    write_baseline: Callable[[Path], str]
    promotion: str

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind of card in the family."""
        return self.trained_kinds | {self.baseline_kind}


STOCK_TRADING = ModelFamily(
    name="stock_trading",
    champion_alias="champion",
    gates=(
        "model_loads",
        "observation_schema",
        "finite_forward_pass",
        "evaluation_terms",
        "test_window",
        "max_drawdown",
        "turnover_per_year",
        "annual_return_difference",
        "sharpe_difference_lower",
    ),
    baseline_kind="equal_weight",
    trained_kinds=frozenset({"mlp_actor"}),
    write_baseline=write_equal_weight,
    promotion="run_backtest, then promote_to_paper",
)
SENTIMENT = ModelFamily(
    name="sentiment",
    champion_alias="sentiment_champion",
    gates=(
        "model_loads",
        "held_out_articles",
        "finite_probabilities",
        "calibration_error",
        "macro_f1",
        "beats_majority",
        "beats_vader",
        "beats_loughran_mcdonald",
        "champion_difference_lower",
    ),
    baseline_kind="vader",
    trained_kinds=frozenset({"lora_classifier"}),
    write_baseline=write_vader,
    promotion="promote_sentiment_model",
)
CRYPTO_TIMING = ModelFamily(
    name="crypto_timing",
    champion_alias="crypto_timing_champion",
    gates=(
        "model_loads",
        "observation_schema",
        "finite_forward_pass",
        "evaluation_terms",
        "test_window",
        "beats_buy_first",
        "beats_buy_last",
        "champion_difference_lower",
    ),
    baseline_kind="buy_first",
    trained_kinds=frozenset({"rainbow_timing"}),
    write_baseline=write_buy_first,
    promotion="evaluate_crypto_timing, then promote_crypto_timing",
)
FAMILIES = {family.name: family for family in (STOCK_TRADING, SENTIMENT, CRYPTO_TIMING)}


@cache
def baseline_digest(family: ModelFamily) -> str:
    """Digest of the model folder of the family's champion by definition."""
    with tempfile.TemporaryDirectory() as folder:
        return family.write_baseline(Path(folder))
