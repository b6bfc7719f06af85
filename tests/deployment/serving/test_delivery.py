"""A delivery of export_crypto_model is served as the model that it was made of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper

from deployment.serving.model_sources import CoinSource, FolderSource
from MLOps.artifacts import sha256_of
from MLOps.errors import DigestError, ModelError
from MLOps.inference.model_files import model_digest
from MLOps.inference.timing_onnx import timing_onnx_of_folder

SETTINGS: dict[str, Any] = {
    "kind": "rainbow_timing",
    "observation": {"window_size": 6, "size": 8},
    "market": {"symbol": "BTC", "frequency": "1h", "cycle_steps": 24},
}


@pytest.fixture
def delivery(model_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "BTC_777"
    folder.mkdir()
    digest = model_digest(model_folder)
    write(folder, timing_onnx_of_folder(model_folder, digest), json.dumps(SETTINGS | {"model_digest": digest}))
    return folder


def write(folder: Path, network: bytes | None = None, settings: str | None = None) -> None:
    """Put files of a delivery there, and the digests of all."""
    if network is not None:
        (folder / "model.onnx").write_bytes(network)
    if settings is not None:
        (folder / "settings.json").write_text(settings)
    sums = [f"{sha256_of(folder / name)}  {name}\n" for name in ("model.onnx", "settings.json")]
    (folder / "SHA256SUMS").write_text("".join(sums) + f"{'0' * 64}  README.md\n")


def tell(folder: Path, **changes: str | None) -> None:
    """Change what the network tells of itself; None leaves a key out."""
    network = onnx.load(folder / "model.onnx")
    told = {entry.key: entry.value for entry in network.metadata_props} | changes
    helper.set_model_props(network, {key: value for key, value in told.items() if value is not None})
    write(folder, network.SerializeToString())


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


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_digest": None}, r"model\.onnx tells of itself model_digest: Field required; allowed: what export_"),
        ({"symbol": None, "cycle_steps": None}, r"symbol: Field required; cycle_steps: Field required"),
        ({"window_size": "thirty"}, r"window_size: Input should be a valid integer"),
        ({"cycle_steps": "1"}, r"cycle_steps: Input should be greater than or equal to 2"),
        ({"model_digest": "of mine"}, r"model_digest: String should match"),
        ({"window_size": "30"}, r"tells window_size=30, observation_size=8, and takes 8 numbers"),
        (
            {"window_size": "30", "observation_size": "32"},
            r"observation_size=32, and takes 8 numbers; allowed: wind",
        ),
        ({"kind": "other"}, r"of another kind"),
    ],
)
def test_network_that_tells_of_itself_too_little_or_wrongly_is_refused(
    delivery: Path, changes: dict[str, str | None], told: str
) -> None:
    tell(delivery, **changes)
    with pytest.raises(ModelError, match=told) as error:
        FolderSource(delivery, 1).wanted().load()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("no JSON", r"settings\.json cannot be read \(JSONDecodeError"),
        ("[]", r"cannot be read \(TypeError"),
        ("{}", r"cannot be read \(KeyError: 'observation'\)"),
        (json.dumps(SETTINGS), r"cannot be read \(KeyError: 'model_digest'\)"),
        (json.dumps(SETTINGS | {"market": 1, "model_digest": ""}), r"cannot be read \(TypeError"),
        (
            json.dumps(SETTINGS | {"kind": "other", "model_digest": "0"}),
            r"says kind='other', model_digest='0'; allowed: what model\.onnx says: kind='rainbow_timing', ",
        ),
    ],
)
def test_settings_that_are_not_the_networks_are_refused(delivery: Path, settings: str, told: str) -> None:
    write(delivery, settings=settings)
    with pytest.raises(ModelError, match=told) as error:
        FolderSource(delivery, 1).wanted().load()
    assert "\n" not in str(error.value)


def test_altered_or_missing_settings_are_refused(delivery: Path) -> None:
    path = delivery / "settings.json"
    path.write_text(path.read_text().replace("BTC", "ETH"))
    with pytest.raises(DigestError, match=r"settings\.json is not what SHA256SUMS promises"):
        FolderSource(delivery, 1).wanted().load()
    path.unlink()
    with pytest.raises(ModelError, match=r"settings\.json cannot be read \(FileNotFoundError"):
        FolderSource(delivery, 1).wanted().load()
