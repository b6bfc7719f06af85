"""Typed errors that say in one line what was given, what is allowed and where to mend it."""

import re

_USER_INFO = re.compile(r"(?<=://)[^/\s@]+@")


def without_credentials(text: str) -> str:
    """`text` with the user and password of every URI in it blotted out."""
    return _USER_INFO.sub("***@", text)


class PlatformError(Exception):
    """An error that its reader can mend.

    Parameters
    ----------
    given : str
        What was found, with its value and place: ``"window=0"``.
    allowed : str
        What would have been accepted: ``"an integer >= 1"``.
    mend : str
        Where to put it right: ``"config/data_sources.yaml"``.
    """

    exit_code = 1

    def __init__(self, given: str, allowed: str = "", mend: str = "") -> None:
        self.given, self.allowed, self.mend = given, allowed, mend
        parts = [given]
        if allowed:
            parts.append(f"allowed: {allowed}")
        if mend:
            parts.append(f"mend: {mend}")
        super().__init__(without_credentials(" ".join("; ".join(parts).split())))


class SettingsError(PlatformError):
    """A setting is unknown, of a wrong type, or out of its bounds."""

    exit_code = 2


class DataError(PlatformError):
    """Data is missing, malformed, or fails its contract."""

    exit_code = 3


class FailedExpectationsError(DataError):
    """Data fails its validation.

    Parameters
    ----------
    failed : int
        Number of expectations that are not met.
    """

    def __init__(self, given: str, allowed: str = "", mend: str = "", *, failed: int) -> None:
        super().__init__(given, allowed, mend)
        self.failed = failed


class DigestError(DataError):
    """The bytes of a file are not those that were promised."""


class SourceUnavailableError(PlatformError):
    """A data source cannot be reached or refuses to answer."""

    exit_code = 4


class ServiceUnavailableError(PlatformError):
    """A service that the settings name (MLflow server, registry) cannot be reached."""

    exit_code = 4


class StorageError(PlatformError):
    """The disk is full, or a place cannot be written."""

    exit_code = 5


class ModelError(PlatformError):
    """A model cannot be used: wrong kind, wrong observation schema, broken folder."""

    exit_code = 6


class DivergenceError(ModelError):
    """A training came to NaN or infinity."""


class RegistryError(PlatformError):
    """The registry does not hold what was asked for, or an alias moved without a passing verdict."""

    exit_code = 6
