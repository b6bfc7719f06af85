"""The numpy policy and the ONNX graph give what torch gives, whatever the architecture and the batch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from torch.nn.functional import linear, relu

from MLOps.environments.dca_timing import observations_of
from MLOps.errors import DigestError, ModelError
from MLOps.inference.predictor import CryptoPredictor
from MLOps.inference.timing_model import (
    RainbowTimingCard,
    Weights,
    read_timing_card,
    read_timing_weights,
    write_buy_first,
    write_timing_model,
)
from MLOps.inference.timing_onnx import OPSET, timing_onnx, timing_onnx_of_folder
from MLOps.inference.timing_policy import BuyFirstPolicy, TimingPolicy, load_timing_policy
from MLOps.market.price_cycles import Cycles
from MLOps.networks.dueling_categorical import RainbowNetwork
from MLOps.settings.compose import compose_settings
from MLOps.settings.rainbow import TrainRainbowSettings

MakeModel = Callable[..., str]
SWITCHES = [
    {"is_dueling": is_dueling, "is_categorical": is_categorical, "atoms": 51 if is_categorical else 1}
    for is_dueling in (False, True)
    for is_categorical in (False, True)
]


def _torch_q_values(card: RainbowTimingCard, weights: Weights, observations: np.ndarray) -> np.ndarray:
    """The network of the papers, written out: dueling (Wang et al. 2016, eq. 9), C51 (Bellemare et al. 2017)."""
    tensor = {name: torch.from_numpy(value) for name, value in weights.items()}

    def layer(name: str, values: torch.Tensor) -> torch.Tensor:
        return linear(values, tensor[f"{name}.weight"], tensor[f"{name}.bias"])

    def stream(name: str, values: torch.Tensor) -> torch.Tensor:
        return layer(f"{name}.out", relu(layer(f"{name}.hidden", values)))

    network, values = card.architecture, torch.from_numpy(observations)
    for position in range(len(network.hidden_sizes)):
        values = relu(layer(f"trunk.{position}", values))
    logits = stream("advantage", values).view(-1, 2, network.atoms)
    if network.is_dueling:
        logits = stream("value", values)[:, None, :] + logits - logits.mean(dim=1, keepdim=True)
    if not network.is_categorical:
        return logits[..., 0].numpy()
    support = torch.linspace(network.v_min, network.v_max, network.atoms)
    return (torch.softmax(logits, dim=-1) * support).sum(dim=-1).numpy()


def _observations(window: int = 30) -> np.ndarray:
    """Of a random walk, by the environment's own kernel: (cycles x steps, window + 2)."""
    closes = 5000 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.01, 800)))
    times = np.datetime64("2019-01-01T01", "us") + np.arange(800) * np.timedelta64(1, "h")
    cycles = Cycles(closes, np.arange(window, 700, 20), 24, window, times)
    return np.ascontiguousarray(observations_of(cycles).reshape(-1, window + 2))


def _read(folder: Path) -> tuple[RainbowTimingCard, Weights]:
    card = read_timing_card(folder)
    assert isinstance(card, RainbowTimingCard)
    return card, read_timing_weights(folder, card)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("hidden_sizes", [[40], [24, 16]], ids=str)
