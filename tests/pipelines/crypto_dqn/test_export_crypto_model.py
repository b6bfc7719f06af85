"""A delivery holds the model's own answers, is whole or not there, and needs NumPy and ONNX Runtime alone."""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deployment.serving.model_sources import FolderSource
from MLOps.artifacts import sha256_of
from MLOps.errors import DataError, DigestError, ModelError, RegistryError, SettingsError
from MLOps.inference.predictor import CryptoPredictor
from MLOps.inference.timing_model import write_buy_first
from MLOps.inference.timing_policy import load_timing_policy
from MLOps.market.crypto_bars import write_crypto_bars
from MLOps.settings.compose import compose_settings
from MLOps.settings.crypto_delivery import ExportCryptoModelSettings
from MLOps.settings.project import project_root
from MLOps.stage import MemoryTracker, StageResult
from model_registry.family import CRYPTO_TIMING
from model_registry.filesystem_registry import FilesystemRegistry
from pipelines.crypto_dqn.export_crypto_model import export_crypto_model, main

FILES = {
    "README.md",
    "SHA256SUMS",
    "model.onnx",
    "model_int8.onnx",
    "predictor.py",
    "requirements.txt",
    "settings.json",
}
LIGHT = ("tracking.enabled=false", "registry.kind=filesystem", "timed_calls=10", "max_observations=300")
Export = Callable[..., StageResult]


@pytest.fixture
def model(workspace: Path, make_timing_model: Callable[..., str], make_crypto_bars: Callable[..., pd.DataFrame]) -> str:
    """Digest of a model in ``model/`` of a workspace that holds 14 months of hourly bars."""
    (workspace / "data/crypto/btc").mkdir(parents=True)
    write_crypto_bars(make_crypto_bars(count=24 * 420), workspace / "data/crypto/btc/bars.parquet")
    return make_timing_model(workspace / "model", seed=777)


@pytest.fixture
def export(workspace: Path, model: str) -> Export:  # noqa: ARG001 - it must lie there
    """Run the stage as a function; without an override it takes the folder ``model``."""

    def run(*overrides: str) -> StageResult:
        asked = [f"paths.workspace={workspace}", *LIGHT, *(overrides or ["model_path=model"])]
        return export_crypto_model(
            compose_settings(ExportCryptoModelSettings, "export_crypto_model", asked), MemoryTracker()
        )

    return run


def _observations(rows: int = 40) -> np.ndarray:
    return np.random.default_rng(8).normal(size=(rows, 32)).astype(np.float32)


def test_the_delivery_holds_the_models_own_answers(workspace: Path, model: str, export: Export) -> None:
    result = export()
    place = workspace / "trained_models" / "BTC_777"
    assert result.folder == place
    assert {path.name for path in place.iterdir()} == FILES
    assert all(sha256_of(artifact.path) == artifact.sha256 for artifact in result.artifacts.values())
    expected = load_timing_policy(workspace / "model", model).q_values(_observations())
    predictor = CryptoPredictor(place, obs_dim=32)
    np.testing.assert_allclose(predictor.q_values(_observations()), expected, rtol=0, atol=1e-5)
    assert predictor.metadata["model_digest"] == model
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=place, check=True)
    assert len((place / "SHA256SUMS").read_text().splitlines()) == len(FILES) - 1


def test_another_model_of_the_same_coin_and_seed_is_told_before_it_takes_the_place(
    workspace: Path, export: Export, make_timing_model: Callable[..., str]
) -> None:
    first = export()
    place, former = first.folder, json.loads((first.folder / "settings.json").read_text())["model_digest"]
    assert "replaced" not in first.details
    assert "replaced" not in export().details  # it is the same one
    os.utime(place / "settings.json", (0, 1_700_000_000))
    (place / "model.onnx").unlink()  # which an export puts back
    make_timing_model(workspace / "other", seed=777)
    card = json.loads((workspace / "other" / "model.json").read_text())
    card["provenance"] |= {"frames": 6400, "stopped_early": True}
    (workspace / "other" / "model.json").write_text(json.dumps(card))
    second = export("model_path=other")
    assert second.folder == place
    assert second.details["replaced"] == f"BTC, seed 777, delivered 2023-11-14 22:13 UTC, {former[:12]}"
    assert "Trained: 6,400 frames, stopped early, seed 777 (`provenance`" in (place / "README.md").read_text()
    assert export().details["replaced"] != second.details["replaced"]


