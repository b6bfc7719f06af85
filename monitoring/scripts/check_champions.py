"""Stage check_champions: whether each family of models has a rightful champion, and since when.

Between two promotions an alias can be moved by hand, a model altered, a store lost. Makes
reports/champions/<key>/champions.json. What is found is a result, not a failure; the alert rules judge it.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once, write_text
from MLOps.settings.champions import ChampionsSettings
from MLOps.stage import Stage, StageResult, Tracker
from model_registry.champion import names_of
from model_registry.champion_figures import champion_figures
from model_registry.family import CRYPTO_TIMING, SENTIMENT, STOCK_TRADING
from model_registry.open_registry import find_registry
from model_registry.registry import RegistryReader

_FILE = "champions.json"


def check_champions(settings: ChampionsSettings, tracker: Tracker) -> StageResult:
    """Look at the champion of each family.

    Raises
    ------
    DigestError
        If a champion's files are not those that were registered.
    ServiceUnavailableError
        If the registry is MLflow's, and its store cannot be reached.
    """
    registry = find_registry(settings)
    figures = {
        **champion_figures(registry, settings.registry.model_name, STOCK_TRADING),
        **champion_figures(registry, settings.sentiment_model_name, SENTIMENT),
        **_timing_figures(registry),
    }
    output = Output(
        stage=STAGE.name,
        root=settings.paths.reports / "champions",
        settings=settings,
        label="champions",
        extra={name: str(value) for name, value in figures.items()},
    )

    def make(folder: Path, _key: str) -> Made:
        write_text(folder / _FILE, json.dumps(figures, indent=2, sort_keys=True) + "\n")
        return Made(files={"champions": _FILE}, metrics=figures)

    return make_once(output, make, tracker)


def _timing_figures(registry: RegistryReader | None) -> dict[str, float]:
    """Of each name that was judged once, as a rule one a coin: a training that nobody judged lacks no champion."""
    names = names_of(registry, CRYPTO_TIMING) if registry is not None else ()
    found = (champion_figures(registry, name, CRYPTO_TIMING) for name in names if _was_judged(registry, name))
    return {figure: value for figures in found for figure, value in figures.items()}


def _was_judged(registry: RegistryReader | None, name: str) -> bool:
    return registry is not None and (
        registry.by_alias(name, CRYPTO_TIMING.champion_alias) is not None
        or any(registry.verdicts(version) for version in registry.versions(name))
    )


STAGE = Stage(name="check_champions", settings_type=ChampionsSettings, run=check_champions)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