def test_numpy_and_onnx_equal_torch(
    tmp_path: Path, make_timing_model: MakeModel, switches: dict[str, object], hidden_sizes: list[int]
) -> None:
    digest = make_timing_model(tmp_path, hidden_sizes=hidden_sizes, **switches)
    observations = _observations()
    expected = _torch_q_values(*_read(tmp_path), observations)
    predictor = CryptoPredictor.from_bytes(timing_onnx_of_folder(tmp_path, digest))
    policy = load_timing_policy(tmp_path, digest)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(policy.q_values(observations), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(predictor.q_values(observations), expected, rtol=0, atol=1e-5)
    assert np.mean(predictor.predict_batch(observations) == expected.argmax(axis=1)) > 0.999
    assert set(policy.actions(observations)) <= {0, 1}


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_the_graph_equals_the_network_that_learns_without_its_noise(
    tmp_path: Path, make_timing_model: MakeModel, switches: dict[str, object]
) -> None:
    settings = compose_settings(TrainRainbowSettings, "train_rainbow").model
    bounds = {"v_min": -10.0, "v_max": 11.0}
    settings = settings.model_copy(update={**switches, **bounds, "atoms": 51, "hidden_sizes": (40, 24)})
    generator = torch.Generator().manual_seed(3)
    network = RainbowNetwork(32, 2, settings, generator)
    sigmas = [value for name, value in network.named_parameters() if name.endswith("_sigma")]
    assert all(float(sigma.detach().min()) > 0 for sigma in sigmas)
    network.draw(generator)
    seen = torch.from_numpy(_observations())
    noisy = network.q_values(seen).detach().numpy()
    network.quiet()
    expected = network.q_values(seen).detach().numpy()
    assert np.abs(noisy - expected).max() > 1e-3
    make_timing_model(tmp_path, hidden_sizes=[40, 24], stream_size=settings.stream_size, **bounds, **switches)
    card, _ = _read(tmp_path)
    means = {name: value.detach().numpy() for name, value in network.named_parameters() if not name.endswith("_sigma")}
    digest = write_timing_model(tmp_path, card, means)
    predictor = CryptoPredictor.from_bytes(timing_onnx_of_folder(tmp_path, digest))
    np.testing.assert_allclose(predictor.q_values(seen.numpy()), expected, rtol=0, atol=1e-5)


def test_the_graph_equals_torch_on_real_prices(
    tmp_path: Path, make_timing_model: MakeModel, real_crypto_bars: dict[str, pd.DataFrame]
) -> None:
    closes = real_crypto_bars["BTC"]["close"].to_numpy(np.float64)
    times = np.datetime64("2017-07-01T12", "us") + np.arange(len(closes)) * np.timedelta64(1, "h")
    cycles = Cycles(closes, np.arange(29, len(closes) - 24, 24), 24, 30, times)
    observations = observations_of(cycles).reshape(-1, 32)
    assert len(observations) > 19_000
    digest = make_timing_model(tmp_path, hidden_sizes=[128], stream_size=64, atoms=51, scale=0.2)
    predictor = CryptoPredictor.from_bytes(timing_onnx_of_folder(tmp_path, digest))
    expected = _torch_q_values(*_read(tmp_path), observations)
    np.testing.assert_allclose(predictor.q_values(observations), expected, rtol=0, atol=1e-5)


def test_value_and_centred_advantage_by_hand(tmp_path: Path, make_timing_model: MakeModel) -> None:
    """Two atoms at 0 and 1, one unit everywhere: q is the logistic function of the two logits' difference."""
    make_timing_model(tmp_path / "any", window_size=1, hidden_sizes=[1], stream_size=1, atoms=2, v_min=0.0, v_max=1.0)
    card, weights = _read(tmp_path / "any")
    values = {
        "trunk.0.weight": [[1.0, 0.0, 0.0]],
        "value.hidden.weight": [[1.0]],
        "value.out.weight": [[0.0], [1.0]],
        "advantage.hidden.weight": [[1.0]],
        "advantage.out.weight": [[1.0], [3.0], [5.0], [7.0]],  # hold: 1, 3; buy: 5, 7
    }
    weights = {name: np.array(values.get(name, np.zeros_like(old)), np.float32) for name, old in weights.items()}
    weights["value.out.bias"] = np.array([0.0, 0.5], np.float32)
    # with 1 at the input: value (0, 1.5), mean advantage (3, 5), hold (0 + 1 - 3, 1.5 + 3 - 5), buy (2, 3.5)
    expected = [1 / (1 + np.exp(-1.5)), 1 / (1 + np.exp(-1.5))]
    observation = np.array([[1.0, 0.0, 0.0]], np.float32)
    np.testing.assert_allclose(TimingPolicy(card, weights).q_values(observation), [expected], atol=1e-6)
    weights["advantage.out.bias"] = np.array([0.0, 0.0, 0.0, 2.0], np.float32)
    # mean advantage (3, 6): hold (-2, -1.5), buy (2, 4.5)
    expected = [1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(-2.5))]
    predictor = CryptoPredictor.from_bytes(timing_onnx(card, weights, "none"))
    np.testing.assert_allclose(TimingPolicy(card, weights).q_values(observation), [expected], atol=1e-6)
    np.testing.assert_allclose(predictor.q_values(observation), [expected], atol=1e-6)
    assert predictor.predict(observation[0]) == 1


