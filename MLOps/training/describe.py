"""The card of a freshly trained agent: everything about it but its weights."""

from importlib.metadata import version

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
from MLOps.settings.stage_settings import fingerprint, identity_of
from MLOps.settings.training import TrainRlAgentSettings

_PACKAGES = {"sb3": "stable-baselines3", "elegantrl": "elegantrl"}


def describe(
    actor: Actor,
    panel: MarketPanel,
    split: SessionSplit,
    normalisation: Normalisation,
    settings: TrainRlAgentSettings,
    features_sha256: str,
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
    timesteps : int
        Sessions played.
    """
    environment = settings.environment
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
        windows={
            "train": _window(panel.dates[split.train]),
            "validation": _window(panel.dates[split.validation]),
            "test": _window(panel.dates[split.test]),
        },
        provenance={
            "library": settings.agent.library,
            "algorithm": settings.agent.algorithm,
            "library_version": version(_PACKAGES[settings.agent.library]),
            "torch_version": version("torch"),
            "seed": settings.training.seed,
            "timesteps": timesteps,
            "settings_sha256": fingerprint(settings),
            "features_sha256": features_sha256,
        },
    )


def _window(dates: npt.NDArray[np.datetime64]) -> Window:
    return Window(first=dates[0].item(), last=dates[-1].item())
