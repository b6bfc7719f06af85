"""Bad input ends the stage with one clear line, its own exit status, and nothing written."""

import json
import os
import resource
import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest

from deployment.backtesting import run_backtest as stage
from MLOps.errors import (
    DataError,
    ModelError,
    RegistryError,
    ServiceUnavailableError,
    SettingsError,
    StorageError,
)

MODEL = "--model_path=models/untrained"


@pytest.fixture
def fails(run, workspace):
    """Runs the command line, which must fail in one line of `error`, and gives that line."""

    def call(error, *arguments):
        status, result, line = run(*arguments)
        assert result is None
        assert status == error.exit_code
        assert line.count("run_backtest:") == 1
        backtests = workspace / "reports" / "backtests"
        assert not backtests.exists() or not list(backtests.iterdir())
        return line

    return call


def rewrite(path, change):
    frame = pd.read_parquet(path)
    change(frame).to_parquet(path, index=False)


@pytest.mark.usefixtures("features_path")
def test_missing_model_folder(fails):
    assert "models/none holds no model.json" in fails(ModelError, "--model_path=models/none")


@pytest.mark.usefixtures("features_path")
def test_no_challenger_in_the_registry(fails):
    assert "has no challenger" in fails(RegistryError)


@pytest.mark.usefixtures("features_path")
def test_unknown_version(fails):
    assert "no version 7" in fails(RegistryError, "--model_version=7")


@pytest.mark.usefixtures("features_path")
def test_model_of_an_unknown_kind(fails, model_path):
    card = json.loads((model_path / "model.json").read_text())
    (model_path / "model.json").write_text(json.dumps(card | {"kind": "pickle"}))
    assert "pickle" in fails(ModelError, MODEL)


@pytest.mark.usefixtures("features_path", "model_path")
def test_impact_without_volume_in_the_features(fails):
    line = fails(DataError, MODEL, "terms.account.root_impact_bps=10")
    assert "market impact on prices without volume; allowed: features with a column volume" in line


@pytest.mark.usefixtures("features_path", "model_path")
def test_fills_that_cost_all_their_value(fails):
    line = fails(
        SettingsError,
        MODEL,
        *(f"terms.account.{kind}_impact_bps=4999" for kind in ("linear", "root")),
        "terms.account.slippage_bps=2",
    )
    assert "must sum to less than 10000" in line


@pytest.mark.usefixtures("features_path")
def test_model_of_other_tickers(fails, workspace, make_model):
    make_model(workspace / "models" / "untrained", tickers=("AAA", "ZZZ"))
    assert "AAA, ZZZ" in fails(ModelError, MODEL)


@pytest.mark.usefixtures("features_path")
def test_model_of_other_indicators(fails, workspace, make_model):
    make_model(workspace / "models" / "untrained", indicators=("macd", "cci_30"))
    assert "cci_30" in fails(DataError, MODEL)


@pytest.mark.usefixtures("features_path")
def test_window_that_the_model_has_seen(fails, workspace, make_model):
    make_model(workspace / "models" / "untrained", learned_until=date(2021, 6, 30))
    line = fails(ModelError, MODEL)
    assert "has seen dates up to 2021-06-30 (validation), and the window begins on 2021-06-07" in line


@pytest.mark.usefixtures("features_path", "model_path")
def test_window_before_the_training(fails):
    line = fails(ModelError, MODEL, "window.first_date=2021-02-10", "window.last_date=2021-03-10")
    assert "has seen dates up to 2021-04-30 (train)" in line


@pytest.mark.usefixtures("features_path", "model_path")
@pytest.mark.parametrize("dates", [("2031-01-01", "2031-02-01"), ("2021-08-01", "2021-07-01")])
def test_window_without_data(fails, dates):
    line = fails(DataError, MODEL, f"window.first_date={dates[0]}", f"window.last_date={dates[1]}")
    assert "no session between" in line


@pytest.mark.usefixtures("features_path", "model_path")
def test_window_of_one_session(fails):
    line = fails(DataError, MODEL, "window.first_date=2021-07-01", "window.last_date=2021-07-01")
    assert "at least 2 sessions" in line


@pytest.mark.usefixtures("features_path", "model_path")
def test_too_little_data_for_the_split(fails):
    assert "minimum_train_sessions" in fails(DataError, MODEL, "split.test_sessions=150")


