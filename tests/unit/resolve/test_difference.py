from __future__ import annotations

from builder.model.lock import ArchitectureLock, BootstrapSource, Facts, Package, StepPackages
from builder.resolve.difference import describe_difference, shorten_difference
from builder.resolve.resolve import held_versions


def package(name: str, version: str, sha256: str = "0") -> Package:
    return Package(
        name=name,
        version=version,
        architecture="amd64",
        archive="debian",
        path=f"pool/{name}.deb",
        size=1,
        sha256=sha256 * 64,
    )


def lock(base: list[Package], step: list[Package]) -> ArchitectureLock:
    source = BootstrapSource(
        distribution="debian", suite="trixie", releases=(), indexes=(), packages=tuple(base)
    )
    return ArchitectureLock(
        time=1,
        facts=Facts(family="debian", os_release={}),
        source=source,
        steps=(StepPackages(step=0, packages=tuple(step)),),
    )


def test_packages_of_base_and_steps_are_compared_by_name() -> None:
    old = lock([package("a", "1"), package("b", "1"), package("d", "1")], [package("c", "1")])
    new = lock([package("a", "1"), package("b", "2"), package("d", "1", "1")], [package("e", "3")])
    assert describe_difference(old, new) == [
        "~ b 1 -> 2",
        "- c 1",
        "~ d 1 (another file under the same version)",
        "+ e 3",
    ]
    assert describe_difference(old, old) == []


def test_many_changes_are_counted_by_kind() -> None:
    lines = ["+ a 1", "- b 1", "~ c 1 -> 2", "+ d 1", "~ e 1 -> 2", "- f 1", "- g 1"]
    assert shorten_difference(lines[:5]) == lines[:5]
    assert shorten_difference(lines) == [*lines[:4], "and 3 more: 2 gone, 1 changed"]


def test_all_packages_but_the_named_are_held() -> None:
    found = lock([package("a", "1"), package("b", "2")], [package("c", "3")])
    assert held_versions(found, ("b",)) == {"a": "1", "c": "3"}
    assert held_versions(None, ("b",)) == {}
