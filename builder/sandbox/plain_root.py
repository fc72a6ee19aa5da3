"""Makes a directory the root with chroot(2) alone, for where a process may neither mount nor have namespaces.

Everything is written into the directory itself; who made it takes it out again.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat

from builder.sandbox.accounts import find_account
from builder.sandbox.rootfs import DEVICE_LINKS, DEVICES, container_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from builder.sandbox.spec import ContainerSpec, Mount

_CHUNK = 1 << 20


def enter_plain_root(spec: ContainerSpec) -> None:
    """Show what `spec` asks for in its root directory, as copies, and enter it. Raises OSError.

    There is no /proc and no /sys. Folders that are to outlast the command are empty.
    """
    if spec.terminal:
        raise OSError(errno.ENOTSUP, "a terminal needs mounts, which this place does not allow")
    sources = {mount.source: _open(mount.source) for mount in spec.mounts if mount.kind == "bind"}
    devices = {name: os.stat(f"/dev/{name}").st_rdev for name in DEVICES}
    files = container_files(spec)
    os.chroot(spec.root.directory)
    os.chdir("/")
    for path, mode in (("/dev/shm", 0o1777), ("/run/lock", 0o1777), ("/tmp", 0o1777)):  # noqa: S108
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
    _make_devices(devices)
    for path, content in files.items():
        _write(posixpath.join("/", os.path.realpath(path)), content, 0o644)
    for mount in spec.mounts:
        _show(mount, sources.get(mount.source, -1))
    for descriptor in sources.values():
        os.close(descriptor)


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _make_devices(devices: dict[str, int]) -> None:
    for name, number in devices.items():
        path = f"/dev/{name}"
        if not os.path.lexists(path):
            os.mknod(path, stat.S_IFCHR | 0o666, number)
            os.chmod(path, 0o666)  # noqa: S103 - as everywhere
    for name, target in DEVICE_LINKS.items():
        if not os.path.lexists(f"/dev/{name}"):
            os.symlink(target, f"/dev/{name}")


def _show(mount: Mount, source: int) -> None:
    if mount.kind == "file":
        _write(mount.target, mount.data, mount.mode)
        owner = find_account(mount.owner)
        os.chown(mount.target, owner.uid, owner.gid)
    elif mount.kind == "tmpfs" or stat.S_ISDIR(os.fstat(source).st_mode):
        os.makedirs(mount.target, exist_ok=True)
    else:
        content = b""
        while data := os.read(source, _CHUNK):
            content += data
        _write(mount.target, content, 0o444)


def _write(path: str, content: bytes, mode: int) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path) and (os.path.islink(path) or os.lstat(path).st_nlink > 1):
        os.unlink(path)  # not through a link, nor into a file that has other names
    with open(path, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
