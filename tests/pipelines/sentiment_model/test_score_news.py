"""The stage: every article scored once, whatever happened before, and the row of each company that it names."""

import json
import logging
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiment_tracking.runner import read_settings
from MLOps.artifacts import sha256_of
from MLOps.market.news import as_news, no_news, write_news
from MLOps.market.news_scores import read_scores
from MLOps.sentiment import lexicons
from MLOps.settings.score_news import ScoreNewsSettings
from MLOps.stage import MemoryTracker, StageResult
from pipelines.sentiment_model import score_news as stage
from pipelines.sentiment_model.choose_model import choose_model

ARTICLES = (
    ("1", "Bank fails", "The bank failed badly. Clients are furious."),
    ("2", "A great day", "Apple rose sharply, a triumph. Amazon fell to a terrible low. It rained."),
    ("3", "", "<p>Profits &amp; joy \U0001f600</p>"),
    ("4", "", "  ... "),
    ("5", "Post", "She wrote on Facebook that it was awful."),
)
Score = Callable[..., StageResult]


def news(articles: tuple[tuple[str, str, str], ...] = ARTICLES) -> pd.DataFrame:
    frame = pd.DataFrame(articles, columns=["article_id", "title", "text"])
    days = pd.Timestamp("2017-01-02", tz="UTC") + pd.to_timedelta(np.arange(len(frame)), "D")
    return as_news(frame.assign(published_at=days, is_date_only=True, source="test"))


@pytest.fixture
def score(workspace: Path) -> Score:
    """``score(frame, "key=value", ...)``: write the news and run the stage on them."""

    def run(frame: pd.DataFrame, *more: str) -> StageResult:
        path = workspace / "data" / "raw" / "latest" / "news.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_news(frame, path)
        return stage.score_news(settings(workspace, *more), MemoryTracker())

    return run


def settings(workspace: Path, *more: str) -> ScoreNewsSettings:
    return read_settings(stage.STAGE, ["--workspace", str(workspace), "registry.kind=filesystem", *more])


def rows(result: StageResult) -> pd.DataFrame:
    return read_scores(result.artifacts["scores"].path).set_index(["article_id", "ticker"])


def test_scores_each_article_and_each_company_that_it_names(score: Score) -> None:
    result = score(news())
    found = rows(result)
    assert sorted(found.index) == [("1", ""), ("2", ""), ("2", "AAPL"), ("2", "AMZN"), ("3", ""), ("5", "")]
    assert found["score"]["1", ""] < 0 < found["score"]["3", ""]
    assert found["score"]["2", "AMZN"] < 0 < found["score"]["2", "AAPL"]
    assert found["sentences"].to_dict() == {
        ("1", ""): 3,
        ("2", ""): 4,
        ("2", "AAPL"): 1,
        ("2", "AMZN"): 1,
        ("3", ""): 1,
        ("5", ""): 2,
    }
    np.testing.assert_allclose(found[["negative", "neutral", "positive"]].sum(axis=1), 1)
    np.testing.assert_allclose(found["score"], found["positive"] - found["negative"])
    assert set(found["model_sha256"]) == {result.details["model_digest"]}


def test_scores_are_those_of_the_model_on_the_sentences(score: Score) -> None:
    found = rows(score(news()))
    title, first, second = lexicons.VaderScorer().probabilities(
        ["Bank fails", "The bank failed badly.", "Clients are furious."]
    )
    expected = (2 * title + first + 0.9 * second) / 3.9
    np.testing.assert_allclose(found.loc[("1", ""), ["negative", "neutral", "positive"]].to_list(), expected)


