"""FinRL's trading environment, and all else that this project takes from FinRL.

Every ``finrl`` import runs its whole package (4 to 10 s), so it happens inside the functions.
"""

from collections.abc import Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.environments.stock_trading_arrays import initial_shares, trading_terms
from MLOps.environments.trading_batch import Step, as_actions
from MLOps.errors import DataError, ModelError, SourceUnavailableError
from MLOps.inference.model_folder import Normalisation
from MLOps.inference.observation import Normaliser
from MLOps.market.panel import MarketPanel
from MLOps.settings.environment import EnvironmentSettings
from MLOps.vendors.finrl_frame import PanelFrame

if TYPE_CHECKING:
    from finrl.meta.env_stock_trading.env_stocktrading import StockTradingEnv

FloatArray = npt.NDArray[np.float64]


class FinrlEngine:
    """FinRL 0.3.7's ``StockTradingEnv``, with five of its habits mended.

    - Its first indicator doubles as a flag: a ticker whose value equals 1 cannot be traded that day.
      Such a value is moved by the smallest step a float can make.
    - Its last step trades nothing and pays the previous reward a second time. The episode ends on
      arrival at the last close instead, so that the rewards sum to the profit.
    - Its first session never counts as turbulent. Here the first close is like every other.
    - With a single ticker it forgets the initial shares.
    - It keeps every state of every episode. They are dropped at each reset.

    Parameters
    ----------
    panel : MarketPanel
        The window that is played; its features are the indicators, in the order of the observation.
    settings : EnvironmentSettings
        Account, costs and scales.
    """

    def __init__(self, panel: MarketPanel, settings: EnvironmentSettings) -> None:
        self._last_day = len(panel.dates) - 1
        self._first_turbulence = float(panel.turbulence[0])
        self._initial_shares = initial_shares(panel.tickers, settings).tolist()
        self._env = _make_env(PanelFrame(panel), panel, settings)

    def reset(self) -> FloatArray:
        """Begin at the first close; gives the raw observation (D,) float64."""
        state, _ = self._env.reset()
        state[1 + len(self._initial_shares) : 1 + 2 * len(self._initial_shares)] = self._initial_shares
        self._env.turbulence = self._first_turbulence
        self._env.state_memory = []
        return np.array(state, dtype=np.float64)

    def step(self, action: npt.NDArray[np.float32]) -> tuple[FloatArray, float, bool]:
        """Trade on an action (N,) in [-1, 1] and go to the next close; observation, reward, whether it is the last."""
        state, reward, _, _, _ = self._env.step(action)
        return np.array(state, dtype=np.float64), float(reward), self._env.day >= self._last_day

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""
        env = self._env
        return {
            "day": int(env.day),
            "state": [float(value) for value in env.state],
            "turbulence": float(env.turbulence),
            "cost": float(env.cost),
            "trades": int(env.trades),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.reset()
        for name, value in state.items():
            setattr(self._env, name, value)
        self._env.data = self._env.df.loc[self._env.day, :]


class FinrlBatch:
    """FinRL's environment, several times over and one after the other: the reference, and slow.

    Parameters
    ----------
    panel : MarketPanel
        The window that is played.
    settings : EnvironmentSettings
        Account, costs and scales.
    normalisation : Normalisation
        Applied to every observation.
    n_envs : int
        Accounts.
    """

    def __init__(
        self, panel: MarketPanel, settings: EnvironmentSettings, normalisation: Normalisation, n_envs: int
    ) -> None:
        if len(panel.dates) < 2:
            raise DataError(f"a window of {len(panel.dates)} session", "at least 2", "split.minimum_train_sessions")
        self.n_envs, self.tickers = n_envs, len(panel.tickers)
        self.observation_size, self.observation_limit = len(normalisation.mean), normalisation.limit
        self.observation_type = np.dtype(np.float32)
        self._engines = [FinrlEngine(panel, settings) for _ in range(n_envs)]
        self._normalise = Normaliser(normalisation)
        self._rewards, self._steps = np.zeros(n_envs), np.zeros(n_envs, np.int64)

    def seed(self, seed: int) -> None:
        """FinRL draws nothing."""

    def reset(self) -> npt.NDArray[np.float32]:
        """Begin an episode in every account; observations (E, D)."""
        self._rewards[:], self._steps[:] = 0.0, 0
        return self._normalise(np.stack([engine.reset() for engine in self._engines]))

    def step(self, actions: npt.ArrayLike) -> Step:
        """Trade on actions (E, N) and go to the next close.

        Raises
        ------
        ModelError
            If the actions are not of that shape, or one is not finite; then no account has stepped.
        """
        actions = as_actions(actions, self.n_envs, self.tickers)
        if not np.isfinite(actions).all():
            raise ModelError(f"actions {actions.tolist()}", "finite numbers", "the policy that gave them")
        stepped = [engine.step(action) for engine, action in zip(self._engines, actions, strict=True)]
        observations = np.stack([observation for observation, _, _ in stepped])
        rewards = np.array([reward for _, reward, _ in stepped])
        is_last = np.array([is_last for _, _, is_last in stepped])
        self._rewards, self._steps = self._rewards + rewards, self._steps + 1
        ended = np.flatnonzero(is_last)
        finished = self._normalise(observations[ended]), self._rewards[ended], self._steps[ended]
        for account in ended:
            observations[account] = self._engines[account].reset()
            self._rewards[account], self._steps[account] = 0.0, 0
        return Step(self._normalise(observations), rewards, is_last, np.zeros_like(is_last), ended, *finished)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""
        return {
            "engines": [engine.state() for engine in self._engines],
            "rewards": self._rewards.tolist(),
            "steps": self._steps.tolist(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        for engine, engine_state in zip(self._engines, state["engines"], strict=True):
            engine.restore(engine_state)
        self._rewards, self._steps = np.array(state["rewards"]), np.array(state["steps"], dtype=np.int64)


def _make_env(frame: PanelFrame, panel: MarketPanel, settings: EnvironmentSettings) -> "StockTradingEnv":
    from finrl.meta.env_stock_trading.env_stocktrading import StockTradingEnv

    tickers, indicators = len(panel.tickers), len(panel.feature_names)
    terms = trading_terms(panel.tickers, settings)
    return StockTradingEnv(
        df=frame,
        stock_dim=tickers,
        hmax=settings.max_shares_per_order,
        initial_amount=settings.initial_amount,
        num_stock_shares=initial_shares(panel.tickers, settings).tolist(),
        buy_cost_pct=terms.buy_cost.tolist(),
        sell_cost_pct=terms.sell_cost.tolist(),
        reward_scaling=settings.reward_scaling,
        state_space=1 + tickers * (2 + indicators),
        action_space=tickers,
        tech_indicator_list=list(panel.feature_names),
        turbulence_threshold=settings.turbulence_threshold,
    )


def download_yahoo_bars(
    tickers: Sequence[str], start: str, end: str, timeout_seconds: float, session: Any = None
) -> pd.DataFrame:
    """Daily prices of Yahoo Finance, through FinRL's ``YahooDownloader``.

    FinRL 0.3.7 calls yfinance with an argument that it no longer takes, reads its columns by
    position, and overwrites the close with the adjusted one. It is handed a downloader that answers
    as it expects, and the raw close and the corporate actions are kept beside.

    Parameters
    ----------
    tickers : sequence of str
        Yahoo's symbols.
    start, end : str
        ISO dates; `end` is not included.
    timeout_seconds : float
        How long to wait for one answer.
    session : requests.Session, optional
        Another transport, for tests.

    Returns
    -------
    DataFrame
        Columns date (ISO text), tic, open, high, low, close, adjcp, volume, dividend, split_ratio.

    Raises
    ------
    DataError
        If Yahoo does not know a ticker, has no bar in the window, or answers in another shape.
    SourceUnavailableError
        If it cannot be reached or refuses.
    """
    from finrl.meta.preprocessor import yahoodownloader

    answers = _YahooAnswers(timeout_seconds, session)
    original, yahoodownloader.yf = yahoodownloader.yf, answers
    try:
        frame = yahoodownloader.YahooDownloader(start, end, list(tickers)).fetch_data()
    finally:
        yahoodownloader.yf = original
    renamed: pd.DataFrame = frame.rename(columns={"close": "adjcp"}).drop(columns="day")
    return renamed.merge(answers.kept(), on=["date", "tic"], validate="one_to_one")


class _YahooAnswers:
    """Stands in for the module ``yfinance`` within FinRL's downloader, and keeps what that drops."""

    _COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume")
    _KEPT = MappingProxyType({"Close": "close", "Dividends": "dividend", "Stock Splits": "split_ratio"})

    def __init__(self, timeout_seconds: float, session: Any) -> None:
        self._timeout_seconds, self._session = timeout_seconds, session
        self._answers: dict[str, pd.DataFrame] = {}

    def download(self, ticker: str, start: str, end: str, proxy: None = None) -> pd.DataFrame:  # noqa: ARG002 - FinRL's call
        """Prices of one ticker, in the order of columns that FinRL expects."""
        answer = self._history(ticker, start, end)
        missing = [name for name in (*self._COLUMNS, *self._KEPT) if name not in answer.columns]
        if missing:
            raise DataError(f"Yahoo's answer for {ticker} has no column {', '.join(dict.fromkeys(missing))}")
        answer.index = pd.DatetimeIndex(answer.index, name="Date").tz_localize(None).normalize()
        self._answers[ticker] = answer
        return answer[list(self._COLUMNS)].copy()

    def _history(self, ticker: str, start: str, end: str) -> pd.DataFrame:
        import yfinance
        from yfinance.exceptions import YFException, YFTickerMissingError

        hides, yfinance.config.debug.hide_exceptions = yfinance.config.debug.hide_exceptions, False
        try:
            history: pd.DataFrame = yfinance.Ticker(ticker, session=self._session).history(
                start=start, end=end, auto_adjust=False, actions=True, timeout=self._timeout_seconds
            )
            return history
        except (OSError, YFException) as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if isinstance(error, YFTickerMissingError) or status == HTTPStatus.NOT_FOUND:
                raise DataError(
                    f"Yahoo has no bar of {ticker} from {start} to {end}", mend="data.tickers, data.start or data.as_of"
                ) from error
            raise SourceUnavailableError(
                f"Yahoo cannot be reached ({type(error).__name__})", mend="the network"
            ) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"Yahoo's answer for {ticker} has another shape ({str(error)[:100]})") from error
        finally:
            yfinance.config.debug.hide_exceptions = hides

    def kept(self) -> pd.DataFrame:
        """Raw closes and corporate actions: columns date (ISO text), tic, close, dividend, split_ratio."""
        frames = [answer[list(self._KEPT)].assign(tic=ticker) for ticker, answer in self._answers.items()]
        kept = pd.concat(frames).rename(columns=dict(self._KEPT)).rename_axis("date").reset_index()
        kept["split_ratio"] = kept["split_ratio"].replace(0.0, 1.0)
        return kept.assign(date=kept["date"].dt.strftime("%Y-%m-%d"))
