"""Which extended attributes and access control lists root can set on ext4 (xattr(7), acl(5))."""

from __future__ import annotations

from builder.model.entry import Kind
from builder.wsl.limits import XATTRS

_IGNORED = (b"system.posix_acl_", b"trusted.SGI_", b"xfsroot.")
_NAMESPACES = (b"user.", b"trusted.", b"security.")
_NAME_MAX = 255
_USER_KINDS = frozenset((Kind.FILE, Kind.DIRECTORY))
_CAPABILITY_SIZES = {2: 20, 3: 24}


def refuse_xattr(name: bytes, value: bytes, kind: Kind) -> bool:
    """Whether setting `name` to `value` on a `kind` fails; what libarchive leaves out does not."""
    if is_ignored(name):
        return False
    namespace = next((prefix for prefix in _NAMESPACES if name.startswith(prefix)), None)
    if namespace is None or len(name) > _NAME_MAX or name == namespace:
        return True
    if namespace == b"user." and kind not in _USER_KINDS:
        return True
    return name == b"security.capability" and not is_capability(value)


def is_ignored(name: bytes) -> bool:
    """Whether libarchive does not even try to set `name`."""
    return not name or name.startswith(_IGNORED)


def is_capability(value: bytes) -> bool:
    """Whether `value` is a vfs_cap_data of revision 2 or 3 (linux/capability.h)."""
    return len(value) >= 4 and _CAPABILITY_SIZES.get(value[3]) == len(value)


def xattrs_fit(xattrs: tuple[tuple[bytes, bytes], ...]) -> bool:
    """Whether all fit into the one block that ext4 has for them."""
    if not xattrs:
        return True
    total = 36  # the block's header and the mark at the end of the list
    for name, value in xattrs:
        bare = name.partition(b".")[2]
        total += 16 + -(-len(bare) // 4) * 4 + -(-len(value) // 4) * 4
    return total <= XATTRS
