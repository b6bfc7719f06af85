"""A market in the form in which FinRL's environment reads it; FinRL itself is not imported."""

from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.market.panel import MarketPanel


class _Column:
    """As much of a pandas Series as FinRL's environment asks for; `values` differ or are all the same."""

    def __init__(self, values: npt.NDArray[Any], *, is_constant: bool = False) -> None:
        self.values = values
        self._distinct = values[:1] if is_constant else values

    def unique(self) -> npt.NDArray[Any]:
        return self._distinct


class _Day(dict[str, Any]):
    """One session's rows: ``day.close``, ``day["macd"]``."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error


class _Days:
    """``frame.loc[day, :]``."""

    def __init__(self, days: list[_Day]) -> None:
        self._days = days

    def __getitem__(self, place: tuple[int, slice]) -> _Day:
        return self._days[place[0]]


class PanelFrame:
    """A panel in the form of the frame that FinRL's environment reads, without pandas' look-ups.

    FinRL slices and de-duplicates its whole frame at every step, which holds it at some 400 steps a
    second; with this stand-in the same code runs about ten times as fast. With one ticker pandas gives
    it scalars in place of columns, and so does this.
    """

    def __init__(self, panel: MarketPanel) -> None:
        self.tic = _Column(np.array(panel.tickers, dtype=object))
        self.index = _Column(np.arange(len(panel.dates)))
        self.loc = _Days([_day(panel, t) for t in range(len(panel.dates))])


def _day(panel: MarketPanel, t: int) -> _Day:
    tickers = len(panel.tickers)
    columns: dict[str, npt.NDArray[Any]] = {
        "tic": np.array(panel.tickers, dtype=object),
        "date": np.repeat(panel.dates[t : t + 1], tickers),
        "close": panel.close[t],
        "turbulence": np.repeat(panel.turbulence[t], tickers),
    }
    columns |= {name: panel.features[t, :, f] for f, name in enumerate(panel.feature_names)}
    if panel.feature_names:
        first = panel.feature_names[0]
        columns[first] = np.where(columns[first] == 1.0, np.nextafter(1.0, 2.0), columns[first])
    if tickers == 1:
        return _Day({name: values[0] for name, values in columns.items()})
    return _Day({name: _Column(values, is_constant=name == "date") for name, values in columns.items()})
