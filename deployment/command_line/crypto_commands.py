"""What each command starts: one stage in its own place, or a chain of them."""

import json
import logging
import shutil
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deployment.command_line.named_files import data_file, model_folder
from deployment.command_line.places import check_file_place, check_folder_place, followed
from deployment.command_line.stage_command import become_stage, keys_held, run_stage_process
from experiment_tracking.told_result import print_told, told_lines
from MLOps.artifacts import sha256_of, written_whole
from MLOps.inference.trained_model import read_trained_model, written_at
from MLOps.settings.compose import compose_settings
from MLOps.settings.crypto_decisions import InferCryptoTimingSettings
from MLOps.settings.crypto_delivery import ExportCryptoModelSettings
from MLOps.settings.project import project_root
from MLOps.settings.rainbow import TrainRainbowSettings
from MLOps.settings.timing import TimingDataSettings

_LOG = logging.getLogger(__name__)
TRAIN, INFER, EXPORT, SERVE = "train_rainbow", "infer_crypto_timing", "export_crypto_model", "serve_crypto_model"
EVALUATE, CONVERT = "evaluate_crypto_timing", "convert_crypto_pickle"
PICKLES, OBSERVATIONS, REQUESTS = frozenset({".pkl", ".pickle"}), ".npy", ".json"
BARS = (".parquet", *sorted(PICKLES))
_COIN_KEYS = frozenset({"data", "data.symbol"})
_REPORT = "report.html"


def train(given: Namespace) -> int:
    """Train, deliver to ``trained_models/<COIN>_<seed>/``, and show the purchases in ``plots/<COIN>_<seed>/``."""
    overrides = _overrides(given, None)
    own = _own(overrides, TRAIN, (CONVERT, EXPORT, EVALUATE))
    settings = compose_settings(TrainRainbowSettings, TRAIN, own)
    plots = settings.paths.workspace / "plots"
    check_folder_place(plots, "paths.workspace")  # a training is long
    for flag, place in (("--model_path", given.model_path), ("--output_path", given.output_path)):
        if place is not None:
            check_folder_place(followed(place, flag), flag)
    bars = _bars(_data_path(given, BARS), overrides, settings.data)
    budget = f"{settings.training.num_frames:,} frames at most, seed {settings.training.seed}"
    _LOG.info("1 of 3: training on %s, %s", settings.data.symbol, budget)
    trained = run_stage_process(
        TRAIN, [*_path("--bars_path", bars), *_path("--output_model_dir", given.model_path), *own]
    )
    told = {"model": str(trained.folder), "model_digest": str(trained.details["model_digest"])}
    if (found := read_trained_model(trained.folder)) is not None:
        told["training"] = found.training
    try:
        model, tried_on = _path("--model_path", trained.folder), _setting("bars_path", bars)
        _LOG.info("2 of 3: the files to take away")
        at = _path("--output_path", given.output_path)
        delivered = run_stage_process(EXPORT, [*model, *at, *keys_held(EXPORT, overrides), *tried_on])
        told["delivery"] = str(delivered.folder)
        _LOG.info("3 of 3: its purchases on dates that it has not seen")
        judged = run_stage_process(EVALUATE, [*model, *keys_held(EVALUATE, overrides), *tried_on])
        told["finding"] = str(judged.details["finding"])
        _place_report(judged.artifacts["report"].path, plots / delivered.folder.name / _REPORT)
        told["plots"] = str(plots / delivered.folder.name)
    finally:  # whatever becomes of the rest, there is a model
        print_told(told, _training_lines(told))
    return 0


def _training_lines(told: Mapping[str, str]) -> list[str]:
    """What a training made, for a person."""
    facts = {name: told[name] for name in ("model", "training", "delivery") if name in told}
    if "plots" in told:
        facts["report"] = f"{told['plots']}/{_REPORT}"
    if "finding" in told:
        facts["finding"] = told["finding"].replace("_", " ")
    return ["train:", *told_lines(facts)]


def _place_report(made: Path, place: Path) -> None:
    """Copy a report to where people look; what it replaces is told, for it may be of another model."""
    if place.is_file() and sha256_of(place) != sha256_of(made):
        _LOG.info("%s, of %s, is replaced; each evaluation's own stays", place, written_at(place))
    with written_whole(place) as temporary:
        shutil.copyfile(made, temporary)


def infer(given: Namespace) -> int:
    """Decide over a file."""
    model = _model(given, takes_delivery=True)
    overrides = _overrides(given, model)
    own = _own(overrides, INFER, (CONVERT,))
    if given.output_path is not None:
        check_file_place(followed(given.output_path, "--output_path"), "--output_path")
    path = _data_path(given, (*BARS, OBSERVATIONS, REQUESTS))
    if path is not None and path.suffix in PICKLES:
        path = _converted(path, overrides, compose_settings(InferCryptoTimingSettings, INFER, own).data)
    _tell_model(model)
    paths = {"--model_path": model, "--data_path": path, "--output_path": given.output_path}
    become_stage(INFER, [*(part for flag, value in paths.items() for part in _path(flag, value)), *own])


