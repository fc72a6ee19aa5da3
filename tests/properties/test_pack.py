"""Whatever the tree: it comes back, and its bytes depend on nothing else."""

from __future__ import annotations

import gzip
import hashlib
import random
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from builder.model.entry import Entry, Kind
from builder.pack.arrange import arrange
from builder.pack.cache import SegmentCache
from builder.pack.content import read_entry
from builder.pack.image import pack_tree
from builder.pack.memory import with_content
from builder.pack.segments import cut_segments
from builder.pack.settings import PackSettings
from builder.pack.source_tar import read_archive
from builder.tar.write import END_OF_ARCHIVE, write_members

LATEST = 2**34

names = st.binary(min_size=1, max_size=255).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
paths = st.lists(names | st.sampled_from([b"a", b"b", b"usr"]), min_size=1, max_size=4).map(b"/".join)
ids = st.integers(0, 2**32 - 2)
xattrs = st.dictionaries(
    st.binary(min_size=1, max_size=20)
    .filter(lambda name: not {0, 61} & set(name))
    .map(lambda n: b"user." + n),
    st.binary(max_size=300),
    max_size=2,
).map(lambda found: tuple(sorted(found.items())))
contents = st.binary(max_size=2000) | st.builds(
    lambda seed, size: hashlib.shake_256(seed).digest(size),
    st.binary(),
    st.sampled_from([10**5, 10**6, 3 * 10**6]),
)


@st.composite
def entries(draw) -> Entry:
    kind = draw(st.sampled_from(Kind))
    entry = Entry(
        path=draw(paths),
        kind=kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(ids),
        gid=draw(ids),
        mtime=draw(st.integers(-(2**31), LATEST)),
        target=draw(paths) if kind in (Kind.SYMLINK, Kind.HARDLINK) else b"",
        xattrs=draw(xattrs) if kind is not Kind.HARDLINK else (),
        device=draw(st.tuples(st.integers(0, 4095), st.integers(0, 2**20 - 1)))
        if kind in (Kind.CHAR, Kind.BLOCK)
        else (0, 0),
    )
    return with_content(entry, draw(contents)) if kind is Kind.FILE else entry


def tree_of(drawn: list[Entry]) -> list[Entry]:
    """What of `drawn` can stand in one tree: unique paths, below directories, links to files."""
    kept: dict[bytes, Entry] = {}
    for entry in drawn:
        above = [entry.path.rsplit(b"/", depth)[0] for depth in range(1, entry.path.count(b"/") + 1)]
        clash = any(path in kept and kept[path].kind is not Kind.DIRECTORY for path in above)
        below = any(path.startswith(entry.path + b"/") for path in kept) and entry.kind is not Kind.DIRECTORY
        links = kept.get(entry.target)
        dangling = entry.kind is Kind.HARDLINK and (
            links is None or links.kind in (Kind.DIRECTORY, Kind.HARDLINK)
        )
        if not (clash or below or dangling or entry.path in kept):
            kept[entry.path] = entry
    return list(kept.values())


trees = st.lists(entries(), max_size=12).map(tree_of)


def seen(tree) -> list[Entry]:
    """`tree` with its content in place of the identities; the owner of a link is that of its file."""
    found = []
    for entry in tree:
        data = hashlib.sha256(read_entry(entry)).hexdigest() if entry.kind is Kind.FILE else ""
        found.append(entry._replace(open=None, identity=data))
    return found


@settings(max_examples=40, deadline=None)
@given(trees)
def test_a_packed_tree_reads_back_equal(tree):
    with TemporaryDirectory() as scratch:
        image = Path(scratch) / "o.wsl"
        result = pack_tree(arrange(tree), image, PackSettings(time=LATEST))
        with image.open("rb") as stream, read_archive(stream, Path(scratch)) as back:
            assert seen(entry for entry in back if entry.path) == seen(arrange(tree))
        assert hashlib.sha256(gzip.decompress(image.read_bytes())).hexdigest() == result.tar_sha256


@settings(max_examples=25, deadline=None)
@given(trees)
def test_python_reads_the_same_names_and_content(tree):
    with TemporaryDirectory() as scratch:
        image = Path(scratch) / "o.wsl"
        pack_tree(arrange(tree), image, PackSettings(time=LATEST))
        with tarfile.open(image, "r:gz", encoding="utf-8", errors="surrogateescape") as archive:
            found = {member.name.encode("utf-8", "surrogateescape"): member for member in archive}
            for entry in arrange(tree):
                member = found.pop(entry.path)
                assert (member.mode, member.uid, member.mtime) == (entry.mode, entry.uid, entry.mtime)
                if entry.kind is Kind.FILE:
                    assert archive.extractfile(member).read() == read_entry(entry)
        assert list(found) == [b"."]


@settings(max_examples=25, deadline=None)
@given(trees, st.randoms(use_true_random=False), st.sampled_from([1, 2, 8]))
def test_the_bytes_depend_on_the_tree_alone(tree, randomly: random.Random, threads: int):
    """Not on the order of the entries, the threads, or what the cache holds."""
    with TemporaryDirectory() as scratch:
        image, cache = Path(scratch) / "o.wsl", SegmentCache(Path(scratch) / "cache")
        expected = pack_tree(arrange(tree), image, PackSettings(time=LATEST)).sha256
        files = list(arrange(tree))
        randomly.shuffle(files)
        for _ in range(2):
            again = pack_tree(arrange(files), image, PackSettings(time=LATEST, threads=threads), cache=cache)
            assert again.sha256 == expected


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_flipped_bit_anywhere_in_a_cached_segment_is_detected(place: float, bit: int):
    noise = with_content(
        Entry(path=b"f", kind=Kind.FILE, mode=0o644), hashlib.shake_256(b"").digest(3_000_000)
    )
    with TemporaryDirectory() as scratch:
        image, cache = Path(scratch) / "o.wsl", SegmentCache(Path(scratch) / "cache")
        cold = pack_tree([noise], image, PackSettings(time=LATEST), cache=cache)
        (store,) = cache.folder.glob("*.pack")
        data = bytearray(store.read_bytes())
        data[int(place * len(data))] ^= 1 << bit
        store.write_bytes(data)
        again = pack_tree([noise], image, PackSettings(time=LATEST), cache=cache)
        assert (again.sha256, again.reused) == (cold.sha256, again.segments - 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(names, st.integers(0, 5000)), max_size=60, unique_by=lambda pair: pair[0]))
def test_segments_are_the_whole_archive_and_nothing_else(files):
    sizes = [Entry(path=name, kind=Kind.FILE, mode=0o644, size=size) for name, size in sorted(files)]
    members = list(write_members(sizes, lambda _: None))
    whole = sum(len(member.headers) + -(-member.length // 512) * 512 for member in members)
    segments = list(cut_segments(members, 2048))
    assert sum(segment.size for segment in segments) == whole + len(END_OF_ARCHIVE)
    assert all(segment.size <= 2048 * 9 // 4 + 2048 for segment in segments)
    for segment in segments:
        lengths = [len(part) if isinstance(part, bytes) else part.length for part in segment.parts]
        assert sum(lengths) == segment.size
