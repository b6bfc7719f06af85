"""Agents are told apart by library and algorithm; a fault names itself, what is allowed and its file."""

from pathlib import Path

import pytest

from MLOps.errors import SettingsError
from MLOps.settings.compose import SettingsFile, compose_settings
from MLOps.settings.project import project_root
from MLOps.settings.training import TrainRlAgentSettings

FILES = sorted((project_root() / "config" / "rl_agents").glob("*.yaml"))


def composed(*overrides: str, file: Path | None = None) -> TrainRlAgentSettings:
    files = [SettingsFile(file, "agent", replaces=True)] if file else []
    return compose_settings(TrainRlAgentSettings, "train_rl_agent", overrides, files)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_agent_file_composes_to_the_agent_that_it_names(file: Path) -> None:
    agent = composed(file=file).agent
    library, _, algorithm = file.stem.removesuffix("_stocktrading_params").rpartition("_")
    assert (agent.library, agent.algorithm) == (library or "sb3", algorithm)


def test_all_agents_of_both_libraries_are_there() -> None:
    assert len(FILES) == 7


def test_an_agent_can_be_chosen_by_its_group() -> None:
    assert composed("rl_agents@agent=td3_stocktrading_params").agent.algorithm == "td3"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("agent.hyperparameters.gamma=1.5", r"gamma=1\.5: Input should be less than or equal to 1"),
        ("agent.hyperparameters.gama=0.9", r"hyperparameters\.gama: unknown key"),
        ("agent.hyperparameters.batch_size=4096", r"batch_size=4096 must be <= n_envs=32 x n_steps=64"),
        ("agent.network.activation=sigmoid", r"'tanh', 'relu', 'elu' or 'silu'"),
        ("agent.network.hidden_sizes=[]", r"hidden_sizes"),
        ("agent.library=rllib", r"library/algorithm must be one of sb3/"),
        ("training.total_episodes=3", r"give either total_timesteps or total_episodes"),
        ("training.total_timesteps=0", r"greater than or equal to 1"),
        ("environment.buy_cost_fraction=1.0", r"less than 1"),
        ("environment.indicators=[macd,macd]", r"must not name anything twice"),
        ("processed_data_filename=../x.csv", r"processed_data_filename"),
    ],
)
def test_a_fault_is_told_in_one_line(override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        composed(override)
    assert "\n" not in str(error.value)
    assert f"command line: {override}" in str(error.value)


def test_an_unknown_key_of_an_agent_file_names_the_file(tmp_path: Path) -> None:
    text = (project_root() / "config" / "rl_agents" / "ppo_stocktrading_params.yaml").read_text()
    file = tmp_path / "mine.yaml"
    file.write_text(text + "hiden_layers: 3\n")
    with pytest.raises(SettingsError, match=r"hiden_layers: unknown key.*mine\.yaml"):
        composed(file=file)


def test_elegantrl_takes_relu_alone() -> None:
    with pytest.raises(SettingsError, match="Input should be 'relu'"):
        composed("rl_agents@agent=elegantrl_ppo_stocktrading_params", "agent.network.activation=tanh")


def test_a_budget_in_episodes_counts_the_steps_between_closes() -> None:
    training = composed("training.total_timesteps=null", "training.total_episodes=3").training
    assert training.budget_timesteps(61) == 180
    assert composed("training.total_timesteps=77").training.budget_timesteps(61) == 77


def test_a_replay_buffer_holds_a_step_of_all_accounts() -> None:
    file = project_root() / "config" / "rl_agents" / "ddpg_stocktrading_params.yaml"
    with pytest.raises(SettingsError, match="buffer_size=100 must be >= n_envs=200"):
        composed("agent.hyperparameters.buffer_size=100", "agent.hyperparameters.n_envs=200", file=file)
