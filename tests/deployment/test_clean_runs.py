"""Old runs go; a champion, what it came from, what an alias or `latest` names, and raw data stay."""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import pytest
from mlflow import MlflowClient

from deployment.clean_runs import clean_runs, main
from experiment_tracking import mlflow_utils
from MLOps.artifacts import Made, Output, make_once
from MLOps.inference.model_files import model_digest
from MLOps.inference.model_folder import EqualWeightCard, write_model
from MLOps.settings.cleaning import CleaningSettings
from MLOps.settings.compose import compose_settings
from MLOps.stage import MemoryTracker, StageResult
from model_registry.champion import ensure_champion
from model_registry.family import SENTIMENT, STOCK_TRADING, ModelFamily, baseline_digest
from model_registry.open_registry import open_registry
from model_registry.registry import ModelRegistry, ModelVersion
from model_registry.verdict import GateResult, Verdict

NOW = datetime(2026, 1, 31, tzinfo=UTC)
NAME = "stock_trading"


@dataclass(frozen=True)
class History:
    """A workspace in which runs of many days were made."""

    workspace: Path
    kind: str

    @cached_property
    def settings(self) -> CleaningSettings:
        return self.settings_with("keep_days=10", "keep_count=1")

    def settings_with(self, *overrides: str) -> CleaningSettings:
        fixed = [f"paths.workspace={self.workspace}", f"registry.kind={self.kind}"]
        return compose_settings(CleaningSettings, "clean_runs", [*fixed, *overrides])

    @cached_property
    def registry(self) -> ModelRegistry:
        return open_registry(self.settings)

    @cached_property
    def client(self) -> MlflowClient:
        return mlflow_utils.open_client(self.settings)

    def make(
        self, root: str, day: int, inputs: dict[str, Path] | None = None, digest: str = "", days_old: int = 0
    ) -> StageResult:
        """An output and its tracked run, made `days_old` days ago."""

        def write(folder: Path, _key: str) -> Made:
            (folder / "made.txt").write_text(f"{root} {day}")
            return Made(files={"made": "made.txt"}, details={"model_digest": digest})

        extra = {"day": str(day)}
        output = Output(root, self.workspace / root, self.settings, inputs or {}, label=f"day{day}", extra=extra)
        result = make_once(output, write, MemoryTracker())
        made = NOW - timedelta(days=days_old)
        os.utime(result.folder / "result.json", (made.timestamp(), made.timestamp()))
        run = self.client.create_run(
            mlflow_utils.experiment_id(self.client, self.settings),
            start_time=int(made.timestamp() * 1000),
            tags={"stage": root, mlflow_utils.IDEMPOTENCY_TAG: result.key},
            run_name=f"{root} day {day}",
        )
        self.client.log_text(run.info.run_id, "made", "made.txt")
        self.client.set_terminated(run.info.run_id)
        return result

    def train(
        self, day: int, features: StageResult, days_old: int, name: str = NAME, root: str = "models"
    ) -> ModelVersion:
        """A registered model, its digest told by its output, its files with its run."""
        folder = self.workspace / "trained" / str(day)
        write_model(folder, EqualWeightCard())
        card = folder / "model.json"
        card.write_text(card.read_text() + " " * day)  # another model, by its digest
        source = {"features": features.artifacts["made"].path}
        key = self.make(root, day, source, model_digest(folder), days_old).key
        run = mlflow_utils.find_run(self.client, mlflow_utils.experiment_id(self.client, self.settings), key)
        assert run is not None
        return self.registry.register(folder, name, {}, run.info.run_id)

    def runs(self) -> set[str]:
        experiment = mlflow_utils.experiment_id(self.client, self.settings)
        runs = self.client.search_runs([experiment], filter_string="tags.stage != ''")
        return {str(run.info.run_name) for run in runs}

    def outputs(self, root: str) -> list[str]:
        return sorted(path.name.split("-")[0] for path in (self.workspace / root).glob("day*"))


@pytest.fixture(params=["filesystem", "mlflow"])
def history(request: pytest.FixtureRequest, tracked_workspace: Path) -> History:
    return History(tracked_workspace, request.param)


@pytest.fixture
def filesystem_history(tracked_workspace: Path) -> History:
    return History(tracked_workspace, "filesystem")


def pass_gates(history: History, version: ModelVersion, family: ModelFamily = STOCK_TRADING) -> None:
    gates = tuple(GateResult(gate=name, figure=1.0, threshold=1.0, passed=True, reason="r") for name in family.gates)
    verdict = Verdict(
        key="k",
        family=family.name,
        basis="gates",
        as_of=None,
        model_digest=version.digest,
        champion_digest="b" * 64,
        outcome="passed",
        gates=gates,
    )
    history.registry.store_verdict(version, verdict)


