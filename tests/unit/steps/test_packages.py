from __future__ import annotations

import shlex

import pytest

from builder.core.errors import RecipeError
from builder.model.lock import Package, StepPackages
from builder.model.operation import Exec
from builder.steps.families import FAMILIES, UNKNOWN, family_of
from builder.steps.packages import Packages

from .context import context


def package(name: str, version: str = "1.0") -> Package:
    return Package(
        name=name,
        version=version,
        architecture="amd64",
        archive="debian",
        path=f"pool/{name}.deb",
        size=3,
        sha256="0" * 64,
    )


def plan(value: object, *locked: Package, **changes: object) -> tuple[Exec, list[list[str]]]:
    packages = StepPackages(step=0, packages=locked) if locked else None
    given = {"packages": packages, **changes}
    (operation,) = Packages.model_validate(value).operations(context(**given), None)
    assert isinstance(operation, Exec)
    return operation, [shlex.split(line) for line in operation.argv[-1].splitlines()]


def test_locked_packages_are_installed_from_their_files_without_the_network():
    operation, commands = plan(["git"], package("git", "1:2.47-1"), package("liberror-perl"))
    assert not operation.network
    configuration, *packages = operation.inputs
    assert [item.name for item in packages] == ["git_2.47-1_amd64.deb", "liberror-perl_1.0_amd64.deb"]
    assert commands[1][-2:] == [f"/run/wslimg/inputs/{item.name}" for item in packages]
    assert ("APT_CONFIG", f"/run/wslimg/inputs/{configuration.name}") in operation.env


def test_what_nobody_asked_for_by_name_is_marked_as_automatic():
    _, commands = plan(["git"], package("git"), package("perl"), package("liberror-perl"))
    assert (commands[2][0], commands[2][-3:]) == ("apt-mark", ["auto", "liberror-perl", "perl"])


def test_a_package_that_is_there_already_is_left_to_apt_to_mark():
    _, commands = plan(["git", "awk"], package("git"))
    assert commands[-1][-2:] == ["install", "awk"]


def test_a_lock_without_packages_for_the_step_still_needs_no_network():
    operation, commands = plan(["git"], packages=StepPackages(step=0, packages=()))
    assert not operation.network
    assert commands[-1][-2:] == ["install", "git"]


def test_the_order_in_the_lock_has_no_meaning():
    assert plan(["a"], package("a"), package("b")) == plan(["a"], package("b"), package("a"))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_without_a_lock_each_family_installs_over_the_network(family):
    operation, commands = plan({"install": ["git"], "remove": ["nano"]}, family=family)
    assert operation.network
    assert commands == [list(family.refresh), [*family.install, "git"], [*family.remove, "nano"]]


def test_an_unknown_distribution_says_how_to_go_on():
    with pytest.raises(RecipeError) as raised:
        plan(["git"], family=UNKNOWN, os_release={"ID": "void"})
    assert str(raised.value) == (
        "no package manager is known for the distribution 'void'\n"
        "  fix: install with a run step, or add the family to builder/steps/families.py"
    )


@pytest.mark.parametrize(
    ("os_release", "name"),
    [
        ({"ID": "debian"}, "debian"),
        ({"ID": "kali", "ID_LIKE": "debian"}, "debian"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "fedora"),
        ({"ID": "opensuse-tumbleweed", "ID_LIKE": "opensuse suse"}, "suse"),
        ({"ID": "nobara", "ID_LIKE": "nothing fedora"}, "fedora"),
        ({"ID": "void"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_family_is_found_by_id_then_by_what_it_is_like(os_release, name):
    assert family_of(os_release).name == name


def test_removing_alone_needs_no_network():
    operation, commands = plan({"remove": ["nano"]})
    assert not operation.network
    assert commands == [[*context().family.remove, "nano"]]
