"""From settings to the chosen source, what identifies it, and the files that it reads."""

import json
from collections.abc import Callable
from pathlib import Path

from MLOps.errors import SettingsError
from MLOps.market.source import DataSource
from MLOps.settings.ingestion import IngestionSettings
from MLOps.settings.project import from_project
from MLOps.settings.stage_settings import fingerprint
from pipelines.data_ingestion.download_alpaca import AlpacaSource
from pipelines.data_ingestion.download_yahoo import YahooSource
from pipelines.data_ingestion.read_folder import FolderSource
from pipelines.data_ingestion.read_package_archive import PackageArchiveSource


def open_source(settings: IngestionSettings) -> DataSource:
    """The source that `data.source` names.

    Raises
    ------
    SettingsError
        If a network source is asked for all tickers, or the folder source has no folder.
    """
    return _OPENERS[settings.data.source](settings)


def _package_archive(settings: IngestionSettings) -> DataSource:
    data = settings.data
    return PackageArchiveSource(
        settings.sources.package_archive, data.calendar, settings.paths.cache / "packages", data.with_news
    )


def _folder(settings: IngestionSettings) -> DataSource:
    paths = source_inputs(settings)
    return FolderSource(settings.sources.folder, settings.data.calendar, paths["bars"], paths.get("news"))


def _yahoo(settings: IngestionSettings) -> DataSource:
    _check_tickers(settings)
    return YahooSource(settings.sources.yahoo, settings.data.calendar)


def _alpaca(settings: IngestionSettings) -> DataSource:
    _check_tickers(settings)
    return AlpacaSource(settings.sources.alpaca, settings.data.calendar)


_OPENERS: dict[str, Callable[[IngestionSettings], DataSource]] = {
    "package_archive": _package_archive,
    "yahoo": _yahoo,
    "alpaca": _alpaca,
    "folder": _folder,
}


def _check_tickers(settings: IngestionSettings) -> None:
    if not settings.data.tickers:
        raise SettingsError(
            f"data.tickers is empty with source={settings.data.source}", "at least one ticker", "--tickers AAPL,MSFT"
        )


def source_inputs(settings: IngestionSettings) -> dict[str, Path]:
    """Files and folders of the user's own that the source reads."""
    if settings.data.source != "folder":
        return {}
    folder = settings.sources.folder
    if folder.bars is None:
        raise SettingsError("sources.folder.bars is empty", "a file or folder of bars", "--bars_path PATH")
    paths = {"bars": folder.bars} | ({"news": folder.news} if folder.news and settings.data.with_news else {})
    return {name: from_project(path.expanduser()) for name, path in paths.items()}


def source_identity(settings: IngestionSettings) -> str:
    """Hash of what decides the source's content: only of the section, and the universe, that is used."""
    if settings.data.source != "package_archive":
        return fingerprint(getattr(settings.sources, settings.data.source))
    archive = settings.sources.package_archive
    used = [fingerprint(archive.universes[archive.universe])]
    used += [fingerprint(archive.news)] if settings.data.with_news else []
    return json.dumps([archive.universe, *used])


def accepted_jumps(settings: IngestionSettings) -> tuple[str, ...]:
    """Jumps that look like a split and were looked at, for the chosen universe."""
    if settings.data.source != "package_archive":
        return ()
    archive = settings.sources.package_archive
    return archive.universes[archive.universe].accepted_jumps
