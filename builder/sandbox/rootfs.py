"""Puts the root file system of a container together and makes it the root. Runs as PID 1 of new namespaces.

Whatever is mounted from the host is first opened as a path descriptor. After pivot_root every target is
therefore an ordinary path of the image, whose links the kernel follows inside the image and nowhere else.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat

from builder.sandbox import kernel
from builder.sandbox.accounts import find_account
from builder.sandbox.kernel import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC, MS_REMOUNT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from builder.sandbox.spec import ContainerSpec, Mount, Root

_SCRATCH = "/tmp"  # noqa: S108 - a tmpfs over the host's, seen by this mount namespace alone
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "fd/0",
    "stdout": "fd/1",
    "stderr": "fd/2",
    "ptmx": "pts/ptmx",
    "core": "/proc/kcore",
}
MOUNT_POINTS = ("proc", "sys", "dev", "run", "tmp", "etc")
# What moby/moby oci/defaults.go makes read-only and what it hides.
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_MASKED_FILES = ("/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug")
_MASKED_FOLDERS = ("/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware")
_SEALED = MS_NOSUID | MS_NODEV | MS_NOEXEC


def enter_root(spec: ContainerSpec) -> None:
    """Make the root file system of `spec` the root of this mount namespace. Raises OSError."""
    kernel.mount("", "/", flags=MS_REC | kernel.MS_SLAVE)
    sources = {source: _open_path(source) for source in _host_paths(spec)}
    lower = [_open_path(path) for path in spec.root.lower]
    files = container_files(spec)
    _stack_root(spec, sources, lower, files)
    kernel.pivot_root()
    _mount_system(spec, sources)
    for path, content in files.items():
        _show_file(path, content)
    for mount in spec.mounts:
        _mount_extra(mount, sources)
    _mask()
    for descriptor in (*sources.values(), *lower):
        os.close(descriptor)
    kernel.unmount(".")
    os.chdir("/")


def container_files(spec: ContainerSpec) -> dict[str, bytes]:
    """The files by which names resolve, by path; a command sees them in place of the image's own."""
    files = {"/etc/hosts": _hosts(spec.hostname)}
    if spec.network:
        files["/etc/resolv.conf"] = _read_resolver()
    return files


def _host_paths(spec: ContainerSpec) -> list[str]:
    devices = [f"/dev/{name}" for name in DEVICES]
    root = [path for path in (spec.root.directory, spec.root.upper, spec.root.work) if path]
    return [*devices, "/sys", *root, *(mount.source for mount in spec.mounts if mount.kind == "bind")]


def _open_path(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_CLOEXEC)


def _read_resolver() -> bytes:
    """The host's name servers; none where it has no such file."""
    try:
        return _read("/etc/resolv.conf")
    except FileNotFoundError:
        return b""


def _hosts(hostname: str) -> bytes:
    return f"127.0.0.1 localhost {hostname}\n::1 localhost ip6-localhost ip6-loopback\n".encode()


def _stack_root(
    spec: ContainerSpec, sources: dict[str, int], lower: list[int], files: dict[str, bytes]
) -> None:
    """Mount the root and make it the working directory."""
    root = spec.root
    kernel.mount("tmpfs", _SCRATCH, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    new = f"{_SCRATCH}/root"
    os.mkdir(new)
    if root.directory:
        kernel.mount(f"/proc/self/fd/{sources[root.directory]}", new, flags=MS_BIND | MS_REC)
    else:
        _make_stub(f"{_SCRATCH}/stub", spec.mounts, sources, files)
        _mount_overlay(root, sources, [_open_path(f"{_SCRATCH}/stub"), *lower], new)
    os.chdir(new)


def _make_stub(
    stub: str, mounts: tuple[Mount, ...], sources: dict[str, int], files: dict[str, bytes]
) -> None:
    """The lowest layer: mount points and files for an image that lacks them, so that none stays in it."""
    for name in MOUNT_POINTS:
        os.makedirs(f"{stub}/{name}")
    for path, content in files.items():
        _write(stub + path, content, 0o644)
    for mount in mounts:
        if not mount.target.startswith(("/run/", "/dev/", "/tmp/")):  # noqa: S108 - paths in the image
            _make_target(stub + posixpath.normpath(mount.target), _is_folder(mount, sources))


def _is_folder(mount: Mount, sources: dict[str, int]) -> bool:
    return mount.kind == "tmpfs" or (
        mount.kind == "bind" and stat.S_ISDIR(os.fstat(sources[mount.source]).st_mode)
    )


def _make_target(path: str, folder: bool) -> None:
    if os.path.exists(path):
        return
    os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)
    if not folder:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def _mount_overlay(root: Root, sources: dict[str, int], lower: list[int], target: str) -> None:
    """Name the layers by descriptor: mount options hold a page, and a cache path may hold a comma."""
    os.chdir("/proc/self/fd")
    folders = ":".join(str(descriptor) for descriptor in reversed(lower))
    options = f"lowerdir={folders},upperdir={sources[root.upper]},workdir={sources[root.work]}"
    # In a user namespace redirects and metacopy are off by themselves, and saying so is refused.
    options += ",index=off" + (",userxattr" if in_user_namespace() else ",redirect_dir=off,metacopy=off")
    kernel.mount("overlay", target, "overlay", 0, options)


