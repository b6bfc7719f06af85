"""Rules ask for what exists, tell a person what to do, and agree with the settings that they repeat."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from MLOps.metric_catalogue import CATALOGUE
from MLOps.settings.compose import compose_settings
from MLOps.settings.promotion import PromotionSettings
from monitoring.foreign_metrics import FOREIGN_METRICS
from monitoring.services.configuration import rules_folder

FILES = [yaml.safe_load(path.read_text()) for path in sorted(rules_folder().glob("*.yaml"))]
RULES: list[dict[str, Any]] = [rule for file in FILES for group in file["groups"] for rule in group["rules"]]
_BY = re.compile(r"\bby \(([a-z_, ]*)\)")


def test_names_are_told_once() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_rule_asks_for_metrics_that_somebody_reports(
    rule: dict[str, Any], metrics_asked: Callable[[str], set[str]]
) -> None:
    asked = metrics_asked(rule["expr"])
    assert asked <= set(CATALOGUE) | FOREIGN_METRICS
    assert asked or rule["alert"] == "Watchdog"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_what_was_pushed_outlasts_a_missed_scrape(rule: dict[str, Any]) -> None:
    pushed = r"(?:trading_\w+|push_(?:failure_)?time_seconds)(?:{[^}]*})?"
    kept = re.findall(rf"last_over_time\({pushed}\[5m\]\)", rule["expr"])
    assert len(kept) == len(re.findall(pushed, rule["expr"]))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_rule_tells_a_person_what_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) == {"summary", "description", "action"}
    assert all(text.strip() for text in rule["annotations"].values())
    assert rule["labels"]["severity"] in ({"none"} if rule["alert"] == "Watchdog" else {"warning", "critical"})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_text_names_labels_that_the_expression_keeps(rule: dict[str, Any]) -> None:
    """What an expression aggregates away would be an empty word in the text."""
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    kept = {frozenset(label.strip() for label in labels.split(",")) for labels in _BY.findall(rule["expr"])}
    assert len(kept) <= 1, "parts that keep different labels never match"
    assert named <= set().union(*kept)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_labels_that_an_expression_keeps_belong_to_its_metrics(
    rule: dict[str, Any], metrics_asked: Callable[[str], set[str]]
) -> None:
    own = [CATALOGUE[name] for name in metrics_asked(rule["expr"]) if name in CATALOGUE]
    kept = {label for labels in _BY.findall(rule["expr"]) for label in labels.split(", ")}
    assert all(kept <= set(metric.labels) for metric in own)


def test_drawdown_that_alarms_is_the_one_that_the_gate_refuses() -> None:
    (rule,) = (rule for rule in RULES if rule["alert"] == "DrawdownBreached")
    gates = compose_settings(PromotionSettings, "promote_to_paper").gates
    assert float(rule["expr"].rpartition(">")[2]) == gates.max_drawdown_fraction
    assert f"({gates.max_drawdown_fraction:.0%})".replace("%", " %") in rule["annotations"]["description"]
