"""Accounts of a batch: as alone, stopped and gone on with, refused actions, and FinRL's engine in their place."""

import numpy as np
import pytest

from MLOps.environments.stock_trading import StockTradingBatch, make_batch
from MLOps.errors import DataError, ModelError, SettingsError
from MLOps.inference.observation import fit_normalisation

BEYOND_FINRL = {
    "random_start": True,
    "episode_sessions": 7,
    "turbulence_threshold": 8.0,
    "slippage_bps": 5,
    "root_impact_bps": 300,
    "initial_shares": {"T01": 12},
}


@pytest.fixture
def make(make_panel, make_settings):
    """A maker of batches: ``make(n_envs, seed, engine=...)``."""

    def build(n_envs=1, seed=0, tickers=3, **changes):
        panel = make_panel(tickers)
        return make_batch(panel, make_settings(**changes), fit_normalisation(panel, 10_000, 10), n_envs, seed)

    return build


def assert_same_step(one, other):
    for name, values, others in zip(one._fields, one, other, strict=True):
        np.testing.assert_array_equal(values, others, err_msg=name)


@pytest.mark.parametrize("changes", [{}, {"actions": "target_weights", "is_fractional": True, "episode_sessions": 6}])
def test_accounts_of_a_batch_are_those_of_single_batches(make, draw_actions, changes):
    windows = [{"first": "2020-01-01", "last": last} for last in ("2020-01-30", "2020-01-12", "2020-01-20")]
    together = make(3, windows=windows, **changes)
    alone = [make(1, windows=[window], **changes) for window in windows]
    np.testing.assert_array_equal(together.reset(), np.concatenate([batch.reset() for batch in alone]))
    for actions in draw_actions(60, 3, 3):
        step = together.step(actions)
        singles = [batch.step(action[None]) for batch, action in zip(alone, actions, strict=True)]
        for name in ("observations", "rewards", "is_last", "is_cut", "last_observations", "episode_rewards"):
            joined = np.concatenate([getattr(single, name) for single in singles])
            np.testing.assert_array_equal(getattr(step, name), joined, err_msg=name)
        assert step.ended.tolist() == np.flatnonzero(step.is_last).tolist()


@pytest.mark.parametrize("changes", [BEYOND_FINRL, {"engine": "finrl"}], ids=["batched", "finrl"])
def test_restored_batch_goes_on_as_the_first_did(make, draw_actions, changes):
    first, second = make(4, seed=1, **changes), make(4, seed=2, **changes)
    first.reset()
    actions = draw_actions(70, 4, 3)
    for action in actions[:17]:
        first.step(action)
    second.restore(first.state())
    for action in actions[17:]:
        assert_same_step(first.step(action), second.step(action))


def test_state_is_a_copy_of_plain_values(make, draw_actions):
    import json

    batch = make(2, **BEYOND_FINRL)
    batch.reset()
    state = batch.state()
    text = json.dumps(state)
    batch.step(draw_actions(2, 3))
    assert json.dumps(state) == text != json.dumps(batch.state())


@pytest.mark.parametrize("tickers", [1, 3])
@pytest.mark.parametrize("changes", [{}, {"turbulence_threshold": 8.0, "initial_shares": {"T00": 5}}])
def test_finrls_engine_steps_as_ours_does(make, draw_actions, tickers, changes):
    theirs, ours = (make(2, tickers=tickers, engine=engine, **changes) for engine in ("finrl", "batched"))
    np.testing.assert_array_equal(theirs.reset(), ours.reset())
    for actions in draw_actions(90, 2, tickers):
        assert_same_step(theirs.step(actions), ours.step(actions))


def test_finrls_engine_trades_at_an_indicator_of_one_and_heeds_a_turbulent_first_session(make_panel, make_settings):
    panel = make_panel()
    panel.features[:, 0, 0] = 1.0
    panel.turbulence[:3] = [9.0, 0.0, 9.0]
    normalisation = fit_normalisation(panel, 10_000, 10)
    batches = [
        make_batch(panel, make_settings(engine=engine, turbulence_threshold=8.0), normalisation, 1, 0)
        for engine in ("finrl", "batched")
    ]
    for batch in batches:
        batch.reset()
    for _ in range(4):
        theirs, ours = (batch.step(np.ones((1, 3))) for batch in batches)
        assert ours.rewards == theirs.rewards
        np.testing.assert_allclose(ours.observations, theirs.observations, rtol=1e-6, atol=1e-12)


