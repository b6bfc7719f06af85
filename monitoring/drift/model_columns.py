"""What a trained model sees and does, as tables over time."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from MLOps.errors import DataError, ModelError
from MLOps.evaluation.backtest import run_policy
from MLOps.inference.observation import FloatArray, observe
from MLOps.inference.policy import MlpActorPolicy
from MLOps.market.panel import MarketPanel, read_panel
from MLOps.settings.drift import DriftSettings
from monitoring.drift.feature_columns import look_at
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
        """The market's part of what the network sees, closes and indicators, as `settings.views` look at them.

        Not as the network has it: prices leave the levels of the training within months, and for good. Cash and
        shares are left out: they tell of the account's own past.
        """
        seen = ["date", "tic", "close", *self.policy.indicators]
        table = look_at(self.panel.to_frame()[list(dict.fromkeys(seen))], settings)
        return checked_sample(
            self._rows(table.frame, self.trained), self._rows(table.frame, self.newest), settings.market, table.notes
        )

    def _rows(self, frame: pd.DataFrame, window: slice) -> pd.DataFrame:
        return frame[frame.index.isin(self.panel.dates[window])]

    def actions(self, settings: DriftSettings) -> Sample:
        """What the network answers, -1 to 1, ``action.<ticker>``.

        It sees its own account, so both windows are traded alike: the training in pieces as long as the newest
        window, each from cash alone and through `settings.settling_sessions` before it, which do not count.
        """
        rows, first = self.newest.stop - self.newest.start, self.trained.start + settings.settling_sessions
        starts = range(first, self.trained.stop - rows + 1, max(rows - 1, 1)) or [first]
        pieces = [self._settled(slice(start, min(start + rows, self.trained.stop)), settings) for start in starts]
        return checked_sample(pd.concat(pieces), self._settled(self.newest, settings), settings.market)

    def _settled(self, window: slice, settings: DriftSettings) -> pd.DataFrame:
        began = max(window.start - settings.settling_sessions, self.trained.start)
        return self._traded(slice(began, window.stop), settings).iloc[window.start - began :]

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