def test_only_what_is_both_old_and_far_back_goes(filesystem_history: History) -> None:
    history = filesystem_history
    for day, days_old in [(1, 40), (2, 30), (3, 9), (4, 20)]:
        history.make("reports/backtests", day, days_old=days_old)
    cleaning = clean_runs(history.settings_with("keep_days=10", "keep_count=2"), NOW)
    assert history.outputs("reports/backtests") == ["day3", "day4"]
    assert [folder.name.split("-")[0] for folder in cleaning.folders] == ["day1", "day2"]
    assert history.runs() == {"reports/backtests day 3", "reports/backtests day 4"}


def test_removed_runs_leave_no_files(filesystem_history: History) -> None:
    history = filesystem_history
    for day in (1, 2):
        history.make("reports/backtests", day, days_old=100 - day)
    files = history.workspace / "mlartifacts"
    assert len(list(files.rglob("made.txt"))) == 2
    clean_runs(history.settings, NOW)
    assert len(list(files.rglob("made.txt"))) == 1


def test_champions_and_what_they_were_made_from_stay(history: History) -> None:
    features = [history.make("data/processed", day, days_old=200 - day) for day in range(1, 6)]
    models = [history.train(day, features[day - 1], 200 - day) for day in range(1, 6)]
    for day in range(1, 6):
        history.make("reports/promotions", day, digest=models[day - 1].digest, days_old=200 - day)
    seeded = ensure_champion(history.registry, NAME, STOCK_TRADING)
    pass_gates(history, models[0])  # a former champion
    history.registry.set_alias(NAME, "challenger", models[2].version)
    cleaning = clean_runs(history.settings, NOW)
    for root in ("data/processed", "models", "reports/promotions"):
        assert history.outputs(root) == ["day1", "day3", "day5"]
    assert history.registry.versions(NAME) == (models[0], models[2], models[4], seeded)
    assert cleaning.versions == (models[1], models[3])
    assert history.runs() == {
        f"{root} day {day}" for root in ("data/processed", "models", "reports/promotions") for day in (1, 3, 5)
    }
    for version in history.registry.versions(NAME):
        history.registry.fetch(version)


@pytest.mark.parametrize("root", ["models", "models/sentiment"])
def test_champions_of_other_names_and_families_stay(history: History, root: str) -> None:
    """The settings name stock_trading; models under another name are looked at all the same."""
    features = [history.make("data/processed", day, days_old=200 - day) for day in range(1, 6)]
    models = [history.train(day, features[day - 1], 200 - day, "sentiment", root) for day in range(1, 6)]
    pass_gates(history, models[0], SENTIMENT)  # a former champion
    pass_gates(history, models[1], SENTIMENT)
    history.registry.set_alias("sentiment", SENTIMENT.champion_alias, models[1].version)
    history.registry.set_alias("sentiment", "challenger", models[3].version)
    cleaning = clean_runs(history.settings, NOW)
    assert history.outputs(root) == ["day1", "day2", "day4", "day5"]
    assert history.outputs("data/processed") == ["day1", "day2", "day4", "day5"]
    assert cleaning.versions == (models[2],)
    assert {f"{root} day {day}" for day in (1, 2, 4, 5)} <= history.runs()
    for version in (models[0], models[1], models[3], models[4]):
        history.registry.fetch(version)


def test_signal_rates_of_each_market_go_by_their_own_count(filesystem_history: History) -> None:
    history, roots = filesystem_history, ("data/signal_rates/crypto", "data/signal_rates/stock")
    for root in roots:
        for day in (1, 2, 3):
            history.make(root, day, days_old=100 - day)
    clean_runs(history.settings_with("keep_days=10", "keep_count=2"), NOW)
    assert [history.outputs(root) for root in roots] == [["day2", "day3"]] * 2


def test_scores_and_sentences_go_unless_a_model_or_latest_came_from_them(filesystem_history: History) -> None:
    """A champion's own scores are made anew each day; those stay that features of a champion were built from."""
    history = filesystem_history
    ensure_champion(history.registry, "sentiment", SENTIMENT)
    scorer = baseline_digest(SENTIMENT)
    scores = [history.make("data/scores", day, digest=scorer, days_old=200 - day) for day in range(1, 6)]
    sentences = [history.make("data/labelled", day, days_old=200 - day) for day in range(1, 6)]
    built = {"scores": scores[0].artifacts["made"].path, "labelled": sentences[1].artifacts["made"].path}
    features = history.make("data/processed", 1, built, days_old=150)
    pass_gates(history, history.train(1, features, 150))
    for day in (7, 8):
        history.make("reports/ablations", day, days_old=100 - day)
        history.make("reports/sentiment_promotions", day, days_old=100 - day)
    clean_runs(history.settings, NOW)
    assert history.outputs("data/scores") == ["day1", "day5"]
    assert history.outputs("data/labelled") == ["day2", "day5"]
    assert history.outputs("reports/ablations") == history.outputs("reports/sentiment_promotions") == ["day8"]
    assert {run for run in history.runs() if run.startswith(("data/scores", "data/labelled"))} == {
        "data/scores day 1",
        "data/scores day 5",
        "data/labelled day 2",
        "data/labelled day 5",
    }