def test_finrls_engine_keeps_no_state_of_past_episodes(make, draw_actions):
    batch = make(1, engine="finrl")
    batch.reset()
    for actions in draw_actions(29 * 3 + 5, 1, 3):
        batch.step(actions)
    assert len(batch._engines[0]._env.state_memory) == 5


def test_a_reset_begins_all_accounts_again(make, draw_actions):
    batch = make(3)
    first = batch.reset()
    actions = draw_actions(2, 3, 3)
    step = batch.step(actions[0])
    batch.step(actions[1])
    np.testing.assert_array_equal(batch.reset(), first)
    assert_same_step(batch.step(actions[0]), step)


@pytest.mark.parametrize("engine", ["batched", "finrl"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_action_that_is_not_finite_is_refused_before_any_account_steps(make, draw_actions, engine, bad):
    batch = make(3, engine=engine)
    batch.reset()
    before = batch.state()
    actions = draw_actions(3, 3)
    actions[2, 1] = bad
    with pytest.raises(ModelError, match=str(bad)):
        batch.step(actions)
    assert batch.state() == before


@pytest.mark.parametrize("engine", ["batched", "finrl"])
@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (4, 3), (3, 4), (3,), (1, 3, 3)])
def test_actions_of_another_shape_are_refused(make, engine, shape):
    batch = make(3, engine=engine)
    batch.reset()
    with pytest.raises(ModelError, match="shape"):
        batch.step(np.zeros(shape, np.float32))


@pytest.mark.parametrize("engine", ["batched", "finrl"])
def test_actions_of_another_type_or_order_are_taken_as_float32(make, draw_actions, engine):
    actions = draw_actions(3, 3)
    steps = []
    for given in (actions, actions.astype(np.float64), np.asfortranarray(actions), actions.tolist()):
        batch = make(3, engine=engine)
        batch.reset()
        steps.append(batch.step(given))
    for step in steps[1:]:
        assert_same_step(steps[0], step)


def test_observations_are_written_where_asked(make, draw_actions):
    batch = make(2)
    out = np.empty((2, batch.observation_size), np.float32)
    assert batch.reset(out) is out
    expected = make(2)
    np.testing.assert_array_equal(out, expected.reset())
    actions = draw_actions(2, 3)
    assert batch.step(actions, out).observations is out
    np.testing.assert_array_equal(out, expected.step(actions).observations)


@pytest.mark.parametrize(
    "out",
    [np.empty((2, 12), np.float32), np.empty((3, 13), np.float32), np.empty((2, 13)), np.empty((13, 2), np.float32).T],
)
def test_a_place_for_observations_that_does_not_fit_is_refused(make, draw_actions, out):
    batch = make(2)
    with pytest.raises(ValueError, match=r"out is .*\(2, 13\)"):
        batch.reset(out)
    batch.reset()
    with pytest.raises(ValueError, match=r"out is .*\(2, 13\)"):
        batch.step(draw_actions(2, 3), out)


def test_cannot_step_before_a_reset(make):
    with pytest.raises(AssertionError, match="reset"):
        make().step(np.zeros((1, 3)))


@pytest.mark.parametrize("engine", ["batched", "finrl"])
def test_a_window_of_one_session_cannot_be_played(make_panel, make_settings, engine):
    panel = make_panel(sessions=5)
    with pytest.raises(DataError, match="1 session"):
        make_batch(panel.window(0, 1), make_settings(engine=engine), fit_normalisation(panel, 10_000, 10), 1, 0)


def test_initial_shares_of_a_stranger_are_refused(make):
    with pytest.raises(SettingsError, match="ZZ"):
        make(initial_shares={"ZZ": 1})


@pytest.mark.parametrize("name", ["buy_cost_fraction", "sell_cost_fraction"])
def test_costs_by_ticker_must_name_every_ticker(make, name):
    with pytest.raises(SettingsError, match=f"{name} without T01"):
        make(**{name: {"T00": 0.001, "T02": 0.001}})


def test_impact_needs_a_volume(make_panel, make_settings):
    from dataclasses import replace

    panel = replace(make_panel(), volume=None)
    with pytest.raises(DataError, match="volume"):
        StockTradingBatch(panel, make_settings(root_impact_bps=1), None, 1, 0)
