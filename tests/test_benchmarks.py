"""The harness of the benchmarks: names, ratios, the file of figures, the peer in another interpreter."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)


def row(measure: object, target_ratio: float = 10.0) -> object:
    from comparison import Row

    return Row(unit="ms", is_higher_better=False, target_ratio=target_ratio, measure=measure)


def measurement(peer: tuple[float, ...] = (50.0, 40.0, 90.0), ours: tuple[float, ...] = (2.0, 9.0, 1.0)) -> object:
    from comparison import Measurement, Timing

    return Measurement(Timing(peer, ours), check="equal", size={"sessions": 3})


def test_median_of_each_and_how_many_times_better() -> None:
    import records

    record = records.measured("a", row(None), measurement(), {})
    assert (record["peer"], record["ours"], record["ratio"]) == (50.0, 2.0, 25.0)
    assert record["is_target_met"]
    assert record["checked"]


@pytest.mark.parametrize(
    ("figure", "is_floor", "is_met"),
    [(1.2, False, False), (1.15, False, True), (1.1, True, False), (1.15, True, True), (float("nan"), True, False)],
)
def test_demand_is_met_up_to_its_bound(figure: float, is_floor: bool, is_met: bool) -> None:
    from comparison import Demand

    demand = Demand("flatness", figure, 1.15, "", is_floor)
    assert demand.is_met is is_met
    assert demand.in_words().startswith("met: flatness" if is_met else "MISSED: flatness")


def test_missed_demand_is_printed_and_stored_though_the_ratio_is_met(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from comparison import Demand

    demands = (Demand("speed", 1.5e6, 2e6, "steps/s", is_floor=True), Demand("time", 9.0, 30.6, "ms", is_floor=False))
    assert run_with(monkeypatch, lambda **_: replace(measurement(), demands=demands), tmp_path)
    _, first, second = (line.strip() for line in capsys.readouterr().out.splitlines())
    assert first == "MISSED: speed: 1,500,000, at least 2,000,000 steps/s"
    assert second == "met: time: 9, at most 30.6 ms"
    (record,) = json.loads((tmp_path / "benchmarks.json").read_text())
    assert [demand["is_met"] for demand in record["demands"]] == [False, True]
    assert record["is_target_met"]


def test_shipped_defaults_differ_from_the_librarys_in_their_schedule_alone() -> None:
    """So that the schedule is all that the benchmark must take from them."""
    from inspect import signature

    from our_ppo import SHIPPED, shipped_hyperparameters
    from stable_baselines3 import PPO

    defaults = {name: parameter.default for name, parameter in signature(PPO).parameters.items()}
    shipped = shipped_hyperparameters()
    rest = {name: value for name, value in shipped.items() if name not in vars(SHIPPED)}
    assert rest == {name: defaults[name] for name in rest}
    assert {"gamma", "gae_lambda", "n_epochs", "clip_range"} <= set(rest)


@pytest.mark.parametrize(("is_higher_better", "expected"), [(True, 0.25), (False, 4.0)])
def test_ratio_tells_how_many_times_better_ours_is(is_higher_better: bool, expected: float) -> None:
    from comparison import ratio

    assert ratio(5.0, 20.0, is_higher_better=is_higher_better) == expected


def test_peer_and_ours_run_in_turns() -> None:
    from comparison import in_turns

    calls: list[str] = []

    def measure(who: str, value: float) -> float:
        calls.append(who)
        return value

    timing = in_turns(lambda: measure("peer", 3.0), lambda: measure("ours", 1.0), runs=2)
    assert calls == ["peer", "ours", "peer", "ours"]
    assert timing.peer_runs == (3.0, 3.0)
    assert timing.ours_runs == (1.0, 1.0)


def test_merge_replaces_the_row_of_that_name_and_keeps_the_others(tmp_path: Path) -> None:
    import records

    path = tmp_path / "reports" / "benchmarks.json"
    for record in ({"name": "a", "ours": 1}, {"name": "b", "ours": 2}, {"name": "a", "ours": 3}):
        records.merge(path, record)
    assert json.loads(path.read_text()) == [{"name": "a", "ours": 3}, {"name": "b", "ours": 2}]
    assert [place.name for place in path.parent.iterdir()] == ["benchmarks.json"]


def test_write_that_dies_leaves_the_old_file(tmp_path: Path) -> None:
    import records

    path = tmp_path / "benchmarks.json"
    records.merge(path, {"name": "a", "ours": 1})
    with pytest.raises(ValueError, match="JSON"):
        records.merge(path, {"name": "b", "ours": float("nan")})
    assert json.loads(path.read_text()) == [{"name": "a", "ours": 1}]


def test_unknown_row_is_told_in_one_line_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    import run_rows

    assert run_rows.main(["envstep"]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "envstep" in line
    assert all(name in line for name in run_rows.ROWS)


def test_rows_come_in_their_own_order_and_all_by_default() -> None:
    from command_line import chosen

    assert chosen((), ("a", "b", "c")) == ("a", "b", "c")
    assert chosen(("b", "a"), ("a", "b", "c")) == ("a", "b")


def test_each_row_and_each_long_run_has_its_module() -> None:
    import run_long
    import run_rows

    assert {path.stem for path in (FOLDER / "rows").glob("*.py")} == set(run_rows.ROWS)
    assert {path.stem for path in (FOLDER / "long").glob("*.py")} == set(run_long.PARTS)


@pytest.mark.parametrize(
    ("ours", "problem"),
    [([1.0, 2.1], "differs"), ([1.0, np.nan], "differs"), ([1.0], "shapes")],
    ids=["other value", "not a number", "other shape"],
)
def test_unequal_results_are_refused(ours: list[float], problem: str) -> None:
    from comparison import NotEqualError, require_equal

    with pytest.raises(NotEqualError, match=problem):
        require_equal("states", ours, [1.0, 2.0], rtol=1e-9)


def test_equal_results_tell_how_close_they_are() -> None:
    from comparison import require_equal

    assert "2 values, largest relative difference 5.0e-07" in require_equal("x", [1, 2.000001], [1, 2], rtol=1e-6)


def run_with(monkeypatch: pytest.MonkeyPatch, measure: object, reports: Path) -> bool:
    """`run_rows.run_row` of a row that measures so."""
    import run_rows

    module = ModuleType("rows.a")
    monkeypatch.setattr(module, "ROW", row(measure), raising=False)
    monkeypatch.setitem(sys.modules, "rows.a", module)
    return run_rows.run_row("a", reports, is_quick=True)


def test_row_writes_figures_and_chart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from comparison import SizePoint

    points = tuple(SizePoint("step", "n_envs", size, who, 9.0 / size) for size in (1, 4) for who in ("ours", "FinRL"))
    found = replace(measurement(), sizes=points, findings=("half of it in the policy",))
    assert run_with(monkeypatch, lambda **_: found, tmp_path)
    told = capsys.readouterr().out.splitlines()
    assert "25.0 times better (target 10: met)" in told[0]
    assert told[1].strip() == "half of it in the policy"
    (record,) = json.loads((tmp_path / "benchmarks.json").read_text())
    assert len(record["sizes"]) == 4
    page = (tmp_path / "benchmarks.html").read_text()
    assert '"name":"FinRL"' in page
    assert '"name":"ours"' in page


def test_unequal_row_is_not_timed_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from comparison import NotEqualError

    def measure(**_: object) -> None:
        raise NotEqualError("cash: differs by up to 3")

    assert not run_with(monkeypatch, measure, tmp_path)
    assert "NOT EQUAL" in capsys.readouterr().out
    (record,) = json.loads((tmp_path / "benchmarks.json").read_text())
    assert (record["checked"], record["ratio"], record["check"]) == (False, None, "cash: differs by up to 3")


def test_figures_name_no_machine_and_no_place() -> None:
    import platform

    import machine

    told = json.dumps(machine.describe())
    assert {"processor", "cores", "load_1_min", "python", "numpy"} <= set(json.loads(told))
    assert platform.node() not in told
    assert "/" not in told.replace(machine.describe()["processor"], "")


def test_peer_in_another_interpreter_answers_each_time(tmp_path: Path) -> None:
    import peer_process

    script = tmp_path / "peer.py"
    script.write_text(
        "import json, sys\nprint(json.dumps({'given': sys.argv[1]}), flush=True)\n"
        "for n, _ in enumerate(sys.stdin):\n print(json.dumps({'run': n}), flush=True)\n"
    )
    with peer_process.peer_process(Path(sys.executable), script, [Path("inputs.npz")]) as peer:
        assert peer.greeting == {"given": "inputs.npz"}
        assert [peer.run(), peer.run()] == [{"run": 0}, {"run": 1}]


def test_peer_that_dies_is_told(tmp_path: Path) -> None:
    import peer_process

    script = tmp_path / "peer.py"
    script.write_text("raise SystemExit(3)\n")
    with (
        pytest.raises(RuntimeError, match="status 3"),
        peer_process.peer_process(Path(sys.executable), script, []),
    ):
        pass


def test_backtest_inputs_survive_the_way_to_the_peer(tmp_path: Path) -> None:
    from backtest_inputs import BacktestInputs, draw_weights

    inputs = BacktestInputs(np.ones((4, 2)), draw_weights(4, 2), 1e6, 1e-3)
    inputs.save(tmp_path / "inputs.npz")
    read = BacktestInputs.load(tmp_path / "inputs.npz")
    np.testing.assert_array_equal(read.weights, inputs.weights)
    np.testing.assert_allclose(read.weights.sum(axis=1), 0.97)
    assert (read.starting_cash, read.cost_fraction) == (1e6, 1e-3)


def test_finrls_table_and_ours_are_the_same_market() -> None:
    from synthetic_market import make_panel, make_prices, to_long_frame

    prices = make_prices(5, 3)
    table = to_long_frame(prices)
    np.testing.assert_array_equal(table["close"].to_numpy().reshape(-1, 3), prices.close)
    assert table["date"].is_monotonic_increasing
    panel = make_panel(5, 3)
    assert np.isfinite(panel.features).all()
    assert len(np.unique(panel.dates)) == 5


@pytest.mark.parametrize(("flags", "folder"), [([], "reports"), (["--quick"], "reports/quick")])
def test_quick_figures_stay_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: list[str], folder: str
) -> None:
    import command_line

    given: list[tuple[str, Path, bool]] = []
    monkeypatch.setattr(command_line, "project_root", lambda: tmp_path)

    def run_one(name: str, reports: Path, is_quick: bool) -> bool:
        given.append((name, reports, is_quick))
        return True

    assert command_line.run("script.py", "Runs.", ("a", "b"), run_one, ["a", *flags]) == 0
    assert given == [("a", tmp_path / folder, bool(flags))]


def test_interrupted_run_says_that_the_rest_is_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import command_line

    def run_one(*_: object) -> bool:
        raise KeyboardInterrupt

    assert command_line.run("script.py", "Runs.", ("a",), run_one, ["--reports", str(tmp_path)]) == 130
    assert "kept" in capsys.readouterr().err


def test_curve_tells_when_a_reward_was_first_reached() -> None:
    from learning_clock import Spent
    from learning_curve import Curve

    curve = Curve((Spent(10, 1.0, 0.5, 0.5),) * 3, (4.0, 9.0, 7.0))
    assert (curve.final, curve.seconds, curve.samples_per_second) == (7.0, 6.0, 5.0)
    assert [curve.seconds_to(reward) for reward in (4.0, 8.0, 9.5)] == [2.0, 4.0, None]


def test_stopwatches_leave_the_training_as_it_was() -> None:
    import learning_clock
    from stable_baselines3 import PPO

    model = PPO("MlpPolicy", "Pendulum-v1", n_steps=32, batch_size=32, n_epochs=1, device="cpu", seed=0)
    spent = learning_clock.learn(model, 40)
    assert spent.samples == model.num_timesteps == 64
    assert min(spent.environment, spent.acting, spent.learning) > 0
    assert "train" not in vars(model)
    assert "step" not in vars(model.env)
