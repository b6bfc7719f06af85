"""The peer of our fine-tuning loop: transformers' Trainer over the same network, adapted by peft."""

from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase, PrinterCallback, Trainer, TrainingArguments
from transformers.modeling_outputs import SequenceClassifierOutput

from MLOps.sentiment.batches import LabelledTokens
from MLOps.sentiment.network import SentenceClassifier
from MLOps.sentiment.precision import has_bfloat16
from MLOps.settings.sentiment_model import SentimentHyperparameters

Row = dict[str, Any]


class WithLoss(nn.Module):
    """The network as the Trainer takes it: with its loss."""

    def __init__(self, network: SentenceClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor, **_: Any
    ) -> SequenceClassifierOutput:
        logits = self.network(input_ids, attention_mask)
        return SequenceClassifierOutput(loss=functional.cross_entropy(logits, labels), logits=logits)


def rows_of(data: LabelledTokens) -> list[Row]:
    """The sentences as a Trainer's dataset."""
    return [
        {"input_ids": ids.tolist(), "attention_mask": [1] * len(ids), "label": int(label)}
        for ids, label in zip(data.sentences.ids, data.labels, strict=True)
    ]


def collate(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
    """A batch as the Trainer makes it."""
    return dict(DataCollatorWithPadding(tokenizer)(list(rows)))


def train_by_trainer(
    network: SentenceClassifier,
    data: LabelledTokens,
    tokenizer: PreTrainedTokenizerBase,
    parameters: SentimentHyperparameters,
    seed: int,
    *,
    is_grouped: bool,
) -> None:
    """Train `network` by a Trainer with our schedule, optimiser and batch size that records and saves nothing.

    Parameters
    ----------
    is_grouped : bool
        Group sentences by length, and multiply in bfloat16 where the processor does; the default does neither.
    """
    with TemporaryDirectory() as folder:  # it makes its folder, though it saves nothing there
        trainer = Trainer(
            model=WithLoss(network),
            args=_arguments(folder, len(data.labels), parameters, seed, is_grouped=is_grouped),
            train_dataset=rows_of(data),  # type: ignore[arg-type]  # a list serves as a dataset
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def _arguments(
    folder: str, rows: int, parameters: SentimentHyperparameters, seed: int, *, is_grouped: bool
) -> TrainingArguments:
    steps = -(-rows // parameters.batch_size) * parameters.epochs
    return TrainingArguments(
        output_dir=folder,
        per_device_train_batch_size=parameters.batch_size,
        num_train_epochs=parameters.epochs,
        learning_rate=parameters.learning_rate,
        weight_decay=parameters.weight_decay,
        warmup_steps=round(parameters.warmup_fraction * steps),
        lr_scheduler_type="linear",
        max_grad_norm=parameters.max_grad_norm,
        train_sampling_strategy="group_by_length" if is_grouped else "random",
        seed=seed,
        use_cpu=True,
        bf16=is_grouped and has_bfloat16(),
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
