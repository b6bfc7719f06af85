"""The stage that writes decisions: its file, its sources, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from deployment.serving.infer_crypto_timing import infer_crypto_timing, main
from MLOps.inference.timing_model import write_buy_first
from MLOps.inference.timing_policy import load_timing_policy
from MLOps.market.crypto_bars import write_crypto_bars
from MLOps.settings.compose import compose_settings
from MLOps.settings.crypto_decisions import InferCryptoTimingSettings
from MLOps.stage import MemoryTracker, StageResult

HEADER = "time,price,action,q_hold,q_buy,cycle,step,is_forced"
OFFLINE = ["tracking.enabled=false", "metrics.sink=none"]


@pytest.fixture
def bars(workspace: Path, make_crypto_bars: Callable[..., pd.DataFrame]) -> Path:
    path = workspace / "data" / "crypto" / "btc" / "bars.parquet"
    path.parent.mkdir(parents=True)
    write_crypto_bars(make_crypto_bars(count=24 * 10), path)
    return path


def run(workspace: Path, *overrides: str) -> StageResult:
    given = [f"paths.workspace={workspace}", *overrides]
    return infer_crypto_timing(
        compose_settings(InferCryptoTimingSettings, "infer_crypto_timing", given), MemoryTracker()
    )


def test_decisions_over_bars_are_those_of_the_policy(workspace: Path, bars: Path, model_folder: Path) -> None:
    result = run(workspace, f"model_path={model_folder}", "output_path=out/decisions.csv")
    text = (workspace / "out" / "decisions.csv").read_text()
    assert text == result.artifacts["decisions"].path.read_text()
    assert text.splitlines()[0] == HEADER
    decisions = pd.read_csv(workspace / "out" / "decisions.csv", parse_dates=["time"])
    closes = pd.read_parquet(bars).set_index("timestamp")["close"]
    np.testing.assert_allclose(closes[decisions["time"]].to_numpy(), decisions["price"])
    assert (
        ((decisions["q_buy"] > decisions["q_hold"]) | (decisions["is_forced"] == 1)).eq(decisions["action"] == 1).all()
    )
    assert result.metrics["purchases"] == decisions["action"].sum()
    last = decisions.iloc[-1]
    assert result.details["newest_action"] == last["action"]
    assert f"{last['time']:%Y-%m-%d %H:%M} UTC" in str(result.details["newest"])


def test_a_purchase_that_is_past_is_not_told_as_what_to_do_now(workspace: Path, bars: Path) -> None:
    """Who buys first has bought hours ago where the newest bar, of midnight, lies within a cycle that began at six."""
    write_buy_first(workspace / "first")
    told = str(run(workspace, "model_path=first", "cycles_from=2018-01-01T06:00Z").details["newest"])
    newest = pd.read_parquet(bars)["timestamp"].iloc[-1]
    assert told.startswith("bought at 2018-01-10 06:00 UTC")
    assert f"up to the newest bar, {newest:%Y-%m-%d %H:%M} UTC, the same cycle goes on" in told


def test_the_same_again_is_not_made_again(workspace: Path, bars: Path, model_folder: Path) -> None:
    assert bars.is_file()
    first = run(workspace, f"model_path={model_folder}")
    second = run(workspace, f"model_path={model_folder}")
    assert (first.status, second.status) == ("made", "already_made")


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_observations_are_decided_one_by_one(
    workspace: Path, model_folder: Path, observations: npt.NDArray[np.float32], suffix: str
) -> None:
    path = workspace / f"observations{suffix}"
    if suffix == ".npy":
        np.save(path, observations)
    else:
        path.write_text(json.dumps({"observations": observations.tolist()}))
    result = run(workspace, f"model_path={model_folder}", f"input_path={path.name}")
    decisions = pd.read_csv(result.artifacts["decisions"].path)
    expected = load_timing_policy(model_folder).q_values(observations)
    np.testing.assert_allclose(decisions[["q_hold", "q_buy"]], expected, rtol=1e-4, atol=1e-5)
    assert decisions["time"].isna().all()
    assert result.metrics == {"decisions": 5.0, "purchases": float(decisions["action"].sum())}


def test_registry_champion_decides_by_default(workspace: Path, bars: Path, registry: Any) -> None:
    assert bars.is_file()
    result = run(workspace, "registry.kind=filesystem")
    assert (result.details["model_name"], result.details["model_version"]) == (
        "crypto_timing",
        registry.baseline.version,
    )
    decisions = pd.read_csv(result.artifacts["decisions"].path)
    assert set(decisions["step"]) == {0}
    assert set(decisions["action"]) == {1}


@pytest.mark.parametrize(
    ("overrides", "status", "told"),
    [
        (["input_path=nothing.parquet"], 3, "there is no"),
        (["input_path=crypto_data.pkl"], 3, "is of no known kind; allowed: .parquet (bars)"),
        (["data=eth"], 6, "the model decides on BTC, asked for is ETH"),
        (["input_path=broken.npy"], 3, "cannot be read"),
        (["input_path=objects.npy"], 3, "cannot be read"),
        (["input_path=wide.npy"], 3, "holds float64 (2, 9); allowed: numbers of shape (N, 8), finite"),
        (["input_path=nan.npy"], 3, "holds nan at [0, 0]; allowed: numbers of shape (N, 8), finite"),
        (["input_path=large.npy"], 3, "holds 3e+38 at [0, 2]"),
        (["input_path=packed.npy"], 3, "cannot be read"),
        (["input_path=bad.json"], 3, "observations[0]: holds 1 numbers; must hold 8"),
        (["first_day=2099-01-01"], 3, "no cycle begins with 6 closes known"),
        (["cycles_from=2018-01-01T00:30Z"], 3, "allowed: a cycle begins every 24 bars from 2018-01-01 00:30 on"),
        (["cycles_from=2018-01-01"], 2, "cycles_from"),
        (["model_path=nowhere"], 3, "model.json does not exist"),
    ],
)
def test_what_cannot_be_decided_on_is_one_clear_line(
    workspace: Path,
    bars: Path,
    model_folder: Path,
    capsys: pytest.CaptureFixture[str],
    overrides: list[str],
    status: int,
    told: str,
) -> None:
    assert bars.is_file()
    (workspace / "broken.npy").write_bytes(b"no array")
    np.save(workspace / "objects.npy", np.array([{"a": 1}], dtype=object))
    np.save(workspace / "wide.npy", np.zeros((2, 9)))
    np.save(workspace / "nan.npy", np.full((1, 8), np.nan))
    np.save(workspace / "large.npy", np.array([[0, 1, 3e38, 0, 0, 0, 0, 0]]))
    (workspace / "packed.npy").write_bytes(b"PK\x03\x04 no archive")
    (workspace / "bad.json").write_text('{"observations": [[1]]}')
    given = [f"model_path={model_folder}", *overrides, *OFFLINE]
    assert main(["--workspace", str(workspace), *given]) == status
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_values_that_are_not_finite_are_no_decisions(
    workspace: Path, make_timing_model: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Weights that overflow on what the bound still lets in."""
    make_timing_model(workspace / "large", window_size=6, scale=1e8, is_categorical=False, atoms=1)
    np.save(workspace / "seen.npy", np.full((3, 8), 1e9))
    given = ["model_path=large", "input_path=seen.npy", *OFFLINE]
    assert main(["--workspace", str(workspace), *given]) == 6
    assert "seen.npy: the network's values of observation 0 are" in capsys.readouterr().err.splitlines()[-1]
    assert not list((workspace / "reports").rglob("decisions.csv"))


def test_altered_model_folder_decides_nothing(
    workspace: Path, bars: Path, altered_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [f"model_path={altered_folder}", *OFFLINE]
    assert bars.is_file()
    assert main(["--workspace", str(workspace), *given]) != 0
    assert "was altered after it was made; allowed: what its stage made" in capsys.readouterr().err.splitlines()[-1]
    assert not (workspace / "reports").exists()
