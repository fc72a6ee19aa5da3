"""The page about recipes, from the models that read them and the JSON Schema made of these."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from typing import Any, get_args

from builder.load.schema import recipe_schema
from builder.model.fields import RecipeModel
from builder.recipe import Recipe, Source
from builder.steps.table import Step
from docs.generator.markdown import code, from_docstring, page, table

_INTRODUCTION = """\
A recipe is one YAML file. Every field that it can have is here; an unknown one is an error. Text may be
written without quotes whatever it looks like: `version: 24.10` stays "24.10". Paths without a leading `/` are
relative to the recipe.

An editor that speaks the YAML language server completes and checks recipes that begin with
`# yaml-language-server: $schema=recipe.schema.json`; `wslimg init` puts that file beside the recipe, and
`wslimg schema` prints it."""


def recipe_page() -> str:
    """docs/reference/recipe.md."""
    schemas = recipe_schema()
    schemas = {"Recipe": schemas, **schemas["$defs"]}
    return page("Recipe", _INTRODUCTION, *_sections(Recipe, "", schemas))


def _sections(model: type[RecipeModel], place: str, schemas: dict[str, Any]) -> Iterator[str]:
    """The section of `model`, then those of the models in its fields. `place` is the path of keys to it."""
    schema = _mapping(schemas[model.__name__])
    parts = [f"## {code(place)}" if place else "## The recipe", _describe(model)]
    if not model.only_short_form:
        parts.append(table(("field", "value", "default", "meaning"), _rows(schema, schemas)))
    yield "\n\n".join(parts)
    for name, field in model.model_fields.items():
        key = place if model.only_short_form else f"{place}.{field.alias or name}".strip(".")
        for inner, suffix in _models_in(field.annotation):
            yield from _sections(inner, key + suffix, schemas)


def _describe(model: type[RecipeModel]) -> str:
    """The words of a kind of source or step are those of its module, YAML included."""
    kinds = {inner for table in (Source, Step) for inner, _ in _all_models(table)}
    if model in kinds:
        return from_docstring(inspect.getdoc(sys.modules[model.__module__]) or "", "yaml")
    text = inspect.getdoc(model) or ""
    short = f"\n\nShort form: the value of `{model.short_form}` alone." if model.short_form else ""
    return text + short


def _all_models(model: type[RecipeModel]) -> Iterator[tuple[type[RecipeModel], str]]:
    for field in model.model_fields.values():
        yield from _models_in(field.annotation)


def _models_in(annotation: Any, suffix: str = "") -> Iterator[tuple[type[RecipeModel], str]]:
    """The models that a field can hold, each with `[]` or `.NAME` for the container it is in."""
    if inspect.isclass(annotation) and issubclass(annotation, RecipeModel):
        yield annotation, suffix
    below = suffix + {"tuple": "[]", "dict": ".NAME"}.get(getattr(annotation, "__name__", ""), "")
    for argument in get_args(annotation):
        yield from _models_in(argument, below)


def _mapping(schema: dict[str, Any]) -> dict[str, Any]:
    """The long form of a model that has a short one too."""
    return next((each for each in schema.get("anyOf", ()) if "properties" in each), schema)


def _rows(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[list[str]]:
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        default = "**required**" if name in required else _default(field)
        yield [code(name), _value(field, schemas), default, field.get("description", "")]


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value is None or value in ({}, [], "") or isinstance(value, dict):
        return ""
    return code(value if isinstance(value, str) else json.dumps(value))


def _value(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """What a field takes, in words."""
    if "$ref" in schema:
        return _value(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_value(each, schemas) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(code(str(each)) for each in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_value(schema['items'], schemas)}"
    if inner := _inner(schema):
        return f"mapping of names to {_value(inner, schemas)}"
    return _WORDS[json.dumps(schema.get("format", schema.get("type")))]


def _inner(schema: dict[str, Any]) -> dict[str, Any] | None:
    """What a mapping with free keys holds; None for anything else."""
    if "patternProperties" in schema:
        inner: dict[str, Any] = next(iter(schema["patternProperties"].values()))
        return inner
    return schema.get("additionalProperties") or None


_WORDS = {
    '"boolean"': "`true`, `false`",
    '"integer"': "whole number",
    '"object"': "mapping, see below",
    '"date"': "date",
    '"path"': "path",
    '"string"': "text",
    '["string", "number", "boolean"]': "text",
}
