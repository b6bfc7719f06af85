"""The loop: what is learnt, when it stops, what it leaves behind, and that it goes on where it was interrupted."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from MLOps.errors import ModelError
from MLOps.sentiment.base_model import open_tokenizer
from MLOps.sentiment.batches import LabelledTokens, TokenizedSentences, tokenize
from MLOps.sentiment.finetune import Finetuned, Finetuning, class_weights, finetune, rate_factor
from MLOps.sentiment.frozen_prefix import KeptStates
from MLOps.sentiment.lora_classifier import logits_of
from MLOps.sentiment.model_card import LoraRecord
from MLOps.sentiment.network import build_network, put_tensors
from MLOps.settings.compose import compose_settings
from MLOps.settings.sentiment_model import TrainSentimentModelSettings
from MLOps.stage import MemoryTracker
from MLOps.training.checkpoint import CheckpointStore
from MLOps.training.random_state import isolated

WORDS = {0: ("bad", "awful", "fall", "weak"), 1: ("flat", "same", "plain"), 2: ("good", "great", "rise", "strong")}
SMALL = (
    "hyperparameters.lora.rank=4",
    "hyperparameters.lora.first_layer=1",
    "hyperparameters.lora.alpha=4",
    "hyperparameters.learning_rate=0.03",
    "hyperparameters.epochs=4",
    "hyperparameters.patience_epochs=4",
    "hyperparameters.batch_size=8",
    "training.threads=1",
    "training.max_tokens=32",
    "training.checkpoint_every_steps=5",
    "training.log_every_steps=3",
)
Tune = Callable[..., Finetuned]


def settings(*more: str) -> TrainSentimentModelSettings:
    return compose_settings(TrainSentimentModelSettings, "train_sentiment_model", [*SMALL, *more])


def sentences(base: Path, count: int, seed: int) -> LabelledTokens:
    """Up to four words that say nothing, and two that tell the class."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    fillers = [" ".join(["market", "today", "the", "shares"][: generator.integers(0, 5)]) for _ in labels]
    told = [" ".join(generator.choice(WORDS[int(label)], 2)) for label in labels]
    texts = [f"{filler} {words}" for filler, words in zip(fillers, told, strict=True)]
    return LabelledTokens(tokenize(open_tokenizer(base), texts, 32), labels.astype(np.int64))


@pytest.fixture
def tune(tiny_base_model: Path, tmp_path: Path) -> Tune:
    """``tune("key=value", ...)``: a fine-tuning of the tiny encoder on sentences that a word decides."""
    train, validation = (sentences(tiny_base_model, count, seed) for count, seed in ((96, 1), (30, 2)))

    def run(*more: str, tracker: MemoryTracker | None = None, folder: Path = tmp_path / "checkpoints") -> Finetuned:
        wanted = settings(*more)
        with isolated(wanted.training.seed, wanted.training.threads):
            return finetune(
                tiny_base_model, train, validation, wanted, tracker or MemoryTracker(), CheckpointStore(folder)
            )

    return run


def assert_equal(found: Finetuned, expected: Finetuned) -> None:
    assert found.tensors.keys() == expected.tensors.keys()
    assert all(torch.equal(found.tensors[name], expected.tensors[name]) for name in expected.tensors)
    np.testing.assert_array_equal(found.validation_logits, expected.validation_logits)


def test_learns_what_a_word_decides_and_reports_the_way(tune: Tune) -> None:
    tracker = MemoryTracker()
    found = tune(tracker=tracker)
    curves = tracker.curves
    assert curves["validation/macro_f1"][-1][1] > 0.9 > curves["validation/macro_f1"][0][1]
    assert [step for step, _ in curves["validation/macro_f1"]] == [12, 24, 36, 48]
    assert [step for step, _ in curves["train/loss"]] == list(range(3, 49, 3))
    assert curves["train/loss"][0][1] > curves["train/loss"][-1][1]
    assert (found.steps, found.epochs) == (48, 4)
    scores = [score for _, score in curves["validation/macro_f1"]]
    assert found.best_epoch == 1 + int(np.argmax(scores))


def test_same_seed_same_weights_and_another_one_others(tune: Tune, tmp_path: Path) -> None:
    runs = [tune(f"training.seed={seed}", folder=tmp_path / str(place)) for place, seed in enumerate((1, 1, 2))]
    assert_equal(runs[1], runs[0])
    assert not torch.equal(runs[2].tensors["head.weight"], runs[0].tensors["head.weight"])


class InterruptedError(Exception):
    """Stands for whatever ends a process."""


def interrupt(run: Callable[[], object], step: int) -> None:
    """Run until the step, counted from 0, and no further."""
    learn = Finetuning._step

    def step_or_die(self: Finetuning, *arguments: Any) -> float:
        if self._state.step == step:
            raise InterruptedError
        return learn(self, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Finetuning, "_step", step_or_die)
        with pytest.raises(InterruptedError):
            run()


