"""A challenger becomes champion by a stored, passing verdict, and in no other way."""

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deployment.promotion import promote_to_paper as stage
from experiment_tracking.metric_sinks import TextFileSink
from MLOps import failpoints
from MLOps.artifacts import read_result, sha256_of
from MLOps.errors import RegistryError
from MLOps.settings.project import project_root
from model_registry.family import STOCK_TRADING
from model_registry.stock_policy import load_champion

NAME = "stock_trading"
CHAMPION, GATES = STOCK_TRADING.champion_alias, STOCK_TRADING.gates
Arena = Any  # of this folder's conftest.py
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line; gives its status, its last line of output as JSON, and what it told."""

    def call(arena: Arena, *argv: str) -> dict[str, Any]:
        capsys.readouterr()
        status = stage.main([*arena.overrides, *argv])
        out, err = capsys.readouterr()
        return {"status": status, "result": json.loads(out.splitlines()[-1]) if out else None, "err": err}

    return call


def verdict_of(said: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(Path(said["result"]["artifacts"]["verdict"]["path"]).read_text()))


@pytest.mark.parametrize("kind", ["filesystem", "mlflow"])
def test_model_that_passes_every_gate_becomes_champion(make_arena: Callable[..., Arena], run: Run, kind: str) -> None:
    arena = make_arena(kind)
    first, challenger = arena.champion, arena.challenger
    arena.write_backtest(edge=0.002)
    said = run(arena)
    verdict = verdict_of(said)
    assert said["status"] == 0
    assert said["result"]["details"]["verdict"] == "passed"
    assert [(gate["gate"], gate["passed"]) for gate in verdict["gates"]] == [(gate, True) for gate in GATES]
    assert (verdict["model_digest"], verdict["champion_digest"]) == (challenger.digest, first.digest)
    assert load_champion(arena.registry, NAME).version == challenger
    assert [stored.model_dump(mode="json") for stored in arena.registry.verdicts(challenger)] == [verdict]
    assert Path(said["result"]["folder"]).name.startswith("2021-04-30-")
    assert "passed all 9 gates" in said["err"]
    text = (Path(said["result"]["folder"]) / "verdict.md").read_text()
    assert f"- champion it was compared to: {first}" in text
    told = {
        (sample.metric.name.removeprefix("trading_"), sample.label_values): sample.value
        for job in ("promote_to_paper", "champions")
        for sample in TextFileSink(arena.settings.paths.reports / "metrics").read(job)
    }
    assert told["promotion_passed", (NAME,)] == told["champion_has_verdict", (NAME,)] == 1
    assert told["champion_version", (NAME,)] == challenger.version
    assert [told["promotion_gate_passed", (NAME, gate)] for gate in GATES] == [1] * len(GATES)


@pytest.mark.parametrize("kind", ["filesystem", "mlflow"])
def test_rejected_model_is_a_normal_result_with_reasons(make_arena: Callable[..., Arena], run: Run, kind: str) -> None:
    arena = make_arena(kind)
    first = arena.champion
    arena.write_backtest(edge=-0.002, max_drawdown=0.36, turnover=31.0)
    said = run(arena)
    details = said["result"]["details"]
    assert (said["status"], details["verdict"]) == (0, "rejected")
    failed = [gate["gate"] for gate in verdict_of(said)["gates"] if not gate["passed"]]
    assert failed == ["max_drawdown", "turnover_per_year", "annual_return_difference", "sharpe_difference_lower"]
    for reason in ("max_drawdown 0.36 is above 0.35", "turnover_per_year 31 is above 30", "is not above -0.10"):
        assert reason in details["reasons"]
        assert reason in said["err"]
    assert arena.champion == first
    (stored,) = arena.registry.verdicts(arena.challenger)
    assert stored.outcome == "rejected"


def test_limits_belong_to_the_allowed_side(arena: Arena, run: Run) -> None:
    arena.write_backtest(edge=0.002, max_drawdown=0.35, turnover=30.0)
    assert run(arena)["result"]["details"]["verdict"] == "passed"


@pytest.mark.parametrize(("margin", "outcome"), [("0.1", "passed"), ("0", "rejected")])
def test_equal_returns_are_within_the_margin_and_not_above_none(
    arena: Arena, run: Run, margin: str, outcome: str
) -> None:
    arena.write_backtest(edge=0.0)
    said = run(arena, f"gates.sharpe_margin={margin}")
    assert said["result"]["details"]["verdict"] == outcome
    assert said["result"]["metrics"]["sharpe_difference_lower"] == 0.0


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (("terms.account.buy_cost_bps=0",), "the backtest had buy_cost_bps 0, not 10"),
        (("terms.account.execution_lag_sessions=0",), "the backtest had execution_lag_sessions 0, not 1"),
        (("terms.sessions_per_year=365",), "the backtest had sessions_per_year 365, not 252"),
        (("terms.account.allow_fractional_shares=true",), "the backtest had allow_fractional_shares true, not false"),
        (("terms.account.root_impact_bps=5",), "the backtest had root_impact_bps 5, not 0"),
    ],
)
def test_what_if_on_other_terms_promotes_nobody(arena: Arena, run: Run, terms: tuple[str, ...], reason: str) -> None:
    first = arena.champion
    arena.write_backtest(edge=0.002, terms=terms)
    said = run(arena)
    assert said["result"]["details"]["verdict"] == "rejected"
    assert said["result"]["details"]["reasons"] == reason
    assert arena.champion == first
    told = {gate["gate"]: (gate["figure"], gate["threshold"]) for gate in verdict_of(said)["gates"]}
    assert told["evaluation_terms"][1] == (
        "starting_cash 1e+06, buy_cost_bps 10, sell_cost_bps 10, execution_lag_sessions 1, "
        "allow_fractional_shares false, slippage_bps 0, linear_impact_bps 0, root_impact_bps 0, sessions_per_year 252"
    )
    assert told["test_window"] == ("2021-01-01 to 2021-04-30, 120 sessions",) * 2


def test_baselines_are_the_backtests_own(arena: Arena, run: Run) -> None:
    arena.write_backtest(edge=0.002, terms=("terms.baselines.random_paths=3",))
    assert run(arena)["result"]["details"]["verdict"] == "passed"


def test_window_that_was_picked_promotes_nobody(arena: Arena, run: Run) -> None:
    arena.write_backtest(edge=0.002, first_date=date(2021, 3, 1))
    details = run(arena)["result"]["details"]
    assert details["verdict"] == "rejected"
    assert details["reasons"] == (
        "the backtest traded 2021-03-01 to 2021-04-30, 61 sessions, not 2021-01-01 to 2021-04-30, 120 sessions"
    )


def test_window_too_short_to_count_promotes_nobody(arena: Arena, run: Run) -> None:
    arena.write_backtest(edge=0.002)
    details = run(arena, "evidence.split.test_sessions=252")["result"]["details"]
    assert details["verdict"] == "rejected"
    assert "252 sessions" in details["reasons"]


def test_model_that_loses_more_wildly_is_rejected_though_its_sharpe_is_higher(arena: Arena, run: Run) -> None:
    arena.write_backtest()
    replace_returns(arena, champion=lambda returns: returns - 0.005, model=lambda champion: 4 * champion + 0.01)
    gates = {gate["gate"]: gate for gate in verdict_of(run(arena, "gates.sharpe_margin=5"))["gates"]}
    assert "difference to the champion +" in gates["sharpe_difference_lower"]["reason"]
    assert gates["annual_return_difference"]["figure"] < 0
    assert [name for name, gate in gates.items() if not gate["passed"]] == ["annual_return_difference"]


def test_better_but_undecided_is_rejected(arena: Arena, run: Run) -> None:
    """The champion's returns backwards and a trifle more: a positive difference, and nobody knows if it lasts."""
    arena.write_backtest()
    replace_returns(arena, lambda champion: champion[::-1] + 1e-5)
    gate = verdict_of(run(arena))["gates"][-1]
    assert not gate["passed"]
    assert "difference to the champion +" in gate["reason"]
    assert gate["figure"] < -0.1


