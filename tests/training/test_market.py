"""What an agent is trained on: nothing but the training window, scaled as what the model will see."""

from dataclasses import replace

import numpy as np
import pytest

from MLOps.environments.stock_trading import StockTradingBatch
from MLOps.errors import DataError, SettingsError
from MLOps.inference.observation import fit_normalisation
from MLOps.market.panel import MarketPanel
from MLOps.settings.compose import SettingsFile, compose_settings
from MLOps.settings.environment import EnvironmentSettings
from MLOps.settings.project import project_root
from MLOps.settings.training import TrainRlAgentSettings
from MLOps.training.market import TrainingMarket

TRAIN = slice(10, 50)


@pytest.fixture(scope="module")
def panel() -> MarketPanel:
    """60 sessions of five tickers, the last ten of them after the training window."""
    generator = np.random.default_rng(3)
    return MarketPanel(
        dates=np.datetime64("2020-01-01", "D") + np.arange(60),
        tickers=("AA", "BB", "CC", "DD", "EE"),
        close=50 * np.exp(np.cumsum(generator.normal(0, 0.02, (60, 5)), axis=0)),
        features=generator.normal(size=(60, 5, 2)),
        feature_names=("macd", "rsi_30"),
        turbulence=generator.uniform(0, 10, 60),
    )


def environment(*overrides: str) -> EnvironmentSettings:
    shared = ["environment.indicators=[macd,rsi_30]"]
    return compose_settings(TrainRlAgentSettings, "train_rl_agent", [*shared, *overrides]).environment


def columns(tickers: list[int], count: int) -> list[int]:
    """Places of some of `count` tickers in an observation with two features."""
    return [0, *(1 + block * count + ticker for block in range(4) for ticker in tickers)]


def test_the_models_scale_is_the_batchs_for_its_tickers(panel: MarketPanel) -> None:
    settings = environment("environment.tickers=[BB,DD]", "environment.baskets=[[BB,DD],[AA,CC],[DD,EE]]")
    market = TrainingMarket(panel, TRAIN, settings)
    assert market.traded.tickers == ("BB", "DD")
    assert len(market.traded.dates) == 60
    own = market.normalisation
    of_all = market.normalisation_of_all
    places = columns([1, 3], 5)
    assert own.mean == tuple(of_all.mean[place] for place in places)
    assert own.scale == tuple(of_all.scale[place] for place in places)
    alone = fit_normalisation(panel.window(TRAIN.start, TRAIN.stop).select(["BB", "DD"]), 1_000_000, 10)
    np.testing.assert_allclose(own.mean, alone.mean, rtol=1e-12)
    np.testing.assert_allclose(own.scale, alone.scale, rtol=1e-12)
    batch = market.batch(4, 1, False)
    assert isinstance(batch, StockTradingBatch)
    assert batch.accounts.columns.tolist() == [[1, 3], [0, 2], [3, 4], [1, 3]]
    assert batch.observation_size == len(own.mean)


def test_shares_are_scaled_by_what_one_account_holds(panel: MarketPanel) -> None:
    settings = environment("environment.tickers=[BB,DD]", "environment.initial_amount=1000")
    own = TrainingMarket(panel, TRAIN, settings).normalisation
    equal_part = 1000 / 2 / panel.close[TRAIN, [1]].mean()
    assert own.scale[3] == pytest.approx(equal_part / 2)


def test_nothing_beyond_the_training_window_is_known(panel: MarketPanel) -> None:
    settings = environment()
    later = np.arange(60) >= TRAIN.stop
    other = replace(
        panel,
        close=np.where(later[:, None], 1e6, panel.close),
        features=np.where(later[:, None, None], 1e6, panel.features),
    )
    markets = [TrainingMarket(data, TRAIN, settings) for data in (panel, other)]
    assert markets[0].normalisation == markets[1].normalisation
    assert markets[0].sessions == 40
    batches = [market.batch(1, 1, False) for market in markets]
    for batch in batches:
        batch.reset()
    actions = np.ones((1, 5), np.float32)
    for session in range(39):
        first, second = (batch.step(actions) for batch in batches)
        np.testing.assert_array_equal(first.observations, second.observations)
        np.testing.assert_array_equal(first.rewards, second.rewards)
        assert bool(first.is_last[0]) == (session == 38)


