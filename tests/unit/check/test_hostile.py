"""Whatever the bytes: a finding or a clear error, in bounded time and memory."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from builder.check.run import check_image
from builder.tar.compression import Limits
from tests.unit.check.good import check_bytes, good, rules_of
from tests.unit.check.images import (
    Item,
    archive,
    directory,
    file,
    image,
    node,
    record,
    special,
    symlink,
    write,
)

GOOD = archive(*good())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1f\x8b",
        b"BZh9",
        b"PK\x03\x04" * 1000,
        b"x" * 511,
        bytes(range(256)) * 8,
        gzip.compress(b"hello"),
    ],
)
def test_what_is_no_image_is_told(data: bytes, tmp_path: Path) -> None:
    assert rules_of(check_bytes(data, tmp_path)) & {"WSL001", "WSL002"}


@pytest.mark.parametrize("seed", range(60))
def test_corrupt_images_never_raise(seed: int, tmp_path: Path) -> None:
    random_ = random.Random(seed)
    data = bytearray(GOOD if seed % 2 else gzip.compress(GOOD, 1))
    for _ in range(random_.randint(1, 30)):
        data[random_.randrange(len(data))] = random_.randrange(256)
    check_bytes(bytes(data[: random_.randint(1, len(data))]), tmp_path)


@pytest.mark.parametrize("seed", range(60))
def test_headers_with_right_sums_and_wrong_fields_never_raise(seed: int, tmp_path: Path) -> None:
    random_ = random.Random(seed)
    block = bytearray(write(file("x", b"x" * 600)))
    for _ in range(8):
        block[random_.randrange(512)] = random_.choice(b"\x00\xff\x80 79xgLKSV/.")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    check_bytes(bytes(block) + GOOD, tmp_path)


@pytest.mark.parametrize("key", [b"size", b"uid", b"mtime", b"GNU.sparse.map", b"GNU.sparse.major", b"path"])
@pytest.mark.parametrize("value", [b"", b"-1", b"9" * 19, b"x", b"1,2,3", b"\xff", b"\0"])
def test_odd_pax_records_never_raise(key: bytes, value: bytes, tmp_path: Path) -> None:
    check_bytes(special(b"x", record(key, value)) + GOOD, tmp_path)


def test_a_bomb_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "bomb.wsl"
    path.write_bytes(gzip.compress(archive(file("zeros", bytes(64 << 20)))))
    (finding, *_) = check_image(path, limits=Limits(free=1 << 20, ratio=100)).findings
    assert finding.rule == "WSL001"
    assert "unfolds to more than 100 times its size" in finding.message


def test_loops_devices_and_climbing_names_write_nothing(tmp_path: Path) -> None:
    items = good(
        symlink("etc/loop", "loop"),
        symlink("up", "../../../../.."),
        file("up/../../evil", "x"),
        node("dev/sda", b"4", (8, 0)),
        symlink("etc/resolv.conf", "/etc/resolv.conf"),
    )
    found = rules_of(check_bytes(image(*items), tmp_path))
    assert {"WSL005", "WSL421", "WSL414"} <= found
    assert [path.name for path in tmp_path.iterdir()] == ["x.wsl"]


def test_configuration_files_in_a_link_loop_are_told(tmp_path: Path) -> None:
    items = good(symlink("etc/wsl.conf", "wsl.conf"), directory("etc/passwd.d"), without=())
    assert "WSL104" in rules_of(check_bytes(image(*items), tmp_path))


@pytest.mark.system
def test_a_million_entries_are_judged(tmp_path: Path) -> None:
    template = write(Item(name=b"etc/0000000"))
    path = tmp_path / "many.wsl"
    with gzip.open(path, "wb", 1) as out:
        for number in range(1_000_000):
            name = b"etc/%07d" % number
            block = bytearray(template)
            block[: len(name)] = name
            block[148:156] = b"%06o\0 " % (
                sum(template[:148]) + sum(template[156:]) + 256 + sum(name) - sum(template[: len(name)])
            )
            out.write(block)
        out.write(bytes(1024))
    report = check_image(path)
    assert "WSL201" in rules_of(report)
