"""One more session gives the bits that the whole history gives, from a saved state too, at a bounded cost."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.errors import DataError, SettingsError
from MLOps.market.indicators import INDICATORS, IndicatorEngine, PriceArrays, compute_indicators

NAMES = tuple(INDICATORS)


def price_arrays(sessions: int = 130, tickers: int = 7, seed: int = 5) -> PriceArrays:
    """Random walks in which a price stands still, one leaps, and a high and a low are unknown."""
    generator = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(generator.normal(0, 0.02, (sessions, tickers)), axis=0))
    close[10:50, 0] = close[10, 0]
    close[70, 1] *= 1e6
    high, low = (close * (1 + way * np.abs(generator.normal(0, 0.01, close.shape))) for way in (1, -1))
    high[30, 2] = low[35, 3] = np.nan
    return PriceArrays(high, low, close)


def between(prices: PriceArrays, first: int, stop: int | None) -> PriceArrays:
    return PriceArrays(prices.high[first:stop], prices.low[first:stop], prices.close[first:stop])


def saved(engine: IndicatorEngine) -> dict[str, np.ndarray]:
    """The engine's state after it has been in a file of plain arrays."""
    file = io.BytesIO()
    np.savez(file, **engine.state())
    file.seek(0)
    return dict(np.load(file, allow_pickle=False))


@pytest.mark.parametrize("tickers", [1, 7, 33])
def test_session_by_session_gives_the_bits_of_the_history(tickers: int) -> None:
    prices = price_arrays(tickers=max(tickers, 4))
    prices = PriceArrays(prices.high[:, :tickers], prices.low[:, :tickers], prices.close[:, :tickers])
    engine = IndicatorEngine(NAMES, prices.close.shape[1])
    updates = [engine.update(*row) for row in zip(prices.high, prices.low, prices.close, strict=True)]
    history = compute_indicators(NAMES, prices)
    for position, name in enumerate(NAMES):
        np.testing.assert_array_equal(np.array(updates)[:, position], history[name], err_msg=name)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 130), max_size=6))
def test_a_history_in_pieces_from_saved_states_gives_the_same_bits(cuts: list[int]) -> None:
    prices, pieces, state = price_arrays(), [], None
    for first, stop in zip([0, *sorted(cuts)], [*sorted(cuts), None], strict=True):
        engine = IndicatorEngine(NAMES, 7)
        if state is not None:
            engine.restore(state)
        pieces.append(engine.advance(between(prices, first, stop)))
        state = saved(engine)
    for name, values in compute_indicators(NAMES, prices).items():
        np.testing.assert_array_equal(np.concatenate([piece[name] for piece in pieces]), values, err_msg=name)


def test_the_state_does_not_grow() -> None:
    engine, prices = IndicatorEngine(NAMES, 7), price_arrays()
    before = {name: array.nbytes for name, array in engine.state().items()}
    engine.advance(prices)
    assert {name: array.nbytes for name, array in engine.state().items()} == before


def test_a_saved_state_stays_as_it_was() -> None:
    engine, prices = IndicatorEngine(NAMES, 7), price_arrays()
    engine.advance(between(prices, 0, 100))
    state = engine.state()
    first = engine.advance(between(prices, 100, None))
    engine.restore(state)
    again = engine.advance(between(prices, 100, None))
    for name in NAMES:
        np.testing.assert_array_equal(first[name], again[name])


def test_without_highs_and_lows_only_those_that_need_them_are_unknown() -> None:
    prices = price_arrays()
    unknown = np.full_like(prices.close, np.nan)
    known, values = (compute_indicators(NAMES, p) for p in (prices, PriceArrays(unknown, unknown, prices.close)))
    for name, indicator in INDICATORS.items():
        np.testing.assert_array_equal(values[name], unknown if indicator.needs_high_low else known[name])


def test_an_unknown_high_is_forgotten_when_it_leaves_the_window() -> None:
    prices = price_arrays()
    values = compute_indicators(("cci_30", "dx_30"), prices)
    assert np.flatnonzero(np.isnan(values["cci_30"][29:, 2])).tolist() == list(range(1, 31)), "sessions 30 to 59"
    assert np.flatnonzero(np.isnan(values["dx_30"][30:, 2])).tolist() == [0], "session 30"


@pytest.mark.parametrize("form", [np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2], lambda a: a.tolist()])
def test_the_layout_in_memory_does_not_matter(form: object) -> None:
    prices = price_arrays()
    frozen = [form(array) for array in (prices.high, prices.low, prices.close)]  # type: ignore[operator]
    values = IndicatorEngine(NAMES, 7).advance(PriceArrays(*frozen))
    for name, expected in compute_indicators(NAMES, prices).items():
        np.testing.assert_array_equal(values[name], expected)


def test_prices_are_only_read() -> None:
    prices = price_arrays()
    for array in (prices.high, prices.low, prices.close):
        array.flags.writeable = False
    np.testing.assert_array_equal(
        compute_indicators(["macd"], prices)["macd"], compute_indicators(["macd"], price_arrays())["macd"]
    )


def test_refuses_prices_of_other_tickers() -> None:
    with pytest.raises(DataError, match=r"prices of shape \(130, 7\); allowed: sessions x 6 tickers"):
        IndicatorEngine(NAMES, 6).advance(price_arrays())


def test_refuses_highs_of_other_sessions_than_the_closes() -> None:
    prices = price_arrays()
    with pytest.raises(DataError, match=r"high, low and close of 129, 130 and 130 sessions"):
        compute_indicators(NAMES, PriceArrays(prices.high[1:], prices.low, prices.close))


def test_refuses_a_state_of_other_indicators_and_keeps_its_own() -> None:
    engine, other, prices = IndicatorEngine(["macd"], 7), IndicatorEngine(["rsi_30"], 7), price_arrays()
    other.advance(prices)
    with pytest.raises(DataError, match=r"macd: None, rsi_30: float64\[4, 7\]; allowed: macd: float64\[4, 7\]"):
        engine.restore(other.state())
    np.testing.assert_array_equal(engine.advance(prices)["macd"], compute_indicators(["macd"], prices)["macd"])


def test_refuses_a_state_of_other_tickers() -> None:
    with pytest.raises(DataError, match=r"macd: float64\[4, 3\]; allowed: macd: float64\[4, 7\]"):
        IndicatorEngine(["macd"], 7).restore(IndicatorEngine(["macd"], 3).state())


def test_refuses_an_unknown_indicator() -> None:
    with pytest.raises(SettingsError, match="unknown indicator rsi_31"):
        IndicatorEngine(["rsi_31"], 7)
