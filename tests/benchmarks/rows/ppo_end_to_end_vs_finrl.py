"""Samples a second of PPO, from the first step to the last update, and what is learnt from as many samples.

Speed is measured on 30 tickers, 8 features and 2,500 days; what was learnt is judged on a year of real prices that
neither side has learnt from. Both have the same network, epochs and samples. The peer is FinRL's environment under
Stable-Baselines3's PPO (finrl_ppo.py), ours the batched one under our PPO in the same interface (our_ppo.py): once as
the row leaves us free to, once as the platform ships it, once at the peer's batch.
"""

import logging
from collections.abc import Sequence
from functools import partial
from math import sqrt
from statistics import fmean, median, stdev
from typing import Any, NamedTuple

import finrl_ppo
import learning_clock
import our_ppo
import torch
from comparison import Demand, Measurement, Row, SizePoint, Timing
from learning_clock import Spent
from learning_curve import Curve, follow
from our_ppo import EQUAL_BATCH, FREE, SHIPPED, Schedule
from ppo_checks import check
from real_market import RealMarket, read_real_market
from synthetic_market import make_panel
from validation import equal_weight_reward, validation_reward

from MLOps.market.panel import MarketPanel

_LOG = logging.getLogger(__name__)
_SESSIONS, _TICKERS = 2_500, 30
_SEEDS = 5
_SPEED_SAMPLES = finrl_ppo.ROLLOUT_STEPS
_MOST_ROLLOUTS, _PEER_SECONDS = 10, 340.0  # of learning on real prices: of each seed, and of all of them
_N_ENVS = (1, 4, 16, 64, 256, 1_024, 4_096)
_TARGET_RATIO = 60.0
_QUANTITY, _PEER = "sample of PPO's training", "FinRL + SB3 PPO"


class Speeds(NamedTuple):
    """Trainings of each seed, in turns."""

    peer: list[Spent]
    ours: list[Spent]
    ours_as_shipped: list[Spent]
    ours_at_equal_batch: list[Spent]


class Curves(NamedTuple):
    """Trainings on real prices, a curve a seed."""

    peer: list[Curve]
    ours: list[Curve]
    ours_as_shipped: list[Curve]


def measure(*, is_quick: bool) -> Measurement:
    """Check, time, and judge what was learnt."""
    torch.set_num_threads(1)
    panel, market = make_panel(_SESSIONS, _TICKERS), read_real_market()
    _LOG.info("checking")
    checked = check(panel, market)
    seeds = range(1 if is_quick else _SEEDS)
    _LOG.info("timing")
    speeds = measure_speeds(panel, seeds, _SPEED_SAMPLES)
    timing = Timing(tuple(map(_rate, speeds.peer)), tuple(map(_rate, speeds.ours)))
    samples = finrl_ppo.ROLLOUT_STEPS * (1 if is_quick else _rollouts_in_time(timing.peer))
    curves = learn_on_real_prices(market, seeds, samples)
    by_n_envs = () if is_quick else _by_n_envs(panel, timing.peer)
    return Measurement(
        timing=timing,
        check=checked,
        size={"sessions": _SESSIONS, "tickers": _TICKERS, "features": len(panel.feature_names), "seeds": len(seeds)},
        demands=_demands(speeds, curves),
        findings=(
            *_speed_findings(speeds),
            *_learning_findings(curves, samples),
            f"equal parts, bought and held, earn {equal_weight_reward(market.validation):.2f} there",
        ),
        notes=(
            f"Same: network {finrl_ppo.HIDDEN_SIZES}, {finrl_ppo.EPOCHS} epochs, samples between two updates, samples "
            "in all, one thread; the rest of the peer's hyperparameters are Stable-Baselines3's own.",
            f"Ours: {FREE}; beside it {SHIPPED}, the platform's defaults, and {EQUAL_BATCH}, whose batch and learning "
            "rate are the peer's. The free batch and learning rate were chosen on the three years before, where the "
            "candidates did not differ by more than chance; but figures of 2021, the year judged here, had been seen "
            "for some of the candidates by then, and the defaults were chosen on 2021, on six stocks. So the "
            "validation reward is no proof for a year that nobody has seen.",
            "Equal first: a rollout and its update leave our PPO and Stable-Baselines3's own on our environment with "
            "the same weights, from the same seed, for each of the three schedules.",
            "The peer sees FinRL's raw observations, ours normalised ones (fitted on the training window); the peer's "
            "episodes begin at the first session, ours at a random one.",
            "Validation: the deterministic policy's summed reward (1 is 10,000 of 1,000,000 in cash) over "
            f"{market.validation.dates[0]} to {market.validation.dates[-1]}, in our environment with the same "
            "accounting for both, which the check finds equal to FinRL's.",
            f"Learnt from {market.train.dates[0]} to {market.train.dates[-1]}: {len(market.train.tickers)} stocks, "
            "closes only, chosen as still listed in 2022. The data's last year is not touched.",
            f"Samples to learn from: whole rollouts, {_MOST_ROLLOUTS} at most, as many as the peer learns from in "
            f"{_PEER_SECONDS:.0f} s with all seeds, at the speed just measured; the same number for both sides.",
            "A reward is first reached by luck too, on either side: it is the best so far of a noisy curve.",
        ),
        details=_details(speeds, curves),
        sizes=by_n_envs,
    )


