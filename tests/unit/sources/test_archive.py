"""Root file systems in archives: found, unfolded, pinned."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from pydantic import ValidationError

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.model.entry import Entry
from builder.model.lock import ArchitectureLock, ArchiveSource
from builder.sources.archive import Archive, archive_entries, fetch_archive, resolve_archive
from builder.sources.source import Supply

from .oci.layers import content, file, folder, link, make_tar, symlink
from .oci.registries import Content, FakeRegistry, client, send, serving, sha256

ROOT = [
    folder("./"),
    folder("./etc"),
    file("./etc/os-release", b"ID=mint\nID_LIKE='ubuntu debian'\n"),
    folder("./usr", mtime=1_800_000_000),
    symlink("./bin", "usr/bin"),
    file("./usr/data", b"data", uname="someone"),
    link("./usr/same", "./usr/data"),
]
PACKERS = {
    "none": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
}


def supply(tmp_path: Path) -> Supply:
    return Supply(blobs=Blobs(tmp_path / "blobs"), folder=tmp_path, http=client())


def resolve(tmp_path: Path, data: bytes, **options: object) -> ArchitectureLock:
    (tmp_path / "rootfs").write_bytes(data)
    archive = Archive.model_validate({"path": "rootfs", **options})
    return resolve_archive(archive, "amd64", (), supply(tmp_path))


def entries(lock: ArchitectureLock, tmp_path: Path) -> dict[str, Entry]:
    assert isinstance(lock.source, ArchiveSource)
    found = archive_entries(lock.source, "amd64", Blobs(tmp_path / "blobs"))
    return {entry.path.decode(): entry for entry in found}


@pytest.mark.parametrize("pack", PACKERS)
def test_any_compression_gives_the_same_base(tmp_path: Path, pack: str) -> None:
    data = PACKERS[pack](make_tar(ROOT))
    lock = resolve(tmp_path, data)
    assert isinstance(lock.source, ArchiveSource)
    assert (lock.source.sha256, lock.source.tar.sha256) == (sha256(data), sha256(make_tar(ROOT)))
    assert (lock.time, lock.facts.family) == (1_800_000_000, "mint")
    assert lock.facts.os_release["ID_LIKE"] == "ubuntu debian"
    found = entries(lock, tmp_path)
    assert list(found) == ["bin", "etc", "etc/os-release", "usr", "usr/data", "usr/same"]
    assert (content(found["usr/data"]), found["usr/same"].target) == (b"data", b"usr/data")


@pytest.mark.parametrize("pack", PACKERS)
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda tar: tar[: tar.index(b"./usr/data")], "no end-of-archive blocks"),
        (lambda tar: tar + tar, "another archive follows"),
        (lambda _: b"", "no end-of-archive blocks"),
    ],
)
def test_an_archive_that_lacks_members_is_refused(
    tmp_path: Path, pack: str, harm: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(ResolveError, match=message) as caught:
        resolve(tmp_path, PACKERS[pack](harm(make_tar(ROOT))))
    assert caught.value.where == str(tmp_path / "rootfs")
    assert caught.value.fix


def wrapped(prefix: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    inner = [
        (folder, data)
        for folder, data in [file("etc/x", b"1"), folder("etc"), folder("usr"), link("usr/l", "etc/x")]
    ]
    for info, _ in inner:
        info.name = f"{prefix}/{info.name}"
        if info.islnk():
            info.linkname = f"{prefix}/{info.linkname}"
    return inner


@pytest.mark.parametrize("prefix", ["rootfs", "./image/x86_64/root"])
def test_a_root_in_a_folder_is_found_and_links_stay_links(tmp_path: Path, prefix: str) -> None:
    lock = resolve(tmp_path, make_tar([file("README"), *wrapped(prefix)]))
    assert isinstance(lock.source, ArchiveSource)
    assert lock.source.root == prefix.removeprefix("./")
    found = entries(lock, tmp_path)
    assert list(found) == ["etc", "etc/x", "usr", "usr/l"]
    assert found["usr/l"].target == b"etc/x"


def test_of_several_roots_one_has_to_be_chosen(tmp_path: Path) -> None:
    data = make_tar([*wrapped("one"), *wrapped("two")])
    with pytest.raises(ResolveError, match="holds several root file systems: one, two") as caught:
        resolve(tmp_path, data)
    assert "choose one with `root`" in str(caught.value)
    assert list(entries(resolve(tmp_path, data, root="two"), tmp_path)) == ["etc", "etc/x", "usr", "usr/l"]
    with pytest.raises(ResolveError, match="has no root file system in three"):
        resolve(tmp_path, data, root="three")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (make_tar([file("a"), file("b/c")]), "holds no root file system with etc and usr or bin, but a, b"),
        (
            make_tar([file("manifest.json"), file("x/layer.tar")]),
            "is a container image, expected a root file system",
        ),
        (b"hsqs" + bytes(2000), "is no tar archive"),
        (gzip.compress(make_tar(ROOT))[:-50], "ends in the middle of its compressed data"),
        (make_tar(ROOT)[:1500], "the archive ends in the middle of a member"),
    ],
)
def test_what_is_no_root_file_system_says_what_it_is(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ResolveError) as caught:
        resolve(tmp_path, data)
    assert message in str(caught.value)
    assert str(tmp_path / "rootfs") in str(caught.value)


def test_what_docker_export_adds_is_left_out(tmp_path: Path) -> None:
    marks = [
        file(".dockerenv", mode=0o755),
        file("etc/hosts", mode=0o755),
        file("etc/hostname", b"kept", mode=0o755),
    ]
    assert "etc/hosts" in entries(resolve(tmp_path, make_tar([*ROOT, *marks[1:]])), tmp_path)
    found = entries(resolve(tmp_path, make_tar([*ROOT, *marks])), tmp_path)
    assert {".dockerenv", "etc/hosts", "etc/hostname"} & found.keys() == {"etc/hostname"}


def test_a_file_with_holes_is_whole(tmp_path: Path) -> None:
    import subprocess

    top = tmp_path / "top"
    (top / "etc").mkdir(parents=True)
    (top / "usr").mkdir()
    with (top / "usr/sparse").open("wb") as made:
        made.seek(1 << 20)
        made.write(b"end")
        made.truncate(3 << 20)
    for form in ("gnu", "posix"):
        data = subprocess.run(
            ["tar", "--sparse", f"--format={form}", "-C", top, "-c", "."], capture_output=True, check=True
        ).stdout
        assert len(data) < 1 << 20
        found = entries(resolve(tmp_path, data), tmp_path)["usr/sparse"]
        assert content(found) == (top / "usr/sparse").read_bytes()


def test_a_wrong_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResolveError, match=f"expected {'0' * 64}"):
        resolve(tmp_path, make_tar(ROOT), sha256="0" * 64)


def test_an_address_is_pinned_by_the_lock(tmp_path: Path) -> None:
    store = Content()
    digest = store.put(gzip.compress(make_tar(ROOT), mtime=0))
    with serving(FakeRegistry(store)) as server:
        archive = Archive(url=f"http://{server.host}/team/base/{digest}")
        lock = resolve_archive(archive, "amd64", (), supply(tmp_path))
        assert lock.source.sha256 == digest  # type: ignore[union-attr]
        fetch_archive(archive, lock, supply(tmp_path / "other"))
        pinned = archive.model_copy(update={"sha256": digest})
        server.seen.clear()
        assert resolve_archive(pinned, "amd64", (), supply(tmp_path)) == lock
        assert server.seen == []
        server.serve[digest] = lambda handler, _data: send(handler, 200, gzip.compress(make_tar(ROOT[1:])))
        fresh = supply(tmp_path / "fresh")
        for wanted, act in ((pinned, resolve_archive), (archive, None)):
            with pytest.raises(ResolveError, match=f"expected {digest}"):
                act(wanted, "amd64", (), fresh) if act else fetch_archive(wanted, lock, fresh)
        assert not [path for path in (tmp_path / "fresh").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "needs either path or url"),
        ({"path": "a", "url": "https://x/a"}, "needs either path or url"),
        ("https://x.example/a.tar", "is an address, expected a file; write `url` with it"),
        ({"path": "a", "sha256": "AB"}, "64 lower-case hex digits"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Archive.model_validate(value)
