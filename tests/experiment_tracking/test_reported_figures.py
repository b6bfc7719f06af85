"""The table between results and the catalogue."""

import re

import pytest
import yaml

from experiment_tracking.metric_samples import Sample
from experiment_tracking.reported_figures import FIGURES, Figure, samples_of
from MLOps import metric_catalogue as catalogue
from MLOps.evaluation.performance import Performance
from MLOps.settings.project import project_root

_STAGES = yaml.safe_load((project_root() / "config/orchestration/stages.yaml").read_text())
_FACTS = {"stage": "some_stage", "model": "stock_trading", "family": "stock_trading"}
ROWS = [(stage, row) for stage, rows in FIGURES.items() for row in rows]


def test_table_knows_stages_of_the_plans_only() -> None:
    assert set(FIGURES) <= set(_STAGES)


@pytest.mark.parametrize(("stage", "row"), ROWS, ids=lambda value: getattr(value, "pattern", value))
def test_every_label_of_a_row_is_known(stage: str, row: Figure) -> None:
    known = {*_FACTS, *re.compile(row.pattern).groupindex}
    assert set(row.metric.labels) <= known, stage


def test_no_series_belongs_to_two_jobs() -> None:
    """A metric that two stages tell has their name, their family or the like in a label, or one job for both."""
    jobs: dict[str, set[str]] = {}
    for stage, row in ROWS:
        if row.job or not {"stage", "model", "family"} & set(row.metric.labels):
            jobs.setdefault(row.metric.name, set()).add(row.job or stage)
    assert {name: found for name, found in jobs.items() if len(found) > 1} == {}


def test_backtest_tells_each_strategy() -> None:
    figures = {"model.sharpe": 1.5, "equal_weight.sharpe": 0.5, "model.max_drawdown": 0.2, "sharpe_difference.cash": 1}
    assert samples_of("run_backtest", figures, _FACTS) == {
        "run_backtest": [
            Sample(catalogue.BACKTEST_SHARPE, 1.5, ("model",)),
            Sample(catalogue.BACKTEST_SHARPE, 0.5, ("equal_weight",)),
            Sample(catalogue.BACKTEST_DRAWDOWN, 0.2, ("model",)),
        ]
    }


def test_backtest_has_the_figures_that_the_table_names() -> None:
    figures = {row.pattern.rpartition(".")[2] for row in FIGURES["run_backtest"] if "strategy" in row.metric.labels}
    assert figures <= set(Performance.model_fields)


def test_promotion_tells_its_verdict_and_the_champion_under_a_job_of_its_own() -> None:
    figures = {"passed": 0, "gate_passed/max_drawdown": 1, "max_drawdown": 0.2, "stock_trading.champion_version": 4}
    assert samples_of("promote_to_paper", figures, _FACTS) == {
        "promote_to_paper": [
            Sample(catalogue.PROMOTION_PASSED, 0.0, ("stock_trading",)),
            Sample(catalogue.PROMOTION_GATE_PASSED, 1.0, ("stock_trading", "max_drawdown")),
        ],
        "champions": [Sample(catalogue.CHAMPION_VERSION, 4.0, ("stock_trading",))],
    }


def test_each_coin_has_its_own_verdict_and_champion() -> None:
    facts = _FACTS | {"family": "crypto_timing_eth"}
    figures = {"passed": 1, "crypto_timing_eth.champion_version": 2, "x-y.champion_version": 3}
    told = samples_of("promote_crypto_timing", figures, facts)
    assert told["promote_crypto_timing"] == [Sample(catalogue.PROMOTION_PASSED, 1.0, ("crypto_timing_eth",))]
    assert [sample.label_values for sample in told["champions"]] == [("crypto_timing_eth",), ("x-y",)]


def test_signal_rates_are_those_of_the_last_period_by_ticker() -> None:
    figures = {
        "signal_rate_20/AAA": 0.9,
        "signal_rate_20_by_quarter/AAA": 0.4,
        "signal_rate_5_by_quarter/BRK_B": 0.6,
        "signal_rate_20_by_quarter/all_tickers": 0.5,
    }
    assert samples_of("measure_signal_rates", figures, _FACTS)["measure_signal_rates"] == [
        Sample(catalogue.SIGNAL_RATE, 0.4, ("AAA", "20")),
        Sample(catalogue.SIGNAL_RATE, 0.6, ("BRK_B", "5")),
    ]


def test_first_loss_that_a_training_tracked_is_told() -> None:
    figures = {"train/value_loss": 3.0, "train/loss": 1.0, "episode_reward": 7.0}
    assert samples_of("train_rl_agent", figures, _FACTS)["train_rl_agent"] == [
        Sample(catalogue.TRAINING_REWARD, 7.0, ("stock_trading",)),
        Sample(catalogue.TRAINING_LOSS, 1.0, ("stock_trading",)),
    ]


def test_unknown_stage_and_unknown_figures_tell_nothing() -> None:
    assert samples_of("nobody", {"bars": 1.0}, _FACTS) == {}
    assert samples_of("score_news", {"bars": 1.0}, _FACTS) == {}
