"""What the row of Rainbow's training counts, times and lays before both sides."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parent / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)


def test_multiply_adds_of_one_row_counted_by_hand() -> None:
    from rainbow_task import model
    from update_arithmetic import multiply_adds

    tiny = model().model_copy(update={"hidden_sizes": (5,), "stream_size": 4, "atoms": 3})
    forward = 2 * 5 + (5 * 4 + 4 * 3) + (5 * 4 + 4 * 6)  # two inputs; a stream of value, one of two advantages
    assert multiply_adds(tiny, 2, 2, 1) == 3 * forward + 2 * forward - 2 * 5


@pytest.mark.parametrize("is_double", [True, False])
@pytest.mark.parametrize("is_dueling", [True, False])
def test_multiply_adds_are_those_that_torch_counts(is_double: bool, is_dueling: bool) -> None:
    import rainbow_task
    from torch.utils.flop_counter import FlopCounterMode
    from update_arithmetic import multiply_adds

    from MLOps.networks.dueling_categorical import RainbowNetwork

    changed = {"is_double": is_double, "is_dueling": is_dueling, "hidden_sizes": (24, 16)}
    model = rainbow_task.model().model_copy(update=changed)
    network, rows = RainbowNetwork(rainbow_task.SIZE, 2, model, torch.Generator()), torch.rand(8, rainbow_task.SIZE)
    with FlopCounterMode(display=False) as counter:
        with torch.no_grad():
            for _ in range(2 if is_double else 1):
                network(rows)
        network(rows).sum().backward()
    assert multiply_adds(model, rainbow_task.SIZE, 2, 8) == counter.get_total_flops() / 2


def test_clock_tells_the_stretch_and_the_updates_in_it_alone() -> None:
    from update_clock import UpdateClock

    clock = UpdateClock()
    update = clock.around(lambda terms, *, power: sum(number**power for number in range(terms)))
    update(10, power=2)

    def train() -> tuple[int, int]:
        assert update(3, power=2) == 5
        update(200_000, power=2)
        sum(number**2 for number in range(200_000))
        return 8, 1

    spent = clock.spent(train)
    assert (spent.frames, spent.episodes, spent.updates) == (8, 1, 2)
    assert 0 < spent.updating_seconds < spent.seconds
    assert 0 < spent.updating_processor_seconds < spent.processor_seconds
    assert spent.frames_per_second == 8 / spent.seconds


def test_quiet_network_says_the_same_under_any_noise() -> None:
    import rainbow_task

    seen = torch.rand(4, rainbow_task.SIZE)
    quiet, loud = (rainbow_task.network(3, is_quiet=is_quiet) for is_quiet in (True, False))
    expected = loud.q_values(seen)
    for network in (quiet, loud):
        network.draw(torch.Generator().manual_seed(5))
    torch.testing.assert_close(quiet.q_values(seen), expected)
    assert not torch.allclose(loud.q_values(seen), expected)


def test_steps_for_the_checks_are_the_same_each_time_and_hold_both_ends_of_an_episode() -> None:
    import rainbow_task

    once, again = list(rainbow_task.play()), list(rainbow_task.play())
    assert len(once) == rainbow_task.CHECKED_STEPS
    for one, same in zip(once, again, strict=True):
        np.testing.assert_array_equal(one.observation, same.observation)
        np.testing.assert_array_equal(one.seen, same.seen)
    for one, following in pairwise(once):
        if one.step.is_last[0]:
            np.testing.assert_array_equal(one.seen, one.observation[0])
        else:
            np.testing.assert_array_equal(one.seen, following.observation[0])
    assert 5 < sum(one.step.is_last[0] for one in once) < len(once) / 3


def test_our_side_takes_a_gradient_step_in_four_frames() -> None:
    from our_rainbow import OurTraining

    spent = OurTraining(4).spend(64)
    assert (spent.frames, spent.updates) == (64, 16)


def test_row_compares_networks_of_the_sizes_that_it_was_asked_to() -> None:
    import rainbow_task

    model, training = rainbow_task.model(), rainbow_task.training()
    assert (model.n_steps, model.atoms, model.is_noisy, model.is_dueling, model.is_double) == (3, 51, True, True, True)
    assert (training.batch_size, training.frames_per_update, rainbow_task.SIZE) == (128, 4, 32)


def test_values_that_differ_are_refused() -> None:
    import rainbow_checks
    from comparison import NotEqualError

    values = rainbow_checks._q_values()
    with pytest.raises(NotEqualError, match="q values: differs"):
        rainbow_checks.check({"q_values": values + np.float32(1e-4)})
