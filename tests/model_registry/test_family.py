"""Families do not mix: a verdict promotes models of its own family only, and a name holds models of one."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import pytest

from MLOps.errors import DataError, ModelError, RegistryError
from MLOps.inference.model_files import ADAPTER_FILE, CARD_FILE, MODEL_FILES, POLICY_FILE, card_kind, model_digest
from MLOps.sentiment import lexicons
from model_registry.champion import champion_version, ensure_champion, find_champion, names_of, promote, require_name
from model_registry.family import CRYPTO_TIMING, FAMILIES, SENTIMENT, STOCK_TRADING, ModelFamily, baseline_digest
from model_registry.registry import ModelRegistry, ModelVersion
from model_registry.verdict import Verdict

NAME = "sentiment"
ModelMaker = Callable[[float], Path]
VerdictMaker = Callable[..., Verdict]


@pytest.fixture
def make_classifier(tmp_path: Path) -> Callable[[str], Path]:
    """A maker of folders with a card of the fine-tuned kind and an adapter; nobody opens either here."""

    def make(adapter: str = "weights") -> Path:
        folder = tmp_path / f"classifier_{adapter}"
        folder.mkdir(exist_ok=True)
        (folder / CARD_FILE).write_text('{"kind": "lora_classifier"}')
        (folder / ADAPTER_FILE).write_text(adapter)
        return folder

    return make


@pytest.fixture
def classifier(registry: ModelRegistry, make_classifier: Callable[[str], Path]) -> ModelVersion:
    """A registered classifier, the champion being seeded after it."""
    version = registry.register(make_classifier("weights"), NAME, {})
    ensure_champion(registry, NAME, SENTIMENT)
    return version


def test_families_share_neither_alias_nor_kind_nor_gates() -> None:
    families = list(FAMILIES.values())
    assert [name for name, family in FAMILIES.items() if family.name != name] == []
    assert len({family.champion_alias for family in families}) == len(families)
    assert len({family.gates for family in families}) == len(families)
    kinds = [kind for family in families for kind in family.kinds]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_baseline_is_of_its_family(family: ModelFamily, tmp_path: Path) -> None:
    assert family.write_baseline(tmp_path) == model_digest(tmp_path) == baseline_digest(family)
    assert card_kind(tmp_path) == family.baseline_kind


def test_importing_the_registry_brings_in_no_learning_library() -> None:
    code = "import sys, model_registry.open_registry, model_registry.champion\nprint(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"torch", "transformers", "peft", "onnxruntime", "sklearn", "nltk", "vaderSentiment", "mlflow"}
    assert "model_registry.champion" in told.split()
    assert not heavy & set(told.split())


def test_digest_of_a_policy_is_what_it_was_before_there_were_adapters(make_model: ModelMaker) -> None:
    """The listing of the first two file names alone, so that registered policies keep their digests."""
    import hashlib

    folder = make_model(0.1)
    names = (CARD_FILE, POLICY_FILE)
    listing = "".join(f"{name} {hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n" for name in names)
    assert model_digest(folder) == hashlib.sha256(listing.encode()).hexdigest()
    assert MODEL_FILES[:2] == names


def test_adapter_is_part_of_the_digest_and_is_fetched(
    registry: ModelRegistry, make_classifier: Callable[[str], Path]
) -> None:
    first, second = (registry.register(make_classifier(adapter), NAME, {}) for adapter in ("one", "two"))
    assert (first.version, second.version) == (1, 2)
    for version, adapter in [(first, "one"), (second, "two"), (first, "one")]:
        assert (registry.fetch(version) / ADAPTER_FILE).read_text() == adapter


def test_altered_adapter_is_refused(registry: ModelRegistry, classifier: ModelVersion, tracked_workspace: Path) -> None:
    for path in tracked_workspace.rglob(ADAPTER_FILE):
        path.write_text("other weights")
    with pytest.raises(DataError, match="has digest"):
        registry.fetch(classifier)


@pytest.mark.parametrize(
    ("card", "told"), [("{", "is no JSON"), ("[]", "names no kind"), ('{"kind": 3}', "names no kind")]
)
def test_card_without_a_kind_is_one_line(tmp_path: Path, card: str, told: str) -> None:
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        card_kind(tmp_path)
    (tmp_path / CARD_FILE).write_text(card)
    with pytest.raises(ModelError, match=told):
        card_kind(tmp_path)


def test_first_champion_of_sentiment_is_vader(registry: ModelRegistry) -> None:
    first, again = (ensure_champion(registry, NAME, SENTIMENT) for _ in range(2))
    assert first == again == champion_version(registry, NAME, SENTIMENT)
    assert registry.aliases(NAME) == {"sentiment_champion": 1}
    assert card_kind(registry.fetch(first)) == "vader"
    (verdict,) = registry.verdicts(first)
    assert (verdict.family, verdict.basis, verdict.has_passed) == ("sentiment", "seeding", True)


def test_first_champion_of_crypto_timing_buys_at_the_first_step(registry: ModelRegistry) -> None:
    first, again = (ensure_champion(registry, "crypto_timing", CRYPTO_TIMING) for _ in range(2))
    assert first == again == champion_version(registry, "crypto_timing", CRYPTO_TIMING)
    assert registry.aliases("crypto_timing") == {"crypto_timing_champion": 1}
    assert card_kind(registry.fetch(first)) == "buy_first"


def test_passing_verdict_of_its_family_promotes(
    registry: ModelRegistry, classifier: ModelVersion, make_verdict: VerdictMaker
) -> None:
    former = champion_version(registry, NAME, SENTIMENT)
    verdict = make_verdict(classifier.digest, former.digest, passed=True, family=SENTIMENT)
    registry.store_verdict(classifier, verdict)
    promote(registry, classifier, verdict, SENTIMENT)
    assert champion_version(registry, NAME, SENTIMENT) == classifier
    assert registry.aliases(NAME) == {"sentiment_champion": classifier.version}


@pytest.mark.parametrize("names", [STOCK_TRADING.gates, SENTIMENT.gates], ids=["stock_gates", "sentiment_gates"])
def test_stock_verdict_promotes_no_sentiment_model(
    registry: ModelRegistry, classifier: ModelVersion, make_verdict: VerdictMaker, names: tuple[str, ...]
) -> None:
    former = champion_version(registry, NAME, SENTIMENT)
    verdict = make_verdict(classifier.digest, former.digest, passed=True, family=STOCK_TRADING, names=names)
    registry.store_verdict(classifier, verdict)
    with pytest.raises(RegistryError, match="no stored passing verdict"):
        promote(registry, classifier, verdict, SENTIMENT)
    with pytest.raises(RegistryError, match=r"is of kind lora_classifier|no stored passing verdict"):
        promote(registry, classifier, verdict, STOCK_TRADING)
    assert champion_version(registry, NAME, SENTIMENT) == former
    registry.set_alias(NAME, SENTIMENT.champion_alias, classifier.version)
    with pytest.raises(RegistryError, match="no passing verdict"):
        champion_version(registry, NAME, SENTIMENT)


@pytest.mark.parametrize("names", [STOCK_TRADING.gates, SENTIMENT.gates], ids=["stock_gates", "sentiment_gates"])
def test_sentiment_verdict_promotes_no_policy(
    registry: ModelRegistry, make_model: ModelMaker, make_verdict: VerdictMaker, names: tuple[str, ...]
) -> None:
    policy = registry.register(make_model(0.1), "stock_trading", {})
    former = ensure_champion(registry, "stock_trading", STOCK_TRADING)
    verdict = make_verdict(policy.digest, former.digest, passed=True, family=SENTIMENT, names=names)
    registry.store_verdict(policy, verdict)
    for family in (STOCK_TRADING, SENTIMENT):
        with pytest.raises(RegistryError, match=r"is of kind mlp_actor|no stored passing verdict"):
            promote(registry, policy, verdict, family)
    registry.set_alias("stock_trading", "champion", policy.version)
    with pytest.raises(RegistryError, match="no passing verdict"):
        champion_version(registry, "stock_trading", STOCK_TRADING)


def test_whole_verdict_of_its_family_does_not_promote_a_model_of_another_kind(
    registry: ModelRegistry, make_model: ModelMaker, make_verdict: VerdictMaker
) -> None:
    """As if the gates had let a policy through that was registered among the sentiment models."""
    former = ensure_champion(registry, NAME, SENTIMENT)
    policy = registry.register(make_model(0.1), NAME, {})
    verdict = make_verdict(policy.digest, former.digest, passed=True, family=SENTIMENT)
    registry.store_verdict(policy, verdict)
    with pytest.raises(RegistryError, match=r"is of kind mlp_actor; allowed: .*sentiment: lora_classifier, vader"):
        promote(registry, policy, verdict, SENTIMENT)
    assert champion_version(registry, NAME, SENTIMENT) == former


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_name_of_another_family_is_not_seeded(
    registry: ModelRegistry, make_model: ModelMaker, make_classifier: Callable[[str], Path], family: ModelFamily
) -> None:
    source = make_classifier("weights") if family is STOCK_TRADING else make_model(0.1)
    version = registry.register(source, "models", {})
    with pytest.raises(RegistryError, match=r"models version 1 .* is of kind .*registry\.model_name"):
        ensure_champion(registry, "models", family)
    assert registry.versions("models") == (version,)
    assert registry.aliases("models") == {}


@pytest.mark.parametrize(("family", "other"), list(permutations(FAMILIES.values(), 2)), ids=lambda family: family.name)
def test_name_that_another_family_has_is_refused(
    registry: ModelRegistry, family: ModelFamily, other: ModelFamily
) -> None:
    require_name(registry, "models", family)
    ensure_champion(registry, "models", other)
    require_name(registry, "models", other)
    with pytest.raises(
        RegistryError, match=rf"is of kind {other.baseline_kind}; .*{family.name}.*registry\.model_name"
    ):
        require_name(registry, "models", family)


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Lets another release of VADER seem to be installed."""

    def install(number: str) -> None:
        monkeypatch.setattr(lexicons, "version", lambda _package: number)
        baseline_digest.cache_clear()

    yield install
    baseline_digest.cache_clear()


