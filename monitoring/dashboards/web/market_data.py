"""What the newest market data are: as of when, from where, and what a reader must know about them."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from MLOps.artifacts import RESULT_FILE
from MLOps.stage import StageResult


@dataclass(frozen=True)
class MarketData:
    """The newest bars.

    Attributes
    ----------
    as_of : str
        The session that they reach to.
    is_replay : bool
        Whether the clock replays an archive.
    source : str
    tickers : int
    warnings : tuple of str
    """

    as_of: str
    is_replay: bool
    source: str
    tickers: int
    warnings: tuple[str, ...]


def read_market_data(raw: Path) -> MarketData | None:
    """What ingestion told last; None if it has not run yet."""
    try:
        told = StageResult.model_validate_json((raw / "latest" / RESULT_FILE).read_bytes()).details
    except (OSError, ValidationError):
        return None
    return MarketData(
        as_of=str(told.get("as_of", "")),
        is_replay=bool(told.get("is_replay")),
        source=str(told.get("source", "")),
        tickers=len([ticker for ticker in str(told.get("tickers") or "").split(",") if ticker]),
        warnings=tuple(part.strip() for part in str(told.get("warnings") or "").split("|") if part.strip()),
    )
