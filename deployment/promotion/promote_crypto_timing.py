"""Judge a buy-timing model against fixed rules and champion; it is crypto_timing_champion if every gate passes.

Takes the evaluation that evaluate_crypto_timing made. The verdict goes to reports/crypto_timing_promotions/ and is
stored with the model version. That a model is rejected is a normal result: the exit status is 0 and the reasons are
told.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from deployment.promotion.decision import (
    MODEL_FLAGS,
    Contest,
    carry_out,
    model_to_judge,
    was_promoted_by,
    write_decision,
)
from deployment.promotion.judge_timing_model import judge_timing
from deployment.promotion.read_timing_evaluation import (
    TimingEvaluation,
    read_timing_evaluation,
    require_evaluation_of,
    require_rival,
)
from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once, sha256_of
from MLOps.inference.timing_policy import load_timing_policy
from MLOps.market.price_cycles import read_timing_prices, timing_bars_path
from MLOps.settings.timing_promotion import TimingPromotionSettings
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag
from model_registry.champion import ensure_champion, require_kind
from model_registry.family import CRYPTO_TIMING
from model_registry.open_registry import open_registry
from model_registry.registry import ModelRegistry, ModelVersion
from model_registry.verdict import GateResult


def promote_crypto_timing(settings: TimingPromotionSettings, tracker: Tracker) -> StageResult:
    """Judge the model that the settings name; store the verdict with it; move the alias only then.

    Raises
    ------
    DataError
        If the evaluation or the bars are missing or altered, or the evaluation is of another model, beside another
        champion or on other bars.
    RegistryError
        If there is no such model, it is of another family, or the champion's alias was moved without a passing
        verdict.
    DigestError
        If the registry's files are not those that were registered.
    ModelError
        If the champion does not load.
    """
    registry, name = open_registry(settings), settings.registry.model_name
    champion = ensure_champion(registry, name, CRYPTO_TIMING)
    model = model_to_judge(registry, name, settings.model_alias, settings.model_version, "train_rainbow")
    require_kind(registry, model, CRYPTO_TIMING)
    bars = timing_bars_path(settings.bars_path, settings.evidence.data, settings.paths)
    evaluation = read_timing_evaluation(settings.paths.workspace / settings.evaluation_path)
    require_evaluation_of(evaluation, str(model), model.digest, bars, sha256_of(bars))
    contest = Contest(evaluation.model_digest, evaluation.champion_digest)
    rival, output = champion, _output(settings, bars, evaluation, contest)
    if model.digest != champion.digest:
        require_rival(evaluation, str(champion), champion.digest)
    elif was_promoted_by(output.key(output.input_digests()), registry, model):
        rival = _beaten_by(champion, registry, evaluation)
    else:
        contest = contest._replace(is_champion=True)
        output = _output(settings, bars, evaluation, contest)

    def make(folder: Path, key: str) -> Made:
        gates: tuple[GateResult, ...] = ()
        if not contest.is_champion:
            opponent = load_timing_policy(registry.fetch(rival), rival.digest)
            prices = read_timing_prices(bars, settings.evidence.data)
            gates = judge_timing(registry.fetch(model), model.digest, opponent, prices, evaluation, settings)
        return write_decision(
            folder, contest.verdict(key, CRYPTO_TIMING, evaluation.last_day, gates), model, str(rival)
        )

    result = make_once(output, make, tracker)
    return carry_out(result, registry, model, CRYPTO_TIMING, tracker)


def _output(settings: TimingPromotionSettings, bars: Path, evaluation: TimingEvaluation, contest: Contest) -> Output:
    return Output(
        stage=STAGE.name,
        root=settings.paths.reports / "crypto_timing_promotions",
        settings=settings,
        inputs={**evaluation.files, "bars": bars},
        label=evaluation.last_day.isoformat(),
        version=2,  # 2: intervals hold on few periods too
        extra=contest.extra,
        packages=("arch", "numpy", "scipy"),
    )


def _beaten_by(champion: ModelVersion, registry: ModelRegistry, evaluation: TimingEvaluation) -> ModelVersion:
    """The former champion of the evaluation; the present one where it is registered no more."""
    versions = registry.versions(champion.name)
    return next((found for found in versions if found.digest == evaluation.champion_digest), champion)


STAGE = Stage(
    "promote_crypto_timing",
    TimingPromotionSettings,
    promote_crypto_timing,
    (
        ValueFlag(
            "evaluation_path", "evaluation_path", "folder of the evaluation (default: reports/crypto_timing/latest)"
        ),
        *MODEL_FLAGS,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the stage."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
