"""Accounts and groups, written into the account files; no command runs.

::

    - users:
        groups: {docker: {gid: 990}}
        accounts:
          dev: {uid: 1000, groups: [docker, adm], sudo: password}
          ci: {uid: 1001, shell: /bin/sh, sudo: passwordless, home: /srv/ci}

Ids are written down, so that an image never depends on what was there before; one that belongs to another
name already is an error of the build. Each account has a group of its own name and number. `sudo: password`
makes it a member of the family's admin group (sudo or wheel), `passwordless` also writes
`/etc/sudoers.d/NAME`. An account is locked unless `password_hash` (crypt(5)) says otherwise: WSL starts
sessions without a password. The home folder is 0700 and starts empty: what belongs into it is for an
`overlay` or `files`, or for `run: cp -a /etc/skel/. /home/dev` where the image's own skeleton is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from builder.model.entry import Kind
from builder.model.fields import AccountName, Identifier, ImagePath, RecipeModel, matching
from builder.model.operation import Edit, Operation, Put, PutEntry
from builder.steps.contents import inline_content
from builder.steps.step import StepContext, StepModel

Comment = Annotated[str, matching(r"[^:\x00-\x1f\x7f]*", "one line without colons")]
PasswordHash = Annotated[
    str, matching(r"\$[a-z0-9]+\$[A-Za-z0-9./$=,*_-]+", 'a hash as crypt(5) describes, such as "$y$..."')
]

_LOCKED = "!"


class Group(RecipeModel):
    """A group."""

    gid: Identifier = Field(description="its number")


class Account(RecipeModel):
    """A user account."""

    uid: Identifier = Field(description="its number, and that of its group")
    groups: tuple[AccountName, ...] = Field(default=(), description="further groups, which have to exist")
    sudo: Literal["none", "password", "passwordless"] = Field(
        default="none", description="rights to use sudo"
    )
    shell: ImagePath = Field(default="/bin/bash", description="the login shell")
    home: ImagePath | None = Field(default=None, description="the home folder; /home/NAME by default")
    comment: Comment = Field(default="", description="the full name")
    password_hash: PasswordHash | None = Field(
        default=None, description="the password, hashed; locked without"
    )


class Users(StepModel[None]):
    """Accounts and groups to have."""

    accounts: dict[AccountName, Account] = Field(default_factory=dict, description="user accounts by name")
    groups: dict[AccountName, Group] = Field(default_factory=dict, description="groups by name")

    @model_validator(mode="after")
    def _check_any(self) -> Users:
        if not self.accounts and not self.groups:
            raise ValueError("names no account and no group")
        return self

    @model_validator(mode="after")
    def _check_numbers(self) -> Users:
        _refuse_shared({name: account.uid for name, account in self.accounts.items()}, "uid")
        own = {name: account.uid for name, account in self.accounts.items()}
        _refuse_shared({**own, **{name: group.gid for name, group in self.groups.items()}}, "gid")
        return self

    @property
    def title(self) -> str:
        """The names, groups with `%`."""
        return "users: " + " ".join((*sorted(self.accounts), *(f"%{name}" for name in sorted(self.groups))))

    def read_inputs(self, folder: Path) -> None:
        """Nothing."""

    def operations(self, context: StepContext, inputs: None) -> tuple[Operation, ...]:  # noqa: ARG002
        """One Put per account, groups first."""
        groups = [edit for name, group in sorted(self.groups.items()) for edit in edit_group(name, group.gid)]
        first = (Put(edits=tuple(groups)),) if groups else ()
        accounts = (
            put_account(name, account, admin_group=context.family.admin_group, time=context.time)
            for name, account in sorted(self.accounts.items())
        )
        return (*first, *accounts)


def _refuse_shared(numbers: dict[str, int], label: str) -> None:
    owners: dict[int, str] = {}
    for name, number in sorted(numbers.items()):
        if number in owners:
            raise ValueError(f"{owners[number]} and {name} share the {label} {number}")
        owners[number] = name


def edit_group(name: str, gid: int) -> tuple[Edit, ...]:
    """The edits that make the group `name` exist."""
    return (
        Edit(path="/etc/group", editor="group", arguments=(name, str(gid))),
        Edit(path="/etc/gshadow", editor="gshadow", arguments=(name,), mode=0o600),
    )


def put_account(name: str, account: Account, *, admin_group: str, time: int) -> Put:
    """Everything that makes the account exist. `time` (epoch seconds) dates its password."""
    home = account.home or f"/home/{name}"
    fields = (name, str(account.uid), str(account.uid), account.comment, home, account.shell)
    shadow = (name, account.password_hash or _LOCKED, str(time // 86400))
    entries = [PutEntry(path=home, kind=Kind.DIRECTORY, mode=0o700, uid=account.uid, gid=account.uid)]
    if account.sudo == "passwordless":
        entries.append(_sudoers(name))
    return Put(
        entries=tuple(entries),
        edits=(
            *edit_group(name, account.uid),
            Edit(path="/etc/passwd", editor="passwd", arguments=fields),
            Edit(path="/etc/shadow", editor="shadow", arguments=shadow, mode=0o600),
            *_edit_memberships(name, account, admin_group),
        ),
    )


def _edit_memberships(name: str, account: Account, admin_group: str) -> Iterator[Edit]:
    groups = {*account.groups, *(() if account.sudo == "none" else (admin_group,))}
    for group in sorted(groups - {name}):
        yield Edit(path="/etc/group", editor="group-member", arguments=(group, name))
        yield Edit(path="/etc/gshadow", editor="gshadow-member", arguments=(group, name), mode=0o600)


def _sudoers(name: str) -> PutEntry:
    rule = inline_content(f"{name} ALL=(ALL:ALL) NOPASSWD: ALL\n".encode("ascii"))
    return PutEntry(path=f"/etc/sudoers.d/{name}", kind=Kind.FILE, mode=0o440, content=rule)
