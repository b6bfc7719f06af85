"""How long a bar of crypto prices lasts: the names of the lengths, and the lengths."""

from datetime import timedelta
from types import MappingProxyType
from typing import Literal

BarFrequency = Literal["1h", "1d"]
BAR_LENGTHS = MappingProxyType({"1h": timedelta(hours=1), "1d": timedelta(days=1)})