def test_baseline_of_another_release_gives_way_where_no_model_ever_passed(
    registry: ModelRegistry, classifier: ModelVersion, make_verdict: VerdictMaker, release: Callable[[str], None]
) -> None:
    former = ensure_champion(registry, NAME, SENTIMENT)
    release("99.1")
    with pytest.raises(RegistryError, match=r"is the baseline vader of another release than the installed one; .*mend"):
        champion_version(registry, NAME, SENTIMENT)
    assert find_champion(registry, NAME, SENTIMENT) is None
    present = ensure_champion(registry, NAME, SENTIMENT)
    assert "99.1" in (registry.fetch(present) / CARD_FILE).read_text()
    assert present == champion_version(registry, NAME, SENTIMENT)
    assert [found.version for found in registry.versions(NAME)] == [classifier.version, former.version, present.version]
    verdict = make_verdict(classifier.digest, present.digest, passed=True, family=SENTIMENT)
    registry.store_verdict(classifier, verdict)
    promote(registry, classifier, verdict, SENTIMENT)
    assert champion_version(registry, NAME, SENTIMENT) == classifier


def test_baseline_of_another_release_is_refused_where_a_model_passed(
    registry: ModelRegistry, classifier: ModelVersion, make_verdict: VerdictMaker, release: Callable[[str], None]
) -> None:
    """Somebody rolled back to it: nobody takes that back."""
    former = ensure_champion(registry, NAME, SENTIMENT)
    registry.store_verdict(classifier, make_verdict(classifier.digest, former.digest, passed=True, family=SENTIMENT))
    release("99.1")
    with pytest.raises(RegistryError, match="of another release than the installed one"):
        ensure_champion(registry, NAME, SENTIMENT)
    assert registry.aliases(NAME) == {"sentiment_champion": former.version}


