"""From panel and settings to the arrays and numbers of the compiled environment."""

import numpy as np
import numpy.typing as npt

from MLOps.environments.stock_trading_kernel import Accounts, Market, Rules
from MLOps.errors import DataError, SettingsError
from MLOps.inference.model_folder import Normalisation
from MLOps.inference.observation import Normaliser
from MLOps.market.accounting import TradingTerms, traded_volume
from MLOps.market.fill_rule import FillRule
from MLOps.market.panel import MarketPanel
from MLOps.settings.environment import Costs, EnvironmentSettings

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_BPS = 1e-4
_MEND = "config/environments/stock_trading_env_config.yaml"


def trading_terms(tickers: tuple[str, ...], settings: EnvironmentSettings) -> TradingTerms:
    """The settings' costs as arrays over the tickers.

    Raises
    ------
    SettingsError
        If costs by ticker leave one out.
    """
    return TradingTerms(
        buy_cost=_costs("buy_cost_fraction", settings.buy_cost_fraction, tickers),
        sell_cost=_costs("sell_cost_fraction", settings.sell_cost_fraction, tickers),
        rule=FillRule(
            slippage=settings.slippage_bps * _BPS,
            linear_impact=settings.linear_impact_bps * _BPS,
            root_impact=settings.root_impact_bps * _BPS,
            is_fractional=settings.is_fractional,
            may_overdraw=settings.finrl_compatible,
        ),
    )


def initial_shares(tickers: tuple[str, ...], settings: EnvironmentSettings) -> FloatArray:
    """(N,) float64 shares held at the start of an episode.

    Raises
    ------
    SettingsError
        If the settings name a ticker that is not traded.
    """
    if unknown := sorted(set(settings.initial_shares) - set(tickers)):
        raise SettingsError(f"initial_shares of {', '.join(unknown)}", f"tickers: {', '.join(tickers)}", _MEND)
    return np.array([settings.initial_shares.get(ticker, 0.0) for ticker in tickers], dtype=np.float64)


def _held_at_first(panel: MarketPanel, settings: EnvironmentSettings) -> FloatArray:
    """Initial shares, but where FinRL forgets them: with a single ticker."""
    shares, tickers = initial_shares(panel.tickers, settings), baskets_of(panel, settings).shape[1]
    return np.zeros_like(shares) if settings.finrl_compatible and tickers == 1 else shares


def _costs(name: str, costs: Costs, tickers: tuple[str, ...]) -> FloatArray:
    if isinstance(costs, float):
        return np.full(len(tickers), costs)
    if missing := [ticker for ticker in tickers if ticker not in costs]:
        raise SettingsError(f"{name} without {', '.join(missing)}", "one number, or one for each ticker", _MEND)
    return np.array([costs[ticker] for ticker in tickers])


def baskets_of(panel: MarketPanel, settings: EnvironmentSettings) -> IntArray:
    """(B, N) columns of the panel that the environments trade in turn."""
    baskets = settings.baskets or (settings.tickers or panel.tickers,)
    return np.array([panel.columns_of(basket) for basket in baskets])


def deal(n_envs: int, baskets: int, windows: int) -> tuple[IntArray, IntArray]:
    """(E,) basket and (E,) window of each account; every pair is played.

    Raises
    ------
    SettingsError
        If there are fewer accounts than pairs.
    """
    if n_envs < baskets * windows:
        raise SettingsError(
            f"{n_envs} accounts for {baskets} baskets x {windows} windows",
            f"n_envs of {baskets * windows} or more, of an agent that plays many accounts (not ElegantRL's)",
            "agent.hyperparameters.n_envs, or environment.baskets and environment.windows",
        )
    turn = np.arange(n_envs)
    return turn % baskets, turn // baskets % windows


