"""Every run of a stage is told, whether it ends well or not, and no sink can make it fail."""

import errno
import json
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from experiment_tracking.metric_samples import samples_in
from experiment_tracking.metric_sinks import TextFileSink
from experiment_tracking.runner import run_stage
from MLOps.errors import DataError, DivergenceError, FailedExpectationsError
from MLOps.settings.stage_settings import StageSettings
from MLOps.stage import Artifact, Stage, StageResult, Tracker

Told = Mapping[tuple[str, ...], float]


class ProbeSettings(StageSettings):
    window: int = Field(ge=1, description="Window, in rows.")
    machine: dict[str, object] = Field(description="Machine.")


class TrainingProbeSettings(ProbeSettings):
    training: dict[str, object] = Field(description="Budget.")
    data: dict[str, object] = Field(description="Market.")


def probe(settings: ProbeSettings, _tracker: Tracker) -> StageResult:
    """Give a result."""
    return StageResult(stage="probe", key="k", status="made", folder=settings.paths.data)


STAGE = Stage("probe", ProbeSettings, probe)


@pytest.fixture
def run(project: Path) -> Callable[..., int]:
    """``run(stage, *argv)``: the exit status of the stage's command in a project of its own."""

    def call(stage: Stage[ProbeSettings] = STAGE, *argv: str) -> int:
        return run_stage(stage, ["tracking.enabled=false", *argv])

    assert project.exists()
    return call


@pytest.fixture
def told(project: Path) -> Callable[..., Told]:
    """``told(job)``: what the job's text file says, by metric (less the project's prefix) and label values."""

    def read(job: str = "probe") -> Told:
        samples = TextFileSink(project / "reports" / "metrics").read(job)
        return {(sample.metric.name.removeprefix("trading_"), *sample.label_values): sample.value for sample in samples}

    return read


def failing(error: BaseException, **curves: float) -> Stage[ProbeSettings]:
    def fail(_settings: ProbeSettings, tracker: Tracker) -> StageResult:
        tracker.metrics(curves, step=1)
        raise error

    return replace(STAGE, run=fail)


def giving(**parts: object) -> Stage[ProbeSettings]:
    """A stage with that result."""

    def give(settings: ProbeSettings, tracker: Tracker) -> StageResult:
        return probe(settings, tracker).model_copy(update=parts)

    return replace(STAGE, run=give)


def as_stage(project: Path, stage: Stage[ProbeSettings], name: str) -> Stage[ProbeSettings]:
    """The stage under another name, and its YAML with it."""
    folder = project / "config" / "stages"
    (folder / f"{name}.yaml").write_text((folder / "probe.yaml").read_text())
    return replace(stage, name=name)


def test_success_tells_duration_and_when(run: Callable[..., int], told: Callable[..., Told]) -> None:
    assert run() == 0
    found = told()
    assert found["stage_success", "probe"] == 1
    assert found["stage_duration_seconds", "probe"] > 0
    assert found["stage_last_success_timestamp_seconds", "probe"] == found["stage_last_run_timestamp_seconds", "probe"]


@pytest.mark.parametrize("error", [DataError("no bars"), ZeroDivisionError("by nothing"), KeyboardInterrupt()])
def test_failure_keeps_the_last_success(
    run: Callable[..., int], told: Callable[..., Told], error: BaseException
) -> None:
    run()
    before = told()
    assert run(failing(error)) != 0
    after = told()
    success = ("stage_last_success_timestamp_seconds", "probe")
    assert after["stage_success", "probe"] == 0
    assert after[success] == before[success] <= after["stage_last_run_timestamp_seconds", "probe"]


def test_usual_duration_is_the_median_of_earlier_runs_that_made_something(
    run: Callable[..., int], told: Callable[..., Told], project: Path
) -> None:
    usual, history = ("stage_usual_duration_seconds", "probe"), project / "reports/metrics/durations/probe.json"
    run()
    assert math.isnan(told()[usual])
    history.write_text("[1.0, 5.0, 9.0]")
    run(giving(status="already_made"))
    assert (told()[usual], json.loads(history.read_text())) == (5.0, [1.0, 5.0, 9.0])
    run(STAGE, "metrics.history_runs=3")
    assert json.loads(history.read_text())[:2] == [5.0, 9.0]
    assert len(json.loads(history.read_text())) == 3
    history.write_text('["broken"')
    run()
    assert len(json.loads(history.read_text())) == 1


