"""Where a file lies that a public package archive ships: pinned by version and digest."""

from pydantic import Field

from MLOps.settings.stage_settings import Settings


class PackagedArchive(Settings):
    """A package archive whose files are read; the package is never installed or run."""

    package: str = Field(description="Name of the package in the index.")
    version: str = Field(description="Its exact version.")
    archive: str = Field(description="File name of the archive (a wheel or an sdist).")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of the archive.")
    licence: str = Field(description="Licence of the package.")
    note: str = Field(description="What is known of the data's origin.")
    warnings: tuple[str, ...] = Field(description="What a reader of results must know.")


class PackagedFile(PackagedArchive):
    """One data file inside a package archive."""

    file: str = Field(
        pattern=r"^[^/.][^/]*(/[^/.][^/]*)*$", description="Path of the data file inside the archive; no .. in it."
    )


class PackagedFolder(PackagedArchive):
    """Some files of one folder inside a package archive."""

    folder: str = Field(
        pattern=r"^[^/.][^/]*(/[^/.][^/]*)*$", description="Path of the folder inside the archive; no .. in it."
    )
    files: tuple[str, ...] = Field(min_length=1, description="Names of the files in it that are read.")
