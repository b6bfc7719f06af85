"""Stage ablate_rainbow: the full agent, without each of its six parts, and plain DQN, each over several seeds.

Makes reports/rainbow_ablations/<coin>-<key>/ with ablation.json, ablation.csv (a row for each training), ablation.md
and report.html. An interrupted ablation goes on: no finished training is done again, and the one that was under way
goes on from its checkpoint. All figures are of the validation window, and say nothing of the future.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, check_unaltered, make_once, read_result, write_text
from MLOps.kept_results import KeptResults
from MLOps.settings.rainbow_ablation import AblateRainbowSettings, Variant
from MLOps.stage import RESUME_FLAG, Scalar, Stage, StageResult, Tracker, ValueFlag

if TYPE_CHECKING:
    from MLOps.evaluation.rainbow_ablation import RainbowAblation
    from MLOps.market.price_cycles import Cycles
    from MLOps.training.rainbow_ablation import TimedRun

_LOG = logging.getLogger(__name__)
_CHECKPOINTS = ".checkpoints"
_FILES = {
    "ablation": "ablation.json",
    "trainings": "ablation.csv",
    "table": "ablation.md",
    "report": "report.html",
}


def ablate_rainbow(settings: AblateRainbowSettings, tracker: Tracker) -> StageResult:
    """Train every variant with every seed, and report what the parts are worth.

    Raises
    ------
    DataError
        If the bars are missing or malformed, were altered after they were made, are of another coin, or a window
        does not hold a single cycle.
    DivergenceError
        If a training diverges.
    """
    from MLOps.market.price_cycles import read_timing_prices, split_cycles, timing_bars_path
    from MLOps.training.rainbow_ablation import TimedRun

    bars = timing_bars_path(settings.bars_path, settings.data, settings.paths)
    check_unaltered(bars.parent)
    windows = split_cycles(read_timing_prices(bars, settings.data), settings.data)
    warnings = _warnings(bars)

    def finished(key: str) -> KeptResults[TimedRun]:
        return KeptResults(settings.paths.models / _CHECKPOINTS / key, TimedRun)

    def make(folder: Path, key: str) -> Made:
        return _make_report(folder, _trainings(finished(key), windows, settings, tracker), windows, warnings, settings)

    output = Output(
        stage=STAGE.name,
        root=settings.paths.reports / "rainbow_ablations",
        settings=settings,
        inputs={"bars": bars},
        label=settings.data.symbol.lower(),
        version=3,  # 2: variants are compared by their last look; 3: looks are at all validation cycles
        extra={"data_warnings": " | ".join(warnings)},
        packages=("numba", "numpy", "plotly", "scipy", "torch"),
    )
    result = make_once(output, make, tracker)
    finished(result.key).remove()
    _LOG.info("the report lies at %s", result.artifacts["report"].path)
    return result


def _warnings(bars: Path) -> tuple[str, ...]:
    """What a reader must know of the data: what ingestion told of the bars."""
    from MLOps.market.data_warnings import data_warnings

    made = read_result(bars.parent)
    return data_warnings(made.details) if made else ()


def _trainings(
    finished: "KeptResults[TimedRun]", windows: "dict[str, Cycles]", settings: AblateRainbowSettings, tracker: Tracker
) -> "list[TimedRun]":
    """Every training, seed by seed, so that an interrupted ablation has whole seeds early."""
    from MLOps.training.rainbow_ablation import train_variant

    if not settings.training.resume:
        finished.remove()
    done: list[TimedRun] = []
    planned = [(place, seed, name) for place, seed in enumerate(settings.seeds) for name in settings.all_variants]
    for count, (place, seed, variant) in enumerate(planned, 1):
        part = f"{variant}-{seed}"
        kept = finished.load(part)
        _LOG.info("training %d of %d: %s, seed %d%s", count, len(planned), variant, seed, ", kept" if kept else "")
        if kept is None:
            kept = train_variant(variant, seed, windows, settings, finished.checkpoints(part))
            finished.save(part, kept)
        done.append(kept)
        figures = {"best_advantage_bps": kept.run.best_bps, "last_advantage_bps": kept.run.last_bps}
        tracker.metrics({f"{variant}.{name}": value for name, value in figures.items()}, step=place)
    return done


def _make_report(
    folder: Path,
    trainings: "list[TimedRun]",
    windows: "dict[str, Cycles]",
    warnings: tuple[str, ...],
    settings: AblateRainbowSettings,
) -> Made:
    from MLOps.evaluation.rainbow_ablation import summarise_ablation, validation_window
    from pipelines.crypto_dqn.ablation_text import csv_of, markdown_of
    from pipelines.crypto_dqn.draw_rainbow_ablation import render_ablation

    validation = validation_window(windows["validation"], settings)
    ablation = summarise_ablation([training.run for training in trainings], validation, settings)
    seconds = _seconds(trainings)
    write_text(folder / _FILES["ablation"], ablation.model_dump_json(indent=2) + "\n")
    write_text(folder / _FILES["trainings"], csv_of(ablation))
    write_text(folder / _FILES["table"], markdown_of(ablation, seconds))
    write_text(folder / _FILES["report"], render_ablation(ablation, seconds, warnings))
    return Made(
        files=_FILES, metrics=_metrics(ablation, seconds), details=_details(ablation, windows, warnings, settings)
    )


def _seconds(trainings: "list[TimedRun]") -> dict[Variant, float]:
    """Processor seconds of a training, by variant: the median, for the first training also compiles."""
    names = dict.fromkeys(training.run.variant for training in trainings)
    return {name: median(each.cpu_seconds for each in trainings if each.run.variant == name) for name in names}


def _metrics(ablation: "RainbowAblation", seconds: dict[Variant, float]) -> dict[str, float]:
    """Means over the seeds as ``<variant>.<figure>``, differences to the full agent with their ends likewise."""
    window = ablation.validation
    told = {"buy_last.advantage_bps": window.buy_last_bps, "hindsight.advantage_bps": window.hindsight_bps}
    for row in ablation.variants:
        figures = {
            "last_advantage_bps": row.last_bps.mean,
            "best_advantage_bps": row.best_bps.mean,
            "mean_score_10": row.mean_score_10.mean,
            "best_frames": row.best_frames.mean,
            "cpu_seconds": seconds[row.variant],
        }
        if (found := row.last_difference) is not None:
            figures["last_difference_bps"] = found.mean
            figures["last_difference_bps_lower"] = found.lower
            figures["last_difference_bps_upper"] = found.upper
        told |= {f"{row.variant}.{name}": value for name, value in figures.items()}
    return told


def _details(
    ablation: "RainbowAblation",
    windows: "dict[str, Cycles]",
    warnings: tuple[str, ...],
    settings: AblateRainbowSettings,
) -> dict[str, Scalar]:
    from MLOps.market.data_warnings import BETWEEN_WARNINGS

    findings = {
        f"finding.{row.variant}": row.last_difference.finding for row in ablation.variants if row.last_difference
    }
    return {
        "symbol": settings.data.symbol,
        "seeds": len(settings.seeds),
        "trainings": len(ablation.runs),
        "validation_cycles": ablation.validation.cycles,
        "train_cycles": len(windows["train"].starts),
        "data_warnings": BETWEEN_WARNINGS.join(warnings),
        **findings,
    }


STAGE = Stage(
    name="ablate_rainbow",
    settings_type=AblateRainbowSettings,
    run=ablate_rainbow,
    flags=(
        ValueFlag("bars_path", "bars_path", "crypto bars, a Parquet file (default: the newest of the coin)"),
        RESUME_FLAG,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