@pytest.fixture
def train(run: Callable[..., int], told: Callable[..., Told], project: Path) -> Callable[..., Told]:
    """``train(key, reward)``: what is told after a training with that result; `frames` are its budget."""

    def call(
        key: str, reward: float, frames: int = 300_000, symbol: str = "BTC", status: str = "made", weights: str = ""
    ) -> Told:
        artifacts = {"policy": Artifact(path=project / "policy.safetensors", sha256=weights)} if weights else {}
        given = giving(
            stage="train_rainbow", key=key, status=status, metrics={"episode_reward": reward}, artifacts=artifacts
        )
        stage = replace(as_stage(project, given, "train_rainbow"), settings_type=TrainingProbeSettings)
        run(stage, f"training.num_frames={frames}", f"data.symbol={symbol}")
        return told("train_rainbow")

    return call


_USUAL, _REWARD = ("training_usual_reward", "stock_trading"), ("training_reward", "stock_trading")


def test_usual_reward_is_the_median_of_earlier_trainings(train: Callable[..., Told]) -> None:
    assert math.isnan(train("a", 100)[_USUAL])
    assert train("b", 20)[_USUAL] == 100
    assert train("c", 30)[_USUAL] == 60


def test_spread_of_the_usual_reward_is_told_of_three_trainings(train: Callable[..., Told]) -> None:
    spread = ("training_usual_reward_spread", "stock_trading")
    assert all(math.isnan(train(key, reward)[spread]) for key, reward in (("a", 0.1), ("b", -0.1), ("c", 0.3)))
    assert train("d", 0.0)[spread] == pytest.approx(1.4826 * 0.2)


def test_spread_of_rewards_that_are_all_alike_is_not_told(train: Callable[..., Told]) -> None:
    """It says nothing of how far another training strays."""
    spread = ("training_usual_reward_spread", "stock_trading")
    assert all(math.isnan(train(key, -0.06)[spread]) for key in "abcd")


def test_the_same_weights_under_another_key_are_no_other_training(train: Callable[..., Told]) -> None:
    """A week that moves the end of the test window trains the same again."""
    train("first week", 20, weights="a")
    train("second week", 20, weights="a")
    train("another seed", 60, weights="b")
    assert train("third week", 20, weights="a")[_USUAL] == 60


def test_reward_is_compared_with_trainings_of_the_same_budget_and_market_alone(train: Callable[..., Told]) -> None:
    train("a", 100)
    quick = train("b", 3, frames=6_400)
    assert (quick[_REWARD], math.isnan(quick[_USUAL])) == (3, True)
    assert math.isnan(train("c", 40, symbol="ETH")[_USUAL])
    assert train("d", 5, frames=6_400)[_USUAL] == 3
    assert train("e", 90)[_USUAL] == 100


def test_training_that_was_found_made_is_no_new_training(train: Callable[..., Told]) -> None:
    train("a", 20)
    train("b", 100)
    last = train("c", 110)
    again = train("a", 20, status="already_made")
    assert (again[_REWARD], again[_USUAL]) == (last[_REWARD], last[_USUAL]) == (110, 60)
    assert train("d", 120)[_USUAL] == 100  # of 20, 100, 110: each counted once


def test_training_whose_run_was_killed_before_it_told_is_told_when_it_is_found(train: Callable[..., Told]) -> None:
    train("a", 20)
    found = train("b", 5, status="already_made")
    assert (found[_REWARD], found[_USUAL]) == (5, 20)
    assert train("c", 9)[_USUAL] == 12.5


def test_reward_of_a_training_that_broke_off_is_compared_with_none(
    run: Callable[..., int], train: Callable[..., Told], told: Callable[..., Told], project: Path
) -> None:
    train("a", 100)
    assert train("b", 100)[_USUAL] == 100
    broken = as_stage(project, failing(KeyboardInterrupt(), episode_reward=1.0), "train_rainbow")
    run(replace(broken, settings_type=TrainingProbeSettings), "training.num_frames=300000", "data.symbol=BTC")
    found = told("train_rainbow")
    assert (found[_REWARD], math.isnan(found[_USUAL])) == (1, True)


def test_usual_duration_of_a_training_is_that_of_its_budget(train: Callable[..., Told]) -> None:
    usual, took = ("stage_usual_duration_seconds", "train_rainbow"), ("stage_duration_seconds", "train_rainbow")
    first = train("a", 100)
    assert math.isnan(train("b", 3, frames=6_400)[usual])
    assert train("c", 100)[usual] == first[took]


