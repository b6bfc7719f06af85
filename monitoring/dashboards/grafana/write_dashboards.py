"""Write Grafana's dashboards, for Grafana reads JSON and people read code.

Run: ``python -m monitoring.dashboards.grafana.write_dashboards`` after a change; a test fails where it was forgotten.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from MLOps.artifacts import write_text
from monitoring.dashboards.grafana.alerts import alerts
from monitoring.dashboards.grafana.data_and_drift import data_and_drift
from monitoring.dashboards.grafana.pipeline_health import pipeline_health
from monitoring.dashboards.grafana.strategy_and_champion import strategy_and_champion
from monitoring.dashboards.grafana.training import training

DASHBOARDS: Mapping[str, Callable[[], Dashboard]] = {
    made.__name__: made for made in (pipeline_health, data_and_drift, training, strategy_and_champion, alerts)
}
"""By the name of their file."""


def dashboards_folder() -> Path:
    """Where the JSON files lie."""
    return Path(__file__).parent / "json"


def as_json(dashboard: Dashboard) -> str:
    """The text of a dashboard's file."""
    return json.dumps(dashboard, cls=JSONEncoder, indent=2) + "\n"


def main() -> int:
    """Write every dashboard and tell where."""
    for name, make in DASHBOARDS.items():
        path = dashboards_folder() / f"{name}.json"
        write_text(path, as_json(make()))
        print(path)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
