"""cpprb's side of prioritised replay; run by the interpreter of its own environment (peer_process.py tells how)."""

import json
import sys
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from time import perf_counter

import numpy as np
from cpprb import PrioritizedReplayBuffer
from replay_inputs import BATCH, CAPACITY, IMPORTANCE_EXPONENT, PRIORITY_EXPONENT, SIZE, chunks, new_priorities


def make_buffer() -> PrioritizedReplayBuffer:
    """A full one."""
    rows, number = {"shape": SIZE, "dtype": np.float32}, {"dtype": np.float32}
    fields = {"obs": rows, "next_obs": rows, "act": {"dtype": np.int64}, "rew": number, "discount": number}
    buffer = PrioritizedReplayBuffer(CAPACITY, fields, alpha=PRIORITY_EXPONENT, eps=0.0)
    for chunk in chunks():
        buffer.add(
            obs=chunk.observations,
            next_obs=chunk.next_observations,
            act=chunk.actions,
            rew=chunk.rewards,
            discount=chunk.discounts,
            priorities=chunk.priorities,
        )
    return buffer


def main(batches_path: Path, batches: int, seconds: float) -> None:
    """Store what it drew, then sample and update for some seconds for each line that comes in."""
    answers, sys.stdout = sys.stdout, sys.stderr
    buffer, priorities = make_buffer(), cycle(new_priorities())
    drawn = [  # copied, because cpprb writes the next batch's places and weights over the last one's
        {name: values.copy() for name, values in buffer.sample(BATCH, IMPORTANCE_EXPONENT).items()}
        for _ in range(batches)
    ]
    np.savez(batches_path, **{name: np.concatenate([batch[name] for batch in drawn]) for name in drawn[0]})
    told = {"cpprb": version("cpprb"), "peer_numpy": np.__version__}
    print(json.dumps(told), file=answers, flush=True)
    for _ in sys.stdin:
        calls, start = 0, perf_counter()
        while (elapsed := perf_counter() - start) < seconds:
            batch = buffer.sample(BATCH, IMPORTANCE_EXPONENT)
            buffer.update_priorities(batch["indexes"], next(priorities))
            calls += 1
        print(json.dumps({"per_second": calls / elapsed}), file=answers, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
