"""What a source of market data must offer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import pandas as pd


@dataclass(frozen=True)
class Origin:
    """Where data came from; told in the result, in tracking and in the report."""

    source: str
    licence: str
    note: str
    warnings: tuple[str, ...] = field(default=())


class DataSource(Protocol):
    """Daily bars and news.

    Attributes
    ----------
    origin : Origin
        Whose data it is.
    is_local : bool
        All of it is at hand, so that it is read whole; else only what is new is fetched.
    """

    @property
    def origin(self) -> Origin: ...

    @property
    def is_local(self) -> bool: ...

    def bars(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:
        """Bars of `tickers` (all that the source lists, if empty) from `start` to `end`, both included.

        Columns as in `MLOps.market.bars`, rows in the source's own order, so that the validation sees
        what the source did.

        Raises
        ------
        DataError
            If a ticker is unknown, there is no bar in the window, or the answer has another shape.
        SourceUnavailableError
            If the source cannot be reached.
        """

    def news(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:
        """News from `start` to `end`, both included, as in `MLOps.market.news`; may be empty."""
