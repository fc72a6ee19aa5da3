"""Header blocks, against Python's tarfile and the limits of the format."""

from __future__ import annotations

import io
import tarfile
from itertools import product

import pytest

from builder.core.errors import PackError
from builder.model.entry import Entry, Kind
from builder.tar.header import pack_headers, pack_number, printable, split_name
from builder.tar.hole import pack_sparse_headers
from builder.tar.sparse import Region
from builder.tar.write import END_OF_ARCHIVE, Span, write_members


def entry(path: bytes = b"name", kind: Kind = Kind.FILE, mode: int = 0o644, **more) -> Entry:
    return Entry(path=path, kind=kind, mode=mode, **more)


def read_back(blocks: bytes) -> tarfile.TarInfo:
    stream = io.BytesIO(blocks + END_OF_ARCHIVE)
    with tarfile.open(fileobj=stream, errors="surrogateescape", encoding="utf-8") as archive:
        (member,) = archive.getmembers()
    return member


def test_a_plain_header_is_what_python_writes():
    info = tarfile.TarInfo("usr/bin/env")
    info.mode, info.uid, info.gid, info.mtime, info.size = 0o755, 1, 2, 1_700_000_000, 0
    ours = pack_headers(entry(b"usr/bin/env", mode=0o755, uid=1, gid=2, mtime=1_700_000_000))
    assert ours == info.tobuf(tarfile.USTAR_FORMAT).replace(
        b"0000000\x000000000\x00" + bytes(155), bytes(171)
    )


@pytest.mark.parametrize("length", [1, 99, 100, 101, 155, 156, 254, 255, 256, 257, 300, 1000, 4095])
@pytest.mark.parametrize("kind", [Kind.FILE, Kind.DIRECTORY])
def test_names_of_every_length_come_back(length, kind):
    path = (b"n" * 50 + b"/") * (length // 51 + 1)
    path = path[: length - 1] + b"e"
    assert read_back(pack_headers(entry(path, kind))).name.encode() == path


def test_a_name_without_a_slash_beyond_100_bytes_is_a_gnu_long_name():
    blocks = pack_headers(entry(b"n" * 101))
    assert blocks[156:157] == b"L"
    assert read_back(blocks).name == "n" * 101


@pytest.mark.parametrize(
    ("name", "split"),
    [
        (b"a" * 155 + b"/" + b"b" * 100, (b"a" * 155, b"b" * 100)),
        (b"a" * 156 + b"/" + b"b" * 100, (b"", b"a" * 100)),
        (b"d" * 100 + b"/", (b"", b"d" * 100)),
        (b"/" + b"d" * 101, (b"", b"/" + b"d" * 99)),
    ],
)
def test_names_are_split_as_ustar_allows(name, split):
    assert split_name(name) == split


@pytest.mark.parametrize("name", [b"\xe9t\xe9", "Főtanúsítvány".encode(), b"a\nb", b" a "])
def test_names_are_raw_bytes(name):
    blocks = pack_headers(entry(name))
    assert blocks.startswith(name + b"\0")
    assert read_back(blocks).name.encode("utf-8", "surrogateescape") == name


@pytest.mark.parametrize("target", [b"t", b"t" * 100, b"t" * 101, b"../" * 200, b"\xff"])
@pytest.mark.parametrize("kind", [Kind.SYMLINK, Kind.HARDLINK])
def test_link_targets_of_every_length_come_back(target, kind):
    member = read_back(pack_headers(entry(kind=kind, target=target)))
    assert member.linkname.encode("utf-8", "surrogateescape") == target


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *product(("uid", "gid", "mtime"), (0, 1, 0o7777777, 0o10000000, 2**31, 2**32 - 2, 2**32 - 1)),
        *(("mtime", value) for value in (-1, -86_400, 2**63 - 1, -(2**63))),
    ],
)
def test_numbers_of_every_size_come_back(field, value):
    assert getattr(read_back(pack_headers(entry(**{field: value}))), field) == value


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"uid": 2**32}, "has the uid 4294967296, expected 0 to 4294967295"),
        ({"uid": 99999999999999999999}, "has the uid 99999999999999999999, expected 0 to 4294967295"),
        ({"gid": 2**62 + 5}, "has the gid 4611686018427387909, expected 0 to 4294967295"),
        ({"gid": -1}, "has the gid -1, expected 0 to 4294967295"),
        ({"size": 2**63}, "has the size 9223372036854775808, expected 0 to 9223372036854775807"),
        ({"mtime": 2**100}, "has the time 1267650600228229401496703205376, expected -922"),
        ({"mtime": -(2**63) - 1}, "has the time -9223372036854775809, expected -922"),
        ({"kind": Kind.CHAR, "device": (1, 2**32)}, "has the device number 4294967296, expected 0 to"),
    ],
)
def test_numbers_that_linux_does_not_know_are_one_clear_error(fields, message):
    with pytest.raises(PackError, match=f"^/a\\\\nb: {message}.*\n  fix: correct it"):
        pack_headers(entry(b"a\nb", **fields))


