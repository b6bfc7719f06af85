"""Stage infer_crypto_timing: what a buy-timing model decides over a file of bars, or of observations.

Makes reports/crypto_decisions/<label>-<key>/decisions.csv: time, price, action (1 buys, 0 holds), q_hold, q_buy, and
where in its cycle the decision lies. --output_path gets a copy. The model is the registry's champion, or that of a
folder.
"""

import logging
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from deployment.serving.model_sources import ChampionSource, FolderSource
from deployment.serving.observation_body import BodyError, FloatArray, read_observations
from deployment.serving.served_model import ServedModel
from deployment.serving.timing_decisions import COLUMNS, CycleGrid, decide_bars, decide_observations
from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once, written_whole
from MLOps.errors import DataError, ModelError
from MLOps.inference.observation_file import read_observation_file
from MLOps.inference.predictor import PredictorError
from MLOps.market.price_cycles import read_timing_prices, timing_bars_path
from MLOps.settings.crypto_decisions import InferCryptoTimingSettings
from MLOps.settings.timing import TimingDataSettings
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag

_LOG = logging.getLogger(__name__)
_FILE = "decisions.csv"
_MOST_ROWS = 10_000_000
_KINDS = ".parquet (bars), .npy or .json (observations)"


def infer_crypto_timing(settings: InferCryptoTimingSettings, tracker: Tracker) -> StageResult:
    """Decide on every bar or observation of the file.

    Raises
    ------
    DataError
        If the file is missing or malformed, is of another coin, or holds no window of bars without a gap.
    ModelError
        If there is no usable model, or it is of another coin than the bars or another window than the observations.
    RegistryError
        If the registry has no champion.
    """
    model = _model(settings)
    data, path = _data(model, settings.data), _input(settings)
    output = Output(
        stage=STAGE.name,
        root=settings.paths.reports / "crypto_decisions",
        settings=settings,
        inputs={"input": path},
        label=(model.info.symbol or model.info.kind).lower(),
        extra={"model": model.info.digest},
        packages=("numba", "numpy", "onnxruntime"),
    )

    def make(folder: Path, _key: str) -> Made:
        decisions, newest_bar = _decide(model, path, data, settings)
        decisions.to_csv(folder / _FILE, index=False, columns=list(COLUMNS), date_format="%Y-%m-%dT%H:%M:%SZ")
        return Made(
            files={"decisions": _FILE}, metrics=_metrics(decisions), details=_details(decisions, newest_bar, model)
        )

    result = make_once(output, make, tracker)
    _LOG.info("%s", result.details["newest"])
    if settings.output_path is not None:
        copy = settings.paths.workspace / settings.output_path
        with written_whole(copy) as temporary:
            shutil.copyfile(result.artifacts["decisions"].path, temporary)
        _LOG.info("the decisions lie at %s", copy)
    return result


def _model(settings: InferCryptoTimingSettings) -> ServedModel:
    if settings.model_path is None:
        return ChampionSource(settings, settings.threads).wanted().load()
    return FolderSource(settings.paths.workspace / settings.model_path, settings.threads).wanted().load()


def _input(settings: InferCryptoTimingSettings) -> Path:
    if settings.input_path is None:
        path = timing_bars_path(None, settings.data, settings.paths)
    else:
        path = (settings.paths.workspace / settings.input_path).resolve()
    if path.suffix not in {".parquet", ".npy", ".json"}:
        raise DataError(f"{path} is of no known kind", _KINDS, "a user's .pkl: convert_crypto_pickle makes bars of it")
    if not path.is_file():
        raise DataError(f"there is no {path}", _KINDS, "--data_path, or run ingest_crypto_bars for the coin")
    return path


