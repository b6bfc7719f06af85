"""How many models were judged on a window: each once, of the same market, on shared dates."""

from pathlib import Path

import pytest

from deployment.backtesting.judged_before import WEIGHTS, JudgedWindow, Tries, count_tries
from MLOps.artifacts import RESULT_FILE
from MLOps.stage import Scalar, StageResult


def keep(root: Path, name: str, stage: str = "evaluate", **details: Scalar) -> None:
    """An evaluation as its folder holds it."""
    (root / name).mkdir()
    result = StageResult(stage=stage, key=name, status="made", folder=Path(), details=details)
    (root / name / RESULT_FILE).write_text(result.model_dump_json())


def judged(digest: str, first: str, last: str, coin: str = "BTC") -> dict[str, Scalar]:
    return {"model_digest": digest, "first": first, "last": last, "symbol": coin}


WINDOW = JudgedWindow(("first", "last"), "2019-01-01", "2019-06-30", {"symbol": "BTC"})


def count(root: Path, *own: str) -> int:
    return count_tries(root, "evaluate", set(own), WINDOW, 0.9).others


def test_models_count_once_where_market_and_dates_are_shared(tmp_path: Path) -> None:
    assert count(tmp_path, "a") == 0
    keep(tmp_path, "itself", **judged("a", "2019-01-01", "2019-06-30"))
    keep(tmp_path, "other", **judged("b", "2019-01-01", "2019-06-23"))  # a week before: the window grows
    keep(tmp_path, "again", **judged("b", "2019-06-30", "2019-12-31"), fee_bps=1.0)
    keep(tmp_path, "later", **judged("c", "2019-07-01", "2019-12-31"))
    keep(tmp_path, "ether", **judged("d", "2019-01-01", "2019-06-30", coin="ETH"))
    keep(tmp_path, "promotion", stage="promote", **judged("e", "2019-01-01", "2019-06-30"))
    (tmp_path / "latest").symlink_to("other")
    assert count(tmp_path, "a") == 1


def test_further_seeds_of_another_evaluation_are_tries_too(tmp_path: Path) -> None:
    keep(tmp_path, "seeds", **judged("digest of b", "2019-01-01", "2019-06-30"), **{WEIGHTS: "b,c,d"})
    assert count(tmp_path, "a") == 3
    assert count(tmp_path, "b", "c", "d") == 0


def test_the_same_weights_under_another_card_are_no_new_try(tmp_path: Path) -> None:
    """As the weekly plan trains them, which only the end of the test window moves on."""
    for week, day in enumerate(("2019-06-09", "2019-06-16", "2019-06-23")):
        keep(tmp_path, f"week {week}", **judged(f"digest {week}", "2019-01-01", day), **{WEIGHTS: "a"})
    assert count(tmp_path, "a") == 0
    assert count(tmp_path, "b") == 1


def test_a_model_that_an_earlier_release_judged_counts_once(tmp_path: Path) -> None:
    """An earlier release told no weights: what is judged again, now or in between, is known by its digest."""
    keep(tmp_path, "a, earlier", **judged("digest of a", "2019-01-01", "2019-06-30"))
    assert count(tmp_path, "a", "digest of a") == 0
    keep(tmp_path, "a", **judged("digest of a", "2019-01-01", "2019-06-30"), **{WEIGHTS: "a"})
    assert count(tmp_path, "b", "digest of b") == 1
    keep(tmp_path, "c, earlier", **judged("digest of c", "2019-01-01", "2019-06-30"))
    assert count(tmp_path, "b", "digest of b") == 2


def test_what_cannot_be_read_is_no_try(tmp_path: Path) -> None:
    keep(tmp_path, "earlier release", model_digest="b")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / RESULT_FILE).write_text("{")
    assert count(tmp_path, "a") == 0


@pytest.mark.parametrize(("others", "chance"), [(0, 0.05), (1, 0.0975), (13, 0.512)])
def test_best_of_many_is_lucky_more_often(others: int, chance: float) -> None:
    assert Tries(others, 0.9).lucky_fraction == pytest.approx(chance, abs=5e-4)
