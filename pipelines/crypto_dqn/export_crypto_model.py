"""Stage export_crypto_model: a buy-timing model as files that run elsewhere with NumPy and ONNX Runtime alone.

Makes trained_models/<SYMBOL>_<seed>/ with model.onnx, model_int8.onnx, predictor.py, settings.json, README.md,
requirements.txt and SHA256SUMS. The graphs are tried on real observations first: the float32 one must give the
model's values, and what the int8 one differs by is told. Another model of the same coin and seed takes its place,
file by file; what else lies in that folder stays.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once, sha256_of
from MLOps.inference import predictor
from MLOps.inference.timing_int8 import int8_timing_onnx
from MLOps.inference.timing_onnx import OPSET, timing_onnx_of_folder
from MLOps.inference.trained_model import told_training
from MLOps.market.price_cycles import timing_bars_path
from MLOps.settings.crypto_delivery import ExportCryptoModelSettings
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag
from pipelines.crypto_dqn.choose_timing_model import ChosenTimingModel, choose_timing_model
from pipelines.crypto_dqn.delivery_text import RUNS_ON, readme_text, requirements_text, settings_text
from pipelines.crypto_dqn.place_delivery import check_place, place_delivery
from pipelines.crypto_dqn.try_graphs import given_observations, real_observations, try_graphs

_LOG = logging.getLogger(__name__)
_FILES = {
    "model": "model.onnx",
    "model_int8": "model_int8.onnx",
    "predictor": "predictor.py",
    "settings": "settings.json",
    "readme": "README.md",
    "requirements": "requirements.txt",
    "digests": "SHA256SUMS",
}
_PREDICTOR = Path(predictor.__file__)


def export_crypto_model(settings: ExportCryptoModelSettings, tracker: Tracker) -> StageResult:
    """Make the delivery of a model.

    Raises
    ------
    ModelError
        If there is no such model, it has no network, it is of another coin or frequency than the data, or the
        graph does not give its values.
    RegistryError
        If the registry holds no such model, or its champion has no passing verdict.
    DataError
        If there are no bars or observations to try the graphs on.
    SettingsError
        If something that is no delivery lies where this one is to be put.
    """
    model = choose_timing_model(settings)
    place = settings.paths.workspace / settings.output_dir / model.label
    check_place(place, tuple(_FILES.values()))
    output = Output(
        stage=STAGE.name,
        root=settings.paths.models / "crypto_exports",
        settings=settings,
        inputs=_tried_on(settings),
        label=model.label,
        version=2,
        extra={"model": model.digest, "version": model.version, "predictor": sha256_of(_PREDICTOR)},
        packages=("onnx", *RUNS_ON),
    )
    made = make_once(output, lambda folder, _key: _make(folder, model, output, settings), tracker)
    replaced = place_delivery(made.folder, place, tuple(_FILES.values()))
    if replaced:
        _LOG.info("%s held another model until now (%s); that one's own folder stays", place, replaced)
    artifacts = {
        name: artifact.model_copy(update={"path": place / _FILES[name]}) for name, artifact in made.artifacts.items()
    }
    details = made.details | ({"replaced": replaced} if replaced else {})
    return made.model_copy(update={"folder": place, "artifacts": artifacts, "details": details})


def _tried_on(settings: ExportCryptoModelSettings) -> dict[str, Path]:
    if settings.observations_path is not None:
        return {"observations": (settings.paths.workspace / settings.observations_path).resolve()}
    return {"bars": timing_bars_path(settings.bars_path, settings.data, settings.paths)}


def _make(folder: Path, model: ChosenTimingModel, output: Output, settings: ExportCryptoModelSettings) -> Made:
    graph = timing_onnx_of_folder(model.folder, model.digest)
    graphs = {"float32": graph, "int8": int8_timing_onnx(graph)}
    limit = settings.max_observations
    if "bars" in output.inputs:
        observations = real_observations(output.inputs["bars"], settings.data, model.card, limit)
    else:
        observations = given_observations(output.inputs["observations"], model.card, limit)
    figures = try_graphs(model.folder, model.card, graphs, observations, settings.timed_calls)
    texts = {
        "predictor": _PREDICTOR.read_text(encoding="utf-8"),
        "settings": settings_text(model, figures.answers),
        "readme": readme_text(model, figures.answers),
        "requirements": requirements_text(),
    }
    for name, content in {"model": graphs["float32"], "model_int8": graphs["int8"]}.items():
        (folder / _FILES[name]).write_bytes(content)
    for name, text in texts.items():
        (folder / _FILES[name]).write_text(text, encoding="utf-8")
    sums = [f"{sha256_of(folder / file)}  {file}\n" for name, file in sorted(_FILES.items()) if name != "digests"]
    (folder / _FILES["digests"]).write_text("".join(sums), encoding="utf-8")
    _LOG.info(
        "%s (%s): int8 acts alike in %.2f %% of %d observations",
        model.label,
        told_training(model.card.provenance),
        100 * figures.answers["int8_equal_actions_fraction"],
        len(observations),
    )
    sizes = {f"{name}_bytes": len(content) for name, content in graphs.items()}
    # not model_digest: that of an output below models/ makes clean_runs forget the registered version with it
    return Made(
        files=_FILES,
        metrics={**figures.answers, **figures.speed, **sizes},
        details={"exported_digest": model.digest, "model_version": model.version, "opset": OPSET},
    )


STAGE = Stage(
    name="export_crypto_model",
    settings_type=ExportCryptoModelSettings,
    run=export_crypto_model,
    flags=(
        ValueFlag("model_path", "model_path", "model folder to export, relative to the workspace"),
        ValueFlag("model_alias", "model_alias", "registry alias to export (default: crypto_timing_champion)"),
        ValueFlag("model_version", "model_version", "registry version to export"),
        ValueFlag("output_path", "output_dir", "where <SYMBOL>_<seed>/ is put (default: trained_models)"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
