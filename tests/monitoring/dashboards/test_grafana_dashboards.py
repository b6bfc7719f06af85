"""Dashboards are current, keep Grafana's schema, and ask only for what somebody reports.

There is no Grafana here: what it would show was never seen. Prometheus' answers are looked at in
test_panels_are_answered.py.
"""

import json
import re
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from MLOps.metric_catalogue import CATALOGUE
from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings
from MLOps.settings.monitoring_services import MonitoringServicesSettings
from monitoring.dashboards.grafana.panels import DATA_SOURCE, GRID_COLUMNS, Query, curve, page
from monitoring.dashboards.grafana.write_dashboards import DASHBOARDS, as_json, dashboards_folder
from monitoring.foreign_metrics import FOREIGN_METRICS
from monitoring.services.configuration import rules_folder

PROVISIONING = dashboards_folder().parent / "provisioning"
WRITTEN = {name: json.loads((dashboards_folder() / f"{name}.json").read_text()) for name in DASHBOARDS}
PANELS = [
    pytest.param(panel, id=f"{name}-{panel['title']}")
    for name, dashboard in WRITTEN.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
_SERIES = re.compile(r"(?:trading_|push_)\w+(?:{[^}]*})?")
_BY = re.compile(r"\bby \(([a-z_, ]*)\)")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_file_is_what_the_code_makes(name: str) -> None:
    assert (dashboards_folder() / f"{name}.json").read_text() == as_json(DASHBOARDS[name]())


def test_every_file_has_its_code() -> None:
    assert {path.name for path in dashboards_folder().iterdir()} == {f"{name}.json" for name in DASHBOARDS}
    assert len({dashboard["uid"] for dashboard in WRITTEN.values()}) == len(WRITTEN)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_keeps_the_schema(name: str) -> None:
    """The kit's models are generated out of Grafana's schema: nothing is left over, and every value has its type."""
    register_default_plugins()
    read = Dashboard.from_json(WRITTEN[name])
    assert json.loads(as_json(read)) == WRITTEN[name]
    assert list(_wrong_types(read, name)) == []


def test_schema_test_sees_a_wrong_type_and_an_unknown_key() -> None:
    register_default_plugins()
    wrong = json.loads(json.dumps(WRITTEN["alerts"]))
    wrong["panels"][1]["gridPos"]["w"] = "wide"
    wrong["panels"][1]["colour"] = "red"
    read = Dashboard.from_json(wrong)
    assert list(_wrong_types(read, "")) == [".panels[1].grid_pos.w: 'wide'"]
    assert json.loads(as_json(read)) != wrong


def _wrong_types(model: Any, place: str) -> Iterator[str]:
    """Attributes of a model of the kit, and of what it holds, that are not of the type that they are declared with."""
    hints = typing.get_type_hints(type(model)) if hasattr(model, "to_json") else {}
    for name, hint in hints.items():
        yield from _misfits(getattr(model, name), hint, f"{place}.{name}")


def _misfits(value: Any, hint: Any, place: str) -> Iterator[str]:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(value, dict) and hasattr(hint, "from_json"):  # the kit leaves transformations as they were read
        value = hint.from_json(value)
    if origin is typing.Union:
        found = [list(_misfits(value, part, place)) for part in parts]
        yield from [] if [] in found else max(found, key=lambda misfits: misfits[0].partition(": ")[0].count("."))
    elif origin is typing.Literal:
        yield from [] if value in parts else [f"{place}: {value!r}"]
    elif origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _misfits(item, parts[0], f"{place}[{index}]")
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _misfits(item, parts[1], f"{place}.{key}")
    elif not _is_a(value, origin or hint):
        yield f"{place}: {value!r}"
    else:
        yield from _wrong_types(value, place)


def _is_a(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return value in {member.value for member in kind}
    return isinstance(value, kind)


@pytest.mark.parametrize("panel", PANELS)
def test_panel_asks_for_metrics_that_somebody_reports(
    panel: dict[str, Any], metrics_asked: Callable[[str], set[str]]
) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        asked = metrics_asked(target["expr"])
        assert asked
        assert asked <= set(CATALOGUE) | FOREIGN_METRICS


@pytest.mark.parametrize("panel", PANELS)
def test_labels_are_those_of_the_metrics_and_of_the_legend(
    panel: dict[str, Any], metrics_asked: Callable[[str], set[str]]
) -> None:
    for target in panel["targets"]:
        kept = {frozenset(labels.split(", ")) for labels in _BY.findall(target["expr"])}
        assert len(kept) <= 1, "parts that keep different labels never match"
        (labels,) = kept or {frozenset[str]()}
        own = [CATALOGUE[name] for name in metrics_asked(target["expr"]) if name in CATALOGUE]
        assert all(labels <= set(metric.labels) for metric in own)
        if "legendFormat" in target:
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) == labels


@pytest.mark.parametrize("panel", PANELS)
def test_panel_is_told_and_asks_the_provisioned_source(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yaml").read_text())["datasources"]
    asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert asked == [{"type": source["type"], "uid": source["uid"]}] * len(asked)
    assert (source["type"], source["uid"]) == (DATA_SOURCE.type_val, DATA_SOURCE.uid)


def test_steps_are_as_long_as_the_scrape_interval() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yaml").read_text())["datasources"]
    times = compose_settings(MonitoringServicesSettings, "monitoring_services").monitoring
    assert source["jsonData"]["timeInterval"] == f"{times.scrape_interval_seconds}s"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_tile_the_page(name: str) -> None:
    panels = WRITTEN[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells), "panels overlap"
    height = max(y for _, y in cells) + 1
    assert len(cells) == GRID_COLUMNS * height, "panels leave holes, or stick out"
    assert max(x for x, _ in cells) < GRID_COLUMNS


def test_a_row_with_a_hole_is_refused() -> None:
    narrow = curve("Rows", "Of each stage.", Query("trading_stage_rows"), width=10)
    with pytest.raises(ValueError, match="'Stages' do not fill"):
        page("pipeline", "Pipeline", "Stages.", {"Stages": [narrow]}, since="now-1h")


@pytest.mark.parametrize(
    ("title", "alert"),
    [
        ("Since data came in", "IngestionOverdue"),
        ("Slowest against its history", "StageSlow"),
        ("Wall time against history", "StageSlow"),
        ("Since the last push", "PushGroupStale"),
        ("Since the oldest drift check", "DriftCheckOverdue"),
        ("Deepest drawdown", "DrawdownBreached"),
        ("Age of the oldest champion", "ChampionOld"),
    ],
)
def test_panel_is_red_where_the_rule_fires(title: str, alert: str) -> None:
    (panel,) = (panel.values[0] for panel in PANELS if panel.values[0]["title"] == title)
    _, red = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    files = [yaml.safe_load(path.read_text()) for path in rules_folder().glob("*.yaml")]
    rules = {rule["alert"]: rule["expr"] for file in files for group in file["groups"] for rule in group["rules"]}
    *further, limit = re.findall(r"> ([0-9. *]+)", rules[alert])
    assert red["value"] == pytest.approx(float(_product(limit)))
    (target,) = panel["targets"]
    assert set(_SERIES.findall(target["expr"])) == set(_SERIES.findall(rules[alert]))
    assert all(f"The alert asks for more than {_product(each):.0f} s too." in panel["description"] for each in further)


def test_reward_alarms_at_the_line_that_the_panel_draws() -> None:
    (panel,) = (panel.values[0] for panel in PANELS if panel.values[0]["title"] == "Reward against its history")
    reward, _, line = (target["expr"] for target in panel["targets"])
    files = [yaml.safe_load(path.read_text()) for path in rules_folder().glob("*.yaml")]
    rules = {rule["alert"]: rule["expr"] for file in files for group in file["groups"] for rule in group["rules"]}
    assert re.sub(r"last_over_time\((\w+)\[5m\]\)", r"\1", rules["RewardCollapsed"]) == f"{reward} < {line}"


def _product(text: str) -> float:
    found = 1.0
    for factor in text.split("*"):
        found *= float(factor) if factor.strip() else 1.0
    return found


def test_drift_is_red_from_the_least_threshold_on() -> None:
    (panel,) = (panel.values[0] for panel in PANELS if panel.values[0]["title"].startswith("Population stability"))
    _, red = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    floors = compose_settings(DriftSettings, "check_data_drift").thresholds.floors
    assert red["value"] == floors.psi
