"""Where the project lies on this machine."""

from pathlib import Path

from MLOps.errors import SettingsError

_MARK = Path("config", "common", "global_vars.yaml")


def project_root() -> Path:
    """The folder that holds config/ and hyperparameters/.

    It is the checkout that this package was imported from; for an installed package, the working
    directory or the nearest folder above it.

    Raises
    ------
    SettingsError
        If no such folder is found.
    """
    here = Path(__file__).resolve().parents[2]
    for candidate in (here, Path.cwd(), *Path.cwd().parents):
        if (candidate / _MARK).is_file():
            return candidate
    raise SettingsError(f"no {_MARK} in {Path.cwd()} or above it", mend="run from the project's checkout")


def from_project(path: Path) -> Path:
    """`path` itself if absolute, else below the project root."""
    return path if path.is_absolute() else project_root() / path


def readable(path: Path) -> str:
    """`path` relative to the project root where it lies below it; for messages."""
    try:
        return str(path.resolve().relative_to(project_root()))
    except ValueError:
        return str(path)
