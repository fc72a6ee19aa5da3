"""What a company demands of its images, as data; the file that says so is read elsewhere."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RequiredFile(_Model):
    """A file that has to be there, with `mode` (octal text such as "0644"), `owner` and `contains`."""

    path: str
    mode: str | None = None
    owner: int | None = None
    contains: str | None = None


class Packages(_Model):
    """Names of packages that must, and that must not, be installed."""

    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


class Certificates(_Model):
    """SHA-256 fingerprints of CA certificates to be trusted, and how long each must still be valid."""

    required: tuple[str, ...] = ()
    valid_days: int = 30


class Sudo(_Model):
    """Whether anyone may use sudo without a password, and which groups may use it at all (None: any)."""

    passwordless: bool = True
    groups: tuple[str, ...] | None = None


class Names(_Model):
    """Users or units that must be there, and that must not; units count where they are enabled."""

    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


class Files(_Model):
    """Files that must be there, and paths with `*` wildcards that must not."""

    required: tuple[RequiredFile, ...] = ()
    forbidden: tuple[str, ...] = ()


class Policy(_Model):
    """`size` limits the image and `installed_size` its files, in bytes; `age` the newest file, in days.

    `repository_hosts` are the only hosts that package sources may name; None allows any.
    """

    packages: Packages = Packages()
    size: int | None = Field(default=None, gt=0)
    installed_size: int | None = Field(default=None, gt=0)
    repository_hosts: tuple[str, ...] | None = None
    certificates: Certificates = Certificates()
    sudo: Sudo = Sudo()
    users: Names = Names()
    units: Names = Names()
    files: Files = Files()
    age: int | None = Field(default=None, gt=0)
