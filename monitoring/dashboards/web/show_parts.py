"""How pages put what they read onto the screen."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from MLOps.errors import PlatformError
from monitoring.dashboards.web.render_blocks import notes

if TYPE_CHECKING:
    import plotly.graph_objects as go

_CHART = {"displayModeBar": False, "responsive": True, "scrollZoom": False}
FoundT = TypeVar("FoundT")


def read_or_say(read: Callable[[], FoundT]) -> FoundT | None:
    """What `read` gives; where it cannot, the reason is shown in its place, and the page goes on."""
    try:
        return read()
    except PlatformError as error:
        st.html(notes([str(error)], "bad"))
        return None


def show_chart(figure: "go.Figure", key: str) -> None:
    """Draw a figure as it is, over the whole width."""
    st.plotly_chart(figure, width="stretch", theme=None, config=_CHART, key=key)


def offer_file(path: Path, label: str, name: str) -> None:
    """A button that hands out a page; it is read when it is asked for."""
    st.download_button(label, path.read_bytes, file_name=name, mime="text/html", on_click="ignore", key=f"get {path}")
