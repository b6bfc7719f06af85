"""bfloat16 where the processor multiplies in it, and nowhere else unless it is asked for."""

from pathlib import Path

import pytest
import torch

from MLOps.sentiment import precision
from MLOps.sentiment.precision import has_bfloat16, precision_context, uses_bfloat16

PLAIN = "processor\t: 0\nflags\t\t: fpu sse2 avx2 avx512f"


@pytest.mark.parametrize(
    ("flags", "expected"), [("", False), (" avx512_bf16", True), (" amx_bf16 amx_tile", True), (" avx512_bf", False)]
)
def test_reads_the_processors_flags(tmp_path: Path, flags: str, expected: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"{PLAIN}{flags}\n")
    assert has_bfloat16(tmp_path / "cpuinfo") is expected


def test_system_that_does_not_tell_has_none(tmp_path: Path) -> None:
    assert not has_bfloat16(tmp_path / "missing")


@pytest.mark.parametrize("is_able", [True, False])
def test_auto_follows_the_processor_and_on_and_off_do_not(is_able: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda: is_able)
    assert [uses_bfloat16(setting) for setting in ("auto", "on", "off")] == [is_able, True, False]
    layer, given = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with precision_context("auto")():
        assert layer(given).dtype == (torch.bfloat16 if is_able else torch.float32)
    assert layer(given).dtype == torch.float32
