"""Bring a version of the data back from DVC, by its pointer, its md5 or its folder's name.

    python pipelines/data_ingestion/restore_data.py <version> [--workspace PATH] [key=value ...]

The md5 of a run's data is the fact dvc_md5 in its result and in MLflow.
"""

import argparse
import sys
from collections.abc import Sequence

from MLOps.errors import PlatformError
from MLOps.settings.compose import compose_settings
from MLOps.settings.ingestion import IngestionSettings
from MLOps.vendors.dvc import restore_data


def main(argv: Sequence[str] | None = None) -> int:
    """Restore one version and print where it lies; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="pointer, md5 or folder name")
    parser.add_argument("--workspace", help="root of data/ (default: the project)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings, such as versioning.remote=...")
    arguments = parser.parse_args(argv)
    place = [f"paths.workspace={arguments.workspace}"] if arguments.workspace else []
    try:
        settings = compose_settings(IngestionSettings, "ingest_data", [*place, *arguments.overrides])
        folder = restore_data(arguments.version, settings.paths.workspace, settings.versioning)
    except PlatformError as error:
        print(f"restore_data: {error}", file=sys.stderr)  # noqa: T201 - the failure of a command line
        return error.exit_code
    print(folder)  # noqa: T201 - the answer of a command line
    return 0


if __name__ == "__main__":
    sys.exit(main())
