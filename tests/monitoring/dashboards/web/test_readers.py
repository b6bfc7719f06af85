"""What the pages read: the newest first, the altered and the unreadable left out, nothing told twice."""

import json
import os
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from MLOps.errors import DataError
from model_registry.family import STOCK_TRADING
from model_registry.open_registry import find_registry, open_registry
from monitoring.alerts.alert_journal import AlertJournal, journal_path
from monitoring.alerts.notification import Notification
from monitoring.dashboards.web.alert_history import read_alerts
from monitoring.dashboards.web.backtest_files import list_backtests, read_backtest_paths
from monitoring.dashboards.web.drift_charts import draw_drift_over_time
from monitoring.dashboards.web.drift_history import by_subject, read_checks
from monitoring.dashboards.web.family_history import read_family
from monitoring.dashboards.web.market_data import read_market_data
from monitoring.dashboards.web.shown_families import timing_families
from monitoring.dashboards.web.stage_health import read_stage_health
from monitoring.dashboards.web.timing_files import list_evaluations
from monitoring.drift.report import DriftReport, read_report, write_report
from monitoring.drift.verdict import Status


def _sent(status: str, at: datetime, name: str = "ChampionOld") -> Notification:
    alert = {
        "status": status,
        "labels": {"alertname": name, "severity": "warning", "family": "stock_trading"},
        "annotations": {"summary": "it is old", "action": "train"},
        "startsAt": at.isoformat(),
        "endsAt": (at + timedelta(hours=1)).isoformat(),
        "fingerprint": "f",
    }
    return Notification.model_validate({"status": status, "receiver": "r", "groupKey": "g", "alerts": [alert]})


def test_wealth_is_the_product_of_the_returns_from_the_first_session_on(shown):
    backtest = read_backtest_paths(shown.write_backtest(daily_return=0.01))
    assert len(backtest.dates) == backtest.scorecard.sessions
    assert backtest.dates[0] == np.datetime64("2024-01-01")
    assert backtest.wealth["model"][[0, 1, -1]] == pytest.approx([1, 1.01, 1.01**59])


def test_backtests_are_listed_once_and_without_what_is_none(shown):
    folder = shown.write_backtest(version=3)
    assert (folder.parent / "latest").is_symlink()
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "result.json").write_text("{}")
    assert [(each.folder, each.model) for each in list_backtests(shown.reports)] == [(folder, "Version 3")]


def test_folder_of_another_stage_is_no_backtest(shown):
    with pytest.raises(DataError, match="no whole backtest"):
        read_backtest_paths(shown.workspace)


def test_evaluations_are_listed_newest_first_and_without_what_is_none(shown):
    old, new = (shown.write_evaluation(coin, made_at=at) for coin, at in (("ETH", 1), ("BTC", 2)))
    shown.judge_evaluation(old, "e" * 64, passed=False)
    (old.parent / "other").mkdir()
    (old.parent / "other" / "result.json").write_text("{}")
    listed = list_evaluations(shown.reports)
    assert [(each.folder, each.coin, each.verdict) for each in listed] == [(new, "BTC", ""), (old, "ETH", "rejected")]
    assert listed[1].failed_gates == ("beats_buy_first", "beats_buy_last", "champion_difference_lower")


def test_evaluation_of_a_release_that_took_no_periods_is_listed(shown):
    path = shown.write_evaluation("BTC") / "result.json"
    told = json.loads(path.read_text())
    del told["metrics"]["periods"]
    path.write_text(json.dumps(told))
    (found,) = list_evaluations(shown.reports)
    assert (found.periods, found.cycles) == (None, 4291)


def test_names_of_one_coin_are_told_apart(shown):
    shown.register_timing("BTC", "crypto_timing")
    shown.register_timing("BTC", "fee_free")
    shown.register_timing("ETH", "crypto_timing_eth")
    labels = {family.name: family.label for family in timing_families(shown.settings)}
    assert labels == {
        "crypto_timing": "Buy-timing BTC (crypto_timing)",
        "crypto_timing_eth": "Buy-timing ETH",
        "fee_free": "Buy-timing BTC (fee_free)",
    }


def test_drift_of_a_day_is_that_of_its_last_check(shown):
    for number, (day, excess) in enumerate([(date(2024, 3, 5), 0.5), (date(2024, 2, 5), 0.7), (date(2024, 3, 5), 2.0)]):
        folder = shown.write_drift(day, excess, f"check-{number}")
        os.utime(folder / "drift.json", (number, number))
    (found,) = by_subject(read_checks(shown.reports)).values()
    assert [(each.day, each.found.status) for each in found] == [
        (date(2024, 2, 5), Status.NO_DRIFT),
        (date(2024, 3, 5), Status.DRIFT),
    ]


