"""Runs comparisons with peers and writes what they found: ``make bench``, ``make bench ROW=name``."""

import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import chart
import command_line
import machine
import records
from comparison import NotEqualError, Row, in_figures

ROWS = (
    "env_step_vs_finrl",
    "env_step_vs_finrl_np",
    "ppo_end_to_end_vs_finrl",
    "indicators_vs_finrl",
    "turbulence_vs_finrl",
    "backtest_vs_vectorbt",
    "sentiment_scoring_vs_pipeline",
    "lora_epoch_vs_hf_trainer",
    "signal_rate_10k_process",
    "signal_rate_10m_vs_pandas",
    "signal_rate_100m",
    "drift_check_vs_evidently",
    "rainbow_training_vs_tianshou",
    "replay_vs_cpprb",
    "sum_tree_vs_torchrl",
    "serving_vs_mlflow",
)
_LOG = logging.getLogger("bench")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows named, or all; 0 if each one could be compared."""
    return command_line.run(__file__, "Compare with peers on the same data in one run.", ROWS, run_row, argv)


def run_row(name: str, reports: Path, is_quick: bool) -> bool:
    """Run one row here, merge what it found and draw the chart anew; False if the results differ."""
    row: Row = importlib.import_module(f"rows.{name}").ROW
    _LOG.info("%s: begins", name)
    on = machine.describe()
    try:
        found = row.measure(is_quick=is_quick)
    except NotEqualError as error:
        record = records.unequal(name, row, str(error), on)
    else:
        record = records.measured(name, row, found, on)
    chart.draw(records.merge(reports / "benchmarks.json", record), reports / "benchmarks.html")
    sys.stdout.write(in_words(record) + "\n")
    sys.stdout.flush()
    return bool(record["checked"])


def in_words(record: records.Record) -> str:
    """Both figures and the ratio in one line, as a person reads them; the row's demands and findings below."""
    demands = [demand["in_words"] for demand in record.get("demands", ())]
    return "\n    ".join([_in_one_line(record), *demands, *record.get("findings", ())])


def _in_one_line(record: records.Record) -> str:
    if not record["checked"]:
        return f"{record['name']}: NOT EQUAL, not timed: {record['check']}"
    verdict = "met" if record["is_target_met"] else "MISSED"
    return (
        f"{record['name']}: ours {in_figures(record['ours'])} {record['unit']}, "
        f"peer {in_figures(record['peer'])} {record['unit']}, "
        f"{record['ratio']:,.1f} times better (target {record['target_ratio']:,g}: {verdict})"
    )


if __name__ == "__main__":
    sys.exit(main())
