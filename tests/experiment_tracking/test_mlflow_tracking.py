"""Runs in a real MLflow store: one run an identity, provenance, results, clear errors."""

import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from experiment_tracking import mlflow_utils, provenance
from experiment_tracking.mlflow_tracker import MlflowTracker
from experiment_tracking.runner import read_settings, run_stage
from MLOps import failpoints
from MLOps.artifacts import Made, Output, make_once
from MLOps.errors import DataError
from MLOps.settings.stage_settings import StageSettings, fingerprint
from MLOps.stage import Stage, StageResult, Tracker


class ProbeSettings(StageSettings):
    window: int = Field(ge=1, description="Window, in rows.")
    machine: dict[str, object] = Field(description="Machine.")


def probe(settings: ProbeSettings, tracker: Tracker) -> StageResult:
    """Write one file and a curve."""

    def make(folder: Path, _key: str) -> Made:
        for step in range(3):
            tracker.metrics({"loss": 1.0 / (step + 1)}, step=step)
        (folder / "made.txt").write_text("x" * 10)
        (folder / "large.bin").write_bytes(bytes(2 * 2**20))
        return Made(files={"made": "made.txt", "large": "large.bin"}, metrics={"rows": 3}, details={"agent": "ppo"})

    source = settings.paths.workspace / "source.txt"
    return make_once(Output("probe", settings.paths.data, settings, inputs={"source": source}), make, tracker)


STAGE = Stage("probe", ProbeSettings, probe)


