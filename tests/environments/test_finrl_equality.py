"""Step by step, states and rewards are those of FinRL's own environment on a pandas frame.

With ``finrl_compatible`` always; without it until FinRL meets one of its faults (test_finrl_faults.py).
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from MLOps.market.panel import MarketPanel

_EQUAL = {"rtol": 1e-9, "atol": 0.0}
_HYPOTHESIS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


# Markets and accounts that a drawer of random numbers would not think of

PRICES = {
    "walk": lambda draw, shape: 50 * np.exp(np.cumsum(draw.normal(0, 0.05, shape), axis=0)),
    "round": lambda draw, shape: draw.choice([0.25, 1.0, 2.0, 10.0, 100.0], shape),
    "pennies": lambda draw, shape: draw.integers(1, 30, shape) / 100,
    "dear": lambda draw, shape: draw.uniform(1e4, 1e6, shape),
    "equal": lambda _, shape: np.full(shape, 10.0),
}
ACTIONS = {
    "random": lambda draw, shape: draw.uniform(-1, 1, shape),
    "sells": lambda _, shape: np.full(shape, -1.0),
    "buys": lambda _, shape: np.ones(shape),
    "equal": lambda draw, shape: np.broadcast_to(draw.uniform(-1, 1, (shape[0], 1)), shape),
    "turns": lambda _, shape: np.broadcast_to(np.where(np.arange(shape[0]) % 2, -1.0, 1.0)[:, None], shape),
    "coarse": lambda draw, shape: draw.integers(-2, 3, shape) / 2,
    "tiny": lambda draw, shape: draw.uniform(-1e-3, 1e-3, shape),
    "none": lambda _, shape: np.zeros(shape),
}
COSTS = st.one_of(st.sampled_from([0.0, 0.001, 0.05]), st.floats(0, 0.05))


@st.composite
def worlds(draw):
    """A market, an account, and the actions of an episode."""
    tickers, sessions = draw(st.integers(1, 6)), draw(st.integers(2, 20))
    shape, names = (sessions, tickers), tuple(f"T{ticker:02d}" for ticker in range(tickers))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    close = PRICES[draw(st.sampled_from(sorted(PRICES)))](generator, shape)
    features = generator.normal(size=(*shape, 2))
    features[generator.random(shape) < draw(st.sampled_from([0.0, 0.2])), 0] = 1.0
    panel = MarketPanel(
        dates=np.datetime64("2020-01-01", "D") + np.arange(sessions),
        tickers=names,
        close=close,
        features=features,
        feature_names=("macd", "rsi_30"),
        turbulence=generator.integers(0, 5, sessions).astype(float),
    )
    by_ticker = st.fixed_dictionaries(dict.fromkeys(names, COSTS))
    buy_cost = draw(st.one_of(COSTS, by_ticker))
    first_cost = buy_cost if isinstance(buy_cost, float) else buy_cost[names[0]]
    multiple = draw(st.integers(1, 200)) * float(close[0, 0] * (1 + first_cost))  # buys of the first ticker use it up
    changes = {
        "initial_amount": draw(st.one_of(st.just(multiple), st.sampled_from([0.01, 50.0, 1e4, 1e6, 1e9]))),
        "initial_shares": draw(st.dictionaries(st.sampled_from(names), st.integers(0, 1_000))),
        "max_shares_per_order": draw(st.sampled_from([1, 7, 100, 1_000_000])),
        "buy_cost_fraction": buy_cost,
        "sell_cost_fraction": draw(st.one_of(COSTS, by_ticker)),
        "turbulence_threshold": draw(st.sampled_from([None, 3.0, 4.0])),
    }
    parts = draw(st.lists(st.sampled_from(sorted(ACTIONS)), min_size=1, max_size=4))
    steps = np.array_split(np.arange(sessions - 1), len(parts))
    actions = [ACTIONS[part](generator, (len(rows), tickers)) for part, rows in zip(parts, steps, strict=True)]
    return panel, changes, np.concatenate(actions).astype(np.float32)


@pytest.fixture(scope="session")
def compare_compatible(play_finrl, play_ours, make_settings):
    """Whole episodes, FinRL's idle last step included."""

    def compare(panel, changes, actions):
        env_settings = make_settings(finrl_compatible=True, **changes)
        actions = np.concatenate([actions, actions[-1:]])
        theirs, ours = (play(panel, env_settings, actions) for play in (play_finrl, play_ours))
        for name in ("states", "rewards", "is_last"):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), **_EQUAL)

    return compare


