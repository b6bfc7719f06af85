"""Which dotted keys a stage's settings hold, and what a form may say about each."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo


def find_field(model: type[BaseModel], key: str) -> FieldInfo | None:
    """The field that the dotted `key` leads to in `model`, through unions too; None where there is none."""
    name, _, rest = key.partition(".")
    field = model.model_fields.get(name)
    if field is None or not rest:
        return field
    deeper = (find_field(inner, rest) for inner in _models(field.annotation))
    return next((found for found in deeper if found is not None), None)


def holds_key(model: type[BaseModel], override_key: str) -> bool:
    """Whether `model` knows the key of an override: ``a.b``, or ``group@a`` that chooses the YAML of ``a``."""
    return find_field(model, override_key.rpartition("@")[2]) is not None


def json_schema(field: FieldInfo) -> dict[str, Any]:
    """Type, bounds and choices of one field as JSON schema, ``X or null`` written as one list of types."""
    schema = TypeAdapter(field.rebuild_annotation()).json_schema()
    options = schema.pop("anyOf", [])
    kinds = [option for option in options if option.get("type") != "null"]
    if len(kinds) == 1:
        schema |= kinds[0]
        if "type" in schema:
            schema["type"] = [schema["type"], "null"]
    return schema


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
