"""One line of StatsD with InfluxDB's tags, as Airflow sends it: ``airflow.ti.finish,dag_id=x,state=success:1|c``.

Source: https://github.com/statsd/statsd/blob/master/docs/metric_types.md
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["c", "g", "ms"]
_LINE = re.compile(
    r"(?P<name>[^,:|]+)(?P<tags>(?:,[^,=|]+=[^,|]*)*):(?P<value>[+-]?[0-9.eE+-]+)\|(?P<kind>c|g|ms)(?:\|@(?P<rate>[0-9.]+))?"
)


@dataclass(frozen=True)
class StatsdSample:
    """What one line says.

    Attributes
    ----------
    name : str
        Dotted name.
    tags : dict of str to str
        By name.
    kind : str
        c: count, g: gauge, ms: time in milliseconds.
    value : float
        A count is what the sender saw, the share that it sent taken into account.
    is_change : bool
        Whether a gauge is moved by the value, and not set to it.
    """

    name: str
    tags: dict[str, str]
    kind: Kind
    value: float
    is_change: bool


def samples_in(packet: bytes) -> Iterator[StatsdSample]:
    """The samples of a packet; lines that are none are passed over."""
    for line in packet.decode(errors="replace").splitlines():
        if (found := _sample(line.strip())) is not None:
            yield found


def _sample(line: str) -> StatsdSample | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    try:
        value, rate = float(match["value"]), float(match["rate"] or 1)
    except ValueError:
        return None
    if not math.isfinite(value) or not 0 < rate <= 1:
        return None
    kind = next(known for known in get_args(Kind) if known == match["kind"])
    tags = dict(pair.split("=", 1) for pair in match["tags"].split(",")[1:])
    is_change = kind == "g" and match["value"][0] in "+-"
    return StatsdSample(match["name"], tags, kind, value / rate if kind == "c" else value, is_change)
