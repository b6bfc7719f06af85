"""The same agent with and without the news: one training and one run over the test window for each."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from MLOps.agents.factory import accounts_of, make_agent
from MLOps.evaluation.backtest import run_policy
from MLOps.evaluation.performance import measure
from MLOps.evaluation.sentiment_ablation import AgentRun, news_columns
from MLOps.inference.model_folder import write_model
from MLOps.inference.policy import Policy, load_policy
from MLOps.market.panel import MarketPanel
from MLOps.settings.agent import AgentSettings
from MLOps.settings.backtest import EvaluationTerms
from MLOps.settings.environment import EnvironmentSettings
from MLOps.settings.sentiment_ablation import AblationTrainingSettings
from MLOps.stage import MemoryTracker
from MLOps.training.checkpoint import CheckpointStore
from MLOps.training.describe import card_of
from MLOps.training.market import TrainingMarket
from MLOps.training.progress import Progress
from MLOps.training.random_state import isolated
from MLOps.training.train import train


@dataclass(frozen=True)
class NewsAblation:
    """What stays the same for all agents of an ablation.

    Attributes
    ----------
    panel : MarketPanel
        Its features are ``environment.feature_names``, the news columns among them.
    train, test : slice
        Rows to learn from and rows to trade.
    environment : EnvironmentSettings
        With ``use_sentiment``.
    agent, training, terms
        How all of them learn and are judged.
    """

    panel: MarketPanel
    train: slice
    test: slice
    environment: EnvironmentSettings
    agent: AgentSettings
    training: AblationTrainingSettings
    terms: EvaluationTerms

    def run(self, seed: int, sees_news: bool, show_bar: bool = False) -> AgentRun:
        """Train one agent and let it trade the test window on the backtest's terms.

        The agent without news gets the same columns with nothing in them. So both have as many weights, begin
        with the same ones and draw the same random numbers; they differ in what the news say and in nothing
        else, and where the news say nothing, not at all.

        Raises
        ------
        ModelError
            If training diverges.
        """
        panel = self.panel if sees_news else _without_news(self.panel, self.environment)
        policy = self._train(panel, seed, show_bar)
        path = run_policy(policy, panel, self.test, self.terms.account)
        return AgentRun(
            seed=seed,
            sees_news=sees_news,
            performance=measure(path, self.terms.sessions_per_year),
            returns=tuple(path.returns.tolist()),
        )

    def _train(self, panel: MarketPanel, seed: int, show_bar: bool) -> Policy:
        training = self.training
        market = TrainingMarket(panel, self.train, self.environment)
        with isolated(seed, training.threads), tempfile.TemporaryDirectory() as place:
            batch = market.batch(accounts_of(self.agent), seed, training.random_starts)
            agent = make_agent(self.agent, batch, seed)
            progress = Progress(training.total_timesteps, show_bar=show_bar)
            store = CheckpointStore(Path(place) / "never")
            never = training.total_timesteps + 1
            train(agent, training.total_timesteps, MemoryTracker(), progress, store, never, resume=False)
            card = card_of(
                agent.actor(),
                market.traded,
                {"train": self.train, "test": self.test},
                market.normalisation,
                self.environment,
                {"seed": seed},
            )
            folder = Path(place) / "model"
            return load_policy(folder, write_model(folder, card, agent.actor().weights))


def _without_news(panel: MarketPanel, environment: EnvironmentSettings) -> MarketPanel:
    """The panel with its news columns at 0 throughout."""
    features = panel.features.copy()
    features[:, :, [panel.feature_names.index(name) for name in news_columns(environment)]] = 0.0
    return replace(panel, features=features)
