"""What an agent sees is what inference shows the trained policy, and nothing of it comes from later."""

from dataclasses import replace

import numpy as np
import pytest

from MLOps.environments.stock_trading import StockTradingBatch
from MLOps.environments.stock_trading_arrays import trading_terms
from MLOps.inference.observation import Normaliser, fit_normalisation, observe
from MLOps.market.accounting import execute

SETTINGS = {
    "initial_shares": {"T01": 12},
    "turbulence_threshold": 8.0,
    "slippage_bps": 5,
    "linear_impact_bps": 200,
    "root_impact_bps": 100,
}


@pytest.mark.parametrize("limit", [10.0, 1.0])  # with 1 most values are clipped
@pytest.mark.parametrize("baskets", [None, [["T00", "T02", "T03"], ["T01", "T02", "T04"]]])
def test_normalised_observations_are_the_normalisers_bit_by_bit(
    make_panel, make_settings, draw_actions, limit, baskets
):
    panel = make_panel(tickers=5)
    normalisation = fit_normalisation(panel, 10_000, limit)
    changes = SETTINGS | {"baskets": baskets, "tickers": baskets and baskets[0]}
    seen, raw = (
        StockTradingBatch(panel, make_settings(**changes), norm, n_envs=2, seed=0) for norm in (normalisation, None)
    )
    columns = seen.accounts.columns
    places = np.concatenate([np.zeros((2, 1), int), *(1 + 5 * part + columns for part in range(4))], axis=1)
    normalisers = [Normaliser(normalisation_of(normalisation, places[account])) for account in range(2)]

    def normalised(observations):
        return np.stack([normalise(row) for normalise, row in zip(normalisers, observations, strict=True)])

    def assert_same_bits(ours, expected):
        assert ours.dtype == expected.dtype == np.float32
        assert ours.tobytes() == expected.tobytes()

    assert_same_bits(seen.reset(), normalised(raw.reset()))
    for actions in draw_actions(60, 2, columns.shape[1]):
        ours, theirs = seen.step(actions), raw.step(actions)
        assert_same_bits(ours.observations, normalised(theirs.observations))
        np.testing.assert_array_equal(ours.rewards, theirs.rewards)
        if len(ours.ended):
            assert_same_bits(ours.last_observations, normalised(theirs.last_observations))


def normalisation_of(normalisation, places):
    """The part of a normalisation that stands at these places of the observation."""
    mean, scale = np.array(normalisation.mean)[places], np.array(normalisation.scale)[places]
    return normalisation.model_copy(update={"mean": tuple(mean), "scale": tuple(scale)})


def test_sees_what_inference_observes_after_the_shared_trading_rule(make_panel, make_settings, draw_actions):
    panel, env_settings = make_panel(), make_settings(**SETTINGS | {"turbulence_threshold": None})
    normalisation = fit_normalisation(panel, 10_000, 10)
    normalise, terms = Normaliser(normalisation), trading_terms(panel.tickers, env_settings)
    batch = StockTradingBatch(panel, env_settings, normalisation, n_envs=1, seed=0)
    batch.reset()
    cash, shares = 10_000.0, np.array([0.0, 12.0, 0.0])
    for t, action in enumerate(draw_actions(28, 3)):
        orders = (action * np.float32(40)).astype(np.float64)
        fill = execute(cash, shares, panel.close[t], orders, terms, panel.volume[t])
        cash, shares = fill.cash, fill.shares
        seen = batch.step(action[None]).observations[0]
        np.testing.assert_array_equal(seen, normalise(observe(panel, t + 1, cash, shares, [0, 1])))


@pytest.mark.parametrize("changes", [SETTINGS, {"finrl_compatible": True, "turbulence_threshold": 8.0}])
def test_nothing_before_a_session_depends_on_what_comes_after_it(make_panel, make_settings, draw_actions, changes):
    panel, known = make_panel(sessions=40), 25
    later = {
        name: np.concatenate([getattr(panel, name)[:known], 3 * getattr(panel, name)[known:] + 1])
        for name in ("close", "features", "turbulence", "volume")
    }
    normalisation = fit_normalisation(panel.window(0, known), 10_000, 10)
    markets = (panel, replace(panel, **later), panel.window(0, known))
    batches = [StockTradingBatch(market, make_settings(**changes), normalisation, 2, 0) for market in markets]
    first = [batch.reset() for batch in batches]
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[0], first[2])
    for t, actions in enumerate(draw_actions(known - 1, 2, 3)):
        one, *others = (batch.step(actions) for batch in batches)
        for other in others:
            at_end = bool(other.is_last.any())
            seen = other.last_observations if at_end else other.observations
            np.testing.assert_array_equal(seen, one.observations)
            np.testing.assert_array_equal(other.rewards, one.rewards)
            assert not at_end or t == known - 2


def test_the_market_given_is_neither_changed_nor_kept_in_sight(make_panel, make_settings, draw_actions):
    panel = make_panel()
    before = {name: getattr(panel, name).copy() for name in ("close", "features", "turbulence", "volume")}
    batch = StockTradingBatch(panel, make_settings(**SETTINGS), None, n_envs=3, seed=0)
    first = batch.reset()
    for actions in draw_actions(40, 3, 3):
        batch.step(actions)
    for name, values in before.items():
        np.testing.assert_array_equal(getattr(panel, name), values)
    panel.close[:] = 1.0
    np.testing.assert_array_equal(batch.reset(), first)
