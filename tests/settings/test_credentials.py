"""Keys come from the environment, else from the key file; they are never shown."""

from pathlib import Path

import pytest

from MLOps.errors import SettingsError
from MLOps.settings import credentials
from MLOps.settings.credentials import read_api_key, read_api_keys


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(credentials, "project_root", lambda: tmp_path)
    path = tmp_path / "config" / "api_keys.yaml"
    path.parent.mkdir()
    path.write_text("alpaca:\n  api_key: from file\n  secret_key: hidden\n")
    return path


@pytest.mark.usefixtures("key_file")
def test_the_environment_wins_over_the_file() -> None:
    environment = {"ALPACA_API_KEY": "from environment", "ALPACA_SECRET_KEY": "secret"}
    assert read_api_keys("alpaca", environment).key == "from environment"
    assert read_api_keys("alpaca", {}).key == "from file"


@pytest.mark.usefixtures("key_file")
def test_a_pair_is_never_mixed_from_two_places() -> None:
    keys = read_api_keys("alpaca", {"ALPACA_API_KEY": "from environment"})
    assert (keys.key, keys.secret) == ("from file", "hidden")


@pytest.mark.usefixtures("key_file")
def test_secrets_are_not_shown() -> None:
    assert repr(read_api_keys("alpaca", {})) == "ApiKeys()"


@pytest.mark.parametrize("content", [None, "", "alpaca:\n", "alpaca:\n  api_key: only one\n", "- a list\n"])
def test_missing_keys_are_told(key_file: Path, content: str | None) -> None:
    key_file.unlink()
    if content is not None:
        key_file.write_text(content)
    with pytest.raises(SettingsError, match="no keys for alpaca; allowed: ALPACA_API_KEY and ALPACA_SECRET_KEY"):
        read_api_keys("alpaca", {})


def test_a_broken_key_file_is_told_without_its_content(key_file: Path) -> None:
    key_file.write_text("alpaca: {api_key: hidden")
    with pytest.raises(SettingsError, match=r"api_keys\.yaml is not YAML") as caught:
        read_api_keys("alpaca", {})
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_without_a_secret_comes_from_the_environment_else_the_file(key_file: Path) -> None:
    key_file.write_text("serving:\n  api_key: from file\n")
    assert read_api_key("serving", {"SERVING_API_KEY": "from environment"}) == "from environment"
    assert read_api_key("serving", {}) == "from file"


@pytest.mark.parametrize("content", ["", "serving:\n", 'serving:\n  api_key: ""\n', "serving: text\n"])
def test_a_key_that_is_nowhere_is_none(key_file: Path, content: str) -> None:
    key_file.write_text(content)
    assert read_api_key("serving", {}) is None


def test_a_key_that_is_set_but_empty_is_refused(key_file: Path) -> None:
    key_file.write_text("serving:\n  api_key: from file\n")
    with pytest.raises(SettingsError, match="SERVING_API_KEY is set, but empty; allowed: a key, or no such variable"):
        read_api_key("serving", {"SERVING_API_KEY": ""})
