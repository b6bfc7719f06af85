"""tianshou's side of Rainbow's training; run as a process of our own interpreter (peer_process.py tells how).

Its environment holds only what ours lacks, so that torch, NumPy, Numba and Gymnasium are the same on both sides.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

NUMBERS = (1, 8, 16, 32)
STOCK = "1, as it comes"


def main(packages: str, checks: Path, frames: int) -> None:
    """Store what it computes, then train for so many frames with each number of environments, for each line read."""
    sys.path.append(packages)
    answers, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    import tianshou_checks
    from tianshou_training import TheirTraining, look

    updates = {f"{steps}.{name}": a for steps in (1, 3) for name, a in tianshou_checks.update(steps).items()}
    np.savez(checks, q_values=tianshou_checks.q_values(), **updates)
    seen = look()
    trainings = {str(number): TheirTraining(number, seen) for number in NUMBERS}
    trainings[STOCK] = TheirTraining(1, seen, is_stock=True)
    told = {"tianshou": version("tianshou"), "torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps(told), file=answers, flush=True)
    for _ in sys.stdin:
        spent = {name: training.spend(frames)._asdict() for name, training in trainings.items()}
        print(json.dumps(spent), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
