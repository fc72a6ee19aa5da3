"""The one pass over an archive: extracts it into a tree in memory and keeps what the rules ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from builder.core.errors import WslimgError
from builder.extraction.extraction import Extraction
from builder.extraction.nature import HEAD, classify
from builder.extraction.tree import Node
from builder.model.entry import Kind
from builder.tar.compression import Compression, CompressionError, Limits
from builder.tar.member import Body, Member
from builder.tar.parse import TarError
from builder.tar.read import Problem, open_archive_file

_KEPT_FILE = (1 << 20) + 1
_KEPT_DATABASE = 16 << 20
_KEPT_TOTAL = 32 << 20
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
        keeper = Keeper()
        try:
            for member in archive.reader:
                found.members += 1
                left = take(member, found)
                if left and left[1].kind is Kind.FILE and member.kind is Kind.FILE:
                    _look(*left, member.body, keeper)
        except (TarError, CompressionError) as error:
            found.failure = error
        found.problems = archive.problems()
        found.tar_size = archive.tally.written
        found.global_pax = tuple(sorted(archive.reader.global_pax))
    return found


def take(member: Member, found: Collected) -> tuple[bytes, Node] | None:
    """Extract `member`, and note what the rules want to know of it: its path and node, None if refused."""
    found.newest = max(found.newest, member.mtime)
    for name, _ in member.xattrs:
        found.xattrs.setdefault(name.decode("utf-8", "replace"), []).append(member.name)
    left = found.extraction.extract(member)
    if left is not None and not left[0]:
        found.root_member = member
    return left


class Keeper:
    """Decides which files are kept in full, within a budget: those that the rules read."""

    def __init__(self) -> None:
        self._left = _KEPT_TOTAL

    def keeps(self, path: bytes, size: int) -> bool:
        """Whether the file at `path`, `size` bytes, is kept. To be asked once a file, in their order."""
        limit = _KEPT_DATABASE if path in _DATABASES else _KEPT_FILE
        kept = size <= min(limit, self._left) and _KEPT.fullmatch(path) is not None
        self._left -= size if kept else 0
        return kept


def _look(path: bytes, node: Node, body: Body, keeper: Keeper) -> None:
    """Read the beginning of a file, and the rest of it if it is kept."""
    if keeper.keeps(path, body.size):
        node.content = head = body.read(body.size)
    elif body.size:
        head = body.read(HEAD)
    else:
        return
    node.nature, node.machine = classify(head)
