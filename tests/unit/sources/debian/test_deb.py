from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
import zstandard

from builder.core.errors import ResolveError
from builder.sources.debian.deb import read_control, read_deb
from tests.e2e.debian_archive import ar_member, make_tar

CONTROL = make_tar({"control": (0o644, b"Package: a\n"), "postinst": (0o755, b"#!/bin/sh\n")})
DATA = make_tar({"usr/bin/a": (0o4755, b"content")})


def package(suffix: str, pack: object) -> bytes:
    assert callable(pack)
    return b"!<arch>\n" + b"".join(
        ar_member(name, data)
        for name, data in (
            ("debian-binary", b"2.0\n"),
            (f"control.tar{suffix}", pack(CONTROL)),
            (f"data.tar{suffix}", pack(DATA)),
        )
    )


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".xz", lzma.compress), (".gz", gzip.compress), (".zst", zstandard.compress), ("", bytes)],
)
def test_every_compression_that_dpkg_writes_is_read(tmp_path: Path, suffix: str, pack: object) -> None:
    path = tmp_path / "a.deb"
    path.write_bytes(package(suffix, pack))
    deb = read_deb(path, tmp_path / "spool")
    assert deb.control == "Package: a\n"
    assert [(file.name, file.mode) for file in deb.files] == [("postinst", 0o755)]
    assert [entry.path for entry in deb.entries] == [b"", b"usr", b"usr/bin", b"usr/bin/a"]
    entry = deb.entries[-1]
    assert entry.mode == 0o4755
    assert entry.open
    with open(entry.open(), "rb") as file:
        assert file.read(entry.size) == b"content"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"PK" + data[2:], "is not a Debian package"),
        (lambda data: data[:200], "is a damaged package"),
        (lambda data: data[:72], "is a package without control.tar"),
    ],
)
def test_a_damaged_package_is_named(tmp_path: Path, damage: object, message: str) -> None:
    assert callable(damage)
    path = tmp_path / "a.deb"
    path.write_bytes(damage(package(".xz", lzma.compress)))
    with pytest.raises(ResolveError, match=message) as caught:
        read_control(path)
    assert "a.deb" in str(caught.value)