@pytest.mark.parametrize("size", [8**11 - 1, 8**11, 2**40])
def test_files_beyond_8_gib_come_back(size):
    info = tarfile.TarInfo.frombuf(pack_headers(entry(size=size)), "utf-8", "strict")
    assert info.size == size


@pytest.mark.parametrize(("value", "width"), [(0, 8), (-1, 8), (2**55, 8), (-(2**55), 8), (2**63, 12)])
def test_numbers_fill_their_field(value, width):
    assert len(pack_number(value, width)) == width


def test_devices_come_back():
    member = read_back(pack_headers(entry(kind=Kind.CHAR, device=(259, 1_000_000))))
    assert (member.ischr(), member.devmajor, member.devminor) == (True, 259, 1_000_000)


@pytest.mark.parametrize("size", [0, 1, 85, 86, 87, 970, 100_000])
def test_extended_attributes_are_pax_records_and_nothing_else_is(size):
    value = bytes(range(256)) * (size // 256 + 1)
    blocks = pack_headers(entry(b"n" * 200, uid=2**31, mtime=-5, xattrs=((b"user.x", value[:size]),)))
    assert blocks[156:157] == b"x"
    member = read_back(blocks)
    assert list(member.pax_headers) == ["SCHILY.xattr.user.x"]
    assert len(blocks) % 512 == 0
    assert (member.name, member.uid, member.mtime) == ("n" * 200, 2**31, -5)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (b"a\0b", "a NUL byte"),
        (b"a/../b", "a part of it is empty, `.` or `..`"),
        (b"..", "a part of it is empty"),
        (b"a/.", "a part of it is empty"),
        (b"/a", "a part of it is empty"),
        (b"a//b", "a part of it is empty"),
        (b"a/", "a part of it is empty"),
        (b"a/" + b"x" * 256, "longer than 255 bytes"),
        (b"/".join([b"x" * 200] * 21), "it is 4220 bytes long, Linux opens at most 4095"),
    ],
)
def test_names_no_archive_can_hold_are_one_clear_error(path, reason):
    with pytest.raises(PackError, match="no archive for WSL can hold this name: ") as caught:
        pack_headers(entry(path))
    assert reason in str(caught.value)
    assert caught.value.where == printable(path)


@pytest.mark.parametrize("path", [b".a", b"..a", b"a/...", b"a/.b", b"a..", b"x" * 255])
def test_names_that_only_look_strange_are_fine(path):
    assert read_back(pack_headers(entry(path))).name.encode() == path


@pytest.mark.parametrize("target", [b"a\0b", b"t" * 4096])
def test_link_targets_no_system_can_hold_are_one_clear_error(target):
    with pytest.raises(PackError, match=r"^/name: links to a name of \d+ bytes, expected at most 4095"):
        pack_headers(entry(kind=Kind.SYMLINK, target=target))


def test_an_attribute_no_archive_can_hold_is_one_clear_error():
    with pytest.raises(PackError, match=r"^/name: has the extended attribute 'user\.a=b', whose name no"):
        pack_headers(entry(xattrs=((b"user.a=b", b""),)))


def test_odd_names_are_printable():
    assert printable(b"a\xffb\n\x1b[31m") == "/a\\xffb\\n\\x1b[31m"


def test_members_say_what_is_to_be_read():
    some = [entry(b"d", Kind.DIRECTORY), entry(b"e"), entry(b"f", size=1000)]
    folder, empty, full = write_members(some, lambda _: None)
    assert (folder.spans, empty.spans) == ((), ())
    assert full.spans == (Span(some[2], 0, 1000),)
    assert full.length == 1000


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 24, 25, 26, 60])
def test_sparse_members_come_back(count):
    regions = tuple(Region(1000 * 512 * index, 512) for index in range(count))
    sparse = entry(b"n" * 120, size=100_000_000, xattrs=((b"user.a", b"b"),))
    (member,) = write_members([sparse], lambda _: regions)
    assert member.headers == pack_sparse_headers(sparse, regions)
    assert member.length == 512 * count
    found = read_back(member.headers + b"x" * member.length)
    assert (found.name, found.size, found.issparse()) == ("n" * 120, 100_000_000, True)
    assert [pair for pair in found.sparse if pair[1]] == [tuple(region) for region in regions]
    assert found.pax_headers == {"SCHILY.xattr.user.a": "b"}
