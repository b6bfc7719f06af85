"""Each alert fires when it should and is silent when it should be, by ``promtool test rules``."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployment.local_services.debian_programs import Program
from monitoring.services.configuration import rules_folder

pytestmark = pytest.mark.services
_DAY = 24 * 60


@dataclass(frozen=True)
class Case:
    """Samples, and whether an alert fires on them.

    Attributes
    ----------
    alert : str
    series : dict of str to str
        Samples of each series in promtool's notation, the first at 1970-01-01T00:00.
    fires : dict of str to str or None
        Labels of the one alert beside its name and severity; None where it must be silent.
    minute : int
        When it is looked at.
    step_minutes : int
        Time between samples, and between evaluations.
    """

    alert: str
    series: dict[str, str]
    fires: dict[str, str] | None
    minute: int = 2
    step_minutes: int = field(default=1)


def _stage(metric: str, stage: str, values: str) -> dict[str, str]:
    return {f'trading_stage_{metric}{{job="{stage}", stage="{stage}"}}': values}


def _slow(seconds: int, usual: int) -> dict[str, str]:
    return _stage("duration_seconds", "score_news", f"{seconds}x3") | _stage(
        "usual_duration_seconds", "score_news", f"{usual}x3"
    )


def _reward(last: float, usual: float | str, *, fires: bool, spread: float | str = 1) -> Case:
    """Three days after the training: an alert that holds is still there."""
    of_model = 'job="train_rl_agent", model="stock_trading"'
    series = {
        f"trading_training_reward{{{of_model}}}": f"100x2 {last}x80",
        f"trading_training_usual_reward{{{of_model}}}": " ".join([str(usual)] * 83),  # promtool repeats no NaN
        f"trading_training_usual_reward_spread{{{of_model}}}": " ".join([str(spread)] * 83),
    }
    return Case("RewardCollapsed", series, {"model": "stock_trading"} if fires else None, 74 * 60, 60)


def _quick_after_default() -> dict[str, str]:
    """A minute after a quick training followed a default one, what was usual of the latter is still looked back at."""
    of_model = '{job="train_rainbow", model="crypto_timing"}'
    return {
        f"trading_training_reward{of_model}": "100x3 3x3",
        f"trading_training_usual_reward{of_model}": "100x3 NaN NaN NaN",
        f"trading_training_usual_reward_spread{of_model}": "1x3 NaN NaN NaN",
    }


def _champion(version: int, has_verdict: int) -> dict[str, str]:
    return {
        'trading_champion_version{family="strategy"}': f"{version}x3",
        'trading_champion_has_verdict{family="strategy"}': f"{has_verdict}x3",
    }


_STRATEGY, _FEATURES = {"family": "strategy"}, {"subject": "features"}
_PUSHED = 'push_time_seconds{job="score_news"}'
_REFUSED = 'push_failure_time_seconds{job="score_news"}'
_INGESTED = _stage("last_success_timestamp_seconds", "ingest_data", "0x300")
_NOTIFIED = 'alertmanager_notifications_failed_total{integration="webhook"}'
_EVALUATED = 'prometheus_rule_evaluation_failures_total{rule_group="models"}'
_CHECKED = 'trading_drift_last_check_timestamp_seconds{subject="features"}'
_SINCE = 'trading_champion_since_timestamp_seconds{family="strategy"}'
_STALENESS = 'trading_data_staleness_sessions{source="package"}'
_EXPECTATIONS = 'trading_validation_failed_expectations{stage="ingest_data"}'
_DRIFT = 'trading_drift_status{subject="features"}'
_TRAINED = {"model": "stock_trading", "stage": "train_rl_agent"}
_DIVERGED = 'trading_training_diverged{model="stock_trading", stage="train_rl_agent"}'
_DRAWDOWN = 'trading_backtest_max_drawdown_ratio{strategy="champion"}'
_BASELINE = 'trading_backtest_max_drawdown_ratio{strategy="equal_weight"}'
_UP = 'up{job="pushgateway", instance="one"}'

CASES = [
    Case("StageFailed", _stage("success", "score_news", "0x40"), {"stage": "score_news"}, minute=31),
    Case("StageFailed", _stage("success", "score_news", "0x40"), None, minute=29),
    Case("StageFailed", _stage("success", "score_news", "0x20 1x20"), None, minute=40),
    Case("StageFailed", _stage("success", "train_rl_agent", "0x40"), None, minute=31),
    Case("TrainingFailed", _stage("success", "train_rl_agent", "0x10"), {"stage": "train_rl_agent"}, minute=6),
    Case("TrainingFailed", _stage("success", "train_rl_agent", "1x10"), None, minute=6),
    Case("TrainingFailed", _stage("success", "score_news", "0x10"), None, minute=6),
    Case("StageSlow", _slow(400, 100), {"stage": "score_news"}),
    Case("StageSlow", _slow(290, 100), None),
    Case("StageSlow", _slow(50, 10), None),  # nobody waits for a minute
    Case("StageSlow", _stage("duration_seconds", "score_news", "400x3"), None),  # no history
    Case("PushGroupStale", {_PUSHED: "0x300"}, {"job": "score_news"}, 9 * _DAY + 60, 60),
    Case("PushGroupStale", {_PUSHED: "0x300"}, None, 9 * _DAY, 60),
    Case("PushRefused", {_PUSHED: "60x3", _REFUSED: "90x3"}, {"job": "score_news"}),
    Case("PushRefused", {_PUSHED: "90x3", _REFUSED: "60x3"}, None),
    Case("DataStale", {_STALENESS: "3x3"}, {"source": "package"}),
    Case("DataStale", {_STALENESS: "2x3"}, None),
    Case("IngestionOverdue", _INGESTED, {}, 5 * _DAY + 60, 60),
    Case("IngestionOverdue", _INGESTED, None, 5 * _DAY, 60),
    Case("ValidationFailed", {_EXPECTATIONS: "1x3"}, {"stage": "ingest_data"}),
    Case("ValidationFailed", {_EXPECTATIONS: "0x3"}, None),
    Case("DriftFound", {_DRIFT: "1x3"}, _FEATURES),
    Case("DriftFound", {_DRIFT: "0x3"}, None),
    Case("DriftFound", {_DRIFT: "2x3"}, None),
    Case("DriftNotChecked", {_DRIFT: "2x3"}, _FEATURES),
    Case("DriftNotChecked", {_DRIFT: "1x3"}, None),
    Case("DriftCheckOverdue", {_CHECKED: "0x300"}, _FEATURES, 9 * _DAY + 60, 60),
    Case("DriftCheckOverdue", {_CHECKED: "0x300"}, None, 9 * _DAY, 60),
    Case("TrainingDiverged", {_DIVERGED: "1x3"}, _TRAINED),
    Case("TrainingDiverged", {_DIVERGED: "0x3"}, None),
    _reward(30, 100, fires=True),
    _reward(60, 100, fires=False),
    _reward(-160, -100, fires=True),
    _reward(-140, -100, fires=False),
    _reward(3, "NaN", fires=False, spread="NaN"),  # the first of its budget
    _reward(3, 100, fires=False, spread="NaN"),  # the second or third: how far rewards stray is not known
    _reward(-0.14, -0.06, fires=False, spread=0.1),  # around 0, as buy-timing's are
    _reward(-0.5, -0.06, fires=True, spread=0.1),
    Case("RewardCollapsed", _quick_after_default(), None, minute=4),
    Case("RewardCollapsed", {'trading_training_reward{model="stock_trading"}': "30x3"}, None),  # no history
    # One scrape fails, and every pushed series is gone for that minute.
    Case("StageFailed", _stage("success", "score_news", "0x60 stale 0x10"), {"stage": "score_news"}, minute=61),
    Case("StageFailed", _stage("success", "score_news", "0x60 stale 0x10"), {"stage": "score_news"}, minute=62),
    Case("DriftFound", {_DRIFT: "1x3 stale 1x3"}, _FEATURES, minute=4),
    Case("DrawdownBreached", {_DRAWDOWN: "0.36x3"}, {"strategy": "champion"}),
    Case("DrawdownBreached", {_DRAWDOWN: "0.35x3"}, None),
    Case("DrawdownBreached", {_BASELINE: "0.5x3"}, None),
    Case("NoChampion", _champion(0, 0), _STRATEGY),
    Case("NoChampion", _champion(1, 1), None),
    Case("ChampionWithoutVerdict", _champion(4, 0), _STRATEGY),
    Case("ChampionWithoutVerdict", _champion(4, 1), None),
    Case("ChampionWithoutVerdict", _champion(0, 0), None),
    Case("ChampionOld", {_SINCE: "0x100"}, _STRATEGY, 91 * _DAY, _DAY),
    Case("ChampionOld", {_SINCE: "0x100"}, None, 90 * _DAY, _DAY),
    Case("Watchdog", {"up": "1x3"}, {}),
    Case("TargetDown", {_UP: "0x5"}, {"job": "pushgateway"}, minute=3),
    Case("TargetDown", {_UP: "0 1 0 1 0 1"}, None, minute=4),
    Case("NotificationsFail", {_NOTIFIED: "0 0 3x8"}, {"integration": "webhook"}, minute=5),
    Case("NotificationsFail", {_NOTIFIED: "3x20"}, None, minute=15),
    Case("RulesFail", {_EVALUATED: "0 0 2x8"}, {"rule_group": "models"}, minute=5),
    Case("RulesFail", {_EVALUATED: "2x20"}, None, minute=15),
    Case("AlertsUndelivered", {"trading_alerts_undelivered": "2x20"}, {}, minute=11),
    Case("AlertsUndelivered", {"trading_alerts_undelivered": "2x8 0x9"}, None, minute=15),
]


def _severities() -> dict[str, str]:
    files = [yaml.safe_load(path.read_text()) for path in rules_folder().glob("*.yaml")]
    return {rule["alert"]: rule["labels"]["severity"] for file in files for rule in file["groups"][0]["rules"]}


def _told(promtool: Path, test: dict[str, Any], folder: Path, step: str = "1m") -> str:
    """Empty if `test` comes out as it says, else what promtool found."""
    rules = [str(path) for path in sorted(rules_folder().glob("*.yaml"))]
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": rules, "evaluation_interval": step, "tests": [test]}))
    ended = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


def _told_of(promtool: Path, case: Case, folder: Path) -> str:
    """Empty if `case` comes out as it says."""
    own = {"alertname": case.alert, "alertstate": "firing", "severity": _severities()[case.alert]}
    labels = ", ".join(f'{name}="{value}"' for name, value in (own | (case.fires or {})).items())
    step = f"{case.step_minutes}m"
    expected = {
        "expr": f'ALERTS{{alertname="{case.alert}", alertstate="firing"}}',
        "eval_time": f"{case.minute}m",
        "exp_samples": [] if case.fires is None else [{"labels": f"ALERTS{{{labels}}}", "value": 1}],
    }
    return _told(promtool, _test(case.series, step) | {"promql_expr_test": [expected]}, folder, step)


def _test(series: dict[str, str], step: str) -> dict[str, Any]:
    samples = [{"series": name, "values": values} for name, values in series.items()]
    return {"interval": step, "input_series": samples}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{'silent' if case.fires is None else 'fires'}")
def test_alert(case: Case, programs: dict[str, Program], tmp_path: Path) -> None:
    assert _told_of(programs["promtool"].path, case, tmp_path) == ""


def test_a_case_that_is_wrong_is_found(programs: dict[str, Program], tmp_path: Path) -> None:
    wrong = Case("DriftFound", {_DRIFT: "1x3"}, None)
    assert "DriftFound" in _told_of(programs["promtool"].path, wrong, tmp_path)


def test_every_alert_has_a_case_that_fires_and_one_that_is_silent() -> None:
    """Watchdog is never silent."""
    alerts = set(_severities())
    assert {case.alert for case in CASES if case.fires is not None} == alerts
    assert {case.alert for case in CASES if case.fires is None} == alerts - {"Watchdog"}


def test_text_is_filled_in(programs: dict[str, Program], tmp_path: Path) -> None:
    """One alert's text in full; promtool compares every word."""
    alert = {
        "exp_labels": {"severity": "warning", "stage": "score_news"},
        "exp_annotations": {
            "summary": "score_news took 6m 40s",
            "description": "The last run of score_news took more than three times the median of its earlier runs.",
            "action": "Compare its run in MLflow with an earlier one, and look at the machine's load.",
        },
    }
    expected = {"eval_time": "2m", "alertname": "StageSlow", "exp_alerts": [alert]}
    test = _test(_slow(400, 100), "1m") | {"alert_rule_test": [expected]}
    assert _told(programs["promtool"].path, test, tmp_path) == ""


def test_promtool_takes_the_rules(programs: dict[str, Program]) -> None:
    files = sorted(rules_folder().glob("*.yaml"))
    command = [programs["promtool"].path, "check", "rules", "--lint-fatal", *files]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