def replace_returns(
    arena: Arena,
    model: Callable[[np.ndarray], np.ndarray],
    champion: Callable[[np.ndarray], np.ndarray] = np.copy,
) -> None:
    """Publish a whole backtest whose champion earned `champion(its returns)` and whose model `model(those)`."""
    folder = (arena.settings.paths.reports / "backtests" / "latest").resolve()
    result = read_result(folder)
    assert result is not None
    path = folder / "returns.parquet"
    frame = pd.read_parquet(path)
    returns = champion(frame["champion"].to_numpy())
    frame.assign(champion=returns, model=model(returns)).to_parquet(path, index=False)
    artifact = result.artifacts["returns"].model_copy(update={"sha256": sha256_of(path)})
    result = result.model_copy(update={"artifacts": result.artifacts | {"returns": artifact}})
    (folder / "result.json").write_text(result.model_dump_json())


@pytest.mark.parametrize(
    ("figures", "reason"), [({"turnover": None}, "turnover_per_year is undefined"), ({}, "Sharpe difference")]
)
def test_undefined_figures_pass_no_gate(arena: Arena, run: Run, figures: dict[str, None], reason: str) -> None:
    arena.write_backtest(edge=0.002, **figures)
    if not figures:
        replace_returns(arena, np.zeros_like)
    details = run(arena)["result"]["details"]
    assert details["verdict"] == "rejected"
    assert reason in details["reasons"]
    assert "undefined" in details["reasons"]