def measure_speeds(panel: MarketPanel, seeds: Sequence[int], samples: int) -> Speeds:
    """Train a model of each kind for each seed."""
    speeds = Speeds([], [], [], [])
    ours = ((speeds.ours, FREE), (speeds.ours_as_shipped, SHIPPED), (speeds.ours_at_equal_batch, EQUAL_BATCH))
    for seed in seeds:
        speeds.peer.append(learning_clock.learn(finrl_ppo.make_model(panel, seed), samples))
        for runs, schedule in ours:
            runs.append(learning_clock.learn(our_ppo.make_model(panel, schedule, seed), samples))
        _LOG.info("seed %d: peer %.0f, ours %.0f samples/s", seed, _rate(speeds.peer[-1]), _rate(speeds.ours[-1]))
    return speeds


def learn_on_real_prices(market: RealMarket, seeds: Sequence[int], samples: int) -> Curves:
    """Train each for each seed on the same window, and judge them on the next one."""
    curves, normalisation = Curves([], [], []), our_ppo.normalisation_of(market.train)
    for seed in seeds:
        peer = finrl_ppo.make_model(market.train, seed)
        curves.peer.append(follow(peer, samples, partial(validation_reward, peer, market.validation)))
        for of_seeds, schedule in ((curves.ours, FREE), (curves.ours_as_shipped, SHIPPED)):
            ours = our_ppo.make_model(market.train, schedule, seed)
            judge = partial(validation_reward, ours, market.validation, normalisation)
            of_seeds.append(follow(ours, samples, judge))
        finals = (of_seeds[-1].final for of_seeds in curves)
        _LOG.info("seed %d: validation reward of the peer %.2f, of ours %.2f, as shipped %.2f", seed, *finals)
    return curves


def _rollouts_in_time(peer_rate: float) -> int:
    """Of each seed; a slow machine judges a shorter training."""
    affordable = int(_PEER_SECONDS * peer_rate / (_SEEDS * finrl_ppo.ROLLOUT_STEPS))
    return max(1, min(affordable, _MOST_ROLLOUTS))


def _rate(spent: Spent) -> float:
    return spent.samples_per_second


def _demands(speeds: Speeds, curves: Curves) -> tuple[Demand, ...]:
    """Of the shipped defaults what the row itself demands of the free choice, and of both what was learnt."""
    shipped, peer = (median(map(_rate, runs)) for runs in (speeds.ours_as_shipped, speeds.peer))
    reward = "validation reward not worse than the peer's, mean of the seeds, "
    target = fmean(_finals(curves.peer))
    return (
        Demand("times the peer's samples/s, as shipped", shipped / peer, _TARGET_RATIO, "", is_floor=True),
        Demand(f"{reward}free choice", fmean(_finals(curves.ours)), target, "", is_floor=True),
        Demand(f"{reward}as shipped", fmean(_finals(curves.ours_as_shipped)), target, "", is_floor=True),
    )


def _speed_findings(speeds: Speeds) -> tuple[str, ...]:
    peer = median(map(_rate, speeds.peer))
    beside = {
        f"as shipped, at a batch of {SHIPPED.batch_size}": median(map(_rate, speeds.ours_as_shipped)),
        f"at the peer's batch of {finrl_ppo.BATCH}": median(map(_rate, speeds.ours_at_equal_batch)),
    }
    return (
        *(f"{how}: {rate:,.0f} samples/s, {rate / peer:,.1f} times the peer" for how, rate in beside.items()),
        *(f"{who} spends {_in_words(runs)}" for who, runs in (("ours", speeds.ours), ("the peer", speeds.peer))),
    )


