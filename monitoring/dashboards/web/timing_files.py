"""The evaluations of buy-timing in a workspace: which there are, what each found, and what the gates said of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from MLOps.artifacts import RESULT_FILE, read_result
from MLOps.errors import DataError
from MLOps.evaluation.timing_comparison import TimingScorecard, read_timing_scorecard
from MLOps.stage import Artifact, StageResult
from model_registry.verdict import Verdict

_BAR_UNITS = {"1h": "hours", "1d": "days"}


@dataclass(frozen=True)
class Advantage:
    """How much less was paid than by buying first, in basis points of the cycle's first price, with its interval."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True)
class TimingEvaluation:
    """An evaluation as a list shows it.

    Attributes
    ----------
    folder : Path
    made_at : datetime
        UTC.
    coin : str
    cycle : str
        How long a cycle is, for a person.
    model : str
        Which model was judged, for a person.
    digest : str
        Of the judged model.
    champion_version, champion_digest : str
        Of the champion that bought beside it; empty if none.
    first_day, last_day : str
        Of the window, UTC.
    cycles, trained_seeds : int
        Cycles overlap.
    periods : int or None
        Stretches of a cycle's length, over which means are taken; None where an earlier release took none.
    advantage : Advantage
        Of the judged model.
    seeds_advantage : Advantage or None
        Mean over agents that differ in their seed; None where there is one.
    hindsight_bps : float
        What the best purchase of each cycle would have saved against buying first.
    finding : str
        What the interval allows to say: `edge`, `loss` or `no_edge`.
    verdict : str
        What the gates decided on it; empty where they were not asked.
    failed_gates : tuple of str
    """

    folder: Path
    made_at: datetime
    coin: str
    cycle: str
    model: str
    digest: str
    champion_digest: str
    champion_version: str
    first_day: str
    last_day: str
    cycles: int
    periods: int | None
    trained_seeds: int
    advantage: Advantage
    seeds_advantage: Advantage | None
    hindsight_bps: float
    finding: str
    verdict: str = ""
    failed_gates: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.model} to {self.last_day}, made {self.made_at:%d %b %Y %H:%M} UTC"


def list_evaluations(reports: Path) -> list[TimingEvaluation]:
    """The whole evaluations of a workspace, the one that was made last first."""
    verdicts = _verdicts(reports)
    found = [
        _listed(result, made_at, verdicts.get(_savings(result.artifacts)))
        for result, made_at in _results(reports / "crypto_timing", "evaluate_crypto_timing")
    ]
    return sorted((each for each in found if each is not None), key=lambda each: each.made_at, reverse=True)


def read_evaluation(folder: Path) -> tuple[TimingScorecard, Path]:
    """The figures of an evaluation, and the page that it made.

    Raises
    ------
    DataError
        If it is no whole evaluation, or a file was altered after it was made.
    """
    result = read_result(folder)
    if result is None or result.stage != "evaluate_crypto_timing":
        raise DataError(f"{folder.name} is no whole evaluation any more", mend="run evaluate_crypto_timing again")
    return read_timing_scorecard(result.artifacts["savings"].path), result.artifacts["report"].path


def _verdicts(reports: Path) -> dict[str, Verdict]:
    """The last verdict on each evaluation, by the digest of its savings.json."""
    found = sorted(_results(reports / "crypto_timing_promotions", "promote_crypto_timing"), key=lambda each: each[1])
    verdicts = {}
    for result, _ in found:
        try:
            verdict = Verdict.model_validate_json((result.folder / "verdict.json").read_bytes())
        except (OSError, ValidationError):  # cleaned away meanwhile
            continue
        verdicts[result.inputs.get("savings", "")] = verdict
    return verdicts


def _results(root: Path, stage: str) -> Iterable[tuple[StageResult, datetime]]:
    """The results of a stage in the folders of `root`, each with its folder, and when it was made."""
    for path in root.glob(f"[!.]*/{RESULT_FILE}"):
        if path.parent.is_symlink():  # `latest`, which another entry stands for
            continue
        try:
            result = StageResult.model_validate_json(path.read_bytes())
            made_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except (OSError, ValidationError):  # cleaned away meanwhile, or no output of a stage
            continue
        if result.stage == stage:
            yield result.model_copy(update={"folder": path.parent}), made_at


def _savings(artifacts: dict[str, Artifact]) -> str:
    return artifacts["savings"].sha256 if "savings" in artifacts else ""


def _listed(result: StageResult, made_at: datetime, verdict: Verdict | None) -> TimingEvaluation | None:
    """None for a result without the figures, which no release that told them made."""
    told = {name: str(value if value is not None else "") for name, value in result.details.items()}
    try:
        advantage, figures = _advantage(result.metrics, ""), result.metrics
        return TimingEvaluation(
            folder=result.folder,
            made_at=made_at,
            coin=told["symbol"],
            cycle=f"{told['cycle_steps']} {_BAR_UNITS.get(told['frequency'], told['frequency'])}",
            model=f"Version {told['model_version']}" if told["model_version"] else f"Model {told['model_digest'][:8]}",
            digest=told["model_digest"],
            champion_digest=told["champion_digest"],
            champion_version=told["champion_version"],
            first_day=told["first_decision"][:10],
            last_day=told["last_decision"][:10],
            cycles=int(figures["cycles"]),
            periods=int(figures["periods"]) if "periods" in figures else None,
            trained_seeds=int(told["trained_seeds"]),
            advantage=advantage,
            seeds_advantage=_advantage(figures, "seeds.") if "seeds.advantage_bps.buy_first" in figures else None,
            hindsight_bps=advantage.mean - figures["advantage_bps.hindsight"],
            finding=told["finding"],
            verdict=verdict.outcome if verdict else "",
            failed_gates=tuple(gate.gate for gate in verdict.gates if not gate.passed) if verdict else (),
        )
    except KeyError:
        return None


def _advantage(figures: dict[str, float], prefix: str) -> Advantage:
    ends = ("advantage_bps", "advantage_bps_lower", "advantage_bps_upper")
    return Advantage(*(figures[f"{prefix}{end}.buy_first"] for end in ends))
