"""The base of everything a recipe consists of, and the types of its fields.

A recipe's scalars arrive as text and each field reads its own: `version: 24.10` stays "24.10" and
`name: no` stays "no", while a flag reads `true` or `false` and nothing else.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class RecipeModel(BaseModel):
    """Strict and frozen. A value that is no mapping fills the field that `short_form` names; with
    `only_short_form` a mapping does too."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    short_form: ClassVar[str] = ""
    only_short_form: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, value: Any) -> Any:
        if not cls.short_form or value is None or isinstance(value, BaseModel):
            return value
        if isinstance(value, dict) and (not cls.only_short_form or set(value) == {cls.short_form}):
            return value
        return {cls.short_form: value}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        if not cls.short_form:
            return schema
        full = handler.resolve_ref_schema(schema)
        short = _without_default(full["properties"][cls.short_form])
        return short if cls.only_short_form else {"anyOf": [short, schema]}


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("default", "title")}


def problem(expected: str) -> PydanticCustomError:
    """The error of a field's value; the place and what was found are added where it is reported."""
    return PydanticCustomError("expected", "expected {expected}", {"expected": expected})


class _Matching:
    """Text that has to match a pattern in full; the JSON Schema says so too."""

    def __init__(self, pattern: str, expected: str) -> None:
        self._pattern = re.compile(pattern)
        self._expected = expected

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), "pattern": f"^({self._pattern.pattern})$"}

    def _check(self, value: str) -> str:
        if not self._pattern.fullmatch(value):
            raise problem(self._expected)
        return value


def matching(pattern: str, expected: str) -> _Matching:
    """A validator of text that `pattern` has to match in full; `expected` says so in words."""
    return _Matching(pattern, expected)


def _read_flag(value: object) -> object:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise problem("true or false")


def _read_number(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,17}", value):
        return int(value)
    raise problem("a whole number")


def _read_mode(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-7]{3,4}|0[0-7]{4}", value):
        return int(value, 8)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o7777:
        return value
    raise problem('three or four octal digits such as "0644"')


def _check_path(value: str) -> str:
    if not value.startswith("/") or "\0" in value or {"..", "."} & set(value.split("/")):
        raise problem("an absolute path inside the image, without . and ..")
    return re.sub("/+", "/", value).rstrip("/") or "/"


def _check_line(value: str) -> str:
    if not value.strip() or any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise problem("one line of text")
    return value


Flag = Annotated[bool, BeforeValidator(_read_flag, json_schema_input_type=bool)]
Number = Annotated[int, Field(ge=0), BeforeValidator(_read_number, json_schema_input_type=int)]
Identifier = Annotated[
    int, Field(ge=0, le=0xFFFF_FFFE), BeforeValidator(_read_number, json_schema_input_type=int)
]
"""A numeric uid or gid."""
Mode = Annotated[int, BeforeValidator(_read_mode, json_schema_input_type=str)]
"""The 12 permission bits."""
Line = Annotated[str, AfterValidator(_check_line)]
"""Text without control characters."""
ImagePath = Annotated[str, AfterValidator(_check_path)]
"""An absolute, normal path inside the image."""
Owner = Annotated[
    str,
    matching(r"(0|[1-9][0-9]{0,9}):(0|[1-9][0-9]{0,9})", 'an owner and a group as numbers, such as "0:0"'),
]
"""UID:GID. Names have no meaning before the image exists."""
AccountName = Annotated[
    str,
    matching(
        r"[a-z_][a-z0-9_-]{0,30}", "a name of lower-case letters, digits, - and _, at most 31 characters"
    ),
]
"""A user or group name that every tool of every family accepts."""

VariableName = Annotated[str, matching(r"[A-Za-z_][A-Za-z0-9_]*", "a variable name of letters, digits and _")]
SecretName = Annotated[
    str, matching(r"[A-Za-z0-9_][A-Za-z0-9._-]*", "a file name of letters, digits, . _ and -")
]


def split_owner(owner: str) -> tuple[int, int]:
    """(uid, gid) of an `Owner`."""
    uid, gid = owner.split(":")
    return int(uid), int(gid)
