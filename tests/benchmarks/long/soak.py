"""The environment stepped for minutes: memory stays, and wealth is kept in every episode."""

from itertools import count
from time import perf_counter

from conservation import Audit
from endurance import Endured, Memory
from finrl_peers import INITIAL_CASH, REWARD_SCALING
from our_environment import draw_actions, make_batch
from synthetic_market import make_panel

_SESSIONS, _TICKERS, _N_ENVS = 2_500, 30, 1_024
_SECONDS, _QUICK_SECONDS = 240.0, 3.0
_ACTION_SETS = 33  # has no factor in common with 16, so every set comes to be audited
_AUDITED_EVERY = 16  # calls
_LOOKS = 100


def endure(*, is_quick: bool) -> Endured:
    """Step for four minutes from random starts on, in episodes of at most a year."""
    panel = make_panel(_SESSIONS, _TICKERS)
    batch = make_batch(panel, _N_ENVS, random_start=True, episode_sessions=252)
    audit = Audit(batch, panel, INITIAL_CASH, REWARD_SCALING)
    actions, observations = draw_actions(_ACTION_SETS, _N_ENVS, _TICKERS), batch.reset()
    for turn in range(2 * _ACTION_SETS):  # warm: compiled, and past the first allocations
        audit.step(actions[turn % _ACTION_SETS], observations)
    memory, seconds = Memory(), _QUICK_SECONDS if is_quick else _SECONDS
    start = last_look = perf_counter()
    for turn in count():
        step_once = batch.step if turn % _AUDITED_EVERY else audit.step
        step = step_once(actions[turn % _ACTION_SETS], observations)
        if len(step.ended):
            audit.episodes_of(step)
        if (now := perf_counter()) - last_look >= seconds / _LOOKS:
            memory.look()
            last_look = now
        if now - start >= seconds:
            break
    steps, elapsed = (turn + 1) * _N_ENVS, now - start
    return Endured(
        check=f"wealth kept to 1e-9 in {audit.episodes:,} whole episodes and {audit.steps:,} single steps",
        findings=(f"{steps:,} steps in {elapsed:.0f} s, the checks included", memory.in_words()),
        figures={"steps": steps, "seconds": elapsed, "episodes": audit.episodes} | memory.figures(),
    )
