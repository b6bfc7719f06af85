"""SIGKILLs at random moments, twenty a stage: each time the stage recovers."""

import signal
from typing import Any

import numpy as np
import pytest

Chain = Any  # of this folder's conftest.py

STAGES = (
    *("ingest_data", "measure_signal_rates", "score_news", "build_features"),
    *("train_rl_agent", "run_backtest", "promote_to_paper"),
)
MOMENTS = 20


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_stage_recovers_from_a_kill_at_any_moment(chain: Chain, stage: str) -> None:
    generator = np.random.default_rng([2026, STAGES.index(stage)])
    chain.go_back_to(stage)
    seconds = chain.run(stage).seconds  # now: the machine may be busier or idler than when the chain was made
    kills = 0
    for share in generator.uniform(size=MOMENTS):
        chain.go_back_to(stage)
        ended = chain.run(stage, kill_after=share * seconds)
        assert ended.status in {-signal.SIGKILL, 0}, ended.told  # 0: it was quicker this time
        assert chain.broken_outputs() == []
        kills += ended.status != 0

        again = chain.run(stage)
        assert again.status == 0, f"killed after {share:.3f} of its time: {again.told}"
        assert again.made == chain.undisturbed[stage].made
        assert chain.leftovers() == []
    assert kills > 0
