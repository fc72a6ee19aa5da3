"""Pydantic's errors in our words: where in the file, what was found, what was expected."""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from builder.core.suggestions import did_you_mean
from builder.load.document import Document, Location, Problem

_KEY = "[key]"


def explain_errors(error: ValidationError, document: Document, model: type[BaseModel]) -> tuple[Problem, ...]:
    """One problem for each thing that kept `document` from being a `model`."""
    errors = error.errors(include_url=False)
    # In another version of the language everything else may mean something else.
    version = [
        details for details in errors if details["loc"] == ("schema",) and details["type"] != "missing"
    ]
    chosen = version or [details for details in errors if not _follows(details, errors)]
    return tuple(_explain(details, document, model) for details in chosen)


def _follows(details: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    """Whether this is about a list that is too short only because its items are wrong."""
    loc = details["loc"]
    return details["type"] == "too_short" and any(
        other["loc"][: len(loc)] == loc and len(other["loc"]) > len(loc) for other in errors
    )


def locate(document: Document, location: Location, message: str, *, place: str = "") -> Problem:
    """`message` about the value at `location`, or the nearest that the user wrote; `place` if elsewhere."""
    found = document.resolve(location)
    position = document.values[found]
    label = f"{_label(found)}: " if found else ""
    return Problem(
        place=place or str(position), message=f"{label}{message}", order=(position.line, position.column)
    )


def _explain(details: ErrorDetails, document: Document, model: type[BaseModel]) -> Problem:
    location, kind = tuple(details["loc"]), details["type"]
    if kind == "extra_forbidden":
        return _explain_unknown_key(location, document, model)
    if kind == "missing":
        return _explain_missing(location, document, model)
    if location and location[-1] == _KEY:
        return _explain_key(location[:-1], details, document)
    value = document.find(document.resolve(location))
    if kind == "value_error":
        return locate(document, location, str(details["ctx"]["error"]))
    expected = _EXPECTED.get(kind, details["msg"]).format_map(details.get("ctx", {}))
    if kind in _CHOICES:
        expected = expected.replace("'", "")
    hint = did_you_mean(value, _choices(details)) if isinstance(value, str) else ""
    return locate(document, location, f"found {_show(value)}, expected {expected}{hint}")


def _explain_unknown_key(location: Location, document: Document, model: type[BaseModel]) -> Problem:
    *parents, name = location
    known = sorted(_keys_of(_model_at(model, tuple(parents))))
    hint = did_you_mean(str(name), known) or f"; expected one of {', '.join(known)}"
    return _at_key(location, f"unknown key {_show(name)}{hint}", document)


def _explain_missing(location: Location, document: Document, model: type[BaseModel]) -> Problem:
    *parents, name = location
    fields = _model_at(model, tuple(parents)).model_fields
    field = next(item for key, item in fields.items() if (item.alias or key) == name)
    return locate(document, tuple(parents), f'the key "{name}" is missing: {field.description}')


def _explain_key(location: Location, details: ErrorDetails, document: Document) -> Problem:
    expected = details.get("ctx", {}).get("expected", details["msg"])
    return _at_key(location, f"found {_show(location[-1])}, expected {expected}", document)


def _at_key(location: Location, message: str, document: Document) -> Problem:
    """Like `locate`, at the key instead of its value."""
    found = document.resolve(location)
    position = document.keys.get(found, document.values[found])
    parent = f"{_label(found[:-1])}: " if found[:-1] else ""
    return Problem(place=str(position), message=f"{parent}{message}", order=(position.line, position.column))


_EXPECTED = {
    "expected": "{expected}",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "too_short": "at least {min_length} of them",
    "string_too_short": "some text",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}
"""Pydantic's error types and what it expected; the names in braces are of the error's context."""


_CHOICES = ("literal_error", "enum")


def _choices(details: ErrorDetails) -> list[str]:
    if details["type"] not in _CHOICES:
        return []
    return re.findall(r"'([^']*)'", str(details["ctx"]["expected"]))


def _show(value: object) -> str:
    """What the user wrote, in at most a few words."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        noun = "a mapping" if isinstance(value, dict) else "a list"
        return noun if value else f"{noun} without entries"
    text = str(value)
    return '"' + (text if len(text) <= 60 else f"{text[:57]}...").replace("\n", "\\n") + '"'


def _label(location: Location) -> str:
    """`steps[0].run.env` for ("steps", 0, "run", "env")."""
    parts = (f"[{element}]" if isinstance(element, int) else f".{element}" for element in location)
    return "".join(parts).removeprefix(".")


def _keys_of(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """The model of the value at `location`; indexes and the keys of collections are passed over."""
    for element in location:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if element in fields:
            model = _model_in(fields[str(element)].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