@pytest.fixture
def tracked(project: Path, empty_mlflow_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(empty_mlflow_store, project / "mlruns.db")
    (project / "source.txt").write_text("prices")
    monkeypatch.setattr(provenance, "project_root", lambda: project)
    return project


@pytest.fixture
def runs(tracked: Path) -> Callable[[], list[Any]]:
    def search() -> list[Any]:
        client = mlflow_utils.open_client(read_settings(STAGE, []))
        return list(client.search_runs([experiment.experiment_id for experiment in client.search_experiments()]))

    assert tracked.exists()
    return search


def test_run_carries_provenance_settings_curve_and_result(runs: Callable[[], list[Any]], tracked: Path) -> None:
    assert run_stage(STAGE, ["tracking.max_artifact_mib=1"]) == 0
    (run,) = runs()
    tags = run.data.tags
    assert run.info.status == "FINISHED"
    assert tags["stage"] == "probe"
    assert tags["settings.sha256"] == fingerprint(read_settings(STAGE, []))
    assert len(tags["input.source.sha256"]) == 64
    assert tags["detail.agent"] == "ppo"
    assert (tags["git.commit"], tags["git.dirty"]) == ("unknown", "true")  # the small project is no git checkout
    assert run.data.params["window"] == "5"
    assert run.data.metrics == {"loss": pytest.approx(1 / 3), "rows": 3.0}
    artifacts = tracked / "mlartifacts" / "trading-agents" / run.info.run_id / "artifacts"
    kept = {path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*") if path.is_file()}
    assert kept == {"settings.yaml", "packages.yaml", "result.json", "outputs/made.txt"}
    assert tags["artifact.large.sha256"]


def test_more_figures_than_one_call_takes_are_all_kept(runs: Callable[[], list[Any]]) -> None:
    figures = {f"rate/{number}": float(number) for number in range(1_001)}
    with MlflowTracker("probe", read_settings(STAGE, [])) as tracker:
        tracker.begin("k1", {})
        tracker.metrics(figures, step=3)
    (run,) = runs()
    assert run.data.metrics == figures


def test_retry_continues_the_failed_run(runs: Callable[[], list[Any]]) -> None:
    def fail(settings: ProbeSettings, tracker: Tracker) -> StageResult:
        def make(_folder: Path, _key: str) -> Made:
            raise DataError("bad rows")

        source = settings.paths.workspace / "source.txt"
        return make_once(Output("probe", settings.paths.data, settings, inputs={"source": source}), make, tracker)

    assert run_stage(replace(STAGE, run=fail), []) == 3
    assert [run.info.status for run in runs()] == ["FAILED"]
    assert run_stage(STAGE, []) == 0
    assert [run.info.status for run in runs()] == ["FINISHED"]


def test_killed_before_tracking_the_retry_still_records_the_result(runs: Callable[[], list[Any]]) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    failpoints.arm("before_tracking", killed)
    assert run_stage(STAGE, []) == 130
    assert [(run.info.status, "rows" in run.data.metrics) for run in runs()] == [("KILLED", False)]
    failpoints.disarm()
    assert run_stage(STAGE, []) == 0
    assert [(run.info.status, run.data.metrics["rows"]) for run in runs()] == [("FINISHED", 3.0)]


def test_output_that_stands_keeps_the_record_of_its_making(
    runs: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_git", lambda *_: "old")
    run_stage(STAGE, [])
    monkeypatch.setattr(provenance, "_git", lambda *_: "new")
    run_stage(STAGE, [])
    (run,) = runs()
    assert run.data.tags["git.commit"] == "old"
    client = mlflow_utils.open_client(read_settings(STAGE, []))
    assert len(client.get_metric_history(run.info.run_id, "rows")) == 1


def test_store_that_did_not_see_the_making_claims_no_commit(
    runs: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_git", lambda *_: "new")
    run_stage(STAGE, ["tracking.enabled=false"])
    run_stage(STAGE, [])
    assert [(run.data.tags["git.commit"], run.data.metrics["rows"]) for run in runs()] == [("unknown", 3.0)]


def test_other_settings_or_inputs_are_another_run(runs: Callable[[], list[Any]], tracked: Path) -> None:
    run_stage(STAGE, [])
    run_stage(STAGE, ["window=6"])
    (tracked / "source.txt").write_text("other prices")
    run_stage(STAGE, [])
    assert len({run.data.tags[mlflow_utils.IDEMPOTENCY_TAG] for run in runs()}) == 3


def test_server_that_is_down_is_one_line(tracked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert run_stage(STAGE, [f"tracking.uri=http://127.0.0.1:{port}"]) == 4
    err = capsys.readouterr().err
    assert f"MLflow at http://127.0.0.1:{port} does not answer (" in err
    assert len(err.strip().splitlines()) == 1
    assert not (tracked / "data").exists()


def test_versions_and_aliases(tracked: Path) -> None:
    client = mlflow_utils.open_client(read_settings(STAGE, []))
    folder = tracked / "policy"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    experiment = mlflow_utils.experiment_id(client, read_settings(STAGE, []))
    with mlflow_utils.start_run(client, experiment, "probe", "k1") as run:
        source = mlflow_utils.log_model(client, run.info.run_id, folder)
    versions = [mlflow_utils.register(client, "stock", source, run.info.run_id, {"digest": "d"}) for _ in range(2)]
    assert mlflow_utils.by_alias(client, "stock", "champion") is None
    assert mlflow_utils.by_alias(client, "unknown", "champion") is None
    mlflow_utils.set_alias(client, "stock", "champion", versions[0].version)
    mlflow_utils.set_alias(client, "stock", "champion", versions[1].version)
    champion = mlflow_utils.by_alias(client, "stock", "champion")
    assert champion is not None
    assert champion.version == versions[1].version
    assert champion.tags == {"digest": "d"}


def test_dirtiness_passes_over_data_pointers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
        subprocess.run(["git", "-C", str(project), *identity, *arguments], check=True, capture_output=True)

    monkeypatch.setattr(provenance, "project_root", lambda: project)
    settings = read_settings(STAGE, [])
    pointer = project / "versions" / "raw.dvc"
    pointer.parent.mkdir()
    pointer.write_text("outs: 1")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "all")
    pointer.write_text("outs: 2")
    tags = provenance.provenance_tags(settings)
    assert (len(tags["git.commit"]), tags["git.dirty"]) == (40, "false")
    (project / "config/stages/probe.yaml").write_text("window: 6\n")
    assert provenance.provenance_tags(settings)["git.dirty"] == "true"
