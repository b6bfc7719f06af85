"""vectorbt's side of a backtest; run by the interpreter of its own environment (peer_process.py tells how)."""

import json
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import vectorbt as vbt
from backtest_inputs import BacktestInputs


def simulate(close: pd.DataFrame, weights: pd.DataFrame, inputs: BacktestInputs) -> vbt.Portfolio:
    """Trade to the weights of each close at that close, sells first, out of one purse."""
    return vbt.Portfolio.from_orders(
        close,
        weights,
        size_type="targetpercent",
        group_by=True,
        cash_sharing=True,
        call_seq="auto",
        fees=inputs.cost_fraction,
        init_cash=inputs.starting_cash,
        freq="1D",
    )


def main(inputs_path: Path, equity_path: Path) -> None:
    """Warm up, store the equity, then time one run for each line that comes in."""
    answers, sys.stdout = sys.stdout, sys.stderr
    inputs = BacktestInputs.load(inputs_path)
    close, weights = pd.DataFrame(inputs.close), pd.DataFrame(inputs.weights)
    np.save(equity_path, simulate(close, weights, inputs).value().to_numpy())
    print(json.dumps({"vectorbt": vbt.__version__, "pandas": pd.__version__}), file=answers, flush=True)
    for _ in sys.stdin:
        start = perf_counter()
        portfolio = simulate(close, weights, inputs)
        simulated = perf_counter()
        portfolio.value()
        valued = perf_counter()
        answer = {"simulate_ms": 1e3 * (simulated - start), "simulate_and_value_ms": 1e3 * (valued - start)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
