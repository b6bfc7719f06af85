"""The stage ablate_rainbow: what its table holds, that an interrupted one goes on, what it refuses."""

import csv
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiment_tracking.runner import read_settings
from MLOps import failpoints
from MLOps.evaluation.rainbow_ablation import RainbowAblation
from MLOps.settings.project import project_root
from MLOps.stage import MemoryTracker, StageResult
from MLOps.training.progress import Progress
from pipelines.crypto_dqn import ablate_rainbow as stage

DieAt = Callable[[failpoints.Point, Callable[[], object]], None]
SEEDS = "seeds=[3,5]"
TWO = (SEEDS, "variants=[dqn]")  # of eight variants
ALL = ("without_double", "without_dueling", "without_prioritized", "without_categorical", "without_noisy")
ALIKE = ("ablation", "trainings")  # the others tell how long it took


@pytest.fixture(scope="module")
def argv_of(small_settings: tuple[str, ...]) -> Callable[..., list[str]]:
    """``argv_of(workspace, "key=value", ...)``: a small ablation."""

    def make(workspace: Path, *more: str) -> list[str]:
        return ["--workspace", str(workspace), *small_settings, *more]

    return make


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, lay_down: Any, argv_of: Any) -> tuple[StageResult, MemoryTracker]:
    """All variants over two seeds, undisturbed; only read it."""
    workspace = lay_down(tmp_path_factory.mktemp("ablated"))
    tracker = MemoryTracker()
    return stage.ablate_rainbow(read_settings(stage.STAGE, argv_of(workspace, SEEDS)), tracker), tracker


@pytest.fixture(scope="module")
def done_two(tmp_path_factory: pytest.TempPathFactory, lay_down: Any, argv_of: Any) -> StageResult:
    """Two variants over two seeds, undisturbed; only read it."""
    workspace = lay_down(tmp_path_factory.mktemp("ablated_two"))
    return stage.ablate_rainbow(read_settings(stage.STAGE, argv_of(workspace, *TWO)), MemoryTracker())


def figures_of(result: StageResult) -> RainbowAblation:
    return RainbowAblation.model_validate_json(result.artifacts["ablation"].path.read_bytes())


def digests_of(result: StageResult) -> dict[str, str]:
    return {name: result.artifacts[name].sha256 for name in ALIKE}


def test_every_variant_is_trained_with_every_seed(done: tuple[StageResult, MemoryTracker]) -> None:
    ablation = figures_of(done[0])
    names = ["rainbow", *ALL, "without_n_step", "dqn"]
    assert [(run.variant, run.seed) for run in ablation.runs] == [(name, seed) for name in names for seed in (3, 5)]
    assert {run.frames for run in ablation.runs} == {(80, 160, 240, 320, 400, 480)}
    assert len({(run.seed, run.mean_score_10) for run in ablation.runs}) == 16  # no two variants are one and the same
    assert ablation.validation.cycles == 108  # one for each hour of 120 that has 5 before and 7 after it


def test_the_table_holds_means_and_paired_differences(done: tuple[StageResult, MemoryTracker]) -> None:
    result, ablation = done[0], figures_of(done[0])
    with result.artifacts["trainings"].path.open() as stream:
        rows = {(row["variant"], int(row["seed"])): row for row in csv.DictReader(stream)}
    assert len(rows) == 16
    best, last = (
        {place: float(row[f"{look}_advantage_bps"]) for place, row in rows.items()} for look in ("best", "last")
    )
    for figures in ablation.variants:
        name = figures.variant
        assert result.metrics[f"{name}.best_advantage_bps"] == pytest.approx((best[name, 3] + best[name, 5]) / 2)
        assert result.metrics[f"{name}.last_advantage_bps"] == pytest.approx((last[name, 3] + last[name, 5]) / 2)
        assert float(rows[name, 3]["last_less_full_bps"]) == pytest.approx(last[name, 3] - last["rainbow", 3])
        if figures.last_difference is not None:
            paired = [last[name, seed] - last["rainbow", seed] for seed in (3, 5)]
            assert figures.last_difference.by_seed == pytest.approx(paired)
            assert result.details[f"finding.{name}"] == figures.last_difference.finding
            assert result.metrics[f"{name}.last_difference_bps"] == figures.last_difference.mean
    text = result.artifacts["table"].path.read_text()
    assert text.count("\n| ") == 10  # header, rule, eight variants
    assert f"| plain DQN, none of them | {ablation.variants[-1].last_bps.mean:+.1f} ±" in text


def test_table_and_page_say_what_limits_them(done: tuple[StageResult, MemoryTracker]) -> None:
    page = re.sub(r"<script>.*?</script>", "", done[0].artifacts["report"].path.read_text(), flags=re.DOTALL)
    for text in (done[0].artifacts["table"].path.read_text(), page):
        for words in (
            "2 seeds are few",
            "is not the finding that there is none",
            "nothing of the future",
            "who always bought last",
            "480 decisions are short",
            "switching it off also changes the effective step",
        ):
            assert words in text
    assert page.count('class="plotly-graph-div"') == 2
    assert "{{" not in page


