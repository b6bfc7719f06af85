"""The trigger form says what the settings' models say."""

from pathlib import Path

import pytest

from MLOps.errors import SettingsError
from MLOps.settings.compose import compose_settings
from MLOps.settings.training import TrainRlAgentSettings
from pipelines.orchestration.chain_run import override_text, reports_folder
from pipelines.orchestration.form import form_fields, overrides_of
from pipelines.orchestration.load_plan import load_plan
from pipelines.orchestration.plan import Plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan("full_strategy")


def test_a_field_has_type_bounds_description_and_default(plan: Plan) -> None:
    fields = {field.key: field for field in form_fields(plan)}
    seed = fields["training.seed"]
    assert seed.schema == {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
    assert seed.description == "Seed of every generator."
    assert seed.stages == ("train_rl_agent",)
    assert seed.default == compose_settings(TrainRlAgentSettings, "train_rl_agent").training.seed
    assert fields["run_date"].schema == {"type": ["string", "null"], "format": "date"}


@pytest.mark.parametrize("name", ["full_strategy", "crypto_data"])
def test_every_field_is_described(name: str) -> None:
    plan = load_plan(name)
    assert [field.key for field in form_fields(plan)] == list(plan.form)
    assert all(field.description and "type" in field.schema for field in form_fields(plan))


def test_untouched_fields_are_left_out(plan: Plan) -> None:
    conf = {field.key: field.default for field in form_fields(plan)} | {"training.seed": 7}
    assert overrides_of(plan, conf) == {"training.seed": "training.seed=7"}


def test_a_field_of_a_plan_of_its_own_coin_begins_with_what_the_plan_says() -> None:
    plan = load_plan("crypto_timing_eth")
    plan = plan.model_copy(update={"form": (*plan.form, "data.cycle_steps", "data.symbol")})
    defaults = {field.key: field.default for field in form_fields(plan)}
    assert (defaults["data.cycle_steps"], defaults["data.symbol"]) == (7, "ETH")
    assert overrides_of(plan, defaults | {"data.symbol": "BTC"}) == {"data.symbol": 'data.symbol="BTC"'}


def test_values_reach_the_settings_as_they_were_given() -> None:
    given = {
        "training.seed": 7,
        "split.train_start": "2015-01-02",
        "processed_data_filename": 'it\'s "odd" = a.csv',
        "training.total_timesteps": None,
        "training.total_episodes": 3,
        "rl_agents@agent": "a2c_stocktrading_params",
    }
    texts = [override_text(key, value) for key, value in given.items()]
    settings = compose_settings(TrainRlAgentSettings, "train_rl_agent", texts)
    assert settings.training.seed == 7
    assert str(settings.split.train_start) == "2015-01-02"
    assert settings.processed_data_filename == given["processed_data_filename"]
    assert settings.training.total_timesteps is None
    assert settings.agent.algorithm == "a2c"


def test_reports_lie_in_the_workspace_that_was_given(plan: Plan, tmp_path: Path) -> None:
    overrides = {"paths.workspace": override_text("paths.workspace", str(tmp_path))}
    assert reports_folder(plan, overrides) == tmp_path / "reports"


def test_a_bad_workspace_is_told(plan: Plan) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        reports_folder(plan, {"paths.workspace": "paths.workspace={"})
