"""Every page shows what a workspace holds, and says how to begin where it holds nothing."""

import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from model_registry.open_registry import open_registry
from monitoring.dashboards.web.app import PAGES
from monitoring.dashboards.web.backtest_files import list_backtests
from monitoring.dashboards.web.render_blocks import AlertBox, alerts
from monitoring.dashboards.web.timing_files import list_evaluations
from monitoring.drift.verdict import Status

TITLES = [title for title, _ in PAGES]
_PATIENCE_SECONDS = 60
_MINUS = "\N{MINUS SIGN}"


def _script(title, settings):
    from monitoring.dashboards.web.app import PAGES

    dict(PAGES)[title](settings)


def _whole(overrides):
    from monitoring.dashboards.web.app import run

    run(overrides)


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """``open_page(title, shown)``: a page, run once."""

    def run(title, shown, *overrides):
        settings = shown.with_overrides(*overrides) if overrides else shown.settings
        page = AppTest.from_function(_script, args=(title, settings))
        page.run(timeout=_PATIENCE_SECONDS)
        assert not page.exception
        return page

    return run


def html(page: AppTest) -> str:
    """What the page shows beside charts and inputs."""
    return " ".join(element.proto.body for element in page.get("html"))


def text(page: AppTest) -> str:
    """The same, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", html(page)).split())


def charts(page: AppTest) -> int:
    return len(page.get("plotly_chart"))


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("Overview", "Nothing has run yet"),
        ("Strategy", "No backtest yet"),
        ("Buy-timing", "No evaluation yet"),
        ("Champions", "No stock trading model yet"),
        ("Drift", "Drift was not checked yet"),
        ("Alerts", "No alert yet"),
        ("Runs", "No run yet"),
    ],
)
def test_empty_workspace_is_told_with_what_to_do(open_page, shown, title, told):
    page = open_page(title, shown)
    assert told in text(page)
    assert charts(page) == 0
    assert list(shown.workspace.iterdir()) == []  # looking makes nothing


def test_overview_shows_each_room_at_a_glance(open_page, furnished):
    page = open_page("Overview", furnished)
    told = text(page)
    assert "REPLAY" in told
    assert "Bars of 2 tickers to 2024-03-05" in told
    assert "Champion Version 2 equal weight" in told  # version 1 was registered first, and rejected
    assert "Return a year 10.0% champion 5.0%" in told
    assert "Drift Drift features" in told
    assert "Alerts firing 1 0 critical" in told  # the failed stage was mended, drift goes on
    assert "Version 3: rejected, 8 of 9 gates, data to 2024-03-05" in told
    assert "train_rl_agent failed" in told
    assert "Survivorship: winners only." in told
    assert charts(page) == 1


def test_figures_of_a_backtest_stand_under_the_name_of_its_own_model(open_page, furnished):
    told = text(open_page("Overview", furnished))
    assert told.index("Champion Version 2") < told.index("Alerts firing") < told.index("Newest backtest")
    newest = told[told.index("Newest backtest") :]
    assert newest.startswith(
        "Newest backtest: Version 3, sb3/ppo By now: rejected. Beside it the champion of that test"
    )
    assert newest.index("Model tested Version 3 sb3/ppo, rejected") < newest.index("Return a year 10.0% champion 5.0%")


def test_strategy_names_the_model_and_the_champion_beside_it(open_page, furnished):
    told = text(open_page("Strategy", furnished))
    assert "Version 3, sb3/ppo By now: rejected. Beside it the champion of that test: version 2, equal weight." in told


def test_model_that_the_registry_does_not_know_is_named_as_the_backtest_has_it(open_page, shown):
    shown.write_backtest(version=7)
    told = text(open_page("Strategy", shown))
    assert "Version 7 By now: not in the registry. Beside it the champion of that test: version 2." in told


def test_strategy_shows_what_was_held_last(open_page, furnished):
    told = text(open_page("Strategy", furnished))
    assert "What the test held after the close of 2024-03-22; no broker holds it." in told
    rows = "BBB 2,500.5 60.0% 55.0% AAA 1,200 25.0% 45.0% Cash 15.0% 0.0%"
    assert f"Ticker Shares Part of wealth Champion&#39;s part {rows}" in told


def test_backtest_without_positions_says_so(open_page, shown):
    shown.write_backtest(keeps_positions=False)
    assert "An earlier release made this backtest and kept no positions" in text(open_page("Strategy", shown))


def test_check_without_an_answer_neither_ended_well_nor_is_quiet(open_page, shown):
    shown.write_market_data()
    shown.write_drift(None)
    shown.write_stage("check_data_drift", found={"features": Status.NOT_CHECKED})
    overview = text(open_page("Overview", shown))
    assert "Drift Could not check features" in overview
    assert "check_data_drift could not check" in overview
    assert "ended well" not in overview
    assert "quiet" not in overview
    assert "Features Could not be checked the reason stands below too few rows" in text(open_page("Drift", shown))


def test_check_that_found_drift_and_left_a_subject_open_tells_both(open_page, furnished):
    assert "check_data_drift found drift could not check" in text(open_page("Runs", furnished))


def test_strategy_shows_the_newest_backtest_first_and_any_other_when_asked(open_page, furnished):
    page = open_page("Strategy", furnished)
    options = page.selectbox[0].options
    assert [option.partition(",")[0] for option in options] == ["Version 3 to 2024-03-22", "Version 1 to 2024-03-22"]
    assert charts(page) == 4
    assert "Return a year 10.0% champion 5.0%" in text(page)
    assert "Equal weight, held 0.0% 20.0% \N{EN DASH} 20.0%" in text(page)  # an undefined figure is a dash
    page.selectbox[0].set_value(list_backtests(furnished.reports)[1]).run(timeout=_PATIENCE_SECONDS)
    assert not page.exception
    assert page.selectbox[0].value.model == "Version 1"


def test_altered_backtest_is_told_and_not_shown(open_page, shown):
    folder = shown.write_backtest()
    (folder / "returns.parquet").write_bytes(b"something else")
    page = open_page("Strategy", shown)
    assert "is no whole backtest any more" in text(page)
    assert charts(page) == 0


def test_champions_shows_every_gate_of_the_verdict(open_page, furnished):
    told = text(open_page("Champions", furnished))
    assert "2 equal weight baseline champion" in told
    assert "3 sb3/ppo rejected challenger" in told
    assert "Model loads passed 0.200 0.300 model_loads &amp; so" in told
    assert "Sharpe difference lower failed" in told


def test_champions_of_another_family_are_one_click_away(open_page, furnished):
    page = open_page("Champions", furnished)
    page.segmented_control[0].select("sentiment").run(timeout=_PATIENCE_SECONDS)
    assert "No sentiment model yet" in text(page)
    for name, coin in (("crypto_timing", "BTC"), ("crypto_timing_eth", "ETH")):
        page.segmented_control[0].select(name).run(timeout=_PATIENCE_SECONDS)
        assert f"Buy-timing {coin}" in page.segmented_control[0].options
        assert f"1 agent for {coin} rejected challenger" in text(page)
        assert "2 buy first baseline champion" in text(page)
        assert any(name in caption.value for caption in page.caption)


def test_buy_timing_that_was_never_trained_is_a_family_too(open_page, shown):
    page = open_page("Champions", shown)
    page.segmented_control[0].select("crypto_timing").run(timeout=_PATIENCE_SECONDS)
    assert "No buy-timing model yet" in text(page)


def test_buy_timing_shows_each_coin_with_its_champion_savings_and_verdict(open_page, furnished):
    page = open_page("Buy-timing", furnished)
    told = text(page)
    assert "Champion Version 2 buy first" in told
    assert f"Advantage {_MINUS}4.0 basis points over buying first; 90% interval {_MINUS}14.0 to +6.0" in told
    assert "Mean of 3 seeds +1.0 basis points over buying first; 90% interval" in told
    assert "Hindsight +136.0" in told
    assert "4,291 cycles of 24 hours in 179 periods; 2019-01-02 to 2019-06-30" in told
    assert "Gates that failed: beats buy first, beats buy last, champion difference lower" in told
    assert "Version 1 rejected beats buy first" not in told  # a gate that failed does not read as if it had passed
    assert charts(page) == 1
    assert page.segmented_control[0].options == ["BTC", "ETH"]
    page.segmented_control[0].select("ETH").run(timeout=_PATIENCE_SECONDS)
    assert "Advantage +30.0" in text(page)
    assert "edge not judged" in text(page)


def test_overview_tells_the_newest_evaluation_of_each_coin(open_page, furnished):
    told = text(open_page("Overview", furnished))
    assert f"Buy-timing BTC {_MINUS}4.0 basis points over buying first, {_MINUS}14.0 to +6.0: no edge" in told
    assert "Buy-timing ETH +30.0 basis points over buying first, +20.0 to +40.0: edge; version 1 not judged" in told


def test_evaluations_of_a_coin_can_be_chosen_among(open_page, shown):
    for advantage, made_at in ((-4.0, 1), (7.0, 2)):
        shown.write_evaluation("BTC", advantage=advantage, made_at=made_at)
    page = open_page("Buy-timing", shown)
    assert "Advantage +7.0" in text(page)
    page.selectbox[0].select(list_evaluations(shown.reports)[1]).run(timeout=_PATIENCE_SECONDS)
    assert f"Advantage {_MINUS}4.0" in text(page)


def test_altered_evaluation_is_told_and_not_drawn(open_page, shown):
    (shown.write_evaluation("BTC") / "savings.json").write_text("{}")
    page = open_page("Buy-timing", shown)
    assert "is no whole evaluation any more" in text(page)
    assert charts(page) == 0


def test_alias_that_was_moved_by_hand_is_told(open_page, shown):
    version = shown.register(0.3)
    open_registry(shown.settings).set_alias("stock_trading", "champion", version.version)
    told = text(open_page("Champions", shown))
    assert "has no passing verdict" in told
    assert "Champion None" in told


def test_drift_shows_state_reason_and_worst_columns(open_page, furnished):
    page = open_page("Drift", furnished)
    told = text(page)
    assert "Features Drift 1 of 1 columns drifted, drift is from 1 on" in told
    assert "1 of 1 columns drifted, drift is from 1 on: close.AAA" in told
    assert "2.0% of the current values are missing" in told
    assert charts(page) == 2


def test_what_comes_from_files_is_shown_as_text(open_page, furnished):
    page = open_page("Alerts", furnished)
    assert "no &lt;b&gt;bars&lt;/b&gt;" in html(page)
    assert "<b>" not in html(page)


def test_alert_links_only_to_pages():
    box = AlertBox("A", "critical", "bad", "now", "", "told", "", "javascript:alert(1)")
    assert "javascript" not in alerts([box])


def test_alerts_lists_the_last_ones_and_counts_what_cannot_be_read(open_page, furnish, workspace):
    shown = furnish(workspace)
    (shown.reports / "alerts" / "broken.json").write_text("{")
    page = open_page("Alerts", shown, "dashboard.shown_alerts=1")
    told = text(page)
    assert "1 file in reports/alerts hold no event" in told
    assert told.count("StageFailedForGood") == 1
    assert "it succeeded" in told


def test_runs_shows_how_each_stage_ended(open_page, furnished):
    told = text(open_page("Runs", furnished))
    assert "train_rl_agent failed 05 Mar 2024 22:00 12 s" in told
    assert "ingest_data ended well" in told


def test_server_that_is_down_leaves_the_rest_of_the_page(open_page, furnished):
    page = open_page("Runs", furnished, "tracking.enabled=true", "tracking.uri=http://127.0.0.1:9")
    told = text(page)
    assert "MLflow at http://127.0.0.1:9 does not answer" in told
    assert "ingest_data ended well" in told


def test_wrong_settings_are_one_clear_line():
    page = AppTest.from_function(_whole, args=(["dashboard.refresh_seconds=0"],)).run(timeout=_PATIENCE_SECONDS)
    assert not page.exception
    assert "dashboard.refresh_seconds=0" in text(page)


def test_first_page_is_the_overview(furnished):
    page = AppTest.from_function(_whole, args=(furnished.overrides,)).run(timeout=_PATIENCE_SECONDS)
    assert not page.exception
    assert "Trading agents" in text(page)
    assert {link.proto.label for link in page.get("page_link")} == set(TITLES)
