"""A delivery of export_crypto_model is served as the model that it was made of."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from deployment.serving.model_sources import CoinSource, FolderSource
from MLOps.errors import DigestError, ModelError
from MLOps.inference.model_files import model_digest
from MLOps.inference.timing_onnx import timing_onnx_of_folder


@pytest.fixture
def delivery(model_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "BTC_777"
    folder.mkdir()
    write(folder, timing_onnx_of_folder(model_folder, model_digest(model_folder)))
    return folder


def write(folder: Path, network: bytes) -> None:
    (folder / "model.onnx").write_bytes(network)
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(network).hexdigest()}  model.onnx\n{'0' * 64}  README.md\n")


def test_delivery_answers_as_its_model_does(
    make_service: Callable[..., Any], delivery: Path, model_folder: Path, observations: npt.NDArray[np.float32]
) -> None:
    told = make_service(folder=delivery).post(observations.tolist()).json()
    expected = make_service(folder=model_folder).post(observations.tolist()).json()
    assert told["q_values"] == expected["q_values"]
    assert told["model"] == expected["model"] | {"name": "BTC_777"}


def test_altered_network_is_refused_before_it_is_parsed(delivery: Path) -> None:
    (delivery / "model.onnx").write_bytes(b"no network")
    with pytest.raises(DigestError, match="is not what SHA256SUMS promises"):
        FolderSource(delivery, 1).wanted().load()


def test_network_of_another_kind_is_refused(delivery: Path) -> None:
    write(delivery, b"no network")
    with pytest.raises(ModelError, match="no network that ONNX Runtime opens"):
        FolderSource(delivery, 1).wanted().load()


def test_model_of_another_coin_is_refused_where_one_is_asked_for(delivery: Path) -> None:
    assert CoinSource(FolderSource(delivery, 1), "BTC").wanted().load().info.symbol == "BTC"
    with pytest.raises(ModelError, match="the model decides on BTC, asked for is ETH"):
        CoinSource(FolderSource(delivery, 1), "ETH").wanted().load()