@pytest.fixture(scope="session")
def compare_default(play_finrl, play_ours, make_settings):
    """Episodes without a frozen ticker, a turbulent first session or forgotten shares, until cash is overdrawn."""

    def compare(panel, changes, actions):
        panel = replace(panel, turbulence=panel.turbulence * (np.arange(len(panel.dates)) > 0))
        panel = replace(panel, features=np.where(panel.features == 1.0, 2.0, panel.features))
        if len(panel.tickers) == 1:
            changes = changes | {"initial_shares": {}}
        env_settings = make_settings(**changes)
        theirs, ours = (play(panel, env_settings, actions) for play in (play_finrl, play_ours))
        steps = steps_before_an_overdraft(panel, env_settings, actions, theirs.states)
        np.testing.assert_allclose(ours.states[: steps + 1], theirs.states[: steps + 1], **_EQUAL)
        np.testing.assert_allclose(ours.rewards[:steps], theirs.rewards[:steps], **_EQUAL)
        assert ours.is_last.tolist() == [False] * (len(actions) - 1) + [True]

    return compare


def steps_before_an_overdraft(panel, env_settings, actions, states):
    """Steps before FinRL's cash is a hair below zero, which it may hide in the same close by selling a share."""
    held = slice(1 + len(panel.tickers), 1 + 2 * len(panel.tickers))
    is_calm = panel.turbulence[:-1] < (env_settings.turbulence_threshold or np.inf)
    is_turned = (np.diff(states[:, held], axis=0) < 0) & (actions > 0) & is_calm[:, None]
    is_faulty = (states[1:, 0] < 0) | is_turned.any(axis=1)
    return int(is_faulty.argmax()) if is_faulty.any() else len(actions)


@settings(max_examples=60, **_HYPOTHESIS)
@given(world=worlds())
def test_compatible_steps_equal_finrls(compare_compatible, world):
    compare_compatible(*world)


@settings(max_examples=60, **_HYPOTHESIS)
@given(world=worlds())
def test_steps_equal_finrls_but_for_its_faults(compare_default, world):
    compare_default(*world)


@pytest.mark.slow
@settings(max_examples=1_500, **_HYPOTHESIS)
@given(world=worlds())
def test_compatible_steps_equal_finrls_in_many_worlds(compare_compatible, world):
    compare_compatible(*world)


@pytest.mark.slow
@settings(max_examples=1_500, **_HYPOTHESIS)
@given(world=worlds())
def test_steps_equal_finrls_but_for_its_faults_in_many_worlds(compare_default, world):
    compare_default(*world)


def real_world(real_panel: MarketPanel, sessions: int, changes: dict, kind: str):
    panel = real_panel.window(0, sessions)
    shape = (sessions - 1, len(panel.tickers))
    return panel, changes, ACTIONS[kind](np.random.default_rng(3), shape).astype(np.float32)


HELD = {"AAPL": 10, "META": 300}
REAL = [
    ("random", {}),
    ("coarse", {"initial_amount": 500_000.0, "turbulence_threshold": 30.0}),
    ("turns", {"initial_amount": 30_000.0, "buy_cost_fraction": 0.05, "sell_cost_fraction": 0.05}),
    ("sells", {"initial_shares": HELD, "max_shares_per_order": 3, "initial_amount": 0.5}),
    ("buys", {"initial_amount": 100_000.0, "buy_cost_fraction": 0.0, "max_shares_per_order": 1_000_000}),
]


@pytest.mark.parametrize(("kind", "changes"), REAL, ids=[kind for kind, _ in REAL])
def test_steps_equal_finrls_on_real_prices(compare_compatible, compare_default, real_panel, kind, changes):
    compare_compatible(*real_world(real_panel, 250, changes, kind))
    compare_default(*real_world(real_panel, 250, changes, kind))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "changes"), REAL, ids=[kind for kind, _ in REAL])
def test_steps_equal_finrls_over_ten_real_years(compare_compatible, real_panel, kind, changes):
    compare_compatible(*real_world(real_panel, len(real_panel.dates), changes, kind))


def test_the_episodes_on_real_prices_trade_and_run_out_of_cash(play_ours, make_settings, real_panel):
    panel, changes, actions = real_world(real_panel, 250, {"initial_amount": 500.0}, "coarse")
    states = play_ours(panel, make_settings(**changes), actions).states
    assert (np.diff(states[:, 7:13], axis=0) != 0).any(axis=1).sum() > 100  # sessions with trades
    assert (states[:, 0] < 10).sum() > 10  # sessions in which the cash buys no share
