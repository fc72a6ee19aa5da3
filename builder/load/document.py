"""YAML as text with places: every scalar stays as it was written, every value knows where it stands.

The one module that knows PyYAML. Keys twice in a mapping, merge keys, tags and more than one document are
refused, because each of them means something else in another reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from builder.core.errors import RecipeError

_MOST_NODES = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A position in a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong; `place` as people read it."""

    place: str
    message: str
    order: tuple[int, int] = (0, 0)


Location = tuple[str | int, ...]
"""The way from the root of a document to a value: keys and indexes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """`value` consists of dict, list, str and None (nothing written).

    `values` and `keys` have the place of each value, and of the key of each mapping's value.
    """

    value: object
    values: dict[Location, Place]
    keys: dict[Location, Place]
    problems: tuple[Problem, ...]

    def resolve(self, location: Location) -> Location:
        """The longest existing way along `location`. Elements that the user did not write are passed over:
        those that a short form stands for, and keys with dots that were written as nested mappings."""
        found: Location = ()
        for element in location:
            for step in ((element,), tuple(str(element).split("."))):
                if (*found, *step) in self.values:
                    found = (*found, *step)
                    break
        return found

    def find(self, location: Location) -> object:
        """The value at `location`, which `resolve` gave."""
        value = self.value
        for element in location:
            value = value[element]  # type: ignore[index] # the way exists
        return value


def parse_document(path: Path, named: str) -> Document:
    """The YAML file `path`, which its user calls `named`.

    Raises RecipeError for what cannot be read at all; the document's own `problems` hold the rest.
    """
    text = _decode(_read(path, named), named)
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        raise RecipeError(_explain(error), where=_mark_place(error.problem_mark, named)) from None
    except yaml.reader.ReaderError as error:
        where = _place_of(text, error.position, named)
        code = ord(text[error.position])
        raise RecipeError(f"the character U+{code:04X} is not allowed in YAML", where=where) from None
    except RecursionError:
        raise RecipeError("is nested too deeply", where=named) from None
    if not isinstance(node, yaml.MappingNode):
        found = "is empty" if node is None else f"holds {_NOUNS[type(node)]}"
        raise RecipeError(f"{found}, expected a mapping that begins with schema: 1", where=named)
    return _Reading(named).document(node)


def _read(path: Path, named: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RecipeError("there is no such file", where=named) from None
    except IsADirectoryError:
        raise RecipeError("is a folder, expected a YAML file", where=named) from None
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror}", where=named) from None


def _decode(data: bytes, named: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        raise RecipeError(
            "begins with a byte order mark, expected plain UTF-8",
            where=named,
            fix="save it as UTF-8 without BOM",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        raise RecipeError(
            f"the byte 0x{data[error.start]:02x} is not UTF-8",
            where=_place_of(before, len(before), named),
            fix="save it as UTF-8",
        ) from None


def _place_of(text: str, position: int, named: str) -> str:
    before = text[:position]
    return f"{named}:{before.count(chr(10)) + 1}:{position - before.rfind(chr(10))}"


def _mark_place(mark: yaml.error.Mark | None, named: str) -> str:
    return named if mark is None else f"{named}:{mark.line + 1}:{mark.column + 1}"


def _explain(error: yaml.MarkedYAMLError) -> str:
    if error.problem and r"'\t'" in error.problem:
        return "a tab, expected blanks: YAML does not indent with tabs"
    if error.context == "expected a single document in the stream":
        return "a second document begins here, expected one recipe in a file"
    return f"not YAML: {', '.join(part for part in (error.context, error.problem) if part)}"


_NO_MERGE = "merge keys (<<) are not supported: nobody sees what they override; write the keys out"
_NOUNS = {yaml.ScalarNode: "text", yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}
_TAGS = {
    yaml.ScalarNode: yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG,
    yaml.SequenceNode: yaml.resolver.BaseResolver.DEFAULT_SEQUENCE_TAG,
    yaml.MappingNode: yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG,
}


@dataclass(kw_only=True, slots=True)
class _Collected:
    values: dict[Location, Place] = field(default_factory=dict)
    keys: dict[Location, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class _Reading:
    """Turns nodes into values; collects places and problems on the way."""

    def __init__(self, named: str) -> None:
        self._named = named
        self._open: set[int] = set()
        self._got = _Collected()

    def document(self, node: yaml.Node) -> Document:
        value = self._value(node, ())
        got = self._got
        return Document(value=value, values=got.values, keys=got.keys, problems=tuple(got.problems))

    def _value(self, node: yaml.Node, location: Location) -> object:
        self._got.values[location] = self._place(node)
        if len(self._got.values) > _MOST_NODES:
            raise RecipeError(f"has more than {_MOST_NODES} values, aliases counted", where=self._named)
        self._check_tag(node)
        if isinstance(node, yaml.ScalarNode):
            return None if node.value == "" and node.style is None else node.value
        if id(node) in self._open:
            raise RecipeError("an alias inside of what it stands for", where=str(self._place(node)))
        self._open.add(id(node))
        value = (
            self._mapping(node, location)
            if isinstance(node, yaml.MappingNode)
            else self._list(node, location)
        )
        self._open.remove(id(node))
        return value

    def _list(self, node: yaml.Node, location: Location) -> list[object]:
        return [self._value(item, (*location, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.Node, location: Location) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for key, below in self._entries(node):
            name = key.value
            if name in mapping:
                first = self._got.keys[(*location, name)]
                self._refuse(
                    key, f"the key {name!r} is here a second time, the first is in line {first.line}"
                )
                continue
            self._got.keys[(*location, name)] = self._place(key)
            mapping[name] = self._value(below, (*location, name))
        return mapping

    def _entries(self, node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        for key, below in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, f"{_NOUNS[type(key)]} as a key, expected text")
            elif key.value == "<<" and key.style is None:
                self._refuse(key, _NO_MERGE)
            else:
                yield key, below

    def _check_tag(self, node: yaml.Node) -> None:
        if node.tag != _TAGS[type(node)]:
            tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
            self._refuse(node, f"the tag {tag} is not supported: each field knows its own type")

    def _refuse(self, node: yaml.Node, message: str) -> None:
        place = self._place(node)
        self._got.problems.append(
            Problem(place=str(place), message=message, order=(place.line, place.column))
        )

    def _place(self, node: yaml.Node) -> Place:
        mark = node.start_mark
        return Place(file=self._named, line=mark.line + 1, column=mark.column + 1)
