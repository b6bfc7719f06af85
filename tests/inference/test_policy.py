"""A model folder is checked before it is read, and its policy knows only what stands in row t."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from MLOps.errors import DigestError, ModelError
from MLOps.inference.model_files import model_digest
from MLOps.inference.model_folder import MlpActorCard, read_card, write_equal_weight, write_model
from MLOps.inference.observation import Normaliser, fit_normalisation, observe
from MLOps.inference.policy import MlpActorPolicy, load_policy
from MLOps.market.accounting import execute, flat_terms
from MLOps.market.panel import MarketPanel

SHARE_ORDERS = {
    "kind": "share_orders",
    "max_shares_per_order": 100,
    "is_fractional": False,
    "turbulence_threshold": None,
}
TARGET_WEIGHTS = SHARE_ORDERS | {"kind": "target_weights", "max_shares_per_order": None}


def make_panel(sessions: int = 5, seed: int = 3) -> MarketPanel:
    generator = np.random.default_rng(seed)
    return MarketPanel(
        dates=np.datetime64("2020-01-01", "D") + np.arange(sessions),
        tickers=("AA", "BB"),
        close=np.array([[10.0, 20.0]]) * (1 + generator.uniform(-0.05, 0.05, (sessions, 2))),
        features=generator.normal(size=(sessions, 2, 2)),
        feature_names=("macd", "rsi_30"),
        turbulence=np.arange(sessions, dtype=float),
    )


def make_card(**changes: object) -> MlpActorCard:
    values = {
        "architecture": {"hidden_sizes": [3], "activation": "relu", "squash": "clip"},
        "observation": {"tickers": ["AA", "BB"], "indicators": ["rsi_30"], "size": 7},
        "normalisation": {"mean": [0.0] * 7, "scale": [1.0] * 7, "limit": 1e6},
        "action": SHARE_ORDERS,
        "environment": {"initial_amount": 1000.0},
        "windows": {"train": {"first": "2020-01-01", "last": "2020-01-03"}},
        "provenance": {"library": "sb3", "seed": 1},
    }
    return MlpActorCard.model_validate(values | changes)


def make_weights() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "layers.0.weight": generator.normal(size=(3, 7)).astype(np.float32) * 0.01,
        "layers.0.bias": np.full(3, 0.1, dtype=np.float32),
        "layers.1.weight": generator.normal(size=(2, 3)).astype(np.float32) * 0.1,
        "layers.1.bias": np.array([0.3, -0.4], dtype=np.float32),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "model", make_card(), make_weights())
    return tmp_path / "model"


def test_same_content_gives_the_same_digest_and_other_weights_another(folder: Path, tmp_path: Path) -> None:
    twin = write_model(tmp_path / "twin", make_card(), dict(reversed(make_weights().items())))
    other = write_model(tmp_path / "other", make_card(), make_weights() | {"layers.1.bias": np.zeros(2, np.float32)})
    assert twin == model_digest(folder) != other


def test_files_that_ride_along_do_not_change_the_digest(folder: Path) -> None:
    before = model_digest(folder)
    (folder / "export").mkdir()
    (folder / "export" / "model.zip").write_bytes(b"pickle")
    assert model_digest(folder) == before


@pytest.mark.parametrize("file", ["model.json", "policy.safetensors"])
def test_digest_is_checked_before_anything_is_parsed(folder: Path, file: str) -> None:
    digest = model_digest(folder)
    load_policy(folder, digest)
    (folder / file).write_bytes(b"neither JSON nor safetensors")
    with pytest.raises(DigestError, match="has digest"):
        load_policy(folder, digest)


def test_action_is_the_perceptron_worked_by_hand(folder: Path) -> None:
    observation = np.array([1.0, 10.0, 20.0, 0.0, 5.0, 0.2, -0.3])
    weights = make_weights()
    hidden = np.maximum(weights["layers.0.weight"] @ observation + weights["layers.0.bias"], 0)
    expected = np.clip(weights["layers.1.weight"] @ hidden + weights["layers.1.bias"], -1, 1)
    policy = load_policy(folder)
    assert isinstance(policy, MlpActorPolicy)
    np.testing.assert_allclose(policy.actions(observation), expected, rtol=1e-6)
    np.testing.assert_allclose(policy.actions(np.stack([observation] * 3)), [expected] * 3, rtol=1e-6)


def test_orders_read_no_row_after_t(folder: Path) -> None:
    panel, policy, shares = make_panel(), load_policy(folder), np.array([3.0, 0.0])
    whole = policy.orders(panel, 2, 500.0, shares)
    assert whole.any()
    np.testing.assert_array_equal(policy.orders(panel.window(0, 3), 2, 500.0, shares), whole)


def written_policy(folder: Path, **action: object) -> MlpActorPolicy:
    write_model(folder, make_card(action=action), make_weights())
    policy = load_policy(folder)
    assert isinstance(policy, MlpActorPolicy)
    return policy


@pytest.mark.parametrize(("is_fractional", "cut"), [(False, np.trunc), (True, np.asarray)])
def test_an_action_means_shares(tmp_path: Path, is_fractional: bool, cut: Callable) -> None:
    policy, panel = written_policy(tmp_path, **SHARE_ORDERS | {"is_fractional": is_fractional}), make_panel()
    action = policy.actions(observe(panel, 1, 500.0, np.zeros(2), [1])).astype(np.float32)
    assert (action * 100 % 1 != 0).all()
    np.testing.assert_array_equal(policy.orders(panel, 1, 500.0, np.zeros(2)), cut(action * np.float32(100)))


@pytest.mark.parametrize(("is_fractional", "cut"), [(False, np.floor), (True, np.asarray)])
def test_an_action_means_weights(tmp_path: Path, is_fractional: bool, cut: Callable) -> None:
    policy, panel = written_policy(tmp_path, **TARGET_WEIGHTS | {"is_fractional": is_fractional}), make_panel()
    shares = np.array([3.0, 2.0])
    action = policy.actions(observe(panel, 1, 500.0, shares, [1]))
    assert action[0] > 0 > action[1]  # so the second is sold
    wealth = 500 + shares @ panel.close[1]
    target = np.array([cut(action[0] * wealth / panel.close[1, 0]), 0.0])
    np.testing.assert_allclose(policy.orders(panel, 1, 500.0, shares), target - shares, rtol=1e-6)


@pytest.mark.parametrize("rule", [SHARE_ORDERS, TARGET_WEIGHTS])
def test_turbulence_at_the_threshold_sells_everything(tmp_path: Path, rule: dict) -> None:
    policy, panel, shares = written_policy(tmp_path, **rule | {"turbulence_threshold": 3.0}), make_panel(), np.ones(2)
    fill = execute(0.0, shares, panel.close[3], policy.orders(panel, 3, 0.0, shares), flat_terms(2, 0.0, 0.0))
    np.testing.assert_array_equal(fill.shares, [0, 0])
    assert (policy.orders(panel, 2, 0.0, shares) > -shares).any()


def test_a_rule_of_shares_says_how_many_and_one_of_weights_does_not() -> None:
    for rule in (SHARE_ORDERS | {"max_shares_per_order": None}, SHARE_ORDERS | {"kind": "target_weights"}):
        with pytest.raises(ValidationError, match="max_shares_per_order belongs to share_orders"):
            make_card(action=rule)


def test_check_refuses_other_tickers_and_missing_indicators(folder: Path) -> None:
    policy, panel = load_policy(folder), make_panel()
    policy.check(panel)
    others = MarketPanel(panel.dates, ("AA", "CC"), panel.close, panel.features, panel.feature_names, panel.turbulence)
    with pytest.raises(ModelError, match="the data hold the tickers AA, CC"):
        policy.check(others)
    fewer = MarketPanel(panel.dates, panel.tickers, panel.close, panel.features[:, :, :1], ("macd",), panel.turbulence)
    with pytest.raises(ModelError, match="lack the model's indicators rsi_30"):
        policy.check(fewer)


def test_equal_weight_buys_until_the_cash_is_spent_and_holds(tmp_path: Path) -> None:
    digest = write_equal_weight(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.json"]
    panel, policy = make_panel(), load_policy(tmp_path, digest)
    policy.check(panel)
    np.testing.assert_allclose(policy.orders(panel, 0, 1000.0, np.zeros(2)) * panel.close[0], 450)
    cash, shares, terms = 1000.0, np.zeros(2), flat_terms(2, 0.001, 0.001)
    for _ in range(6):
        fill = execute(cash, shares, panel.close[0], policy.orders(panel, 0, cash, shares), terms)
        cash, shares = fill.cash, fill.shares
    np.testing.assert_array_equal(fill.traded, [0, 0])
    assert np.ptp(shares * panel.close[0]) <= panel.close[0].max()
    assert cash < panel.close[0].sum()


def test_unknown_kind_names_those_that_are_allowed(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"kind": "pickle"}))
    with pytest.raises(ModelError, match=r"mlp_actor \(format 2\) and equal_weight"):
        load_policy(tmp_path)


def test_a_card_of_the_first_format_is_refused(folder: Path) -> None:
    card = json.loads((folder / "model.json").read_text())
    card["format"], card["action"] = 1, {"max_shares_per_order": 100, "turbulence_threshold": None}
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"mlp_actor\.format .*; allowed: kinds mlp_actor \(format 2\)"):
        load_policy(folder)


def test_missing_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        load_policy(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("layers.1.bias"), r"lacks the tensor layers\.1\.bias"),
        (lambda w: w.update({"layers.1.bias": np.zeros(5, np.float32)}), r"has shape \(5,\)"),
        (lambda w: w.update({"layers.1.bias": np.full(2, np.nan, np.float32)}), "NaN or infinity"),
    ],
)
def test_broken_weights_are_told(tmp_path: Path, change: Callable[[dict], object], message: str) -> None:
    weights = make_weights()
    change(weights)
    write_model(tmp_path, make_card(), weights)
    with pytest.raises(ModelError, match=message):
        load_policy(tmp_path)


def test_card_comes_back_as_it_was_written(folder: Path) -> None:
    assert read_card(folder) == make_card()


def test_normalisation_is_fitted_on_the_window_and_centres_it() -> None:
    panel = make_panel(sessions=50)
    normalise = Normaliser(fit_normalisation(panel.window(0, 40), 1000.0, 10.0))
    rows = [observe(panel, t, 500.0, np.zeros(2), [0, 1]) for t in range(40)]
    values = normalise(np.stack(rows))
    np.testing.assert_allclose(values[:, 1:3].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(values[:, 5:].std(axis=0), 1, rtol=1e-5)
    assert (values[:, 0] == 0).all()
    assert fit_normalisation(panel.window(0, 40), 1000.0, 10.0) == fit_normalisation(
        make_panel(sessions=50).window(0, 40), 1000.0, 10.0
    )


def test_a_column_that_never_moves_is_left_in_its_own_unit() -> None:
    panel = make_panel(sessions=20)
    panel.features[:, :, 1] = 0.0
    normalisation = fit_normalisation(panel, 1000.0, 10.0)
    assert normalisation.scale[-2:] == (1.0, 1.0)
