"""What is kept comes back to the last bit; what is broken is told and not believed."""

import logging
from pathlib import Path

import numpy as np
import pytest

from MLOps.sentiment.score_cache import ScoreCache

SCORES = {"a": np.array([[0.1, 0.2, 0.7], [1 / 3, 1 / 3, 1 / 3]]), "b": np.zeros((0, 3))}


def test_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    cache = ScoreCache(tmp_path / "cache")
    assert cache.read() == {}
    cache.add(SCORES)
    cache.add({"c": np.ones((1, 3))})
    known = ScoreCache(tmp_path / "cache").read()
    assert sorted(known) == ["a", "b", "c"]
    for content, probabilities in SCORES.items():
        np.testing.assert_array_equal(known[content], probabilities, strict=True)


def test_two_that_write_the_same_make_one_part(tmp_path: Path) -> None:
    ScoreCache(tmp_path).add(SCORES)
    ScoreCache(tmp_path).add(dict(reversed(SCORES.items())))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("spoil", [lambda data: data[:-40], lambda data: data[:30] + b"x" + data[31:], lambda _: b""])
def test_broken_part_is_told_and_the_others_stay(tmp_path: Path, spoil, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    cache = ScoreCache(tmp_path)
    cache.add(SCORES)
    (part,) = tmp_path.iterdir()
    cache.add({"c": np.ones((1, 3))})
    part.write_bytes(spoil(part.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert sorted(cache.read()) == ["c"]
    assert f"{part} is broken" in caplog.text
    cache.add(SCORES)
    assert sorted(cache.read()) == ["a", "b", "c"]


def test_what_a_killed_writer_left_is_not_read(tmp_path: Path) -> None:
    (tmp_path / ".abc.parquet.x7.partial").write_bytes(b"half")
    assert ScoreCache(tmp_path).read() == {}


def test_part_that_another_process_removed_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ScoreCache(tmp_path)
    cache.add(SCORES)
    listed = [*tmp_path.iterdir(), tmp_path / f"{'0' * 64}.parquet"]
    monkeypatch.setattr(Path, "glob", lambda _folder, _pattern: iter(listed))
    assert sorted(cache.read()) == ["a", "b"]
