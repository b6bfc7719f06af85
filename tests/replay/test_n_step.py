"""n-step returns by hand, against a loop over whole episodes, and over a saved state."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.environments.trading_batch import Step
from MLOps.errors import ModelError
from MLOps.replay.n_step import NStepWindow
from MLOps.replay.transitions import Transitions


def make_step(after: list[float], ended: dict[int, tuple[float, bool]] | None = None) -> Step:
    """A step whose observations are single numbers; `ended`: last observation and whether it was cut, by place."""
    ends = ended or {}
    count, nothing = len(after), np.zeros(len(ends))
    is_last = np.array([e in ends for e in range(count)])
    is_cut = np.array([e in ends and ends[e][1] for e in range(count)])
    last = np.array([[ends[e][0]] for e in sorted(ends)], np.float32).reshape(-1, 1)
    observations = np.array(after, np.float32)[:, None]
    return Step(
        observations, np.zeros(count), is_last, is_cut, np.array(sorted(ends), np.int64), last, nothing, nothing
    )


def push(window: NStepWindow, before: list[float], rewards: list[float], step: Step) -> list[tuple[float, ...]]:
    """What one step completes, as (observation, action, return, next observation, discount); actions count up."""
    actions = [int(10 * value) for value in before]
    done = window.push(np.array(before)[:, None], np.array(actions), np.array(rewards), step)
    return as_rows(done)


def as_rows(done: Transitions) -> list[tuple[float, ...]]:
    columns = (done.observations[:, 0], done.actions, done.returns, done.next_observations[:, 0], done.discounts)
    return [tuple(float(value) for value in row) for row in zip(*columns, strict=True)]


def test_three_steps_by_hand_to_a_terminal_end() -> None:
    """Rewards 1, 2, 4, 8 with discount 1/2; the episode terminates in observation 9."""
    window = NStepWindow(1, 1, steps=3, discount=0.5)
    assert push(window, [0.0], [1.0], make_step([1.0])) == []
    assert push(window, [1.0], [2.0], make_step([2.0])) == []
    assert push(window, [2.0], [4.0], make_step([3.0])) == [(0, 0, 1 + 1 + 1, 3, 0.125)]
    assert push(window, [3.0], [8.0], make_step([0.0], {0: (9.0, False)})) == [
        (1, 10, 2 + 2 + 2, 9, 0),
        (2, 20, 4 + 4, 9, 0),
        (3, 30, 8, 9, 0),
    ]
    assert push(window, [0.0], [1.0], make_step([1.0])) == [], "the next episode begins with nothing pending"


def test_cut_episode_keeps_the_value_of_its_last_observation() -> None:
    window = NStepWindow(1, 1, steps=3, discount=0.5)
    push(window, [0.0], [1.0], make_step([1.0]))
    assert push(window, [1.0], [2.0], make_step([0.0], {0: (2.0, True)})) == [
        (0, 0, 2, 2, 0.25),
        (1, 10, 2, 2, 0.5),
    ]


def test_episode_of_one_step() -> None:
    window = NStepWindow(1, 1, steps=5, discount=0.9)
    assert push(window, [0.0], [1.0], make_step([7.0], {0: (1.0, False)})) == [(0, 0, 1, 1, 0)]
    assert push(window, [7.0], [1.0], make_step([8.0])) == []


def test_one_step_returns_come_at_once() -> None:
    window = NStepWindow(2, 1, steps=1, discount=0.5)
    step = make_step([1.0, 5.0], {1: (6.0, True)})
    assert push(window, [0.0, 4.0], [3.0, 4.0], step) == [(0, 0, 3, 1, 0.5), (4, 40, 4, 6, 0.5)]


def test_episodes_of_different_lengths_side_by_side() -> None:
    """The first goes on; the second terminates at its second step, the third is cut at its third."""
    window = NStepWindow(3, 1, steps=2, discount=0.5)
    assert push(window, [0.0, 10.0, 20.0], [1.0, 1.0, 1.0], make_step([1.0, 11.0, 21.0])) == []
    step = make_step([2.0, 30.0, 22.0], {1: (12.0, False)})
    assert push(window, [1.0, 11.0, 21.0], [2.0, 2.0, 2.0], step) == [
        (0, 0, 2, 2, 0.25),
        (10, 100, 2, 12, 0),
        (11, 110, 2, 12, 0),
        (20, 200, 2, 22, 0.25),
    ]
    step = make_step([3.0, 31.0, 40.0], {2: (23.0, True)})
    assert push(window, [2.0, 30.0, 22.0], [4.0, 4.0, 4.0], step) == [
        (1, 10, 4, 3, 0.25),
        (21, 210, 4, 23, 0.25),
        (22, 220, 4, 23, 0.5),
    ]


class Episode(NamedTuple):
    rewards: list[int]
    is_cut: bool


def expected_of(number: int, episode: Episode, steps: int, discount: float) -> list[tuple[float, ...]]:
    """All transitions of a whole episode, by the definition; observation t of episode `number` is 100 number + t."""
    rows, length = [], len(episode.rewards)
    for t in range(length):
        end = min(t + steps, length)
        total = sum(discount**i * reward for i, reward in enumerate(episode.rewards[t:end]))
        factor = 0.0 if end == length and not episode.is_cut else discount ** (end - t)
        rows.append((100.0 * number + t, t % 3, total, 100.0 * number + end, factor))
    return rows


EPISODES = st.lists(st.builds(Episode, st.lists(st.integers(-8, 8), min_size=1, max_size=9), st.booleans()), min_size=1)


@given(plays=st.lists(EPISODES, min_size=1, max_size=4), steps=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_equals_the_definition_over_whole_episodes(plays: list[list[Episode]], steps: int) -> None:
    """Each environment plays its own episodes; what comes out is what the definition gives, each step once."""
    count, horizon = len(plays), min(sum(len(episode.rewards) for episode in play) for play in plays)
    window, completed = NStepWindow(count, 1, steps, 0.5), [[] for _ in plays]
    where = [(0, 0)] * count
    for _ in range(horizon):
        before, rewards, after, ended = [], [], [], {}
        for e, (number, t) in enumerate(where):
            episode = plays[e][number]
            before.append(100.0 * number + t)
            rewards.append(float(episode.rewards[t]))
            if t + 1 == len(episode.rewards):
                ended[e] = (100.0 * number + t + 1, episode.is_cut)
                number, t = number + 1, -1
            where[e] = (number, t + 1)
            after.append(100.0 * number + t + 1)
        actions = np.array(before, np.int64) % 100 % 3
        done = window.push(np.array(before)[:, None], actions, rewards, make_step(after, ended))
        owner = owners(before, set(ended), steps)
        for e, row in zip(owner, as_rows(done), strict=True):
            completed[e].append(row)
    for e, play in enumerate(plays):
        whole = [row for number, episode in enumerate(play) for row in expected_of(number, episode, steps, 0.5)]
        assert completed[e] == whole[: len(completed[e])]
        number, t = where[e]
        assert len(completed[e]) == sum(len(episode.rewards) for episode in play[:number]) + max(0, t - steps + 1)


def owners(before: list[float], ended: set[int], steps: int) -> list[int]:
    """Which environment each row belongs to, by how many each must give."""
    given = []
    for e, observation in enumerate(before):
        t = int(observation) % 100
        given += [e] * (min(t + 1, steps) if e in ended else int(t + 1 >= steps))
    return given


def test_restored_window_goes_on_to_the_last_bit() -> None:
    generator = np.random.default_rng(4)

    def play(window: NStepWindow, draws: list[np.ndarray]) -> list[tuple[float, ...]]:
        rows = []
        for t, draw in enumerate(draws):
            ended = {1: (0.5, True)} if t % 4 == 3 else {}
            rows += push(window, draw[:2].tolist(), draw[2:].tolist(), make_step(draw[:2].tolist(), ended))
        return rows

    first, second = ([generator.random(4) for _ in range(9)] for _ in range(2))
    window, other = NStepWindow(2, 1, 3, 0.99), NStepWindow(2, 1, 3, 0.99)
    play(window, first)
    play(other, second[:4])
    other.restore(window.state())
    assert play(other, second) == play(window, second)


def test_nothing_is_kept_of_the_callers_arrays() -> None:
    window, before = NStepWindow(1, 1, 2, 0.5), np.zeros((1, 1), np.float32)
    window.push(before, [0], [1.0], make_step([1.0]))
    before[0, 0] = 7.0
    assert push(window, [1.0], [1.0], make_step([2.0]))[0][0] == 0.0


def test_bad_input_is_refused_and_nothing_is_taken_in() -> None:
    window = NStepWindow(2, 1, 2, 0.5)
    step, column = make_step([1.0, 1.0]), np.zeros((2, 1))
    with pytest.raises(ModelError, match=r"rewards \[nan\]; allowed: finite numbers"):
        window.push(column, [0, 0], [1.0, np.nan], step)
    with pytest.raises(ModelError, match=r"observations of shape \(2, 3\); allowed: \(2, 1\)"):
        window.push(np.zeros((2, 3)), [0, 0], [1.0, 1.0], step)
    with pytest.raises(ModelError, match=r"actions of shape \(3,\)"):
        window.push(column, [0, 0, 0], [1.0, 1.0], step)
    with pytest.raises(ModelError, match=r"last observations of shape \(0, 1\); allowed: \(1, 1\)"):
        window.push(column, [0, 0], [1.0, 1.0], step._replace(ended=np.array([0])))
    with pytest.raises(ModelError, match=r"1 ended episodes with is_last \[False, False\]"):
        window.push(column, [0, 0], [1.0, 1.0], make_step([1.0, 1.0], {0: (1.0, True)})._replace(is_last=step.is_last))
    assert window.state()["pending"].tolist() == [0, 0]
    with pytest.raises(ModelError, match="the checkpoint"):
        window.restore(NStepWindow(2, 1, 3, 0.5).state())
    for steps, discount in ((0, 0.5), (1, 1.1), (1, np.nan)):
        with pytest.raises(ModelError, match=f"over {steps} steps with discount {discount}"):
            NStepWindow(2, 1, steps, discount)
