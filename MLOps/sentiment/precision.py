"""Mixed precision: products in bfloat16 where the processor multiplies in it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Literal

import torch

MixedPrecision = Literal["auto", "on", "off"]
_CPU_INFO = Path("/proc/cpuinfo")
_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
"""Without one of them torch computes bfloat16 products by way of float32, slower than float32 itself."""


def has_bfloat16(cpu_info: Path = _CPU_INFO) -> bool:
    """Whether the processor has instructions for bfloat16 products; False where Linux does not tell."""
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not _FLAGS.isdisjoint(flags)


def uses_bfloat16(mixed_precision: MixedPrecision) -> bool:
    """What the setting means on this machine."""
    return mixed_precision == "on" or (mixed_precision == "auto" and has_bfloat16())


def precision_context(mixed_precision: MixedPrecision) -> Callable[[], AbstractContextManager[object]]:
    """What a forward pass is run in."""
    if uses_bfloat16(mixed_precision):
        return lambda: torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext
