"""Each bad input ends in one clear line and leaves nothing half-made."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from model_registry.champion import ensure_champion
from model_registry.family import STOCK_TRADING
from model_registry.filesystem_registry import FilesystemRegistry
from pipelines.sentiment_model import train_sentiment_model as stage

CommandLine = Callable[..., list[str]]


def told(argv: list[str], capsys: pytest.CaptureFixture[str], exit_code: int) -> str:
    """The one line in which the stage says why it failed."""
    assert stage.main(argv) == exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda frame: frame.assign(label=frame["label"] + 1), "holds the label 3; allowed: 0 to 2"),
        (lambda frame: frame.assign(label=1), "the train split has no negative, positive sentence"),
        (lambda frame: frame[frame["split"] != "train"], "has no sentence in the split train"),
        (lambda frame: frame[frame["split"] == "train"], "has no sentence in the split validation, test"),
        (lambda frame: frame.assign(group="one"), "one lies in more than one split"),
        (lambda frame: frame[:0], "has no sentence in the split train, validation, test"),
    ],
    ids=["label", "one class", "no train", "only train", "torn article", "empty"],
)
def test_sentences_that_no_training_can_use(
    change: Callable[[pd.DataFrame], pd.DataFrame],
    expected: str,
    labelled: pd.DataFrame,
    workspace: Path,
    lay_down: Callable[..., Path],
    command_line: CommandLine,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert expected in told(command_line(lay_down(workspace, change(labelled))), capsys, 3)
    assert list((workspace / "models" / "sentiment").glob("my-tiny*")) == []


def test_file_that_is_not_there_or_no_parquet(
    workspace: Path, command_line: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "run prepare_sentiment_dataset first" in told(command_line(workspace), capsys, 3)
    (workspace / "mine.parquet").write_text("text,label\n")
    line = told(command_line(workspace, "labelled_path=mine.parquet"), capsys, 3)
    assert "labelled sentences with sentence_id, text" in line


def base_model(place: Path, **keys: object) -> list[str]:
    """Flags that take a base model of this description."""
    path = place / "base.yaml"
    described = {"name": "mine", "note": "made here", "warnings": [], **keys}
    path.write_text("".join(f"{key}: {value}\n" for key, value in described.items()))
    return ["--sentiment_params_path", str(path)]


@pytest.mark.parametrize(
    ("keys", "exit_code", "expected"),
    [
        ({"kind": "hub", "name": "nobody/nothing", "revision": "main"}, 4, "nobody/nothing is not in"),
        ({"kind": "folder", "folder": "no/such/folder"}, 6, "no/such/folder does not exist"),
        ({"kind": "hub", "name": "../../etc", "revision": "main"}, 2, "base_model"),
        ({"kind": "pickle"}, 2, "base_model"),
    ],
    ids=["hub without network", "no folder", "hub name with dots", "unknown kind"],
)
def test_base_model_that_cannot_be_had(
    keys: dict[str, object],
    exit_code: int,
    expected: str,
    prepared: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    argv = ["--workspace", str(prepared), *base_model(tmp_path, **keys), "tracking.enabled=false"]
    assert expected in told(argv, capsys, exit_code)


def test_sentences_longer_than_the_encoder_has_positions(
    prepared: Path, command_line: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    line = told(command_line(prepared, "training.max_tokens=65"), capsys, 6)
    assert "max_tokens=65; allowed: at most 64, the encoder's positions" in line
    assert list((prepared / "models" / "sentiment").glob("my-tiny*")) == []


def test_base_model_with_pickled_weights_alone_is_refused(
    prepared: Path, tmp_path: Path, tiny_base_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    for file in tiny_base_model.iterdir():
        if file.suffix != ".safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    argv = ["--workspace", str(prepared), *base_model(tmp_path, kind="folder", folder=folder), "tracking.enabled=false"]
    assert "lacks weights in *.safetensors" in told(argv, capsys, 6)


def test_registered_name_of_the_trading_agents_is_refused(
    prepared: Path, command_line: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = FilesystemRegistry(prepared / "models" / "registry")
    agent = ensure_champion(registry, "stock_trading", STOCK_TRADING)
    argv = command_line(prepared, "registry.model_name=stock_trading", "hyperparameters.epochs=1")
    assert "stock_trading version 1" in (line := told(argv, capsys, 6))
    assert "is of kind equal_weight" in line
    assert registry.versions("stock_trading") == (agent,)
    assert registry.aliases("stock_trading") == {"champion": 1}
