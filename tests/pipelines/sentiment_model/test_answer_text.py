"""``--text``: one line of JSON at once, whatever the text is, and nothing made."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiment_tracking.runner import read_settings
from model_registry.champion import ensure_champion
from model_registry.family import SENTIMENT
from model_registry.open_registry import open_registry
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
    assert (told["model"]["kind"], told["model"]["version"]) == ("vader", "installed")
    assert told["sentences"] == []
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize("kind", ["mlflow", "filesystem"])
def test_answer_without_a_champion_makes_and_registers_nothing(
    workspace: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--workspace", str(workspace), f"registry.kind={kind}", "--text=awful"]
    assert stage.main(asked) == 0
    assert json.loads(capsys.readouterr().out)["model"]["version"] == "installed"
    assert stage.main([*asked, "--model_version", "3"]) != 0
    assert "no version 3 of sentiment" in capsys.readouterr().err.splitlines()[-1]
    assert list(workspace.iterdir()) == []


def test_answer_out_of_an_empty_store_registers_nothing(
    tracked_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tracked_workspace}/mlruns.db")
    before = [experiment.name for experiment in client.search_experiments()]
    assert stage.main(["--workspace", str(tracked_workspace), "registry.kind=mlflow", "--text=awful"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["version"] == "installed"
    assert [experiment.name for experiment in client.search_experiments()] == before
    assert client.search_registered_models() == []
    assert [path.name for path in tracked_workspace.iterdir()] == ["mlruns.db"]


def test_champion_answers_where_there_is_one(ask: Ask, workspace: Path) -> None:
    installed = ask("awful")
    registry = open_registry(read_settings(stage.STAGE, command(workspace, "")))
    ensure_champion(registry, "sentiment", SENTIMENT)
    told = ask("awful")
    assert told["model"] == installed["model"] | {"version": "sentiment/1"}
    assert told["probabilities"] == installed["probabilities"]


def test_champion_out_of_mlflows_store_answers_without_mlflow(tracked_workspace: Path) -> None:
    argv = ["--workspace", str(tracked_workspace), "registry.kind=mlflow", "--text=awful"]
    ensure_champion(open_registry(read_settings(stage.STAGE, argv)), "sentiment", SENTIMENT)
    program = (
        "import sys; from pipelines.sentiment_model.score_news import main; status = main(sys.argv[1:]); "
        "assert not {'mlflow', 'numba', 'sqlalchemy', 'torch'} & set(sys.modules); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"]["version"] == "sentiment/1"


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


@pytest.mark.parametrize("spoil", [lambda _: None, lambda stream: stream.close() or stream])
def test_closed_standard_input_is_one_clear_line(
    workspace: Path,
    spoil: Callable[[io.StringIO], io.StringIO | None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", spoil(io.StringIO()))
    assert stage.main(command(workspace, "-")) == 3
    assert "standard input is closed" in capsys.readouterr().err.splitlines()[-1]


def test_help_tells_how_a_text_that_begins_with_a_dash_and_a_long_one_are_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        stage.main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "--text=-40%;" in told
    assert "- reads standard input, as texts above 128 KiB" in told
