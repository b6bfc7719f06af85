"""The harness of the long runs: memory that grows and wealth that is lost are found."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent / "benchmarks")


def audited_steps(**changes: float) -> object:
    """An audit after 60 steps of 8 accounts over 20 sessions, told such cash and scale."""
    from conservation import Audit
    from our_environment import draw_actions, make_batch
    from synthetic_market import make_panel

    panel = make_panel(20, 3)
    batch = make_batch(panel, 8, random_start=True)
    audit = Audit(batch, panel, **{"initial_cash": 1e6, "reward_scaling": 1e-4} | changes)
    observations = batch.reset()
    for actions in draw_actions(60, 8, 3):
        audit.episodes_of(audit.step(actions, observations))
    return audit


def test_audit_counts_the_steps_and_episodes_that_it_finds_sound() -> None:
    audit = audited_steps()
    assert audit.episodes > 8
    assert audit.steps + audit.episodes == 60 * 8


def test_audit_finds_a_cent_that_an_episode_lost() -> None:
    from endurance import NotSoundError

    with pytest.raises(NotSoundError, match="in an episode"):
        audited_steps(initial_cash=1e6 + 0.01)


def test_audit_finds_a_cent_that_a_step_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    from endurance import NotSoundError

    from MLOps.environments.stock_trading import StockTradingBatch

    step = StockTradingBatch.step

    def steal(batch: StockTradingBatch, *arguments: object) -> object:
        taken = step(batch, *arguments)
        batch.accounts.cash[0] -= 0.01
        return taken

    monkeypatch.setattr(StockTradingBatch, "step", steal)
    with pytest.raises(NotSoundError, match="in a step"):
        audited_steps()


def test_growing_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import endurance

    resident = iter([100.0, 110.0, 117.0])
    monkeypatch.setattr(endurance, "resident_mib", lambda: next(resident))
    memory = endurance.Memory()
    memory.look()
    assert memory.figures()["resident_mib_last"] == 110.0
    with pytest.raises(endurance.NotSoundError, match="from 100 to 117 MiB"):
        memory.look()


def test_broken_long_run_is_recorded_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import run_long
    from endurance import NotSoundError

    def endure(*, is_quick: bool) -> None:
        raise NotSoundError(f"3 of 100 was lost, quick: {is_quick}")

    module = ModuleType("long.soak")
    monkeypatch.setattr(module, "endure", endure, raising=False)
    monkeypatch.setitem(sys.modules, "long.soak", module)
    assert not run_long.run_part("soak", tmp_path, is_quick=True)
    assert "soak: BROKEN: 3 of 100 was lost, quick: True" in capsys.readouterr().out
    (record,) = json.loads((tmp_path / "benchmarks_long.json").read_text())
    assert not record["is_sound"]
