"""The indicators' arithmetic, compiled: what lies side by side in memory is worked on side by side.

Each kernel goes on from where it was left, so that a history in one call, in pieces, or one session at a
time gives the same bits. Averages over a window are taken anew from the window's prices: they depend on
nothing older, and neither a spike nor ten thousand sessions leave a trace in them. Only the exponential
averages, which never forget entirely, are recursions; their state is updated in place.
"""

import math

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled

FloatArray = npt.NDArray[np.float64]


_BLOCK = 512  # cells (session, ticker) at once: long enough to vectorise, few enough to stay in the nearest cache


@compiled
def simple_moving_average(prices: FloatArray, values: FloatArray) -> None:
    """Write the mean of each full window of `prices`.

    It is taken as a distance from the window's last price: exact for a price that stands still.

    Parameters
    ----------
    prices : (W - 1 + T, N) float64
        The sessions before the first one that is asked for, NaN where unknown, and those asked for.
    values : (T, N) float64
        Output, in the unit of the prices; NaN where a price of the window is.
    """
    tickers, span = values.shape[1], len(prices) - len(values)
    price, means = prices.ravel(), values.ravel()
    for first in range(0, means.size, _BLOCK):
        mean = means[first : first + _BLOCK]
        newest = price[first + span * tickers :]
        mean[:] = 0.0
        for k in range(span):
            older = price[first + k * tickers :]
            for i in range(mean.size):
                mean[i] += older[i] - newest[i]
        for i in range(mean.size):
            mean[i] = newest[i] + mean[i] / (span + 1)


@compiled
def bollinger_band(prices: FloatArray, width: float, values: FloatArray) -> None:
    """Write each full window's mean plus `width` sample standard deviations; arrays as in `simple_moving_average`."""
    simple_moving_average(prices, values)
    tickers, span = values.shape[1], len(prices) - len(values)
    price, bands = prices.ravel(), values.ravel()
    squares = np.empty(_BLOCK)
    for first in range(0, bands.size, _BLOCK):
        band = bands[first : first + _BLOCK]
        squares[:] = 0.0
        for k in range(span + 1):
            row = price[first + k * tickers :]
            for i in range(band.size):
                squares[i] += (row[i] - band[i]) * (row[i] - band[i])
        for i in range(band.size):
            band[i] += width * math.sqrt(squares[i] / span)


@compiled
def cci(prices: FloatArray, values: FloatArray) -> None:
    """Write how many mean deviations / 0.015 lie between each typical price and its window's mean.

    0 where the price stood still; arrays as in `simple_moving_average`.
    """
    simple_moving_average(prices, values)
    tickers, span = values.shape[1], len(prices) - len(values)
    price, means = prices.ravel(), values.ravel()
    deviations = np.empty(_BLOCK)
    for first in range(0, means.size, _BLOCK):
        mean = means[first : first + _BLOCK]
        newest = price[first + span * tickers :]
        deviations[:] = 0.0
        for k in range(span + 1):
            row = price[first + k * tickers :]
            for i in range(mean.size):
                deviations[i] += abs(row[i] - mean[i])
        for i in range(mean.size):
            unit = 0.015 * (deviations[i] / (span + 1))
            mean[i] = (newest[i] - mean[i]) / unit if unit != 0.0 else 0.0


@compiled
def macd(state: FloatArray, fast: float, slow: float, close: FloatArray, values: FloatArray) -> None:
    """Write the fast minus the slow exponential average.

    Parameters
    ----------
    state : (4, N) float64
        Weights and averages of the fast and of the slow one, updated; 0 before the first session.
    fast, slow : float
        The newest price's weight in the long run, ``2 / (span + 1)``.
    close, values : (T, N) float64
        Prices, and the output in their unit.
    """
    fast_weight, fast_average, slow_weight, slow_average = state[0], state[1], state[2], state[3]
    for t in range(len(close)):
        for n in range(close.shape[1]):
            fast_weight[n] = 1.0 + (1.0 - fast) * fast_weight[n]
            slow_weight[n] = 1.0 + (1.0 - slow) * slow_weight[n]
            fast_average[n] += (close[t, n] - fast_average[n]) / fast_weight[n]
            slow_average[n] += (close[t, n] - slow_average[n]) / slow_weight[n]
            values[t, n] = fast_average[n] - slow_average[n]


@compiled
def rsi(state: FloatArray, newest: float, close: FloatArray, values: FloatArray) -> None:
    """Write the share of the gains in all movement, in percent; 50 where the price never moved.

    Parameters
    ----------
    state : (4, N) float64
        The last close (NaN before the first session), the weights, and the averages of gains and of
        losses (0 before the first session); updated.
    newest : float
        The newest change's weight in the long run.
    close, values : (T, N) float64
        Prices, and the output.
    """
    previous, weight, gain, loss = state[0], state[1], state[2], state[3]
    for t in range(len(close)):
        for n in range(close.shape[1]):
            change = close[t, n] - previous[n]
            weight[n] = 1.0 + (1.0 - newest) * weight[n]
            gain[n] += ((change if change > 0.0 else 0.0) - gain[n]) / weight[n]
            loss[n] += ((-change if change < 0.0 else 0.0) - loss[n]) / weight[n]
            total = gain[n] + loss[n]
            values[t, n] = 100.0 * (gain[n] / total) if total != 0.0 else 50.0
            previous[n] = close[t, n]


@compiled
def dx(state: FloatArray, newest: float, high: FloatArray, low: FloatArray, values: FloatArray) -> None:
    """Write how one-sided highs and lows move, in percent; 0 where neither moved out.

    NaN at a session whose high or low is; a move to or from such a price counts as none.

    Parameters
    ----------
    state : (5, N) float64
        The last high and low (NaN before the first session), the weights, and the averages of upward
        and of downward moves (0 before the first session); updated.
    newest : float
        The newest move's weight in the long run.
    high, low, values : (T, N) float64
        Prices, and the output.
    """
    previous_high, previous_low, weight, plus, minus = state[0], state[1], state[2], state[3], state[4]
    for t in range(len(high)):
        for n in range(high.shape[1]):
            up = high[t, n] - previous_high[n]
            down = previous_low[n] - low[t, n]
            weight[n] = 1.0 + (1.0 - newest) * weight[n]
            plus[n] += ((up if (up > 0.0) & (up > down) else 0.0) - plus[n]) / weight[n]
            minus[n] += ((down if (down > 0.0) & (down > up) else 0.0) - minus[n]) / weight[n]
            total = plus[n] + minus[n]
            value = 100.0 * (abs(plus[n] - minus[n]) / total) if total != 0.0 else 0.0
            values[t, n] = math.nan if math.isnan(high[t, n] - low[t, n]) else value
            previous_high[n] = high[t, n]
            previous_low[n] = low[t, n]