def test_large_logits_do_not_overflow(tmp_path: Path, make_timing_model: MakeModel) -> None:
    make_timing_model(tmp_path)
    card, weights = _read(tmp_path)
    weights = {name: value * 30 for name, value in weights.items()}
    q_values = TimingPolicy(card, weights).q_values(_observations())
    assert np.isfinite(q_values).all()
    assert np.abs(q_values).max() <= 5.0


def test_equal_models_give_equal_bytes(tmp_path: Path, make_timing_model: MakeModel) -> None:
    digest = make_timing_model(tmp_path)
    assert timing_onnx_of_folder(tmp_path, digest) == timing_onnx_of_folder(tmp_path, digest)


def test_the_graph_tells_its_opset_and_what_it_was_made_from(tmp_path: Path, make_timing_model: MakeModel) -> None:
    digest = make_timing_model(tmp_path)
    model = onnx.load_from_string(timing_onnx_of_folder(tmp_path, digest))
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert [entry.version for entry in model.opset_import] == [OPSET]
    assert told["opset"] == str(OPSET)
    assert told["model_digest"] == digest
    assert (told["symbol"], told["window_size"], told["observation_size"]) == ("BTC", "30", "32")
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize("rows", [1, 2, 7, 33])
def test_a_row_does_not_depend_on_its_batch(tmp_path: Path, make_timing_model: MakeModel, rows: int) -> None:
    predictor = CryptoPredictor.from_bytes(timing_onnx_of_folder(tmp_path, make_timing_model(tmp_path)))
    observations = _observations()[:rows]
    alone = np.stack([predictor.q_values(row) for row in observations])
    np.testing.assert_allclose(predictor.q_values(observations), alone, rtol=0, atol=1e-6)


def test_the_baseline_buys_at_once_and_has_no_graph(tmp_path: Path) -> None:
    digest = write_buy_first(tmp_path)
    policy = load_timing_policy(tmp_path, digest)
    assert isinstance(policy, BuyFirstPolicy)
    assert policy.actions(np.zeros((3, 8), np.float32)).tolist() == [1, 1, 1]
    assert policy.q_values(np.zeros((2, 8), np.float32)).tolist() == [[0, 1], [0, 1]]
    with pytest.raises(ModelError, match="kind buy_first, which has no network to export"):
        timing_onnx_of_folder(tmp_path, digest)


def test_an_altered_model_is_not_exported(tmp_path: Path, make_timing_model: MakeModel) -> None:
    digest = make_timing_model(tmp_path)
    card, weights = _read(tmp_path)
    write_timing_model(tmp_path, card, weights | {"trunk.0.bias": np.zeros(24, np.float32)})
    with pytest.raises(DigestError):
        timing_onnx_of_folder(tmp_path, digest)


@pytest.mark.parametrize("shape", [(32,), (2, 31), (2, 33), (1, 2, 32)])
def test_observations_of_another_width_are_refused(
    tmp_path: Path, make_timing_model: MakeModel, shape: tuple[int, ...]
) -> None:
    policy = load_timing_policy(tmp_path, make_timing_model(tmp_path))
    with pytest.raises(ModelError, match=r"allowed: \(rows, 32\): the model's window is 30"):
        policy.q_values(np.zeros(shape, np.float32))
