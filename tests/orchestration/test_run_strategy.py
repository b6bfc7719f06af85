"""The plan without Airflow: order, wiring, failures, records."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from MLOps.errors import DataError
from pipelines.orchestration import run_strategy, summary
from pipelines.orchestration.chain_record import newest_chain, read_chain
from pipelines.orchestration.load_plan import load_plan
from pipelines.orchestration.summary import as_text, summarize

WriteStage = Callable[[str, str], Path]
Chain = Callable[..., int]


@pytest.fixture
def run_pair(
    plan_values: dict[str, Any],
    write_plan: Callable[..., Path],
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Chain:
    """Runs the plan `pair` through the command line, in a workspace of the test's own."""
    folder = write_plan(plan_values)
    monkeypatch.setattr(run_strategy, "load_plan", lambda name: load_plan(name, folder))
    return lambda *overrides: run_strategy.main(
        ["pair", "--run_date", "2024-03-05", f"paths.workspace='{workspace}'", *overrides]
    )


def test_runs_every_stage_and_tells_the_outcome(
    run_pair: Chain, workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_pair("fill_limit_sessions=3", "window.first_date=2020-01-02") == 0
    captured = capfd.readouterr()
    chain, steps = read_chain(newest_chain(workspace / "reports"))
    assert [step.stage for step in steps] == ["build_features", "run_backtest"]
    first, second = (str(step.result and step.result.details["arguments"]) for step in steps)
    assert first == f"--run_date 2024-03-05 paths.workspace='{workspace}' fill_limit_sessions=3"
    assert f'features_path="{tmp_path}/stages/features.parquet"' in second
    assert "window.first_date=2020-01-02" in second
    assert "fill_limit_sessions" not in second
    assert chain.run_date == date(2024, 3, 5)
    assert "verdict: passed" in captured.out
    assert captured.err.index("building") < captured.err.index("[2/2] run_backtest") < captured.err.index("testing")


def test_what_is_a_steps_own_is_not_overridden(
    plan_values: dict[str, Any], write_plan: Callable[..., Path], run_pair: Chain, workspace: Path
) -> None:
    plan_values["steps"][0]["own"] = ["registry.model_name"]
    write_plan(plan_values)
    assert run_pair("registry.model_name=mine") == 0
    _, steps = read_chain(newest_chain(workspace / "reports"))
    reached = ["registry.model_name=mine" in str(step.result and step.result.details["arguments"]) for step in steps]
    assert reached == [False, True]


def test_a_plans_overrides_lie_over_its_steps_and_below_what_a_person_gives(
    plan_values: dict[str, Any], write_plan: Callable[..., Path], run_pair: Chain, workspace: Path
) -> None:
    plan_values["overrides"] = {"fill_limit_sessions": 3, "registry.model_name": "mine", "registry.kind": "filesystem"}
    plan_values["steps"][0]["own"] = ["registry.kind"]
    write_plan(plan_values)
    assert run_pair("registry.model_name=yours") == 0
    chain, steps = read_chain(newest_chain(workspace / "reports"))
    first, second = (str(step.result and step.result.details["arguments"]).split() for step in steps)
    assert first[2:] == ["fill_limit_sessions=3", "registry.model_name=yours", f"paths.workspace='{workspace}'"]
    assert 'registry.kind="filesystem"' in second
    assert "registry.model_name=yours" in second
    assert chain.overrides == (f"paths.workspace='{workspace}'", "registry.model_name=yours")


@pytest.mark.parametrize("whole", ["registry={model_name: mine}", "registry={kind: filesystem}"])
def test_a_section_given_whole_that_holds_a_steps_own_is_refused(
    whole: str,
    plan_values: dict[str, Any],
    write_plan: Callable[..., Path],
    run_pair: Chain,
    workspace: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    plan_values["steps"][0]["own"] = ["registry.model_name"]
    write_plan(plan_values)
    assert run_pair(whole) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert f"{whole} (build_features: registry.model_name) would reach what a stage has of its own" in line
    assert "the keys of the section one by one" in line
    assert not (workspace / "reports").exists()


def test_the_record_of_a_run_holds_no_password(run_pair: Chain, workspace: Path) -> None:
    assert run_pair("tracking.uri=http://me:secret@127.0.0.1:8081") == 0
    chain, _ = read_chain(newest_chain(workspace / "reports"))
    assert "tracking.uri=http://***@127.0.0.1:8081" in chain.overrides


def test_after_a_failure_no_later_stage_is_started(
    run_pair: Chain, write_stage: WriteStage, workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_stage("build_features", 'say("12:00:00 build_features: close is NaN"); sys.exit(3)')
    write_stage("run_backtest", '(HERE / "started").touch(); finish()')
    assert run_pair() == 3
    assert not (tmp_path / "stages" / "started").exists()
    assert capfd.readouterr().err.splitlines()[-1] == "pair: build_features: close is NaN"
    found = summarize(newest_chain(workspace / "reports"))
    assert found.failures == {"build_features": "build_features: close is NaN"}
    assert not found.is_complete
    assert found.outcome == {}


FAILS_ONCE = """
tries = HERE / "tries"
count = len(tries.read_text()) if tries.exists() else 0
tries.write_text("x" * (count + 1))
if count == 0:
    sys.exit({status})
finish()
"""


@pytest.mark.parametrize(("status", "tries", "exit_status"), [(4, 2, 0), (2, 1, 2)])
def test_only_a_failure_that_may_pass_is_tried_again(
    status: int,
    tries: int,
    exit_status: int,
    plan_values: dict[str, Any],
    run_pair: Chain,
    write_plan: Callable[..., Path],
    write_stage: WriteStage,
    tmp_path: Path,
) -> None:
    plan_values["steps"][0]["retries"] = 3
    write_plan(plan_values)
    write_stage("build_features", FAILS_ONCE.format(status=status))
    assert run_pair() == exit_status
    assert len((tmp_path / "stages" / "tries").read_text()) == tries


def test_a_setting_that_no_stage_knows_is_refused_before_anything_runs(
    run_pair: Chain, workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_pair("wings=2") == 2
    assert "wings=2: no stage of pair has this setting" in capfd.readouterr().err
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize("text", ["wings", "=", ""])
def test_what_is_no_override_is_refused(run_pair: Chain, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_pair(text) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_an_unknown_plan_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_strategy.main(["weekly"]) == 2
    told = "weekly: there is no plan 'weekly'; allowed: crypto_data, crypto_timing, crypto_timing_eth, daily_data"
    assert capfd.readouterr().err.startswith(told)


def test_the_ratio_compares_wall_time_with_the_stages_own(run_pair: Chain, workspace: Path) -> None:
    run_pair()
    found = summarize(newest_chain(workspace / "reports"), wall_seconds=0.6)
    assert found.stage_seconds == {"build_features": 0.25, "run_backtest": 0.25}
    assert found.ratio == pytest.approx(1.2)
    assert "1.20 of the sum" in as_text(found)


def test_seconds_stand_in_one_column_however_long_the_names(run_pair: Chain, workspace: Path) -> None:
    run_pair()
    found = summarize(newest_chain(workspace / "reports"))
    long_names = [step.model_copy(update={"stage": f"{step.stage}_{'long' * 4}"}) for step in found.steps[:1]]
    lines = as_text(replace(found, steps=long_names + found.steps[1:])).splitlines()
    ends = {line.index(" s  ") if " s  " in line else len(line) - 2 for line in lines if line.startswith("  ")}
    assert len(ends) == 1


def test_the_newest_run_is_told_from_the_command_line(
    run_pair: Chain, workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_pair()
    capfd.readouterr()
    assert summary.main(["--workspace", str(workspace)]) == 0
    assert "verdict: passed" in capfd.readouterr().out
    later = datetime.now(UTC) + timedelta(hours=1)
    assert summary.main(["--workspace", str(workspace), "--begun_after", later.isoformat()]) == DataError.exit_code


def test_a_run_of_another_plan_is_not_the_one_that_is_asked_for(
    run_pair: Chain, workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_pair()
    folder = newest_chain(workspace / "reports")
    other = folder.with_name("begun-later")
    shutil.copytree(folder, other)
    record = json.loads((other / "chain.json").read_text())
    record |= {"plan": "other", "started_at": datetime.now(UTC).isoformat()}
    (other / "chain.json").write_text(json.dumps(record))
    assert newest_chain(workspace / "reports") == other
    assert newest_chain(workspace / "reports", plan="pair") == folder
    capfd.readouterr()
    assert summary.main(["--workspace", str(workspace), "--plan", "pair"]) == 0
    assert capfd.readouterr().out.startswith("pair, ")


def test_a_folder_without_a_record_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert summary.main([str(tmp_path)]) == 3
    assert "holds no record of a chain" in capfd.readouterr().err


def test_records_are_plain_json(run_pair: Chain, workspace: Path) -> None:
    run_pair()
    folder = newest_chain(workspace / "reports")
    step = json.loads((folder / "02-run_backtest.json").read_text())
    assert step["result"]["details"]["verdict"] == "passed"
