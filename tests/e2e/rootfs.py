"""A root file system that WSL would start, packed in no time, with all kinds of entries."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.e2e.debian_archive import DATE
from tests.e2e.tiny import tiny_packages

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000").decode("latin-1")


def write_rootfs(path: Path) -> Path:
    """Write the archive `path`, compressed as its name says: the tiny distribution, odd owners and kinds."""
    files = {name: file for package in tiny_packages() for name, file in package.files.items()}
    compression = {".gz": "w:gz", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, compression, format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for folder in sorted({str(each) for name in files for each in Path(name).parents} - {"."}):
            _add(tar, folder, tarfile.DIRTYPE, mode=0o755)
        for name, (mode, data) in sorted(files.items()):
            _add(tar, name, data=data, mode=mode)
        for each in _odd():
            _add(tar, **each)
    return path


def _odd() -> list[dict[str, object]]:
    return [
        {"name": "dev", "kind": tarfile.DIRTYPE, "mode": 0o755},
        {"name": "dev/null", "kind": tarfile.CHRTYPE, "mode": 0o666, "devmajor": 1, "devminor": 3},
        {"name": "srv", "kind": tarfile.DIRTYPE, "mode": 0o2775, "uid": 1000, "gid": 50},
        {"name": "srv/ping", "data": b"p", "mode": 0o755, "pax_headers": _xattr("security.capability")},
        {"name": "srv/su", "data": b"s", "mode": 0o4755},
        {"name": "srv/fifo", "kind": tarfile.FIFOTYPE, "mode": 0o600, "uid": 65534},
        {"name": "srv/twice", "kind": tarfile.LNKTYPE, "linkname": "srv/su"},
        {"name": "srv/way", "kind": tarfile.SYMTYPE, "linkname": "/opt", "mode": 0o755},
    ]


def _xattr(name: str) -> dict[str, str]:
    return {f"SCHILY.xattr.{name}": CAPABILITY}


def _add(
    tar: tarfile.TarFile, name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: object
) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mtime = kind, len(data), DATE
    for key, value in fields.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))
