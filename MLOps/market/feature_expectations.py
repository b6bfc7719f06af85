"""What must hold of a table of features before anyone trains on it."""

import sys

from MLOps.market.feature_table import FeatureTable
from MLOps.vendors.great_expectations import Expectation

_LIMITS: dict[str, tuple[float, float, str]] = {
    "day": (0, 6, "a weekday, Monday is 0"),
    "volume": (0, sys.float_info.max, "not negative"),
    "rsi_30": (0, 100, "a percentage"),
    "dx_30": (0, 100, "a percentage"),
    "turbulence": (0, sys.float_info.max, "not negative"),
    "sentiment": (-1, 1, "between -1 and 1"),
    "ticker_sentiment": (-1, 1, "between -1 and 1"),
    "news_count": (0, sys.float_info.max, "not negative"),
}
_ORDERED = (("high", "low"), ("high", "open"), ("high", "close"), ("open", "low"), ("close", "low"))
_PRICES = ("open", "high", "low", "close", "vix")
_UNBOUNDED = ("date", "tic", "has_news", "ticker_has_news")


def feature_expectations(table: FeatureTable) -> list[Expectation]:
    """The suite for one table: its columns, keys, ranges and the order of prices and bands."""
    columns = list(table.frame.columns)
    tickers = sorted(table.frame["tic"].unique())
    suite = [
        _on_table("every date has every ticker once", "ExpectCompoundColumnsToBeUnique", column_list=["date", "tic"]),
        _on_table(
            "every date has every ticker",
            "ExpectTableRowCountToEqual",
            value=int(table.frame["date"].nunique()) * len(tickers),
        ),
    ]
    suite += [_on_column(f"{name} is known in every row", "ExpectColumnValuesToNotBeNull", name) for name in columns]
    for name in columns:
        if name in _PRICES:
            suite.append(_between(name, 0, sys.float_info.max, "a positive price", strict_min=True))
        elif name in _LIMITS:
            suite.append(_between(name, *_LIMITS[name]))
        elif name not in _UNBOUNDED:
            suite.append(_between(name, -sys.float_info.max, sys.float_info.max, "finite"))
    suite += [_not_below(a, b) for a, b in (*_ORDERED, ("boll_ub", "boll_lb")) if a in columns and b in columns]
    return suite


def _on_table(reason: str, kind: str, **arguments: object) -> Expectation:
    return Expectation(reason, kind, arguments)


def _on_column(reason: str, kind: str, column: str, **arguments: object) -> Expectation:
    return Expectation(reason, kind, {"column": column, **arguments})


def _between(column: str, low: float, high: float, words: str, strict_min: bool = False) -> Expectation:
    limits = {"min_value": low, "max_value": high, "strict_min": strict_min}
    return _on_column(f"{column} is {words}", "ExpectColumnValuesToBeBetween", column, **limits)


def _not_below(upper: str, lower: str) -> Expectation:
    arguments = {"column_A": upper, "column_B": lower, "or_equal": True}
    return Expectation(f"{upper} is not below {lower}", "ExpectColumnPairValuesAToBeGreaterThanB", arguments)
