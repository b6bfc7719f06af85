"""Judge a challenger against the champion, and let it be champion if every gate passes.

The verdict goes to reports/promotions/ and is stored with the model version. That a model is rejected
is a normal result: the exit status is 0 and the reasons are told.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from deployment.promotion.judge_model import judge
from deployment.promotion.read_backtest import Backtest, read_backtest, require_champion, require_match
from deployment.promotion.write_verdict import headline, verdict_text
from experiment_tracking.runner import run_stage
from MLOps import failpoints
from MLOps.artifacts import Made, Output, make_once, sha256_of, write_text
from MLOps.errors import RegistryError
from MLOps.settings.promotion import PromotionSettings
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag
from model_registry.champion import ensure_champion, promote
from model_registry.family import STOCK_TRADING
from model_registry.open_registry import open_registry
from model_registry.registry import ModelRegistry, ModelVersion
from model_registry.verdict import GateResult, Verdict, outcome_of

_LOG = logging.getLogger(__name__)
VERDICT_FILE, TEXT_FILE = "verdict.json", "verdict.md"


def promote_to_paper(settings: PromotionSettings, tracker: Tracker) -> StageResult:
    """Judge the model that the settings name; store the verdict with it; move the alias only then.

    Raises
    ------
    DataError
        If the backtest or the features are missing or altered, or the backtest is of another model,
        beside another champion or on other features.
    RegistryError
        If there is no such model, or the champion's alias was moved without a passing verdict.
    DigestError
        If the registry's files are not those that were registered.
    """
    registry = open_registry(settings)
    champion = ensure_champion(registry, settings.registry.model_name, STOCK_TRADING)
    model = _model_to_judge(registry, settings)
    backtest = read_backtest(settings.paths.workspace / settings.backtest_path)
    output = _output(settings, backtest)
    features = output.inputs["features"]
    require_match(backtest, str(model), model.digest, features, sha256_of(features))
    if model.digest != champion.digest:
        require_champion(backtest, str(champion), champion.digest)
    elif not _was_promoted_by(output, registry, model):
        output = _output(settings, backtest, is_champion=True)

    def make(folder: Path, key: str) -> Made:
        gates: tuple[GateResult, ...] = ()
        if "is_champion" not in output.extra:
            gates = judge(registry.fetch(model), model.digest, features, backtest, settings)
        return _write(folder, _verdict(key, backtest, gates), model, _named(registry, model.name, backtest))

    result = make_once(output, make, tracker)
    tracker.artifact(result.folder / TEXT_FILE)
    verdict = Verdict.model_validate_json((result.folder / VERDICT_FILE).read_bytes())
    _LOG.info("%s", headline(verdict, model))
    for reason in verdict.reasons:
        _LOG.info("  %s", reason)
    if verdict.gates:
        registry.store_verdict(model, verdict)
        failpoints.reach("after_verdict")
    if verdict.has_passed:
        promote(registry, model, verdict, STOCK_TRADING)
    return result


def _model_to_judge(registry: ModelRegistry, settings: PromotionSettings) -> ModelVersion:
    name = settings.registry.model_name
    if settings.model_version is not None:
        return registry.by_version(name, settings.model_version)
    found = registry.by_alias(name, settings.model_alias)
    if found is None:
        raise RegistryError(f"{name} has no {settings.model_alias}", "a registered model", "run train_rl_agent first")
    return found


def _output(settings: PromotionSettings, backtest: Backtest, is_champion: bool = False) -> Output:
    return Output(
        stage=STAGE.name,
        root=settings.paths.reports / "promotions",
        settings=settings,
        inputs={**backtest.files, "features": settings.paths.workspace / settings.features_path},
        label=backtest.last.isoformat(),
        extra={"model": backtest.model_digest, "champion": backtest.champion_digest}
        | ({"is_champion": "yes"} if is_champion else {}),
        packages=("arch", "numpy"),
    )


def _was_promoted_by(output: Output, registry: ModelRegistry, champion: ModelVersion) -> bool:
    """Whether this very promotion made the champion: then it is a retry, and ends as the first try did."""
    key = output.key(output.input_digests())
    return any(verdict.key == key and verdict.has_passed for verdict in registry.verdicts(champion))


def _verdict(key: str, backtest: Backtest, gates: tuple[GateResult, ...]) -> Verdict:
    return Verdict(
        key=key,
        family=STOCK_TRADING.name,
        basis="gates",
        as_of=backtest.last,
        model_digest=backtest.model_digest,
        champion_digest=backtest.champion_digest,
        outcome=outcome_of(gates),
        gates=gates,
    )


def _named(registry: ModelRegistry, name: str, backtest: Backtest) -> str:
    """The champion of the backtest, as people call it."""
    names = {version.digest: str(version) for version in registry.versions(name)}
    return names.get(backtest.champion_digest, backtest.champion_digest[:12])


def _write(folder: Path, verdict: Verdict, model: ModelVersion, champion: str) -> Made:
    write_text(folder / VERDICT_FILE, verdict.model_dump_json(indent=2) + "\n")
    write_text(folder / TEXT_FILE, verdict_text(verdict, model, champion))
    figures = {gate.gate: gate.figure for gate in verdict.gates if isinstance(gate.figure, float)}
    return Made(
        files={"verdict": VERDICT_FILE},  # the text tells version numbers, which differ between registries
        metrics={**figures, "gates_passed": sum(gate.passed for gate in verdict.gates), "gates": len(verdict.gates)},
        details={
            "verdict": verdict.outcome,
            "reasons": "; ".join(verdict.reasons) or headline(verdict, model),
            "model_name": model.name,
            "model_version": model.version,
            "model_digest": model.digest,
            "champion_digest": verdict.champion_digest,
        },
    )


STAGE = Stage(
    "promote_to_paper",
    PromotionSettings,
    promote_to_paper,
    (
        ValueFlag("backtest_path", "backtest_path", "folder of the backtest (default: reports/backtests/latest)"),
        ValueFlag("model_alias", "model_alias", "registry alias of the model to judge (default: challenger)"),
        ValueFlag("model_version", "model_version", "registry version of the model to judge"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the stage."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
