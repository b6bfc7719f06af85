"""Settings of buy-timing: the shipped groups, and windows out of order."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from MLOps.settings.project import project_root
from MLOps.settings.timing import DcaTimingSettings, TimingDataSettings


def shipped(coin: str) -> dict[str, Any]:
    return yaml.safe_load((project_root() / "config" / "data" / f"{coin}.yaml").read_text())


@pytest.mark.parametrize(("coin", "symbol", "frequency"), [("btc", "BTC", "1h"), ("eth", "ETH", "1d")])
def test_the_shipped_groups_are_of_their_coin_and_show_thirty_closes(coin: str, symbol: str, frequency: str) -> None:
    data = TimingDataSettings.model_validate(shipped(coin))
    assert (data.symbol, data.frequency, data.window_size) == (symbol, frequency, 30)


def test_the_shipped_environment_is_valid() -> None:
    path = project_root() / "config" / "environments" / "dca_timing.yaml"
    shipped = DcaTimingSettings.model_validate(yaml.safe_load(path.read_text()))
    assert (shipped.fee_bps, shipped.random_first_step) == (10, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"validation_start": "2019-02-01"},
            "validation_start=2019-02-01 must come before test_start=2019-01-01",
        ),
        ({"validation_start": "2019-01-01"}, "must come before test_start"),
        ({"train_start": "2018-09-01"}, "train_start=2018-09-01 must come before validation_start=2018-09-01"),
        ({"test_end": "2018-12-31"}, "test_end=2018-12-31 must not come before test_start=2019-01-01"),
        ({"symbol": "bit coin"}, "symbol"),
        ({"frequency": "5m"}, "'1h' or '1d'"),
        ({"window_size": 1}, "greater than or equal to 2"),
        ({"cycle_steps": 1}, "greater than or equal to 2"),
    ],
)
def test_bad_data_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TimingDataSettings.model_validate(shipped("btc") | changes)


@pytest.mark.parametrize(
    "changes", [{"fee_bps": -1}, {"fee_bps": 5_000}, {"reward_scale": 0}, {"random_first_step": None}]
)
def test_bad_environment_settings_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DcaTimingSettings.model_validate({"fee_bps": 10, "reward_scale": 100, "random_first_step": True} | changes)
