"""Trains one buy-timing agent on the train window, judged on the validation window as it learns."""

from collections.abc import Mapping

from MLOps.agents.rainbow import RainbowAgent
from MLOps.environments.dca_timing import DcaTimingBatch
from MLOps.market.price_cycles import Cycles
from MLOps.settings.rainbow import RainbowModelSettings, RainbowTrainingSettings
from MLOps.settings.timing import DcaTimingSettings
from MLOps.stage import Tracker
from MLOps.training.checkpoint import CheckpointStore
from MLOps.training.progress import Progress
from MLOps.training.rainbow_loop import Curve, Watch, train
from MLOps.training.rainbow_run import RainbowRun
from MLOps.training.random_state import isolated
from MLOps.training.timing_validation import advantage_over_first


def train_timing_agent(
    windows: Mapping[str, Cycles],
    model: RainbowModelSettings,
    environment: DcaTimingSettings,
    training: RainbowTrainingSettings,
    tracker: Tracker,
    store: CheckpointStore,
    *,
    show_bar: bool = False,
) -> tuple[RainbowRun, Curve]:
    """The run, its agent holding the weights that the validation window liked best, and its curves.

    Parameters
    ----------
    windows : mapping of str to Cycles
        ``train`` to learn from, ``validation`` to choose the weights on.
    model : RainbowModelSettings
        With the range of returns (`with_support`).
    environment, training
        Costs and reward; budget, seed and rhythm.
    tracker : Tracker
        Takes the curves.
    store : CheckpointStore
        Holds the state of an interrupted run, from which this one goes on.
    show_bar : bool
        Draw a progress bar where standard error is a terminal.

    Raises
    ------
    DivergenceError
        If a gradient is not finite.
    """
    with isolated(training.seed, training.threads):
        episodes = DcaTimingBatch(windows["train"], environment, training.n_envs, training.seed)
        agent = RainbowAgent(episodes.observation_size, episodes.actions, model, training)
        run = RainbowRun(agent, episodes, training, advantage_over_first(windows["validation"], environment.fee_bps))
        progress = Progress(training.num_frames, show_bar=show_bar, unit="frames", shown=("mean_score_10", "loss"))
        watch = Watch(run, training, tracker, progress, store)
        train(run, watch, progress, training)
        run.take_best()
    return run, watch.curve
