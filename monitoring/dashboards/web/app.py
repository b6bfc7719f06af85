"""The pages that Streamlit serves; `show_dashboard.py` starts it.

Every page reads the workspace's files and the registry anew when it is opened, and again every
`dashboard.refresh_seconds`. It writes nothing and needs no other service.
"""

import sys
from collections.abc import Callable, Sequence

import streamlit as st

from MLOps.errors import PlatformError
from MLOps.settings.compose import compose_settings
from MLOps.settings.dashboard import DashboardSettings
from monitoring.dashboards.web.alerts_page import show_alerts
from monitoring.dashboards.web.champions_page import show_champions
from monitoring.dashboards.web.drift_page import show_drift
from monitoring.dashboards.web.overview_page import show_overview
from monitoring.dashboards.web.render_blocks import notes, style
from monitoring.dashboards.web.runs_page import show_runs
from monitoring.dashboards.web.shown_families import BUY_TIMING
from monitoring.dashboards.web.strategy_page import show_strategy
from monitoring.dashboards.web.timing_page import show_timing

Show = Callable[[DashboardSettings], None]
PAGES: tuple[tuple[str, Show], ...] = (
    ("Overview", show_overview),
    ("Strategy", show_strategy),
    (BUY_TIMING, show_timing),
    ("Champions", show_champions),
    ("Drift", show_drift),
    ("Alerts", show_alerts),
    ("Runs", show_runs),
)


@st.cache_resource(show_spinner=False)
def read_settings(overrides: tuple[str, ...]) -> DashboardSettings:
    """The settings of the dashboard, composed once for all who look."""
    return compose_settings(DashboardSettings, "dashboard", overrides)


def run(overrides: Sequence[str]) -> None:
    """Show the page that was asked for."""
    st.set_page_config(page_title="Trading agents", page_icon="📈", layout="wide")
    st.html(style())
    try:
        settings = read_settings(tuple(overrides))
    except PlatformError as error:
        st.html(notes([str(error)], "bad"))
        return
    pages = [
        st.Page(_page(show, settings), title=title, url_path=title.lower(), default=show is show_overview)
        for title, show in PAGES
    ]
    chosen = st.navigation(pages, position="hidden")
    with st.container(horizontal=True, gap="xsmall", key="ta-nav"):  # in sight on a phone too, unlike Streamlit's own
        for page in pages:
            st.page_link(page)
    chosen.run()


def _page(show: Show, settings: DashboardSettings) -> Callable[[], None]:
    """A page that looks again by itself."""

    def page() -> None:
        st.fragment(show, run_every=settings.dashboard.refresh_seconds)(settings)

    return page


if __name__ == "__main__":
    run(sys.argv[1:])
