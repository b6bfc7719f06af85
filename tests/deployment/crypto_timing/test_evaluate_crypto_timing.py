"""The stage as a function, through its command line and as a process; what it finds, and what it refuses."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deployment.backtesting.choose_timing_models import TimingContender, require_seeds_alone
from deployment.backtesting.evaluate_crypto_timing import evaluate_crypto_timing, main
from MLOps.artifacts import sha256_of
from MLOps.errors import ModelError
from MLOps.evaluation.timing_agent import card_of
from MLOps.evaluation.timing_comparison import BASELINES, read_timing_scorecard
from MLOps.evaluation.timing_policies import cycle_prices
from MLOps.inference.timing_policy import TimingPolicy, load_timing_policy
from MLOps.market.price_cycles import read_timing_prices
from MLOps.settings.project import project_root
from MLOps.stage import MemoryTracker, StageResult

FILES = {"savings", "purchases", "report"}


@pytest.fixture
def evaluate(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """``evaluate(arena, *overrides)``: status, last lines of both outputs, and the result where there is one."""

    def run(arena: Any, *overrides: str) -> dict[str, Any]:
        status = main([*arena.overrides, *overrides])
        told = capsys.readouterr()
        out, err = told.out.strip().splitlines(), told.err.strip().splitlines()
        result = StageResult.model_validate_json(out[-1]) if out else None
        return {"status": status, "result": result, "err": err[-1] if err else ""}

    return run


def test_counts_the_models_that_were_judged_on_the_window_before(arena: Any) -> None:
    first, second = arena.evaluate(), arena.evaluate(f"model_path={arena.write_model(0.5)}")
    assert [result.details["models_judged_before"] for result in (first, second)] == [0, 1]
    assert second.details["lucky_fraction"] == 0.0975
    page = " ".join(second.artifacts["report"].path.read_text().split())
    assert "1 other model was judged on prices of this window before" in page
    again = arena.evaluate()
    assert (again.status, again.details["models_judged_before"]) == (
        "already_made",
        0,
    )  # before it, as when it was made


def test_finds_the_edge_of_a_model_that_knows_how_prices_return(arena: Any) -> None:
    tracker = MemoryTracker()
    result = evaluate_crypto_timing(arena.settings, tracker)
    assert result.details["finding"] == "edge"
    card = read_timing_scorecard(result.artifacts["savings"].path)
    assert set(card.policies) == {"model", "champion", *BASELINES}
    assert card.advantages["buy_first"].lower > 0 < card.advantages["random"].lower
    assert card.advantages["hindsight"].upper < 0
    assert result.metrics["periods"] == card.periods == 99
    assert result.metrics["cycles"] == card.cycles == 50 * 24 - (10 - 1) - 12
    least, largest = card.phase_range
    assert least < card.advantages["buy_first"].mean < largest
    assert result.metrics["advantage_bps_least_phase.buy_first"] == least
    assert result.details["model_digest"] == arena.challenger.digest
    assert result.details["champion_digest"] == arena.champion.digest
    assert set(result.artifacts) == FILES


def test_says_that_there_is_no_edge_on_a_random_walk(make_arena: Callable[..., Any]) -> None:
    result = evaluate_crypto_timing(make_arena(pull=0.0).settings, MemoryTracker())
    assert result.details["finding"] == "no_edge"
    page = result.artifacts["report"].path.read_text()
    assert "No edge over buying first: " in page
    assert "which holds 0" in page


def test_bought_steps_are_those_that_the_network_decides(arena: Any) -> None:
    """The network buys where the price lies in the lowest quarter of the range that is known."""
    result = evaluate_crypto_timing(arena.settings, MemoryTracker())
    frame = pd.read_parquet(result.artifacts["purchases"].path)
    prices = read_timing_prices(arena.workspace / "data/crypto/btc/bars.parquet", arena.settings.data)
    first = int(np.searchsorted(prices.times, frame["decided_from"].iloc[0].tz_localize(None).to_datetime64()))
    for step in range(12):
        seen = prices.closes[first - 9 : first + step + 1]
        low, high = seen.min(), seen.max()  # of the window and of the cycle so far
        if (prices.closes[first + step] - low) / (high - low) < 0.25:
            break
    assert frame["model.step"].iloc[0] == step
    assert frame["model.price"].iloc[0] == pytest.approx(prices.closes[first + step] * 1.001)


def test_cycle_begins_at_each_hour_of_the_test_window(arena: Any) -> None:
    """At the first with a window of ten closes; the last one ends a close before the bars do, to be filled late."""
    result = evaluate_crypto_timing(arena.settings, MemoryTracker())
    decided = pd.read_parquet(result.artifacts["purchases"].path)["decided_from"]
    assert decided.iloc[0] == pd.Timestamp("2018-04-11 10:00", tz="UTC")
    assert decided.iloc[-1] == pd.Timestamp("2018-05-31", tz="UTC") - pd.Timedelta("12h")
    assert (decided.diff().dropna() == pd.Timedelta("1h")).all()


def test_report_tells_the_range_over_the_hours_and_draws_one_of_them(arena: Any) -> None:
    result = evaluate_crypto_timing(arena.settings, MemoryTracker())
    card, page = read_timing_scorecard(result.artifacts["savings"].path), result.artifacts["report"].path.read_text()
    assert "{:+.1f} and {:+.1f} basis points".format(*card.phase_range).replace("-", "\N{MINUS SIGN}") in page
    assert "end to end from the first on, one phase of 12" in page


def test_other_seeds_are_told_beside_the_judged_one(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    paths = [
        arena.write_model(level, "seed", provenance={"seed": seed, "stopped_early": seed == 3})
        for level, seed in ((0.1, 2), (0.4, 3))
    ]
    said = evaluate(arena, f"seed_paths=[{','.join(map(str, paths))}]")
    card = read_timing_scorecard(said["result"].artifacts["savings"].path)
    assert card.trained_seeds == 3
    by_seed = card.seed_advantages["buy_first"].by_seed
    assert by_seed[0] == pytest.approx(card.advantages["buy_first"].mean)
    assert len(set(by_seed)) == 3
    assert "Over 3 training seeds" in said["result"].artifacts["report"].path.read_text()


SEED_2 = {"provenance": {"seed": 2}}
TRAINED = {"train": {"first": datetime(2018, 1, 1, tzinfo=UTC), "last": datetime(2018, 2, 1, tzinfo=UTC)}}


@pytest.mark.parametrize(
    ("cards", "told"),
    [
        ([{}], "has no seed 1 of its own, beside crypto_timing version 1"),
        ([{"provenance": {}}], "has no seed None of its own, beside the others"),
        ([SEED_2, SEED_2], "has no seed 2 of its own, beside Model "),
        ([SEED_2 | {"windows": TRAINED}], "and crypto_timing version 1 differ in windows;"),
        ([SEED_2 | {"environment": {"fee_bps": 10, "reward_scale": 1}}], "differ in environment;"),
        ([{"provenance": {"seed": 2, "bars_sha256": "other"}}], "differ in bars_sha256;"),
        ([{"provenance": {"seed": 2, "is_double": True}}], "differ in is_double;"),
        ([SEED_2 | {"observation": {"window_size": 9, "size": 11}}], "differ in observation;"),
        (
            [SEED_2 | {"market": {"symbol": "BTC", "frequency": "1h", "cycle_steps": 12, "fee_bps": 0}}],
            "differ in market;",
        ),
    ],
)
def test_models_that_differ_not_in_their_seed_alone_are_one_line(
    cards: list[dict[str, Any]], told: str, arena: Any, evaluate: Callable[..., dict[str, Any]]
) -> None:
    paths = [arena.write_model(0.1 + place / 10, "seed", **card) for place, card in enumerate(cards)]
    said = evaluate(arena, f"seed_paths=[{','.join(map(str, paths))}]")
    assert (said["status"], said["result"]) == (6, None)
    assert told in said["err"]
    assert "allowed: models trained alike, each with a seed of its own; mend: seed_paths" in said["err"]


def test_same_model_under_another_seed_is_one_line(arena: Any) -> None:
    """A seed is only a word on a card; the digest, that of card and weights, is told apart as well."""
    card = card_of(load_timing_policy(arena.write_model(0.25)))
    assert card is not None
    other = card.model_copy(update={"provenance": {"seed": 2}})
    models = [
        TimingContender(f"Model {place}", arena.workspace, TimingPolicy(told, {}), "d", None)
        for place, told in enumerate((card, other))
    ]
    with pytest.raises(ModelError, match="Model 1 has no digest of its own, beside Model 0"):
        require_seeds_alone(models)


def test_who_buys_first_has_no_seeds(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    said = evaluate(arena, f"model_version={arena.champion.version}", f"seed_paths=[{arena.write_model(0.1)}]")
    assert said["status"] == 6
    assert "buys first and was not trained; allowed: models trained alike" in said["err"]


def test_report_shows_the_training_if_it_was_written_down(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    folder = arena.write_model(0.3)
    curve = '{"frames": [1, 2, 3], "mean_score_10": [null, 0.1, 0.2], "loss": [NaN, 0.5, 0.25], "q_mean": [1, 2, 3]}'
    named = [f"model_path={folder}"]
    without = evaluate(arena, *named)["result"]
    (folder / "learning_curve.json").write_text(curve)
    beside = evaluate(arena, *named)["result"]
    (arena.workspace / "curve.json").write_text(curve)
    assert "chart-scores" not in without.artifacts["report"].path.read_text()
    assert "chart-scores" in beside.artifacts["report"].path.read_text()
    assert without.key != beside.key
    assert evaluate(arena, *named, "learning_curve_path=curve.json")["result"].status == "already_made"


def test_report_tells_biases_source_and_fee(arena: Any) -> None:
    page = evaluate_crypto_timing(arena.settings, MemoryTracker()).artifacts["report"].path.read_text()
    assert "which nobody can; it flatters whoever reacts" in page
    assert "A fee of 10 basis points of the price is all" in page
    assert f"sha256 {arena.challenger.digest}" in page
    assert sha256_of(arena.workspace / "data/crypto/btc/bars.parquet") in page
    for needed in ("http://", "https://", str(arena.workspace)):
        assert needed not in page.split("</script>")[-2].split("<script>")[0]


def test_run_again_finds_its_output_whole(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    first, second = (evaluate(arena)["result"] for _ in range(2))
    assert (first.status, second.status) == ("made", "already_made")
    assert first.artifacts == second.artifacts


def test_equal_runs_elsewhere_give_equal_bytes(make_arena: Callable[..., Any]) -> None:
    one, two = (evaluate_crypto_timing(make_arena(name=name).settings, MemoryTracker()) for name in ("one", "two"))
    assert {name: found.sha256 for name, found in one.artifacts.items()} == {
        name: found.sha256 for name, found in two.artifacts.items()
    }


def test_another_model_gives_another_key(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    first = evaluate(arena)["result"]
    arena.register(0.4)
    assert evaluate(arena)["result"].key != first.key


def test_model_of_a_folder_needs_no_registry(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    folder = arena.write_model(0.3)
    said = evaluate(arena, f"model_path={folder}", "compare_with_champion=false", "registry.model_name=nobody")
    card = read_timing_scorecard(said["result"].artifacts["savings"].path)
    assert "champion" not in card.policies
    assert said["result"].details["champion_digest"] is None


def test_champion_of_another_window_buys_in_the_same_cycle(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    """A tuned window must be able to follow another one."""
    wide = arena.register(0.1, "wide", observation={"window_size": 40, "size": 42})
    arena.let_pass(wide)
    arena.register(0.25)
    said = evaluate(arena)
    assert said["status"] == 0, said["err"]
    assert said["result"].details["champion_version"] == wide.version
    decided = pd.read_parquet(said["result"].artifacts["purchases"].path)["decided_from"]
    assert decided.iloc[0] == pd.Timestamp("2018-04-11 01:00", tz="UTC") + pd.Timedelta(hours=39)


def test_fee_of_the_training_is_told_where_it_was_another(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    result = evaluate(arena, "environment.fee_bps=25")["result"]
    assert "was trained with a fee of 10 basis points, not 25." in result.details["data_warnings"]
    assert result.metrics["mean_price.saving_bps"] == pytest.approx(-25)


def test_price_level_changes_nothing_but_the_price(make_arena: Callable[..., Any]) -> None:
    one, two = make_arena(name="one"), make_arena(name="two")
    bars = pd.read_parquet(one.workspace / "data/crypto/btc/bars.parquet")
    two.put_bars(bars.assign(**{name: bars[name] * 4 for name in ("open", "high", "low", "close")}))
    cheap, dear = (evaluate_crypto_timing(arena.settings, MemoryTracker()).metrics for arena in (one, two))
    assert dear["model.price_paid"] == pytest.approx(4 * cheap["model.price_paid"])
    assert dear["advantage_bps.buy_first"] == pytest.approx(cheap["advantage_bps.buy_first"])


def test_stage_runs_as_a_process(arena: Any) -> None:
    script = project_root() / "deployment/backtesting/evaluate_crypto_timing.py"
    ended = subprocess.run(
        [sys.executable, str(script), *arena.overrides], capture_output=True, text=True, check=False, cwd="/"
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1])["details"]["finding"] == "edge"


@pytest.mark.parametrize(
    ("card", "overrides", "status", "told"),
    [
        (
            {"market": {"symbol": "ETH", "frequency": "1d", "cycle_steps": 12, "fee_bps": 10}},
            (),
            6,
            "crypto_timing version 2 is a model of ETH by 1d; allowed: one of BTC by 1h; mend: data=eth",
        ),
        ({}, ("data.window_size=16",), 6, "sees a window of 10 closes; allowed: one of data.window_size=16"),
        ({}, ("data.cycle_steps=24",), 6, "was trained on cycles of 12 steps; allowed: one of data.cycle_steps=24"),
        ({}, ("data.validation_start=2018-02-10", "data.test_start=2018-02-20"), 6, "has seen prices up to 2018-03-01"),
        ({}, ("data.test_start=2018-05-31",), 3, "test holds 0 bars of BTC"),
        (
            {},
            ("data.test_start=2018-05-30", "data.cycle_steps=40"),
            3,
            "not a single cycle; allowed: at least 49 bars",
        ),
        ({}, ("data.symbol=ETH", "bars_path=data/crypto/btc/bars.parquet"), 3, "holds BTC, not ETH"),
        ({}, ("bars_path=nowhere.parquet",), 3, "nowhere.parquet"),
        ({}, ("model_path=nowhere",), 6, "holds no model.json"),
        ({}, ("model_version=9",), 6, "the registry holds no version 9 of crypto_timing"),
        ({}, ("model_alias=nobody",), 6, "crypto_timing has no nobody"),
        ({}, ("learning_curve_path=nowhere.json",), 3, "nowhere.json"),
        ({}, ("data.validation_start=2018-05-01",), 2, "must come before test_start"),
        ({}, ("terms.power_fraction=2",), 2, "terms.power_fraction=2"),
    ],
)
def test_bad_input_is_one_line(
    card: dict[str, Any],
    overrides: tuple[str, ...],
    status: int,
    told: str,
    arena: Any,
    evaluate: Callable[..., dict[str, Any]],
) -> None:
    if card:
        arena.register(0.3, "other", **card)
    said = evaluate(arena, *overrides)
    assert (said["status"], said["result"]) == (status, None)
    assert told in said["err"]
    assert not (arena.workspace / "reports" / "crypto_timing").exists()


@pytest.mark.parametrize("level", [0.0, -5.0, float("nan")])
def test_price_of_zero_is_one_line(level: float, arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    path = arena.workspace / "data/crypto/btc/bars.parquet"
    table = pq.read_table(path)
    closes = table["close"].to_numpy().copy()
    closes[3000] = level
    place = table.schema.get_field_index("close")
    pq.write_table(table.set_column(place, table.schema.field(place), pa.array(closes)), path)
    said = evaluate(arena)
    assert said["status"] == 3
    assert "price that is missing or not positive" in said["err"]


def test_gap_is_spanned_by_no_cycle(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    bars = pd.read_parquet(arena.workspace / "data/crypto/btc/bars.parquet")
    kept = bars.drop(index=range(3000, 3005)).reset_index(drop=True)
    arena.put_bars(kept)
    result = evaluate(arena)["result"]
    decided = pd.read_parquet(result.artifacts["purchases"].path)["decided_from"]
    gap = bars["timestamp"].iloc[3000]
    near = decided[(decided > gap - pd.Timedelta("12h")) & (decided < gap + pd.Timedelta("14h"))]
    assert near.empty
    assert result.metrics["cycles"] == 50 * 24 - 9 - 12 - (5 + 9 + 12)  # each stretch lacks its own edges


def test_gaps_that_leave_no_cycle_are_one_line(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    bars = pd.read_parquet(arena.workspace / "data/crypto/btc/bars.parquet")
    late = np.arange(len(bars)) >= 2500
    arena.put_bars(bars[~late | (np.arange(len(bars)) % 15 != 0)].reset_index(drop=True))
    said = evaluate(arena, "data.validation_start=2018-04-18", "data.test_start=2018-05-10")
    assert said["status"] == 3
    assert "not a single cycle" in said["err"]
    assert "bars without a gap" in said["err"]


def test_altered_bars_are_one_line(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    folder = arena.workspace / "data/crypto/btc"
    told = {
        "stage": "ingest_crypto_bars",
        "key": "k",
        "status": "made",
        "folder": ".",
        "artifacts": {"bars": {"path": "bars.parquet", "sha256": "0" * 64}},
    }
    (folder / "result.json").write_text(json.dumps(told))
    said = evaluate(arena)
    assert said["status"] == 3
    assert "was altered after it was made" in said["err"]


@pytest.mark.parametrize("text", ["[]", "{", '{"frames": [1], "mean_score_10": [], "loss": [1]}', '{"frames": [1]}'])
def test_broken_learning_curve_is_one_line(text: str, arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    (arena.workspace / "curve.json").write_text(text)
    said = evaluate(arena, "learning_curve_path=curve.json")
    assert said["status"] == 3
    assert "curve.json: " in said["err"]
    assert "allowed: a learning curve" in said["err"]


def test_no_champion_is_needed_for_a_single_cycle(arena: Any, evaluate: Callable[..., dict[str, Any]]) -> None:
    """Little data makes wide words, not an error: one cycle has no interval to speak of."""
    result = evaluate(arena, "data.test_start=2018-05-30")["result"]
    card = read_timing_scorecard(result.artifacts["savings"].path)
    assert card.periods == 1
    assert card.advantages["buy_first"].lower == card.advantages["buy_first"].upper


def test_purchases_hold_the_prices_of_the_bars(arena: Any) -> None:
    from MLOps.evaluation.timing_agent import cycles_to_judge

    result = evaluate_crypto_timing(arena.settings, MemoryTracker())
    frame = pd.read_parquet(result.artifacts["purchases"].path)
    prices = read_timing_prices(Path(arena.workspace / "data/crypto/btc/bars.parquet"), arena.settings.data)
    cycles = cycle_prices(cycles_to_judge(prices, arena.settings.data, []))
    np.testing.assert_allclose(frame["mean_price"], cycles.mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(frame["hindsight.price"], cycles.min(axis=1) * 1.001, rtol=1e-14)
