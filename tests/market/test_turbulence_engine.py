"""One more session gives the bits that the whole history gives, from a saved state too, at a bounded cost."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.errors import DataError
from MLOps.market.turbulence import TurbulenceEngine, turbulence

WINDOW = 20


def closes(sessions: int = 150, tickers: int = 5) -> np.ndarray:
    """Random walks of which two are twins for a while, so that both ways to a distance are taken; one leaps."""
    generator = np.random.default_rng(3)
    moves = generator.normal(0, 0.02, (sessions, tickers))
    moves[40:90, 1] = moves[40:90, 0]
    close = 50 * np.exp(np.cumsum(moves, axis=0))
    close[120, 2] *= 1e6
    return close


def saved(engine: TurbulenceEngine) -> dict[str, np.ndarray]:
    """The engine's state after it has been in a file of plain arrays."""
    file = io.BytesIO()
    np.savez(file, **engine.state())
    file.seek(0)
    return dict(np.load(file, allow_pickle=False))


@pytest.mark.parametrize("tickers", [3, 5, 30])
def test_session_by_session_gives_the_bits_of_the_history(tickers: int) -> None:
    close = closes(tickers=tickers)
    engine = TurbulenceEngine(tickers, WINDOW)
    np.testing.assert_array_equal([engine.update(row) for row in close], turbulence(close, WINDOW))


@given(st.lists(st.integers(0, 150), max_size=6))
@settings(deadline=None, max_examples=30)
def test_a_history_in_pieces_from_saved_states_gives_the_same_bits(cuts: list[int]) -> None:
    close, pieces, state = closes(), [], None
    for first, stop in zip([0, *sorted(cuts)], [*sorted(cuts), None], strict=True):
        engine = TurbulenceEngine(5, WINDOW)
        if state is not None:
            engine.restore(state)
        pieces.append(engine.advance(close[first:stop]))
        state = saved(engine)
    np.testing.assert_array_equal(np.concatenate(pieces), turbulence(close, WINDOW))


def test_the_state_does_not_grow() -> None:
    engine = TurbulenceEngine(5, WINDOW)
    before = {name: array.nbytes for name, array in engine.state().items()}
    engine.advance(closes())
    assert {name: array.nbytes for name, array in engine.state().items()} == before


def test_a_saved_state_stays_as_it_was() -> None:
    engine, close = TurbulenceEngine(5, WINDOW), closes()
    engine.advance(close[:100])
    state = engine.state()
    first = engine.advance(close[100:])
    engine.restore(state)
    np.testing.assert_array_equal(engine.advance(close[100:]), first)


def test_nothing_older_than_two_windows_is_in_the_state() -> None:
    """The growing sums take over, so two pasts that differ long ago end in the same bits."""
    close = closes()
    other = close.copy()
    other[: 100 - 2 * WINDOW] *= np.linspace(1, 2, 5)
    np.testing.assert_array_equal(turbulence(other, WINDOW)[100:], turbulence(close, WINDOW)[100:])


def test_refuses_prices_of_other_tickers() -> None:
    with pytest.raises(DataError, match=r"prices of shape \(150, 5\); allowed: sessions x 6 tickers"):
        TurbulenceEngine(6, WINDOW).advance(closes())


def test_a_refused_price_changes_nothing() -> None:
    engine, close = TurbulenceEngine(5, WINDOW), closes()
    engine.advance(close[:100])
    with pytest.raises(DataError, match="not positive"):
        engine.update(np.zeros(5))
    np.testing.assert_array_equal(engine.advance(close[100:]), turbulence(close, WINDOW)[100:])


def test_refuses_a_state_of_another_window() -> None:
    with pytest.raises(DataError, match=r"rows: float64\[30, 6\]; allowed: rows: float64\[20, 6\]"):
        TurbulenceEngine(5, WINDOW).restore(TurbulenceEngine(5, 30).state())