def test_the_server_takes_the_delivery(model: str, export: Export) -> None:
    assert FolderSource(export().folder, threads=1).wanted().load().info.digest == model


def test_what_int8_costs_and_gains_is_told(workspace: Path, export: Export) -> None:
    figures = export().metrics
    place = workspace / "trained_models" / "BTC_777"
    rounded, exact = CryptoPredictor(place / "model_int8.onnx"), CryptoPredictor(place / "model.onnx")
    assert (rounded.precision, exact.precision) == ("int8", "float32")
    assert figures["int8_bytes"] == (place / "model_int8.onnx").stat().st_size < figures["float32_bytes"]
    assert figures["observations"] == 300
    assert figures["deviation_from_numpy"] < 1e-5
    assert 0 < figures["int8_largest_q_difference"] < 0.2 * figures["q_value_range"]
    assert 0.8 < figures["int8_equal_actions_fraction"] <= 1
    speeds = {name for name in figures if name.endswith("_us")}
    assert speeds == {f"{kind}_{what}_us" for kind in ("float32", "int8") for what in ("call", "row_of_256")}
    assert all(figures[name] > 0 for name in speeds)
    measured = json.loads((place / "settings.json").read_text())["measured"]
    assert not speeds & measured.keys()  # what a machine was busy with decides no digest
    assert measured.items() <= figures.items()


def test_an_int8_row_does_not_depend_on_its_batch(export: Export) -> None:
    rounded = CryptoPredictor(export().folder / "model_int8.onnx")
    observations = _observations()
    observations[0] *= 50  # on one scale with it, the other rows would be rounded away
    alone = [rounded.q_values(row).tolist() for row in observations]
    assert rounded.q_values(observations).tolist() == alone


def test_settings_tell_where_the_model_comes_from(model: str, export: Export) -> None:
    told = json.loads((export().folder / "settings.json").read_text())
    assert (told["model_digest"], told["model_version"], told["opset"]) == (model, "folder", 17)
    assert told["observation"] == {"window_size": 30, "size": 32}
    assert told["market"] == {"symbol": "BTC", "frequency": "1h", "cycle_steps": 24, "fee_bps": 10.0}
    assert told["provenance"]["seed"] == 777


def test_made_again_it_has_the_same_bytes(workspace: Path, export: Export) -> None:
    made, found = export(), export()
    assert (made.status, found.status) == ("made", "already_made")
    shutil.rmtree(workspace / "models")
    shutil.rmtree(workspace / "trained_models")
    again = export()
    assert again.status == "made"
    assert made.artifacts == found.artifacts == again.artifacts


def test_a_touched_delivery_is_put_right_and_what_others_put_there_stays(export: Export) -> None:
    place = export().folder
    (place / "predictor.py").write_text("import os")
    (place / "requirements.txt").unlink()
    (place / "model.trt").write_bytes(b"hours of work")
    (place / "notes").mkdir()
    (place / "notes" / "mine.txt").write_text("mine")
    assert export().status == "already_made"
    assert {path.name for path in place.iterdir()} == FILES | {"model.trt", "notes"}
    assert "CryptoPredictor" in (place / "predictor.py").read_text()
    assert (place / "model.trt").read_bytes() == b"hours of work"
    assert (place / "notes" / "mine.txt").read_text() == "mine"
    assert [path.name for path in place.parent.iterdir()] == ["BTC_777"]


def test_a_folder_that_is_no_delivery_is_left_alone(workspace: Path, export: Export) -> None:
    place = workspace / "trained_models" / "BTC_777"
    place.mkdir(parents=True)
    (place / "thesis.txt").write_text("mine")
    with pytest.raises(SettingsError, match=r"BTC_777 is a folder without a delivery's SHA256SUMS; .* --output_path"):
        export()
    assert [path.name for path in place.iterdir()] == ["thesis.txt"]
    assert not (workspace / "models").exists()  # it was looked at before anything was made
    (place / "thesis.txt").unlink()
    assert {path.name for path in export().folder.iterdir()} == FILES  # an empty folder is free


def test_another_model_of_the_same_coin_and_seed_takes_the_place(
    workspace: Path, export: Export, make_timing_model: Callable[..., str]
) -> None:
    first = export()
    digest = make_timing_model(workspace / "wider", seed=777, hidden_sizes=[30])
    second = export("model_path=wider")
    assert first.folder == second.folder
    assert first.key != second.key
    assert CryptoPredictor(second.folder).metadata["model_digest"] == digest


