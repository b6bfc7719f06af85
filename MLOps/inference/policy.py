"""Policies: what a model folder becomes in memory. NumPy only, so that inference needs no torch."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from MLOps.errors import ModelError
from MLOps.inference.model_files import check_digest
from MLOps.inference.model_folder import (
    Activation,
    EqualWeightCard,
    MlpActorCard,
    read_card,
    read_weights,
)
from MLOps.inference.observation import Normaliser, observe
from MLOps.market.orders import EVERYTHING, orders_of_action
from MLOps.market.panel import MarketPanel

FloatArray = npt.NDArray[np.float64]
_ORDERED_FRACTION = 0.9  # of the cash, at each close, by the equal-weight policy


class Policy(Protocol):
    """Turns what is known at a close into orders."""

    @property
    def kind(self) -> str:
        """The model card's kind."""

    @property
    def indicators(self) -> tuple[str, ...]:
        """Feature columns that a panel must hold."""

    def check(self, panel: MarketPanel) -> None:
        """Raise ModelError unless the panel fits the observation schema."""

    def orders(self, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
        """Signed shares to trade (N,) float64 at the close of session `t`; rows after `t` are not read.

        Filling them cuts a sell to what is held, a buy to what the cash pays for, and both to whole shares
        where the account trades no others.

        Parameters
        ----------
        panel : MarketPanel
            Has passed `check`.
        t : int
            Row position.
        cash : float
            In the quote currency.
        shares : (N,) float64
            Shares held.
        """


def load_policy(folder: Path, expected_digest: str | None = None) -> Policy:
    """The policy of a model folder.

    Parameters
    ----------
    folder : Path
        Holds ``model.json`` and, for a trained model, ``policy.safetensors``.
    expected_digest : str, optional
        Checked before anything in the folder is parsed.

    Raises
    ------
    DigestError
        If the folder is not what the digest promises.
    ModelError
        If the card or the weights are missing or malformed.
    """
    if expected_digest is not None:
        check_digest(folder, expected_digest)
    card = read_card(folder)
    if isinstance(card, EqualWeightCard):
        return EqualWeightPolicy()
    return MlpActorPolicy(card, read_weights(folder, card))


class EqualWeightPolicy:
    """Buys equal weights within a few sessions, then holds; never sells.

    It knows neither the price of the fill nor the costs. Orders for all of the cash would, after a rise,
    leave the ticker with the fewest shares short, for it is filled last. So each close orders nine tenths
    of the cash that is left, and gives it to the tickers of which least is held. A rise of up to a tenth
    until the fill leaves no one short, and after three or four fills each ticker lies within about a share
    of its equal part. What cannot buy a share of each stays cash.
    """

    kind = "equal_weight"
    indicators: tuple[str, ...] = ()

    def check(self, panel: MarketPanel) -> None:
        """Every panel fits."""

    def orders(self, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
        """Shares (N,) that lift the smallest holdings to one level, as high as the cash to spend allows."""
        prices = panel.close[t]
        held = shares * prices
        lowest = np.cumsum(np.sort(held))  # the n smallest holdings together
        level = ((_ORDERED_FRACTION * cash + lowest) / np.arange(1, len(held) + 1)).min()
        wanted: FloatArray = np.maximum(level - held, 0.0) / prices
        return wanted


def _relu(values: FloatArray) -> FloatArray:
    return np.maximum(values, 0.0)


def _elu(values: FloatArray) -> FloatArray:
    return np.where(values > 0, values, np.expm1(np.minimum(values, 0.0)))


def _silu(values: FloatArray) -> FloatArray:
    return values * 0.5 * (1.0 + np.tanh(values / 2))  # the logistic function, without overflow


_ACTIVATIONS: Mapping[Activation, Callable[[FloatArray], FloatArray]] = {
    "tanh": np.tanh,
    "relu": _relu,
    "elu": _elu,
    "silu": _silu,
}


class MlpActorPolicy:
    """The deterministic actor of PPO, A2C, DDPG, TD3 and SAC, whichever library trained it."""

    kind = "mlp_actor"

    def __init__(self, card: MlpActorCard, layers: list[tuple[FloatArray, FloatArray]]) -> None:
        self.card = card
        self._layers = layers
        self._activation = _ACTIVATIONS[card.architecture.activation]
        self._normalise = Normaliser(card.normalisation)
        self._max_shares = np.float32(card.action.max_shares_per_order or 0)  # FinRL multiplies in float32

    @property
    def indicators(self) -> tuple[str, ...]:
        """Feature columns that a panel must hold."""
        return self.card.observation.indicators

    def check(self, panel: MarketPanel) -> None:
        """Raise ModelError unless the panel has the schema's tickers, in order, and its indicators."""
        schema = self.card.observation
        if panel.tickers != schema.tickers:
            raise ModelError(
                f"the data hold the tickers {', '.join(panel.tickers)}",
                f"those that the model was trained on: {', '.join(schema.tickers)}",
                "train a model on these data",
            )
        if missing := [name for name in schema.indicators if name not in panel.feature_names]:
            raise ModelError(
                f"the data lack the model's indicators {', '.join(missing)}",
                f"all of {', '.join(schema.indicators)}",
                "build the features that the model was trained on",
            )

    def actions(self, observations: FloatArray) -> FloatArray:
        """Deterministic actions (..., N) in [-1, 1] for observations (..., D) that are not yet normalised."""
        values = self._normalise(observations).astype(np.float64)
        for weight, bias in self._layers[:-1]:
            values = self._activation(values @ weight + bias)
        weight, bias = self._layers[-1]
        values = values @ weight + bias
        return np.tanh(values) if self.card.architecture.squash == "tanh" else np.clip(values, -1.0, 1.0)

    def orders(self, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
        """What the action asks for; everything is sold on a day at or above the turbulence threshold.

        The action is float32, as the networks' and the environment's are: the last bit decides on a share.
        """
        rule = self.card.action
        if rule.turbulence_threshold is not None and panel.turbulence[t] >= rule.turbulence_threshold:
            return np.full(len(shares), EVERYTHING)
        columns = [panel.feature_names.index(name) for name in self.indicators]
        action = self.actions(observe(panel, t, cash, shares, columns)).astype(np.float32)
        prices = np.ascontiguousarray(panel.close[t])
        takes_weights = rule.kind == "target_weights"
        return orders_of_action(action, takes_weights, self._max_shares, rule.is_fractional, cash, shares, prices)
