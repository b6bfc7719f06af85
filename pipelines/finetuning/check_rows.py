"""Give the rows of a source their types, or tell everything that is wrong with them at once."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.errors import DataError
from MLOps.sentiment.labelling import UNKNOWN, classes_of_names, classes_of_scores, is_on_scale
from MLOps.settings.sentiment_dataset import ClassNames, ScoreScale

Faults = dict[tuple[str, str], npt.NDArray[np.bool_]]
"""Which rows are wrong, by column and reason."""
_SHOWN = 3
_HALF_PAIR = "[\ud800-\udfff]"  # half a surrogate pair, as JSON may hold it; it cannot be stored


def typed_rows(rows: pd.DataFrame, place: str, scale: ScoreScale, names: ClassNames | None) -> pd.DataFrame:
    """The rows with label, score and published_at as in `MLOps.sentiment.labelled`; text and group stay.

    A column label decides the class by its `names`, else the score does.

    Raises
    ------
    DataError
        If a label is unknown, a score is no number on its scale, a group is missing or a time cannot
        be read: all of it in one line, with how often and where first.
    """
    given = {name: rows[name].str.strip() for name in rows.columns.difference(["row", "text"])}
    scores = _numbers(given["score"]) if "score" in given else np.full(len(rows), np.nan)
    faults: Faults = {}
    labels = classes_of_scores(scores, scale)
    if names is not None and "label" in given:
        labels = classes_of_names(given["label"], names)
        known = ", ".join((*names.negative, *names.neutral, *names.positive))
        faults["label", f"is none of {known}"] = labels == UNKNOWN
    if "score" in given:
        may_miss = ("label" in given) & (given["score"] == "").to_numpy()
        faults["score", f"is no number from {scale.min_score:g} to {scale.max_score:g}"] = ~(
            is_on_scale(scores, scale) | may_miss
        )
    if "group" in given:
        is_wrong = given["group"].eq("") | given["group"].str.contains(_HALF_PAIR)
        faults["group", "is missing or no Unicode text"] = is_wrong.to_numpy(dtype=bool)
    times = given.get("published_at", pd.Series("", index=rows.index))
    published_at = _times(times)
    faults["published_at", "is no time in ISO 8601"] = (published_at.isna() & times.ne("")).to_numpy()
    _refuse(rows, faults, place)
    return rows.assign(**given | {"label": labels, "score": scores, "published_at": published_at})


def _numbers(values: "pd.Series[str]") -> npt.NDArray[np.float64]:
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)


def _times(values: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    return pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce").astype("datetime64[us, UTC]")


def _refuse(rows: pd.DataFrame, faults: Faults, place: str) -> None:
    told = [
        f"{name} {reason}: {is_wrong.sum()} rows ({_first(rows.loc[is_wrong, ['row', name]])})"
        for (name, reason), is_wrong in faults.items()
        if is_wrong.any()
    ]
    if told:
        raise DataError(f"{place}: {'; '.join(told)}", mend="the file, or sources.file.columns, classes and scale")


def _first(wrong: pd.DataFrame) -> str:
    shown = [f"row {row}: {str(value)[:30]!r}" for row, value in wrong.head(_SHOWN).itertuples(index=False)]
    return ", ".join([*shown, "..."] if len(wrong) > _SHOWN else shown)