def test_model_of_another_schema_is_rejected(arena: Arena, run: Run) -> None:
    arena.register(0.5, tickers=("AAA", "ZZZ"))
    arena.write_backtest(edge=0.002)
    gates = {gate["gate"]: gate for gate in verdict_of(run(arena))["gates"]}
    assert tuple(gates) == GATES
    assert not gates["observation_schema"]["passed"]
    assert "those that the model was trained on: AAA, ZZZ" in gates["observation_schema"]["reason"]
    assert not gates["finite_forward_pass"]["passed"]
    assert gates["max_drawdown"]["passed"]


def test_same_promotion_again_finds_itself_done(arena: Arena, run: Run) -> None:
    arena.write_backtest(edge=0.002)
    first, again = run(arena), run(arena)
    assert (first["result"]["status"], again["result"]["status"]) == ("made", "already_made")
    assert again["result"]["artifacts"] == first["result"]["artifacts"]
    assert again["result"]["details"]["verdict"] == "passed"
    assert len(arena.registry.verdicts(arena.challenger)) == 1


def test_champion_that_is_judged_again_is_told_plainly(arena: Arena, run: Run) -> None:
    arena.write_backtest(edge=0.002)
    run(arena)
    champion = arena.champion
    arena.write_backtest(edge=0.0)
    said = run(arena)
    assert (said["status"], said["result"]["details"]["verdict"]) == (0, "already_champion")
    assert "is the champion already; there is nothing to decide" in said["err"]
    assert verdict_of(said)["gates"] == []
    assert arena.champion == champion
    assert len(arena.registry.verdicts(champion)) == 1


def test_equal_weight_as_its_own_challenger_stays(arena: Arena, run: Run) -> None:
    first = arena.champion
    arena.registry.set_alias(NAME, "challenger", first.version)
    arena.write_backtest(edge=0.0)
    assert run(arena)["result"]["details"]["verdict"] == "already_champion"
    assert arena.champion == first


def test_alias_that_was_moved_by_hand_is_refused(arena: Arena, run: Run) -> None:
    arena.write_backtest(edge=0.002)
    arena.registry.set_alias(NAME, CHAMPION, arena.challenger.version)
    said = run(arena)
    assert said["status"] == 6
    assert "which has no passing verdict" in said["err"]
    assert len(said["err"].strip().splitlines()) == 1
    with pytest.raises(RegistryError, match="no passing verdict"):
        load_champion(arena.registry, NAME)


def test_second_promotion_needs_a_backtest_beside_the_new_champion(arena: Arena, run: Run) -> None:
    first = arena.champion
    arena.write_backtest(edge=0.002)
    run(arena)
    second = arena.register(0.7)
    arena.write_backtest(edge=0.002, champion=first.digest)
    refused = run(arena)
    assert refused["status"] == 3
    assert "beside the present champion" in refused["err"]
    arena.write_backtest(edge=0.002)
    assert run(arena)["result"]["details"]["verdict"] == "passed"
    assert arena.champion == second


def other_model(arena: Arena) -> None:
    arena.write_backtest(model="0" * 64)


def without_champion(arena: Arena) -> None:
    arena.write_backtest(columns=("model",))


def other_features(arena: Arena) -> None:
    arena.write_backtest()
    arena.write_features(seed=2)


def altered_returns(arena: Arena) -> None:
    path = arena.write_backtest() / "returns.parquet"
    path.write_bytes(path.read_bytes() + b" ")


def altered_model(arena: Arena) -> None:
    arena.write_backtest()
    path = arena.registry.fetch(arena.challenger) / "policy.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")


def missing_backtest(_arena: Arena) -> None:
    """Nothing was run."""


def missing_features(arena: Arena) -> None:
    arena.write_backtest()
    (arena.settings.paths.processed / "processed_data_with_features.parquet").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_model, "the backtest is of the model 000000000000; allowed: a backtest of stock_trading version 1"),
        (without_champion, "has no champion"),
        (other_features, "the backtest did not run on"),
        (altered_returns, "holds no whole backtest"),
        (altered_model, "has digest"),
        (missing_backtest, "holds no whole backtest"),
        (missing_features, "does not exist"),
    ],
)
def test_bad_evidence_is_one_line_and_moves_nothing(
    arena: Arena, run: Run, spoil: Callable[[Arena], None], message: str
) -> None:
    spoil(arena)
    first = arena.champion
    said = run(arena)
    assert (said["status"], said["result"]) == (3, None)
    assert message in said["err"].splitlines()[-1]
    assert "Traceback" not in said["err"]
    assert arena.champion == first
    assert not list(arena.settings.paths.reports.glob("promotions/*"))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--model_alias", "nobody"], "stock_trading has no nobody"),
        (["--model_version", "99"], "holds no version 99 of stock_trading"),
        (["--model_alias", "../x"], "letters, digits, _ and -"),
    ],
)
def test_unknown_model_is_one_line(arena: Arena, run: Run, argv: list[str], message: str) -> None:
    arena.write_backtest()
    said = run(arena, *argv)
    assert said["status"] == 6
    assert message in said["err"]


