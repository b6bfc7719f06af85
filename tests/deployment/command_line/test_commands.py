"""The command line: help, refusals, which stage gets what, and each command as a real process."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deployment.command_line import crypto_commands
from deployment.command_line.stage_command import StageEndedError
from deployment.commands import HELP, build_parser, main
from experiment_tracking import runner
from MLOps.artifacts import sha256_of
from MLOps.market.crypto_bars import write_crypto_bars
from MLOps.settings.project import project_root
from MLOps.stage import Artifact, StageResult

SCRIPT = project_root() / "deployment" / "commands.py"
OFFLINE = ["tracking.enabled=false", "metrics.sink=none", "registry.kind=filesystem"]


@pytest.mark.parametrize("command", sorted(HELP))
def test_help_explains_every_flag_and_its_example_is_taken(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"--{flag}" in told for flag in (*HELP[command].flags, "overrides"))
    assert HELP[command].example in told
    build_parser().parse_args(HELP[command].example.split()[2:])
    assert (project_root() / "config" / "stages" / f"{HELP[command].settings}.yaml").is_file()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "the following arguments are required: command"),
        (["sell"], "invalid choice: 'sell' (choose from 'train', 'infer', 'export_onnx', 'serve')"),
        (["serve", "--output_path", "x"], "unrecognized arguments: --output_path x"),
        (["train", "--crypto", "DOGE"], "argument --crypto: invalid choice: 'DOGE' (choose from 'BTC', 'ETH')"),
        (["train", "--overrides", "training.num_frames=-1"], "training.num_frames=-1"),
        (["train", "--overrides", "training.speed=1"], "training.speed: unknown key"),
        (
            ["train", "--overrides", "training=fast"],
            "training=fast; allowed: default, quick; mend: command line: train",
        ),
        (["train", "--overrides", "data=doge"], "data=doge; allowed: btc, eth; mend: command line: data=doge"),
    ],
)
def test_mistake_is_one_line_and_status_2(argv: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert err.startswith("commands.py: ")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("given", [["serving.api_key=hunter2"], ["--api_key", "hunter2"], ["--api_key=hunter2"]])
def test_stray_secret_is_not_repeated(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", *given]) == 2
    err = capsys.readouterr().err
    assert "unrecognized arguments" in err
    assert "***" in err
    assert "hunter2" not in err


class Stages:
    """Stands in for the processes; remembers what each was given."""

    def __init__(self, folder: Path, failing: str = "") -> None:
        self.folder, self.failing = folder, failing
        self.started: list[tuple[str, list[str]]] = []

    def run(self, stage: str, arguments: list[str]) -> StageResult:
        self.started.append((stage, list(arguments)))
        if stage == self.failing:
            raise StageEndedError(3)
        made = self.folder / {"export_crypto_model": "BTC_777"}.get(stage, stage)
        made.mkdir(exist_ok=True)
        artifacts = {}
        for name in ("bars", "report"):
            (made / name).write_text(f"{name} of {stage}")
            artifacts[name] = Artifact(path=made / name, sha256=sha256_of(made / name))
        details = {"finding": "no_edge", "model_digest": "d"}
        return StageResult(stage=stage, key="k", status="made", folder=made, artifacts=artifacts, details=details)


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stages:
    found = Stages(tmp_path / "made")
    found.folder.mkdir()
    monkeypatch.setattr(crypto_commands, "run_stage_process", found.run)
    monkeypatch.setattr(crypto_commands, "become_stage", found.run)
    monkeypatch.chdir(tmp_path)
    return found


def test_training_is_delivered_and_shown(
    stages: Stages, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"paths.workspace={workspace}"
    (tmp_path / "bars.parquet").touch()
    argv = ["train", "--crypto", "eth", "--data_path", "bars.parquet", "--output_path", "mine"]
    assert main([*argv, "--overrides", place, "training.seed=777", "max_observations=50"]) == 0
    bars, model = tmp_path / "bars.parquet", stages.folder / "train_rainbow"
    eth = ["data=eth", "registry.model_name=crypto_timing_eth"]
    assert stages.started == [
        ("train_rainbow", ["--bars_path", str(bars), *eth, place, "training.seed=777"]),
        (
            "export_crypto_model",
            [
                *("--model_path", str(model), "--output_path", str(tmp_path / "mine")),
                *(*eth, place, "max_observations=50", f'bars_path="{bars}"'),
            ],
        ),
        ("evaluate_crypto_timing", ["--model_path", str(model), *eth, place, f'bars_path="{bars}"']),
    ]
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["finding"] == "no_edge"
    assert told["plots"] == str(workspace / "plots" / "BTC_777")
    assert (workspace / "plots" / "BTC_777" / "report.html").read_text() == "report of evaluate_crypto_timing"


def test_pickle_becomes_bars_first(stages: Stages, workspace: Path, tmp_path: Path) -> None:
    place = f"paths.workspace={workspace}"
    (tmp_path / "crypto_data.pkl").touch()
    assert main(["train", "--data_path", "crypto_data.pkl", "--overrides", place, "columns.close=last"]) == 0
    (convert, given), (train, trained_on), *_ = stages.started
    assert (convert, train) == ("convert_crypto_pickle", "train_rainbow")
    assert given[:6] == ["--pickle_path", str(tmp_path / "crypto_data.pkl"), "--symbol", "BTC", "--frequency", "1h"]
    assert given[6:] == [place, "columns.close=last"]
    assert trained_on == ["--bars_path", str(stages.folder / "convert_crypto_pickle" / "bars"), place]


@pytest.mark.parametrize("failing", ["train_rainbow", "export_crypto_model", "evaluate_crypto_timing"])
def test_chain_ends_with_the_status_of_what_failed(
    stages: Stages, workspace: Path, capsys: pytest.CaptureFixture[str], failing: str
) -> None:
    stages.failing = failing
    assert main(["train", "--overrides", f"paths.workspace={workspace}"]) == 3
    assert stages.started[-1][0] == failing
    assert not (workspace / "plots").exists()
    out = capsys.readouterr().out
    if failing == "train_rainbow":
        assert out == ""
    else:  # what a training made is told, whatever becomes of the rest
        told = json.loads(out.splitlines()[-1])
        assert (told["model"], told["model_digest"]) == (str(stages.folder / "train_rainbow"), "d")
        assert ("delivery" in told, "plots" in told) == (failing == "evaluate_crypto_timing", False)


def _refusal(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status, err = main(argv), capsys.readouterr().err
    assert err.startswith("commands.py: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert "traceback" not in err
    return status, err


@pytest.mark.parametrize("argv", [["infer", "--data_path"], ["train", "--data_path"], ["serve", "--model_path"]])
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("~nosuchuser/x.parquet", "~nosuchuser/x.parquet: Could not determine home directory"),
        ("ring.parquet", "ring.parquet: Symlink loop"),
        ("n" * 5000, f"{'n' * 100}... (5000 characters): File name too long"),
        ("file/x.parquet", "file/x.parquet: Not a directory"),
    ],
)
def test_path_that_cannot_be_followed_is_one_line(
    stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], path: str, told: str
) -> None:
    (tmp_path / "ring.parquet").symlink_to("ring.parquet")
    (tmp_path / "file").write_text("")
    status, err = _refusal([*argv, path], capsys)
    assert status == 2
    assert told in err
    assert err.endswith(f"; allowed: a path that can be followed; mend: {argv[1]}\n")
    assert stages.started == []


@pytest.mark.parametrize(
    ("argv", "status", "told"),
    [
        (
            ["infer", "--output_path", "/proc/x/y.csv"],
            5,
            "/proc/x cannot be written: No such file or directory (/proc)",
        ),
        (["infer", "--data_path", "x.pkl", "--output_path", "file/y.csv"], 2, "file/y.csv: Not a directory"),
        (["infer", "--data_path", "x.pkl", "--output_path", "/proc/x/y.csv"], 5, "/proc/x cannot be written"),
        (["export_onnx", "--data_path", "x.pkl", "--output_path", "/proc/x"], 5, "/proc/x cannot be written"),
        (["infer", "--output_path", "folder"], 2, "folder is a folder; allowed: a file; mend: --output_path"),
        (["train", "--output_path", "/proc/x"], 5, "a folder that can be written, or made; mend: --output_path"),
        (["train", "--model_path", "file"], 5, "cannot be written: Not a directory"),
        (["export_onnx", "--output_path", "file"], 5, "cannot be written: Not a directory"),
    ],
)
def test_place_that_cannot_be_written_is_told_before_any_work(
    stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], status: int, told: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    seen, err = _refusal(argv, capsys)
    assert seen == status
    assert told in err
    assert stages.started == []


def test_plots_that_are_a_file_are_told_before_the_training(
    stages: Stages, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "plots").write_text("")
    status, err = _refusal(["train", "--overrides", f"paths.workspace={workspace}"], capsys)
    assert status == 5
    assert "cannot be written: Not a directory" in err
    assert err.endswith("; mend: paths.workspace\n")
    assert stages.started == []


def test_plots_that_fail_after_the_training_leave_its_result_told(
    stages: Stages, workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(stage: str, arguments: list[str]) -> StageResult:
        if stage == "evaluate_crypto_timing":
            (workspace / "plots").write_text("put here meanwhile")
        return stages.run(stage, arguments)

    monkeypatch.setattr(crypto_commands, "run_stage_process", run)
    assert main(["train", "--overrides", f"paths.workspace={workspace}"]) == 5
    out, err = capsys.readouterr()
    told = json.loads(out.splitlines()[-1])
    assert (told["delivery"], told["finding"]) == (str(stages.folder / "BTC_777"), "no_edge")
    assert "plots" not in told
    assert err.splitlines()[-1].startswith("commands.py: cannot use a path (")
    assert "Traceback" not in err


def test_what_nobody_expected_is_one_line_and_a_file(
    stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_given: Namespace) -> int:
        raise ZeroDivisionError("by chance")

    monkeypatch.setattr(runner, "project_root", lambda: tmp_path)
    monkeypatch.setattr("deployment.commands.COMMANDS", {"infer": fail})
    assert main(["infer"]) == 1
    err = capsys.readouterr().err
    (log,) = (tmp_path / "reports" / "logs").iterdir()
    assert err == f"commands.py: ZeroDivisionError: by chance; the traceback is in {log}\n"
    assert "in fail" in log.read_text()
    assert stages.started == []


def _write_card(folder: Path, symbol: str, **provenance: object) -> None:
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"market": {"symbol": symbol}, "provenance": provenance}))


def _write_delivery(folder: Path) -> None:
    folder.mkdir()
    for name in ("model.onnx", "SHA256SUMS"):
        (folder / name).touch()


def test_paths_are_read_from_the_working_directory(stages: Stages, tmp_path: Path) -> None:
    (tmp_path / "o.npy").touch()
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.json").touch()
    main(["infer", "--crypto", "BTC", "--model_path", "m", "--data_path", "o.npy", "--output_path", "d.csv"])
    main(["export_onnx", "--model_path", "m", "--data_path", "o.npy", "--output_path", "out"])
    main(["serve", "--model_path", "m", "--port", "5055", "--crypto", "btc", "--overrides", "serving.threads=2"])
    here = {name: str(tmp_path / name) for name in ("m", "o.npy", "d.csv", "out")}
    assert stages.started == [
        (
            "infer_crypto_timing",
            ["--model_path", here["m"], "--data_path", here["o.npy"], "--output_path", here["d.csv"], "data=btc"],
        ),
        (
            "export_crypto_model",
            ["--model_path", here["m"], "--output_path", here["out"], f'observations_path="{here["o.npy"]}"'],
        ),
        ("serve_crypto_model", ["--model_path", here["m"], "--port", "5055", "--symbol", "BTC", "serving.threads=2"]),
    ]


def test_export_takes_no_observations_of_a_request(stages: Stages, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export_onnx", "--data_path", "o.json"]) == 2
    told = "--data_path o.json; allowed: a file of the kinds .parquet, .pickle, .pkl, .npy; mend: --data_path"
    assert told in capsys.readouterr().err.splitlines()[-1]
    assert stages.started == []


@pytest.mark.parametrize("command", ["infer", "export_onnx", "serve"])
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("at/BTC_778", "--model_path at/BTC_778 does not exist; allowed: a model folder"),
        ("at/BTC_778", "; there is at/BTC_1, at/BTC_2, at/BTC_3, at/BTC_4, ...; mend: --model_path, or make one: "),
        ("nowhere/BTC_778", "--model_path nowhere/BTC_778 does not exist; allowed: a model folder"),
        ("at/empty", "--model_path at/empty is a folder without a model; allowed: one that holds model.json"),
        ("file", "--model_path file is no folder; allowed: a model folder"),
    ],
)
def test_model_that_is_not_there_is_told_with_those_that_are(
    stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, path: str, told: str
) -> None:
    (tmp_path / "at" / "empty").mkdir(parents=True)
    for number in range(1, 6):
        _write_card(tmp_path / "at" / f"BTC_{number}", "BTC")
    (tmp_path / "file").touch()
    status, err = _refusal([command, "--model_path", path], capsys)
    assert status == 3
    assert told in err
    assert stages.started == []


def test_delivery_is_named_and_used_but_not_exported_again(
    stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_delivery(tmp_path / "BTC_777")
    status, err = _refusal(["infer", "--model_path", "BTC_778"], capsys)
    assert (status, "allowed: a model folder or a delivery; there is BTC_777; mend:" in err) == (3, True)
    status, err = _refusal(["export_onnx", "--model_path", "BTC_777"], capsys)
    assert status == 3
    assert "--model_path BTC_777 is a delivery, which was exported already; allowed: the model folder that" in err
    assert stages.started == []
    main(["serve", "--model_path", "BTC_777"])
    assert stages.started == [("serve_crypto_model", ["--model_path", str(tmp_path / "BTC_777")])]


@pytest.mark.parametrize("command", ["train", "infer", "export_onnx"])
@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("nothing.parquet", 3, "--data_path nothing.parquet does not exist; allowed: a file of the kinds .parquet"),
        ("nothing.pkl", 3, "; mend: --data_path, or leave it out: then the newest bars are taken that ingest_crypto_"),
        ("folder.parquet", 3, "--data_path folder.parquet is a folder; allowed: a file of the kinds .parquet"),
        ("bars.csv", 2, "--data_path bars.csv; allowed: a file of the kinds .parquet, .pickle, .pkl"),
    ],
)
def test_data_that_is_not_there_is_told_before_any_work(
    stages: Stages,
    workspace: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    path: str,
    status: int,
    told: str,
) -> None:
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "bars.csv").touch()
    found, err = _refusal([command, "--data_path", path, "--overrides", f"paths.workspace={workspace}"], capsys)
    assert (found, told in err) == (status, True)
    assert stages.started == []


def test_model_that_is_named_tells_its_coin_and_how_it_was_trained(
    stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_card(tmp_path / "m", "ETH", frames=6400, seed=7)
    for argv in (["infer"], ["export_onnx"], ["infer", "--crypto", "BTC"], ["infer", "--overrides", "data=btc"]):
        main([argv[0], "--model_path", "m", *argv[1:]])
        assert capsys.readouterr().err[9:] == f"the model {tmp_path / 'm'}: ETH, 6,400 frames, seed 7\n"
    ether = ["data=eth", "registry.model_name=crypto_timing_eth"]
    assert [given[2:] for _, given in stages.started] == [ether, ether, ["data=btc"], ["data=btc"]]


def test_training_says_budget_and_seed_first_and_what_it_replaces(
    stages: Stages, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_card(stages.folder / "train_rainbow", "BTC", frames=3200, stopped_early=True, seed=777)
    report = workspace / "plots" / "BTC_777" / "report.html"
    given = ["train", "--overrides", f"paths.workspace={workspace}", "training=quick"]
    for _ in range(2):
        assert main(given) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["training"] == "3,200 frames, stopped early, seed 777"
        assert err.splitlines()[0][9:] == "1 of 3: training on BTC, 6,400 frames at most, seed 777"
        assert "is replaced" not in err  # the second time it is the same one
    report.write_text("another")
    os.utime(report, (0, 1_700_000_000))
    assert main(given) == 0
    assert f"{report}, of 2023-11-14 22:13 UTC, is replaced; each evaluation's own stays" in capsys.readouterr().err
    assert report.read_text() == "report of evaluate_crypto_timing"


def test_person_at_a_terminal_reads_lines_in_place_of_json(
    stages: Stages, workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["train", "--overrides", f"paths.workspace={workspace}"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "train:",
        f"  model: {stages.folder / 'train_rainbow'}",
        f"  delivery: {stages.folder / 'BTC_777'}",
        f"  report: {workspace / 'plots' / 'BTC_777' / 'report.html'}",
        "  finding: no edge",
    ]


def test_each_coin_has_its_name_in_the_registry(stages: Stages) -> None:
    for coin in ("BTC", "ETH"):
        main(["serve", "--crypto", coin])
    ether = ["--symbol", "ETH", "registry.model_name=crypto_timing_eth"]
    assert [arguments for _, arguments in stages.started] == [["--symbol", "BTC"], ether]


def test_every_command_of_the_help_is_there() -> None:
    assert set(HELP) == set(crypto_commands.COMMANDS)
    assert all(isinstance(build_parser().parse_args([name]), Namespace) for name in HELP)


def command(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *argv], cwd=cwd, capture_output=True, text=True, check=False)


def test_infer_as_a_process(
    workspace: Path, make_timing_model: Callable[..., str], make_crypto_bars: Callable[..., pd.DataFrame]
) -> None:
    make_timing_model(workspace / "model", window_size=6)
    write_crypto_bars(make_crypto_bars(count=100), workspace / "bars.parquet")
    flags = ["--model_path", "model", "--data_path", "bars.parquet", "--output_path", "out/decisions.csv"]
    ended = command("infer", *flags, "--overrides", f"paths.workspace={workspace}", *OFFLINE, cwd=workspace)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["stage"] == "infer_crypto_timing"
    assert list(pd.read_csv(workspace / "out" / "decisions.csv").columns[:5]) == [
        "time",
        "price",
        "action",
        "q_hold",
        "q_buy",
    ]


def test_infer_at_a_terminal_ends_with_lines_for_a_person(
    workspace: Path, make_timing_model: Callable[..., str], make_crypto_bars: Callable[..., pd.DataFrame]
) -> None:
    make_timing_model(workspace / "model", window_size=6)
    write_crypto_bars(make_crypto_bars(count=100), workspace / "bars.parquet")
    flags = ["--model_path", "model", "--data_path", "bars.parquet", "--overrides", f"paths.workspace={workspace}"]
    master, terminal = pty.openpty()
    line = [sys.executable, str(SCRIPT), "infer", *flags, *OFFLINE]
    ended = subprocess.run(line, cwd=workspace, stdout=terminal, stderr=subprocess.PIPE, text=True, check=False)
    os.close(terminal)
    told = os.read(master, 65536).decode().splitlines()
    os.close(master)
    assert ended.returncode == 0, ended.stderr
    assert told[0].startswith("infer_crypto_timing: made (")
    assert "  files: decisions.csv" in told
    assert not [line for line in told if "{" in line]


def test_failure_of_a_stage_is_the_commands_own(workspace: Path) -> None:
    (workspace / "empty.npy").touch()
    flags = ["--data_path", "empty.npy", "--overrides", f"paths.workspace={workspace}", *OFFLINE]
    ended = command("infer", *flags, cwd=workspace)
    assert ended.returncode == 6
    assert "infer_crypto_timing: crypto_timing has no crypto_timing_champion" in ended.stderr.splitlines()[-1]


def test_secret_that_serve_refuses_is_not_repeated(workspace: Path) -> None:
    given = [f"paths.workspace={workspace}", "serving.api_key=hunter2"]
    ended = command("serve", "--overrides", *given, cwd=workspace)
    assert ended.returncode == 2
    assert "serving.api_key: unknown key" in ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("flag", ["--data_path", "--output_path"])
def test_process_ends_in_one_line_for_a_path_that_is_none(workspace: Path, flag: str) -> None:
    ended = command("infer", flag, "~nosuchuser/x.csv", cwd=workspace)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith(f"commands.py: {flag} ~nosuchuser/x.csv: ")


def test_serve_is_ended_by_a_signal_to_the_command(workspace: Path, make_timing_model: Callable[..., str]) -> None:
    make_timing_model(workspace / "model", window_size=6)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    flags = ["--model_path", "model", "--port", str(port), "--overrides", f"paths.workspace={workspace}"]
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), "serve", *flags],
        cwd=workspace,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        assert any(f"http://127.0.0.1:{port}" in line for line in server.stderr)
        server.send_signal(signal.SIGTERM)
        out, _ = server.communicate(timeout=60)
    assert server.returncode == 0
    assert json.loads(out)["details"]["ended_by"] == "SIGTERM"


@pytest.mark.slow
def test_from_a_users_pickle_to_decisions(workspace: Path, make_crypto_bars: Callable[..., pd.DataFrame]) -> None:
    """The way of a newcomer, as processes: a pickle, a training, a delivery, a page, decisions of the delivery."""
    bars: Any = make_crypto_bars(count=24 * 700, first="2017-07-01")
    frame = bars[["open", "high", "low", "close", "volume"]].set_index(bars["opened_at"].dt.tz_localize(None))
    frame.to_pickle(workspace / "crypto_data.pkl")
    given = ["--overrides", f"paths.workspace={workspace}", *OFFLINE]
    small = ["training=quick", "training.num_frames=1280", "terms.bootstrap.resamples=200"]
    trained = command("train", "--data_path", "crypto_data.pkl", *given, *small, cwd=workspace)
    assert trained.returncode == 0, trained.stderr
    told = json.loads(trained.stdout)
    assert told["delivery"] == str(workspace / "trained_models" / "BTC_777")
    assert "<html" in (workspace / "plots" / "BTC_777" / "report.html").read_text()[:1000]
    decided = command(
        *("infer", "--model_path", "trained_models/BTC_777", "--data_path", "crypto_data.pkl"),
        *("--output_path", "decisions.csv", *given),
        cwd=workspace,
    )
    assert decided.returncode == 0, decided.stderr
    decisions = pd.read_csv(workspace / "decisions.csv")
    assert set(decisions["action"]) <= {0, 1}
    assert np.isfinite(decisions[["price", "q_hold", "q_buy"]]).all().all()
