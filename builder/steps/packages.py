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
from builder.steps.families import Command, Family
from builder.steps.step import INPUTS, StepContext, StepModel

PackageName = Annotated[
    str, matching(r"[A-Za-z0-9@][A-Za-z0-9@+._:=~<>/-]*", "a package name without blanks and wildcards")
]

_LISTS = "/run/wslimg-apt"
_OPTIONS = (
    *("-o", "Dir::Etc::sourcelist=/dev/null"),
    *("-o", "Dir::Etc::sourceparts=/dev/null"),
    *("-o", f"Dir::State::lists={_LISTS}"),
    *("-o", "Dir::Cache::pkgcache="),
    *("-o", "Dir::Cache::srcpkgcache="),
    *("-o", "APT::Sandbox::User=root"),
)
_OFFLINE_APT = (
    "apt-get",
    "--yes",
    "--no-install-recommends",
    *_OPTIONS,
    *("-o", "Dpkg::Use-Pty=0"),
    *("-o", "Dpkg::Options::=--force-unsafe-io"),
    # A file that an overlay put there before the package came is the user's.
    *("-o", "Dpkg::Options::=--force-confdef"),
    *("-o", "Dpkg::Options::=--force-confold"),
)
_MARK_AUTO = ("apt-mark", "-qq", *_OPTIONS, "auto")


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
        locked = context.packages
        commands = self._networked(context.family) if locked is None else self._offline(locked.packages)
        return (
            Exec(
                argv=("/bin/sh", "-e", "-c", "\n".join(commands)),
                env=context.environment(*context.family.environment),
                network=locked is None,
                inputs=() if locked is None else _package_inputs(locked.packages),
            ),
        )

    def _networked(self, family: Family) -> list[str]:
        install = family.install_recommends if self.recommends else family.install
        commands: list[Command] = []
        if self.install:
            commands += [family.refresh, (*install, *self.install)]
        if self.remove:
            commands.append((*family.remove, *self.remove))
        return [shlex.join(command) for command in commands]

    def _offline(self, packages: tuple[Package, ...]) -> list[str]:
        """Install the files, mark what nobody asked for, then let apt mark what was there already."""
        names = {package.name for package in packages}
        implied = sorted(names - set(self.install))
        present = [name for name in self.install if name not in names]
        commands: list[Command] = [("mkdir", "-p", f"{_LISTS}/partial")]
        if packages:
            commands.append((*_OFFLINE_APT, "install", *sorted(map(_input_path, packages))))
        if implied:
            commands.append((*_MARK_AUTO, *implied))
        if present:
            commands.append((*_OFFLINE_APT, "install", *present))
        if self.remove:
            commands.append((*_OFFLINE_APT, "--auto-remove", "purge", *self.remove))
        return [shlex.join(command) for command in commands]


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