def test_version_can_be_named(arena: Arena, run: Run) -> None:
    version = arena.challenger
    arena.write_backtest(edge=0.002)
    arena.register(0.9)
    folder = arena.settings.paths.reports / "backtests" / "latest"
    said = run(arena, "--model_version", str(version.version), "--backtest_path", str(folder))
    assert said["result"]["details"]["model_version"] == version.version
    assert arena.champion == version


@pytest.mark.parametrize("point", ["before_write", "before_rename", "after_rename", "after_verdict"])
def test_killed_promotion_ends_right_when_it_runs_again(
    make_arena: Callable[..., Arena], run: Run, die_at: Callable[..., None], point: failpoints.Point
) -> None:
    undisturbed, arena = make_arena(name="undisturbed"), make_arena()
    for each in (undisturbed, arena):
        each.write_backtest(edge=0.002)
    first = arena.champion
    expected = run(undisturbed)["result"]["artifacts"]
    die_at(point, lambda: stage.main(arena.overrides))
    assert arena.champion == first
    assert bool(arena.registry.verdicts(arena.challenger)) == (point == "after_verdict")
    artifacts = run(arena)["result"]["artifacts"]
    assert {name: artifacts[name]["sha256"] for name in artifacts} == {
        name: expected[name]["sha256"] for name in expected
    }
    assert arena.champion == arena.challenger


@pytest.mark.parametrize("point", ["after_verdict", "before_tracking"])
def test_interrupted_promotion_is_tracked_in_the_end(
    make_arena: Callable[..., Arena], run: Run, point: failpoints.Point
) -> None:
    from experiment_tracking import mlflow_utils

    def interrupt() -> None:
        raise KeyboardInterrupt

    arena = make_arena("mlflow")
    arena.write_backtest(edge=0.002)
    failpoints.arm(point, interrupt)
    assert run(arena)["status"] == 130
    assert (arena.champion == arena.challenger) == (point == "before_tracking")
    failpoints.disarm()
    result = run(arena)["result"]
    assert (result["status"], result["details"]["verdict"]) == ("already_made", "passed")
    assert arena.champion == arena.challenger
    client = mlflow_utils.open_client(arena.settings)
    found = mlflow_utils.find_run(client, mlflow_utils.experiment_id(client, arena.settings), result["key"])
    assert found is not None
    assert (found.info.status, found.data.tags["detail.verdict"]) == ("FINISHED", "passed")
    kept = {info.path for info in client.list_artifacts(found.info.run_id)}
    assert {"verdict.md", "result.json", "outputs"} <= kept


@pytest.mark.parametrize("room", [100, 2_000], ids=["at_once", "in_the_verdict"])
def test_full_disk_is_one_line_and_moves_nothing(arena: Arena, run: Run, room: int) -> None:
    arena.write_backtest(edge=0.002)
    first = arena.champion
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        with os.fdopen(writing, "w") as sys.stderr:
            status = stage.main(arena.overrides)
        os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = told.read().splitlines()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 5, lines
    assert len(lines) == 1
    assert "the disk is full" in lines[0]
    assert arena.champion == first
    assert arena.registry.verdicts(arena.challenger) == ()
    assert not list(arena.settings.paths.reports.glob("promotions/*"))
    assert run(arena)["result"]["details"]["verdict"] == "passed"
    assert not list(arena.workspace.rglob("*.partial"))


def test_server_that_is_down_is_one_line(arena: Arena, run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = run(arena, f"tracking.uri=http://127.0.0.1:{port}", "registry.kind=mlflow")
    assert said["status"] == 4
    assert "does not answer" in said["err"]


def test_command_line_in_a_process_of_its_own(arena: Arena) -> None:
    arena.write_backtest(edge=0.002)
    command = [sys.executable, str(project_root() / "deployment/promotion/promote_to_paper.py"), *arena.overrides]
    done = subprocess.run(command, capture_output=True, text=True, cwd=arena.workspace, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["details"]["verdict"] == "passed"
    assert arena.champion == arena.challenger