def test_result_tells_model_and_figures(score: Score, workspace: Path) -> None:
    result = score(news())
    assert result.folder == workspace / "data" / "scores" / f"2017-01-06-{result.key}"
    assert (workspace / "data/scores/latest/news_scores.parquet").samefile(result.artifacts["scores"].path)
    assert (result.details["model_kind"], result.details["model_version"]) == ("vader", "sentiment/1")
    figures = result.metrics
    assert (figures["articles"], figures["articles_scored"], figures["articles_from_cache"]) == (5, 5, 0)
    assert (figures["articles_without_sentences"], figures["sentences"], figures["company_scores"]) == (1, 10, 2)


def test_second_run_finds_its_output(score: Score) -> None:
    first, second = score(news()), score(news())
    assert (first.status, second.status) == ("made", "already_made")
    assert second.artifacts == first.artifacts


def test_only_unseen_articles_are_scored_and_the_bytes_are_those_of_one_run(score: Score, tmp_path: Path) -> None:
    score(news(ARTICLES[:3]))
    grown = score(news())
    assert (grown.metrics["articles_scored"], grown.metrics["articles_from_cache"]) == (2, 3)
    alone = tmp_path / "alone"
    write_path = alone / "data" / "raw" / "latest" / "news.parquet"
    write_path.parent.mkdir(parents=True)
    write_news(news(), write_path)
    fresh = stage.score_news(settings(alone, "chunk_articles=2"), MemoryTracker())
    assert fresh.artifacts["scores"].sha256 == grown.artifacts["scores"].sha256


def test_changed_text_is_scored_again(score: Score) -> None:
    before = rows(score(news()))
    changed = (("1", "Bank fails", "The bank was saved, a wonderful success."), *ARTICLES[1:])
    result = score(news(changed))
    after = rows(result)
    assert (result.metrics["articles_scored"], result.metrics["articles_from_cache"]) == (1, 4)
    assert after["score"]["1", ""] > before["score"]["1", ""]
    assert after["content_sha256"]["1", ""] != before["content_sha256"]["1", ""]


def test_other_reading_rules_share_no_scores(score: Score) -> None:
    score(news())
    result = score(news(), "reading.max_sentences=2")
    assert result.metrics["articles_from_cache"] == 0
    assert rows(result)["sentences"].max() == 2


def test_other_weights_and_names_score_no_sentence_anew(score: Score) -> None:
    score(news())
    result = score(news(), "aggregation.title_weight=5", "companies.amazon.names=[Nobody]")
    assert result.metrics["articles_scored"] == 0
    assert set(rows(result).index.get_level_values("ticker")) == {"", "AAPL"}


