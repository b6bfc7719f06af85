"""A verdict in words: the table that people read."""

from model_registry.registry import ModelVersion
from model_registry.verdict import GateResult, Verdict


def headline(verdict: Verdict, model: ModelVersion) -> str:
    """The verdict in one sentence."""
    if verdict.outcome == "already_champion":
        return f"{model} is the champion already; there is nothing to decide"
    if verdict.has_passed:
        return f"{model} passed all {len(verdict.gates)} gates and may be champion"
    failed = [result.gate for result in verdict.gates if not result.passed]
    return f"{model} is rejected by {len(failed)} of {len(verdict.gates)} gates ({', '.join(failed)})"


def verdict_text(verdict: Verdict, model: ModelVersion, champion: str) -> str:
    """The verdict in Markdown: headline, what was compared, a row for every gate."""
    lines = [f"# Promotion: {verdict.outcome.replace('_', ' ')}", "", f"{headline(verdict, model)}.", ""]
    lines += [f"- model: {model}", f"- champion it was compared to: {champion}"]
    if verdict.as_of is not None:
        lines.append(f"- last date looked at: {verdict.as_of}")
    if verdict.gates:
        lines += ["", "| gate | figure | threshold | passed | |", "|---|---|---|---|---|"]
        lines += [_row(result) for result in verdict.gates]
    return "\n".join(lines) + "\n"


def _row(result: GateResult) -> str:
    cells = (result.gate, _shown(result.figure), _shown(result.threshold), "yes" if result.passed else "NO")
    return f"| {' | '.join(cells)} | {result.reason.replace('|', '/')} |"


def _shown(value: float | str | None) -> str:
    if value is None:
        return "undefined"
    return value if isinstance(value, str) else f"{value:.4g}"
