"""What the model sees and does: windows around its training, through the stage and by themselves."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.inference.model_folder import (
    ActionRule,
    Architecture,
    MlpActorCard,
    Normalisation,
    ObservationSchema,
    Window,
    write_equal_weight,
    write_model,
)
from MLOps.inference.policy import MlpActorPolicy, load_policy
from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings
from model_registry.filesystem_registry import FilesystemRegistry
from monitoring.drift.model_columns import ModelWindows, model_windows

Check = Callable[..., Any]
TICKERS, INDICATORS = ("AAA", "BBB"), ("rsi_30",)
TRAINED = Window(first=date(2019, 1, 2), last=date(2019, 12, 6))  # 243 of the 300 sessions


def write_actor(folder: Path, trained: Window = TRAINED) -> Path:
    """A model whose action for a ticker is (its index - 50) / 50, whatever else it sees."""
    size = 1 + len(TICKERS) * (2 + len(INDICATORS))
    card = MlpActorCard(
        architecture=Architecture(hidden_sizes=(), activation="tanh", squash="clip"),
        observation=ObservationSchema(tickers=TICKERS, indicators=INDICATORS, size=size),
        normalisation=Normalisation(mean=(0.0,) * (size - 2) + (50.0,) * 2, scale=(1e6,) + (50.0,) * 6, limit=10.0),
        action=ActionRule(
            kind="share_orders", max_shares_per_order=100, is_fractional=False, turbulence_threshold=None
        ),
        environment={},
        windows={"train": trained},
        provenance={},
    )
    weight = np.zeros((2, size), dtype=np.float32)
    weight[0, -2] = weight[1, -1] = 1.0
    write_model(folder, card, {"layers.0.weight": weight, "layers.0.bias": np.zeros(2, dtype=np.float32)})
    return folder


@pytest.fixture
def model(workspace: Path) -> Path:
    return write_actor(workspace / "model")


@pytest.fixture
def settings(workspace: Path) -> DriftSettings:
    windows = ["market.current_rows=40", "market.reference_rows=200", "market.minimum_current_rows=20"]
    return compose_settings(DriftSettings, "check_data_drift", [f"paths.workspace={workspace}", *windows])


def policy(folder: Path) -> MlpActorPolicy:
    loaded = load_policy(folder)
    assert isinstance(loaded, MlpActorPolicy)
    return loaded


def laid_down(features: pd.DataFrame, workspace: Path) -> Path:
    path = workspace / "features.parquet"
    features.to_parquet(path)
    return path


def test_observation_is_the_markets_part_as_features_are_looked_at(
    model: Path, features: pd.DataFrame, workspace: Path, settings: DriftSettings
) -> None:
    sample = model_windows(policy(model), laid_down(features, workspace), settings).observation(settings)
    assert list(sample.current) == ["close.AAA", "close.BBB", "rsi_30.AAA", "rsi_30.BBB"]
    newest = features[features["tic"] == "BBB"].tail(40)
    np.testing.assert_allclose(sample.current["rsi_30.BBB"], newest["rsi_30"])
    np.testing.assert_allclose(sample.current["close.BBB"][1:], np.diff(np.log(newest["close"])))
    past = features["date"].unique()[settings.past_sessions]
    assert (sample.reference.index[0], sample.reference.index[-1]) == (past, pd.Timestamp(TRAINED.last))


def test_level_of_prices_is_no_drift_of_the_observation(check: Check, features: pd.DataFrame, model: Path) -> None:
    risen = features.assign(close=features["close"] * np.repeat(np.exp(np.arange(300) / 100), 2))
    outcome = check(risen, "--model_folder", str(model), "subjects=[observation]")
    assert (outcome.status, outcome.result["details"]["observation.status"]) == (0, "no_drift")


def test_actions_before_the_training_ended_begin_like_the_newest_ones(
    model: Path, features: pd.DataFrame, workspace: Path, settings: DriftSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's account is one of its inputs: in either window it is as old, and began with cash."""
    windows = model_windows(policy(model), laid_down(features, workspace), settings)
    began: list[slice] = []
    traded = ModelWindows._traded

    def traced(self: ModelWindows, rows: slice, terms: DriftSettings) -> pd.DataFrame:
        began.append(rows)
        return traded(self, rows, terms)

    monkeypatch.setattr(ModelWindows, "_traded", traced)
    sample = windows.actions(settings)
    assert {rows.stop - rows.start for rows in began} == {settings.settling_sessions + 40}
    assert sample.reference.index.is_monotonic_increasing
    assert sample.reference.index.is_unique


