"""The predictor answers 0 or 1, needs NumPy and ONNX Runtime alone, and says what is wrong with what it is given."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from deployment.serving.observation_body import LARGEST as HTTP_LARGEST
from MLOps.environments.dca_timing import observations_of
from MLOps.inference import predictor as predictor_module
from MLOps.inference.predictor import (
    LARGEST,
    AnswerError,
    CryptoPredictor,
    ModelFileError,
    ObservationError,
    observation_of,
)
from MLOps.inference.timing_onnx import timing_onnx_of_folder
from MLOps.market.price_cycles import Cycles

MakeModel = Callable[..., str]


@pytest.fixture
def network(tmp_path: Path, make_timing_model: MakeModel) -> Path:
    """An exported network; the folder that holds it is named like a delivery's file."""
    path = tmp_path / "delivery" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(timing_onnx_of_folder(tmp_path, make_timing_model(tmp_path)))
    return path


@pytest.fixture
def predictor(network: Path) -> CryptoPredictor:
    return CryptoPredictor(model_path=network, obs_dim=32)


def _observations(rows: int) -> np.ndarray:
    return np.random.default_rng(4).normal(size=(rows, 32)).astype(np.float32)


def test_predict_is_the_larger_q_value(predictor: CryptoPredictor) -> None:
    observations = _observations(60)
    decisions = [predictor.predict(row) for row in observations]
    assert all(type(decision) is int for decision in decisions)
    assert set(decisions) == {0, 1}
    assert decisions == predictor.q_values(observations).argmax(axis=1).tolist()
    assert predictor.predict_batch(observations).tolist() == decisions


def test_equal_values_wait(tmp_path: Path) -> None:
    path = tmp_path / "flat.onnx"
    _save(path, "rainbow_timing", ["batch", 3])
    assert CryptoPredictor(path, obs_dim=3).predict([1, 2, 3]) == 0


def test_shapes_and_types_of_q_values(predictor: CryptoPredictor) -> None:
    one, many = predictor.q_values(_observations(1)[0]), predictor.q_values(_observations(5))
    assert (one.shape, one.dtype) == ((2,), np.float32)
    assert (many.shape, many.dtype) == ((5, 2), np.float32)
    assert predictor.q_values(_observations(0)).shape == (0, 2)
    assert predictor.predict_batch(_observations(0)).tolist() == []


@pytest.mark.parametrize("as_given", [list, tuple, np.float64, np.float16])
def test_whatever_holds_the_numbers(predictor: CryptoPredictor, as_given: Callable[[Any], Any]) -> None:
    row = _observations(1)[0].astype(np.float16)
    assert predictor.q_values(as_given(row)).tolist() == predictor.q_values(row.astype(np.float32)).tolist()


def test_the_folder_stands_for_its_network(network: Path) -> None:
    by_folder = CryptoPredictor(str(network.parent))
    assert by_folder.sha256 == hashlib.sha256(network.read_bytes()).hexdigest()
    assert by_folder.metadata["symbol"] == "BTC"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([0.0] * 31, r"shape \(31,\) for one observation; allowed: 32 finite numbers .* window has 30 prices"),
        ([], r"shape \(0,\)"),
        (0.5, r"shape \(\)"),
        ([[0.0] * 32], r"shape \(1, 32\) for one observation"),
        ([*[0.0] * 31, float("nan")], r"nan at \[31\]"),
        ([float("-inf"), *[0.0] * 31], r"-inf at \[0\]"),
        ([1e39, *[0.0] * 31], r"1e\+39 at \[0\]; allowed: 32 finite numbers from -1e\+09 to 1e\+09"),
        (np.full(32, 3e38), r"3e\+38 at \[0\]"),  # the network's values of it are NaN
        ([0.0, -1.1e9, *[0.0] * 30], r"-1100000000\.0 at \[1\]"),
        (["0"] * 32, "values of type <U1"),
        ([None, *[0.0] * 31], "values of type object"),
        ([True] * 32, "values of type bool"),
        ([1j] * 32, "values of type complex128"),
        ([[0.0], [0.0, 1.0]], "rows of different lengths"),
        (10**400, "values of type object"),
    ],
)
def test_a_malformed_observation_is_told(predictor: CryptoPredictor, given: Any, told: str) -> None:
    with pytest.raises(ObservationError, match=told):
        predictor.predict(given)


