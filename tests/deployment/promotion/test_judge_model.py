"""Single gates, where a whole promotion cannot reach."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deployment.promotion.judge_model import forward_pass, model_loads, observation_schema
from deployment.promotion.read_backtest import read_backtest
from deployment.promotion.write_verdict import verdict_text
from MLOps.inference.model_files import model_digest
from MLOps.inference.policy import load_policy
from MLOps.market.panel import read_panel
from MLOps.stage import StageResult
from model_registry.registry import ModelVersion
from model_registry.verdict import GateResult, Verdict, outcome_of


class Breaking:
    """A policy whose orders are NaN from the third session of the backtest on."""

    kind = "breaking"
    indicators: tuple[str, ...] = ()

    def __init__(self, from_row: int) -> None:
        self._from_row = from_row

    def check(self, panel: object) -> None:
        """Every panel fits."""

    def orders(self, _panel: object, t: int, _cash: float, shares: np.ndarray) -> np.ndarray:
        return np.where(t >= self._from_row, np.nan, shares)


@pytest.mark.parametrize(("from_row", "share"), [(61, 61 / 120), (120, 1.0)])
def test_one_order_that_is_not_finite_fails_the_forward_pass(arena: Any, from_row: int, share: float) -> None:
    backtest = read_backtest(arena.write_backtest())
    panel = read_panel(arena.settings.paths.processed / "processed_data_with_features.parquet", ())
    result = forward_pass(Breaking(from_row), panel, backtest, 1000.0)
    assert result.figure == pytest.approx(share)
    assert result.passed == (share == 1.0)


def test_folder_that_holds_no_known_model_fails_to_load(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"kind": "pickle"}')
    result, policy = model_loads(tmp_path, model_digest(tmp_path))
    assert (result.passed, result.figure, policy) == (False, None, None)
    assert "mlp_actor (format 2) and equal_weight" in result.reason


@pytest.mark.parametrize(
    ("learned", "found", "passed"),
    [("vader", "vader", True), ("vader", "lora", False), ("vader", None, False), (None, "lora", True)],
)
def test_news_scored_by_another_model_than_the_agent_learned_from_do_not_fit(
    arena: Any, learned: str | None, found: str | None, passed: bool
) -> None:
    version = arena.register(0.25, **({"sentiment_model_sha256": learned} if learned else {}))
    policy = load_policy(arena.registry.fetch(version))
    features = arena.write_features()
    assert observation_schema(policy, features)[0].passed, "features that tell nothing of their scorer"
    details = {"sentiment_model_sha256": found} if found else {}
    made = StageResult(stage="build_features", key="k", status="made", folder=features.parent, details=details)
    (features.parent / "result.json").write_text(made.model_dump_json())
    gate, _ = observation_schema(policy, features)
    assert gate.passed == passed
    assert ("which it learned from" in gate.reason) != passed


def make_gate(passed: bool, figure: float | None = 0.5) -> GateResult:
    return GateResult(gate="turnover", figure=figure, threshold=1.0, passed=passed, reason="a | b")


@pytest.fixture
def make() -> Callable[..., Verdict]:
    def build(*gates: GateResult, outcome: str | None = None) -> Verdict:
        return Verdict.model_validate(
            {
                "key": "k",
                "basis": "gates",
                "as_of": date(2021, 4, 30),
                "model_digest": "a" * 64,
                "champion_digest": "b" * 64,
                "outcome": outcome or outcome_of(gates),
                "gates": gates,
            }
        )

    return build


def test_outcome_must_follow_from_the_gates(make: Callable[..., Verdict]) -> None:
    assert make(make_gate(True)).outcome == "passed"
    assert make(make_gate(True), make_gate(False)).outcome == "rejected"
    assert make().outcome == "already_champion"
    for gates, outcome in [((make_gate(False),), "passed"), ((), "passed"), ((make_gate(True),), "already_champion")]:
        with pytest.raises(ValueError, match="but the gates say"):
            make(*gates, outcome=outcome)


def test_verdict_survives_json(make: Callable[..., Verdict]) -> None:
    verdict = make(make_gate(True, 1.0), make_gate(False, None))
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_text_has_a_row_for_every_gate(make: Callable[..., Verdict]) -> None:
    text = verdict_text(make(make_gate(True), make_gate(False, None)), ModelVersion("stock", 3, "a" * 64), "b" * 12)
    assert "stock version 3 (aaaaaaaaaaaa) is rejected by 1 of 2 gates (turnover)." in text
    assert "| turnover | 0.5 | 1 | yes | a / b |" in text
    assert "| turnover | undefined | 1 | NO | a / b |" in text
