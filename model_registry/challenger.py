"""The challenger: the newest model that a training registered, until the gates have judged it."""

import logging
from collections.abc import Mapping

from MLOps import failpoints
from MLOps.settings.stage_settings import StageSettings
from MLOps.stage import StageResult
from model_registry.champion import require_name
from model_registry.family import ModelFamily
from model_registry.open_registry import open_registry
from model_registry.registry import CHALLENGER, time_tag

_LOG = logging.getLogger(__name__)


def register_challenger(
    result: StageResult, settings: StageSettings, family: ModelFamily, tags: Mapping[str, str], run_id: str
) -> StageResult:
    """Register the model in the result's folder and point the alias at it; the result then names the version.

    Run again, it finds the version that the first run made.

    Raises
    ------
    RegistryError
        If the registered name is that of another family's models.
    ServiceUnavailableError
        If the registry cannot be reached.
    """
    registry, name = open_registry(settings), settings.registry.model_name
    require_name(registry, name, family)
    version = registry.register(result.folder, name, {**tags, "training_key": result.key, **time_tag()}, run_id)
    registry.set_alias(name, CHALLENGER, version.version)
    _LOG.info("registered %s as %s", version, CHALLENGER)
    failpoints.reach("after_registration")
    registration = {"model_name": name, "model_version": version.version, "model_alias": CHALLENGER}
    return result.model_copy(update={"details": result.details | registration})
