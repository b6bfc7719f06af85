"""Which buy-timing model is judged, with which others of other seeds, and beside which champion."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from MLOps.artifacts import check_unaltered
from MLOps.errors import ModelError, RegistryError
from MLOps.evaluation.timing_agent import AnyTimingPolicy, card_of, require_fit, require_unseen, steps_of
from MLOps.evaluation.timing_policies import ChoosesSteps
from MLOps.inference.model_files import model_digest, weights_digest
from MLOps.inference.timing_model import RainbowTimingCard
from MLOps.inference.timing_policy import load_timing_policy
from MLOps.market.price_cycles import Cycles
from MLOps.settings.timing import TimingDataSettings
from MLOps.settings.timing_evaluation import TimingEvaluationSettings


@dataclass(frozen=True)
class TimingContender:
    """A model that decides when to buy.

    Attributes
    ----------
    label : str
        How the report calls it.
    folder : Path
        Where it was read.
    version : int or None
        Its number in the registry; None for a folder.
    """

    label: str
    folder: Path
    policy: AnyTimingPolicy
    digest: str
    version: int | None
    is_champion: bool = False

    def check(self, data: TimingDataSettings, cycles: Cycles) -> None:
        """Raise ModelError unless the model fits the data and has learned nothing of the cycles or after them."""
        require_fit(self.label, self.policy, data, self.is_champion)
        require_unseen(self.label, self.policy, cycles)

    @property
    def weights(self) -> str:
        """Digest of what it has learned."""
        return weights_digest(self.folder)

    @property
    def steps(self) -> ChoosesSteps:
        """Its greedy policy."""
        return steps_of(self.policy)


@dataclass(frozen=True)
class TimingContenders:
    """The judged model first, those of other seeds after it; the champion, where it is asked for."""

    models: tuple[TimingContender, ...]
    champion: TimingContender | None

    @property
    def all(self) -> tuple[TimingContender, ...]:
        return (*self.models, *([self.champion] if self.champion else []))


def choose_timing_models(settings: TimingEvaluationSettings) -> TimingContenders:
    """The models that the settings name.

    Raises
    ------
    ModelError, DigestError
        If a model folder is missing, malformed, or was altered after it was made; or if the models of `seed_paths`
        differ from the judged one in more than their seed, or not in it.
    RegistryError
        If the registry holds no such model, or its champion has no passing verdict.
    """
    found, champion = [], None
    if settings.model_path is not None:
        found.append(_from_folder(settings.paths.workspace / settings.model_path))
    if settings.model_path is None or settings.compare_with_champion:
        model, champion = _from_registry(settings)
        found += [model] if model else []
    found += [_from_folder(settings.paths.workspace / path) for path in settings.seed_paths]
    require_seeds_alone(found)
    return TimingContenders(tuple(found), champion)


def require_seeds_alone(models: Sequence[TimingContender]) -> None:
    """Raise ModelError unless the models, by their cards, were trained alike but for seeds that all differ.

    A spread over seeds says nothing of luck if a model is counted twice, or if some had other data or switches.
    """
    seeds: dict[object, str] = {}
    for model in models if len(models) > 1 else ():
        first, trained, reference = models[0], _training_of(model), _training_of(models[0])
        others = [name for name in reference | trained if trained.get(name) != reference.get(name)]
        if others:
            _refuse(f"{model.label} and {first.label} differ in {', '.join(others)}")
        seed = trained_card(model).provenance.get("seed")
        for told, value in ((f"seed {seed}", seed), ("digest", model.digest)):
            if value is None or value in seeds:
                _refuse(f"{model.label} has no {told} of its own, beside {seeds.get(value, 'the others')}")
            seeds[value] = model.label


def trained_card(model: TimingContender) -> RainbowTimingCard:
    """The card of a trained model; raises ModelError for buying first, which has no seed."""
    card = card_of(model.policy)
    if card is None:
        _refuse(f"{model.label} buys first and was not trained")
    return card


def _training_of(model: TimingContender) -> dict[str, object]:
    """What its card tells of the training, but for the seed and for how it went."""
    card = trained_card(model)
    record = card.model_dump(include={"architecture", "observation", "market", "environment", "windows"})
    switches = {name: value for name, value in card.provenance.items() if name.startswith("is_")}
    return record | {name: card.provenance.get(name) for name in ("algorithm", "bars_sha256")} | switches


def _refuse(found: str) -> NoReturn:
    raise ModelError(found, "models trained alike, each with a seed of its own", "seed_paths")


def _from_folder(folder: Path) -> TimingContender:
    policy = load_timing_policy(folder)
    check_unaltered(folder)
    digest = model_digest(folder)
    return TimingContender(f"Model {digest[:12]}", folder, policy, digest, None)


def _from_registry(settings: TimingEvaluationSettings) -> tuple[TimingContender | None, TimingContender | None]:
    """The model, unless a folder is named; the champion, where it is asked for."""
    from model_registry.champion import ensure_champion
    from model_registry.family import CRYPTO_TIMING
    from model_registry.open_registry import open_registry
    from model_registry.registry import ModelVersion

    def contender(version: ModelVersion, is_champion: bool = False) -> TimingContender:
        label, folder = f"{version.name} version {version.version}", registry.fetch(version)
        policy = load_timing_policy(folder, version.digest)
        return TimingContender(label, folder, policy, version.digest, version.version, is_champion)

    registry, name = open_registry(settings), settings.registry.model_name
    champion = ensure_champion(registry, name, CRYPTO_TIMING) if settings.compare_with_champion else None
    model = None
    if settings.model_path is None:
        number, alias = settings.model_version, settings.model_alias
        model = registry.by_alias(name, alias) if number is None else registry.by_version(name, number)
        if model is None:
            raise RegistryError(f"{name} has no {alias}", "an alias that the registry holds", "train_rainbow sets it")
    return (contender(model) if model else None, contender(champion, is_champion=True) if champion else None)
