"""Progress shows in a log without a terminal, and as a bar with one."""

import io
import logging
import sys

import pytest

from MLOps.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_logs_a_line_every_fifteen_seconds_and_one_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = [100.0]
    progress = Progress(1000, show_bar=True, clock=lambda: now[0])
    for step in range(1, 41):
        now[0] += 1.0
        progress.reach(step * 10)
    progress.show({"episode_reward": 1.5, "train/loss": 2.0})
    progress.close()
    assert [record.getMessage() for record in caplog.records] == [
        "training: 150 of 1000 timesteps, 10 a second",
        "training: 300 of 1000 timesteps, 10 a second",
        "training: 400 of 1000 timesteps, 10 a second, episode_reward 1.5",
    ]


def test_speed_after_a_resume_counts_the_new_timesteps_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = [0.0]
    progress = Progress(1000, show_bar=False, clock=lambda: now[0])
    progress.start_at(900)
    now[0] = 5.0
    progress.reach(1000)
    progress.close()
    assert caplog.records[-1].getMessage() == "training: 1000 of 1000 timesteps, 20 a second"


def test_counts_what_it_is_told_and_keeps_the_last_of_each_figure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = [0.0]
    progress = Progress(50, show_bar=False, clock=lambda: now[0], unit="steps", shown=("loss", "macro_f1"))
    now[0] = 10.0
    progress.show({"loss": 0.7, "learning_rate": 1.0})
    progress.show({"macro_f1": 0.66})
    progress.reach(25)
    progress.close()
    assert caplog.records[-1].getMessage() == "training: 25 of 50 steps, 2.5 a second, loss 0.7, macro_f1 0.66"


@pytest.mark.parametrize(("show_bar", "is_drawn"), [(True, True), (False, False)])
def test_bar_is_drawn_on_a_terminal_if_wanted(show_bar: bool, is_drawn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress(10, show_bar=show_bar)
    progress.reach(10)
    progress.close()
    assert ("10/10" in terminal.getvalue()) is is_drawn
