"""The reader against archives made by Python's tarfile, by hand, and by nobody at all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile

import pytest
import zstandard

from builder.core.errors import WslimgError
from builder.model.entry import Kind
from builder.tar.compression import READ_SIZE, Compression, CompressionError, Limits, Tally, decompress
from builder.tar.parse import TarError
from builder.tar.read import Fault, TarReader, open_archive

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def make(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT, **options: object) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form, **options) as archive:  # type: ignore[call-overload]
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def info(name: str, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def read(data: bytes, size: int = 1 << 20) -> tuple[list[tuple[str, bytes]], list[Fault]]:
    reader = TarReader(pieces(data, size))
    found = [(member.name.decode(), b"".join(member.body.chunks())) for member in reader]
    return found, [problem.fault for problem in reader.problems]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("size", [1, 7, 512, 1000, 1 << 20])
def test_names_and_contents_are_read_whatever_the_chunks(form: str, size: int) -> None:
    data = make((info("etc/passwd"), b"root"), (info("d/" * 20 + "f"), b"x" * 513), form=FORMATS[form])
    assert read(data, size) == ([("etc/passwd", b"root"), ("d/" * 20 + "f", b"x" * 513)], [])


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_long_names_big_numbers_and_links_are_resolved(form: str) -> None:
    link = info("n" * 300, type=tarfile.SYMTYPE, linkname="t" * 600, uid=3_000_000_000, gid=4_000_000_000)
    (member,) = TarReader([make((link, b""), form=FORMATS[form])])
    assert (member.name, member.linkname) == (b"n" * 300, b"t" * 600)
    assert (member.uid, member.gid, member.kind) == (3_000_000_000, 4_000_000_000, Kind.SYMLINK)


@pytest.mark.parametrize(("stored", "seconds"), [(-86400, -86400), (2**40, 2**40), (1.5, 1), (-1.5, -2)])
def test_times_are_whole_seconds_rounded_down(stored: float, seconds: int) -> None:
    form = tarfile.PAX_FORMAT if stored != int(stored) else tarfile.GNU_FORMAT
    (member,) = TarReader([make((info("f", mtime=stored), b""), form=form)])
    assert member.mtime == seconds


def test_xattrs_come_from_both_kinds_of_records() -> None:
    records = {"SCHILY.xattr.user.a": "1", "LIBARCHIVE.xattr.user.b%20c": "aGk"}
    (member,) = TarReader([make((info("f", pax_headers=records), b""), form=tarfile.PAX_FORMAT)])
    assert member.xattrs == ((b"user.a", b"1"), (b"user.b c", b"hi"))


def test_global_records_are_kept_apart() -> None:
    data = make((info("f"), b""), form=tarfile.PAX_FORMAT, pax_headers={"comment": "abc"})
    reader = TarReader([data])
    assert [member.pax for member in reader] == [{}]
    assert reader.global_pax == {b"comment": b"abc"}


def test_a_body_that_nobody_reads_is_skipped_and_one_read_in_part_too() -> None:
    data = make((info("a"), b"a" * 5000), (info("b"), b"b" * 5000), (info("c"), b"c"))
    names = []
    for member in TarReader(pieces(data, 777)):
        names.append(member.name)
        if member.name == b"b":
            assert member.body.read(10) == b"b" * 10
    assert names == [b"a", b"b", b"c"]


def sparse_pax(version: str) -> bytes:
    stored = b"AB" * 256
    common = {"GNU.sparse.name": "real", "GNU.sparse.size": "4096"}
    if version == "0.1":
        records = {**common, "GNU.sparse.map": "0,256,3840,256"}
    else:
        records = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": "real",
            "GNU.sparse.realsize": "4096",
        }
        stored = b"2\n0\n256\n3840\n256\n".ljust(512, b"\0") + stored
    return make((info("fake", pax_headers=records), stored), form=tarfile.PAX_FORMAT)


@pytest.mark.parametrize("version", ["0.1", "1.0"])
def test_holes_of_pax_sparse_files_are_zeros(version: str) -> None:
    half = b"AB" * 128
    assert read(sparse_pax(version)) == ([("real", half + bytes(3840 - 256) + half)], [])


def test_a_sparse_map_that_exceeds_the_file_is_an_error() -> None:
    records = {"GNU.sparse.size": "10", "GNU.sparse.map": "0,256,256,256"}
    data = make((info("f", pax_headers=records), b"x" * 512), form=tarfile.PAX_FORMAT)
    with pytest.raises(TarError, match="regions of a sparse file exceed"):
        read(data)


def test_what_lies_at_and_behind_the_end_is_told() -> None:
    whole = make((info("a"), b"a"))
    bare = whole[:1024]
    assert read(bare)[1] == [Fault.NO_END]
    assert read(bare + bytes(512))[1] == [Fault.SHORT_END]
    assert read(whole + whole)[1] == [Fault.SECOND_ARCHIVE]
    assert read(whole + b"x" * 5000)[1] == [Fault.TRAILING_DATA]


@pytest.mark.parametrize("length", [513, 1023])
def test_a_cut_archive_is_an_error_with_its_offset(length: int) -> None:
    with pytest.raises(TarError, match="ends in the middle") as caught:
        read(make((info("a"), b"a" * 512))[:length])
    assert 0 <= caught.value.offset <= length


def test_a_wrong_checksum_names_the_header() -> None:
    data = bytearray(make((info("a"), b""), (info("b"), b"")))
    data[512] ^= 1
    with pytest.raises(TarError, match=r"byte 512 of the archive: a header has a wrong checksum"):
        read(bytes(data))


@pytest.mark.parametrize("size", [1, 511, 800])
def test_something_else_is_no_tar_archive(size: int) -> None:
    with pytest.raises(TarError, match="is no tar archive"):
        read(b"Error: no such container".ljust(size, b"!")[:size])


def test_a_huge_pax_header_is_refused_before_it_is_read() -> None:
    data = make((info("f", pax_headers={"comment": "x" * (1 << 21)}), b""), form=tarfile.PAX_FORMAT)
    with pytest.raises(TarError, match="at most 1 MiB"):
        read(data)


COMPRESSORS = {
    Compression.NONE: bytes,
    Compression.GZIP: gzip.compress,
    Compression.XZ: lzma.compress,
    Compression.BZIP2: bz2.compress,
    Compression.ZSTD: lambda data: zstandard.ZstdCompressor().compress(data),
}
ARCHIVE = make((info("a"), bytes(range(256)) * 9000), (info("b"), b"b" * 3_000_000))


def open_and_read(data: bytes, limits: Limits | None = None) -> tuple[Compression, list[int], list[Fault]]:
    with open_archive(io.BytesIO(data), limits) as archive:
        sizes = [sum(map(len, member.body.chunks())) for member in archive.reader]
        return archive.compression, sizes, [problem.fault for problem in archive.problems()]


@pytest.mark.parametrize("compression", Compression)
def test_every_compression_is_told_by_content(compression: Compression) -> None:
    data = COMPRESSORS[compression](ARCHIVE)
    assert open_and_read(data) == (compression, [2_304_000, 3_000_000], [])


@pytest.mark.parametrize("compression", [kind for kind in Compression if kind is not Compression.NONE])
def test_several_members_are_one_stream_and_garbage_behind_is_told(compression: Compression) -> None:
    compress = COMPRESSORS[compression]
    data = compress(ARCHIVE[:100_000]) + compress(b"") + compress(ARCHIVE[100_000:])
    assert open_and_read(data)[1:] == ([2_304_000, 3_000_000], [])
    assert open_and_read(data + b"garbage")[2] == [Fault.COMPRESSED_GARBAGE]
    assert open_and_read(data + bytes(1000))[2] == []


def test_a_member_that_ends_with_a_block_of_reading_is_not_the_last() -> None:
    sizes = range(READ_SIZE, 0, -1)
    first = next(data for size in sizes if len(data := gzip.compress(bytes(size), 0)) == READ_SIZE)
    _, pieces = decompress(io.BytesIO(first + gzip.compress(b"second")), Tally())
    assert b"".join(pieces).endswith(b"\0second")


@pytest.mark.parametrize("compression", [kind for kind in Compression if kind is not Compression.NONE])
def test_cut_or_corrupt_compressed_data_is_an_error(compression: Compression) -> None:
    data = COMPRESSORS[compression](ARCHIVE)
    with pytest.raises(CompressionError, match="ends in the middle of its compressed data"):
        open_and_read(data[:-20])
    broken = bytearray(data)
    broken[len(data) // 2 : len(data) // 2 + 40] = b"\xaa" * 40
    with pytest.raises(WslimgError):
        open_and_read(bytes(broken))


@pytest.mark.parametrize("compression", [kind for kind in Compression if kind is not Compression.NONE])
def test_a_bomb_is_stopped_at_the_ratio(compression: Compression) -> None:
    data = COMPRESSORS[compression](make((info("zeros"), bytes(64 << 20))))
    with pytest.raises(CompressionError, match="unfolds to more than 50 times its size"):
        open_and_read(data, Limits(free=1 << 20, ratio=50))


def test_leaving_early_ends_the_thread() -> None:
    with open_archive(io.BytesIO(gzip.compress(bytes(32 << 20)))) as archive:
        assert list(archive.reader) == []
    with open_archive(io.BytesIO(gzip.compress(ARCHIVE * 4))) as archive:
        assert next(iter(archive.reader)).name == b"a"