def _in_words(runs: Sequence[Spent]) -> str:
    parts = _microseconds(runs)
    whole = sum(parts.values())
    return f"{whole:,.1f} µs a sample: " + ", ".join(f"{name} {part / whole:.0%}" for name, part in parts.items())


def _microseconds(runs: Sequence[Spent]) -> dict[str, float]:
    """Where the time of a sample goes."""
    samples = sum(run.samples for run in runs)
    places = ("environment", "acting", "learning")
    return {place: 1e6 * sum(getattr(run, place) for run in runs) / samples for place in places}


def _learning_findings(curves: Curves, samples: int) -> tuple[str, ...]:
    peer = _finals(curves.peer)
    target = fmean(peer)
    named = {"ours": curves.ours, "ours as shipped": curves.ours_as_shipped, "the peer": curves.peer}
    times = {who: _times_to(of_seeds, target) for who, of_seeds in named.items()}
    ends = (f"{who} {median(c.seconds for c in of_seeds):.1f} s" for who, of_seeds in named.items())
    return (
        *(
            f"validation reward after {samples:,} samples: {who} {_spread(ours)}, peer {_spread(peer)}: "
            + f"{'not worse' if fmean(ours) >= target else 'WORSE'} ({_difference(ours, peer)})"
            for who, ours in ((who, _finals(named[who])) for who in ("ours", "ours as shipped"))
        ),
        f"training to the end: {', '.join(ends)} (medians, real prices)",
        *(
            f"{who} first reached the peer's mean of {target:.2f} "
            + (f"after {median(reached):.2f} s (median of {len(reached)} seeds)" if reached else "in no seed")
            for who, reached in times.items()
        ),
    )


def _finals(curves: Sequence[Curve]) -> list[float]:
    return [curve.final for curve in curves]


def _times_to(curves: Sequence[Curve], reward: float) -> list[float]:
    """Of the seeds that reached it."""
    return [seconds for curve in curves if (seconds := curve.seconds_to(reward)) is not None]


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def _difference(ours: Sequence[float], peer: Sequence[float]) -> str:
    """Of the means, and what chance makes of it by seeds alone."""
    told = f"difference {fmean(ours) - fmean(peer):+.2f}"
    if len(ours) < 2:
        return told
    return f"{told}, standard error {sqrt((stdev(ours) ** 2 + stdev(peer) ** 2) / len(ours)):.2f}"


def _details(speeds: Speeds, curves: Curves) -> dict[str, Any]:
    target = fmean(_finals(curves.peer))
    details: dict[str, Any] = {
        "as_shipped_samples_per_second": median(map(_rate, speeds.ours_as_shipped)),
        "equal_batch_samples_per_second": median(map(_rate, speeds.ours_at_equal_batch)),
        "peer_mean_final_reward": target,
    }
    for who, runs in speeds._asdict().items():
        details[f"{who}_microseconds_a_sample"] = _microseconds(runs)
    for who, of_seeds in curves._asdict().items():
        details[f"{who}_validation_rewards"] = [list(curve.rewards) for curve in of_seeds]
        details[f"{who}_samples_per_second_real_prices"] = [curve.samples_per_second for curve in of_seeds]
        details[f"{who}_seconds_to_peers_mean"] = [curve.seconds_to(target) for curve in of_seeds]
    return details


def _by_n_envs(panel: MarketPanel, peer: float) -> tuple[SizePoint, ...]:
    """Our cost by number of accounts, with rollouts of the same size or a little more."""
    points = [SizePoint(_QUANTITY, "n_envs", 1, _PEER, 1e6 / peer)]
    for n_envs in _N_ENVS:
        steps = max(finrl_ppo.ROLLOUT_STEPS // n_envs, 4)
        schedule = Schedule(n_envs, steps, FREE.batch_size, FREE.learning_rate)
        spent = learning_clock.learn(our_ppo.make_model(panel, schedule, 0), 2 * _SPEED_SAMPLES)
        points.append(SizePoint(_QUANTITY, "n_envs", n_envs, "ours", 1e6 / _rate(spent)))
    return tuple(points)


ROW = Row(unit="samples/s", is_higher_better=True, target_ratio=_TARGET_RATIO, measure=measure)
