"""What the reports share: one HTML file that needs no network, for a screen, a phone or paper."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

_CHART_CONFIG = {"displayModeBar": False, "responsive": True, "scrollZoom": False}


@dataclass(frozen=True, kw_only=True)
class PageFacts:
    """What a report says beside its figures.

    Attributes
    ----------
    tickers : tuple of str
    warnings : tuple of str
        What a reader of the results must know about the data.
    sources : mapping of str to str
        Origin and licence of the data, digests and keys, by caption.
    """

    tickers: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)

    def identity(self) -> dict[str, str]:
        """All of it as plain text: a report that says something else is another report."""
        return {name: json.dumps(value) for name, value in asdict(self).items()}


def render_page(template: str, charts: Mapping[str, "go.Figure"], facts: PageFacts, **content: Any) -> str:
    """A template of this folder as HTML; the same arguments give the same text.

    Parameters
    ----------
    template : str
        Name of a file that extends ``page.html.j2``.
    charts : mapping of str to Figure
        Become ``charts.<name>``, each a fragment.
    facts : PageFacts
    **content
        Whatever else the template names; one that is missing is an error.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "number": _number, "money": _money, "signed": _signed}
    environment.filters["signed_percent"] = _signed_percent
    fragments = {name: _html(figure, name) for name, figure in charts.items()}
    return environment.get_template(template).render(charts=fragments, plotly=get_plotlyjs(), facts=facts, **content)


def _html(figure: "go.Figure", name: str) -> str:
    """A chart as a fragment; its identifier is given, for Plotly would draw a random one."""
    fragment = figure.to_html(full_html=False, include_plotlyjs=False, div_id=f"chart-{name}", config=_CHART_CONFIG)
    return str(fragment)


def _percent(value: float | None, digits: int = 1) -> str:
    return _typeset(None if value is None else f"{value:.{digits}%}")


def _signed_percent(value: float | None, digits: int = 1) -> str:
    return _typeset(None if value is None else f"{value:+.{digits}%}")


def _number(value: float | None, digits: int = 2) -> str:
    return _typeset(None if value is None else f"{value:.{digits}f}")


def _signed(value: float | None, digits: int = 2) -> str:
    return _typeset(None if value is None else f"{value:+.{digits}f}")


def _typeset(figure: str | None) -> str:
    return "\N{EN DASH}" if figure is None else figure.replace("-", "\N{MINUS SIGN}")


def _money(value: float) -> str:
    return f"{value:,.0f}"
