"""Runs the rounds of a training to its end, by a plain loop or by PyTorch Lightning's: both give the same numbers."""

import logging
from collections.abc import Iterator

from MLOps.settings.rainbow import RainbowTrainingSettings
from MLOps.stage import Tracker
from MLOps.training.checkpoint import CheckpointStore
from MLOps.training.progress import Progress
from MLOps.training.rainbow_run import RainbowRun
from MLOps.training.tensor_state import as_tensors

_LOG = logging.getLogger(__name__)
Curve = list[dict[str, float]]


class Watch:
    """Looks at a run after each round: curves to the tracker, frames to the progress, states to the store.

    Parameters
    ----------
    run : RainbowRun
    training : RainbowTrainingSettings
        How often.
    tracker : Tracker
    progress : Progress
    store : CheckpointStore

    Attributes
    ----------
    curve : list of dict
        Each point of the curves, with its `frames`; a resumed run's holds those before too.
    """

    def __init__(
        self,
        run: RainbowRun,
        training: RainbowTrainingSettings,
        tracker: Tracker,
        progress: Progress,
        store: CheckpointStore,
    ) -> None:
        self._run, self._training, self._tracker, self._progress, self._store = run, training, tracker, progress, store
        self.curve: Curve = []
        self._last_frames = 0

    def resume(self) -> bool:
        """Put the run where its checkpoint left it; False if there is none."""
        state = self._store.load()
        if state is None:
            return False
        self._run.restore(state["run"])
        self.curve, self._last_frames = state["curve"], self._run.frames
        self._progress.start_at(self._run.frames)
        _LOG.info("training continues from the checkpoint at frame %d", self._run.frames)
        return True

    def after_round(self) -> None:
        """Report and save what is due."""
        frames = self._run.frames
        self._progress.reach(frames)
        if self._is_due(self._training.report_every_frames) or self._run.is_done:
            figures = self._run.figures()
            self.curve.append({"frames": float(frames), **figures})
            self._tracker.metrics(figures, step=frames)
            self._progress.show(figures)
        if self._is_due(self._training.checkpoint_every_frames) and not self._run.is_done:
            self._store.save(as_tensors({"run": self._run.state(), "curve": self.curve}))
        self._last_frames = frames

    def _is_due(self, every: int) -> bool:
        return self._run.frames // every > self._last_frames // every


def train(run: RainbowRun, watch: Watch, progress: Progress, training: RainbowTrainingSettings) -> None:
    """Run a training to its end, from where its checkpoint left it if there is one and the settings ask for it.

    Interrupted and called again with the same store, it ends with the same weights as an undisturbed one.

    Raises
    ------
    DivergenceError
        If a gradient is not finite.
    """
    if not (training.resume and watch.resume()):
        _LOG.info("training starts from zero: %d frames", training.num_frames)
    try:
        if training.use_lightning:
            _run_by_lightning(run, watch)
        else:
            for _ in rounds(run):
                run.play_round()
                watch.after_round()
    finally:
        progress.close()
    if run.stopped_early:
        _LOG.info("stopped at frame %d: the validation score is no better than %.4g", run.frames, run.best_score)


def rounds(run: RainbowRun) -> Iterator[int]:
    """The frames at the beginning of each round, until the run is done."""
    while not run.is_done:
        yield run.frames


def _run_by_lightning(run: RainbowRun, watch: Watch) -> None:
    from MLOps.training.lightning_loop import fit

    fit(run, watch.after_round)
