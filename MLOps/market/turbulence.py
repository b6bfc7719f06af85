"""Market turbulence: how unusual a session's returns are, given the recent past."""

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

FloatArray = npt.NDArray[np.float64]
_BLOCK = 256  # sessions at once: bounds the memory for the windows' copies to block x window x N


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

    Notes
    -----
    Source: Kritzman and Li, "Skulls, Financial Turbulence, and Risk Management", Financial Analysts
    Journal 66(5), 2010, equation 1.
    """
    returns = close[1:] / close[:-1] - 1.0
    result = np.full(len(close), np.nan)
    first = warm_up_rows(window)
    with threadpool_limits(1, user_api="blas"):  # sums in another order change the last bits
        for start in range(first, len(close), _BLOCK):
            stop = min(start + _BLOCK, len(close))
            # row i of `returns` is the return at session i + 1, so the past of session t ends at row t - 2
            past = np.lib.stride_tricks.sliding_window_view(returns[start - first : stop - 2], window, axis=0)
            result[start:stop] = _distances(returns[start - 1 : stop - 1], past)
    return result


def _distances(today: FloatArray, past: FloatArray) -> FloatArray:
    """(B,) squared Mahalanobis distances of `today` (B, N) from `past` (B, N, window)."""
    mean = past.mean(axis=2)
    centred = past - mean[:, :, None]
    covariance = centred @ centred.transpose(0, 2, 1) / (past.shape[2] - 1)
    distance = today - mean
    inverse = np.linalg.pinv(covariance, hermitian=True)
    squared: FloatArray = np.einsum("bi,bij,bj->b", distance, inverse, distance)
    return np.maximum(squared, 0.0)
