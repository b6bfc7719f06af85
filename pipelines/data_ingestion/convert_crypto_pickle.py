"""Stage convert_crypto_pickle: crypto bars from a user's pickled DataFrame, which is given no code to run.

Makes data/crypto_imports/<symbol>/<last day>-<key>/bars.parquet, published as
data/crypto_imports/<symbol>/bars.parquet: apart from what ingest_crypto_bars made, so that own bars are only
used where bars_path names them. Gaps are told, not filled.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once
from MLOps.market.crypto_bars import missing_spans, write_crypto_bars
from MLOps.market.frame_bars import frame_to_crypto_bars
from MLOps.market.pickled_frame import read_pickled_frame
from MLOps.settings.crypto_pickle import ConvertCryptoPickleSettings
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag

_LOG = logging.getLogger(__name__)
_FILE = "bars.parquet"
_MIB = 1 << 20


def convert_crypto_pickle(settings: ConvertCryptoPickleSettings, tracker: Tracker) -> StageResult:
    """Make the bars of a pickle.

    Raises
    ------
    DataError
        If there is no such file, it holds anything but a plain DataFrame, or that is no crypto bars.
    """
    path = (settings.paths.workspace / settings.pickle_path).resolve()
    bars = frame_to_crypto_bars(read_pickled_frame(path, settings.max_file_mib * _MIB), settings, str(path))
    opened, gaps = bars["opened_at"], missing_spans(bars)
    output = Output(
        stage=STAGE.name,
        root=settings.paths.data / "crypto_imports" / settings.symbol.lower(),
        settings=settings,
        inputs={"pickle": path},
        label=str(opened.iloc[-1].date()),
        publish=(_FILE,),
    )

    def make(folder: Path, _key: str) -> Made:
        write_crypto_bars(bars, folder / _FILE)
        _LOG.info("%s: %d bars from %s on, %d gaps", settings.symbol, len(bars), opened.iloc[0], len(gaps))
        return Made(
            files={"bars": _FILE},
            metrics={
                "bars": len(bars),
                "gaps": len(gaps),
                "missing_bars": int(gaps["bars"].sum()),
                "bars_without_trade": int((bars["volume"] == 0).sum()),
            },
            details={
                "ticker": settings.symbol,
                "frequency": settings.frequency,
                "first_bar": f"{opened.iloc[0]:%Y-%m-%d %H:%M}",
                "last_bar": f"{opened.iloc[-1]:%Y-%m-%d %H:%M}",
                "source": "a user's pickle",
                "tells_range": all(getattr(settings.columns, name) for name in ("open", "high", "low")),
            },
        )

    return make_once(output, make, tracker)


STAGE = Stage(
    name="convert_crypto_pickle",
    settings_type=ConvertCryptoPickleSettings,
    run=convert_crypto_pickle,
    flags=(
        ValueFlag("pickle_path", "pickle_path", "pickled DataFrame of one coin (default: crypto_data.pkl)"),
        ValueFlag("symbol", "symbol", "the coin, by its ticker (default: BTC)"),
        ValueFlag("frequency", "frequency", "length of a bar: 1h or 1d"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
