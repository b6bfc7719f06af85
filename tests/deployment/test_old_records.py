"""Records of old runs go by age and count; what could still be at work, and what is nobody's record, stays."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployment.clean_runs import clean_runs
from deployment.old_records import old_records
from MLOps.alert_events import StageFailedEvent, events_folder, write_event
from MLOps.settings.cleaning import CleaningSettings
from MLOps.settings.compose import compose_settings

NOW = datetime(2026, 1, 31, tzinfo=UTC)
ENTRIES = {
    "reports/chains": "{}/chain.json",
    "reports/alerts": "{}.json",
    "reports/logs": "{}.log",
    "reports/data_validation": "{}/report.json",
    "data/cache/models": "{}/model.json",
    "data/cache/onnx": "{}/promise.json",
    "data/cache/news_scores": "{}/part.parquet",
    "models/.checkpoints": "{}/checkpoint.pt",
    "models/sentiment/.checkpoints": "{}/checkpoint.pt",
}
BY_AGE = [root for root in ENTRIES if root.endswith(("checkpoints", "onnx", "news_scores"))]


def settings_of(workspace: Path, keep_days: int = 10, keep_count: int = 1) -> CleaningSettings:
    fixed = [f"paths.workspace={workspace}", "tracking.enabled=false", "registry.kind=filesystem"]
    kept = [f"keep_days={keep_days}", f"keep_count={keep_count}"]
    return compose_settings(CleaningSettings, "clean_runs", [*fixed, *kept])


def write(file: Path, days_old: float) -> None:
    """Write a file; it and its folder are `days_old` days old."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")
    made = (NOW - timedelta(days=days_old)).timestamp()
    for path in (file, file.parent):
        os.utime(path, (made, made))


def write_history(root: Path, entry: str) -> None:
    for name, days_old in [("oldest", 60), ("old", 40), ("recent", 5)]:
        write(root / entry.format(name), days_old)


def left(root: Path) -> list[str]:
    return sorted(path.stem for path in root.iterdir())


@pytest.mark.parametrize("root", [root for root in ENTRIES if root not in BY_AGE])
def test_only_what_is_both_old_and_far_back_goes(workspace: Path, root: str) -> None:
    write_history(workspace / root, ENTRIES[root])
    clean_runs(settings_of(workspace, keep_count=2), NOW)
    assert left(workspace / root) == ["old", "recent"]


@pytest.mark.parametrize("root", BY_AGE)
def test_an_abandoned_checkpoint_and_what_a_cache_makes_again_go_by_age_alone(workspace: Path, root: str) -> None:
    write_history(workspace / root, ENTRIES[root])
    clean_runs(settings_of(workspace, keep_count=20), NOW)
    assert left(workspace / root) == ["recent"]


@pytest.mark.parametrize("root", ENTRIES)
def test_what_could_be_at_work_stays_whatever_the_settings(workspace: Path, root: str) -> None:
    write(workspace / root / ENTRIES[root].format("newest"), 0)
    write(workspace / root / ENTRIES[root].format("at_work"), 1.5)
    write(workspace / root / ENTRIES[root].format("ended"), 2.5)
    clean_runs(settings_of(workspace, keep_days=0), NOW)
    assert left(workspace / root) == ["at_work", "newest"]


def test_an_entry_is_as_old_as_its_newest_file(workspace: Path) -> None:
    chains = workspace / "reports" / "chains"
    write_history(chains, "{}/chain.json")
    write(chains / "oldest" / "05-promote_to_paper.json", 1)
    clean_runs(settings_of(workspace), NOW)
    assert left(chains) == ["oldest", "recent"]


def test_an_entry_that_changes_while_it_is_looked_at_stays(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chains, look = workspace / "reports" / "chains", Path.lstat
    write_history(chains, "{}/chain.json")

    def vanish(path: Path) -> os.stat_result:
        if path == chains / "oldest" / "chain.json":
            raise FileNotFoundError
        return look(path)

    monkeypatch.setattr(Path, "lstat", vanish)
    assert [path.name for path in old_records(settings_of(workspace), NOW, needed_digests=())] == ["old"]


def test_an_alert_that_still_fires_stays(workspace: Path) -> None:
    reports = workspace / "reports"
    about = {"event": "stage_failed", "run_date": None, "message": "no bars", "log_url": "", "plan": "daily_data"}
    told = [("a", 60, "firing"), ("a", 50, "firing"), ("b", 60, "firing"), ("b", 50, "resolved"), ("c", 5, "firing")]
    for stage, days_old, status in told:
        at = NOW - timedelta(days=days_old)
        run = {"at": at, "run_id": f"run{days_old}", "try_number": 1, "stage": stage, "status": status}
        path = write_event(reports, StageFailedEvent.model_validate(about | run))
        os.utime(path, (at.timestamp(), at.timestamp()))
    clean_runs(settings_of(workspace), NOW)
    assert left(events_folder(reports)) == [
        f"StageFailedForGood-daily_data-{rest}-1-firing" for rest in ("a-run50", "c-run5")
    ]


def test_files_that_are_no_records_stay(workspace: Path) -> None:
    reports = workspace / "reports"
    mine = [reports / "logs" / "notes.txt", reports / "chains" / "mine" / "notes.txt", reports / "alerts" / "README"]
    for file in mine:
        write(file, 400)
    write_history(reports / "logs", "{}.log")
    (reports / "logs" / "elsewhere.log").symlink_to(mine[1])
    clean_runs(settings_of(workspace), NOW)
    assert left(reports / "logs") == ["elsewhere", "notes", "recent"]
    assert all(file.is_file() for file in mine)


def test_the_cached_files_of_a_needed_model_stay(workspace: Path) -> None:
    needed, other = "a" * 64, "b" * 64
    for name, days_old in [(needed, 60), (other, 40), ("recent", 5)]:
        write(workspace / "data" / "cache" / "models" / name / "model.json", days_old)
    found = old_records(settings_of(workspace), NOW, needed_digests={needed})
    assert [path.name for path in found] == [other]


def test_graphs_and_scores_of_a_needed_model_stay(workspace: Path) -> None:
    needed, other = "0123456789abcdef" * 4, "f" * 64
    for digest in (needed, other):
        write(workspace / "data" / "cache" / "onnx" / f"{digest}-float32-onnx1.2" / "promise.json", 400)
        write(workspace / "data" / "cache" / "news_scores" / f"{digest[:16]}-{'a' * 16}" / "part.parquet", 400)
    found = old_records(settings_of(workspace), NOW, needed_digests={needed})
    assert [path.name.partition("-")[0] for path in found] == [other, other[:16]]
