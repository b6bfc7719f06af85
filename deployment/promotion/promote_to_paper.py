"""Judge a challenger against the champion, and let it be champion if every gate passes.

The verdict goes to reports/promotions/ and is stored with the model version. That a model is rejected
is a normal result: the exit status is 0 and the reasons are told.
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
from deployment.promotion.judge_model import judge
from deployment.promotion.read_backtest import Backtest, read_backtest, require_champion, require_match
from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once, sha256_of
from MLOps.settings.promotion import PromotionSettings
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag
from model_registry.champion import ensure_champion
from model_registry.family import STOCK_TRADING
from model_registry.open_registry import open_registry
from model_registry.registry import ModelRegistry
from model_registry.verdict import GateResult


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
    registry, name = open_registry(settings), settings.registry.model_name
    champion = ensure_champion(registry, name, STOCK_TRADING)
    model = model_to_judge(registry, name, settings.model_alias, settings.model_version, "train_rl_agent")
    backtest = read_backtest(settings.paths.workspace / settings.backtest_path)
    contest = Contest(backtest.model_digest, backtest.champion_digest)
    output = _output(settings, backtest, contest)
    features = output.inputs["features"]
    require_match(backtest, str(model), model.digest, features, sha256_of(features))
    if model.digest != champion.digest:
        require_champion(backtest, str(champion), champion.digest)
    elif not was_promoted_by(output.key(output.input_digests()), registry, model):
        contest = contest._replace(is_champion=True)
        output = _output(settings, backtest, contest)

    def make(folder: Path, key: str) -> Made:
        gates: tuple[GateResult, ...] = ()
        if not contest.is_champion:
            gates = judge(registry.fetch(model), model.digest, features, backtest, settings)
        return write_decision(
            folder,
            contest.verdict(key, STOCK_TRADING, backtest.last, gates),
            model,
            _named(registry, name, backtest),
        )

    result = make_once(output, make, tracker)
    return carry_out(result, registry, model, STOCK_TRADING, tracker)


def _output(settings: PromotionSettings, backtest: Backtest, contest: Contest) -> Output:
    return Output(
        stage=STAGE.name,
        root=settings.paths.reports / "promotions",
        settings=settings,
        inputs={**backtest.files, "features": settings.paths.workspace / settings.features_path},
        label=backtest.last.isoformat(),
        extra=contest.extra,
        packages=("arch", "numpy"),
    )


def _named(registry: ModelRegistry, name: str, backtest: Backtest) -> str:
    """The champion of the backtest, as people call it."""
    names = {version.digest: str(version) for version in registry.versions(name)}
    return names.get(backtest.champion_digest, backtest.champion_digest[:12])


STAGE = Stage(
    "promote_to_paper",
    PromotionSettings,
    promote_to_paper,
    (
        ValueFlag("backtest_path", "backtest_path", "folder of the backtest (default: reports/backtests/latest)"),
        *MODEL_FLAGS,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the stage."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