def test_drift_of_what_is_gone_or_long_unchecked_is_forgotten(
    run: Callable[..., int], told: Callable[..., Told], project: Path
) -> None:
    def check(absent: str = "", **checked: float) -> None:
        figures = {f"{subject}.status": 1.0 for subject in checked}
        figures |= {f"{subject}.checked_timestamp_seconds": at for subject, at in checked.items()}
        details = {"absent_subjects": absent}
        run(as_stage(project, giving(stage="check_data_drift", metrics=figures, details=details), "check_data_drift"))

    def subjects() -> set[str]:
        return {name[1] for name in told("check_data_drift") if name[0] == "drift_status"}

    now, day = time.time(), 86400.0
    check(features=now, actions=now, news_scores=now - 27 * day, observation=now - 29 * day)
    check(features=now)  # the others were not asked for, this time or any more
    assert subjects() == {"features", "actions", "news_scores"}
    check(absent="observation,actions", features=now)  # the model is not there any more
    assert subjects() == {"features", "news_scores"}
    assert told("check_data_drift")["stage_success", "check_data_drift"] == 1


def test_history_that_cannot_be_written_keeps_nothing_from_the_gateway(
    run: Callable[..., int], project: Path, gateway: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    place = project / "reports/metrics/durations"
    place.parent.mkdir(parents=True)
    place.write_text("no folder")
    assert run(STAGE, "metrics.sink=pushgateway", f"metrics.pushgateway_url={gateway.url}") == 0
    pushed = {sample.metric.name: sample.value for sample in samples_in(gateway.put["/metrics/job/probe"])}
    assert pushed["trading_stage_success"] == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "the metrics of probe are not all reported" in line


def test_validation_tells_how_many_expectations_failed(
    run: Callable[..., int], told: Callable[..., Told], project: Path
) -> None:
    failed = failing(FailedExpectationsError("bars fail 2 of 20 checks", failed=2))
    assert run(as_stage(project, failed, "ingest_data")) == DataError.exit_code
    assert told("ingest_data")["validation_failed_expectations", "ingest_data"] == 2
    assert run(as_stage(project, giving(stage="ingest_data"), "ingest_data")) == 0
    assert told("ingest_data")["validation_failed_expectations", "ingest_data"] == 0


def test_training_that_diverged_tells_so_with_its_last_figures(
    run: Callable[..., int], told: Callable[..., Told], project: Path
) -> None:
    diverged = failing(DivergenceError("training diverged"), **{"episode_reward": -3.5, "train/critic_loss": 8.0})
    run(as_stage(project, diverged, "train_rl_agent"))
    found = told("train_rl_agent")
    assert found["training_diverged", "stock_trading", "train_rl_agent"] == 1
    assert (found["training_reward", "stock_trading"], found["training_loss", "stock_trading"]) == (-3.5, 8.0)
    run(as_stage(project, giving(stage="train_rl_agent"), "train_rl_agent"))
    assert told("train_rl_agent")["training_diverged", "stock_trading", "train_rl_agent"] == 0


def test_sigterm_is_told_as_a_failure(run: Callable[..., int], told: Callable[..., Told]) -> None:
    def terminated(settings: ProbeSettings, tracker: Tracker) -> StageResult:
        os.kill(os.getpid(), signal.SIGTERM)
        return probe(settings, tracker)

    assert run(replace(STAGE, run=terminated)) == 130
    assert told()["stage_success", "probe"] == 0


def test_sink_that_is_down_costs_one_line_and_no_success(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(STAGE, "metrics.sink=pushgateway", "metrics.pushgateway_url=http://127.0.0.1:1") == 0
    out, err = capsys.readouterr()
    assert StageResult.model_validate_json(out).stage == "probe"
    (line,) = err.strip().splitlines()
    assert "the metrics of probe are not all reported" in line


def test_failure_has_the_last_word_beside_a_sink_that_is_down(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    down = ("metrics.sink=pushgateway", "metrics.pushgateway_url=http://127.0.0.1:1")
    assert run(failing(DataError("no bars")), *down) == DataError.exit_code
    first, last = capsys.readouterr().err.strip().splitlines()
    assert "not all reported" in first
    assert last.endswith("probe: no bars")


def test_full_disk_is_told_to_the_gateway_alone(
    run: Callable[..., int], told: Callable[..., Told], gateway: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    capsys.readouterr()
    full = failing(OSError(errno.ENOSPC, "No space left on device"))
    before = told()
    run(full, "metrics.sink=pushgateway", f"metrics.pushgateway_url={gateway.url}")
    assert told() == pytest.approx(before, nan_ok=True)
    pushed = {sample.metric.name: sample.value for sample in samples_in(gateway.put["/metrics/job/probe"])}
    success, since = "trading_stage_success", "stage_last_success_timestamp_seconds"
    assert (pushed[success], pushed[f"trading_{since}"]) == (0, before[since, "probe"])
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_command_that_cannot_read_its_settings_tells_nothing(run: Callable[..., int], project: Path) -> None:
    assert run(STAGE, "window=0") == 2
    assert not (project / "reports" / "metrics").exists()
