"""Fine-tunes the network on labelled sentences, or goes on from where an interrupted run left it.

A loop of our own in place of transformers' Trainer: MLOps/decisions/0033-a-fine-tuning-loop-of-our-own.md.
"""

import logging
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from MLOps.errors import DivergenceError
from MLOps.evaluation.macro_f1 import confusion_counts, macro_f1
from MLOps.sentiment.batches import IntArray, LabelledTokens, shuffled_batches
from MLOps.sentiment.calibration import cross_entropy
from MLOps.sentiment.frozen_prefix import KeptStates
from MLOps.sentiment.model_card import LoraRecord
from MLOps.sentiment.network import (
    SentenceClassifier,
    Tensors,
    build_network,
    check_length,
    put_tensors,
    trained_tensors,
)
from MLOps.sentiment.precision import precision_context
from MLOps.sentiment.scorer import LABELS, FloatArray
from MLOps.sentiment.split_forward import SplitForward
from MLOps.settings.sentiment_model import (
    SentimentHyperparameters,
    SentimentTrainingSettings,
    TrainSentimentModelSettings,
)
from MLOps.stage import Tracker
from MLOps.training import random_state
from MLOps.training.checkpoint import CheckpointStore
from MLOps.training.progress import Progress

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finetuned:
    """What a fine-tuning came to.

    Attributes
    ----------
    steps, epochs : int
        Gradient steps and epochs done.
    best_epoch : int
        The epoch, counted from 1, with the highest macro-F1 on the validation split.
    tensors : mapping of str to tensor
        Update and head of that epoch.
    validation_logits : ndarray of shape (K, C)
        Of that epoch's tensors in float32, as the model is used, whatever the precision of the training.
    """

    steps: int
    epochs: int
    best_epoch: int
    tensors: Tensors
    validation_logits: FloatArray


