"""Run a plan without Airflow, one stage after the other.

Run: ``python -m pipelines.orchestration.run_strategy full_strategy [--run_date YYYY-MM-DD] [key=value ...]``

What is already made costs nothing, so after a failure the same command goes on from there.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from MLOps.errors import PlatformError, SettingsError
from pipelines.orchestration.chain_run import ChainRun, reports_folder
from pipelines.orchestration.load_plan import load_plan
from pipelines.orchestration.plan import Plan, Step
from pipelines.orchestration.stage_process import StageFailedError
from pipelines.orchestration.summary import as_text, summarize


def run_strategy(run: ChainRun) -> None:
    """Perform the steps of `run` in their order.

    Raises
    ------
    StageFailedError
        If a stage fails and a further try does not help; later stages are not started.
    """
    results: dict[str, dict[str, Any]] = {}
    for number, step in enumerate(run.plan.steps, start=1):
        _say(f"[{number}/{len(run.plan.steps)}] {step.stage}")
        results[step.stage] = _with_retries(run, step, results)


def _with_retries(run: ChainRun, step: Step, results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    tries_left = step.retries
    while True:
        process = run.process(step, results, _write, os.isatty(2), step.timeout_minutes * 60)
        try:
            return run.perform(step, process).model_dump(mode="json")
        except StageFailedError as error:
            if not (tries_left and error.may_pass):
                raise
        tries_left -= 1
        _say(f"{step.stage} failed; trying again in {step.retry_delay_seconds:g} s")
        time.sleep(step.retry_delay_seconds)


def _write(chunk: bytes) -> None:
    os.write(2, chunk)


def _say(text: str) -> None:
    _write(f"{text}\n".encode())


def given_overrides(texts: Sequence[str]) -> dict[str, str]:
    """``key=value`` texts by their key.

    Raises
    ------
    SettingsError
        If one is not of this form.
    """
    wrong = [text for text in texts if "=" not in text]
    if wrong:
        raise SettingsError(f"{', '.join(wrong)} cannot be read", "key=value", "the command line")
    return {text.partition("=")[0]: text for text in texts}


def open_run(plan: Plan, run_date: date | None, overrides: dict[str, str]) -> ChainRun:
    """A new run of `plan`; without a date it gets today's in the plan's time zone."""
    now = datetime.now(ZoneInfo(plan.schedule.timezone))
    return ChainRun(
        plan=plan,
        run_id=f"plain__{plan.name}__{now:%Y%m%dT%H%M%S.%f}",
        run_date=run_date or now.date(),
        overrides=overrides,
        reports=reports_folder(plan, overrides),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a plan from the command line; returns the exit status, the failing stage's own where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", help="name of a plan in config/orchestration")
    parser.add_argument("--run_date", type=date.fromisoformat, help="logical date of the run (default: today)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings, for the stages that know the key")
    arguments = parser.parse_intermixed_args(argv)
    try:
        run = open_run(load_plan(arguments.plan), arguments.run_date, given_overrides(arguments.overrides))
        run_strategy(run)
    except PlatformError as error:
        _say(f"{arguments.plan}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _say(f"{arguments.plan}: interrupted; the same command goes on from here")
        return 130
    print(as_text(summarize(run.folder)))  # noqa: T201
    print(f"record: {run.folder}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