def test_models_that_others_registered_in_the_same_store_stay(tracked_workspace: Path) -> None:
    history = History(tracked_workspace, "mlflow")
    for day in (1, 2):
        history.make("models", day, days_old=200 - day)  # outputs that tell of no model
    made = history.make("reports/backtests", 1, days_old=1)
    run = mlflow_utils.find_run(history.client, mlflow_utils.experiment_id(history.client, history.settings), made.key)
    assert run is not None
    history.client.create_registered_model("of no plain name")
    history.client.create_registered_model("theirs")
    history.client.create_model_version("theirs", str(run.info.artifact_uri), run.info.run_id)
    assert clean_runs(history.settings, NOW).versions == ()
    assert [str(version.version) for version in mlflow_utils.search_versions(history.client, "theirs")] == ["1"]
    assert history.registry.names() == ("theirs",)


def test_champion_whose_output_was_deleted_by_hand_keeps_its_run(tracked_workspace: Path) -> None:
    history = History(tracked_workspace, "mlflow")
    features = [history.make("data/processed", day, days_old=200 - day) for day in (1, 2)]
    champion, _ = (history.train(day, features[day - 1], 200 - day) for day in (1, 2))
    pass_gates(history, champion)
    for folder in (tracked_workspace / "models").glob("day1-*"):
        shutil.rmtree(folder)
    clean_runs(history.settings, NOW)
    assert "models day 1" in history.runs()
    history.registry.fetch(champion)


def test_what_latest_names_stays_with_its_sources(filesystem_history: History) -> None:
    history = filesystem_history
    old = history.make("data/processed", 1, days_old=90)
    for day, days_old in [(2, 80), (3, 70)]:
        history.make("data/processed", day, days_old=days_old)
    source = {"features": old.artifacts["made"].path}
    history.make("models", 9, days_old=20)
    history.make("models", 1, source, days_old=50)  # made last: `latest` names it, though it looks older
    clean_runs(history.settings, NOW)
    assert history.outputs("data/processed") == ["day1", "day3"]
    assert history.outputs("models") == ["day1", "day9"]


def test_raw_data_and_what_no_stage_made_stay(filesystem_history: History) -> None:
    history = filesystem_history
    for day in (1, 2):
        history.make("data/raw", day, days_old=100)
        history.make("reports/backtests", day, days_old=100 - day)
    mine = history.workspace / "reports" / "backtests" / "mine"
    mine.mkdir()
    (mine / "result.json").write_text("not a stage's")
    os.utime(mine / "result.json", (0, 0))
    clean_runs(history.settings, NOW)
    assert history.outputs("data/raw") == ["day1", "day2"]
    assert mine.is_dir()


def test_running_and_foreign_runs_stay(filesystem_history: History) -> None:
    history = filesystem_history
    experiment = mlflow_utils.experiment_id(history.client, history.settings)
    for day in (1, 2, 3):
        history.make("reports/backtests", day, days_old=100 - day)
    running = history.client.create_run(experiment, start_time=1, tags={"stage": "models"}, run_name="running")
    foreign = history.client.create_run(experiment, start_time=1, run_name="of a person's own")
    history.client.set_terminated(foreign.info.run_id)
    history.client.create_run(experiment, start_time=2, tags={"stage": "models"})
    clean_runs(history.settings, NOW)
    for run in (running, foreign):
        assert history.client.get_run(run.info.run_id).info.lifecycle_stage == "active"


def test_dry_run_tells_and_removes_nothing(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    features = [history.make("data/processed", day, days_old=4000 - day) for day in (1, 2)]
    for day in (1, 2):
        history.train(day, features[day - 1], 4000 - day)
    overrides = [f"paths.workspace={history.workspace}", f"registry.kind={history.kind}", "keep_count=1"]
    assert main(["--dry_run", *overrides]) == 0
    told = capsys.readouterr().out.splitlines()
    assert history.outputs("models") == ["day1", "day2"]
    assert len(history.registry.versions(NAME)) == 2
    assert main(overrides) == 0
    assert [line.replace("removed", "would remove") for line in capsys.readouterr().out.splitlines()] == told
    assert [line.split("-")[0] for line in told[:2]] == ["would remove data/processed/day1", "would remove models/day1"]
    assert history.outputs("models") == ["day2"]
    assert len(history.registry.versions(NAME)) == 1


def test_bad_setting_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keep_count=0"]) == 2
    err = capsys.readouterr().err
    assert "keep_count=0" in err
    assert len(err.strip().splitlines()) == 1
