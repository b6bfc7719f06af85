"""The ONNX engine beside torch: the same probabilities, each sentence by itself, made once, without torch."""

import errno
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from MLOps.errors import DigestError, ModelError
from MLOps.inference.model_files import model_digest
from MLOps.sentiment import onnx_export
from MLOps.sentiment.lora_classifier import LoraClassifier, load_lora_classifier
from MLOps.sentiment.model_card import read_sentiment_card
from MLOps.sentiment.onnx_engine import OnnxClassifier, OnnxModel, equal_length_batches
from MLOps.sentiment.onnx_export import cached_onnx, find_onnx
from MLOps.sentiment.open_scorer import open_scorer
from MLOps.settings.score_news import ScoringEngineSettings

SENTENCES = (
    "the market is good",
    "awful",
    "the market is good",
    "",
    "\U0001f680 Zürich <b> said",
    "a loss of the company and a great fall of shares today " * 20,
)
Load = Callable[[], LoraClassifier]


@pytest.fixture(scope="module")
def model(tiny_sentiment_model: Path) -> Path:
    return tiny_sentiment_model


@pytest.fixture(scope="module")
def load(model: Path, tiny_base_model: Path) -> Load:
    return lambda: load_lora_classifier(model, None, tiny_base_model)


@pytest.fixture(scope="module")
def onnx_model(model: Path, load: Load, tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    """Only read it."""
    return cached_onnx(model_digest(model), "float32", load, tmp_path_factory.mktemp("onnx"))


@pytest.fixture(scope="module")
def classifier(load: Load, onnx_model: OnnxModel) -> OnnxClassifier:
    return OnnxClassifier(load().card, onnx_model, threads=2)


def settings(kind: str = "onnx") -> ScoringEngineSettings:
    return ScoringEngineSettings.model_validate({"kind": kind, "threads": 1})


def fails() -> LoraClassifier:
    pytest.fail("the model was loaded although its graph is there")


def test_gives_what_torch_gives(classifier: OnnxClassifier, load: Load) -> None:
    found = classifier.probabilities(SENTENCES)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, load().probabilities(SENTENCES), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)


def test_row_of_a_sentence_is_the_same_to_the_last_bit_in_any_company(classifier: OnnxClassifier) -> None:
    together = classifier.probabilities([*SENTENCES, *(f"the {word} is good" for word in "abcdefghij")])[
        : len(SENTENCES)
    ]
    for row, sentence in enumerate(SENTENCES):
        np.testing.assert_array_equal(classifier.probabilities([sentence])[0], together[row])
    backwards = classifier.probabilities(SENTENCES[::-1])
    np.testing.assert_array_equal(backwards[::-1], together)
    assert classifier.probabilities([]).shape == (0, 3)


