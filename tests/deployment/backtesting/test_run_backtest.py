"""The stage run_backtest: what it makes, from which model, and that a retry ends the same."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deployment.backtesting import run_backtest as stage
from MLOps.artifacts import sha256_of
from MLOps.evaluation.comparison import read_scorecard
from MLOps.settings.backtest import BacktestSettings
from MLOps.settings.compose import compose_settings
from MLOps.settings.project import project_root
from MLOps.stage import Artifact, MemoryTracker, StageResult
from model_registry.family import STOCK_TRADING
from model_registry.open_registry import open_registry
from model_registry.registry import CHALLENGER
from model_registry.stock_policy import load_champion
from model_registry.verdict import Verdict

STRATEGIES = [
    "model",
    "champion",
    "equal_weight",
    "minimum_variance",
    "mean_variance",
    "cash",
    "random_same_turnover",
]


def digests(result):
    return {name: artifact.sha256 for name, artifact in result.artifacts.items()}


def register(workspace, folder, alias=CHALLENGER):
    overrides = [f"paths.workspace={workspace}", "registry.kind=filesystem"]
    settings = compose_settings(BacktestSettings, "run_backtest", overrides)
    registry = open_registry(settings)
    version = registry.register(folder, settings.registry.model_name, {})
    registry.set_alias(version.name, alias, version.version)
    return registry, version


def test_the_settings_compose_with_an_honest_default():
    terms = compose_settings(BacktestSettings, "run_backtest").terms
    assert terms.account.execution_lag_sessions == 1
    assert terms.bootstrap.confidence_fraction == 0.9


@pytest.mark.usefixtures("features_path", "model_path")
def test_makes_returns_figures_and_a_report(run, panel):
    status, result, _ = run("--model_path=models/untrained")
    assert status == 0
    returns = pd.read_parquet(result.artifacts["returns"].path)
    assert list(returns) == ["date", *STRATEGIES]
    assert returns["date"].to_numpy().astype("datetime64[D]").tolist() == panel.dates[-49:].tolist()
    scorecard = read_scorecard(result.artifacts["performance"].path)
    assert list(scorecard.strategies) == STRATEGIES
    np.testing.assert_allclose(np.prod(1 + returns["model"]) - 1, scorecard.strategies["model"].total_return)
    assert result.metrics["model.turnover"] == scorecard.strategies["model"].turnover > 0
    assert result.details["first_date"] == str(panel.dates[-50])
    assert result.details["last_date"] == str(panel.dates[-1]) == result.folder.name[:10]
    assert "<h1>Backtest" in result.artifacts["report"].path.read_text()


@pytest.mark.usefixtures("features_path", "model_path")
def test_keeps_what_model_and_champion_held_after_each_close(run, panel):
    _, result, _ = run("--model_path=models/untrained")
    positions = pd.read_parquet(result.artifacts["positions"].path)
    assert list(positions) == ["date", "strategy", "ticker", "shares", "weight"]
    assert len(positions) == 2 * 50 * len(panel.tickers)
    assert set(positions["strategy"]) == {"model", "champion"}
    last = positions[(positions["date"] == positions["date"].max()) & (positions["strategy"] == "champion")]
    assert last["ticker"].tolist() == list(panel.tickers)
    # the first champion buys equal parts of a million and holds: its wealth is what the shares and the cash are worth
    value = (last["shares"] * panel.close[-1]).to_numpy()
    np.testing.assert_allclose(value / value.sum(), last["weight"] / last["weight"].sum())
    assert 0.98 < last["weight"].sum() <= 1


@pytest.mark.usefixtures("features_path")
def test_takes_the_challenger_from_the_registry_unless_told_otherwise(run, workspace, make_model):
    _, first = register(workspace, make_model(workspace / "a", seed=1))
    _, second = register(workspace, make_model(workspace / "b", seed=2))
    _, by_alias, _ = run()
    _, by_number, _ = run(f"--model_version={first.version}")
    assert (by_alias.details["model_version"], by_alias.details["model_digest"]) == (second.version, second.digest)
    assert (by_number.details["model_version"], by_number.details["model_digest"]) == (first.version, first.digest)


@pytest.mark.usefixtures("features_path", "model_path")
def test_the_first_champion_is_equal_weight(run):
    _, result, _ = run("--model_path=models/untrained")
    returns = pd.read_parquet(result.artifacts["returns"].path)
    np.testing.assert_array_equal(returns["champion"], returns["equal_weight"])


@pytest.mark.usefixtures("features_path", "model_path")
def test_runs_without_a_registry_where_no_champion_is_asked_for(run, workspace):
    _, result, _ = run("--model_path=models/untrained", "compare_with_champion=false")
    assert "champion" not in pd.read_parquet(result.artifacts["returns"].path)
    assert "champion_digest" not in result.details
    assert not (workspace / "models" / "registry").exists()


@pytest.mark.usefixtures("features_path", "model_path")
def test_another_window_is_traded_where_dates_are_given(run):
    _, result, _ = run("--model_path=models/untrained", "window.first_date=2021-06-15", "window.last_date=2021-07-14")
    assert (result.details["first_date"], result.details["last_date"]) == ("2021-06-15", "2021-07-14")


@pytest.mark.usefixtures("features_path", "model_path")
def test_the_same_run_again_finds_itself_made(run):
    first, again = (run("--model_path=models/untrained")[1] for _ in range(2))
    assert (first.status, again.status) == ("made", "already_made")
    assert digests(first) == digests(again)


@pytest.mark.usefixtures("features_path")
def test_counts_the_models_that_were_tested_on_the_window_before(run, workspace, make_model):
    folders = [make_model(workspace / str(seed), seed=seed) for seed in (1, 2, 1)]
    tested = [run(f"--model_path={folder}")[1] for folder in folders]
    assert [result.details["models_judged_before"] for result in tested] == [0, 1, 0]  # the third was the first
    later = run(f"--model_path={folders[0]}", "window.first_date=2021-06-15")[1]
    assert later.details["models_judged_before"] == 1


def test_a_test_on_other_tickers_and_the_same_weights_again_are_no_tries(
    run, workspace, panel, make_model, features_path
):
    assert run(f"--model_path={make_model(workspace / 'all', seed=1)}")[1].details["models_judged_before"] == 0
    again = make_model(workspace / "again", seed=1, trained="a week later")  # another card and digest
    assert run(f"--model_path={again}")[1].details["models_judged_before"] == 0
    panel.select(("AAA", "BBB")).to_frame().to_parquet(features_path, index=False)
    fewer = make_model(workspace / "fewer", tickers=("AAA", "BBB"), seed=2)
    _, result, told = run(f"--model_path={fewer}")
    assert result is not None, told
    assert result.details["models_judged_before"] == 0


@pytest.mark.usefixtures("features_path", "model_path")
def test_the_same_settings_make_the_same_files(run, workspace):
    first = run("--model_path=models/untrained")[1]
    (workspace / "reports" / "backtests" / "latest" / "returns.parquet").unlink()
    again = run("--model_path=models/untrained")[1]
    assert again.status == "made"
    assert digests(first) == digests(again)


@pytest.mark.usefixtures("features_path", "model_path")
def test_the_terms_and_the_window_stand_beside_the_figures(run):
    _, result, _ = run("--model_path=models/untrained", "terms.account.buy_cost_bps=0", "window.first_date=2021-06-15")
    scorecard = read_scorecard(result.artifacts["performance"].path)
    assert scorecard.terms.account.buy_cost_bps == result.details["buy_cost_bps"] == 0
    assert (str(scorecard.first_date), scorecard.sessions) == ("2021-06-15", result.details["sessions"])
    assert scorecard.sessions == len(pd.read_parquet(result.artifacts["returns"].path)) + 1


@pytest.mark.usefixtures("model_path")
def test_slippage_and_impact_cost_every_strategy_that_trades(run, features_path):
    frame = pd.read_parquet(features_path)
    frame.assign(volume=5_000.0).to_parquet(features_path, index=False)
    terms = ("slippage_bps=20", "linear_impact_bps=50", "root_impact_bps=50", "allow_fractional_shares=true")
    _, free, _ = run("--model_path=models/untrained")
    _, dear, _ = run("--model_path=models/untrained", *(f"terms.account.{term}" for term in terms))
    for strategy in ("model", "champion", "minimum_variance"):
        assert dear.metrics[f"{strategy}.costs_paid"] > 1.5 * free.metrics[f"{strategy}.costs_paid"] > 0
    assert dear.metrics["cash.costs_paid"] == 0
    assert dear.details["allow_fractional_shares"] is True
    text = dear.artifacts["report"].path.read_text()
    assert "20.0 basis points worse than the close" in text
    assert "Market impact is not modelled" not in text


def tell_features(features_path, **details):
    """Lay down what the stage that made the features said."""
    made = Artifact(path=features_path, sha256=sha256_of(features_path))
    features = StageResult(
        stage="build_features",
        key="k",
        status="made",
        folder=features_path.parent,
        artifacts={"features": made},
        details=details,
    )
    (features_path.parent / "result.json").write_text(features.model_dump_json())


@pytest.mark.usefixtures("model_path")
def test_the_same_features_with_another_warning_make_another_report(run, features_path):
    def report(**details):
        tell_features(features_path, **details)
        result = run("--model_path=models/untrained")[1]
        return result.key, result.artifacts["report"].path.read_text()

    replayed, live = report(is_replay=True, as_of="2021-08-13"), report(is_replay=False)
    assert "REPLAY: the clock of these data stands at 2021-08-13" in replayed[1]
    assert "REPLAY" not in live[1]
    assert replayed[0] != live[0]


@pytest.mark.parametrize(("scorer", "is_told"), [("new_scorer", True), ("old_scorer", False)])
def test_an_agent_that_learned_from_another_scorer_is_told(run, workspace, make_model, features_path, scorer, is_told):
    make_model(workspace / "models" / "reader", sentiment_model_sha256="old_scorer")
    tell_features(features_path, sentiment_model_sha256=scorer)
    _, result, _ = run("--model_path=models/reader")
    clause = "sees news scored by new_scorer, not by old_scorer, which it learned from"
    assert (clause in result.artifacts["report"].path.read_text()) == is_told


@pytest.mark.usefixtures("features_path")
def test_another_champion_makes_another_backtest(run, workspace, make_model):
    register(workspace, make_model(workspace / "a", seed=1))
    first = run()[1]
    registry, other = register(workspace, make_model(workspace / "b", seed=2), alias="other")
    (seeding,) = registry.verdicts(load_champion(registry, other.name).version)
    gates = [{"gate": gate, "figure": 1, "threshold": 1, "passed": True, "reason": "r"} for gate in STOCK_TRADING.gates]
    passed = {"basis": "gates", "model_digest": other.digest, "gates": gates}
    registry.store_verdict(other, Verdict.model_validate(seeding.model_dump() | passed))
    registry.set_alias(other.name, "champion", other.version)
    second = run()[1]
    assert first.key != second.key
    assert second.details["champion_digest"] == other.digest


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, write_features, make_model, quick_terms):
    """The digests of a run that nothing disturbed."""
    workspace = tmp_path_factory.mktemp("undisturbed")
    write_features(workspace)
    make_model(workspace / "models" / "untrained")
    overrides = [*quick_terms, f"paths.workspace={workspace}", "model_path=models/untrained"]
    return digests(stage.run_backtest(compose_settings(BacktestSettings, "run_backtest", overrides), MemoryTracker()))


@pytest.mark.parametrize("point", ["before_write", "before_rename", "after_rename", "before_tracking"])
@pytest.mark.usefixtures("features_path", "model_path", "tracked_workspace")
def test_killed_at_any_point_it_ends_the_same(run, arguments, workspace, undisturbed, die_at, point):
    tracked = point == "before_tracking"
    argv = [*arguments, "--model_path=models/untrained", f"tracking.enabled={str(tracked).lower()}"]
    die_at(point, lambda: stage.main(argv))
    assert (workspace / "reports" / "backtests" / "latest").exists() == (point == "before_tracking")
    status, result, _ = run("--model_path=models/untrained")
    assert status == 0
    assert digests(result) == undisturbed
    assert not list((workspace / "reports" / "backtests").glob(".*"))


@pytest.mark.usefixtures("features_path", "model_path")
def test_figures_and_report_are_kept_in_mlflow(run, tracked_workspace):
    from mlflow import MlflowClient

    status, result, _ = run("--model_path=models/untrained", "tracking.enabled=true", "registry.kind=mlflow")
    assert status == 0
    client = MlflowClient(f"sqlite:///{tracked_workspace / 'mlruns.db'}")
    experiment = client.get_experiment_by_name("trading-agents")
    (found,) = client.search_runs([experiment.experiment_id], "tags.stage = 'run_backtest'")
    assert found.data.metrics["model.sharpe"] == pytest.approx(result.metrics["model.sharpe"])
    assert "outputs/report.html" in {file.path for file in client.list_artifacts(found.info.run_id, "outputs")}


@pytest.mark.usefixtures("features_path", "model_path")
def test_the_command_line_tells_its_result_in_one_line(arguments):
    script = project_root() / "deployment" / "backtesting" / "run_backtest.py"
    command = [sys.executable, script, *arguments, "--model_path=models/untrained"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["stage"] == "run_backtest"
    assert Path(result["artifacts"]["report"]["path"]).is_file()
