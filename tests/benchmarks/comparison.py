"""Two implementations of one thing: shown equal first, then timed in turns on the same data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Measure = Callable[[], float]


class NotEqualError(Exception):
    """Peer and ours computed different things, so that their times cannot be compared."""


@dataclass(frozen=True)
class Timing:
    """Figures of the runs in turns, in the row's unit."""

    peer_runs: tuple[float, ...]
    ours_runs: tuple[float, ...]

    @property
    def peer(self) -> float:
        """The peer's median."""
        return median(self.peer_runs)

    @property
    def ours(self) -> float:
        """Our median."""
        return median(self.ours_runs)


@dataclass(frozen=True)
class SizePoint:
    """One point of the chart of cost against size.

    Attributes
    ----------
    quantity : str
        What is paid for: ``"step of one environment"``.
    axis : str
        What grows: ``history_sessions``, ``tickers`` or ``n_envs``.
    size : int
        How much of it.
    who : str
        The implementation, as the legend names it.
    microseconds : float
        Cost of one `quantity`.
    """

    quantity: str
    axis: str
    size: int
    who: str
    microseconds: float


@dataclass(frozen=True)
class Demand:
    """Something a row must reach beside its ratio.

    Attributes
    ----------
    name : str
        What is demanded, for a person.
    figure : float
        What was measured.
    bound : float
        What `figure` may not pass; itself it may be.
    unit : str
        Of both; empty for plain numbers.
    is_floor : bool
        True if `bound` is the least that is allowed, False if the most.
    """

    name: str
    figure: float
    bound: float
    unit: str
    is_floor: bool

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps the bound."""
        return self.figure >= self.bound if self.is_floor else self.figure <= self.bound

    def in_words(self) -> str:
        """The verdict, the figure and the bound."""
        verdict, side = ("met" if self.is_met else "MISSED"), ("at least" if self.is_floor else "at most")
        return (
            f"{verdict}: {self.name}: {in_figures(self.figure)}, {side} {in_figures(self.bound)} {self.unit}".rstrip()
        )


@dataclass(frozen=True)
class Measurement:
    """What a row found.

    Attributes
    ----------
    timing : Timing
        The runs in turns.
    check : str
        What was found equal before the clock ran, and how closely.
    size : mapping of str to int
        Size of the data.
    demands : tuple of Demand
        What the row must reach beside its ratio, met or missed.
    findings : tuple of str
        What else to print, a line each.
    notes : tuple of str
        What a reader must know to judge the ratio fairly.
    details : mapping
        Further figures, each with its unit in its name.
    sizes : tuple of SizePoint
        The row's part of the chart.
    """

    timing: Timing
    check: str
    size: dict[str, int]
    demands: tuple[Demand, ...] = ()
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    sizes: tuple[SizePoint, ...] = ()


class MeasuresRow(Protocol):
    """What a row's module offers."""

    def __call__(self, *, is_quick: bool) -> Measurement:
        """Compare, then time."""


@dataclass(frozen=True)
class Row:
    """A comparison with a peer.

    Attributes
    ----------
    unit : str
        Of both figures.
    is_higher_better : bool
        True for rates, False for times.
    target_ratio : float
        How many times better than the peer we mean to be.
    measure : callable
        Does the work; `NotEqualError` if the two do not compute the same. ``is_quick`` asks for the check and as
        little measuring as shows that all of it works.
    """

    unit: str
    is_higher_better: bool
    target_ratio: float
    measure: MeasuresRow


def in_figures(value: float) -> str:
    """Four figures, or all that stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def ratio(ours: float, peer: float, *, is_higher_better: bool) -> float:
    """How many times better ours is than the peer."""
    return ours / peer if is_higher_better else peer / ours


def in_turns(peer: Measure, ours: Measure, runs: int) -> Timing:
    """Measure both `runs` times, one after the other, so that a busy minute of the machine meets both."""
    pairs = [(peer(), ours()) for _ in range(runs)]
    return Timing(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


def seconds_per_call(function: Callable[[], object], minimum_seconds: float = 0.2) -> float:
    """Mean time of a call over as many calls as fill `minimum_seconds`; at least one. Warm up first."""
    calls, start = 0, perf_counter()
    while True:
        function()
        calls += 1
        if (elapsed := perf_counter() - start) >= minimum_seconds:
            return elapsed / calls


def require_equal(what: str, ours: npt.ArrayLike, peer: npt.ArrayLike, rtol: float, atol: float = 0.0) -> str:
    """Say how closely two arrays agree.

    Raises
    ------
    NotEqualError
        If the shapes differ, or ``|ours - peer| <= atol + rtol |peer|`` fails anywhere, NaN included.
    """
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(peer, dtype=np.float64)
    if a.shape != b.shape:
        raise NotEqualError(f"{what}: shapes {a.shape} and {b.shape}")
    difference = np.abs(a - b)
    if not (difference <= atol + rtol * np.abs(b)).all():
        raise NotEqualError(f"{what}: differs by up to {np.nanmax(difference):.3g}, allowed {rtol:g} relative")
    relative = np.divide(difference, np.abs(b) + atol / rtol, out=np.zeros_like(difference), where=difference > 0)
    return f"{what}: {a.size:,} values, largest relative difference {relative.max(initial=0.0):.1e}"
