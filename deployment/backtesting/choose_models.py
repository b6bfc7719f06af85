"""Which model is tested, and beside which champion."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from MLOps.artifacts import check_unaltered
from MLOps.errors import ModelError, RegistryError
from MLOps.evaluation.comparison import CHAMPION, MODEL
from MLOps.inference.model_files import model_digest, weights_digest
from MLOps.inference.model_folder import EqualWeightCard, MlpActorCard, read_card
from MLOps.inference.policy import Policy, load_policy
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import BacktestSettings


@dataclass(frozen=True)
class Contender:
    """A model that trades in the backtest.

    Attributes
    ----------
    label : str
        How the report calls it.
    version : int or None
        Its number in the registry; None for a folder.
    weights : str
        Digest of what it has learned.
    """

    label: str
    policy: Policy
    card: MlpActorCard | EqualWeightCard
    digest: str
    version: int | None
    weights: str

    def check(self, panel: MarketPanel, window: slice) -> None:
        """Raise ModelError unless the model fits the data and has learned nothing of the window or after it."""
        self.policy.check(panel)
        first = panel.dates[window.start].item()
        for name, learned in _windows_learned_from(self.card).items():
            if learned >= first:
                raise ModelError(
                    f"{self.label} has seen dates up to {learned} ({name}), and the window begins on {first}",
                    f"a window after {learned}",
                    "window.first_date, or the split that training used",
                )


def choose_models(settings: BacktestSettings) -> dict[str, Contender]:
    """`model`, and `champion` where the settings ask for one.

    Raises
    ------
    ModelError, DigestError
        If a model folder is missing, malformed, or was altered after it was made.
    RegistryError
        If the registry holds no such model, or its champion has no passing verdict.
    """
    contenders = {}
    if settings.model_path is not None:
        contenders[MODEL] = _from_folder(settings.paths.workspace / settings.model_path)
    if settings.model_path is None or settings.compare_with_champion:
        contenders |= _from_registry(settings, with_model=settings.model_path is None)
    return contenders


def _from_folder(folder: Path) -> Contender:
    card = read_card(folder)
    check_unaltered(folder)
    digest = model_digest(folder)
    return Contender(f"Model {digest[:12]}", load_policy(folder, digest), card, digest, None, weights_digest(folder))


def _from_registry(settings: BacktestSettings, with_model: bool) -> dict[str, Contender]:
    from model_registry.champion import ensure_champion
    from model_registry.family import STOCK_TRADING
    from model_registry.open_registry import open_registry
    from model_registry.stock_policy import LoadedModel, load_champion, load_model

    def contender(loaded: LoadedModel) -> Contender:
        version = loaded.version
        label = f"{version.name} version {version.version}"
        card, weights = read_card(loaded.folder), weights_digest(loaded.folder)
        return Contender(label, loaded.policy, card, version.digest, version.version, weights)

    registry, name = open_registry(settings), settings.registry.model_name
    found = {}
    if with_model and settings.model_version is not None:
        found[MODEL] = contender(load_model(registry, registry.by_version(name, settings.model_version)))
    elif with_model:
        version = registry.by_alias(name, settings.model_alias)
        if version is None:
            raise RegistryError(
                f"{name} has no {settings.model_alias}", "an alias that the registry holds", "train_rl_agent sets it"
            )
        found[MODEL] = contender(load_model(registry, version))
    if settings.compare_with_champion:
        ensure_champion(registry, name, STOCK_TRADING)
        found[CHAMPION] = contender(load_champion(registry, name))
    return found


def _windows_learned_from(card: MlpActorCard | EqualWeightCard) -> dict[str, date]:
    """Last date of training and of validation; none for a policy that learned nothing."""
    windows = {} if isinstance(card, EqualWeightCard) else card.windows
    return {name: windows[name].last for name in ("train", "validation") if name in windows}