@pytest.mark.parametrize("step", [7, 36, 47])
def test_interrupted_and_run_again_it_ends_bit_for_bit_as_if_undisturbed(tune: Tune, tmp_path: Path, step: int) -> None:
    more = ("hyperparameters.dropout=0.2", "hyperparameters.lora.dropout=0.1")
    expected = tune(*more)
    interrupt(lambda: tune(*more, folder=tmp_path / "cut"), step)
    tracker = MemoryTracker()
    assert_equal(tune(*more, folder=tmp_path / "cut", tracker=tracker), expected)
    assert min(at for at, _ in tracker.curves["train/loss"] if at is not None) > step - 5


def test_without_resume_it_starts_from_zero(tune: Tune, tmp_path: Path) -> None:
    interrupt(lambda: tune(folder=tmp_path / "cut"), 7)
    tracker = MemoryTracker()
    tune("training.resume=false", folder=tmp_path / "cut", tracker=tracker)
    assert tracker.curves["train/loss"][0][0] == 3


def test_kept_states_change_nothing_but_the_last_bits(tune: Tune, tmp_path: Path) -> None:
    kept = tune("hyperparameters.epochs=1")
    anew = tune("hyperparameters.epochs=1", "training.prefix_cache_mib=0", folder=tmp_path / "anew")
    for name, tensor in kept.tensors.items():
        torch.testing.assert_close(anew.tensors[name], tensor, atol=1e-4, rtol=1e-3)


def test_bfloat16_products_teach_about_the_same(tune: Tune) -> None:
    tracker = MemoryTracker()
    found = tune("training.mixed_precision=on", tracker=tracker)
    assert tracker.curves["validation/macro_f1"][-1][1] > 0.8
    assert {tensor.dtype for tensor in found.tensors.values()} == {torch.float32}


@pytest.mark.parametrize("precision", ["on", "off"])
def test_logits_told_are_those_of_the_best_tensors_in_float32(
    tune: Tune, tiny_base_model: Path, precision: str
) -> None:
    found = tune(f"training.mixed_precision={precision}", "hyperparameters.epochs=2")
    lora = LoraRecord(**settings().hyperparameters.lora.model_dump(exclude={"dropout"}))
    network = build_network(tiny_base_model, lora, "mean", 3)
    put_tensors(network, found.tensors, "a test")
    expected = logits_of(network, sentences(tiny_base_model, 30, 2).sentences)
    np.testing.assert_allclose(found.validation_logits, expected, atol=1e-5)


@pytest.mark.parametrize(("mib", "kept"), [(6, [96, 30]), (5, [])])
def test_states_are_kept_if_those_of_both_splits_fit_together(
    tune: Tune, monkeypatch: pytest.MonkeyPatch, mib: int, kept: list[int]
) -> None:
    """The train split takes 5 MiB and the validation split 1."""
    made, keep = [], KeptStates.__init__

    def keep_and_tell(self: KeptStates, prefix: Any, given: TokenizedSentences, batch_size: int) -> None:
        made.append(len(given))
        keep(self, prefix, given, batch_size)

    monkeypatch.setattr(KeptStates, "__init__", keep_and_tell)
    monkeypatch.setattr(KeptStates, "mib", staticmethod(lambda given, _: 5.0 if len(given) == 96 else 1.0))
    tune(f"training.prefix_cache_mib={mib}", "hyperparameters.epochs=1")
    assert made == kept


def test_stops_when_the_validation_split_gets_no_better_and_keeps_the_best(
    tune: Tune, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MLOps.sentiment import finetune as loop

    given = iter([0.5, 0.7, 0.6, 0.7, 0.9])
    monkeypatch.setattr(loop, "macro_f1", lambda _: np.float64(next(given)))
    found = tune("hyperparameters.epochs=5", "hyperparameters.patience_epochs=2")
    assert (found.epochs, found.best_epoch, found.steps) == (4, 2, 48)


def test_loss_that_is_no_number_is_an_error(tiny_base_model: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(tiny_base_model, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    weights["encoder.layer.1.output.dense.bias"][0] = float("inf")
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    data, store = sentences(broken, 9, 1), CheckpointStore(tmp_path / "checkpoints")
    with isolated(1, 1), pytest.raises(ModelError, match="training diverged at step 1: the loss is nan"):
        finetune(broken, data, data, settings(), MemoryTracker(), store)


@pytest.fixture
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
def test_threads_and_generators_of_the_process_are_left_alone(tune: Tune) -> None:
    torch.set_num_threads(2)
    state = torch.get_rng_state()
    tune("hyperparameters.epochs=1", "training.threads=1")
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), state)


def test_step_size_rises_then_falls_to_zero_after_the_last_step() -> None:
    factors = [rate_factor(step, 10, 0.2) for step in range(10)]
    np.testing.assert_allclose(factors, [0.5, 1.0, *(np.arange(8, 0, -1) / 8)])
    np.testing.assert_allclose([rate_factor(step, 4, 0.0) for step in range(4)], [1, 0.75, 0.5, 0.25])


def test_rare_class_weighs_more_by_the_power() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2])
    assert class_weights(labels, 3, 0.0).tolist() == [1, 1, 1]
    np.testing.assert_allclose(class_weights(labels, 3, 1.0), [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