def windows_of(panel: MarketPanel, settings: EnvironmentSettings) -> IntArray:
    """(W, 2) first and last row that the environments play in turn."""
    if settings.windows is None:
        rows = [slice(0, len(panel.dates))]
    else:
        rows = [panel.rows_between(window.first, window.last) for window in settings.windows]
    for window in rows:
        if (held := window.stop - window.start) < 2:
            raise DataError(f"a window of {held} session", "at least 2", "split, or environment.windows")
    return np.array([(window.start, window.stop - 1) for window in rows])


def market_arrays(panel: MarketPanel, settings: EnvironmentSettings, normalisation: Normalisation | None) -> Market:
    sessions, tickers, features = panel.features.shape
    by_feature = np.ascontiguousarray(panel.features.transpose(0, 2, 1))
    close = np.array(panel.close, order="C")
    threshold = np.inf if settings.turbulence_threshold is None else settings.turbulence_threshold
    is_flagged = settings.finrl_compatible and features > 0
    return Market(
        close=close,
        volume=traded_volume(trading_terms(panel.tickers, settings).rule, panel.volume, close),
        is_turbulent=panel.turbulence >= threshold,
        is_frozen=by_feature[:, 0] == 1.0 if is_flagged else np.zeros((sessions, tickers), np.bool_),
        **_seen(close, by_feature, normalisation),
    )


def _seen(
    close: FloatArray, by_feature: FloatArray, normalisation: Normalisation | None
) -> dict[str, npt.NDArray[np.floating]]:
    """Closes (T, M) and features (T, F M) as the observation shows them."""
    if normalisation is None:
        return {"seen_close": close, "seen_features": by_feature.reshape(len(close), -1)}
    sessions, features, tickers = by_feature.shape
    raw = np.zeros((sessions, 1 + tickers * (2 + features)))
    raw[:, 1 : 1 + tickers] = close
    raw[:, 1 + 2 * tickers :] = by_feature.reshape(sessions, -1)
    seen = Normaliser(normalisation)(raw)
    return {
        "seen_close": np.ascontiguousarray(seen[:, 1 : 1 + tickers]),
        "seen_features": np.ascontiguousarray(seen[:, 1 + 2 * tickers :]),
    }


def rules_of(panel: MarketPanel, settings: EnvironmentSettings, normalisation: Normalisation | None) -> Rules:
    tickers = len(panel.tickers)
    if normalisation is None:
        mean, scale, limit = np.zeros(1 + 2 * tickers), np.ones(1 + 2 * tickers), np.inf
    else:
        mean, scale, limit = np.array(normalisation.mean), np.array(normalisation.scale), normalisation.limit
    held = slice(1 + tickers, 1 + 2 * tickers)
    terms = trading_terms(panel.tickers, settings)
    return Rules(
        buy_cost=terms.buy_cost,
        sell_cost=terms.sell_cost,
        fill=terms.rule,
        max_shares=np.float32(settings.max_shares_per_order),
        takes_weights=settings.actions == "target_weights",
        is_finrl=settings.finrl_compatible,
        reward_scaling=settings.reward_scaling,
        initial_cash=settings.initial_amount,
        initial_shares=_held_at_first(panel, settings),
        cash_mean=float(mean[0]),
        cash_scale=float(scale[0]),
        shares_mean=mean[held].copy(),
        shares_scale=scale[held].copy(),
        limit=float(limit),
    )


def empty_accounts(columns: IntArray) -> Accounts:
    n_envs, tickers = columns.shape
    return Accounts(
        columns=np.ascontiguousarray(columns),
        start=np.zeros(n_envs, np.int64),
        day=np.zeros(n_envs, np.int64),
        end=np.zeros(n_envs, np.int64),
        is_cut=np.zeros(n_envs, np.bool_),
        cash=np.zeros(n_envs),
        wealth=np.zeros(n_envs),
        shares=np.zeros((n_envs, tickers)),
        reward=np.zeros(n_envs),
        episode_reward=np.zeros(n_envs),
        cost=np.zeros(n_envs),
    )
