"""The environment that agents learn in: many stock-trading accounts over one market, stepped in one call.

An account begins with cash (and shares), trades N tickers at each close, and gets the change of its wealth
as reward. The trading rule is MLOps/market/accounting.py, the step MLOps/environments/stock_trading_kernel.py.
Gymnasium and Stable-Baselines3 see it through the faces beside this file.

FinRL's ``StockTradingEnv`` does the same with these faults, which ``finrl_compatible=true`` copies:

- its first indicator doubles as a flag: a ticker whose value equals 1 is not traded that day;
- it ends with a step that trades nothing and pays the last reward again, so that the rewards of an episode
  do not sum to the profit;
- the first session of an episode is never turbulent;
- with a single ticker it forgets the initial shares;
- rounding may leave the cash a hair below zero, and the next buy then sells a share, held or not.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.environments.stock_trading_arrays import (
    baskets_of,
    deal,
    empty_accounts,
    market_arrays,
    rules_of,
    windows_of,
)
from MLOps.environments.stock_trading_kernel import Accounts, begin_episodes, step_accounts
from MLOps.environments.trading_batch import Step, TradingBatch, as_actions
from MLOps.errors import ModelError
from MLOps.inference.model_folder import Normalisation
from MLOps.market.panel import MarketPanel
from MLOps.settings.environment import EnvironmentSettings

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class StockTradingBatch:
    """E accounts over one market, on arrays.

    Parameters
    ----------
    panel : MarketPanel
        T sessions of M tickers; its features are ``settings.feature_names``. Not changed, not copied for an
        account.
    settings : EnvironmentSettings
        Account, costs, baskets, windows.
    normalisation : Normalisation, optional
        Of an observation of all M tickers, fitted on the training window. Without it observations are raw
        and float64.
    n_envs : int
        E.
    seed : int
        Of the random starts.

    Raises
    ------
    DataError
        If a window has fewer than two sessions, a ticker is unknown, or an impact is set and the volume is
        not known.
    SettingsError
        If costs by ticker leave a ticker out or name another, or there are fewer accounts than baskets
        and windows to play.
    """

    def __init__(
        self,
        panel: MarketPanel,
        settings: EnvironmentSettings,
        normalisation: Normalisation | None,
        n_envs: int,
        seed: int,
    ) -> None:
        assert panel.feature_names == settings.feature_names, (panel.feature_names, settings.feature_names)
        columns = baskets_of(panel, settings)
        tickers = columns.shape[1]
        self.n_envs, self.tickers = n_envs, tickers
        self.observation_size = 1 + tickers * (2 + len(panel.feature_names))
        self.observation_limit = np.inf if normalisation is None else normalisation.limit
        self.observation_type = np.dtype(np.float64 if normalisation is None else np.float32)
        self._market = market_arrays(panel, settings, normalisation)
        self._rules = rules_of(panel, settings, normalisation)
        windows = windows_of(panel, settings)
        basket, window = deal(n_envs, len(columns), len(windows))
        self._accounts = empty_accounts(columns[basket])
        rules = [tuple(value) if isinstance(value, tuple) else value for value in self._rules]
        self._world = tuple(self._market), tuple(rules), tuple(self._accounts)  # as the kernel takes them
        self._first, self._last = (windows[window][:, i].copy() for i in (0, 1))
        self._is_random, self._limit_steps = settings.random_start, settings.episode_sessions
        self._has_begun = False
        self.seed(seed)

    @property
    def accounts(self) -> Accounts:
        """Where each account stands; views, not to be written."""
        return self._accounts

    def seed(self, seed: int) -> None:
        """Seed the draws of random starts."""
        self._generator = np.random.default_rng(seed)

    def reset(self, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """Begin an episode in every account.

        Parameters
        ----------
        out : (E, D), optional
            Written and returned.

        Returns
        -------
        (E, D) float32 (float64 if not normalised)
        """
        observations = self._new_observations() if out is None else self._writable(out)
        self._begin(np.arange(self.n_envs), observations)
        return observations

    def step(self, actions: npt.ArrayLike, out: npt.NDArray[Any] | None = None) -> Step:
        """Trade on actions at each account's close and go to its next one.

        Parameters
        ----------
        actions : (E, N)
            In [-1, 1], taken as float32.
        out : (E, D), optional
            Written and returned as the observations.

        Raises
        ------
        ModelError
            If the actions are not of that shape, or one is not finite; then no account has stepped.
        """
        assert self._has_begun, "step before reset"
        actions = as_actions(actions, self.n_envs, self.tickers)
        observations = self._new_observations() if out is None else self._writable(out)
        rewards, is_last = np.empty(self.n_envs), np.empty(self.n_envs, np.bool_)
        ended, malformed = step_accounts(*self._world, actions, observations, rewards, is_last)
        if malformed >= 0:
            raise ModelError(f"action {actions[malformed].tolist()}", "finite numbers", "the policy that gave it")
        if not ended:
            return Step(observations, rewards, is_last, is_last, _NO_ACCOUNT, observations[:0], _NO_SUM, _NO_ACCOUNT)
        which = np.flatnonzero(is_last)
        last_observations, accounts = observations[which], self._accounts
        step = Step(
            observations,
            rewards,
            is_last,
            is_last & accounts.is_cut,
            which,
            last_observations,
            accounts.episode_reward[which],
            accounts.day[which] - accounts.start[which] + int(self._rules.is_finrl),
        )
        self._begin(which, observations)
        return step

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""
        accounts = {name: values.tolist() for name, values in self._accounts._asdict().items()}
        return {"accounts": accounts, "generator": self._generator.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        for name, values in self._accounts._asdict().items():
            values[...] = state["accounts"][name]
        self._generator.bit_generator.state = state["generator"]
        self._has_begun = True

    def _writable(self, out: npt.NDArray[Any]) -> npt.NDArray[Any]:
        shape, dtype = (self.n_envs, self.observation_size), self.observation_type
        if out.shape != shape or out.dtype != dtype or not (out.flags.c_contiguous and out.flags.writeable):
            raise ValueError(f"out is {out.dtype} {out.shape}; must be {dtype} {shape}, writable, in C order")
        return out

    def _new_observations(self) -> npt.NDArray[Any]:
        return np.empty((self.n_envs, self.observation_size), self.observation_type)

    def _begin(self, which: IntArray, observations: npt.NDArray[Any]) -> None:
        """Draw the next episodes of the accounts `which`, and begin them."""
        first, last = self._first[which], self._last[which]
        steps = last - first if self._limit_steps is None else np.minimum(self._limit_steps, last - first)
        start = first
        if self._is_random:  # where the length is limited, early enough for the whole of it
            start = self._generator.integers(first, last if self._limit_steps is None else last - steps + 1)
        end = np.minimum(start + steps, last)
        accounts = self._accounts
        accounts.start[which], accounts.end[which], accounts.is_cut[which] = start, end, end < last
        begin_episodes(*self._world, which, observations)
        self._has_begun = True


_NO_ACCOUNT = np.empty(0, np.int64)
_NO_SUM = np.empty(0)


def make_batch(
    panel: MarketPanel, settings: EnvironmentSettings, normalisation: Normalisation, n_envs: int, seed: int
) -> TradingBatch:
    """The environment over a window, by the engine that the settings name; arguments as `StockTradingBatch`."""
    if settings.engine == "finrl":
        from MLOps.vendors.finrl import FinrlBatch

        return FinrlBatch(panel, settings, normalisation, n_envs)
    return StockTradingBatch(panel, settings, normalisation, n_envs, seed)
