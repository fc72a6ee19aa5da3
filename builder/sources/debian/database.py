"""What dpkg and apt remember of packages that are unpacked but not yet configured (dpkg(1), STATES)."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from builder.model.entry import Entry, Kind
from builder.sources.debian.deb import Deb
from builder.sources.debian.deb822 import parse_paragraph

_INFO = b"var/lib/dpkg/info/"


class Unpacked(NamedTuple):
    """A package of the base: its fields (names in lower case) and content."""

    fields: dict[str, str]
    deb: Deb

    @property
    def name(self) -> str:
        """Its name."""
        return self.fields["package"]

    @property
    def info_name(self) -> str:
        """What its files in dpkg's info folder begin with; co-installable packages add their architecture."""
        if self.fields.get("multi-arch") == "same":
            return f"{self.name}:{self.fields['architecture']}"
        return self.name

    @property
    def conffiles(self) -> tuple[str, ...]:
        """The absolute paths of its configuration files."""
        lines = self.control_file("conffiles").decode().splitlines()
        return tuple(line.strip() for line in lines if line.startswith("/"))

    def control_file(self, name: str) -> bytes:
        """The content of the file `name` of control.tar, empty if there is none."""
        return next((file.data for file in self.deb.files if file.name == name), b"")


@dataclass(frozen=True, slots=True)
class _Memory:
    """Opens bytes as a file without a name."""

    data: bytes

    def __call__(self) -> int:
        descriptor = os.memfd_create("entry", os.MFD_CLOEXEC)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(self.data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor


def make_unpacked(deb: Deb) -> Unpacked:
    """The package that `deb` holds."""
    return Unpacked(parse_paragraph(deb.control), deb)


def memory_file(path: bytes, data: bytes, *, mode: int = 0o644, mtime: int = 0) -> Entry:
    """A file of root's with the content `data`."""
    opener = _Memory(data) if data else None
    return Entry(path, Kind.FILE, mode, mtime=mtime, size=len(data), open=opener)


def database_entries(packages: tuple[Unpacked, ...], architecture: str, mtime: int) -> Iterator[Entry]:
    """The database of dpkg for `packages` (sorted by name), all in state "unpacked"."""
    for folder in (b"info", b"updates", b"triggers", b"alternatives"):
        yield Entry(b"var/lib/dpkg/" + folder, Kind.DIRECTORY, 0o755, mtime=mtime)
    files = {
        b"var/lib/dpkg/arch": f"{architecture}\n".encode(),
        b"var/lib/dpkg/status": b"".join(map(_status, packages)),
        b"var/lib/dpkg/info/format": b"1\n",
        b"var/lib/dpkg/triggers/Unincorp": b"",
        **{b"var/lib/dpkg/triggers/" + name.encode(): data for name, data in _triggers(packages).items()},
    }
    for path, data in files.items():
        yield memory_file(path, data, mtime=mtime)
    for package in packages:
        stem = _INFO + package.info_name.encode()
        yield memory_file(stem + b".list", _listing(package.deb), mtime=mtime)
        for file in package.deb.files:
            yield memory_file(stem + b"." + file.name.encode(), file.data, mode=file.mode, mtime=mtime)


def _status(package: Unpacked) -> bytes:
    """The paragraph in var/lib/dpkg/status."""
    text = package.deb.control.strip("\n")
    text = re.sub(r"^(Package:.*)$", r"\1\nStatus: install ok unpacked", text, count=1, flags=re.MULTILINE)
    if package.conffiles:
        text += "\nConffiles:" + "".join(f"\n {path} newconffile" for path in package.conffiles)
    return f"{text}\n\n".encode()


def _listing(deb: Deb) -> bytes:
    """The file list of `deb`: paths as the package names them, whatever links they go through."""
    return b"".join(b"/" + (entry.path or b".") + b"\n" for entry in deb.entries)


def _triggers(packages: tuple[Unpacked, ...]) -> dict[str, bytes]:
    """The files below var/lib/dpkg/triggers: who is interested in what (deb-triggers(5))."""
    interests: dict[str, list[str]] = defaultdict(list)
    for package in packages:
        for line in package.control_file("triggers").decode().splitlines():
            directive, _, trigger = line.partition("#")[0].strip().partition(" ")
            if not directive.startswith("interest"):
                continue
            owner = package.info_name + ("/noawait" if directive == "interest-noawait" else "")
            trigger = trigger.strip()
            if trigger.startswith("/"):
                interests["File"].append(f"{trigger} {owner}")
            else:
                interests[trigger].append(owner)
    return {
        name: "".join(f"{line}\n" for line in lines).encode() for name, lines in sorted(interests.items())
    }
