"""The one pass over an archive: extracts it into a tree in memory and keeps what the rules ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from builder.core.errors import WslimgError
from builder.extraction.extraction import Extraction
from builder.extraction.tree import Nature, Node
from builder.model.entry import Kind
from builder.tar.compression import Compression, CompressionError, Limits
from builder.tar.member import Body, Member
from builder.tar.parse import TarError
from builder.tar.read import Problem, open_archive_file

_KEPT_FILE = (1 << 20) + 1
_KEPT_DATABASE = 16 << 20
_KEPT_TOTAL = 32 << 20
_HEAD = 256
_KEPT = re.compile(
    rb"etc/.*|usr/lib/(wsl|os-release)(/.*)?|usr/(share|libexec)/wsl/.*|.*\.ico|.*terminal[^/]*\.json"
    rb"|usr/local/share/ca-certificates/.*|usr/share/pki/.*|manifest\.json|index\.json|oci-layout|repositories"
    rb"|lib/apk/db/installed|usr/lib/apk/db/installed|var/lib/dpkg/status|usr/lib/locale/.*/LC_IDENTIFICATION",
    re.DOTALL,
)
_DATABASES = (b"var/lib/dpkg/status", b"lib/apk/db/installed", b"usr/lib/apk/db/installed")


@dataclass(kw_only=True, slots=True)
class Collected:
    """What the pass saw. `failure` is why it ended before the archive did; sizes are in bytes."""

    compression: Compression = Compression.NONE
    file_size: int = 0
    tar_size: int = 0
    members: int = 0
    extraction: Extraction = field(default_factory=Extraction)
    problems: tuple[Problem, ...] = ()
    failure: WslimgError | None = None
    xattrs: dict[str, list[bytes]] = field(default_factory=dict)
    newest: int = 0
    global_pax: tuple[bytes, ...] = ()
    root_member: Member | None = None


def collect(path: Path, limits: Limits | None = None) -> Collected:
    """Read the archive at `path`. Raises OSError; damage ends the pass and is kept as `failure`."""
    found = Collected(file_size=path.stat().st_size)
    with open_archive_file(path, limits) as archive:
        found.compression = archive.compression
        keeper = _Keeper()
        try:
            for member in archive.reader:
                found.members += 1
                _take(member, found, keeper)
        except (TarError, CompressionError) as error:
            found.failure = error
        found.problems = archive.problems()
        found.tar_size = archive.tally.written
        found.global_pax = tuple(sorted(archive.reader.global_pax))
    return found


def _take(member: Member, found: Collected, keeper: _Keeper) -> None:
    found.newest = max(found.newest, member.mtime)
    for name, _ in member.xattrs:
        found.xattrs.setdefault(name.decode("utf-8", "replace"), []).append(member.name)
    left = found.extraction.extract(member)
    if left is None:
        return
    path, node = left
    if not path:
        found.root_member = member
    if node.kind is Kind.FILE and member.kind is Kind.FILE:
        keeper.look(path, node, member.body)


class _Keeper:
    """Looks at the beginning of every file and keeps the content of some, within a budget."""

    def __init__(self) -> None:
        self._left = _KEPT_TOTAL

    def look(self, path: bytes, node: Node, body: Body) -> None:
        size = body.size
        limit = _KEPT_DATABASE if path in _DATABASES else _KEPT_FILE
        if size <= min(limit, self._left) and _KEPT.fullmatch(path):
            node.content = head = body.read(size)
            self._left -= size
        elif size:
            head = body.read(_HEAD)
        else:
            return
        node.nature, node.machine = classify(head)


def classify(head: bytes) -> tuple[Nature, tuple[int, int] | None]:
    """What a file that begins with `head` is, and for ELF its (class, e_machine) (elf(5))."""
    if head[:4] == b"\x7fELF" and len(head) >= 20:
        order = "big" if head[5] == 2 else "little"
        return Nature.ELF, (head[4], int.from_bytes(head[18:20], "big" if order == "big" else "little"))
    if head[:2] == b"#!":
        line = head.split(b"\n", 1)[0]
        return (Nature.CRLF_SCRIPT if line.endswith(b"\r") else Nature.SCRIPT), None
    if head[:11] == b"-----BEGIN " and b"PRIVATE KEY-----" in head[:64]:
        return Nature.PRIVATE_KEY, None
    return Nature.OTHER, None
