"""Results of an unfinished comparison: kept whole or not at all, read again, and forgotten on demand."""

from pathlib import Path

from pydantic import BaseModel

from MLOps.kept_results import KeptResults


class Score(BaseModel):
    points: int


def test_a_result_is_read_again_and_its_checkpoints_are_forgotten(tmp_path: Path) -> None:
    kept = KeptResults(tmp_path / "key", Score)
    kept.checkpoints("first").mkdir(parents=True)
    kept.save("first", Score(points=3))
    assert kept.load("first") == Score(points=3)
    assert not kept.checkpoints("first").exists()


def test_a_part_that_has_not_ended_or_cannot_be_read_is_none(tmp_path: Path) -> None:
    kept = KeptResults(tmp_path, Score)
    assert kept.load("first") is None
    kept.save("first", Score(points=3))
    (tmp_path / "first.json").write_text('{"points": ')
    assert kept.load("first") is None


def test_all_of_it_is_forgotten(tmp_path: Path) -> None:
    kept = KeptResults(tmp_path / "key", Score)
    kept.save("first", Score(points=3))
    kept.remove()
    assert not (tmp_path / "key").exists()
    kept.remove()
