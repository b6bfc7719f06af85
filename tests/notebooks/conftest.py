"""Notebooks are executed as a person would, on a store that the test makes."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from MLOps.settings.project import project_root

Execute = Callable[[str, Path], list[Any]]


@pytest.fixture(scope="session")
def execute() -> Execute:
    """Gives the outputs of all cells of a notebook, its settings leading to a workspace."""

    def run(name: str, workspace: Path) -> list[Any]:
        notebook = nbformat.read(project_root() / "notebooks" / name, as_version=4)
        (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
        parameters.source = f"overrides = ['paths.workspace={workspace}']"
        NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
        return [output for cell in notebook.cells for output in cell.get("outputs", [])]

    return run


@pytest.fixture(scope="session")
def texts() -> Callable[[list[Any]], str]:
    """Gives the Markdown among outputs."""
    return lambda outputs: "".join(output.get("data", {}).get("text/markdown", "") for output in outputs)


@pytest.fixture(scope="session")
def charts() -> Callable[[list[Any]], list[Any]]:
    """Gives the charts among outputs."""
    kind = "application/vnd.plotly.v1+json"
    return lambda outputs: [output["data"][kind] for output in outputs if kind in output.get("data", {})]


@pytest.fixture(scope="session")
def numbers() -> Callable[[Any], list[float]]:
    """Gives a chart's numbers; plotly writes them as a list or as base64."""

    def read(values: Any) -> list[float]:
        if isinstance(values, dict):
            return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"]).astype(float).tolist()
        return [float(value) for value in values]

    return read
