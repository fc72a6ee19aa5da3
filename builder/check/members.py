"""Rules about single members of an archive: what bsdtar refuses, and what it mangles silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.extraction.names import show
from builder.extraction.shapes import Shape
from builder.model.finding import Severity

_IMPORT = "microsoft/WSL src/linux/init/main.cpp:ImportFromSocket"
_DISK = "libarchive archive_write_disk_posix.c"
_REMAKE = "make the archive from the final file system in one go, e.g. with `wslimg build`"
_REFUSED = "bsdtar exits with 1, and WSL aborts the import with WSL_E_IMPORT_FAILED"
_ORDER = "write targets before their links, and every path only once"


def _find_shape(shape: Shape) -> Callable[[Image], Iterator[Hit]]:
    def find(image: Image) -> Iterator[Hit]:
        extraction = image.collected.extraction
        told = [oddity for oddity in extraction.oddities if oddity.shape is shape]
        for oddity in told:
            detail = f" ({oddity.detail})" if oddity.detail else ""
            yield Hit(show(oddity.path) or "(empty name)", shape.meaning + detail)
        more = extraction.counts[shape] - len(told)
        yield from (Hit("", shape.meaning) for _ in range(more))

    return find


def _find_named_owner(image: Image) -> Iterator[Hit]:
    if image.options.wsl1:
        yield from _find_shape(Shape.NAMED_OWNER)(image)


def _shape_rule(
    shape: Shape, why: str, fix: str = _REMAKE, severity: Severity = Severity.ERROR
) -> Rule[Image]:
    return Rule(
        id=shape.rule,
        severity=severity,
        title=f"A member {shape.meaning}",
        why=why,
        source=_IMPORT if shape.refused else _DISK,
        fix=fix,
        find=_find_shape(shape),
    )


RULES: tuple[Rule[Image], ...] = (
    _shape_rule(Shape.DOTDOT, _REFUSED, "name the member by its real path"),
    _shape_rule(Shape.EMPTY_NAME, _REFUSED),
    _shape_rule(Shape.THROUGH_SYMLINK, _REFUSED, "name the member by the path behind the link"),
    _shape_rule(Shape.THROUGH_FILE, _REFUSED, _ORDER),
    _shape_rule(Shape.LINK_THROUGH_SYMLINK, _REFUSED, "name the target by the path behind the link"),
    _shape_rule(Shape.LINK_MISSING, _REFUSED, _ORDER),
    _shape_rule(Shape.LINK_REFUSED, _REFUSED, "leave the link out"),
    _shape_rule(Shape.REPLACES_DIRECTORY, _REFUSED, _ORDER),
    _shape_rule(Shape.XATTR, _REFUSED, "drop the attribute"),
    _shape_rule(Shape.ACL, _REFUSED, "drop the access control list, keep the mode"),
    _shape_rule(Shape.TOO_LONG, _REFUSED, "shorten it: ext4 takes 255 bytes, the kernel paths of 4095"),
    _shape_rule(Shape.NOT_UTF8, _REFUSED, "write such names in GNU format"),
    _shape_rule(Shape.SOLARIS_ACL, _REFUSED, "drop it"),
    _shape_rule(
        Shape.NOT_ASCII,
        "bsdtar exits with 1 where its locale is not UTF-8, as WSL 1's is not",
        "write such names in GNU format",
        Severity.WARNING,
    ),
    _shape_rule(
        Shape.DIRECTORY_OVER_LINK,
        "an empty directory takes the place of the link, as when layers are merged naively: /bin is empty",
        "leave the directory out",
    ),
    _shape_rule(Shape.DUPLICATE, "the last one wins, hard links keep the first", _ORDER, Severity.WARNING),
    _shape_rule(
        Shape.WHITEOUT,
        "it is extracted as a file, and what it should delete stays",
        "flatten the layers of the container image first",
        Severity.WARNING,
    ),
    _shape_rule(Shape.ALTERED_NAME, "the file gets another name", severity=Severity.WARNING),
    _shape_rule(Shape.UNKNOWN_FLAG, "it is not what it was", severity=Severity.WARNING),
    _shape_rule(Shape.EMPTY_TARGET, "an empty file is extracted", severity=Severity.WARNING),
    Rule(
        id=Shape.NAMED_OWNER.rule,
        severity=Severity.WARNING,
        title="A member names its owner",
        why="WSL 1 extracts without --numeric-owner and may map the name to another id",
        source="microsoft/WSL src/windows/service/exe/LxssUserSession.cpp",
        fix="leave the names of owners empty (`tar --numeric-owner`)",
        find=_find_named_owner,
    ),
    _shape_rule(
        Shape.HAS_ACL, "WSL 1 drops it, and one it cannot set fails the import", severity=Severity.INFO
    ),
    _shape_rule(Shape.NO_TARGET, _REFUSED, "leave the link out"),
)
