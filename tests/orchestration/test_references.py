"""What a step takes from an earlier one's result."""

import pytest

from MLOps.errors import SettingsError
from pipelines.orchestration.references import references, resolved

RESULTS = {"train": {"details": {"model_version": 3}, "folder": "/w/models/a"}}


def test_a_lone_reference_keeps_its_type() -> None:
    assert resolved("${train.details.model_version}", RESULTS) == 3


def test_references_inside_a_text_become_text() -> None:
    assert resolved("v${train.details.model_version} of ${train.folder}", RESULTS) == "v3 of /w/models/a"


def test_other_values_stay() -> None:
    assert [resolved(value, {}) for value in (5, None, True, "plain")] == [5, None, True, "plain"]


def test_a_missing_value_is_told_with_what_there_is() -> None:
    with pytest.raises(
        SettingsError, match=r"\$\{train.details.version\}: there is no version; allowed: model_version"
    ):
        resolved("${train.details.version}", RESULTS)


def test_references_are_found() -> None:
    assert references("a ${train.folder} b ${x.details.y}") == [("train", "folder"), ("x", "details", "y")]
