"""Nobody is champion without a passing verdict, and there is one from the start."""

from collections.abc import Callable
from pathlib import Path

import pytest

from MLOps.errors import RegistryError
from MLOps.inference.policy import EqualWeightPolicy, MlpActorPolicy
from model_registry.champion import champion_version, ensure_champion, promote
from model_registry.family import STOCK_TRADING
from model_registry.registry import ModelRegistry, ModelVersion
from model_registry.stock_policy import load_champion
from model_registry.verdict import Verdict

NAME = "stock_trading"
CHAMPION, GATES = STOCK_TRADING.champion_alias, STOCK_TRADING.gates
VerdictMaker = Callable[..., Verdict]


@pytest.fixture
def challenger(registry: ModelRegistry, make_model: Callable[[float], Path]) -> ModelVersion:
    """A registered model, the champion being seeded after it."""
    version = registry.register(make_model(0.1), NAME, {})
    ensure_champion(registry, NAME, STOCK_TRADING)
    return version


def test_without_a_champion_loading_says_what_to_run(registry: ModelRegistry) -> None:
    with pytest.raises(RegistryError, match=r"has no champion; .*run run_backtest, then promote_to_paper"):
        load_champion(registry, NAME)


def test_first_champion_is_the_equal_weight_policy_with_a_seeding_verdict(registry: ModelRegistry) -> None:
    first, again = ensure_champion(registry, NAME, STOCK_TRADING), ensure_champion(registry, NAME, STOCK_TRADING)
    loaded = load_champion(registry, NAME)
    assert first == again == loaded.version
    assert isinstance(loaded.policy, EqualWeightPolicy)
    (verdict,) = registry.verdicts(first)
    assert (verdict.basis, verdict.has_passed, verdict.model_digest) == ("seeding", True, first.digest)
    assert len(registry.versions(NAME)) == 1


def test_seeding_that_was_cut_off_is_finished(registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(registry, "set_alias", cut_off)
        with pytest.raises(KeyboardInterrupt):
            ensure_champion(registry, NAME, STOCK_TRADING)
    assert registry.by_alias(NAME, CHAMPION) is None
    assert ensure_champion(registry, NAME, STOCK_TRADING).version == 1


def test_alias_moved_without_a_verdict_is_refused(registry: ModelRegistry, challenger: ModelVersion) -> None:
    registry.set_alias(NAME, CHAMPION, challenger.version)
    for load in (
        lambda: load_champion(registry, NAME),
        lambda: champion_version(registry, NAME, STOCK_TRADING),
        lambda: ensure_champion(registry, NAME, STOCK_TRADING),
    ):
        with pytest.raises(RegistryError, match=r"moved to stock_trading version 1 .* no passing verdict") as refusal:
            load()
        assert "\n" not in str(refusal.value)


def test_rejected_verdict_is_none(
    registry: ModelRegistry, challenger: ModelVersion, make_verdict: VerdictMaker
) -> None:
    registry.store_verdict(challenger, make_verdict(challenger.digest, None, passed=False))
    registry.set_alias(NAME, CHAMPION, challenger.version)
    with pytest.raises(RegistryError, match="no passing verdict"):
        load_champion(registry, NAME)


def test_promoted_model_loads_and_the_former_one_can_come_back(
    registry: ModelRegistry, challenger: ModelVersion, make_verdict: VerdictMaker
) -> None:
    former = champion_version(registry, NAME, STOCK_TRADING)
    verdict = make_verdict(challenger.digest, former.digest, passed=True)
    registry.store_verdict(challenger, verdict)
    for _ in range(2):
        promote(registry, challenger, verdict, STOCK_TRADING)
        loaded = load_champion(registry, NAME)
        assert loaded.version == challenger
        assert isinstance(loaded.policy, MlpActorPolicy)
    registry.set_alias(NAME, CHAMPION, former.version)
    assert load_champion(registry, NAME).version == former


def test_later_rejection_does_not_unseat_the_champion(
    registry: ModelRegistry, challenger: ModelVersion, make_verdict: VerdictMaker
) -> None:
    verdict = make_verdict(challenger.digest, champion_version(registry, NAME, STOCK_TRADING).digest, passed=True)
    registry.store_verdict(challenger, verdict)
    promote(registry, challenger, verdict, STOCK_TRADING)
    registry.store_verdict(challenger, make_verdict(challenger.digest, "b" * 64, passed=False, key="k2"))
    assert load_champion(registry, NAME).version == challenger


def test_only_a_stored_passing_verdict_promotes(
    registry: ModelRegistry, challenger: ModelVersion, make_verdict: VerdictMaker
) -> None:
    former = champion_version(registry, NAME, STOCK_TRADING)
    passed = make_verdict(challenger.digest, former.digest, passed=True)
    with pytest.raises(RegistryError, match="no stored passing verdict k1"):
        promote(registry, challenger, passed, STOCK_TRADING)
    rejected = make_verdict(challenger.digest, former.digest, passed=False)
    registry.store_verdict(challenger, rejected)
    with pytest.raises(RegistryError, match="no stored passing verdict k1"):
        promote(registry, challenger, rejected, STOCK_TRADING)
    assert champion_version(registry, NAME, STOCK_TRADING) == former


def test_verdict_against_another_champion_promotes_nobody(
    registry: ModelRegistry, challenger: ModelVersion, make_verdict: VerdictMaker
) -> None:
    former = champion_version(registry, NAME, STOCK_TRADING)
    verdict = make_verdict(challenger.digest, "b" * 64, passed=True)
    registry.store_verdict(challenger, verdict)
    with pytest.raises(RegistryError, match="judged against another champion"):
        promote(registry, challenger, verdict, STOCK_TRADING)
    assert champion_version(registry, NAME, STOCK_TRADING) == former


@pytest.mark.parametrize(("basis", "names"), [("seeding", ("is_baseline",)), ("gates", GATES[1:]), ("gates", ("x",))])
def test_verdict_that_the_gates_did_not_give_is_none(
    registry: ModelRegistry, challenger: ModelVersion, make_verdict: VerdictMaker, basis: str, names: tuple[str, ...]
) -> None:
    verdict = make_verdict(challenger.digest, None, passed=True, basis=basis, names=names)
    registry.store_verdict(challenger, verdict)
    registry.set_alias(NAME, CHAMPION, challenger.version)
    assert not verdict.has_passed
    with pytest.raises(RegistryError, match="no passing verdict"):
        load_champion(registry, NAME)


def test_lost_alias_of_a_promoted_model_is_told_and_not_seeded_over(
    registry: ModelRegistry,
    challenger: ModelVersion,
    make_verdict: VerdictMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict = make_verdict(challenger.digest, champion_version(registry, NAME, STOCK_TRADING).digest, passed=True)
    registry.store_verdict(challenger, verdict)
    promote(registry, challenger, verdict, STOCK_TRADING)
    monkeypatch.setattr(registry, "by_alias", lambda *_names: None)
    with pytest.raises(RegistryError, match=r"no champion, although version 1 passed the gates; .*mend: set the alias"):
        ensure_champion(registry, NAME, STOCK_TRADING)
    assert registry.aliases(NAME)[CHAMPION] == challenger.version
