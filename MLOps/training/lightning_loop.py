"""PyTorch Lightning around the rounds of a training: its module, hooks and callbacks, for those who build on them."""

import logging
import warnings
from collections.abc import Callable, Iterator

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, IterableDataset

from MLOps.training.rainbow_run import RainbowRun

_CHATTER = ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators")


class RainbowModule(LightningModule):
    """A training whose batch is a round; it optimises by hand, for a round holds several steps or none.

    Parameters
    ----------
    run : RainbowRun
        The training.
    after_round : callable
        Called after each round.
    """

    def __init__(self, run: RainbowRun, after_round: Callable[[], None]) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = run.agent.network
        self._run, self._after_round = run, after_round

    def training_step(self, _frames: int, _batch_idx: int) -> None:
        """Play a round; the trainer asks for one ahead, so that the last may come when the run is done."""
        if not self._run.is_done:
            self._run.play_round()
            self._after_round()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The learner's own Adam."""
        return self._run.agent.learner.optimizer


class _Rounds(IterableDataset[int]):
    """The frames at the beginning of each round, until the run is done."""

    def __init__(self, run: RainbowRun) -> None:
        self._run = run

    def __iter__(self) -> Iterator[int]:
        while not self._run.is_done:
            yield self._run.frames


def fit(run: RainbowRun, after_round: Callable[[], None]) -> None:
    """Let Lightning's trainer call the rounds until the run is done; what the rounds raise comes through."""
    for name in _CHATTER:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it advises workers and loggers, which rounds have no use for
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        try:
            trainer.fit(RainbowModule(run, after_round), DataLoader(_Rounds(run), batch_size=None))
        except SystemExit as error:  # what it makes of an interruption, which is the caller's to tell
            raise KeyboardInterrupt from error
