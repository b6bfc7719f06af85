"""Stage train_sentiment_model: labelled sentences to a registered classifier.

Makes models/sentiment/<base model>-<key>/ with model.json and adapter.safetensors, registers it and points
the alias `challenger` at it; held_out.parquet has what it says of each sentence of the test split, and
charts/ shows it. An interrupted run of the same settings and
data goes on from its last checkpoint.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once, read_result, sha256_of
from MLOps.errors import DataError
from MLOps.settings.sentiment_model import TrainSentimentModelSettings
from MLOps.stage import RESUME_FLAG, FileFlag, Scalar, Stage, StageResult, Tracker, ValueFlag

if TYPE_CHECKING:
    import pandas as pd

    from MLOps.sentiment.base_model import BaseModel
    from MLOps.sentiment.scorer import FloatArray
    from MLOps.training.checkpoint import CheckpointStore

_HELD_OUT, _CHARTS, _CHECKPOINTS = "held_out.parquet", "charts", ".checkpoints"


def train_sentiment_model(settings: TrainSentimentModelSettings, tracker: Tracker) -> StageResult:
    """Fine-tune the base model on the train split, choose on the validation split, tell of the test split, register.

    Raises
    ------
    DataError
        If the labelled sentences are missing or malformed, a split is empty, or a class is missing.
    SourceUnavailableError
        If the base model must be fetched and cannot be.
    ModelError
        If the base model cannot be used, or training diverges.
    RegistryError
        If models of another family are registered under the name.
    ServiceUnavailableError
        If the registry cannot be reached.
    """
    from MLOps.sentiment.base_model import load_base_model
    from MLOps.sentiment.precision import uses_bfloat16
    from MLOps.training.checkpoint import CheckpointStore

    labelled = _labelled_file(settings)
    base = load_base_model(settings.base_model, settings.paths.cache)
    root = settings.paths.workspace / settings.output_model_dir

    def store(key: str) -> CheckpointStore:
        return CheckpointStore(root / _CHECKPOINTS / key)

    def make(folder: Path, key: str) -> Made:
        return _make_model(folder, store(key), labelled, base, settings, tracker)

    output = Output(
        stage=STAGE.name,
        root=root,
        settings=settings,
        inputs={"labelled": labelled},
        label=re.sub(r"[^a-z0-9]+", "-", base.name.lower()).strip("-"),
        extra={"base_model": base.sha256, "bfloat16": str(uses_bfloat16(settings.training.mixed_precision))},
        packages=("numpy", "pandas", "peft", "pyarrow", "scipy", "tokenizers", "torch", "transformers"),
        version=2,  # held_out.parquet is a declared file, and the temperature is fitted in float32
    )
    result = make_once(output, make, tracker)
    result = result.model_copy(update={"details": result.details | _origin(labelled, base)})
    store(result.key).remove()
    return _registered(result, settings, tracker) if settings.training.register_model else result


def _labelled_file(settings: TrainSentimentModelSettings) -> Path:
    """The labelled sentences, with links resolved, so that one version is read throughout."""
    path = settings.paths.workspace / settings.labelled_path
    if not path.is_file():
        raise DataError(
            f"{path} does not exist",
            "a Parquet file of labelled sentences",
            "--labelled_path, or run prepare_sentiment_dataset first",
        )
    return path.resolve()


def _make_model(
    folder: Path,
    store: "CheckpointStore",
    labelled: Path,
    base: "BaseModel",
    settings: TrainSentimentModelSettings,
    tracker: Tracker,
) -> Made:
    from MLOps.inference.model_files import ADAPTER_FILE, CARD_FILE
    from MLOps.sentiment.base_model import open_tokenizer
    from MLOps.sentiment.calibration import fit_temperature
    from MLOps.sentiment.classification import figures_of
    from MLOps.sentiment.describe import describe
    from MLOps.sentiment.finetune import finetune
    from MLOps.sentiment.lora_classifier import load_lora_classifier, logits_of, write_sentiment_model
    from MLOps.sentiment.training_data import labelled_tokens, read_splits
    from MLOps.training.random_state import isolated
    from pipelines.sentiment_model.draw_training_charts import write_charts

    training, tokenizer = settings.training, open_tokenizer(base.folder)
    splits = read_splits(labelled)
    train, validation, test = (labelled_tokens(rows, tokenizer, training.max_tokens) for rows in splits.values())
    with isolated(training.seed, training.threads):
        found = finetune(base.folder, train, validation, settings, tracker, store)
        temperature = fit_temperature(found.validation_logits, validation.labels)
        figures = _named("validation", figures_of(found.validation_logits, validation.labels, temperature))
        groups = [*splits["train"]["group"], *splits["validation"]["group"]]
        told = {"steps": found.steps, "epochs": found.epochs, "best_epoch": found.best_epoch}
        card = describe(settings, base, temperature, groups, sha256_of(labelled), {**told, **figures})
        digest = write_sentiment_model(folder, card, found.tensors)
        # everything is chosen; the test split is looked at once, through the model as it was written
        classifier = load_lora_classifier(folder, digest, base.folder)
        test_logits = logits_of(classifier.network, test.sentences)
    figures |= _named("test", figures_of(test_logits, test.labels, temperature))
    _write_held_out(folder / _HELD_OUT, splits["test"], test_logits / temperature)
    (folder / _CHARTS).mkdir()
    write_charts(folder / _CHARTS / "held_out.html", test_logits, test.labels, temperature)
    tracker.artifact(folder / _CHARTS, _CHARTS)
    tracker.metrics(figures, step=found.steps)
    return Made(
        files={"model": CARD_FILE, "adapter": ADAPTER_FILE, "held_out": _HELD_OUT},
        metrics={**told, "temperature": temperature, **figures},
        details={
            "model_digest": digest,
            "base_model": base.name,
            "base_model_sha256": base.sha256,
            **{f"{name}_sentences": len(rows) for name, rows in splits.items()},
            **{f"{name}_articles": rows["group"].nunique() for name, rows in splits.items()},
        },
    )


def _write_held_out(path: Path, sentences: "pd.DataFrame", logits: "FloatArray") -> None:
    """The labelled sentences with a column of probabilities for each class."""
    from MLOps.sentiment.scorer import LABELS, softmax

    probabilities = softmax(logits)
    columns = {name: probabilities[:, position] for position, name in enumerate(LABELS)}
    sentences[["sentence_id", "group", "text", "label"]].assign(**columns).to_parquet(path, index=False)


def _named(split: str, figures: dict[str, float]) -> dict[str, float]:
    return {f"{split}_{name}": figure for name, figure in figures.items()}


def _origin(labelled: Path, base: "BaseModel") -> dict[str, Scalar]:
    """What limits a result of this model: what is told of its base model and of its sentences."""
    from MLOps.market.data_warnings import BETWEEN_WARNINGS, data_warnings

    made = read_result(labelled.parent)
    warnings = (*base.warnings, *(data_warnings(made.details) if made else ()))
    return {"data_warnings": BETWEEN_WARNINGS.join(warnings)} if warnings else {}


def _registered(result: StageResult, settings: TrainSentimentModelSettings, tracker: Tracker) -> StageResult:
    from model_registry.challenger import register_challenger
    from model_registry.family import SENTIMENT

    tags = {"base_model": str(result.details["base_model"]), "labelled_sha256": result.inputs["labelled"]}
    return register_challenger(result, settings, SENTIMENT, tags, tracker.run_id)


STAGE = Stage(
    name="train_sentiment_model",
    settings_type=TrainSentimentModelSettings,
    run=train_sentiment_model,
    flags=(
        FileFlag("sentiment_params_path", "base_model", "YAML of a base model, config/sentiment_models/*.yaml", True),
        FileFlag("hyperparameters_path", "hyperparameters", "YAML of tunables, hyperparameters/sentiment/*.yaml", True),
        ValueFlag("labelled_path", "labelled_path", "labelled sentences, a Parquet file"),
        ValueFlag("output_model_dir", "output_model_dir", "where models are written (default: models/sentiment)"),
        RESUME_FLAG,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