def test_equal_sentences_are_computed_once(classifier: OnnxClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    compute = classifier._logits
    monkeypatch.setattr(classifier, "_logits", lambda ids: calls.append(len(ids)) or compute(ids))
    classifier.probabilities(SENTENCES * 5)
    assert sum(calls) == len(set(SENTENCES))


def test_calls_hold_sentences_of_one_length_up_to_their_limit() -> None:
    batches = equal_length_batches(np.array([3, 5, 3, 3, 5, 9, 3]), call_tokens=9)
    assert [rows.tolist() for rows in batches] == [[5], [1], [4], [0, 2, 3], [6]]
    assert equal_length_batches(np.array([], dtype=np.int64), call_tokens=9) == []


def test_made_once_and_found_again(model: Path, onnx_model: OnnxModel) -> None:
    found = cached_onnx(model_digest(model), "float32", fails, onnx_model.graph.parents[1])
    assert found == onnx_model
    assert found.deviation < 1e-5


@pytest.mark.parametrize("name", ["encoder.onnx", "head.safetensors"])
def test_altered_cache_is_told_and_made_again(
    model: Path, load: Load, onnx_model: OnnxModel, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = shutil.copytree(onnx_model.graph.parents[1], tmp_path / "cache")
    (place,) = cache.iterdir()
    (place / name).write_bytes((place / name).read_bytes()[:-20])
    with caplog.at_level(logging.WARNING):
        made = cached_onnx(model_digest(model), "float32", load, cache)
    assert "is not what was cached" in caplog.text
    np.testing.assert_array_equal(made.graph.read_bytes(), onnx_model.graph.read_bytes())


def test_cache_without_its_promise_is_made_again(
    model: Path, load: Load, onnx_model: OnnxModel, tmp_path: Path
) -> None:
    cache = shutil.copytree(onnx_model.graph.parents[1], tmp_path / "cache")
    (place,) = cache.iterdir()
    (place / "promise.json").unlink()
    assert cached_onnx(model_digest(model), "float32", load, cache).graph.is_file()


@pytest.mark.parametrize(
    "package", ["onnx", "onnxruntime", "onnxscript", "peft", "tokenizers", "torch", "transformers"]
)
def test_other_release_of_a_library_finds_no_graph(
    model: Path, onnx_model: OnnxModel, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = onnx_model.graph.parents[1]
    assert find_onnx(model_digest(model), "float32", cache) == onnx_model
    installed = onnx_export.version
    monkeypatch.setattr(onnx_export, "version", lambda name: "0.0.1" if name == package else installed(name))
    assert find_onnx(model_digest(model), "float32", cache) is None


def test_graph_that_another_process_made_meanwhile_is_taken(
    model: Path, load: Load, onnx_model: OnnxModel, tmp_path: Path
) -> None:
    def load_while_another_one_makes_it() -> LoraClassifier:
        shutil.copytree(onnx_model.graph.parent, tmp_path / onnx_model.graph.parent.name)
        return load()

    found = cached_onnx(model_digest(model), "float32", load_while_another_one_makes_it, tmp_path)
    assert found.deviation == onnx_model.deviation
    assert [path.name for path in tmp_path.iterdir()] == [onnx_model.graph.parent.name]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES])
def test_graph_that_cannot_be_opened_just_now_stays(
    model: Path, onnx_model: OnnxModel, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = shutil.copytree(onnx_model.graph.parents[1], tmp_path / "cache")

    def refuse(path: Path) -> str:
        raise OSError(number, "not now", str(path))

    monkeypatch.setattr(onnx_export, "sha256_of", refuse)
    with pytest.raises(OSError, match="not now"):
        cached_onnx(model_digest(model), "float32", fails, cache)
    assert len(list(cache.rglob("encoder.onnx"))) == 1


def test_deviation_is_told_at_each_opening(
    model: Path, onnx_model: OnnxModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        cached_onnx(model_digest(model), "float32", fails, onnx_model.graph.parents[1])
    assert f"differ from torch's by {onnx_model.deviation:.1e}" in caplog.text


def test_graph_that_gives_other_figures_is_refused(
    model: Path, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = onnx_export._export

    def export_wrongly(classifier: LoraClassifier, path: Path) -> None:
        import onnx

        export(classifier, path)
        graph = onnx.load(str(path))
        scale = next(tensor for tensor in graph.graph.initializer if list(tensor.dims) == [32])
        scale.raw_data = np.linspace(-1, 1, 32, dtype=np.float32).tobytes()
        onnx.save(graph, str(path))

    monkeypatch.setattr(onnx_export, "_export", export_wrongly)
    with pytest.raises(ModelError, match=r"differ from torch's by .*engine\.kind=torch"):
        cached_onnx(model_digest(model), "float32", load, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_int8_tells_how_far_it_is_and_depends_on_no_neighbour(
    model: Path, load: Load, classifier: OnnxClassifier, tmp_path: Path
) -> None:
    made = cached_onnx(model_digest(model), "int8", load, tmp_path)
    assert 0 < made.deviation < 0.2
    int8 = OnnxClassifier(load().card, made, threads=1)
    together = int8.probabilities(SENTENCES)
    np.testing.assert_array_equal(int8.probabilities(SENTENCES[:1])[0], together[0])
    np.testing.assert_allclose(together, classifier.probabilities(SENTENCES), atol=0.2)


def test_engines_agree(model: Path, tiny_base_model: Path, tmp_path: Path) -> None:
    digest = model_digest(model)
    by = {
        kind: open_scorer(model, digest, lambda: tiny_base_model, tmp_path, settings(kind))
        for kind in ("onnx", "torch")
    }
    np.testing.assert_allclose(by["onnx"].probabilities(SENTENCES), by["torch"].probabilities(SENTENCES), atol=1e-5)
    assert {scorer.kind for scorer in by.values()} == {"lora_classifier"}


def test_row_of_torch_is_the_same_to_the_last_bit_in_any_company(model: Path, tiny_base_model: Path) -> None:
    scorer = open_scorer(model, model_digest(model), lambda: tiny_base_model, Path(), settings("torch"))
    together = scorer.probabilities(SENTENCES)
    for row, sentence in enumerate(SENTENCES):
        np.testing.assert_array_equal(scorer.probabilities([sentence])[0], together[row])
    assert scorer.probabilities([]).shape == (0, 3)


def test_torch_engine_leaves_the_process_its_threads_and_generator(model: Path, tiny_base_model: Path) -> None:
    import torch

    scorer = open_scorer(model, model_digest(model), lambda: tiny_base_model, Path(), settings("torch"))
    before, state = torch.get_num_threads(), torch.get_rng_state()
    scorer.probabilities(SENTENCES)
    assert torch.get_num_threads() == before
    assert torch.equal(torch.get_rng_state(), state)


def test_cached_graph_is_scored_without_torch_or_transformers(
    model: Path, tiny_base_model: Path, tmp_path: Path
) -> None:
    expected = open_scorer(model, model_digest(model), lambda: tiny_base_model, tmp_path, settings()).probabilities
    code = """
import json, sys
from pathlib import Path
from MLOps.sentiment.open_scorer import open_scorer
from MLOps.settings.score_news import ScoringEngineSettings
engine = ScoringEngineSettings(kind="onnx", threads=1)
refuse = lambda: sys.exit("the base model is not needed")
scorer = open_scorer(Path(sys.argv[1]), sys.argv[2], refuse, Path(sys.argv[3]), engine)
rows = scorer.probabilities(["the market is good"])
print(json.dumps([rows.tolist(), sorted({"torch", "transformers"} & set(sys.modules))]))
"""
    command = [sys.executable, "-c", code, str(model), model_digest(model), str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, heavy = json.loads(told.stdout)
    assert heavy == []
    np.testing.assert_array_equal(rows, expected(["the market is good"]))


def test_vader_needs_neither_base_model_nor_engine(tmp_path: Path) -> None:
    from MLOps.sentiment.lexicons import write_vader

    scorer = open_scorer(tmp_path, write_vader(tmp_path), fails, tmp_path, settings())  # type: ignore[arg-type]
    assert scorer.kind == "vader"
    assert scorer.probabilities(["great", "awful"])[:, 2].tolist() == pytest.approx([0.6249, 0])


def test_folder_with_another_digest_is_refused(model: Path, tiny_base_model: Path, tmp_path: Path) -> None:
    with pytest.raises(DigestError):
        open_scorer(model, "0" * 64, lambda: tiny_base_model, tmp_path, settings())


def test_base_model_of_another_adapter_is_refused(
    model: Path, make_base_model: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    other = make_base_model(tmp_path / "other", 99)
    with pytest.raises(ModelError, match="another base model"):
        open_scorer(model, model_digest(model), lambda: other, tmp_path / "cache", settings())


@pytest.mark.parametrize("card", ['{"kind": "mlp_actor"}', "no JSON", '{"kind": "vader", "format": 1}'])
def test_card_of_no_sentiment_model_is_refused(tmp_path: Path, card: str) -> None:
    (tmp_path / "model.json").write_text(card)
    with pytest.raises(ModelError, match=r"model\.json"):
        read_sentiment_card(tmp_path)


def test_folder_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        read_sentiment_card(tmp_path)
