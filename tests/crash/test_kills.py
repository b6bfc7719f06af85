"""A stage that was killed and is run again ends as if nothing had happened."""

import signal
from typing import Any

import pytest

Chain = Any  # of this folder's conftest.py

EVERY_STAGE = ("before_write", "before_rename", "after_rename", "before_tracking")
MORE = {"train_rl_agent": ("after_registration",), "promote_to_paper": ("after_verdict",)}
STAGES = (
    *("ingest_data", "measure_signal_rates", "score_news", "build_features"),
    *("train_rl_agent", "run_backtest", "promote_to_paper"),
)


@pytest.mark.parametrize(
    ("stage", "point"), [(stage, point) for stage in STAGES for point in (*EVERY_STAGE, *MORE.get(stage, ()))]
)
def test_killed_stage_ends_as_if_undisturbed(chain: Chain, stage: str, point: str) -> None:
    chain.go_back_to(stage)

    assert chain.run(stage, die_at=point).status == -signal.SIGKILL
    assert chain.broken_outputs() == []

    again = chain.run(stage)
    assert again.status == 0, again.told
    assert again.made == chain.undisturbed[stage].made
    assert chain.leftovers() == []


def test_same_settings_data_and_seed_make_the_same_bytes_and_figures(make_chain: Any, chain: Chain) -> None:
    twin = make_chain()
    twin.run_all()
    for stage, first in chain.undisturbed.items():
        second = twin.undisturbed[stage]
        assert second.result["key"] == first.result["key"]
        assert _timeless(second.made["metrics"]) == _timeless(first.made["metrics"])
        assert _digests(second) == _digests(first)


def _digests(run: Any) -> dict[str, str]:
    return {name: artifact["sha256"] for name, artifact in run.result["artifacts"].items()}


def _timeless(metrics: dict[str, float]) -> dict[str, float]:
    """Without moments of the wall clock, such as that of a registration."""
    return {name: value for name, value in metrics.items() if not name.endswith("_timestamp_seconds")}
