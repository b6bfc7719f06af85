"""Stage train_rl_agent: features to a registered model.

Makes models/<last session>-<key>/ with model.json and policy.safetensors, registers it and points the
alias `challenger` at it; export/ holds the library's own file. An interrupted run of the same settings
and data goes on from its last checkpoint.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once, read_result, sha256_of
from MLOps.errors import DataError
from MLOps.market.data_warnings import data_warnings
from MLOps.settings.training import TrainRlAgentSettings
from MLOps.stage import RESUME_FLAG, FileFlag, Scalar, Stage, StageResult, Tracker, ValueFlag

if TYPE_CHECKING:
    from MLOps.market.panel import MarketPanel
    from MLOps.market.splits import SessionSplit
    from MLOps.training.checkpoint import CheckpointStore

_EXPORT, _CHECKPOINTS = "export", ".checkpoints"


def train_rl_agent(settings: TrainRlAgentSettings, tracker: Tracker) -> StageResult:
    """Train the agent that the settings name, look at it on the validation window, register it.

    Raises
    ------
    DataError
        If the features are missing or malformed, or leave too few sessions to train on.
    ModelError
        If training diverges.
    RegistryError
        If models of another family are registered under the name.
    ServiceUnavailableError
        If the registry cannot be reached.
    """
    from MLOps.market.panel import read_panel
    from MLOps.market.splits import split_sessions
    from MLOps.training.checkpoint import CheckpointStore

    features = _features_file(settings)
    panel = read_panel(features, settings.environment.feature_names, settings.environment.universe)
    split = split_sessions(panel.dates, settings.split)
    root = settings.paths.workspace / (settings.output_model_dir or settings.paths.models)

    def store(key: str) -> CheckpointStore:
        return CheckpointStore(settings.paths.models / _CHECKPOINTS / key)

    def make(folder: Path, key: str) -> Made:
        return _make_model(folder, store(key), panel, split, features, settings, tracker)

    output = Output(
        stage=STAGE.name,
        root=root,
        settings=settings,
        inputs={"features": features},
        label=str(panel.dates[-1]),
        packages=("elegantrl", "finrl", "gymnasium", "numba", "numpy", "stable-baselines3", "torch"),
    )
    result = make_once(output, make, tracker)
    result = result.model_copy(update={"details": result.details | _origin(features)})
    store(result.key).remove()
    return _registered(result, settings, tracker) if settings.training.register_model else result


def _features_file(settings: TrainRlAgentSettings) -> Path:
    """The features file, with links resolved, so that one version is read throughout.

    Raises
    ------
    DataError
        If there is no such file; tells which ones there are.
    """
    folder = settings.paths.processed
    named = settings.features_path
    path = folder / settings.processed_data_filename if named is None else settings.paths.workspace / named
    if path.is_file():
        return path.resolve()
    found = sorted(file.name for pattern in ("*.parquet", "*.csv") for file in path.parent.glob(pattern))
    raise DataError(
        f"{path} does not exist",
        f"{path.parent} holds {', '.join(found) or 'no .parquet or .csv file'}",
        "--processed_data_filename or --features_path, or run build_features first",
    )


def _make_model(
    folder: Path,
    store: "CheckpointStore",
    panel: "MarketPanel",
    split: "SessionSplit",
    features: Path,
    settings: TrainRlAgentSettings,
    tracker: Tracker,
) -> Made:
    from MLOps.agents.factory import accounts_of, make_agent
    from MLOps.inference.model_files import CARD_FILE, POLICY_FILE
    from MLOps.inference.model_folder import write_model
    from MLOps.inference.policy import load_policy
    from MLOps.training.describe import describe
    from MLOps.training.market import TrainingMarket
    from MLOps.training.progress import Progress
    from MLOps.training.random_state import isolated
    from MLOps.training.train import train
    from MLOps.training.validation import validate

    training, environment = settings.training, settings.environment
    market = TrainingMarket(panel, split.train, environment)
    budget = training.budget_timesteps(market.sessions)
    with isolated(training.seed, training.threads):
        batch = market.batch(accounts_of(settings.agent), training.seed, training.random_starts)
        agent = make_agent(settings.agent, batch, training.seed)
        progress = Progress(budget, show_bar=settings.show_progress)
        played = train(
            agent,
            budget,
            tracker,
            progress,
            store,
            training.checkpoint_every_timesteps,
            resume=training.resume,
        )
    actor = agent.actor()
    card = describe(
        actor, market.traded, split, market.normalisation, settings, sha256_of(features), _scorer(features), played
    )
    digest = write_model(folder, card, actor.weights)
    (folder / _EXPORT).mkdir()
    agent.export(folder / _EXPORT)
    tracker.artifact(folder / _EXPORT, _EXPORT)
    policy = load_policy(folder, digest)
    figures = validate(policy, market.traded, split.validation, environment, training.sessions_per_year)
    return Made(
        files={"model": CARD_FILE, "policy": POLICY_FILE},
        metrics={"timesteps": played, **figures},
        details={
            "model_digest": digest,
            "agent": f"{settings.agent.library}/{settings.agent.algorithm}",
            "train": f"{card.windows['train'].first} to {card.windows['train'].last}",
            "validation": f"{card.windows['validation'].first} to {card.windows['validation'].last}",
        },
    )


def _scorer(features: Path) -> str | None:
    """Digest of the model that scored the news in these features, as far as their own result tells."""
    made = read_result(features.parent)
    digest = made.details.get("sentiment_model_sha256") if made else None
    return str(digest) if digest else None


def _origin(features: Path) -> dict[str, Scalar]:
    """What limits a result on these features, as far as their own result tells."""
    made = read_result(features.parent)
    warnings = data_warnings(made.details) if made else ()
    return {"data_warnings": " | ".join(warnings)} if warnings else {}


def _registered(result: StageResult, settings: TrainRlAgentSettings, tracker: Tracker) -> StageResult:
    from model_registry.challenger import register_challenger
    from model_registry.family import STOCK_TRADING

    tags = {"agent": str(result.details["agent"]), "features_sha256": result.inputs["features"]}
    return register_challenger(result, settings, STOCK_TRADING, tags, tracker.run_id)


STAGE = Stage(
    name="train_rl_agent",
    settings_type=TrainRlAgentSettings,
    run=train_rl_agent,
    flags=(
        FileFlag("agent_params_path", "agent", "YAML of an agent, config/rl_agents/*.yaml", replaces=True),
        ValueFlag("processed_data_filename", "processed_data_filename", "features file in data/processed"),
        ValueFlag("features_path", "features_path", "features file elsewhere, in place of the above"),
        ValueFlag("output_model_dir", "output_model_dir", "where models are written (default: models/)"),
        RESUME_FLAG,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
