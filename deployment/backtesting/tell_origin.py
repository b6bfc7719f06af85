"""Where the features of a report are, and what their own result tells of where they came from."""

from pathlib import Path

from MLOps.artifacts import read_result, sha256_of
from MLOps.market.data_warnings import data_warnings
from MLOps.settings.stage_settings import PathSettings

FEATURES = "processed_data_with_features.parquet"


def features_file(paths: PathSettings, named: Path | None) -> Path:
    """The features that are named, else the workspace's; with links resolved, so that one version is read."""
    return (paths.workspace / (named or paths.processed / FEATURES)).resolve()


def tell_origin(features: Path, caption: str = "Features") -> tuple[tuple[str, ...], dict[str, str]]:
    """What a reader must know of the features, or of other data, and their origin, licence and digest by caption."""
    made = read_result(features.parent)
    details = made.details if made else {}
    sources = {
        "Data": details.get("origin"),
        "Licence": details.get("licence"),
        caption: f"sha256 {sha256_of(features)}",
    }
    return data_warnings(details), {name: str(text) for name, text in sources.items() if text}
