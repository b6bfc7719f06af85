"""How the server is started: on this machine alone, calling nobody, and on the settings' port."""

import pytest

from monitoring.dashboards.web.show_dashboard import command, main


def test_server_listens_on_this_machine_and_calls_nobody(shown):
    settings = shown.with_overrides("ports.streamlit=8599")
    line = command(settings, shown.overrides)
    assert {"--server.address=127.0.0.1", "--server.port=8599", "--browser.gatherUsageStats=false"} <= set(line)
    assert line[line.index("--") + 1 :] == shown.overrides


def test_wrong_settings_start_nothing(capsys: pytest.CaptureFixture[str]):
    assert main(["dashboard.shown_runs=0"]) == 2
    assert "dashboard.shown_runs=0" in capsys.readouterr().err
