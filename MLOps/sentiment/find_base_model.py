"""The encoder under an adapter: of those that the settings name and those in config/sentiment_models, the one it fits.

A model stays usable when the settings name another encoder for the next training.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from MLOps.sentiment.base_model import BaseModel, load_base_model
from MLOps.sentiment.model_card import BaseModelRecord
from MLOps.settings.project import project_root
from MLOps.settings.sentiment_model import BaseModelSettings

_SETTINGS: TypeAdapter[BaseModelSettings] = TypeAdapter(BaseModelSettings)


def find_base_model(wanted: BaseModelRecord, named: Sequence[BaseModelSettings], cache: Path) -> BaseModel:
    """The encoder of the card's digest; where none has it, the first of `named`, for its user to refuse.

    Parameters
    ----------
    wanted : BaseModelRecord
        Of the adapter's card.
    named : sequence of BaseModelSettings
        What the settings name, one at least. Of config/sentiment_models those of the card's name are tried too.
    cache : Path
        Where encoders are kept.

    Raises
    ------
    SourceUnavailableError
        If an encoder must be fetched and cannot be.
    DigestError
        If the archive has other bytes than the pinned ones.
    ModelError
        If one lacks the configuration, the tokenizer or safetensors weights.
    """
    candidates = [*named, *(settings for settings in _shipped() if settings.name == wanted.name)]
    for settings in sorted(candidates, key=lambda settings: settings.name != wanted.name):
        base = load_base_model(settings, cache)
        if base.sha256 == wanted.sha256:
            return base
    return load_base_model(named[0], cache)


def _shipped() -> Iterator[BaseModelSettings]:
    """The encoders of config/sentiment_models; a file that is not whole by itself is passed over."""
    for path in sorted((project_root() / "config" / "sentiment_models").glob("*.yaml")):
        with suppress(ValidationError, yaml.YAMLError):
            yield _SETTINGS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
