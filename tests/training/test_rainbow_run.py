"""A training in rounds: the same numbers by either loop, and after an interruption."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from MLOps.agents.rainbow import RainbowAgent
from MLOps.environments.dca_timing import DcaTimingBatch
from MLOps.market.price_cycles import Cycles
from MLOps.settings.compose import compose_settings
from MLOps.settings.rainbow import RainbowTrainingSettings, TrainRainbowSettings
from MLOps.stage import MemoryTracker
from MLOps.training.checkpoint import CheckpointStore
from MLOps.training.progress import Progress
from MLOps.training.rainbow_loop import Watch, train
from MLOps.training.rainbow_run import RainbowRun
from MLOps.training.random_state import isolated
from MLOps.training.timing_validation import advantage_over_first

SHORT = {
    "num_frames": 480,
    "n_envs": 4,
    "learning_starts": 40,
    "batch_size": 8,
    "replay_capacity": 64,
    "target_update_every": 7,
    "evaluate_every_frames": 80,
    "report_every_frames": 80,
    "checkpoint_every_frames": 160,
}
SMALL = ["model.hidden_sizes=[8]", "model.stream_size=4", "model.atoms=11", "model.v_min=-5", "model.v_max=5"]
WINDOW, STEPS = 6, 8


class InterruptionError(Exception):
    """What ends a run in the middle."""


@pytest.fixture(scope="module")
def settings() -> TrainRainbowSettings:
    return compose_settings(TrainRainbowSettings, "train_rainbow", SMALL)


@pytest.fixture(scope="module")
def cycles() -> Cycles:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.01, 300)))
    starts = np.arange(WINDOW - 1, 300 - STEPS + 1)
    return Cycles(closes, starts, STEPS, WINDOW, np.arange(300).astype("datetime64[h]").astype("datetime64[us]"))


class Trainer:
    """Makes a run anew each time, over the same cycles and settings."""

    def __init__(self, settings: TrainRainbowSettings, cycles: Cycles, folder: Path, **changes: Any) -> None:
        self.training = RainbowTrainingSettings.model_validate(settings.training.model_dump() | SHORT | changes)
        self._settings, self._cycles, self._store = settings, cycles, CheckpointStore(folder)
        self.tracker = MemoryTracker()

    def train(self, stop_at: int | None = None) -> RainbowRun:
        environment, training = self._settings.environment, self.training
        with isolated(training.seed, 1):
            episodes = DcaTimingBatch(self._cycles, environment, training.n_envs, training.seed)
            agent = RainbowAgent(episodes.observation_size, 2, self._settings.model, training)
            run = RainbowRun(agent, episodes, training, advantage_over_first(self._cycles, environment.fee_bps))
            progress = Progress(training.num_frames, show_bar=False)
            watch = Watch(run, training, self.tracker, progress, self._store)
            if stop_at is not None:
                interrupt(run, stop_at)
            train(run, watch, progress, training)
        return run


def interrupt(run: RainbowRun, frames: int) -> None:
    play = run.play_round

    def play_or_stop() -> None:
        if run.frames >= frames:
            raise InterruptionError
        play()

    run.play_round = play_or_stop  # type: ignore[method-assign]


def state_of(run: RainbowRun) -> dict[str, Any]:
    learner = run.agent.learner.state()
    return {name: learner[name] for name in ("online", "target", "updates")} | {"figures": run.figures()}


def assert_equal(one: RainbowRun, other: RainbowRun) -> None:
    left, right = state_of(one), state_of(other)
    assert torch.equal(left["online"], right["online"])
    assert torch.equal(left["target"], right["target"])
    assert left["updates"] == right["updates"] > 0
    assert left["figures"] == right["figures"]
    assert one.best_score == other.best_score


@pytest.mark.parametrize("model", ["rainbow", "dqn"])
def test_lightning_and_the_plain_loop_give_the_same_bits(tmp_path: Path, cycles: Cycles, model: str) -> None:
    small = [
        "model.hidden_sizes=[8]",
        "model.stream_size=4",
        "model.atoms=11",
        "model.v_min=-5",
        "model.v_max=5",
        f"model={model}",
    ]
    settings = compose_settings(TrainRainbowSettings, "train_rainbow", small)
    by_lightning, plain = (Trainer(settings, cycles, tmp_path / str(use), use_lightning=use) for use in (True, False))
    assert_equal(by_lightning.train(), plain.train())
    assert by_lightning.tracker.curves == plain.tracker.curves


@pytest.mark.parametrize(("use_lightning", "model"), [(True, "rainbow"), (False, "rainbow"), (False, "dqn")])
def test_resumed_run_ends_as_an_undisturbed_one(
    cycles: Cycles, tmp_path: Path, use_lightning: bool, model: str
) -> None:
    settings = compose_settings(TrainRainbowSettings, "train_rainbow", [*SMALL, f"model={model}"])
    undisturbed = Trainer(settings, cycles, tmp_path / "whole", use_lightning=use_lightning)
    disturbed = Trainer(settings, cycles, tmp_path / "parts", use_lightning=use_lightning)
    whole = undisturbed.train()
    with pytest.raises(InterruptionError):
        disturbed.train(stop_at=360)
    resumed = disturbed.train()
    assert_equal(whole, resumed)
    assert disturbed.tracker.curves["loss"][-1] == undisturbed.tracker.curves["loss"][-1]


def test_without_resume_it_starts_anew(
    settings: TrainRainbowSettings, cycles: Cycles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = Trainer(settings, cycles, tmp_path, resume=False)
    with pytest.raises(InterruptionError):
        trainer.train(stop_at=360)
    with caplog.at_level("INFO"):
        trainer.train()
    assert "training starts from zero" in caplog.text
    assert "continues" not in caplog.text


def test_other_seed_gives_other_weights(settings: TrainRainbowSettings, cycles: Cycles, tmp_path: Path) -> None:
    one, other = (Trainer(settings, cycles, tmp_path / str(seed), seed=seed).train() for seed in (1, 2))
    assert not torch.equal(state_of(one)["online"], state_of(other)["online"])


def test_curves_hold_what_a_person_asks_for(settings: TrainRainbowSettings, cycles: Cycles, tmp_path: Path) -> None:
    trainer = Trainer(settings, cycles, tmp_path)
    trainer.train()
    wanted = {"loss", "mean_score_10", "mean_q", "mean_priority", "max_priority", "gradient_norm", "mean_noise_size"}
    assert wanted <= trainer.tracker.curves.keys()
    assert [step for step, _ in trainer.tracker.curves["loss"]] == [80, 160, 240, 320, 400, 480]


def test_one_gradient_step_for_each_so_many_frames(
    settings: TrainRainbowSettings, cycles: Cycles, tmp_path: Path
) -> None:
    run = Trainer(settings, cycles, tmp_path, frames_per_update=5).train()
    assert run.agent.learner.updates == (480 - 40) // 5


def test_stops_when_the_validation_score_no_longer_becomes_better(
    settings: TrainRainbowSettings, cycles: Cycles, tmp_path: Path
) -> None:
    trainer = Trainer(settings, cycles, tmp_path, num_frames=100_000, patience_evaluations=2)
    run = trainer.train()
    assert run.stopped_early
    looks = [score for _, score in trainer.tracker.curves["validation_score"]]
    assert max(looks[-2:]) <= max(looks[:-2]) == run.best_score


def test_patience_is_not_forgotten_in_an_interruption(
    settings: TrainRainbowSettings, cycles: Cycles, tmp_path: Path
) -> None:
    """The checkpoint at frame 80 k lies between looks that were no better and the one that ends the run."""
    changes = {"num_frames": 100_000, "patience_evaluations": 3, "checkpoint_every_frames": 80}
    whole = Trainer(settings, cycles, tmp_path / "whole", **changes).train()
    assert whole.stopped_early
    disturbed = Trainer(settings, cycles, tmp_path / "parts", **changes)
    with pytest.raises(InterruptionError):
        disturbed.train(stop_at=whole.frames - 40)
    assert disturbed.train().frames == whole.frames


@pytest.mark.parametrize("use_lightning", [True, False])
def test_interruption_leaves_either_loop_as_one(
    settings: TrainRainbowSettings, cycles: Cycles, tmp_path: Path, use_lightning: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_run: RainbowRun) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RainbowRun, "play_round", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Trainer(settings, cycles, tmp_path, use_lightning=use_lightning).train()


def test_takes_the_weights_that_validation_liked_best(
    settings: TrainRainbowSettings, cycles: Cycles, tmp_path: Path
) -> None:
    run = Trainer(settings, cycles, tmp_path, num_frames=2_000, patience_evaluations=3).train()
    score = advantage_over_first(cycles, settings.environment.fee_bps)
    run.take_best()
    assert score(run.agent) == run.best_score
