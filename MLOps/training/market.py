"""What an agent is trained on: the training window, its accounts, and the scale of what they see."""

import numpy as np

from MLOps.environments.stock_trading import TradingBatch, make_batch
from MLOps.errors import DataError
from MLOps.inference.model_folder import Normalisation
from MLOps.inference.observation import fit_normalisation
from MLOps.market.panel import MarketPanel
from MLOps.settings.environment import EnvironmentSettings


class TrainingMarket:
    """The training window of all tickers that are trained on, and the tickers that the model will trade.

    Parameters
    ----------
    panel : MarketPanel
        The whole data of ``environment.universe``.
    train : slice
        Rows of the training window; no other row reaches the batch or the normalisation.
    environment : EnvironmentSettings
        Account, tickers, baskets, windows.

    Raises
    ------
    DataError
        If a window of the settings reaches beyond the training window.
    """

    def __init__(self, panel: MarketPanel, train: slice, environment: EnvironmentSettings) -> None:
        self._window = panel.window(train.start, train.stop)
        self._environment = environment
        self._traded = panel.select(environment.tickers or panel.tickers)
        self._refuse_other_windows()

    @property
    def sessions(self) -> int:
        """Length of the training window."""
        return len(self._window.dates)

    @property
    def traded(self) -> MarketPanel:
        """The whole data of the tickers that the model trades."""
        return self._traded

    @property
    def normalisation(self) -> Normalisation:
        """Of what the model sees: the batch's entries of the tickers that it trades."""
        return self._fit(self._window.select(self._traded.tickers))

    def batch(self, n_envs: int, seed: int) -> TradingBatch:
        """`n_envs` accounts in the training window."""
        return make_batch(self._window, self._environment, self._fit(self._window), n_envs, seed)

    def _fit(self, window: MarketPanel) -> Normalisation:
        # an account holds as many tickers as the model trades, however many there are to train on
        held = len(self._traded.tickers)
        return fit_normalisation(
            window, self._environment.initial_amount, self._environment.observation_limit, held_tickers=held
        )

    def _refuse_other_windows(self) -> None:
        first, last = self._window.dates[0], self._window.dates[-1]
        for window in self._environment.windows or ():
            if np.datetime64(window.first, "D") < first or np.datetime64(window.last, "D") > last:
                raise DataError(
                    f"environment.windows: {window.first} to {window.last} is not within the training window",
                    f"dates from {first} to {last}",
                    "environment.windows, or split",
                )