def test_each_training_costs_time_and_is_reported(done: tuple[StageResult, MemoryTracker]) -> None:
    result, tracker = done
    assert result.metrics["dqn.cpu_seconds"] > 0
    assert [step for step, _ in tracker.curves["without_noisy.best_advantage_bps"]] == [0, 1]
    assert not (result.folder.parents[2] / "models" / ".checkpoints" / result.key).exists()


def test_a_seed_decides_alone(done: tuple[StageResult, MemoryTracker], done_two: StageResult) -> None:
    """A training among two variants is the one among eight: no draw passes from one to the next."""
    among_all = {(run.variant, run.seed): run for run in figures_of(done[0]).runs}
    assert all(among_all[run.variant, run.seed] == run for run in figures_of(done_two).runs)


def test_killed_in_the_third_training_it_goes_on_from_its_checkpoint(
    done_two: StageResult,
    prepared: Path,
    argv_of: Callable[..., list[str]],
    in_copy: Callable[[Callable[[], object]], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = argv_of(prepared, *TWO)

    def die_in_the_third() -> None:
        ends: list[int] = []

        def reach(_self: Progress, frames: int) -> None:
            ends.extend([frames] if frames == 480 else [])
            if len(ends) == 2 and frames == 400:
                signal.raise_signal(signal.SIGKILL)

        Progress.reach = reach
        stage.main(argv)

    assert in_copy(die_in_the_third) == -signal.SIGKILL
    assert stage.main(argv) == 0
    captured = capsys.readouterr()
    told = [line.split(maxsplit=1)[1] for line in captured.err.splitlines()]
    for line in (
        "training 1 of 4: rainbow, seed 3, kept",
        "training 2 of 4: dqn, seed 3, kept",
        "training continues from the checkpoint at frame 320",
        "training starts from zero: 480 frames",
    ):
        assert told.count(line) == 1
    assert digests_of(StageResult.model_validate_json(captured.out.splitlines()[-1])) == digests_of(done_two)


def test_killed_before_its_report_it_trains_nothing_again(
    done_two: StageResult,
    prepared: Path,
    argv_of: Callable[..., list[str]],
    die_at: DieAt,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = argv_of(prepared, *TWO)
    die_at("before_rename", lambda: stage.main(argv))
    (kept,) = (prepared / "models" / ".checkpoints").iterdir()
    (kept / "dqn-5.json").write_text("{")  # that one cannot be read
    assert stage.main(argv) == 0
    captured = capsys.readouterr()
    assert captured.err.count(", kept") == 3
    assert captured.err.count("training starts from zero") == 1
    assert digests_of(StageResult.model_validate_json(captured.out.splitlines()[-1])) == digests_of(done_two)
    assert stage.main(argv) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["status"] == "already_made"


def test_without_resume_nothing_kept_is_taken(
    prepared: Path, argv_of: Callable[..., list[str]], die_at: DieAt, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = argv_of(prepared, *TWO, "training.resume=false")
    die_at("before_rename", lambda: stage.main(argv))
    assert stage.main(argv) == 0
    assert capsys.readouterr().err.count("training starts from zero") == 4


@pytest.mark.parametrize(
    ("override", "status", "message"),
    [
        ("seeds=[1]", 2, "seeds"),
        ("seeds=[1,1]", 2, "must not name one twice"),
        ("variants=[rainbow]", 2, "it is always trained"),
        ("variants=[without_luck]", 2, "without_luck"),
        ("variants=[]", 2, "variants"),
        ("model=dqn", 2, "model=dqn: no group of this stage; allowed: data"),
        ("model.n_steps=1", 2, "model.n_steps=1: what is off cannot be taken away"),
        ("training.num_frames=31", 2, "training.num_frames=31 must be >= 32"),
        ("training.seed=7", 2, "training.seed=7 must be 0: each training has one of `seeds`"),
        ("power_fraction=1", 2, "power_fraction=1"),
        ("bars_path=nowhere.parquet", 3, "nowhere.parquet does not exist"),
        ("data.test_start=2018-02-01", 3, "test holds 0 bars of BTC (1h)"),
    ],
)
def test_bad_input_ends_with_one_line(
    override: str,
    status: int,
    message: str,
    prepared: Path,
    argv_of: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert stage.main(argv_of(prepared, override)) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = [line for line in captured.err.splitlines() if "ablate_rainbow:" in line]
    assert message in line
    assert not (prepared / "reports" / "rainbow_ablations").exists()


def test_bars_of_another_coin_are_told(
    workspace: Path,
    lay_down: Callable[..., Path],
    make_crypto_bars: Callable[..., pd.DataFrame],
    argv_of: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lay_down(workspace, make_crypto_bars(symbol="ETH"))
    assert stage.main(argv_of(workspace)) == 3
    assert "holds ETH, not BTC" in capsys.readouterr().err.splitlines()[-1]


def test_runs_as_a_process_of_its_own(prepared: Path, argv_of: Callable[..., list[str]]) -> None:
    script = project_root() / "pipelines" / "crypto_dqn" / "ablate_rainbow.py"
    command = [sys.executable, str(script), *argv_of(prepared, *TWO, "training.num_frames=80")]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout.splitlines()[-1])["details"]["trainings"] == 4
    assert "training 4 of 4: dqn, seed 5" in finished.stderr
