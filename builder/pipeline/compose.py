"""A recipe for a tree that has none: what WSL can be offered of what is there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from builder.core.errors import UsageError
from builder.model.lock import ArchitectureLock, LockedImage
from builder.pipeline.guess import Guess
from builder.sources.oci.flatten import Tree
from builder.wsl.names import refuse_name

_ACCOUNT_TOOLS = (b"usr/sbin/useradd", b"usr/sbin/adduser", b"usr/bin/useradd", b"sbin/adduser")
_SYSTEMD = (b"usr/lib/systemd/systemd", b"lib/systemd/systemd")
_OWN_FILES = (b"etc/wsl.conf", b"etc/wsl-distribution.conf")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~-]*")
_RECIPE = """\
# Made by `wslimg convert`; edit it, then `wslimg build` it.
schema: 1
name: {name}
version: {version}
architectures: [{architecture}]
source: {source}
first_run: {first_run}
wsl: {wsl}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What the tree offers to WSL. `user` is the account that the image's containers run as."""

    shell: bool
    accounts: bool
    systemd: bool
    user: str
    replaced: tuple[str, ...]


def look_at_tree(tree: Tree, lock: ArchitectureLock) -> Offer:
    """What the `tree` that `lock` names offers."""
    return Offer(
        shell=tree.find(b"bin/sh") is not None,
        accounts=any(tree.find(path) for path in _ACCOUNT_TOOLS),
        systemd=tree.find(b"sbin/init") is not None and any(tree.find(path) for path in _SYSTEMD),
        user=lock.source.user if isinstance(lock.source, LockedImage) else "",
        replaced=tuple(f"/{path.decode()}" for path in _OWN_FILES if tree.find(path)),
    )


def remark_on(offer: Offer, where: str) -> tuple[str, ...]:
    """What will not be as somebody may expect, a line each."""
    lines = []
    if offer.replaced:
        names = " and ".join(offer.replaced)
        lines.append(f"{names} of {where} give way to new ones; `wslimg pack` would keep them")
    if offer.shell and not (offer.accounts or offer.user):
        lines.append("sessions are root's: there is neither useradd nor adduser to make a user with")
    return tuple(lines)


def compose_recipe(
    name: str, version: str, architecture: str, source: Mapping[str, object], offer: Offer
) -> str:
    """The recipe as YAML, of which JSON is a part."""
    asks = offer.shell and offer.accounts and not offer.user
    wsl: dict[str, object] = {"systemd": offer.systemd}
    wsl |= {"default_user": offer.user} if offer.user else {}
    return _RECIPE.format(
        name=json.dumps(name),
        version=json.dumps(version),
        architecture=architecture,
        source=json.dumps(source),
        first_run="prompt" if asks else "none",
        wsl=json.dumps(wsl),
    )


def legal_name(given: str | None, guess: Guess) -> str:
    """A name for the image: the one given, or what can be made of the guess. Raises UsageError."""
    name = given or re.sub(r"[^a-z0-9._-]+", "-", guess.name.lower()).strip("._-")
    if not _NAME.fullmatch(name) or refuse_name(name):
        raise UsageError(
            f"{name!r} is no name for an image, expected lower-case letters, digits, '.', '_' and '-'",
            fix="choose one with --name",
        )
    return name


def legal_version(given: str | None, guess: Guess, lock: ArchitectureLock) -> str:
    """A version: the one given, the tag unless it says nothing, or what the tree says of itself. Raises
    UsageError."""
    tag = "" if guess.version == "latest" else guess.version
    found = tag or lock.facts.os_release.get("VERSION_ID", "")
    version = given or re.sub(r"[^A-Za-z0-9.+~-]+", "-", found).strip(".+~-") or "1"
    if not _VERSION.fullmatch(version):
        raise UsageError(
            f"{version!r} is no version, expected letters, digits, '.', '+', '~' and '-'",
            fix="choose another one with --version",
        )
    return version
