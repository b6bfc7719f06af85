"""What a run came from: commit and dirtiness, settings, input digests, package versions."""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from MLOps.settings.project import project_root
from MLOps.settings.stage_settings import StageSettings, fingerprint

# DVC pointers change with every run and say nothing about the code.
_DATA_POINTERS = ":(exclude)*.dvc"

UNKNOWN_CODE = {"git.commit": "unknown", "git.dirty": "unknown"}

_PACKAGES = (
    "trading-agents-mlops",
    "apache-airflow",
    "mlflow",
    "torch",
    "stable-baselines3",
    "elegantrl",
    "finrl",
    "gymnasium",
    "numpy",
    "pandas",
    "pyarrow",
    "great-expectations",
    "dvc",
)


def provenance_tags(settings: StageSettings) -> dict[str, str]:
    """Tags that say which code and settings a run used.

    Outside a git checkout the commit is "unknown" and the tree counts as dirty.
    """
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", ".", _DATA_POINTERS)
    return {
        "git.commit": commit or "unknown",
        "git.dirty": str(commit is None or bool(changes)).lower(),
        "settings.sha256": fingerprint(settings),
    }


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that decide what a run makes; absent ones are left out."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _git(*arguments: str) -> str | None:
    root: Path = project_root()
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
