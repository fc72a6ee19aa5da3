"""What overlayfs writes into a layer beside the files (kernel, Documentation/filesystems/overlayfs.rst)."""

from __future__ import annotations

import errno
import os
import stat

from builder.sandbox.rootfs import in_user_namespace

# errno of a full disk: not the fault of the entry at hand, and explained once for all of them
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_OPAQUE = (b"trusted.overlay.opaque", b"user.overlay.opaque")
_OWN = (b"trusted.overlay.", b"user.overlay.")
# The label belongs to the host's policy, not to the image.
_HOST = b"security.selinux"


def flavour() -> str:
    """How overlayfs marks its layers here: "trusted", or "user" inside a user namespace."""
    return "user" if in_user_namespace() else "trusted"


def is_whiteout(status: os.stat_result) -> bool:
    """Whether this is the character device 0:0 that hides what lies below."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def make_whiteout(path: bytes) -> None:
    """Hide `path` of the layers below; allowed in a user namespace too since Linux 5.8."""
    os.mknod(path, stat.S_IFCHR, 0)


def is_opaque(folder: bytes) -> bool:
    """Whether nothing of the layers below shows through this directory."""
    return any(_has_mark(folder, name) for name in _OPAQUE)


def make_opaque(folder: bytes) -> None:
    """Let nothing of the layers below show through this directory."""
    trusted, user = _OPAQUE
    os.setxattr(folder, trusted if flavour() == "trusted" else user, b"y")


def _has_mark(folder: bytes, name: bytes) -> bool:
    try:
        return os.getxattr(folder, name, follow_symlinks=False) == b"y"
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP, errno.EPERM):
            return False
        raise


def content_xattrs(path: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The extended attributes that belong to the image, sorted by name."""
    names = os.listxattr(path, follow_symlinks=False)
    if not names:
        return ()
    kept = (raw for raw in map(os.fsencode, names) if not raw.startswith(_OWN) and raw != _HOST)
    return tuple(sorted((raw, os.getxattr(path, raw, follow_symlinks=False)) for raw in kept))


def copy_metadata(source: bytes, status: os.stat_result, target: bytes) -> None:
    """Give the directory `target` the owner, mode, attributes and time that `source` has."""
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    os.chmod(target, stat.S_IMODE(status.st_mode))
    for name, value in content_xattrs(source):
        os.setxattr(target, name, value, follow_symlinks=False)
    os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns), follow_symlinks=False)
