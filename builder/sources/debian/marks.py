"""Why packages are there: essential ones and their dependencies, and what apt calls automatic."""

from __future__ import annotations

from builder.sources.debian.database import Unpacked
from builder.sources.debian.relations import Relation, parse_relations


def extended_states(packages: tuple[Unpacked, ...], architecture: str) -> bytes:
    """The file for a fresh base: what neither is asked for by essence or priority, nor needed by what is
    essential, came only because something depends on it."""
    manual = {package.name for package in packages if _wanted(package)} | essential_closure(packages)
    automatic = [package for package in packages if package.name not in manual]
    return "".join(_paragraph(package.name, architecture) for package in automatic).encode()


def _wanted(package: Unpacked) -> bool:
    return package.name == "apt" or package.fields.get("priority") == "required" or _is_essential(package)


def _is_essential(package: Unpacked) -> bool:
    return package.fields.get("essential") == "yes"


def essential_closure(packages: tuple[Unpacked, ...]) -> set[str]:
    """The names of the essential packages and of everything they depend on."""
    providers: dict[str, list[str]] = {}
    for package in packages:
        provided = [
            relation.name
            for group in parse_relations(package.fields.get("provides", ""))
            for relation in group
        ]
        for name in (package.name, *provided):
            providers.setdefault(name, []).append(package.name)
    by_name = {package.name: package for package in packages}
    todo = [package.name for package in packages if _is_essential(package)]
    closure: set[str] = set()
    while todo:
        if (name := todo.pop()) not in closure:
            closure.add(name)
            todo.extend(
                found
                for relation in _dependencies(by_name[name])
                for found in providers.get(relation.name, ())
            )
    return closure


def _dependencies(package: Unpacked) -> list[Relation]:
    fields = ("pre-depends", "depends")
    groups = [group for field in fields for group in parse_relations(package.fields.get(field, ""))]
    return [relation for group in groups for relation in group]


def _paragraph(name: str, architecture: str) -> str:
    return f"Package: {name}\nArchitecture: {architecture}\nAuto-Installed: 1\n\n"