def test_check_without_an_answer_counts_while_it_is_the_last(shown):
    def states() -> list[Status]:
        return [each.found.status for each in by_subject(read_checks(shown.reports))["features"]]

    os.utime(shown.write_drift(date(2024, 3, 5)) / "drift.json", (1, 1))
    os.utime(shown.write_drift(None, name="check-2") / "drift.json", (2, 2))
    assert states() == [Status.NO_DRIFT, Status.NOT_CHECKED]
    os.utime(shown.write_drift(date(2024, 3, 6), name="check-3") / "drift.json", (3, 3))
    assert states() == [Status.NO_DRIFT, Status.NO_DRIFT]


def test_drift_of_each_coin_has_a_line_of_its_own(shown):
    folder = shown.write_drift(date(2024, 3, 5))
    (subject,) = read_report(folder).subjects
    coins = [subject.model_copy(update={"subject": "timing_observation", "coin": coin}) for coin in ("BTC", "ETH")]
    write_report(folder, DriftReport(model="", subjects=tuple(coins)))
    checks = by_subject(read_checks(shown.reports))
    assert list(checks) == ["timing_observation_btc", "timing_observation_eth"]
    lines = draw_drift_over_time(checks).data
    assert [line.name for line in lines] == ["Buy-timing inputs BTC", "Buy-timing inputs ETH"]
    assert len({line.line.color for line in lines}) == 2


def test_unreadable_drift_check_is_passed_over(shown):
    folder = shown.write_drift(date(2024, 3, 5))
    (folder / "drift.json").write_text("{}")
    assert read_checks(shown.reports) == []


def test_alert_fires_until_it_is_resolved(shown):
    shown.write_failure()
    assert [news.message for news in read_alerts(shown.reports).firing] == ["no <b>bars</b>"]
    shown.write_failure(20, "resolved", "it succeeded")
    history = read_alerts(shown.reports)
    assert history.firing == ()
    assert [news.message for news in history.news] == ["it succeeded", "no <b>bars</b>"]


def test_notification_that_is_repeated_is_one_alert(shown):
    journal, at = AlertJournal(journal_path(shown.reports), keep=100), datetime(2024, 3, 5, tzinfo=UTC)
    for _ in range(3):
        journal.append(_sent("firing", at))
    (news,) = read_alerts(shown.reports).firing
    assert (news.name, news.severity, news.subject, news.message) == (
        "ChampionOld",
        "warning",
        "stock_trading",
        "it is old",
    )
    journal.append(_sent("resolved", at))
    history = read_alerts(shown.reports)
    assert history.firing == ()
    assert [news.at for news in history.news] == [at + timedelta(hours=1), at]


def test_event_that_was_delivered_is_not_told_twice(shown):
    shown.write_failure()
    (event,) = read_alerts(shown.reports).news
    sent = _sent("firing", event.at).model_dump(mode="json", by_alias=True)
    sent["alerts"][0]["labels"] = dict(event.labels)
    AlertJournal(journal_path(shown.reports), keep=100).append(Notification.model_validate(sent))
    assert read_alerts(shown.reports).news == (event,)


def test_champion_is_the_one_that_passed(shown):
    version = shown.register(0.1)
    verdict = shown.judge(version, passed=True)
    registry = open_registry(shown.settings)
    registry.set_alias("stock_trading", "champion", version.version)
    history = read_family(find_registry(shown.settings), "stock_trading", STOCK_TRADING)
    assert history.champion == version
    newest, oldest = history.models
    assert (oldest.roles, oldest.may_be_champion, oldest.kind) == (("champion", "challenger"), True, "sb3/ppo")
    assert (newest.roles, newest.kind) == ((), "equal weight")
    assert history.judged == ((oldest, verdict),)


def test_stage_that_ran_last_comes_first(shown):
    start = datetime(2024, 3, 5, tzinfo=UTC)
    shown.write_stage("ingest_data", ended_at=start)
    shown.write_stage("train_rl_agent", succeeded=False, ended_at=start + timedelta(hours=1))
    (shown.reports / "metrics" / "champions.prom").write_text('trading_champion_version{family="stock_trading"} 2.0\n')
    found = read_stage_health(shown.settings)
    assert [(each.stage, each.succeeded, each.seconds) for each in found] == [
        ("train_rl_agent", False, 12.5),
        ("ingest_data", True, 12.5),
    ]


def test_market_data_tells_replay_and_warnings(shown):
    assert read_market_data(shown.settings.paths.raw) is None
    shown.write_market_data()
    data = read_market_data(shown.settings.paths.raw)
    assert (data.as_of, data.is_replay, data.tickers) == ("2024-03-05", True, 2)
    assert data.warnings == ("Survivorship: winners only.", "Thin news.")
