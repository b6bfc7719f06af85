"""What the settings of crypto bars refuse."""

import pytest

from MLOps.errors import SettingsError
from MLOps.settings.compose import compose_settings
from MLOps.settings.crypto_ingestion import CryptoIngestionSettings

_BTC = "sources.crypto.symbols.BTC"


def _local(first: str = "2017-09-22T20:00", last: str = "2017-11-12T03:00", timezone: str = "America/New_York") -> str:
    return f"{_BTC}.local_time_spans=[{{first: '{first}', last: '{last}', timezone: {timezone}}}]"


def _missing(first: str, last: str) -> str:
    return f"{_BTC}.missing_spans=[{{first: '{first}', last: '{last}'}}]"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (_local(timezone="Mars/Olympus"), "must be an IANA name of a time zone"),
        (_local(first="2018-01-01T00:00"), "is after last"),
        (_local(first="2017-09-22T20:00Z"), "should not have timezone info"),
        (_missing("2017-09-22T20:00", "2017-09-22T23:00Z"), "should have timezone info"),
        (_missing("2017-09-23T20:00Z", "2017-09-22T23:00Z"), "is after last"),
        (f"{_BTC}.header_line=0", "greater than or equal to 1"),
        (f"{_BTC}.file=../secrets.csv", "should match pattern"),
        ("sources.crypto.symbols.btc-eur=null", "should match pattern"),
        (f"{_BTC}.columns.adjusted=x", "columns.adjusted: unknown key"),
        ("data.symbol=XRP", "data.symbol=XRP; allowed: BTC, ETH"),
    ],
)
def test_wrong_settings_are_told(override: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        compose_settings(CryptoIngestionSettings, "ingest_crypto_bars", [override])
    assert message in str(caught.value)
