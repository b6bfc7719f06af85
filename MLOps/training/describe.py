"""The card of a freshly trained agent: everything about it but its weights."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Literal

import numpy as np
import numpy.typing as npt

from MLOps.agents.agent import Actor
from MLOps.inference.model_folder import (
    ActionRule,
    Architecture,
    MlpActorCard,
    Normalisation,
    ObservationSchema,
    Window,
)
from MLOps.market.panel import MarketPanel
from MLOps.market.splits import SessionSplit
from MLOps.settings.environment import EnvironmentSettings
from MLOps.settings.stage_settings import fingerprint, identity_of
from MLOps.settings.training import TrainRlAgentSettings

WindowName = Literal["train", "validation", "test"]
_PACKAGES = {"sb3": "stable-baselines3", "elegantrl": "elegantrl"}


def describe(
    actor: Actor,
    panel: MarketPanel,
    split: SessionSplit,
    normalisation: Normalisation,
    settings: TrainRlAgentSettings,
    features_sha256: str,
    sentiment_model_sha256: str | None,
    timesteps: int,
) -> MlpActorCard:
    """The card; the same settings, data and seed give the same one, so it holds no time, path or run id.

    Parameters
    ----------
    actor : Actor
        What was learnt.
    panel : MarketPanel
        The whole data, whose columns are the observation's indicators.
    split : SessionSplit
        Its windows.
    normalisation : Normalisation
        Fitted on the training window.
    settings : TrainRlAgentSettings
        What was asked for.
    features_sha256 : str
        Digest of the features file.
    sentiment_model_sha256 : str or None
        Digest of the model that scored its news; kept where the agent sees them.
    timesteps : int
        Sessions played.
    """
    sees_scores = settings.environment.use_sentiment and sentiment_model_sha256 is not None
    scorer = {"sentiment_model_sha256": sentiment_model_sha256} if sees_scores else {}
    windows: dict[WindowName, slice] = {"train": split.train, "validation": split.validation, "test": split.test}
    return card_of(
        actor,
        panel,
        windows,
        normalisation,
        settings.environment,
        provenance={
            "library": settings.agent.library,
            "algorithm": settings.agent.algorithm,
            "library_version": version(_PACKAGES[settings.agent.library]),
            "torch_version": version("torch"),
            "seed": settings.training.seed,
            "timesteps": timesteps,
            "settings_sha256": fingerprint(settings),
            "features_sha256": features_sha256,
            **scorer,
        },
    )


def card_of(
    actor: Actor,
    panel: MarketPanel,
    windows: Mapping[WindowName, slice],
    normalisation: Normalisation,
    environment: EnvironmentSettings,
    provenance: Mapping[str, str | int | float | None],
) -> MlpActorCard:
    """The card of an actor, whichever stage trained it.

    Parameters
    ----------
    windows : mapping of str to slice
        Rows of the panel, by the window's name.
    provenance : mapping
        Where the weights come from.
    """
    return MlpActorCard(
        architecture=Architecture(hidden_sizes=actor.hidden_sizes, activation=actor.activation, squash=actor.squash),
        observation=ObservationSchema(
            tickers=panel.tickers, indicators=panel.feature_names, size=len(normalisation.mean)
        ),
        normalisation=normalisation,
        action=ActionRule(
            kind=environment.actions,
            max_shares_per_order=environment.max_shares_per_order if environment.actions == "share_orders" else None,
            is_fractional=environment.is_fractional,
            turbulence_threshold=environment.turbulence_threshold,
        ),
        environment=identity_of(environment),
        windows={name: _window(panel.dates[rows]) for name, rows in windows.items()},
        provenance=dict(provenance),
    )


def _window(dates: npt.NDArray[np.datetime64]) -> Window:
    return Window(first=dates[0].item(), last=dates[-1].item())
