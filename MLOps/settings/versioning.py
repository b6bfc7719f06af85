"""Settings of data versioning."""

from pydantic import Field

from MLOps.settings.stage_settings import Settings


class VersioningSettings(Settings):
    """Where DVC keeps what a run must be able to get back."""

    enabled: bool = Field(description="Version outputs with DVC; false leaves them on disk only.")
    remote: str = Field(description="DVC remote: a path (relative: below the workspace) or s3://bucket/prefix.")
    s3_endpoint_url: str | None = Field(description="Address of an S3 server other than Amazon's; empty for Amazon's.")
    pointer_folder: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_/.-]*$", description="Folder of the .dvc pointers, below the workspace."
    )