def _decide(
    model: ServedModel, path: Path, data: TimingDataSettings, settings: InferCryptoTimingSettings
) -> tuple[pd.DataFrame, np.datetime64 | None]:
    """The decisions, and the instant of the newest bar; None where the file holds observations."""
    q_values = model.network.q_values  # which refuses to go on with values that are not finite
    try:
        if path.suffix != ".parquet":
            return decide_observations(_observations(path, model), q_values), None
        first_time = None if settings.first_day is None else np.datetime64(settings.first_day, "us")
        prices = read_timing_prices(path, data)
        decisions = decide_bars(prices, q_values, data.window_size, _grid(data, settings.cycles_from), first_time)
        return decisions, prices.times[-1]
    except PredictorError as error:
        raise ModelError(f"{path}: {error}", mend="--model_path, or train the model again") from error


def _grid(data: TimingDataSettings, cycles_from: datetime) -> CycleGrid:
    anchor = np.datetime64(cycles_from.astimezone(UTC).replace(tzinfo=None), "us")
    return CycleGrid(anchor, data.cycle_steps, np.timedelta64(data.bar_length))


def _data(model: ServedModel, data: TimingDataSettings) -> TimingDataSettings:
    """What the bars must be: the model's own market, where it has one, and the coin that was asked for."""
    info = model.info
    if info.symbol is None:
        return data
    if info.symbol != data.symbol:
        raise ModelError(
            f"the model decides on {info.symbol}, asked for is {data.symbol}",
            f"data={info.symbol.lower()}",
            f"--crypto {info.symbol}, or a model of {data.symbol}",
        )
    own = {"frequency": info.frequency, "window_size": info.window_size, "cycle_steps": info.cycle_steps}
    return data.model_copy(update=own)


def _observations(path: Path, model: ServedModel) -> FloatArray:
    """The observations of a file, finite and of the model's width."""
    if path.suffix == ".npy":
        return read_observation_file(path, model.info.observation_size, "--data_path")
    try:
        return read_observations(path.read_bytes(), model.info.observation_size, _MOST_ROWS)
    except (OSError, BodyError) as error:
        raise DataError(f"{path}: {error}", "observations as POST /predict takes them, or a .npy file") from error


def _metrics(decisions: pd.DataFrame) -> dict[str, float]:
    told = {"decisions": len(decisions), "purchases": int(decisions["action"].sum())}
    if decisions["cycle"].notna().all():
        told |= {"cycles": decisions["cycle"].nunique(), "forced_purchases": int(decisions["is_forced"].sum())}
    return {name: float(value) for name, value in told.items()}


def _details(
    decisions: pd.DataFrame, newest_bar: np.datetime64 | None, model: ServedModel
) -> dict[str, str | int | None]:
    return {
        "newest": _newest(decisions.iloc[-1], newest_bar),
        "newest_action": int(decisions["action"].iloc[-1]),
        "model_name": model.info.name,
        "model_version": model.info.version,
        "model_digest": model.info.digest,
    }


def _newest(decision: pd.Series, newest_bar: np.datetime64 | None) -> str:
    """What to do now, in words: after a purchase there is nothing to decide before the next cycle."""
    if newest_bar is None:
        return f"the newest decision: {'buy' if decision['action'] else 'hold'}"
    at = f"at {decision['time']:%Y-%m-%d %H:%M} UTC and {decision['price']:,.2f}"
    if decision["time"] == pd.Timestamp(newest_bar):
        return f"the newest decision {at}: {'buy' if decision['action'] else 'hold'}"
    return f"bought {at}; up to the newest bar, {pd.Timestamp(newest_bar):%Y-%m-%d %H:%M} UTC, the same cycle goes on"


STAGE = Stage(
    name="infer_crypto_timing",
    settings_type=InferCryptoTimingSettings,
    run=infer_crypto_timing,
    flags=(
        ValueFlag("model_path", "model_path", "model or delivery folder (default: the registry's champion)"),
        ValueFlag("data_path", "input_path", f"{_KINDS} (default: the newest bars of the coin)"),
        ValueFlag("output_path", "output_path", "CSV that gets a copy of the decisions"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