@pytest.mark.usefixtures("model_path")
def test_missing_features(fails):
    assert "processed_data_with_features.parquet does not exist" in fails(DataError, MODEL)


@pytest.mark.usefixtures("model_path")
def test_empty_features(fails, features_path):
    features_path.write_bytes(b"")
    assert "cannot be read" in fails(DataError, MODEL)


@pytest.mark.usefixtures("model_path")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="close"), "lacks the columns ['close']"),
        (lambda frame: frame.assign(close=frame["close"].where(frame.index != 7)), "close of"),
        (lambda frame: pd.concat([frame, frame.tail(1)]), "twice"),
        (lambda frame: frame.iloc[::-1], "ascending dates"),
        (lambda frame: frame.iloc[:0], "holds no rows"),
    ],
    ids=["no_close", "nan_close", "duplicated", "unordered", "no_rows"],
)
def test_broken_features(fails, features_path, change, message):
    rewrite(features_path, change)
    assert message in fails(DataError, MODEL)


@pytest.mark.usefixtures("features_path")
def test_model_folder_that_was_altered_after_training(fails, model_path):
    from MLOps.artifacts import sha256_of
    from MLOps.stage import Artifact, StageResult

    card = model_path / "model.json"
    made = StageResult(
        stage="train_rl_agent",
        key="k",
        status="made",
        folder=model_path,
        artifacts={"model": Artifact(path=card, sha256=sha256_of(card))},
    )
    (model_path / "result.json").write_text(made.model_dump_json())
    card.write_text(card.read_text().replace('"seed": 0', '"seed": 1'))
    assert "was altered after it was made" in fails(DataError, MODEL)


@pytest.mark.usefixtures("features_path")
def test_registered_files_that_were_altered(fails, workspace, make_model):
    from MLOps.settings.backtest import BacktestSettings
    from MLOps.settings.compose import compose_settings
    from model_registry.open_registry import open_registry

    overrides = [f"paths.workspace={workspace}", "registry.kind=filesystem"]
    registry = open_registry(compose_settings(BacktestSettings, "run_backtest", overrides))
    version = registry.register(make_model(workspace / "m"), "stock_trading", {})
    for card in (workspace / "models" / "registry").rglob("model.json"):
        card.write_text(card.read_text() + "\n")
    assert "digest" in fails(DataError, f"--model_version={version.version}")


@pytest.mark.usefixtures("features_path")
def test_weights_that_give_no_number(fails, model_path):
    from safetensors.numpy import load_file, save_file

    weights = load_file(model_path / "policy.safetensors")
    weights["layers.1.bias"] = np.full_like(weights["layers.1.bias"], np.nan)
    save_file(weights, model_path / "policy.safetensors")
    assert "holds NaN" in fails(ModelError, MODEL)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("terms.account.execution_lag=1", "unknown key"),
        ("terms.account.execution_lag_sessions=-1", "greater than or equal to 0"),
        ("terms.bootstrap.confidence_fraction=1.5", "less than 1"),
    ],
)
def test_settings_out_of_their_bounds(fails, setting, message):
    line = fails(SettingsError, setting)
    assert message in line
    assert setting.split("=")[0] in line


@pytest.mark.usefixtures("features_path", "model_path")
def test_mlflow_server_that_is_down(fails):
    line = fails(ServiceUnavailableError, MODEL, "registry.kind=mlflow", "tracking.uri=http://127.0.0.1:9")
    assert "127.0.0.1:9" in line


@pytest.mark.usefixtures("features_path", "model_path")
@pytest.mark.parametrize("room", [100, 3_000, 1_000_000], ids=["of_the_registry", "of_the_returns", "of_the_report"])
def test_full_disk(run, arguments, workspace, room):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        with os.fdopen(writing, "w") as sys.stderr:
            status = stage.main([*arguments, MODEL])
        os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = told.read().splitlines()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == StorageError.exit_code, lines
    assert "the disk is full" in lines[-1]
    assert "Traceback" not in "".join(lines)
    assert not list((workspace / "reports" / "backtests").glob("*"))
    assert run(MODEL)[0] == 0
    assert not list(workspace.rglob("*.partial"))
