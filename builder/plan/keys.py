"""Keys: the digest of everything that can influence a layer, chained from the base upwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum

from builder.core.digests import sha256_json
from builder.model.operation import Content, Operation, Secret

# Raised when an operation would leave another tree than before: old layers must not be taken for new ones.
FORMAT = 1


def base_key(inputs: Sequence[str], architecture: str) -> str:
    """The key of a first layer that is filled from `inputs`."""
    return sha256_json({"format": FORMAT, "base": list(inputs), "architecture": architecture})


def operation_key(parent: str, operation: Operation) -> str:
    """The key of the layer that `operation` leaves on top of the layer `parent`."""
    return sha256_json({"format": FORMAT, "parent": parent, type(operation).__name__: describe(operation)})


def describe(value: object) -> object:
    """`value` as plain JSON data that holds all that matters of it and nothing else.

    A file is its digest, wherever it lies; a secret is its name, as its value must leave no trace.
    """
    match value:
        case Content():
            return value.digest
        case Secret():
            return value.name
        case Enum():
            return value.name
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case tuple() | list():
            return [describe(item) for item in value]
        case None | str() | int():
            return value
    assert is_dataclass(value), f"an operation may not hold a {type(value).__name__}"
    return {field.name: describe(getattr(value, field.name)) for field in fields(value)}