def test_training_shorter_than_a_window_cannot_be_compared(
    features: pd.DataFrame, workspace: Path, settings: DriftSettings
) -> None:
    trained = Window(first=date(2019, 1, 2), last=date(2019, 2, 15))
    actor = policy(write_actor(workspace / "short", trained))
    with pytest.raises(DataError, match="reference window: 11 rows"):
        model_windows(actor, laid_down(features, workspace), settings).actions(settings)


def test_actions_are_what_the_network_answers_after_it_settled(
    model: Path, features: pd.DataFrame, workspace: Path, settings: DriftSettings
) -> None:
    sample = model_windows(policy(model), laid_down(features, workspace), settings).actions(settings)
    by_day = features.pivot(index="date", columns="tic", values="rsi_30")
    for window in (sample.reference, sample.current):
        expected = ((by_day.loc[window.index] - 50) / 50).clip(-1, 1)
        np.testing.assert_allclose(window, expected, rtol=1e-6, atol=1e-7)
    assert sample.reference.index[0] == by_day.index[settings.settling_sessions]
    assert sample.current.index[0] == by_day.index[-40]
    assert sample.current.index[-1] == by_day.index[-2]  # nothing is decided at the last close


def test_window_begins_after_the_training(features: pd.DataFrame, workspace: Path, settings: DriftSettings) -> None:
    trained = Window(first=date(2019, 1, 2), last=date(2020, 1, 14))
    actor = policy(write_actor(workspace / "late", trained))
    sample = model_windows(actor, laid_down(features, workspace), settings).observation(settings)
    assert sample.current.index[0] == pd.Timestamp(2020, 1, 15)
    assert len(sample.current) < 40


def test_nothing_after_the_training_cannot_be_checked(
    features: pd.DataFrame, workspace: Path, settings: DriftSettings
) -> None:
    trained = Window(first=date(2019, 1, 2), last=features["date"].max().date())
    actor = policy(write_actor(workspace / "late", trained))
    with pytest.raises(DataError, match="no session after the model's training, which ended on 2020-02-25"):
        model_windows(actor, laid_down(features, workspace), settings)


def test_inputs_and_actions_of_a_folders_model_are_checked(check: Check, features: pd.DataFrame, model: Path) -> None:
    outcome = check(features, "--model_folder", str(model), "subjects=[observation,actions]")
    assert outcome.status in {0, 10}
    metrics = outcome.result["metrics"]
    assert {name for name in metrics if name.startswith("actions.score")} == {
        f"actions.score.action.{method}" for method in ("psi", "jensenshannon", "wasserstein")
    }
    assert {name.split(".")[2] for name in metrics if name.startswith("observation.score")} == {"close", "rsi_30"}


def test_shifted_input_shows_in_observation_and_actions(check: Check, features: pd.DataFrame, model: Path) -> None:
    shifted = features.copy()
    shifted.loc[shifted.index[-80:], "rsi_30"] += 40
    outcome = check(shifted, "--model_folder", str(model), "subjects=[observation,actions]")
    assert outcome.status == 10
    assert outcome.result["details"]["actions.status"] == "drift"
    assert "action.AAA" in outcome.result["details"]["actions.reasons"]
    assert "rsi_30.AAA" in outcome.result["details"]["observation.reasons"]


def test_model_is_the_registrys_champion(check: Check, features: pd.DataFrame, workspace: Path, model: Path) -> None:
    registry = FilesystemRegistry(workspace / "models" / "registry")
    version = registry.register(model, "stock_trading", {})
    registry.set_alias("stock_trading", "champion", version.version)
    metrics = check(features).result["metrics"]
    assert {name for name in metrics if name.endswith(".status")} == {
        f"{subject}.status" for subject in ("features", "observation", "actions")
    }


def test_policy_that_learned_nothing_is_passed_over(check: Check, features: pd.DataFrame, workspace: Path) -> None:
    write_equal_weight(workspace / "equal_weight")
    metrics = check(features, "--model_folder", "equal_weight").result["metrics"]
    assert {name for name in metrics if name.endswith(".status")} == {"features.status"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model_folder", "nowhere"], "nowhere"),
        (["--model_version", "7"], "7"),
        (["--model_folder", "model", "--features_path", "other.parquet"], "holds no ticker BBB"),
    ],
    ids=["folder", "version", "tickers"],
)
def test_model_that_cannot_be_had_or_does_not_fit_cannot_be_checked(
    check: Check, features: pd.DataFrame, model: Path, workspace: Path, arguments: list[str], told: str
) -> None:
    features.assign(tic=features["tic"].replace("BBB", "CCC")).to_parquet(workspace / "other.parquet")
    outcome = check(features, *arguments)
    assert outcome.status == 11
    assert "actions: could not be checked: " in outcome.last_line
    assert told in outcome.last_line
    assert model.exists()
