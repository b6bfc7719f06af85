"""The body of a prediction's request: bytes to an array of observations, or what is wrong with it, and where.

The declared model checks the bytes itself, in pydantic's compiled parser, so that what the OpenAPI promises is
what is refused: no pass over the numbers in Python.
"""

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

FloatArray = npt.NDArray[np.float32]
LARGEST = 1e9
"""Largest size of a number of an observation, which is normalised; beyond it a network's values may overflow."""
_Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
GIVEN_TWICE = "is given more than once"
_QUOTES = 2
_NOT_A_NUMBER = f"must be a finite number from -{LARGEST:g} to {LARGEST:g}"


class PredictRequest(BaseModel):
    """Observations to decide on, each [position_value, remaining_time, prices...], window_size + 2 numbers."""

    # Each fault costs a thousand times the byte that made it. So the lists end at the first, and unknown fields, which
    # pydantic would collect as faults one and all, are let in here and refused by `read_observations`.
    model_config = ConfigDict(
        strict=True, extra="allow", frozen=True, json_schema_extra={"additionalProperties": False}
    )

    observations: Annotated[list[Annotated[list[_Number], FailFast()]], FailFast()] = Field(
        min_length=1, description="Rows of as many numbers as the model's observation has."
    )


class BodyError(ValueError):
    """A body that is refused.

    Parameters
    ----------
    reason : str
        What is wrong, without the value itself.
    field : str, optional
        Where: ``"observations[0][3]"``; None if the whole of it is wrong.
    """

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason, self.field = reason, field


def read_observations(body: bytes, width: int | None, max_rows: int) -> FloatArray:
    """The observations of a request.

    Parameters
    ----------
    body : bytes
        JSON as `PredictRequest` declares it.
    width : int or None
        Numbers of an observation; None where the model takes any, the same in all rows.
    max_rows : int
        Most observations.

    Returns
    -------
    (B, D) float32
        C-contiguous and finite.

    Raises
    ------
    BodyError
        If the body is no JSON or no such request, gives its field twice, an observation is of another width, or there
        are too many.
    """
    try:
        request = PredictRequest.__pydantic_validator__.validate_json(body)
    except ValidationError as error:
        raise _body_error(error) from None
    if request.__pydantic_extra__:
        raise BodyError("is no known field; there is observations", next(iter(request.__pydantic_extra__)))
    if body.count(b'"') > _QUOTES:  # no string but the field's name is valid: it stands twice, and the last would count
        raise BodyError(GIVEN_TWICE, "observations")
    rows = request.observations
    if len(rows) > max_rows:
        raise BodyError(f"holds {len(rows)} rows; at most {max_rows} are taken", "observations")
    expected = len(rows[0]) if width is None else width
    if not expected:
        raise BodyError("must hold at least one number", "observations[0]")
    for position, row in enumerate(rows):
        if len(row) != expected:
            raise BodyError(f"holds {len(row)} numbers; must hold {expected}", f"observations[{position}]")
    return np.array(rows, dtype=np.float32)


def _body_error(error: ValidationError) -> BodyError:
    """The first fault, in our words where pydantic's need its own world to be understood."""
    fault: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    head, *places = fault["loc"] or ("",)
    field = str(head) + "".join(f"[{place}]" for place in places)
    kind = fault["type"]
    given: Any = None
    if len(places) == 2 or kind == "list_type":  # elsewhere it may be the whole body, made anew as Python's objects
        given = error.errors(include_url=False, include_context=False)[0]["input"]
    if len(places) == 2:
        told = type(given).__name__
        reason = _NOT_A_NUMBER if told in {"float", "int"} else f"{_NOT_A_NUMBER}, not {_JSON_NAMES.get(told, told)}"
        return BodyError(reason, field)
    reason = {
        "missing": "is missing",
        "list_type": f"must be a list, not {_JSON_NAMES.get(type(given).__name__, 'that')}",
        "too_short": "must hold at least one observation",
        "model_type": "the body must be a JSON object with the field observations",
    }.get(kind, fault["msg"])
    return BodyError(reason, field or None)


_JSON_NAMES = {
    "str": "a string",
    "bool": "a boolean",
    "NoneType": "null",
    "list": "a list",
    "dict": "an object",
    "int": "a number",
    "float": "a number",
}
