"""A sentiment model becomes champion by beating lexicons and champion on articles that it does not know."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deployment.promotion import promote_sentiment_model as stage
from deployment.promotion import sentiment_contender
from MLOps import failpoints
from MLOps.inference.model_files import ADAPTER_FILE, card_kind
from MLOps.inference.model_folder import MlpActorCard, write_model
from MLOps.sentiment.scorer import LABELS
from MLOps.settings.project import project_root
from model_registry.champion import champion_version
from model_registry.family import SENTIMENT
from model_registry.registry import CHALLENGER

NAME = "sentiment"
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


def failed_gates(said: dict[str, Any]) -> list[str]:
    return [gate["gate"] for gate in verdict_of(said)["gates"] if not gate["passed"]]


@pytest.mark.parametrize("kind", ["filesystem", "mlflow"])
def test_model_that_passes_every_gate_becomes_champion(make_arena: Callable[..., Arena], run: Run, kind: str) -> None:
    arena = make_arena(kind)
    first, challenger = arena.champion, arena.challenger
    assert card_kind(arena.registry.fetch(first)) == "vader"
    said = run(arena)
    verdict = verdict_of(said)
    assert (said["status"], said["result"]["details"]["verdict"]) == (0, "passed")
    assert [(gate["gate"], gate["passed"]) for gate in verdict["gates"]] == [(gate, True) for gate in SENTIMENT.gates]
    assert (verdict["family"], verdict["as_of"]) == ("sentiment", "2020-04-29")
    assert (verdict["model_digest"], verdict["champion_digest"]) == (challenger.digest, first.digest)
    assert champion_version(arena.registry, NAME, SENTIMENT) == challenger
    assert [stored.model_dump(mode="json") for stored in arena.registry.verdicts(challenger)] == [verdict]
    assert arena.registry.aliases(NAME) == {"challenger": challenger.version, "sentiment_champion": challenger.version}
    assert "passed all 9 gates" in said["err"]
    text = (Path(said["result"]["folder"]) / "verdict.md").read_text()
    assert f"- champion it was compared to: {first}" in text
    assert "- last date looked at: 2020-04-29" in text
    assert "| beats_vader |" in text
    assert "interval by article" in text


def test_figures_are_those_of_the_test_split(arena: Arena, run: Run) -> None:
    labelled = arena.write_labelled()
    metrics = run(arena)["result"]["metrics"]
    test = labelled[labelled["split"] == "test"]
    assert (metrics["articles"], metrics["sentences"], metrics["left_out"]) == (40, 240, 0)
    assert metrics["macro_f1"] == pytest.approx(0.8, abs=0.06)
    share = (test["label"] == labelled.loc[labelled["split"] == "train", "label"].mode()[0]).mean()
    assert metrics["macro_f1_majority"] == pytest.approx(2 * share / (1 + share) / 3)
    # no word of these sentences is in a lexicon, so that all of them are neutral
    share = (test["label"] == 1).mean()
    for lexicon in ("vader", "loughran_mcdonald", "champion"):
        assert metrics[f"macro_f1_{lexicon}"] == pytest.approx(2 * share / (1 + share) / 3)


def test_rejected_model_is_a_normal_result_with_reasons(arena: Arena, run: Run) -> None:
    first = arena.champion
    arena.register(0.05, confidence=0.9)
    said = run(arena)
    details = said["result"]["details"]
    assert (said["status"], details["verdict"]) == (0, "rejected")
    assert failed_gates(said) == [
        "calibration_error",
        "macro_f1",
        "beats_majority",
        "beats_vader",
        "beats_loughran_mcdonald",
        "champion_difference_lower",
    ]
    for reason in ("macro_f1 0.", "is below 0.6", "macro-F1 difference to VADER", "is not above +0.000"):
        assert reason in details["reasons"]
        assert reason in said["err"]
    assert arena.champion == first
    (stored,) = arena.registry.verdicts(arena.challenger)
    assert stored.outcome == "rejected"


def test_lexicons_take_part_with_thresholds_of_their_own(arena: Arena, run: Run) -> None:
    """Sentences that VADER tells apart, though by the likeliest class it would call most of them neutral."""
    words = np.array(["sad", "plain", "good"])
    rows = arena.write_labelled()
    arena.write_labelled(text=words[rows["label"]] + " " + rows["text"])
    said = run(arena)
    assert said["result"]["metrics"]["macro_f1_vader"] == pytest.approx(1.0)
    assert failed_gates(said) == ["beats_vader", "champion_difference_lower"]


def test_confidence_that_does_not_come_true_is_rejected(arena: Arena, run: Run) -> None:
    arena.register(0.8, confidence=0.99)
    said = run(arena)
    assert failed_gates(said) == ["calibration_error"]
    assert "calibration_error 0.1" in said["result"]["details"]["reasons"]


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.9])
def test_one_row_that_is_no_distribution_is_rejected(
    arena: Arena, run: Run, monkeypatch: pytest.MonkeyPatch, broken: float
) -> None:
    opened = sentiment_contender.open_scorer

    def spoilt(*arguments: Any) -> Any:
        scorer = opened(*arguments)
        probabilities = scorer.probabilities

        def spoil(sentences: list[str]) -> np.ndarray:
            found = np.array(probabilities(sentences))
            found[7] = broken
            return found

        scorer.probabilities = spoil
        return scorer

    monkeypatch.setattr(sentiment_contender, "open_scorer", spoilt)
    said = run(arena)
    assert failed_gates(said) == list(SENTIMENT.gates[2:])
    gates = {gate["gate"]: gate for gate in verdict_of(said)["gates"]}
    assert gates["finite_probabilities"]["figure"] == pytest.approx(239 / 240)
    assert [gates[name]["figure"] for name in SENTIMENT.gates[3:]] == [None] * 6


def test_articles_that_a_model_was_trained_on_are_left_out(arena: Arena, run: Run) -> None:
    known = [f"story {number}" for number in range(0, 48)]  # of these, 16 lie in the test split
    arena.register(0.8, trained_on=known)
    said = run(arena)
    assert said["result"]["details"]["verdict"] == "passed"
    metrics = said["result"]["metrics"]
    assert (metrics["articles"], metrics["left_out"], metrics["sentences"]) == (24, 16, 144)
    assert "16 more of the test split were trained on" in verdict_of(said)["gates"][1]["reason"]


def test_articles_that_the_champion_was_trained_on_are_left_out_too(arena: Arena, run: Run) -> None:
    arena.register(0.7, name="first", trained_on=[f"story {number}" for number in range(0, 12)])
    assert run(arena)["result"]["details"]["verdict"] == "passed"
    arena.register(0.9, name="second", trained_on=[f"story {number}" for number in range(9, 24)])
    metrics = run(arena)["result"]["metrics"]
    assert (metrics["left_out"], metrics["articles"]) == (8, 32)


@pytest.mark.parametrize("known", [range(0, 72), range(0, 120)], ids=["too_many", "all"])
def test_model_that_knows_what_it_is_judged_on_is_rejected(arena: Arena, run: Run, known: range) -> None:
    arena.register(0.8, trained_on=[f"story {number}" for number in known])
    said = run(arena)
    assert said["status"] == 0
    assert failed_gates(said) == (["held_out_articles"] if len(known) < 120 else list(SENTIMENT.gates[1:]))


def test_few_sentences_are_too_few(arena: Arena, run: Run) -> None:
    said = run(arena, "gates.min_sentences=241")
    assert failed_gates(said) == ["held_out_articles"]
    assert verdict_of(said)["gates"][1]["figure"] == "40 articles, 240 sentences"


@pytest.mark.parametrize(("margin", "outcome"), [("0.02", "passed"), ("0", "rejected")])
def test_equal_model_is_within_the_margin_and_not_above_none(arena: Arena, run: Run, margin: str, outcome: str) -> None:
    run(arena)
    arena.register(0.8, confidence=0.81)  # the same name draws the same classes
    said = run(arena, f"gates.champion_margin={margin}")
    assert said["result"]["details"]["verdict"] == outcome
    assert said["result"]["metrics"]["champion_difference_lower"] == 0.0
    assert arena.champion == (arena.challenger if outcome == "passed" else arena.registry.by_version(NAME, 1))


def test_model_worse_than_the_champion_is_rejected_though_it_beats_all_baselines(arena: Arena, run: Run) -> None:
    arena.register(0.95, name="better")
    run(arena)
    better = arena.challenger
    arena.register(0.75, name="worse")
    said = run(arena)
    assert failed_gates(said) == ["champion_difference_lower"]
    assert arena.champion == better


def test_same_promotion_again_finds_itself_done(arena: Arena, run: Run) -> None:
    first, again = run(arena), run(arena)
    assert (first["result"]["status"], again["result"]["status"]) == ("made", "already_made")
    assert again["result"]["artifacts"] == first["result"]["artifacts"]
    assert again["result"]["details"]["verdict"] == "passed"
    assert len(arena.registry.verdicts(arena.challenger)) == 1


def test_promotion_whose_report_was_lost_is_made_again_with_the_same_bytes(arena: Arena, run: Run) -> None:
    first = run(arena)["result"]
    shutil.rmtree(arena.settings.paths.reports)
    again = run(arena)["result"]
    assert again["status"] == "made"
    assert again["artifacts"]["verdict"]["sha256"] == first["artifacts"]["verdict"]["sha256"]
    assert arena.champion == arena.challenger


def test_champion_that_is_judged_again_is_told_plainly(arena: Arena, run: Run) -> None:
    run(arena)
    champion = arena.champion
    arena.write_labelled(seed=2)
    said = run(arena)
    assert (said["status"], said["result"]["details"]["verdict"]) == (0, "already_champion")
    assert "is the champion already; there is nothing to decide" in said["err"]
    assert verdict_of(said)["gates"] == []
    assert arena.champion == champion
    assert len(arena.registry.verdicts(champion)) == 1


def test_vader_as_its_own_challenger_stays(arena: Arena, run: Run) -> None:
    first = arena.champion
    arena.registry.set_alias(NAME, CHALLENGER, first.version)
    assert run(arena)["result"]["details"]["verdict"] == "already_champion"
    assert arena.champion == first


def test_command_line_in_a_process_of_its_own(arena: Arena) -> None:
    arena.registry.set_alias(NAME, CHALLENGER, arena.champion.version)
    script = project_root() / "deployment/promotion/promote_sentiment_model.py"
    command = [sys.executable, str(script), *arena.overrides]
    done = subprocess.run(command, capture_output=True, text=True, cwd=arena.workspace, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["details"]["verdict"] == "already_champion"


def test_alias_that_was_moved_by_hand_is_refused(arena: Arena, run: Run) -> None:
    assert arena.champion
    arena.registry.set_alias(NAME, SENTIMENT.champion_alias, arena.challenger.version)
    said = run(arena)
    assert said["status"] == 6
    assert "the alias sentiment_champion was moved" in said["err"]
    assert len(said["err"].strip().splitlines()) == 1


def test_version_can_be_named(arena: Arena, run: Run) -> None:
    version = arena.challenger
    arena.register(0.9, name="other")
    assert run(arena, "--model_version", str(version.version))["result"]["details"]["verdict"] == "passed"
    assert arena.champion == version


def test_undated_sentences_are_judged_all_the_same(arena: Arena, run: Run) -> None:
    arena.write_labelled(published_at=pd.Series(pd.NaT, index=range(720), dtype="datetime64[us, UTC]"))
    said = run(arena)
    assert said["result"]["details"]["verdict"] == "passed"
    assert verdict_of(said)["as_of"] is None
    assert "last date" not in (Path(said["result"]["folder"]) / "verdict.md").read_text()


@pytest.mark.parametrize("point", ["before_rename", "after_rename", "after_verdict"])
def test_killed_promotion_ends_right_when_it_runs_again(
    make_arena: Callable[..., Arena], run: Run, die_at: Callable[..., None], point: failpoints.Point
) -> None:
    undisturbed, arena = make_arena(name="undisturbed"), make_arena()
    first = arena.champion
    expected = run(undisturbed)["result"]["artifacts"]["verdict"]["sha256"]
    die_at(point, lambda: stage.main(arena.overrides))
    assert arena.champion == first
    assert bool(arena.registry.verdicts(arena.challenger)) == (point == "after_verdict")
    assert run(arena)["result"]["artifacts"]["verdict"]["sha256"] == expected
    assert arena.champion == arena.challenger


def missing_labels(arena: Arena) -> None:
    arena.labelled_path.unlink()


def label_outside_the_set(arena: Arena) -> None:
    arena.write_labelled(label=np.full(720, 3, np.int8))


def one_class_in_training(arena: Arena) -> None:
    arena.write_labelled(label=np.full(720, 2, np.int8))


def no_test_split(arena: Arena) -> None:
    arena.write_labelled(split="train")


def altered_adapter(arena: Arena) -> None:
    (arena.registry.fetch(arena.challenger) / ADAPTER_FILE).write_text("other weights")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (missing_labels, "does not exist"),
        (label_outside_the_set, "holds the label 3"),
        (one_class_in_training, "the train split has no negative, neutral sentence"),
        (no_test_split, "no sentence in the split validation, test"),
        (altered_adapter, "has digest"),
    ],
)
def test_bad_evidence_is_one_line_and_moves_nothing(
    arena: Arena, run: Run, spoil: Callable[[Arena], None], message: str
) -> None:
    first = arena.champion
    spoil(arena)
    said = run(arena)
    assert (said["status"], said["result"]) == (3, None)
    assert message in said["err"].splitlines()[-1]
    assert "Traceback" not in said["err"]
    assert arena.champion == first
    assert not list(arena.settings.paths.reports.glob("sentiment_promotions/*"))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["--model_alias", "nobody"],
            "sentiment has no nobody; allowed: a registered model; mend: run train",
        ),
        (["--model_version", "99"], "holds no version 99 of sentiment"),
    ],
)
def test_unknown_model_is_one_line(arena: Arena, run: Run, argv: list[str], message: str) -> None:
    said = run(arena, *argv)
    assert said["status"] == 6
    assert message in said["err"]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("labels", LABELS[::-1], "is positive, neutral, negative, not negative, neutral, positive"),
        ("temperature", -1.0, "temperature Input should be greater than 0"),
        ("format", 9, "format"),
    ],
)
def test_card_that_is_not_as_it_should_be_is_rejected(
    arena: Arena, run: Run, field: str, value: Any, reason: str
) -> None:
    arena.register(0.8, name="odd", **{field: value})
    said = run(arena)
    assert said["status"] == 0
    assert failed_gates(said) == ["model_loads", *SENTIMENT.gates[2:]]
    assert reason in said["result"]["details"]["reasons"]


def test_trading_policy_is_no_sentiment_model(arena: Arena, run: Run) -> None:
    card = MlpActorCard.model_validate(
        {
            "architecture": {"hidden_sizes": [], "activation": "relu", "squash": "clip"},
            "observation": {"tickers": ["AAA"], "indicators": [], "size": 3},
            "normalisation": {"mean": [0.0] * 3, "scale": [1.0] * 3, "limit": 10.0},
            "action": {"kind": "target_weights", "max_shares_per_order": None, "is_fractional": False}
            | {"turbulence_threshold": None},
            "environment": {},
            "windows": {},
            "provenance": {},
        }
    )
    weights = {"layers.0.weight": np.zeros((1, 3), np.float32), "layers.0.bias": np.zeros(1, np.float32)}
    write_model(arena.workspace / "policy", card, weights)
    first = arena.champion
    version = arena.registry.register(arena.workspace / "policy", NAME, {})
    arena.registry.set_alias(NAME, CHALLENGER, version.version)
    said = run(arena)
    assert said["status"] == 6
    assert "is of kind mlp_actor; allowed: the kinds of sentiment: lora_classifier, vader" in said["err"]
    assert arena.champion == first
