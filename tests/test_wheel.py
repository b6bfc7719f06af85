"""An editable install hides a package that was forgotten: build the wheel and import from it elsewhere."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from MLOps.settings.project import project_root

PACKAGES = ("MLOps", "experiment_tracking", "model_registry", "monitoring", "pipelines", "deployment")
SHIPPED = (".py", ".j2")

BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
IMPORT = """
import importlib, pkgutil, sys
from pathlib import Path

site = Path(sys.argv[1])
sys.path.insert(0, str(site))
for top in sys.argv[2:]:
    root = importlib.import_module(top)
    packages = [item.name for item in pkgutil.walk_packages(root.__path__, f"{top}.") if item.ispkg]
    for name in (top, *packages):
        place = Path(importlib.import_module(name).__file__)
        assert place.is_relative_to(site), f"{name} came from {place}"
        print(name)
"""


def _shipped(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.suffix in SHIPPED
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, built without any index from a copy of the checkout."""
    root, source = project_root(), tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", *_shipped(root)):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((root / name).read_bytes())
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-c", BUILD, str(wheels)], cwd=source, check=True, capture_output=True)
    (wheel,) = wheels.glob("trading_agents_mlops-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def test_wheel_ships_every_module_and_template(site: Path) -> None:
    assert _shipped(site) == _shipped(project_root())


def test_every_package_imports_from_the_wheel(site: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", IMPORT, str(site), *PACKAGES], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    imported = told.stdout.split()
    faces = {path.parent for path in site.rglob("__init__.py")}
    assert set(imported) == {".".join(face.relative_to(site).parts) for face in faces}
