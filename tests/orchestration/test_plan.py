"""Plans are checked whole when they are loaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from MLOps.errors import SettingsError
from MLOps.settings.alert_delivery import DeliverAlertsSettings
from MLOps.settings.compose import compose_settings
from MLOps.settings.project import project_root
from pipelines.orchestration.chain_run import override_text, plan_overrides
from pipelines.orchestration.load_plan import load_plan

PLANS = sorted(
    path.stem for path in (project_root() / "config" / "orchestration").glob("*.yaml") if path.stem != "stages"
)


@pytest.mark.parametrize("name", PLANS)
def test_every_plan_of_the_project_is_sound(name: str) -> None:
    plan = load_plan(name)
    assert plan.name == name
    assert all(step.stage in plan.stages for step in plan.steps)


def test_the_whole_strategy_goes_from_data_to_a_verdict() -> None:
    plan = load_plan("full_strategy")
    stages = [step.stage for step in plan.steps]
    first, last = (
        ["ingest_data", "measure_signal_rates", "score_news", "build_features", "check_data_drift"],
        ["train_rl_agent", "run_backtest", "promote_to_paper"],
    )
    assert stages == first + last
    assert plan.updates is None  # else it would start itself
    assert load_plan("daily_data").updates in plan.schedule.assets


def _changed(values: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    inner: Any = values
    *way, last = (int(part) if part.isdigit() else part for part in place.split("."))
    for part in way:
        inner = inner[part]
    inner[last] = value
    return values


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("steps.0.stage", "make_coffee", "unknown stage; allowed: build_features, run_backtest"),
        ("steps.1.stage", "build_features", "stands twice"),
        ("steps.0.overrides", {"news_path": "${run_backtest.folder}"}, "refers to no earlier step; allowed: none"),
        ("steps.1.overrides", {"features_path": "${build_features.wings}"}, "a result holds stage, key, status"),
        ("steps.1.overrides", {"wings": 2}, "wings is no setting of this stage"),
        ("steps.1.own", ["feathers"], "feathers is no setting of this stage"),
        ("steps.0.own", ["fill_limit_sessions"], "fill_limit_sessions is a setting of none of the plan's stages"),
        ("steps.0.timeout_minutes", 0, "steps.0.timeout_minutes: Input should be greater than 0"),
        ("steps.0.pause", 3, "steps.0.pause: Extra inputs are not permitted"),
        ("form", ["wings"], "wings is a setting of none of the plan's stages"),
        ("outcome", {"report": "${train_rl_agent.folder}"}, "outcome.report: ${train_rl_agent.folder} refers to no"),
        ("schedule.timezone", "Mars/Olympus", "must be an IANA time zone"),
        ("steps", [], "steps: Tuple should have at least 1 item"),
    ],
)
def test_a_fault_is_told_with_its_place(
    place: str, value: Any, told: str, plan_values: dict[str, Any], write_plan: Callable[..., Path]
) -> None:
    folder = write_plan(_changed(plan_values, place, value))
    with pytest.raises(SettingsError) as error:
        load_plan("pair", folder)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert "pair.yaml" in str(error.value)


def test_all_faults_are_told_at_once(plan_values: dict[str, Any], write_plan: Callable[..., Path]) -> None:
    _changed(plan_values, "steps.0.overrides", {"wings": 2})
    _changed(plan_values, "outcome", {"report": "${nobody.folder}"})
    with pytest.raises(SettingsError, match=r"wings.*\|.*nobody"):
        load_plan("pair", write_plan(plan_values))


def test_a_stage_whose_script_is_gone_is_told(plan_values: dict[str, Any], write_plan: Callable[..., Path]) -> None:
    folder = write_plan(plan_values)
    (folder.parent / "stages" / "run_backtest.py").unlink()
    with pytest.raises(SettingsError, match=r"steps.1 \(run_backtest\): .*run_backtest.py does not exist"):
        load_plan("pair", folder)


def test_an_unknown_plan_is_told_with_those_there_are() -> None:
    with pytest.raises(
        SettingsError, match="no plan 'weekly'; allowed: crypto_data, crypto_timing, crypto_timing_eth, daily_data, dri"
    ):
        load_plan("weekly")


def _based_on_pair(folder: Path, **own: Any) -> Path:
    (folder / "other.yaml").write_text(yaml.safe_dump({"based_on": "pair", **own}))
    return folder


def test_a_plan_that_is_based_on_another_holds_what_differs(
    plan_values: dict[str, Any], write_plan: Callable[..., Path]
) -> None:
    folder = _based_on_pair(write_plan(plan_values), description="Other.", overrides={"registry.model_name": "other"})
    base, other = load_plan("pair", folder), load_plan("other", folder)
    assert (base.overrides, other.overrides) == ({}, {"registry.model_name": "other"})
    changed = {"name": "other", "description": "Other.", "overrides": other.overrides}
    assert other == base.model_copy(update=changed)


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"based_on": "nobody"}, "there is no plan 'nobody'; allowed: other, pair"),
        ({"based_on": "other"}, "based_on: other is itself based on other; allowed: a plan that stands on its own"),
        ({"overrides": {"wings": 2}}, "overrides: wings is a setting of none of the plan's stages"),
        ({"overrides": {"registry": {"kind": "mlflow"}}}, "overrides.registry"),
        ({"overrides": {"bars_path": "${build_features.folder}"}}, "overrides.bars_path: ${build_features.folder}"),
        ({"overrides": {"registry": "x"}}, "would reach what a stage has of its own (build_features: registry.kind)"),
    ],
)
def test_a_fault_of_a_plan_that_is_based_on_another_names_the_file(
    own: dict[str, Any], told: str, plan_values: dict[str, Any], write_plan: Callable[..., Path]
) -> None:
    plan_values["steps"][0]["own"] = ["registry.kind"]
    folder = _based_on_pair(write_plan(plan_values), **own)
    with pytest.raises(SettingsError) as error:
        load_plan("other", folder)
    assert told in str(error.value)
    assert str(folder) in str(error.value)


def test_a_fault_of_the_base_is_told_with_both_files(
    plan_values: dict[str, Any], write_plan: Callable[..., Path]
) -> None:
    folder = _based_on_pair(write_plan(_changed(plan_values, "steps.1.overrides", {"wings": 2})))
    with pytest.raises(SettingsError, match=r"wings is no setting of this stage; mend: .*other.yaml or .*pair.yaml"):
        load_plan("other", folder)


def test_a_broken_file_is_told(plan_values: dict[str, Any], write_plan: Callable[..., Path]) -> None:
    folder = write_plan(plan_values)
    (folder / "pair.yaml").write_text("steps: [")
    with pytest.raises(SettingsError, match=r"pair.yaml cannot be read"):
        load_plan("pair", folder)


def test_an_override_belongs_to_the_stages_that_know_its_key() -> None:
    plan = load_plan("full_strategy")
    assert plan.owners("split.test_sessions") == ["train_rl_agent", "run_backtest"]
    assert plan.owners("rl_agents@agent") == ["train_rl_agent"]
    assert plan.owners("paths.workspace") == [step.stage for step in plan.steps]
    assert plan.owners("split.wings") == []


def test_a_model_that_a_person_names_is_the_agents() -> None:
    plan = load_plan("full_strategy")
    agents = ["train_rl_agent", "run_backtest", "promote_to_paper"]
    assert [stage for stage in plan.owners("registry.model_name") if stage in ("score_news", *agents)] == agents
    assert plan.owners("model_version") == agents[1:]
    assert "score_news" in plan.owners("registry.kind")


def test_buy_timing_goes_from_bars_to_a_verdict_on_the_bars_of_one_run() -> None:
    plan = load_plan("crypto_timing")
    ingestion, *others = plan.steps
    assert [ingestion.stage, *(step.stage for step in others)] == [
        "ingest_crypto_bars",
        "check_data_drift",
        "train_rainbow",
        "evaluate_crypto_timing",
        "promote_crypto_timing",
    ]
    bars = {value for step in others for key, value in step.overrides.items() if key.endswith("bars_path")}
    assert bars == {"${ingest_crypto_bars.artifacts.bars.path}"}
    assert others[0].overrides["subjects"] == ("timing_observation",)
    assert override_text("subjects", others[0].overrides["subjects"]) == 'subjects=["timing_observation"]'


def test_a_fee_that_is_tried_out_changes_what_is_judged_and_not_what_is_demanded() -> None:
    plan = load_plan("crypto_timing")
    assert plan.owners("environment.fee_bps") == ["train_rainbow", "evaluate_crypto_timing"]
    assert plan.owners("evidence.environment.fee_bps") == ["promote_crypto_timing"]


def test_another_coin_is_chosen_for_bars_cycles_evidence_and_champion_by_a_plan_of_its_own() -> None:
    bitcoin, plan = load_plan("crypto_timing"), load_plan("crypto_timing_eth")
    assert plan.steps == bitcoin.steps
    assert plan.schedule.cron != bitcoin.schedule.cron
    models = {step.stage: plan.settings_type(step.stage) for step in plan.steps}
    told = {
        stage: compose_settings(model, stage, list(plan_overrides(plan, stage).values())).model_dump(mode="json")
        for stage, model in models.items()
    }
    assert {settings["data"]["symbol"] for settings in told.values() if "data" in settings} == {"ETH"}
    assert told["promote_crypto_timing"]["evidence"]["data"]["symbol"] == "ETH"
    assert {
        settings["data"]["cycle_steps"] for settings in told.values() if "cycle_steps" in settings.get("data", {})
    } == {7}
    named = {stage: settings["registry"]["model_name"] for stage, settings in told.items()}
    assert set(named.values()) == {"crypto_timing_eth"}
    assert plan.owners("data") == ["check_data_drift", "train_rainbow", "evaluate_crypto_timing"]
    assert plan.owners("data.symbol") == ["ingest_crypto_bars", *plan.owners("data")]
    assert plan.owners("data@evidence.data") == ["promote_crypto_timing"]


def test_signal_rates_are_measured_on_the_bars_of_the_same_run() -> None:
    for name, ingestion, market in (
        ("full_strategy", "ingest_data", "stock"),
        ("crypto_data", "ingest_crypto_bars", "crypto"),
    ):
        first, second = load_plan(name).steps[:2]
        assert (first.stage, second.stage) == (ingestion, "measure_signal_rates")
        assert second.overrides["bars_path"] == f"${{{ingestion}.artifacts.bars.path}}"
        assert second.overrides["market"] == market


def test_new_sentences_and_the_plan_that_they_start_read_one_source() -> None:
    """The event of an asset carries no settings."""
    plan = load_plan("labelled_sentences")
    assert load_plan("sentiment_finetuning").schedule.assets == (plan.updates,)
    assert plan.form == ("run_date",)


@pytest.mark.parametrize(("name", "trains"), [("full_strategy", True), ("drift_watch", False)])
def test_drift_asks_for_training_where_none_follows(name: str, trains: bool) -> None:
    plan = load_plan(name)
    (step,) = [step for step in plan.steps if step.stage == "check_data_drift"]
    assert ("train_rl_agent" in {step.stage for step in plan.steps}) is trains
    assert step.overrides.get("ask_for_retraining", True) is not trains


def test_a_drift_alert_updates_an_asset_that_the_strategy_reads_and_no_plan_updates() -> None:
    asset = compose_settings(DeliverAlertsSettings, "deliver_alerts").retraining.asset
    assert asset in load_plan("full_strategy").schedule.assets
    plans = [load_plan(path.stem) for path in (project_root() / "dags").glob("*.py")]
    assert asset not in {plan.updates for plan in plans}
