"""What a backtest's model held last, beside the champion of the same test."""

from typing import TYPE_CHECKING

from monitoring.dashboards.web.render_blocks import Cell, Column, table
from monitoring.dashboards.web.wording import count, percent

if TYPE_CHECKING:
    import pandas as pd

_MOST_NAMED = 15
_COLUMNS = (Column("Ticker", "strong"), Column("Shares", "number"), Column("Part of wealth", "number"))
_CHAMPION = Column("Champion's part", "number")


def positions_table(positions: "pd.DataFrame") -> str:
    """The newest session's positions, the model's largest first; small ones of a wide universe share one row.

    Parameters
    ----------
    positions : DataFrame
        As `MLOps.evaluation.comparison.Comparison.positions_frame` makes it.
    """
    last = positions[positions["date"] == positions["date"].max()]
    weights = last.pivot(index="ticker", columns="strategy", values="weight")
    shares = last[last["strategy"] == "model"].set_index("ticker")["shares"]
    ordered = weights.sort_values("model", ascending=False, kind="stable")
    named, others = ordered.iloc[:_MOST_NAMED], ordered.iloc[_MOST_NAMED:]
    has_champion = "champion" in ordered
    rows = [(str(ticker), _amount(float(shares[ticker])), *_parts(row)) for ticker, row in named.iterrows()]
    if len(others):
        rows.append((count(len(others), "other"), "", *_parts(others.sum())))
    rows.append(("Cash", "", *_parts(1 - ordered.sum())))
    cells: list[tuple[Cell, ...]] = [row if has_champion else row[:3] for row in rows]
    return table((*_COLUMNS, _CHAMPION) if has_champion else _COLUMNS, cells)


def _parts(weights: "pd.Series[float]") -> tuple[str, str]:
    """The model's part of its wealth, and the champion's of its own."""
    return percent(float(weights["model"])), percent(float(weights.get("champion", 0.0)))


def _amount(shares: float) -> str:
    """Whole shares without decimals, fractions with up to four."""
    return f"{shares:,.4f}".rstrip("0").rstrip(".")