def test_the_largest_numbers_are_decided_on(predictor: CryptoPredictor) -> None:
    assert LARGEST == HTTP_LARGEST
    assert np.isfinite(predictor.q_values([np.full(32, LARGEST), np.full(32, -LARGEST)])).all()


def test_values_that_are_not_finite_are_no_decision(tmp_path: Path) -> None:
    _save(tmp_path / "model.onnx", "rainbow_timing", ["batch", 3], weights=[3e38] * 6)
    predictor = CryptoPredictor(tmp_path, obs_dim=3)
    assert predictor.predict([0.1, 0, 0]) == 0
    for ask in (predictor.predict, predictor.q_values):
        with pytest.raises(AnswerError, match=r"values of observation 0 are \[inf, inf\]; allowed: finite values"):
            ask([1, 1, 1])
    for ask in (predictor.predict_batch, predictor.q_values):
        with pytest.raises(AnswerError, match="observation 1 are") as error:
            ask([[0, 0, 0], [1, 1, 1]])
        assert error.value.q_values.tolist() == [[0, 0], [np.inf, np.inf]]


def test_a_malformed_batch_is_told_with_its_place(predictor: CryptoPredictor) -> None:
    batch = _observations(3)
    batch[2, 7] = np.nan
    for ask in (predictor.predict_batch, predictor.q_values):
        with pytest.raises(ObservationError, match=r"nan at \[2, 7\]"):
            ask(batch)
        with pytest.raises(ObservationError, match=r"shape \(3, 31\) for a batch"):
            ask(batch[:, :31])
        with pytest.raises(ObservationError, match="rows of different lengths"):
            ask([[0.0], [0.0, 1.0]])
    with pytest.raises(ObservationError, match=r"shape \(32,\) for a batch"):
        predictor.predict_batch(batch[0])


def test_a_network_of_another_window_is_refused(network: Path) -> None:
    with pytest.raises(ModelFileError, match=r"obs_dim=18, but .* takes 32 numbers \(a window of 30\)"):
        CryptoPredictor(network, obs_dim=18)
    assert CryptoPredictor(network, obs_dim=None).obs_dim == 32


def test_the_digest_is_checked_before_anything_is_parsed(network: Path) -> None:
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    assert CryptoPredictor(network, sha256=digest).sha256 == digest
    network.write_bytes(b"something else")
    with pytest.raises(ModelFileError, match=f"has the digest .*; allowed: {digest[:16]}"):
        CryptoPredictor(network, sha256=digest)


