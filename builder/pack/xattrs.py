"""Which extended attributes an image can carry to another machine."""

from __future__ import annotations

from builder.model.entry import Entry

_WHY = (
    (b"system.posix_acl_", "POSIX ACL: bsdtar cannot set one for a numeric user and would fail the import"),
    (b"security.selinux", "a label for the policy of another kernel"),
    (b"security.ima", "a measurement for another kernel"),
    (b"security.evm", "a measurement for another kernel"),
    (b"trusted.overlay.", "a mark of the file system of the build"),
    (b"user.overlay.", "a mark of the file system of the build"),
)
_KEPT = (b"user.", b"trusted.", b"security.capability")


def ship_xattrs(entry: Entry) -> tuple[Entry, tuple[tuple[bytes, bytes, str], ...]]:
    """`entry` without what cannot ship, and the (name, value, why) of that.

    Kept are `security.capability` (file capabilities, as ping's), `user.*` and `trusted.*`. bsdtar fails on
    the attributes of namespaces that the kernel does not know, and a failed bsdtar is a failed import.
    """
    dropped = tuple((name, value, why) for name, value in entry.xattrs if (why := _why(name)))
    if not dropped:
        return entry, ()
    gone = {name for name, _, _ in dropped}
    return entry._replace(xattrs=tuple(pair for pair in entry.xattrs if pair[0] not in gone)), dropped


def _why(name: bytes) -> str:
    for prefix, why in _WHY:
        if name.startswith(prefix):
            return why
    return "" if name.startswith(_KEPT) else "an attribute of a namespace that Linux does not know"