def in_user_namespace() -> bool:
    """Whether uid 0 here is not the uid 0 of the host."""
    with open("/proc/self/uid_map", "rb") as file:
        return file.read().split() != [b"0", b"0", b"4294967295"]


def _mount_system(spec: ContainerSpec, sources: dict[str, int]) -> None:
    kernel.mount("proc", "/proc", "proc", _SEALED)
    _mount_sys(spec, sources["/sys"])
    kernel.mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k")
    for name in DEVICES:
        _bind(sources[f"/dev/{name}"], f"/dev/{name}", folder=False)
    for name, target in DEVICE_LINKS.items():
        os.symlink(target, f"/dev/{name}")
    os.mkdir("/dev/pts")
    kernel.mount(
        "devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5"
    )
    for path, mode in (("/dev/shm", "1777"), ("/run", "755"), ("/tmp", "1777")):  # noqa: S108 - in the image
        os.makedirs(path, exist_ok=True)
        kernel.mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode}")
    os.mkdir("/run/lock")
    os.chmod("/run/lock", 0o1777)  # noqa: S103 - as on every Debian


def _mount_sys(spec: ContainerSpec, host: int) -> None:
    if not spec.network:
        kernel.mount("sysfs", "/sys", "sysfs", _SEALED | (0 if spec.boot else MS_RDONLY))
        return
    try:
        kernel.mount("sysfs", "/sys", "sysfs", _SEALED | MS_RDONLY)
    except PermissionError:
        # The network belongs to the host's user namespace, and a sysfs shows the network of its owner.
        kernel.mount(f"/proc/self/fd/{host}", "/sys", flags=MS_BIND | MS_REC)
        kernel.mount("", "/sys", flags=MS_BIND | MS_REMOUNT | MS_RDONLY | _SEALED)


def _bind(source: int, target: str, *, folder: bool, read_only: bool = False) -> None:
    _make_target(target, folder)
    kernel.mount(f"/proc/self/fd/{source}", target, flags=MS_BIND | (MS_REC if folder else 0))
    if read_only:
        kernel.mount("", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)


def _show_file(path: str, content: bytes) -> None:
    """Make `path` read as `content` while the container lives, without changing the image.

    A link into /run or /tmp gets its target there. What the image has is covered by a mount, as in Docker;
    where it has none the stub shows through, so that a step may put its own file there.
    """
    real = posixpath.join("/", os.path.realpath(path))
    if real.startswith(("/run/", "/tmp/")):  # noqa: S108 - paths in the image
        os.makedirs(os.path.dirname(real), exist_ok=True)
        _write(real, content, 0o644)
    elif os.path.isfile(real) and _read(real) != content:
        copy = f"/dev/.{posixpath.basename(path)}"
        _write(copy, content, 0o644)
        kernel.mount(copy, real, flags=MS_BIND)
        os.unlink(copy)


def _mount_extra(mount: Mount, sources: dict[str, int]) -> None:
    if mount.kind == "bind":
        folder = _is_folder(mount, sources)
        _bind(sources[mount.source], mount.target, folder=folder, read_only=not mount.writable)
    elif mount.kind == "tmpfs":
        _make_target(mount.target, True)
        kernel.mount("tmpfs", mount.target, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mount.mode:o}")
    else:
        os.makedirs(os.path.dirname(mount.target), exist_ok=True)
        _write(mount.target, mount.data, mount.mode)
        owner = find_account(mount.owner)
        os.chown(mount.target, owner.uid, owner.gid)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _write(path: str, content: bytes, mode: int) -> None:
    with open(path, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)


def _mask() -> None:
    for path in _READ_ONLY:
        if os.path.exists(path):
            kernel.mount(path, path, flags=MS_BIND | MS_REC)
            kernel.mount("", path, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | _SEALED)
    for path in _MASKED_FILES:
        if os.path.exists(path):
            kernel.mount("/dev/null", path, flags=MS_BIND)
    for path in _MASKED_FOLDERS:
        if os.path.isdir(path):
            _cover(path)


def _cover(path: str) -> None:
    try:
        kernel.mount("tmpfs", path, "tmpfs", _SEALED | MS_RDONLY, "size=0")
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EACCES):
            raise
