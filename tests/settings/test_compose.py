"""Settings come from YAML, then files, then overrides; every fault says where to mend it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, model_validator

from MLOps.errors import SettingsError
from MLOps.settings.compose import SettingsFile, compose_settings
from MLOps.settings.stage_settings import Settings, StageSettings, fingerprint


class Machine(Settings):
    kind: str = Field(description="Kind.")
    knobs: dict[str, int] = Field(description="Knobs.")


class ProbeSettings(StageSettings):
    window: int = Field(ge=1, description="Window, in rows.")
    machine: Machine = Field(description="Machine.")


pytestmark = pytest.mark.usefixtures("project")


def probe(*overrides: str, files: tuple[SettingsFile, ...] = ()) -> ProbeSettings:
    return compose_settings(ProbeSettings, "probe", overrides, files)


def test_defaults_come_from_both_roots() -> None:
    settings = probe()
    assert (settings.window, settings.machine.kind, settings.machine.knobs) == (5, "slow", {"gain": 1})


def test_workspace_is_relative_to_the_project(project: Path) -> None:
    assert probe().paths.workspace == project
    assert probe("paths.workspace=made").paths.workspace == project / "made"


def test_override_lies_over_file_and_file_over_yaml(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("window: 7\nports:\n  mlflow: 9000\n")
    laid = probe(files=(SettingsFile(file),))
    assert (laid.window, laid.ports.mlflow, laid.ports.airflow) == (7, 9000, 8080)
    assert probe("window=9", files=(SettingsFile(file),)).window == 9


def test_group_is_chosen_by_override() -> None:
    assert probe("machines@machine=fast_machine").machine.knobs == {"gain": 9, "boost": 2}


def test_file_that_replaces_a_section_leaves_nothing_of_the_old_one(project: Path) -> None:
    file = SettingsFile(project / "config/machines/fast_machine.yaml", "machine", replaces=True)
    assert probe(files=(file,)).machine == Machine(kind="fast", knobs={"gain": 9, "boost": 2})
    assert probe("machine.knobs.gain=4", files=(file,)).machine.knobs["gain"] == 4


def test_file_of_the_users_own_reaches_both_roots(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("defaults:\n  - /tuned/low@knobs\n  - _self_\nkind: own\n")
    assert probe(files=(SettingsFile(own, "machine", replaces=True),)).machine.knobs == {"gain": 1}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("window=0", "window=0: Input should be greater than or equal to 1; mend: command line: window=0"),
        ("window=many", "window='many': Input should be a valid integer"),
        ("windw=3", "windw: unknown key, did you mean window?; allowed: paths,"),
        (
            "machine.knob=3",
            "machine.knob: unknown key, did you mean machine.knobs?; allowed: kind, knobs; "
            "mend: command line: machine.knob=3",
        ),
        ("machin.kind=x", "machin: unknown key, did you mean machine?; allowed:"),
        (
            "kind=x",
            "kind: unknown key, did you mean registry.kind or machine.kind?; allowed:",
        ),  # the name is right, its place is not
        ("zebra=3", "zebra: unknown key; allowed: paths,"),
        ("window", "override 'window' cannot be read; allowed: key=value"),
        ("window=1,2", "override 'window=1,2'; allowed: key=value, one value a key"),
        (
            "machines@machine=absent",
            "machines@machine=absent; allowed: fast_machine, slow_machine; mend: command line: machines@machine=absent",
        ),
        (
            "machines=fast_machine",
            "machines=fast_machine: no group of this stage; allowed: machines@machine; mend: the",
        ),
        ("window.deep=3", "window"),
    ],
)
def test_bad_override_is_one_clear_line(override: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        probe(override)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", ["machine=absent", "machine='absent'", "machine=3"])
def test_group_of_a_sections_own_name_tells_its_choices(project: Path, given: str) -> None:
    """What is chosen is a file, not a section of keys."""
    (project / "config" / "machines").rename(project / "config" / "machine")
    primary = project / "config" / "stages" / "probe.yaml"
    primary.write_text(primary.read_text().replace("/machines@machine", "/machine@machine"))
    assert probe("machine=fast_machine").machine.kind == "fast"
    assert probe("machine={kind: mine}").machine.kind == "mine"
    with pytest.raises(SettingsError, match=r"^machine=.*; allowed: fast_machine, slow_machine; mend: command line: m"):
        probe(given)


def test_file_that_the_primary_takes_and_that_is_gone_is_told_with_the_primary(project: Path) -> None:
    (project / "config" / "machines" / "slow_machine.yaml").unlink()
    told = r"^there is no machines/slow_machine.yaml; allowed: fast_machine; mend: config/stages/probe.yaml$"
    with pytest.raises(SettingsError, match=told):
        probe()


def test_override_is_taken_literally() -> None:
    assert probe("machine.kind='${oc.env:HOME}'").machine.kind == "${oc.env:HOME}"


def test_password_in_the_uri_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="MLFLOW_TRACKING_PASSWORD") as caught:
        probe("tracking.uri='http://bob:hunter2@127.0.0.1:8081'")
    assert "hunter2" not in str(caught.value)


class PairSettings(ProbeSettings):
    limit: int = Field(default=3, description="A limit.")

    @model_validator(mode="after")
    def _in_order(self) -> "PairSettings":
        if self.window > self.limit:
            raise ValueError(f"window={self.window} must be <= limit={self.limit}")
        return self


def test_fault_between_two_keys_is_mended_where_the_last_of_them_was_given() -> None:
    for overrides, where in (
        (["limit=9", "window=10"], "command line: window=10"),
        (["window=10", "limit=9"], "command line: limit=9"),
        (["ports.mlflow=9000"], "config/stages/probe.yaml"),
    ):
        with pytest.raises(SettingsError) as caught:
            compose_settings(PairSettings, "probe", overrides)
        assert str(caught.value).startswith("window=")
        assert str(caught.value).endswith(f"; mend: {where}")


class SecretSettings(ProbeSettings):
    api_key: int = Field(default=0, description="A key.")
    places: list[int] = Field(default=[], description="Numbers.")


@pytest.mark.parametrize(
    "override",
    [
        "api_key=hunter2",
        "API_KEY='hunter2, hunter2; hunter2'",
        "serving.api_key=hunter2",
        "serving.webhook_secret=hunter2",
        "serving.TOKEN=hunter2",
        "serving.password='hunter2 hunter2'",
        "serving.password.of=hunter2",
        "serving={api_key: hunter2, port: 1}",
        "serving={inner: {'api_key': 'hunter2'}}",
        "places=[{api_key: hunter2}]",
        "window.api_key=hunter2",
        "+api_key=hunter2",
        "~api_key=hunter2",
        "api_key=[hunter2",
        "api_key=hunter2,hunter2",
        "api_key=hunter2=hunter2",
        "serving={api_key: hunter2",
        "api_key@serving=hunter2",
    ],
)
def test_secrets_are_never_repeated(override: str) -> None:
    with pytest.raises(SettingsError, match=r"\*\*\*") as caught:
        compose_settings(SecretSettings, "probe", [override])
    assert "hunter2" not in str(caught.value)


def test_secret_of_a_file_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("api_key: hunter2\n")
    with pytest.raises(SettingsError, match=r"api_key=\*\*\*: Input should be a valid integer") as caught:
        compose_settings(SecretSettings, "probe", (), [SettingsFile(file)])
    assert "hunter2" not in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(
        SettingsError, match=r"window=0.* \| .*nothing: unknown key|nothing: unknown key.* \| .*window=0"
    ):
        probe("window=0", "nothing=1")


@pytest.mark.parametrize(
    ("file", "change"), [("config/stages/probe.yaml", "window: 0"), ("config/machines/slow_machine.yaml", "kind: [1]")]
)
def test_fault_names_the_file_that_holds_it(project: Path, file: str, change: str) -> None:
    path = project / file
    key = change.split(":")[0]
    path.write_text("\n".join(change if line.startswith(f"{key}:") else line for line in path.read_text().splitlines()))
    with pytest.raises(SettingsError, match=f"mend: {file}"):
        probe()


@pytest.mark.parametrize("text", ["- a\n", "a: [\n", "", "\xff"])
def test_broken_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"broken\.yaml"):
        probe(files=(SettingsFile(file),))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml does not exist"):
        probe(files=(SettingsFile(tmp_path / "absent.yaml"),))


def test_fingerprint_follows_what_is_made_not_where() -> None:
    base: Any = fingerprint(probe())
    assert fingerprint(probe("paths.workspace=/tmp", "show_progress=false", "ports.mlflow=9999")) == base
    assert fingerprint(probe("window=6")) != base
    assert fingerprint(probe("machine.knobs.gain=2")) != base
