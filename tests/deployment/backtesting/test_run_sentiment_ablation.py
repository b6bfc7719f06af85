"""The stage run_sentiment_ablation: what it makes, what it refuses, and that a killed run goes on."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deployment.backtesting import run_sentiment_ablation as stage
from MLOps.artifacts import sha256_of
from MLOps.evaluation.sentiment_ablation import AblationFigures
from MLOps.kept_results import KeptResults
from MLOps.settings.compose import compose_settings
from MLOps.settings.environment import SENTIMENT_COLUMNS
from MLOps.settings.project import project_root
from MLOps.settings.sentiment_ablation import SentimentAblationSettings
from MLOps.stage import Artifact, MemoryTracker, StageResult

DAYS = np.busday_offset("2021-01-04", np.arange(120)).astype("datetime64[D]")
NEWS = slice(10, 110)  # the sessions that the news cover
OVERRIDES = (
    "tracking.enabled=false",
    "environment.indicators=[macd]",
    f"train={{first: {DAYS[10]}, last: {DAYS[69]}}}",
    f"test={{first: {DAYS[70]}, last: {DAYS[109]}}}",
    "agent.network.hidden_sizes=[8]",
    "agent.hyperparameters.n_envs=2",
    "agent.hyperparameters.n_steps=32",
    "agent.hyperparameters.batch_size=16",
    "agent.hyperparameters.n_epochs=1",
    "training.total_timesteps=64",
    "training.seeds=[1,2,3]",
    "terms.bootstrap.resamples=100",
)


@pytest.fixture(scope="module")
def frame():
    """AAA and BBB with one indicator and news on every other session of `NEWS`."""
    generator = np.random.default_rng(8)
    close = 50 * np.exp(np.cumsum(generator.normal(0.0005, 0.02, (120, 2)), axis=0))
    table = pd.DataFrame({"date": np.repeat(DAYS.astype("datetime64[us]"), 2), "tic": ["AAA", "BBB"] * 120})
    table["close"], table["turbulence"] = close.ravel(), 0.0
    table["macd"] = generator.normal(size=240)
    has_news = np.zeros(120)
    has_news[NEWS.start : NEWS.stop : 2] = has_news[NEWS.stop - 1] = 1
    for name in SENTIMENT_COLUMNS:
        told = has_news if "has_news" in name else has_news * generator.uniform(-1, 1, 120)
        table[name] = np.repeat(told, 2)
    return table


@pytest.fixture
def prepared(workspace, frame):
    """A workspace that holds features."""
    path = workspace / "data" / "processed" / "processed_data_with_features.parquet"
    path.parent.mkdir(parents=True)
    frame.to_parquet(path, index=False)
    return workspace


@pytest.fixture
def run(prepared, capsys):
    """Runs the command line; gives its status, its result, and the last line that it told on standard error."""

    def call(*more):
        capsys.readouterr()
        status = stage.main([f"--workspace={prepared}", *OVERRIDES, *more])
        out, err = capsys.readouterr()
        result = StageResult.model_validate_json(out.splitlines()[-1]) if out else None
        return status, result, err.strip().splitlines()[-1] if err.strip() else ""

    return call


def settings_of(workspace, *more):
    overrides = [f"paths.workspace={workspace}", *OVERRIDES, *more]
    return compose_settings(SentimentAblationSettings, "run_sentiment_ablation", overrides)


def tell_features(path, details):
    """Lay down what the stage that built the features said."""
    features = StageResult(
        stage="build_features",
        key="k",
        status="made",
        folder=path.parent,
        artifacts={"features": Artifact(path=path, sha256=sha256_of(path))},
        details=details,
    )
    (path.parent / "result.json").write_text(features.model_dump_json())


def figures_of(result):
    return AblationFigures.model_validate_json(result.artifacts["ablation"].path.read_bytes())


def prose(html):
    """What a reader sees: scripts and styles left out, tags removed."""
    html = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_makes_figures_and_a_report(run):
    status, result, _ = run()
    assert status == 0
    figures = figures_of(result)
    assert [(agent.seed, agent.sees_news) for agent in figures.runs] == [
        (seed, sees_news) for seed in (1, 2, 3) for sees_news in (True, False)
    ]
    assert {len(agent.returns) for agent in figures.runs} == {39}
    assert (figures.train.sessions, figures.train.sessions_with_news) == (60, 30)
    assert (figures.test.sessions, figures.test.sessions_with_news) == (40, 21)
    effect = figures.effects.annual_return
    assert result.metrics["annual_return_difference"] == effect.mean != 0
    assert result.metrics["annual_return_difference_detectable"] == effect.detectable > 0
    assert result.details["finding"] == figures.finding
    assert result.folder.name.startswith(str(DAYS[109]))


def test_the_report_tells_interval_power_and_its_own_limits(run):
    _, result, _ = run()
    effect = figures_of(result).effects.annual_return
    text = prose(result.artifacts["report"].path.read_text())
    for words in (
        f"Sentiment ablation, {DAYS[70]} to {DAYS[109]}",
        f"interval {effect.lower:+.1%} to {effect.upper:+.1%}".replace("-", "\N{MINUS SIGN}"),
        f"{effect.detectable:.1%}",
        "Nothing is claimed beyond this window",
        "3 seeds",
        "sentiment, has_news, ticker_sentiment, ticker_has_news",
        "filled 1 session after",
    ):
        assert words in text


def test_says_so_where_the_agents_had_little_to_learn_from(run, prepared, frame):
    path = prepared / "data" / "processed" / "processed_data_with_features.parquet"
    is_late = (frame["date"] > pd.Timestamp(DAYS[12])) & (frame["date"] < pd.Timestamp(DAYS[70]))
    rare = frame.assign(**{name: frame[name].mask(is_late, 0.0) for name in SENTIMENT_COLUMNS})
    rare.to_parquet(path, index=False)
    text = prose(run()[1].artifacts["report"].path.read_text())
    assert "little to learn from. Only 2 of 60 training sessions have news" in text


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (f"train.first={DAYS[9]}", f"reaches beyond the news, which run from {DAYS[10]} to {DAYS[109]}"),
        (f"test.last={DAYS[110]}", f"test: {DAYS[70]} to {DAYS[110]} reaches beyond the news"),
        (f"test.first={DAYS[69]}", "must come after train.last"),
        (f"test.first={DAYS[109]}", "at least 2 sessions"),
        ("environment.use_sentiment=false", "environment.use_sentiment must be true"),
        ("training.seeds=[1,1]", "must not name a seed twice"),
        ("training.seeds=[1]", "training.seeds"),
        ("features_path=data/nowhere.parquet", "nowhere.parquet does not exist"),
    ],
)
def test_refuses_in_one_line(run, prepared, override, told):
    status, result, line = run(override)
    assert status != 0
    assert result is None
    assert told in line
    assert not (prepared / "reports" / "ablations").exists()


def test_refuses_features_without_news(run, prepared, frame):
    path = prepared / "data" / "processed" / "processed_data_with_features.parquet"
    frame.assign(has_news=0.0).to_parquet(path, index=False)
    assert "no session of the features has news" in run()[2]
    frame.drop(columns="has_news").to_parquet(path, index=False)
    assert "lacks the columns ['has_news']" in run()[2]


def test_refuses_news_without_scores_but_not_scores_of_0(run, prepared, frame):
    path = prepared / "data" / "processed" / "processed_data_with_features.parquet"
    frame.assign(sentiment=0.0, ticker_sentiment=0.0).to_parquet(path, index=False)
    assert "the news have no scores, their sentiment is 0 throughout" in run()[2]
    tell_features(path, {"last_session": "2021-06-18"})
    assert "the news have no scores" in run()[2]
    tell_features(path, {"sentiment_model_sha256": "c0ffee"})
    assert run()[0] == 0


def test_the_same_run_again_finds_itself_made_and_keeps_no_checkpoint(run, prepared):
    first, again = run()[1], run()[1]
    assert (first.status, again.status) == ("made", "already_made")
    assert not list((prepared / "models" / ".checkpoints").glob("*"))


def test_killed_between_two_agents_it_goes_on_with_the_next(prepared, monkeypatch, tmp_path, in_copy):
    undisturbed = tmp_path / "undisturbed"
    (undisturbed / "data").mkdir(parents=True)
    (undisturbed / "data" / "processed").symlink_to(prepared / "data" / "processed")
    whole = stage.run_sentiment_ablation(settings_of(undisturbed), MemoryTracker())
    save = KeptResults.save
    saved = []

    def save_and_die_at_the_third(kept, part, agent):
        save(kept, part, agent)
        saved.append(agent)
        if len(saved) == 3:
            signal.raise_signal(signal.SIGKILL)

    def doomed():
        monkeypatch.setattr(KeptResults, "save", save_and_die_at_the_third)
        stage.run_sentiment_ablation(settings_of(prepared), MemoryTracker())

    assert in_copy(doomed) == -signal.SIGKILL
    assert not (prepared / "reports" / "ablations" / "latest").exists()
    monkeypatch.setattr(KeptResults, "save", lambda kept, part, agent: (saved.append(agent), save(kept, part, agent)))
    result = stage.run_sentiment_ablation(settings_of(prepared), MemoryTracker())
    assert [(agent.seed, agent.sees_news) for agent in saved] == [(2, False), (3, True), (3, False)]
    assert {name: made.sha256 for name, made in result.artifacts.items()} == {
        name: made.sha256 for name, made in whole.artifacts.items()
    }
    assert not list((prepared / "models" / ".checkpoints").glob("*"))


def test_warnings_of_the_data_are_carried_on(run, prepared):
    path = prepared / "data" / "processed" / "processed_data_with_features.parquet"
    tell_features(path, {"warnings": "Survivorship: winners only.", "licence": "MIT"})
    _, result, _ = run()
    assert result.details["data_warnings"] == "Survivorship: winners only."
    text = prose(result.artifacts["report"].path.read_text())
    assert "Survivorship: winners only." in text
    assert "Licence MIT" in text


def test_the_command_line_tells_its_result_in_one_line(prepared):
    script = project_root() / "deployment" / "backtesting" / "run_sentiment_ablation.py"
    done = subprocess.run(
        [sys.executable, script, f"--workspace={prepared}", *OVERRIDES], capture_output=True, text=True, check=True
    )
    result = json.loads(done.stdout)
    assert result["stage"] == "run_sentiment_ablation"
    assert Path(result["artifacts"]["report"]["path"]).is_file()
