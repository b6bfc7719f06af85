"""What a trained model sees and does, as tables over time."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from MLOps.errors import DataError, ModelError
from MLOps.evaluation.backtest import run_policy
from MLOps.inference.model_folder import MlpActorCard
from MLOps.inference.observation import FloatArray, Normaliser, observe
from MLOps.inference.policy import MlpActorPolicy
from MLOps.market.panel import MarketPanel, read_panel
from MLOps.settings.drift import DriftSettings
from monitoring.drift.sample import Sample, checked_sample


@dataclass
class _Watched:
    """A policy that keeps what it was shown and what it answered."""

    policy: MlpActorPolicy
    actions: list[FloatArray] = field(default_factory=list)

    def orders(self, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
        columns = [panel.feature_names.index(name) for name in self.policy.indicators]
        self.actions.append(self.policy.actions(observe(panel, t, cash, shares, columns)))
        return self.policy.orders(panel, t, cash, shares)


@dataclass(frozen=True)
class ModelWindows:
    """A model with the sessions it was trained on and the newest ones after them, as rows of one panel."""

    policy: MlpActorPolicy
    panel: MarketPanel
    trained: slice
    newest: slice

    def observation(self, settings: DriftSettings) -> Sample:
        """The market's part of what the network sees, normalised: ``close.<ticker>``, ``<indicator>.<ticker>``.

        Cash and shares are left out: they tell of the account's own past.
        """
        return checked_sample(
            _market_part(self.policy.card, self.panel, self.trained),
            _market_part(self.policy.card, self.panel, self.newest),
            settings.market,
        )

    def actions(self, settings: DriftSettings) -> Sample:
        """What the network answers, -1 to 1, ``action.<ticker>``: both windows are traded from cash alone.

        The first `settings.settling_sessions` of either are left out, and what is left of the newest window comes
        after sessions that it is traded through to settle.
        """
        settling = settings.settling_sessions
        began = max(self.newest.start - settling, self.trained.start)
        return checked_sample(
            self._traded(self.trained, settings).iloc[settling:],
            self._traded(slice(began, self.newest.stop), settings).iloc[self.newest.start - began :],
            settings.market,
        )

    def _traded(self, window: slice, settings: DriftSettings) -> pd.DataFrame:
        watched = _Watched(self.policy)
        run_policy(watched, self.panel, window, settings.terms.account)
        names = [f"action.{ticker}" for ticker in self.panel.tickers]
        dates = pd.DatetimeIndex(
            self.panel.dates[window.start : window.stop - 1]
        )  # nothing is decided at the last close
        return pd.DataFrame(np.array(watched.actions), index=dates, columns=names)


def model_windows(policy: MlpActorPolicy, features: Path, settings: DriftSettings) -> ModelWindows:
    """The windows of a model on a features file.

    Raises
    ------
    DataError
        If the features are missing or malformed, or hold no session of the training or after it.
    ModelError
        If the features are not those that the model sees, or its card tells no training window.
    """
    card = policy.card
    panel = read_panel(features, policy.indicators, card.observation.tickers)
    policy.check(panel)
    if "train" not in card.windows:
        raise ModelError("the model's card tells no training window", "windows.train", "train it again")
    trained = panel.rows_between(card.windows["train"].first, card.windows["train"].last)
    begin = max(trained.stop, len(panel.dates) - settings.market.current_rows)
    if begin >= len(panel.dates):
        raise DataError(f"no session after the model's training, which ended on {card.windows['train'].last}")
    return ModelWindows(policy, panel, trained, slice(begin, len(panel.dates)))


def _market_part(card: MlpActorCard, panel: MarketPanel, window: slice) -> pd.DataFrame:
    tickers, indicators = card.observation.tickers, card.observation.indicators
    columns = [panel.feature_names.index(name) for name in indicators]
    nothing = np.zeros(len(tickers))
    seen = np.array([observe(panel, t, 0.0, nothing, columns) for t in range(window.start, window.stop)])
    names = ["cash", *(f"{name}.{ticker}" for name in ("close", "shares", *indicators) for ticker in tickers)]
    frame = pd.DataFrame(
        Normaliser(card.normalisation)(seen).astype(np.float64),
        index=pd.DatetimeIndex(panel.dates[window]),
        columns=names,
    )
    return frame.drop(columns=[name for name in names if name.split(".")[0] in {"cash", "shares"}])