@pytest.mark.parametrize("content", [b"", b"no network", b"\x80\x04\x95pickle", b"half"])
def test_a_broken_file_is_told_in_one_line(network: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    network.write_bytes(network.read_bytes()[:9000] if content == b"half" else content)
    with pytest.raises(ModelFileError, match=r"is no network that ONNX Runtime opens|of another kind") as error:
        CryptoPredictor(network)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none\.onnx cannot be read: No such file"):
        CryptoPredictor(tmp_path / "none.onnx")
    with pytest.raises(ModelFileError, match=r"model\.onnx cannot be read"):
        CryptoPredictor(tmp_path)


def _save(
    path: Path, kind: str | None, shape: list[Any], name: str = "observations", weights: list[float] | None = None
) -> None:
    """A network that answers the product with `weights` (3, any), zeros for two actions unless given."""
    weights = [0.0] * 6 if weights is None else weights
    width = len(weights) // 3
    make = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", [name, "zeros"], ["q_values"])],
        "zeros",
        [make(name, TensorProto.FLOAT, shape)],
        [make("q_values", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor("zeros", TensorProto.FLOAT, [3, width], weights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if kind is not None:
        helper.set_model_props(model, {"kind": kind})
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("kind", "shape", "name"),
    [
        (None, ["batch", 3], "observations"),
        ("sentiment", ["batch", 3], "observations"),
        ("rainbow_timing", ["batch", 3], "inputs"),
        ("rainbow_timing", ["batch", "size"], "observations"),
        ("rainbow_timing", ["batch", 1, 3], "observations"),
    ],
)
def test_another_network_is_refused(tmp_path: Path, kind: str | None, shape: list[Any], name: str) -> None:
    _save(tmp_path / "model.onnx", kind, shape, name)
    with pytest.raises(ModelFileError, match=r"of another kind .*; allowed: one that export_crypto_model made"):
        CryptoPredictor(tmp_path / "model.onnx", obs_dim=None)


@pytest.mark.parametrize("width", [1, 3])
def test_a_network_of_another_number_of_actions_is_refused(tmp_path: Path, width: int) -> None:
    _save(tmp_path / "model.onnx", "rainbow_timing", ["batch", 3], weights=[0.0] * 3 * width)
    with pytest.raises(ModelFileError, match="of another kind"):
        CryptoPredictor(tmp_path, obs_dim=None)


def test_a_copy_of_the_file_works_where_only_numpy_and_onnxruntime_are(
    network: Path, predictor: CryptoPredictor, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for package in ("numpy", "onnxruntime"):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        for part in (folder, folder.with_name(f"{package}.libs")):
            (site / part.name).symlink_to(part)
    (tmp_path / "crypto.py").write_bytes(Path(predictor_module.__file__).read_bytes())
    script = (
        f"import sys; sys.path[:0] = {[str(site), str(tmp_path)]!r}\n"
        f"from crypto import CryptoPredictor; predictor = CryptoPredictor({str(network)!r})\n"
        f"print(predictor.q_values({_observations(4).tolist()!r}).tolist())\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'pydantic', 'torch', 'onnx', 'MLOps'}))"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [str(predictor.q_values(_observations(4)).tolist()), "[]"]


@pytest.mark.parametrize(("window", "steps"), [(2, 2), (30, 24), (6, 40)])
def test_an_observation_of_closes_is_what_the_environment_shows(window: int, steps: int) -> None:
    closes = 5000 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.02, 300)))
    closes[100:140] = closes[100]  # where nothing moves
    times = np.datetime64("2019-01-01", "us") + np.arange(300) * np.timedelta64(1, "h")
    starts = np.arange(window - 1, 250, 7)
    expected = observations_of(Cycles(closes, starts, steps, window, times))
    for cycle, start in enumerate(starts):
        for decision in range(steps):
            found = observation_of(closes[: start + decision + 1], decision, steps, window)
            np.testing.assert_allclose(found, expected[cycle, decision], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("closes", "decision", "steps", "window", "told"),
    [
        ([1.0] * 29, 0, 24, 30, r"shape \(29,\); allowed: at least 30 positive prices"),
        ([1.0] * 5, 5, 24, 3, "at least 6 positive prices"),
        ([1.0, 0.0, 1.0], 0, 24, 3, "positive prices"),
        ([1.0, float("nan"), 1.0], 0, 24, 3, "positive prices"),
        ([[1.0] * 3], 0, 24, 3, "positive prices"),
        ([1.0] * 40, 24, 24, 3, "decision=24 of 24"),
        ([1.0] * 40, -1, 24, 3, "decision=-1 of 24"),
        ([1.0] * 40, 0, 1, 3, "decision=0 of 1"),
        ([1.0] * 40, 0, 24, 1, "window_size=1"),
    ],
)
def test_closes_that_make_no_observation_are_told(
    closes: list[float], decision: int, steps: int, window: int, told: str
) -> None:
    with pytest.raises(ObservationError, match=told):
        observation_of(closes, decision, steps, window)