@pytest.mark.parametrize(("first", "last"), [("2020-01-10", "2020-02-01"), ("2020-01-20", "2020-02-20")])
def test_a_window_beyond_the_training_window_is_told(panel: MarketPanel, first: str, last: str) -> None:
    settings = environment(f"environment.windows=[{{first: {first}, last: {last}}}]")
    message = f"{first} to {last} is not within the training window.*2020-01-11 to 2020-02-19"
    with pytest.raises(DataError, match=message):
        TrainingMarket(panel, TRAIN, settings)


def test_accounts_play_their_windows_in_turn(panel: MarketPanel) -> None:
    windows = "[{first: 2020-01-11, last: 2020-01-15}, {first: 2020-02-01, last: 2020-02-19}]"
    settings = environment(f"environment.windows={windows}")
    batch = TrainingMarket(panel, TRAIN, settings).batch(3, 1, False)
    assert isinstance(batch, StockTradingBatch)
    batch.reset()
    assert batch.accounts.start.tolist() == [0, 21, 0]
    assert batch.accounts.end.tolist() == [4, 39, 4]


def test_many_accounts_begin_at_random_and_a_lone_one_at_the_first_session(panel: MarketPanel) -> None:
    market = TrainingMarket(panel, TRAIN, environment())
    for n_envs, random_starts in ((30, True), (30, False), (1, True)):
        batch = market.batch(n_envs, 1, random_starts)
        assert isinstance(batch, StockTradingBatch)
        batch.reset()
        is_spread = len(set(batch.accounts.start.tolist())) > 5
        assert is_spread == (n_envs > 1 and random_starts)
        assert set(batch.accounts.end.tolist()) == {39}


def test_every_basket_meets_every_window(panel: MarketPanel) -> None:
    windows = "[{first: 2020-01-11, last: 2020-01-15}, {first: 2020-02-01, last: 2020-02-19}]"
    baskets = ["environment.tickers=[AA,BB]", "environment.baskets=[[AA,BB],[CC,DD]]"]
    market = TrainingMarket(panel, TRAIN, environment(*baskets, f"environment.windows={windows}"))
    batch = market.batch(4, 1, False)
    assert isinstance(batch, StockTradingBatch)
    batch.reset()
    pairs = {(tuple(c), s) for c, s in zip(batch.accounts.columns.tolist(), batch.accounts.start.tolist(), strict=True)}
    assert pairs == {((0, 1), 0), ((2, 3), 0), ((0, 1), 21), ((2, 3), 21)}
    with pytest.raises(SettingsError, match="3 accounts for 2 baskets x 2 windows"):
        market.batch(3, 1, False)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["environment.tickers=[AA,BB]", "environment.baskets=[[AA,AA,BB]]"], "must name 2 tickers"),
        (["environment.tickers=[AA,BB]", "environment.baskets=[[CC,DD]]"], "no basket holds AA, BB"),
        (["environment.baskets=[[CC,DD]]"], "baskets need `tickers`"),
        (["environment.tickers=[AA]", "environment.buy_cost_fraction={AA: 0.0, ZZ: 0.1}"], "names ZZ"),
        (["environment.initial_shares={AA: 0.5}"], "must be whole"),
        (["environment.windows=[{first: 2020-02-01, last: 2020-01-01}]"], "must not come after"),
        (["environment.engine=finrl", "environment.random_start=true"], "does not know random_start"),
    ],
)
def test_what_cannot_be_meant_is_refused(overrides: list[str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        environment(*overrides)


def test_elegantrl_refuses_cut_episodes() -> None:
    file = project_root() / "config" / "rl_agents" / "elegantrl_ppo_stocktrading_params.yaml"
    agent = [SettingsFile(file, "agent", replaces=True)]
    with pytest.raises(SettingsError, match="ElegantRL takes a cut episode for an ended one"):
        compose_settings(TrainRlAgentSettings, "train_rl_agent", ["environment.episode_sessions=50"], agent)


def test_finrls_engine_needs_no_other_setting(panel: MarketPanel) -> None:
    batch = TrainingMarket(panel, TRAIN, environment("environment.engine=finrl")).batch(2, 1, True)
    assert batch.reset().shape == (2, batch.observation_size)