def test_a_killed_export_leaves_nothing_half(
    workspace: Path, export: Export, die_at: Callable[[str, Callable[[], object]], None]
) -> None:
    die_at("before_rename", export)
    assert not (workspace / "trained_models").exists()
    die_at("after_rename", export)
    assert not (workspace / "trained_models").exists()
    die_at("before_rename", export)  # the output stands; this is the delivery's own
    assert [path.name for path in (workspace / "trained_models").glob("[!.]*")] == []
    result = export()
    assert result.status == "already_made"
    assert [path.name for path in (workspace / "trained_models").iterdir()] == ["BTC_777"]


def test_given_observations_take_the_place_of_bars(workspace: Path, export: Export) -> None:
    shutil.rmtree(workspace / "data")
    np.save(workspace / "seen.npy", _observations().astype(np.float64))
    result = export("model_path=model", "observations_path=seen.npy")
    assert result.metrics["observations"] == 40
    assert list(result.inputs) == ["observations"]


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((3, 31), np.float32), r"float32 \(3, 31\); allowed: numbers of shape \(N, 32\), finite"),
        (np.zeros((0, 32), np.float32), r"\(0, 32\)"),
        (np.zeros(32, np.float32), r"\(32,\)"),
        (np.zeros((3, 32), np.bool_), "holds bool"),
        (np.full((3, 32), np.nan, np.float32), r"nan at \[0, 0\]"),
        (np.full((3, 32), 1e39), r"holds 1e\+39 at \[0, 0\]"),  # finite, until it is float32
        (np.array([None]), "cannot be read: Object arrays cannot be loaded"),
    ],
)
def test_malformed_observations_are_told(workspace: Path, export: Export, array: np.ndarray, told: str) -> None:
    np.save(workspace / "seen.npy", array)
    with pytest.raises(DataError, match=told):
        export("model_path=model", "observations_path=seen.npy")
    assert not (workspace / "trained_models").exists()


def test_observations_of_another_format_are_told(workspace: Path, export: Export) -> None:
    (workspace / "seen.json").write_text('{"observations": [[0.0]]}')
    with pytest.raises(DataError, match=r"seen\.json is no \.npy file; .*mend: observations_path"):
        export("model_path=model", "observations_path=seen.json")


def _register(workspace: Path, folder: str = "model") -> FilesystemRegistry:
    registry = FilesystemRegistry(workspace / "models" / "registry")
    registry.set_alias(
        "crypto_timing", "challenger", registry.register(workspace / folder, "crypto_timing", {}).version
    )
    return registry


def test_a_registered_model_is_taken_by_alias_or_version(workspace: Path, model: str, export: Export) -> None:
    _register(workspace)
    for asked in ("model_alias=challenger", "model_version=1"):
        result = export(asked)
        assert result.details["model_version"] == "crypto_timing/1"
        assert result.details["exported_digest"] == model


def test_a_champion_without_a_verdict_is_not_delivered(workspace: Path, export: Export) -> None:
    with pytest.raises(RegistryError, match=r"crypto_timing has no crypto_timing_champion"):
        export("model_path=null")
    registry = _register(workspace)
    registry.set_alias("crypto_timing", CRYPTO_TIMING.champion_alias, 1)
    with pytest.raises(RegistryError, match="which has no passing verdict"):
        export("model_path=null")
    with pytest.raises(RegistryError, match="crypto_timing has no other; allowed: an alias that the registry holds"):
        export("model_alias=other")
    with pytest.raises(RegistryError, match="7"):
        export("model_version=7")


def test_the_baseline_has_nothing_to_deliver(workspace: Path, export: Export) -> None:
    write_buy_first(workspace / "first")
    with pytest.raises(ModelError, match=r"first is of the kind buy_first, .*; mend: train_rainbow"):
        export("model_path=first")


def test_a_model_of_another_coin_is_told(
    workspace: Path, export: Export, make_timing_model: Callable[..., str]
) -> None:
    make_timing_model(workspace / "ether", symbol="ETH")
    with pytest.raises(ModelError, match=r"times ETH \(1h\), the data are BTC \(1h\); .*mend: --crypto ETH"):
        export("model_path=ether")
    with pytest.raises(ModelError, match=r"times BTC \(1h\), the data are BTC \(1d\)"):
        export("model_path=model", "data.frequency=1d", "data.cycle_steps=7")


