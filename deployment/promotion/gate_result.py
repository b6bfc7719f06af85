"""One gate's result, as every gate makes it."""

import numpy as np

from model_registry.verdict import GateResult


def gate_result(gate: str, figure: float | str | None, threshold: float | str, passed: bool, reason: str) -> GateResult:
    """The result; a figure that is not finite is undefined, and does not pass."""
    if isinstance(figure, float) and not np.isfinite(figure):
        figure, passed = None, False
    return GateResult(gate=gate, figure=figure, threshold=threshold, passed=passed, reason=reason)


def at_most(gate: str, figure: float | None, limit: float) -> GateResult:
    """The figure lies at or below its limit."""
    return _bounded(gate, figure, limit, figure is not None and figure <= limit, ("within", "above"))


def at_least(gate: str, figure: float | None, limit: float) -> GateResult:
    """The figure lies at or above its limit."""
    return _bounded(gate, figure, limit, figure is not None and figure >= limit, ("at or above", "below"))


def _bounded(gate: str, figure: float | None, limit: float, passed: bool, words: tuple[str, str]) -> GateResult:
    if figure is None:
        return gate_result(gate, None, limit, False, f"{gate} is undefined")
    return gate_result(gate, figure, limit, passed, f"{gate} {figure:.4g} is {words[not passed]} {limit:g}")
