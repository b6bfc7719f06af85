"""The shipped settings on the shipped data and base model: how good, how sure, in how much memory.

    pytest -m slow -s tests/pipelines/sentiment_model/test_held_out_quality.py

About four minutes of two quiet cores a seed. Needs the package index once.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest

from MLOps.settings.project import project_root

_SEEDS = (1, 2, 3)
_LEAST_MACRO_F1 = 0.65
_MOST_MIB = 4 * 1024


def run(script: str, workspace: Path, *overrides: str) -> dict[str, Any]:
    """A stage as a process of its own; its result."""
    path = project_root() / "pipelines" / script
    command = [sys.executable, str(path), "--workspace", str(workspace), "tracking.enabled=false", *overrides]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.slow
def test_mean_of_three_seeds_on_articles_never_seen(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("finetuning/prepare_sentiment_dataset.py", workspace)
    scores = []
    for seed in _SEEDS:
        result = run(
            "sentiment_model/train_sentiment_model.py",
            workspace,
            "registry.kind=filesystem",
            f"training.seed={seed}",
        )
        scores.append(result["metrics"]["test_macro_f1"])
        with capsys.disabled():
            sys.stdout.write(f"\nseed {seed}, {result['seconds']:.0f} s: {json.dumps(result['metrics'])}")
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    with capsys.disabled():
        sys.stdout.write(f"\ntest macro-F1 {mean(scores):.4f} ± {stdev(scores):.4f}, peak memory {peak_mib:.0f} MiB\n")
    assert mean(scores) >= _LEAST_MACRO_F1
    assert peak_mib < _MOST_MIB
