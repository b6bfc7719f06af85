"""The few kinds of panel that our dashboards are made of, and how they are laid out.

A panel's description says what to do about what it shows, for it is read by somebody who was just alerted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from string import ascii_uppercase

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus as prometheus_builders
from grafana_foundation_sdk.models import common, dashboard, prometheus

DATA_SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="prometheus")
"""As provisioning/datasources/prometheus.yaml names it."""

GRID_COLUMNS = 24
_HEIGHT = 8
_LOW = 4

Panel = timeseries.Panel | stat.Panel | statetimeline.Panel | table.Panel | bargauge.Panel


@dataclass(frozen=True)
class Query:
    """A question to Prometheus.

    Attributes
    ----------
    expression : str
        In PromQL.
    legend : str
        What its series are called; ``{{stage}}`` is the value of that label.
    """

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class State:
    """A value that stands for something: what it is called and in which colour it is shown."""

    name: str
    color: str


IS_WELL = {1: State("yes", "green"), 0: State("no", "red")}
IS_WRONG = {0: State("no", "green"), 1: State("yes", "red")}


@dataclass(frozen=True)
class Column:
    """A column of a table: a query that gives one series for each row, and the unit of its values."""

    name: str
    expression: str
    unit: str = "short"
    meaning: Mapping[int, State] | None = None


def curve(title: str, told: str, *queries: Query, unit: str = "short", width: int = 12) -> timeseries.Panel:
    """Values over time."""
    panel = timeseries.Panel().title(title).description(told).datasource(DATA_SOURCE).unit(unit)
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(query, letter).range())
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.TABLE)
    legend.placement(common.LegendPlacement.RIGHT).show_legend(True).calcs(["lastNotNull"])
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    return panel.legend(legend).tooltip(tooltip).fill_opacity(0).line_width(2).span(width).height(_HEIGHT)


def figure(title: str, told: str, query: Query, alarm_from: float, unit: str = "short", width: int = 6) -> stat.Panel:
    """The last value of each series, large, red from `alarm_from` on."""
    panel = stat.Panel().title(title).description(told).datasource(DATA_SOURCE).unit(unit)
    panel.with_target(_target(query, "A").instant()).reduce_options(_last_value())
    panel.color_mode(common.BigValueColorMode.VALUE).graph_mode(common.BigValueGraphMode.NONE)
    return panel.thresholds(_red_from(alarm_from)).span(width).height(_LOW)


def states(title: str, told: str, query: Query, meaning: Mapping[int, State], width: int = 12) -> statetimeline.Panel:
    """What each series stood for over time."""
    panel = statetimeline.Panel().title(title).description(told).datasource(DATA_SOURCE)
    panel.with_target(_target(query, "A").range()).mappings([_mapping(meaning)]).merge_values(True)
    return panel.show_value(common.VisibilityMode.NEVER).fill_opacity(80).span(width).height(_HEIGHT)


def bars(
    title: str, told: str, query: Query, alarm_from: float, unit: str = "short", width: int = 12
) -> bargauge.Panel:
    """The last values side by side, red from `alarm_from` on."""
    panel = bargauge.Panel().title(title).description(told).datasource(DATA_SOURCE).unit(unit)
    panel.with_target(_target(query, "A").instant()).reduce_options(_last_value()).min(0)
    panel.orientation(common.VizOrientation.HORIZONTAL).display_mode(common.BarGaugeDisplayMode.BASIC)
    return panel.thresholds(_red_from(alarm_from)).span(width).height(_HEIGHT)


def rows_of(title: str, told: str, columns: Sequence[Column], width: int = GRID_COLUMNS) -> table.Panel:
    """A table with a row for each set of labels, which the queries of all columns must keep alike."""
    panel = table.Panel().title(title).description(told).datasource(DATA_SOURCE)
    for letter, column in zip(ascii_uppercase, columns, strict=False):
        panel.with_target(_target(Query(column.expression), letter).instant().format(prometheus.PromQueryFormat.TABLE))
        panel.override_by_name(column.name, _look(column))
    names = {f"Value #{letter}": column.name for letter, column in zip(ascii_uppercase, columns, strict=False)}
    panel.with_transformation(dashboard.DataTransformerConfig("merge", options={}))
    # Every answer brings the time at which it was asked; nobody needs it in the table.
    shown = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": names}
    panel.with_transformation(dashboard.DataTransformerConfig("organize", options=shown))
    return panel.align(common.FieldTextAlignment.AUTO).span(width).height(_HEIGHT)


def page(name: str, title: str, told: str, rows: Mapping[str, Sequence[Panel]], since: str) -> dashboard.Dashboard:
    """A dashboard: titled rows of panels, over the time `since` until now.

    Raises
    ------
    ValueError
        If the panels of a row do not fill whole lines of the grid, for then Grafana's page would have holes.
    """
    builder = builders.Dashboard(title).uid(f"trading-{name.replace('_', '-')}").description(told).tags(["trading"])
    builder.time(since, "now").timezone("utc").refresh("30s").readonly()
    builder.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    ids = count(1)
    for row, panels in rows.items():
        if sum(_width(panel) for panel in panels) % GRID_COLUMNS:
            raise ValueError(f"the panels of {row!r} do not fill lines of {GRID_COLUMNS} columns")
        builder.with_row(builders.Row(row).id(next(ids)))
        for panel in panels:
            builder.with_panel(panel.id(next(ids)))
    return builder.build()


def _target(query: Query, letter: str) -> prometheus_builders.Dataquery:
    target = prometheus_builders.Dataquery().expr(query.expression).ref_id(letter).datasource(DATA_SOURCE)
    return target.legend_format(query.legend) if query.legend else target


def _last_value() -> common_builders.ReduceDataOptions:
    return common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _red_from(value: float) -> builders.ThresholdsConfig:
    steps = [dashboard.Threshold(None, "green"), dashboard.Threshold(value, "red")]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def _mapping(meaning: Mapping[int, State]) -> dashboard.ValueMap:
    told = enumerate(meaning.items())
    return dashboard.ValueMap(
        {
            str(value): dashboard.ValueMappingResult(text=state.name, color=state.color, index=index)
            for index, (value, state) in told
        }
    )


def _look(column: Column) -> list[dashboard.DynamicConfigValue]:
    look = [dashboard.DynamicConfigValue("unit", column.unit)]
    if column.meaning is not None:
        look.append(dashboard.DynamicConfigValue("mappings", [_mapping(column.meaning)]))
        look.append(dashboard.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    return look


def _width(panel: Panel) -> int:
    position = panel.build().grid_pos
    return position.w if position is not None else 0