def test_killed_run_goes_on_from_its_last_chunk(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, calls = lexicons.VaderScorer.probabilities, []

    def dies(self: lexicons.VaderScorer, sentences: list[str]) -> np.ndarray:
        calls.append(sentences)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return probabilities(self, sentences)

    monkeypatch.setattr(lexicons.VaderScorer, "probabilities", dies)
    with pytest.raises(KeyboardInterrupt):
        score(news(), "chunk_articles=2")
    result = score(news(), "chunk_articles=2")
    assert (result.metrics["articles_scored"], result.metrics["articles_from_cache"]) == (3, 2)


def test_broken_part_of_the_cache_is_told_and_scored_anew(
    score: Score, workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    score(news(), "chunk_articles=3")
    part = sorted((workspace / "data/cache/news_scores").rglob("*.parquet"))[0]
    part.write_bytes(part.read_bytes()[:-9])
    with caplog.at_level(logging.WARNING):
        result = score(news(), "aggregation.title_weight=1")
    assert "is broken" in caplog.text
    assert result.metrics["articles_scored"] in (2, 3)
    assert len(rows(result)) == 6


def test_no_article_gives_an_empty_file_and_says_so(score: Score, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        result = score(no_news())
    assert "no article" in caplog.text
    assert len(rows(result)) == 0
    assert result.folder.name.startswith("no-news-")


def test_chosen_version_scores(score: Score) -> None:
    score(news())
    result = score(news(), "model_version=1")
    assert result.details["model_version"] == "sentiment/1"


@pytest.fixture
def adapter(workspace: Path, tiny_sentiment_model: Path, tiny_base_model: Path) -> tuple[str, ...]:
    """A small fine-tuned model in the workspace, and the flags that score with it over its folder of a base model."""
    shutil.copytree(tiny_sentiment_model, workspace / "adapter")
    params = workspace / "tiny.yaml"
    params.write_text(f"kind: folder\nname: tiny\nfolder: {tiny_base_model}\nnote: ''\nwarnings: []\n")
    return ("--model_folder", "adapter", "--sentiment_params_path", str(params))


@pytest.mark.parametrize("engine", ["onnx", "onnx_int8", "torch"])
def test_same_key_means_the_same_bytes_whatever_the_chunks_and_threads(
    score: Score, workspace: Path, adapter: tuple[str, ...], engine: str
) -> None:
    articles = tuple((str(n), f"Day {n}", f"The {'great ' * (n % 7)}bank fell. Awful{'!' * n}") for n in range(40))
    chosen = (*adapter, f"engine.kind={engine}")
    many = score(news(articles), *chosen, "chunk_articles=200", "engine.threads=2")
    for made in ("data/scores", "data/cache/news_scores"):
        shutil.rmtree(workspace / made)
    few = score(news(articles), *chosen, "chunk_articles=3", "engine.threads=1")
    assert (many.key, many.metrics["articles_from_cache"]) == (few.key, few.metrics["articles_from_cache"])
    assert many.artifacts["scores"].sha256 == few.artifacts["scores"].sha256


def test_result_tells_how_far_the_graph_is_from_torch_also_where_nothing_is_scored(
    score: Score, adapter: tuple[str, ...]
) -> None:
    chosen = (*adapter, "engine.kind=onnx_int8")
    first, second = score(news(), *chosen), score(news(), *chosen, "aggregation.title_weight=3")
    assert second.metrics["articles_scored"] == 0
    assert 0 < first.details["deviation_from_torch"] == second.details["deviation_from_torch"] < 0.2
    assert score(news()).details["deviation_from_torch"] is None


@pytest.mark.parametrize(
    ("engine", "package", "decides"),
    [
        *[("onnx", package, True) for package in ("onnxscript", "peft", "tokenizers", "torch", "transformers")],
        *[("torch", package, True) for package in ("numpy", "peft", "tokenizers", "transformers")],
        ("torch", "onnxruntime", False),
        ("onnx", "vaderSentiment", False),
    ],
)
def test_release_of_what_computes_is_part_of_the_rules(
    workspace: Path,
    adapter: tuple[str, ...],
    engine: str,
    package: str,
    decides: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = settings(workspace, *adapter, f"engine.kind={engine}")
    model = choose_model(chosen)
    before, installed = stage._rules(chosen, model), metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.0.1" if name == package else installed(name))
    assert (stage._rules(chosen, model) != before) is decides


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("model_version=7", "no version 7 of sentiment"),
        ("model_folder=nowhere", "holds no model.json"),
        ("news_path=nowhere.parquet", "nowhere.parquet does not exist"),
        ("reading.max_sentences=0", "reading.max_sentences=0"),
        ("reading.boilerplate_phrases=['(']", "is no regular expression"),
    ],
)
def test_wrong_choice_is_one_line(
    workspace: Path, score: Score, given: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    score(news(), "aggregation.title_weight=3")
    command = ["--workspace", str(workspace), "registry.kind=filesystem", "tracking.enabled=false", given]
    assert stage.main(command) != 0
    assert told in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in (workspace / "data/scores").glob(".*")] == []


def test_command_line_ends_with_the_result(score: Score, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = score(news())
    command = ["--workspace", str(workspace), "registry.kind=filesystem", "tracking.enabled=false"]
    assert stage.main(command) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["artifacts"]["scores"]["sha256"] == sha256_of(made.artifacts["scores"].path)
