"""What an agent is trained on: the training window, its accounts, and the scale of what they see."""

import numpy as np

from MLOps.environments.stock_trading import make_batch
from MLOps.environments.trading_batch import TradingBatch
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
        """Of what the model sees: the entries of the tickers that it trades."""
        of_all, places = self.normalisation_of_all, self._places()
        return of_all.model_copy(
            update={name: tuple(getattr(of_all, name)[place] for place in places) for name in ("mean", "scale")}
        )

    @property
    def normalisation_of_all(self) -> Normalisation:
        """Of an observation of all tickers that are trained on."""
        # an account holds as many tickers as the model trades, however many there are to train on
        held, environment = len(self._traded.tickers), self._environment
        return fit_normalisation(
            self._window, environment.initial_amount, environment.observation_limit, held_tickers=held
        )

    def batch(self, n_envs: int, seed: int, random_starts: bool) -> TradingBatch:
        """`n_envs` accounts in the training window.

        Accounts that begin on one day would all learn from the same days, one stretch of the market in each
        rollout. With `random_starts`, where several play, each episode begins at a random session; as it goes
        on to the window's end, the session t of a window is played in proportion to t. FinRL's engine knows
        no such start and a lone account needs none: both play whole windows.
        """
        environment = self._environment
        if random_starts and n_envs > 1 and environment.engine == "batched":
            environment = environment.model_copy(update={"random_start": True})
        return make_batch(self._window, environment, self.normalisation_of_all, n_envs, seed)

    def _places(self) -> list[int]:
        """Entries of the traded tickers in an observation of all: cash, close, shares, then each feature."""
        columns, count = self._window.columns_of(self._traded.tickers), len(self._window.tickers)
        blocks = 2 + len(self._window.feature_names)
        return [0, *(1 + block * count + column for block in range(blocks) for column in columns)]

    def _refuse_other_windows(self) -> None:
        first, last = self._window.dates[0], self._window.dates[-1]
        for window in self._environment.windows or ():
            if np.datetime64(window.first, "D") < first or np.datetime64(window.last, "D") > last:
                raise DataError(
                    f"environment.windows: {window.first} to {window.last} is not within the training window",
                    f"dates from {first} to {last}",
                    "environment.windows, or split",
                )
