"""Make an output once and keep it in DVC; what was kept before comes back instead of being made anew."""

from collections.abc import Callable
from pathlib import Path

from MLOps.artifacts import Made, Output, make_once, read_result
from MLOps.settings.versioning import VersioningSettings
from MLOps.stage import StageResult, Tracker
from MLOps.vendors.dvc import restore_if_kept, version_data


def make_versioned(
    output: Output, make: Callable[[Path, str], Made], tracker: Tracker, versioning: VersioningSettings
) -> StageResult:
    """`make_once`, with the output's version in DVC among its details.

    An output that was kept once and is no longer whole on the disk is restored: a source may have
    restated its history since, and a past date must stay what it was. After a kill between making
    and keeping, the next run keeps it.

    Raises
    ------
    DataError
        As `make_once`.
    SourceUnavailableError
        If the DVC remote cannot be reached, or lacks what its pointer promises.
    """
    workspace = output.settings.paths.workspace
    place = output.root / f"{output.label}-{output.key(output.input_digests())}"
    if read_result(place) is None:
        restore_if_kept(place, workspace, versioning)
    result = make_once(output, make, tracker)
    version = version_data(result.folder, workspace, versioning)
    return result.model_copy(update={"details": result.details | version.details()}) if version else result