def test_seeding_of_one_family_is_void_for_the_other(
    registry: ModelRegistry, make_verdict: VerdictMaker, tmp_path: Path
) -> None:
    SENTIMENT.write_baseline(tmp_path / "vader")
    version = registry.register(tmp_path / "vader", NAME, {})
    for family, has_passed in [(STOCK_TRADING, False), (SENTIMENT, True), (CRYPTO_TIMING, False)]:
        verdict = make_verdict(version.digest, None, True, names=("is_baseline",), basis="seeding", family=family)
        assert verdict.has_passed == has_passed


def test_verdict_of_no_known_family_is_none(make_verdict: VerdictMaker) -> None:
    verdict = make_verdict("a" * 64, None, passed=True)
    assert verdict.has_passed
    assert not verdict.model_copy(update={"family": "unheard_of"}).has_passed


def test_verdict_stored_before_there_were_families_speaks_for_stock_trading(make_verdict: VerdictMaker) -> None:
    verdict = make_verdict("a" * 64, None, passed=True)
    kept = verdict.model_dump(mode="json", exclude={"family"})
    assert Verdict.model_validate(kept) == verdict
    assert verdict.family == "stock_trading"


def test_names_of_all_models_are_told(registry: ModelRegistry, make_model: ModelMaker) -> None:
    assert registry.names() == ()
    registry.register(make_model(0.1), "stock_trading", {})
    ensure_champion(registry, NAME, SENTIMENT)
    assert registry.names() == ("sentiment", "stock_trading")


def test_names_of_a_family_are_told_by_verdict_or_card(
    registry: ModelRegistry, make_model: ModelMaker, tracked_workspace: Path
) -> None:
    assert names_of(registry, CRYPTO_TIMING) == ()
    for name in ("crypto_timing_eth", "crypto_timing"):
        ensure_champion(registry, name, CRYPTO_TIMING)
    registry.register(make_model(0.1), "stocks_unjudged", {})
    assert names_of(registry, CRYPTO_TIMING) == ("crypto_timing", "crypto_timing_eth")
    assert names_of(registry, STOCK_TRADING) == ("stocks_unjudged",)
    for path in tracked_workspace.rglob("model.json"):
        path.write_text(path.read_text().replace("kind", "kinds"))
    assert names_of(registry, CRYPTO_TIMING) == ("crypto_timing", "crypto_timing_eth")  # judged, though altered since
    assert names_of(registry, STOCK_TRADING) == ()
    for path in tracked_workspace.rglob("model.json"):
        path.unlink()
    assert names_of(registry, STOCK_TRADING) == ()