def export_onnx(given: Namespace) -> int:
    """Make the files to take away."""
    model = _model(given, takes_delivery=False)
    overrides = _overrides(given, model)
    own = _own(overrides, EXPORT, (CONVERT,))
    if given.output_path is not None:
        check_folder_place(followed(given.output_path, "--output_path"), "--output_path")
    path = _data_path(given, (*BARS, OBSERVATIONS))
    if path is not None and path.suffix in PICKLES:
        path = _converted(path, overrides, compose_settings(ExportCryptoModelSettings, EXPORT, own).data)
    is_observations = path is not None and path.suffix == OBSERVATIONS
    tried_on = _setting("observations_path" if is_observations else "bars_path", path)
    _tell_model(model)
    place = [*_path("--model_path", model), *_path("--output_path", given.output_path)]
    become_stage(EXPORT, [*place, *own, *tried_on])


def serve(given: Namespace) -> int:
    """Answer over HTTP."""
    port = [] if given.port is None else ["--port", given.port]
    coin = [] if given.crypto is None else ["--symbol", given.crypto, *_registered_name(given.crypto)]
    model = _model(given, takes_delivery=True)
    _tell_model(model)
    become_stage(SERVE, [*_path("--model_path", model), *port, *coin, *given.overrides])


COMMANDS: Mapping[str, Callable[[Namespace], int]] = {
    "train": train,
    "infer": infer,
    "export_onnx": export_onnx,
    "serve": serve,
}


def _model(given: Namespace, takes_delivery: bool) -> Path | None:
    return None if given.model_path is None else model_folder(given.model_path, takes_delivery)


def _tell_model(folder: Path | None) -> None:
    """Name the model before anything else is said: nothing in its path tells a try from a whole training."""
    if folder is not None and (model := read_trained_model(folder)) is not None:
        _LOG.info("the model %s: %s, %s", folder, model.symbol, model.training)


def _overrides(given: Namespace, model: Path | None) -> list[str]:
    """The coin's group of settings and name in the registry, then what was given: the later one wins.

    A model that is named tells its coin, unless it was given.
    """
    coin = given.crypto
    if coin is None and model is not None and not _COIN_KEYS & {text.partition("=")[0] for text in given.overrides}:
        found = read_trained_model(model)
        coin = found.symbol if found is not None and found.symbol in coins() else None
    return [*([] if coin is None else [f"data={coin.lower()}", *_registered_name(coin)]), *given.overrides]


def coins() -> list[str]:
    """The coins that have a group of settings, config/data/<coin>.yaml."""
    return sorted(path.stem.upper() for path in (project_root() / "config" / "data").glob("*.yaml"))


def _registered_name(coin: str) -> list[str]:
    """Each coin's models have a name of their own; Bitcoin's is the default (decision 0054)."""
    return [] if coin == "BTC" else [f"registry.model_name=crypto_timing_{coin.lower()}"]


def _own(overrides: Sequence[str], stage: str, others: Sequence[str]) -> list[str]:
    """What the stage gets: its own keys, and those that nobody knows, for it to complain of."""
    elsewhere = {given for other in others for given in keys_held(other, overrides)}
    held = set(keys_held(stage, overrides))
    return [given for given in overrides if given in held or given not in elsewhere]


def _bars(path: Path | None, overrides: Sequence[str], data: TimingDataSettings) -> Path | None:
    """The bars to use: those of the file, made of it where it is a pickle; None for the newest that were ingested."""
    return _converted(path, overrides, data) if path is not None and path.suffix in PICKLES else path


def _converted(pickle: Path, overrides: Sequence[str], data: TimingDataSettings) -> Path:
    """Bars out of a user's pickle."""
    _LOG.info("first: bars of %s out of %s", data.symbol, pickle.name)
    coin = ["--symbol", data.symbol, "--frequency", data.frequency]
    result = run_stage_process(CONVERT, ["--pickle_path", str(pickle), *coin, *keys_held(CONVERT, overrides)])
    return result.artifacts["bars"].path


def _data_path(given: Namespace, kinds: Sequence[str]) -> Path | None:
    return None if given.data_path is None else data_file(given.data_path, kinds)


def _path(flag: str, path: Path | None) -> list[str]:
    """A flag of a stage, which reads paths from the workspace and gets one that is absolute."""
    return [] if path is None else [flag, str(followed(path, flag))]


def _setting(key: str, path: Path | None) -> list[str]:
    return [] if path is None else [f"{key}={json.dumps(str(path))}"]
