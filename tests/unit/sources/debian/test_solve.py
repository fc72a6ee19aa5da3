from __future__ import annotations

import pytest

from builder.core.errors import ResolveError
from builder.sources.debian.index import Candidate, PackageIndex, Universe
from builder.sources.debian.solve import solve


def universe(*suites: str) -> Universe:
    """Each suite is a text of lines `NAME VERSION [Field: value; ...]`."""
    return Universe(
        tuple(PackageIndex(_index(suite), archive="debian", architecture="amd64") for suite in suites)
    )


def _index(suite: str) -> bytes:
    paragraphs = []
    for line in suite.strip().splitlines():
        name, version, *rest = line.split(maxsplit=2)
        fields = "".join(f"{field.strip()}\n" for field in "".join(rest).split(";") if field.strip())
        paragraphs.append(
            f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n{fields}"
            f"Filename: pool/{name}.deb\nSize: 1\nSHA256: {'0' * 64}\n"
        )
    return "\n".join(paragraphs).encode()


def names(found: tuple[Candidate, ...]) -> list[str]:
    return [candidate.name for candidate in found]


def refusal(world: Universe, *wanted: str, **options: object) -> str:
    with pytest.raises(ResolveError) as caught:
        solve(world, wanted, architecture="amd64", **options)  # type: ignore[arg-type] # options of solve
    return str(caught.value)


def test_dependencies_come_along_the_first_alternative_first() -> None:
    world = universe("a 1 Depends: b, c | d; Pre-Depends: e\nb 1\nc 1\nd 1\ne 1\nf 1")
    assert names(solve(world, ["a"], architecture="amd64")) == ["a", "b", "c", "e"]


def test_what_was_asked_for_satisfies_a_virtual_dependency() -> None:
    world = universe("base 1 Depends: awk\ngawk 1 Provides: awk\nmawk 1 Provides: awk; Priority: required")
    assert names(solve(world, ["base", "mawk"], architecture="amd64")) == ["base", "mawk"]


def test_a_provider_of_higher_priority_is_preferred() -> None:
    world = universe("base 1 Depends: awk\ngawk 1 Provides: awk\nmawk 1 Provides: awk; Priority: required")
    assert names(solve(world, ["base"], architecture="amd64")) == ["base", "mawk"]


def test_what_another_dependency_forces_decides_between_alternatives() -> None:
    world = universe("a 1 Depends: mta | exim, b\nb 1 Depends: exim\nmta 1\nexim 1")
    assert names(solve(world, ["a"], architecture="amd64")) == ["a", "b", "exim"]


def test_a_versioned_provide_satisfies_a_versioned_dependency() -> None:
    world = universe(
        "a 1 Depends: api (>= 2)\nold 1 Provides: api\nlow 1 Provides: api (= 1)\nhigh 1 Provides: api (= 2)"
    )
    assert names(solve(world, ["a"], architecture="amd64")) == ["a", "high"]


def test_the_newest_of_all_suites_is_taken_and_a_bound_can_ask_for_an_older_one() -> None:
    world = universe("a 1\nb 1 Depends: a (<< 2)", "a 2")
    assert solve(world, ["a"], architecture="amd64")[0].version == "2"
    assert [found.version for found in solve(world, ["b"], architecture="amd64")] == ["1", "1"]


def test_a_conflict_makes_the_next_alternative_count() -> None:
    world = universe("a 1 Depends: b | c\nb 1 Conflicts: d\nc 1\nd 1")
    assert names(solve(world, ["a", "d"], architecture="amd64")) == ["a", "c", "d"]


def test_breaks_count_only_for_the_versions_they_name() -> None:
    world = universe("a 1 Breaks: b (<< 2)\nb 1", "b 2")
    assert names(solve(world, ["a", "b"], architecture="amd64")) == ["a", "b"]


def test_a_package_does_not_conflict_with_what_it_provides_itself() -> None:
    world = universe("a 1 Provides: mta; Conflicts: mta\nb 1 Provides: mta; Conflicts: mta")
    assert names(solve(world, ["a"], architecture="amd64")) == ["a"]
    assert "a 1 is excluded" not in refusal(world, "a", "b")


def test_what_is_installed_is_not_listed_again_and_satisfies() -> None:
    world = universe("a 1 Depends: b\nb 1\nc 1 Depends: a, d\nd 1")
    base = solve(world, ["a"], architecture="amd64")
    assert names(solve(world, ["c", "a"], installed=base, architecture="amd64")) == ["c", "d"]


def test_recommendations_follow_on_request_as_far_as_possible() -> None:
    world = universe("a 1 Recommends: b, missing, e\nb 1 Recommends: c\nc 1\ne 1 Depends: gone")
    assert names(solve(world, ["a"], architecture="amd64")) == ["a"]
    assert names(solve(world, ["a"], recommends=True, architecture="amd64")) == ["a", "b", "c"]


def test_a_pin_takes_its_version_and_no_other() -> None:
    world = universe("a 1\na 2\nb 1 Depends: a")
    assert solve(world, ["b"], versions={"a": "1"}, architecture="amd64")[0].version == "1"
    message = refusal(world, "a", versions={"a": "3"})
    assert "there is no version 3 of a; the archive has 2, 1" in message


def test_packages_for_any_architecture_qualifier() -> None:
    world = universe("a 1 Depends: python3:any, perl:amd64\npython3 3\nperl 5")
    assert names(solve(world, ["a"], architecture="amd64")) == ["a", "perl", "python3"]
    world = universe("a 1 Depends: lib:i386\nlib 1")
    assert "depends on lib:i386" in refusal(world, "a")


def test_an_unsatisfiable_dependency_names_the_chain_that_asked() -> None:
    message = refusal(universe("a 1 Depends: b\nb 1 Depends: c (>= 2)\nc 1"), "a")
    assert message.startswith("a -> b: b 1 depends on c (>= 2), but the archive has c 1")


def test_a_conflict_names_both_sides_and_their_chains() -> None:
    message = refusal(universe("a 1 Depends: b\nb 1 Conflicts: x\nx 1\ny 1 Depends: x"), "a", "y")
    assert "cannot be together with" in message
    assert "y -> x" in message
    assert "a -> b" in message


def test_a_virtual_name_with_several_providers_must_be_decided() -> None:
    message = refusal(universe("a 1 Provides: mta\nb 1 Provides: mta"), "mta")
    assert "mta is provided by several packages" in message
    assert "name one of a, b" in message


def test_a_virtual_name_with_one_provider_is_that_package() -> None:
    assert names(solve(universe("a 1 Provides: mta"), ["mta"], architecture="amd64")) == ["a"]


def test_a_misspelt_name_brings_suggestions() -> None:
    world = universe("curl 1\ngit 1")
    assert "there is no package crul" in refusal(world, "crul")
    assert "did you mean curl?" in refusal(world, "crul")
    assert "did you mean git?" in refusal(world, "gti")


def test_the_result_does_not_depend_on_the_order_of_requests() -> None:
    world = universe("a 1 Depends: x | y\nb 1 Depends: y\nx 1\ny 1\nc 1 Recommends: z\nz 1")
    one = solve(world, ["a", "b", "c"], recommends=True, architecture="amd64")
    assert one == solve(world, ["c", "b", "a"], recommends=True, architecture="amd64")
