"""Install or remove packages with the image's own package manager.

::

    - packages: [git, curl]
    - packages:
        install: [build-essential]
        recommends: true
        remove: [nano]

Where the lock names the packages, the command runs without the network on exactly those files; otherwise
it may use the network. Packages that were not asked for by name are marked as automatically installed.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from builder.core.errors import RecipeError
from builder.model.fields import Flag, matching
from builder.model.lock import Package
from builder.model.operation import Content, Exec, Input, Operation
from builder.steps.contents import inline_content
from builder.steps.families import Command, Family
from builder.steps.step import INPUTS, StepContext, StepModel

PackageName = Annotated[
    str, matching(r"[A-Za-z0-9@][A-Za-z0-9@+._:=~<>/-]*", "a package name without blanks and wildcards")
]

_LISTS = "/run/wslimg-apt"
_CONFIGURATION = f"""\
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "{_LISTS}";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
Dpkg::Use-Pty "0";
// A file that an overlay put there before the package came is the user's.
Dpkg::Options {{ "--force-unsafe-io"; "--force-confdef"; "--force-confold"; }};
"""
"""For every apt tool while the step runs, those that packages' own scripts start included (apt.conf(5))."""
_APT = ("apt-get", "--yes", "--no-install-recommends")


class Packages(StepModel[None]):
    """Packages to install and to remove, by the names of the image's package manager."""

    short_form: ClassVar[str] = "install"

    install: tuple[PackageName, ...] = Field(default=(), description="names of packages to install")
    recommends: Flag = Field(default=False, description="also what the packages recommend")
    remove: tuple[PackageName, ...] = Field(default=(), description="names of packages to remove afterwards")

    @model_validator(mode="after")
    def _check_any(self) -> Packages:
        if not self.install and not self.remove:
            raise ValueError("names no package")
        return self

    @property
    def title(self) -> str:
        """The names, `-` before those to remove."""
        return "packages: " + " ".join((*self.install, *(f"-{name}" for name in self.remove)))

    def read_inputs(self, folder: Path) -> None:
        """Nothing: packages come from the lock or the network."""

    def operations(self, context: StepContext, inputs: None) -> tuple[Operation, ...]:  # noqa: ARG002
        """One command; without the network where the lock holds what to install."""
        if context.packages is None and not context.family.install:
            raise RecipeError(
                f"no package manager is known for the distribution {context.os_release.get('ID', '?')!r}",
                fix="install with a run step, or add the family to builder/steps/families.py",
            )
        return (self._run_networked(context) if context.packages is None else self._run_offline(context),)

    def _run_networked(self, context: StepContext) -> Exec:
        return Exec(
            argv=_shell(self._networked(context.family)),
            env=context.environment(*context.family.environment),
            network=bool(self.install),
        )

    def _run_offline(self, context: StepContext) -> Exec:
        packages = context.packages.packages if context.packages is not None else ()
        configuration = Input(name="apt.conf", content=inline_content(_CONFIGURATION.encode("ascii")))
        return Exec(
            argv=_shell(self._offline(packages)),
            env=context.environment(*context.family.environment, ("APT_CONFIG", f"{INPUTS}/apt.conf")),
            inputs=(configuration, *_package_inputs(packages)),
        )

    def _networked(self, family: Family) -> list[Command]:
        install = family.install_recommends if self.recommends else family.install
        commands: list[Command] = []
        if self.install:
            commands += [family.refresh, (*install, *self.install)]
        if self.remove:
            commands.append((*family.remove, *self.remove))
        return commands

    def _offline(self, packages: tuple[Package, ...]) -> list[Command]:
        """Install the files, mark what nobody asked for, then let apt mark what was there already."""
        names = {package.name for package in packages}
        implied = sorted(names - set(self.install))
        present = [name for name in self.install if name not in names]
        commands: list[Command] = [("mkdir", "-p", f"{_LISTS}/partial")]
        if packages:
            commands.append((*_APT, "install", *sorted(map(_input_path, packages))))
        if implied:
            commands.append(("apt-mark", "-qq", "auto", *implied))
        if present:
            commands.append((*_APT, "install", *present))
        if self.remove:
            commands.append((*_APT, "--auto-remove", "purge", *self.remove))
        return commands


def _shell(commands: list[Command]) -> Command:
    return ("/bin/sh", "-e", "-c", "\n".join(map(shlex.join, commands)))


def _package_inputs(packages: tuple[Package, ...]) -> tuple[Input, ...]:
    inputs = (
        Input(name=_file_name(package), content=Content(digest=package.sha256, size=package.size))
        for package in packages
    )
    return tuple(sorted(inputs, key=lambda item: item.name))


def _file_name(package: Package) -> str:
    """As in an archive's pool: without the epoch, whose colon apt would have to quote."""
    version = package.version.rpartition(":")[2]
    return f"{package.name}_{version}_{package.architecture}.deb"


def _input_path(package: Package) -> str:
    return f"{INPUTS}/{_file_name(package)}"
