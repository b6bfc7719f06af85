"""What a report must say of its data."""

import pytest

from MLOps.market.data_warnings import data_warnings


def test_tells_a_replay_first_and_then_what_the_source_warned_of():
    details = {"is_replay": True, "as_of": "2022-12-30", "warnings": "Survivorship: winners. | General news."}
    first, *others = data_warnings(details)
    assert first.startswith("REPLAY")
    assert "2022-12-30" in first
    assert others == ["Survivorship: winners.", "General news."]


def test_tells_close_only_data_once():
    dropped = {"dropped_indicators": "cci_30,dx_30"}
    assert data_warnings(dropped) == ("Close-only: without high and low there is no cci_30, dx_30.",)
    assert data_warnings(dropped | {"warnings": "Close-only: no highs."}) == ("Close-only: no highs.",)


def test_tells_who_scored_the_news_and_how_many_sessions_have_any():
    scored = {"sentiment_model_sha256": "0123456789abcdef", "sessions_with_news": "50 of 2265"}
    (warning,) = data_warnings(scored | {"sentiment_model_kind": "vader"})
    assert warning.startswith("News: 50 of 2265 sessions have any, scored by vader (0123456789ab)")
    assert "unknown kind" in data_warnings(scored)[0]


@pytest.mark.parametrize(
    "details", [{}, {"warnings": "", "is_replay": False, "dropped_indicators": "", "sessions_with_news": "0 of 9"}]
)
def test_says_nothing_where_nothing_limits(details):
    assert data_warnings(details) == ()
