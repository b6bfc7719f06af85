"""Market turbulence: how unusual a session's returns are, given the recent past."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from MLOps.errors import DataError
from MLOps.market import turbulence_kernels as kernels
from MLOps.market.engine_state import StateArray, copied, load_into, session_rows

FloatArray = npt.NDArray[np.float64]


def warm_up_rows(window: int) -> int:
    """First rows without a value: `window` returns take ``window + 1`` prices, and today's comes after them."""
    return window + 1


def turbulence(close: FloatArray, window: int = 252) -> FloatArray:
    """Squared Mahalanobis distance of each session's returns from those of the sessions before it.

    ``d_t = (y_t - m) S^+ (y_t - m)'`` with the simple returns ``y_t`` of all tickers at t, and the
    mean ``m`` and sample covariance ``S`` of ``y_{t-window} .. y_{t-1}``. Known at t's close.

    Equal to FinRL 0.3.7 from row ``window + 1`` on, but for its first two positive values, which
    FinRL replaces by 0; before that row FinRL invents zeros (and one value from a shorter window),
    here they are NaN.

    Parameters
    ----------
    close : (T, N) float64
        Adjusted prices, positive, no NaN.
    window : int
        Number of past returns, in sessions.

    Returns
    -------
    (T,) float64
        Without unit, about N on a usual day; NaN in the first ``window + 1`` rows.

    Raises
    ------
    DataError
        If a price is NaN, infinite or not positive.

    Notes
    -----
    Source: Kritzman and Li, "Skulls, Financial Turbulence, and Risk Management", Financial Analysts
    Journal 66(5), 2010, equation 1.
    """
    return TurbulenceEngine(close.shape[1], window).advance(close)


class TurbulenceEngine:
    """Turbulence of N tickers, session by session; memory and time a session are bounded.

    Parameters
    ----------
    tickers : int
        N.
    window : int
        Number of past returns, in sessions.
    """

    def __init__(self, tickers: int, window: int = 252) -> None:
        self._window = window
        self._sessions = np.zeros((), dtype=np.int64)
        self._close = np.full(tickers, np.nan)
        self._rows = np.zeros((window, tickers + 1))
        self._sums = np.zeros((2, 2, tickers + 1, tickers + 1))

    def update(self, close: FloatArray) -> float:
        """The value at the next session's close, from its (N,) prices; errors as in `advance`."""
        return float(self.advance(close[None])[0])

    def advance(self, close: FloatArray) -> FloatArray:
        """(T,) float64 the values of the next T sessions from their (T, N) closes; NaN in the warm-up rows.

        Raises
        ------
        DataError
            If a price is NaN, infinite or not positive, or if they are not those of N tickers.
        """
        close = session_rows(close, self._close.size)
        if not ((close > 0) & np.isfinite(close)).all():
            raise DataError("a close that is NaN, infinite or not positive", "known prices > 0", "the bars")
        rows = np.concatenate((self._rows, self._new_rows(close)))
        values = np.empty(len(close))
        kernels.advance(self._sums, rows, int(self._sessions), values)
        self._complete(values, rows[:, 1:])
        self._rows[:] = rows[len(close) :]
        self._close[:] = np.concatenate((self._close[None], close))[-1]
        self._sessions += len(close)
        return values

    def state(self) -> dict[str, StateArray]:
        """What `restore` needs to go on from here: copies, plain arrays by name."""
        return copied(self._arrays())

    def restore(self, state: Mapping[str, StateArray]) -> None:
        """Go on from where `state` was taken.

        Raises
        ------
        DataError
            If it is of another window or another number of tickers; nothing has changed then.
        """
        load_into(self._arrays(), state)

    def _arrays(self) -> dict[str, StateArray]:
        return {"sessions": self._sessions, "close": self._close, "rows": self._rows, "sums": self._sums}

    def _new_rows(self, close: FloatArray) -> FloatArray:
        """(T, N + 1) a one and the returns of each session; zeros for the very first, which has no return."""
        rows = np.ones((len(close), close.shape[1] + 1))
        rows[:, 1:] = close / np.concatenate((self._close[None], close[:-1])) - 1.0
        rows[: max(1 - int(self._sessions), 0)] = 0.0
        return rows

    def _complete(self, values: FloatArray, returns: FloatArray) -> None:
        """Fill in what the elimination left out: sessions whose past is (nearly) linearly dependent."""
        first = max(warm_up_rows(self._window) - int(self._sessions), 0)
        left_out = first + np.flatnonzero(np.isnan(values[first:]))
        if left_out.size:
            with threadpool_limits(1, user_api="blas"):  # sums in another order change the last bits
                for t in left_out:
                    values[t] = _by_pseudo_inverse(returns[t : t + self._window], returns[t + self._window])


def _by_pseudo_inverse(past: FloatArray, today: FloatArray) -> float:
    """The squared distance of `today` (N,) from `past` (window, N) in those directions in which the past moved."""
    mean = past.mean(axis=0)
    centred = past - mean
    covariance = centred.T @ centred / (len(past) - 1)
    rounding = len(covariance) * np.finfo(np.float64).eps  # NumPy's own 1e-15 is below it for many tickers
    inverse = np.linalg.pinv(covariance, rcond=float(rounding), hermitian=True)
    distance = today - mean
    return max(float(distance @ inverse @ distance), 0.0)
