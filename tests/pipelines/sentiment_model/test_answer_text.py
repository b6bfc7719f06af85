"""``--text``: one line of JSON at once, whatever the text is, and nothing made."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.sentiment_model import score_news as stage

Ask = Callable[..., dict[str, Any]]


def command(workspace: Path, text: str) -> list[str]:
    return ["--workspace", str(workspace), "registry.kind=filesystem", f"--text={text}"]


@pytest.fixture
def ask(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """``ask(text)``: the answer; the tracking that is on by default is not reached."""

    def answer(text: str) -> dict[str, Any]:
        assert stage.main(command(workspace, text)) == 0
        (line,) = capsys.readouterr().out.splitlines()
        told: dict[str, Any] = json.loads(line)
        return told

    return answer


def test_one_sentence_is_answered_with_its_probabilities(ask: Ask, workspace: Path) -> None:
    told = ask("What a wonderful success!")
    assert told["label"] == "positive"
    assert list(told["probabilities"]) == ["negative", "neutral", "positive"]
    assert sum(told["probabilities"].values()) == pytest.approx(1)
    assert told["score"] == pytest.approx(told["probabilities"]["positive"] - told["probabilities"]["negative"])
    assert (told["model"]["kind"], told["model"]["version"]) == ("vader", "sentiment/1")
    assert told["sentences"] == []
    assert not (workspace / "data").exists()
    assert not (workspace / "mlruns.db").exists()


def test_several_sentences_are_answered_one_by_one_too(ask: Ask) -> None:
    told = ask("The bank failed badly. What a wonderful success!")
    assert [sentence["label"] for sentence in told["sentences"]] == ["negative", "positive"]
    first, second = (sentence["score"] for sentence in told["sentences"])
    assert told["score"] == pytest.approx((first + 0.9 * second) / 1.9)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("<p>A <b>terrible</b> loss</p>", "negative"),
        ("\U0001f600\U0001f600", "positive"),
        ("caf\u00e9 wins great prize \u2013 \u201cwonderful\u201d", "positive"),
        ("the \x93awful\x94 loss \udcff\x00", "negative"),
        ("5 = ${x}, 'quoted' \\ \"and\" {a: [b]} a horrible failure", "negative"),
        ("null", "neutral"),
        ("12 chairs", "neutral"),
        ("-3% is awful", "negative"),
    ],
)
def test_any_text_is_answered(ask: Ask, text: str, label: str) -> None:
    assert ask(text)["label"] == label


@pytest.mark.parametrize("text", ["", "  ", "...", "<br>", "Read more: click here."])
def test_text_without_a_sentence_is_one_clear_line(
    workspace: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stage.main(command(workspace, text)) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "holds no sentence to score" in told.err.splitlines()[-1]


def test_megabyte_is_answered(ask: Ask) -> None:
    told = ask("The bank failed badly. " * 45_000)
    assert told["label"] == "negative"
    assert len(told["sentences"]) == 8


def test_dash_reads_standard_input_in_any_encoding(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Zürich: awful".encode("latin-1"))))
    assert ask("-")["label"] == "negative"
