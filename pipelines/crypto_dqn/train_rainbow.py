"""Stage train_rainbow: prices of a coin to a registered buy-timing model.

Makes models/crypto_timing/<coin>/<last day>-<key>/ with model.json and policy.safetensors, registers it and points the
alias `challenger` at it; learning_curve.json tells how the training went. The weights are those that the validation
window liked best. An interrupted run of the same settings and data goes on from its last checkpoint.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once, read_result, sha256_of, write_text
from MLOps.errors import RegistryError
from MLOps.settings.rainbow import TrainRainbowSettings
from MLOps.stage import RESUME_FLAG, Scalar, Stage, StageResult, Tracker, ValueFlag

if TYPE_CHECKING:
    from MLOps.market.price_cycles import Cycles
    from MLOps.training.checkpoint import CheckpointStore

_CHECKPOINTS, _CURVE = ".checkpoints", "learning_curve.json"
_CURVES = ("episode_reward", "mean_score_10", "loss", "validation_score", "mean_q", "mean_priority")


def train_rainbow(settings: TrainRainbowSettings, tracker: Tracker) -> StageResult:
    """Train the agent on the train window, keep what does best on the validation window, register it.

    Raises
    ------
    DataError
        If the bars are missing or malformed, are of another coin, or a window does not hold a single cycle.
    DivergenceError
        If training diverges.
    RegistryError
        If models of another family or of another coin are registered under the name.
    ServiceUnavailableError
        If the registry cannot be reached.
    """
    from MLOps.market.price_cycles import read_timing_prices, split_cycles, timing_bars_path
    from MLOps.training.checkpoint import CheckpointStore

    if settings.training.register_model:
        _require_own_name(settings)
    bars = timing_bars_path(settings.bars_path, settings.data, settings.paths)
    windows = split_cycles(read_timing_prices(bars, settings.data), settings.data)
    models = settings.paths.workspace / settings.output_model_dir

    def store(key: str) -> CheckpointStore:
        return CheckpointStore(models / _CHECKPOINTS / key)

    def make(folder: Path, key: str) -> Made:
        return _make_model(folder, store(key), bars, windows, settings, tracker)

    output = Output(
        stage=STAGE.name,
        root=models / settings.data.symbol.lower(),
        settings=settings,
        inputs={"bars": bars},
        label=str(windows["test"].times[-1].astype("datetime64[D]")),
        packages=("numba", "numpy", "torch"),
    )
    result = make_once(output, make, tracker)
    result = result.model_copy(update={"details": result.details | _origin(bars)})
    store(result.key).remove()
    return _registered(result, settings, tracker) if settings.training.register_model else result


def _make_model(
    folder: Path,
    store: "CheckpointStore",
    bars: Path,
    windows: "dict[str, Cycles]",
    settings: TrainRainbowSettings,
    tracker: Tracker,
) -> Made:
    from MLOps.inference.model_files import CARD_FILE, POLICY_FILE
    from MLOps.inference.timing_model import write_timing_model
    from MLOps.training.describe_timing import mean_weights, timing_card
    from MLOps.training.return_range import with_support
    from MLOps.training.train_timing_agent import train_timing_agent

    training, environment = settings.training, settings.environment
    model = with_support(settings.model, windows["train"], environment)
    run, curve = train_timing_agent(
        windows, model, environment, training, tracker, store, show_bar=settings.show_progress
    )
    told: dict[str, int | float] = {
        "frames": run.frames,
        "updates": run.agent.learner.updates,
        "episodes": run.episodes_played,
        "best_validation_advantage_bps": round(run.best_score, 6),
    }
    facts: dict[str, Scalar] = {"bars_sha256": sha256_of(bars), "stopped_early": run.stopped_early, **told}
    card = timing_card(settings, model, windows, facts)
    digest = write_timing_model(folder, card, mean_weights(run.agent.network))
    write_text(folder / _CURVE, json.dumps(_as_columns(curve)) + "\n")
    tracker.artifact(folder / _CURVE)
    return Made(
        files={"model": CARD_FILE, "policy": POLICY_FILE, "learning_curve": _CURVE},
        metrics={**{name: float(value) for name, value in told.items()}, **_last(curve)},
        details={
            "model_digest": digest,
            "symbol": settings.data.symbol,
            "seed": training.seed,
            "stopped_early": run.stopped_early,
            **{f"{name}_cycles": len(cycles.starts) for name, cycles in windows.items()},
        },
    )


def _as_columns(curve: list[dict[str, float]]) -> dict[str, list[float | None]]:
    """The points of the curves by name; null where a figure was not known yet."""
    return {name: [point.get(name) for point in curve] for name in ("frames", *_CURVES)}


def _last(curve: list[dict[str, float]]) -> dict[str, float]:
    """The curves' last points."""
    last = curve[-1] if curve else {}
    return {name: last[name] for name in ("episode_reward", "mean_score_10", "loss") if name in last}


def _origin(bars: Path) -> dict[str, Scalar]:
    """What limits a result of this model: what ingestion told of the bars."""
    from MLOps.market.data_warnings import BETWEEN_WARNINGS, data_warnings

    made = read_result(bars.parent)
    warnings = data_warnings(made.details) if made else ()
    return {"data_warnings": BETWEEN_WARNINGS.join(warnings)} if warnings else {}


def _require_own_name(settings: TrainRainbowSettings) -> None:
    """Raise RegistryError if models of another coin are registered under the name: one of them may be champion."""
    from model_registry.open_registry import open_registry

    name, symbol = settings.registry.model_name, settings.data.symbol
    coins = {version.tags.get("symbol", symbol) for version in open_registry(settings).versions(name)}
    if coins - {symbol}:
        raise RegistryError(
            f"{name} holds models of {', '.join(sorted(coins - {symbol}))}",
            f"a name of their own for those of {symbol}",
            f"registry.model_name=crypto_timing_{symbol.lower()}",
        )


def _registered(result: StageResult, settings: TrainRainbowSettings, tracker: Tracker) -> StageResult:
    from model_registry.challenger import register_challenger
    from model_registry.family import CRYPTO_TIMING

    tags = {"symbol": settings.data.symbol, "bars_sha256": result.inputs["bars"]}
    return register_challenger(result, settings, CRYPTO_TIMING, tags, tracker.run_id)


STAGE = Stage(
    name="train_rainbow",
    settings_type=TrainRainbowSettings,
    run=train_rainbow,
    flags=(
        ValueFlag("bars_path", "bars_path", "crypto bars, a Parquet file (default: the newest of the coin)"),
        ValueFlag("output_model_dir", "output_model_dir", "where models are written (default: models/crypto_timing)"),
        RESUME_FLAG,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
