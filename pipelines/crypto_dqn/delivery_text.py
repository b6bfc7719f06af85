"""What a delivery says of itself: settings.json and README.md."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from MLOps.inference.timing_onnx import OPSET
from MLOps.inference.trained_model import told_training
from pipelines.crypto_dqn.choose_timing_model import ChosenTimingModel

RUNS_ON = ("numpy", "onnxruntime")
"""All that the predictor needs."""

_README = "delivery_readme.md.j2"


def settings_text(model: ChosenTimingModel, answers: Mapping[str, float]) -> str:
    """``settings.json``; the same for the same model and observations."""
    card = model.card
    told = {
        "kind": card.kind,
        "model_digest": model.digest,
        "model_version": model.version,
        "opset": OPSET,
        "actions": {"0": "wait", "1": "buy now"},
        "observation": card.observation.model_dump(mode="json"),
        "market": card.market.model_dump(mode="json"),
        "architecture": card.architecture.model_dump(mode="json"),
        "environment": card.environment,
        "windows": {name: window.model_dump(mode="json") for name, window in card.windows.items()},
        "provenance": card.provenance,
        "measured": dict(answers),
    }
    return json.dumps(told, indent=2, sort_keys=True) + "\n"


def readme_text(model: ChosenTimingModel, answers: Mapping[str, float]) -> str:
    """``README.md``: how to use what lies beside it."""
    from jinja2 import StrictUndefined, Template

    text = Path(__file__).with_name(_README).read_text(encoding="utf-8")
    return str(Template(text, undefined=StrictUndefined, keep_trailing_newline=True).render(_terms(model, answers)))


def _terms(model: ChosenTimingModel, answers: Mapping[str, float]) -> dict[str, str | int]:
    card = model.card
    return {
        "symbol": card.market.symbol,
        "training": told_training(card.provenance),
        "frequency": card.market.frequency,
        "cycle_steps": card.market.cycle_steps,
        "size": card.observation.size,
        "window": card.observation.window_size,
        "opset": OPSET,
        "observations": int(answers["observations"]),
        "equal_percent": f"{100 * answers['int8_equal_actions_fraction']:.2f}",
        "difference": f"{answers['int8_largest_q_difference']:.3g}",
        "range": f"{answers['q_value_range']:.3g}",
    }


def requirements_text() -> str:
    """``requirements.txt``: the installed releases of what the predictor needs."""
    return "".join(f"{name}=={version(name)}\n" for name in RUNS_ON)