@dataclass
class _State:
    """Where a fine-tuning stands: everything that a checkpoint keeps beside weights, optimiser and generators."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    best_f1: float = -1.0
    best_epoch: int = 0
    best_tensors: dict[str, torch.Tensor] = field(default_factory=dict)


def finetune(
    base: Path,
    train: LabelledTokens,
    validation: LabelledTokens,
    settings: TrainSentimentModelSettings,
    tracker: Tracker,
    store: CheckpointStore,
) -> Finetuned:
    """Adapt the base model in folder `base` as the settings say; see `Finetuning`.

    Raises
    ------
    ModelError
        If the base model cannot be adapted so, or has too few positions; or training diverges.
    """
    parameters, lora = settings.hyperparameters, settings.hyperparameters.lora
    network = build_network(
        base,
        LoraRecord(**lora.model_dump(exclude={"dropout"})),
        parameters.pooling,
        len(LABELS),
        dropout=parameters.dropout,
        attention_dropout=parameters.attention_dropout,
        lora_dropout=lora.dropout,
    )
    check_length(network, settings.training.max_tokens, "training")
    bar = settings.show_progress
    return Finetuning(network, train, validation, parameters, settings.training, tracker, store, show_bar=bar).run()


class Finetuning:
    """One fine-tuning; call `run` inside `random_state.isolated`.

    Interrupted and run again with the same store, it ends with the same weights as an undisturbed run.

    Parameters
    ----------
    network : SentenceClassifier
        Fresh.
    train, validation : LabelledTokens
        What is learnt from, and what chooses the epoch.
    hyperparameters, settings
        How.
    tracker : Tracker
        Gets ``train/loss`` and ``train/learning_rate`` by step; ``validation/loss``, ``validation/accuracy``
        and ``validation/macro_f1`` at the end of each epoch.
    store : CheckpointStore
        Written after each `settings.checkpoint_every_steps`.
    show_bar : bool
        Draw a bar if standard error is a terminal.
    """

    def __init__(
        self,
        network: SentenceClassifier,
        train: LabelledTokens,
        validation: LabelledTokens,
        hyperparameters: SentimentHyperparameters,
        settings: SentimentTrainingSettings,
        tracker: Tracker,
        store: CheckpointStore,
        *,
        show_bar: bool = False,
    ) -> None:
        self._network, self._train, self._validation = network, train, validation
        self._parameters, self._settings = hyperparameters, settings
        self._tracker, self._store, self._state = tracker, store, _State()
        self._learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self._learnt, lr=hyperparameters.learning_rate, weight_decay=hyperparameters.weight_decay, fused=True
        )
        self._batches_an_epoch = math.ceil(len(train.labels) / hyperparameters.batch_size)
        self._steps = self._batches_an_epoch * hyperparameters.epochs
        self._weights = class_weights(train.labels, network.head.out_features, hyperparameters.class_weight_power)
        self._progress = Progress(self._steps, show_bar=show_bar, unit="steps", shown=("loss", "macro_f1"))

    def run(self) -> Finetuned:
        """Train until the budget is spent or the validation split gets no better.

        Raises
        ------
        DivergenceError
            If training diverges: the loss becomes NaN or infinite.
        """
        state = self._state
        if not (self._settings.resume and self._resumed()):
            _LOG.info("training starts from zero: %d steps at most", self._steps)
        precision = precision_context(self._settings.mixed_precision)
        first, keeps = self._parameters.lora.first_layer, self._states_fit()
        train = SplitForward(self._network, self._train.sentences, first, keeps, precision)
        validation = SplitForward(self._network, self._validation.sentences, first, keeps, precision)
        try:
            while state.epoch < self._parameters.epochs and not self._is_stopped():
                self._learn_epoch(train)
                self._judge_epoch(validation)
        finally:
            self._progress.close()
        put_tensors(self._network, state.best_tensors, "the best epoch")
        logits = SplitForward(self._network, self._validation.sentences, first, keeps_states=False).all_logits()
        return Finetuned(state.step, state.epoch, state.best_epoch, state.best_tensors, logits)

    def _states_fit(self) -> bool:
        """Whether the frozen layers' states of both splits together take no more memory than they may."""
        splits, size = (self._train.sentences, self._validation.sentences), self._network.head.in_features
        return sum(KeptStates.mib(sentences, size) for sentences in splits) <= self._settings.prefix_cache_mib

    def _is_stopped(self) -> bool:
        return self._state.epoch - self._state.best_epoch >= self._parameters.patience_epochs

    def _learn_epoch(self, forward: SplitForward) -> None:
        state = self._state
        self._network.train(True)
        generator = np.random.default_rng([self._settings.seed, state.epoch])  # any epoch's order without the others
        batches = shuffled_batches(self._train.sentences.lengths, self._parameters.batch_size, generator)
        for rows in batches[state.batch :]:
            state.losses.append(self._step(forward, rows))
            state.step, state.batch = state.step + 1, state.batch + 1
            self._progress.reach(state.step)
            if state.step % self._settings.log_every_steps == 0:
                self._report_loss()
            if state.step % self._settings.checkpoint_every_steps == 0:
                self._keep()
        state.epoch, state.batch = state.epoch + 1, 0

    def _step(self, forward: SplitForward, rows: IntArray) -> float:
        rate = self._parameters.learning_rate * rate_factor(
            self._state.step, self._steps, self._parameters.warmup_fraction
        )
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        labels = torch.from_numpy(self._train.labels[rows])
        loss = functional.cross_entropy(forward.logits(rows), labels, weight=self._weights)
        value = loss.item()
        if not math.isfinite(value):
            raise DivergenceError(
                f"training diverged at step {self._state.step + 1}: the loss is {value}",
                "a finite loss",
                "a lower learning_rate in hyperparameters/sentiment/lora.yaml",
            )
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._learnt, self._parameters.max_grad_norm)
        self._optimiser.step()
        return value

    def _report_loss(self) -> None:
        """The mean loss since the last point of the curve."""
        figures = {"train/loss": float(np.mean(self._state.losses)), "train/learning_rate": self._rate()}
        self._state.losses.clear()
        self._tracker.metrics(figures, step=self._state.step)
        self._progress.show({"loss": figures["train/loss"]})

    def _rate(self) -> float:
        return float(self._optimiser.param_groups[0]["lr"])

    def _judge_epoch(self, forward: SplitForward) -> None:
        state, labels = self._state, self._validation.labels
        logits = forward.all_logits()
        counts = confusion_counts(labels, logits.argmax(axis=1), logits.shape[1])
        figures = {
            "validation/macro_f1": float(macro_f1(counts)),
            "validation/accuracy": float(np.trace(counts) / len(labels)),
            "validation/loss": cross_entropy(logits, labels),
        }
        self._tracker.metrics(figures, step=state.step)
        self._progress.show({"macro_f1": figures["validation/macro_f1"]})
        _LOG.info("epoch %d: macro-F1 %.4f on the validation split", state.epoch, figures["validation/macro_f1"])
        if figures["validation/macro_f1"] > state.best_f1:
            state.best_f1, state.best_epoch = figures["validation/macro_f1"], state.epoch
            state.best_tensors = trained_tensors(self._network)

    def _keep(self) -> None:
        state = {
            "state": dict(vars(self._state)),
            "tensors": trained_tensors(self._network),
            "optimiser": self._optimiser.state_dict(),
            "random": random_state.capture(),
        }
        self._store.save(state)

    def _resumed(self) -> bool:
        """Put everything where the checkpoint left it; False if there is none."""
        kept = self._store.load()
        if kept is None:
            return False
        vars(self._state).update(kept["state"])
        put_tensors(self._network, kept["tensors"], "the checkpoint")
        self._optimiser.load_state_dict(kept["optimiser"])
        random_state.restore(kept["random"])
        self._progress.start_at(self._state.step)
        _LOG.info("training continues from the checkpoint at step %d", self._state.step)
        return True


def rate_factor(step: int, steps: int, warmup_fraction: float) -> float:
    """Share of the highest step size at a step, counted from 0: up in a line, then down to zero after the last."""
    warmup = warmup_fraction * steps
    return min((step + 1) / warmup if warmup else 1.0, (steps - step) / (steps - warmup))


def class_weights(labels: npt.NDArray[np.int64], classes: int, power: float) -> torch.Tensor:
    """(C,) float32 ``(K / (C n_c))^power``: what a sentence of each class weighs in the loss."""
    counts = np.bincount(labels, minlength=classes)
    return torch.from_numpy((len(labels) / (classes * counts)) ** power).float()
