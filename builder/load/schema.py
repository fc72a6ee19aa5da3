"""The JSON Schema of recipes, for editors: made of the models, so it cannot lag behind them.

Editors decode YAML by its core schema before they validate, so `version: 24.10` reaches them as a number.
Where a recipe reads text, the schema therefore accepts what any plain scalar can become.
"""

from __future__ import annotations

from typing import Any

from builder.recipe import Recipe

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN_SCALARS = ["string", "number", "boolean"]
_NAMED_BY_USERS = frozenset({"properties", "$defs", "patternProperties"})


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of recipe schema 1."""
    schema = _simplify(Recipe.model_json_schema(by_alias=True))
    return {"$schema": _DIALECT, "title": "wslimg recipe", **schema}


def _simplify(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` without generated titles and nulls, with text that may look like something else."""
    simple = {key: _descend(key, value) for key, value in schema.items() if not _is_noise(key, value)}
    if simple.get("type") == "string" and not {"enum", "const", "format"} & set(simple):
        simple["type"] = _PLAIN_SCALARS
    if "patternProperties" in simple:
        simple["additionalProperties"] = False
    return _without_null(simple)


def _descend(key: str, value: Any) -> Any:
    if key in _NAMED_BY_USERS:
        return {name: _simplify(below) for name, below in value.items()}
    if key in ("anyOf", "allOf", "oneOf", "prefixItems"):
        return [_simplify(below) for below in value]
    if isinstance(value, dict) and key in ("items", "additionalProperties", "propertyNames"):
        return _simplify(value)
    return value


def _is_noise(key: str, value: Any) -> bool:
    return key == "title" or (key == "default" and value is None)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" not in schema:
        return schema
    choices = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**choices[0], **rest} if len(choices) == 1 else {**rest, "anyOf": choices}