def test_a_model_of_another_window_brings_its_own(
    workspace: Path, export: Export, make_timing_model: Callable[..., str]
) -> None:
    make_timing_model(workspace / "narrow", window_size=6)
    assert CryptoPredictor(export("model_path=narrow").folder, obs_dim=8).obs_dim == 8


def test_without_bars_it_is_told_what_makes_them(workspace: Path, export: Export) -> None:
    shutil.rmtree(workspace / "data")
    with pytest.raises(DataError, match=r"bars\.parquet does not exist"):
        export()


def test_an_altered_or_missing_model_is_not_delivered(workspace: Path, export: Export) -> None:
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        export("model_path=none")
    registry = _register(workspace)
    stored = registry.fetch(registry.by_version("crypto_timing", 1))
    (stored / "policy.safetensors").write_bytes(b"altered")
    with pytest.raises(DigestError):
        export("model_version=1")
    (workspace / "model" / "policy.safetensors").write_bytes(b"altered")
    with pytest.raises(ModelError, match=r"policy\.safetensors cannot be read"):
        export()


@pytest.mark.usefixtures("model")
def test_a_person_runs_it_as_a_process(workspace: Path) -> None:
    script = project_root() / "pipelines/crypto_dqn/export_crypto_model.py"
    command = [sys.executable, str(script), "--workspace", str(workspace), *LIGHT]
    done = subprocess.run(
        [*command, "--model_path", "model", "--output_path", "elsewhere"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["folder"] == str(workspace / "elsewhere" / "BTC_777")
    assert {path.name for path in Path(result["folder"]).iterdir()} == FILES


@pytest.mark.usefixtures("model")
def test_a_missing_model_ends_with_one_line(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--workspace", str(workspace), *LIGHT, "--model_path", "none"]) == 6
    assert "holds no model.json" in capsys.readouterr().err.splitlines()[-1]


_QUESTION = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
from predictor import CryptoPredictor
here = Path(sys.argv[1])
observations = np.random.default_rng(8).normal(size=(40, 32)).astype(np.float32)
for name in ("model.onnx", "model_int8.onnx"):
    print(CryptoPredictor(model_path=here / name, obs_dim=32).q_values(observations).tolist())
print(sorted({name.partition(".")[0] for name in sys.modules} & {"MLOps", "onnx", "pandas", "pydantic", "torch"}))
"""


def _expected_answers(place: Path) -> list[str]:
    graphs = [place / "model.onnx", place / "model_int8.onnx"]
    return [*(str(CryptoPredictor(graph).q_values(_observations()).tolist()) for graph in graphs), "[]"]


def _answers(python: list[str], place: Path) -> list[str]:
    done = subprocess.run([*python, str(place)], capture_output=True, text=True, check=True, timeout=300)
    return done.stdout.splitlines()


def test_it_runs_where_nothing_but_numpy_and_onnxruntime_is(tmp_path: Path, export: Export) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for package in ("numpy", "onnxruntime"):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        for part in (folder, folder.with_name(f"{package}.libs")):
            (site / part.name).symlink_to(part)
    place = Path(shutil.copytree(export().folder, tmp_path / "taken away"))
    path = f"import sys; sys.path.insert(0, {str(site)!r})\n"
    assert _answers([sys.executable, "-I", "-S", "-c", path + _QUESTION], place) == _expected_answers(place)


@pytest.mark.slow
def test_it_runs_in_an_environment_made_from_its_requirements(tmp_path: Path, export: Export) -> None:
    place = Path(shutil.copytree(export().folder, tmp_path / "taken away"))
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(place / "requirements.txt")], check=True, timeout=600)
    assert _answers([str(python), "-I", "-c", _QUESTION], place) == _expected_answers(place)
    listed = subprocess.run([str(python), "-m", "pip", "list", "--format=json"], check=True, capture_output=True)
    names: Any = {entry["name"].lower() for entry in json.loads(listed.stdout)}
    assert not names & {"torch", "onnx", "pydantic", "pandas"}


def test_the_readme_of_a_delivery_can_be_followed(export: Export) -> None:
    place = export().folder
    text = (place / "README.md").read_text()
    assert "{{" not in text
    code = [line[4:] for line in text.splitlines() if line.startswith("    ") and "pip install" not in line]
    closes = 5000 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, 40)))
    program = "\n".join(code).replace("[...]", str(closes.tolist()))
    done = subprocess.run([sys.executable, "-c", program], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
