"""What a chain's run came to: each stage's seconds, the chain's wall time against their sum, the outcome.

Run: ``python -m pipelines.orchestration.summary [folder of a run]``
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from MLOps.errors import PlatformError
from MLOps.settings.project import project_root
from MLOps.settings.stage_settings import PathSettings
from pipelines.orchestration.chain_record import ChainRecord, StepRecord, newest_chain, read_chain
from pipelines.orchestration.references import resolved

_SUM = "sum of the stages"


@dataclass(frozen=True)
class Summary:
    """A run in figures.

    Attributes
    ----------
    chain, steps : ChainRecord, list of StepRecord
        The run's records.
    wall_seconds : float
        From the chain's start to its end, what runs the stages included.
    stage_seconds : dict of str to float
        Wall time of each finished stage, measured by itself.
    outcome : dict of str to str
        What the plan tells at the end; empty while a step is missing or failed.
    """

    chain: ChainRecord
    steps: list[StepRecord]
    wall_seconds: float
    stage_seconds: dict[str, float]
    outcome: dict[str, str]

    @property
    def failures(self) -> dict[str, str]:
        """The last line of each stage that failed."""
        return {step.stage: step.failure for step in self.steps if step.failure is not None}

    @property
    def is_complete(self) -> bool:
        """Whether every stage came to its end."""
        return len(self.stage_seconds) == len(self.chain.stages)

    @property
    def ratio(self) -> float:
        """Wall time over the sum of the stages' own; what orchestration costs."""
        total = sum(self.stage_seconds.values())
        return self.wall_seconds / total if total else float("nan")


def summarize(folder: Path, wall_seconds: float | None = None) -> Summary:
    """The run that is recorded in `folder`.

    Parameters
    ----------
    folder : Path
        ``reports/chains/<run id>``.
    wall_seconds : float, optional
        The chain's wall time where its caller measured it; by default the time from the first step's
        start to the last one's end.

    Raises
    ------
    DataError
        If `folder` holds no record.
    """
    chain, steps = read_chain(folder)
    if wall_seconds is None:
        wall_seconds = (max(step.ended_at for step in steps) - chain.started_at).total_seconds() if steps else 0.0
    results = {step.stage: step.result.model_dump(mode="json") for step in steps if step.result is not None}
    is_complete = len(results) == len(chain.stages)
    return Summary(
        chain=chain,
        steps=steps,
        wall_seconds=wall_seconds,
        stage_seconds={stage: float(result["seconds"]) for stage, result in results.items()},
        outcome={name: str(resolved(text, results)) for name, text in chain.outcome.items()} if is_complete else {},
    )


def as_text(summary: Summary) -> str:
    """A few lines for a person."""
    lines = [f"{summary.chain.plan}, run date {summary.chain.run_date}"]
    width = max(len(name) for name in (_SUM, *(step.stage for step in summary.steps)))
    for step in summary.steps:
        if step.result is not None:
            status = "made" if step.result.status == "made" else "was already made"
            lines.append(f"  {step.stage:<{width}}{step.result.seconds:9.1f} s   {status}")
        else:
            lines.append(f"  {step.stage:<{width}}{'':>11}   failed: {step.failure}")
    total = sum(summary.stage_seconds.values())
    lines.append(f"  {_SUM:<{width}}{total:9.1f} s")
    lines.append(f"  {'wall time':<{width}}{summary.wall_seconds:9.1f} s   {summary.ratio:.2f} of the sum")
    lines += [f"{name}: {text}" for name, text in summary.outcome.items()]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the summary of a run; exit status 1 if it is not complete."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="reports/chains/<run id> (default: the newest)")
    parser.add_argument("--workspace", type=Path, default=project_root(), help="root of reports/")
    parser.add_argument("--begun_after", type=datetime.fromisoformat, help="take only a run that began after this")
    parser.add_argument("--plan", help="take only a run of this plan")
    parser.add_argument("--wall_seconds", type=float, help="wall time of the chain where the caller measured it")
    arguments = parser.parse_args(argv)
    try:
        folder = arguments.folder or newest_chain(
            PathSettings(workspace=arguments.workspace).reports, arguments.begun_after, arguments.plan
        )
        summary = summarize(folder, arguments.wall_seconds)
    except PlatformError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    print(as_text(summary))  # noqa: T201
    return 0 if summary.is_complete else 1


if __name__ == "__main__":
    sys.exit(main())
