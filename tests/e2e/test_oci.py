"""Images in a real registry: our tree beside the one that skopeo and umoci leave on a disk."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from builder.core.blobs import Blobs
from builder.model.entry import Entry, Kind
from builder.model.lock import ImageSource
from builder.sources.image import Image, image_entries, resolve_image
from builder.sources.source import Supply

from .conftest import Wslimg
from .registry import push, running_registry
from .tiny import tiny_packages

pytestmark = pytest.mark.system
CAPABILITY = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".decode()
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def registry(root: None, tool: Callable[..., None], tmp_path: Path) -> Iterator[str]:
    tool("docker-registry", "skopeo", "umoci", "setpriv")
    (tmp_path / "registry").mkdir()
    with running_registry(tmp_path / "registry") as address:
        yield address


def member(
    name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: object
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mtime = kind, len(data), 1_700_000_000 + len(name)
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def folder(name: str, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.DIRTYPE, **fields)


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.LNKTYPE, linkname=target)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.SYMTYPE, linkname=target, mode=0o777)


def special_layers() -> list[Members]:
    """What every engine has got wrong once."""
    xattrs = {"SCHILY.xattr.security.capability": CAPABILITY, "SCHILY.xattr.user.note": "hello"}
    return [
        [
            folder("usr", mode=0o755),
            folder("usr/lib"),
            symlink("lib", "usr/lib"),
            member("usr/lib/os-release", data=b"ID=test\nID_LIKE=debian\n"),
            folder("etc"),
            symlink("etc/os-release", "../usr/lib/os-release"),
            member("etc/su", data=b"su", mode=0o4755),
            member("etc/ping", data=b"ping", pax_headers=xattrs),
            folder("d", mode=0o1777),
            member("d/old", data=b"old"),
            folder("d/deep"),
            member("d/deep/old", data=b"old"),
            member("a", data=b"first", uid=1000, gid=100, uname="host", gname="host"),
            link("b", "a"),
            folder("turn"),
            member("turn/x", data=b"x"),
            member("back", data=b"y"),
            member("pipe", tarfile.FIFOTYPE),
            member("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
            member("big-id", data=b"z", uid=3_000_000_000, gid=2_200_000),
            member("long-" + "n" * 200, data=b"long"),
            member("gone", data=b"gone"),
            folder("gone-folder"),
            member("gone-folder/x", data=b"x"),
        ],
        [
            member(".wh.gone"),
            member(".wh.gone-folder"),
            member("a", data=b"second"),
            link("c", "b"),
            folder("d", mode=0o750),
            member("d/.wh..wh..opq"),
            member("d/new", data=b"new"),
            member("turn", data=b"a file now"),
            folder("back"),
            member("back/inside", data=b"i"),
        ],
        [
            link("b-again", "c"),
            member("b", data=b"third"),
            symlink("null", "d/new"),
            member("lib/through", data=b"t"),
        ],
    ]


def random_layer(dice: random.Random, number: int) -> Members:
    """Folders with all their parents, files in them, whiteouts of what may be there."""
    members: Members = []
    for top in dice.sample("pqrst", 2):
        members.append(folder(top, mode=dice.choice((0o755, 0o700))))
        inner = f"{top}/{dice.choice('uv')}"
        members.append(folder(inner))
        members.append(member(f"{top}/.wh.{dice.choice('wx')}"))
        if dice.random() < 0.2:
            members.append(member(f"{inner}/.wh..wh..opq"))
        name = f"{inner}/{dice.choice('yz')}"
        members.append(member(name, data=b"%d" % number, mtime=1_700_000_000 + number))
        members.append(link(f"{top}/{number}", name))
    return members


def make_tar(members: Members) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def make_image(
    files: dict[str, bytes], layers: list[tuple[bytes, str]], architecture: str
) -> dict[str, object]:
    """The descriptor of a new image; `layers` are (tar, "gzip" or "zstd")."""

    def put(data: bytes, kind: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        files[digest] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    pack = {"gzip": lambda data: gzip.compress(data, 1, mtime=0), "zstd": zstandard.compress}
    described = [put(pack[how](data), f"{LAYER}+{how}") for data, how in layers]
    diff_ids = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data, _ in layers]
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    config = {
        "os": "linux",
        "architecture": architecture,
        "created": "2025-01-01T00:00:00Z",
        "rootfs": rootfs,
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": put(json.dumps({**config, "config": {}}).encode(), CONFIG),
        "layers": described,
    }
    platform = {"os": "linux", "architecture": architecture}
    return {**put(json.dumps(manifest).encode(), MANIFEST), "platform": platform}


def make_index(files: dict[str, bytes], items: list[dict[str, object]]) -> str:
    data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": items}).encode()
    digest = hashlib.sha256(data).hexdigest()
    files[digest] = data
    return digest


def unpack_elsewhere(reference: str, folder: Path) -> Path:
    """The root file system as skopeo fetches and umoci unpacks it."""
    copy, layout = folder / "copy", folder / "layout"
    # Through a folder, where skopeo can be told to change the compression: umoci does not know zstd.
    options = [
        "--src-tls-verify=false",
        "--override-arch=amd64",
        "--dest-compress",
        "--dest-compress-format=gzip",
    ]
    run("skopeo", "copy", "--quiet", *options, f"docker://{reference}", f"dir:{copy}")
    run("skopeo", "copy", "--quiet", f"dir:{copy}", f"oci:{layout}:it")
    run("umoci", "unpack", "--image", f"{layout}:it", str(folder / "bundle"))
    return folder / "bundle/rootfs"


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)


Row = tuple[str, int, int, int, int, object, object]


def rows_of_disk(top: Path) -> dict[str, Row]:
    """path -> (kind, mode, uid, gid, mtime, content, attributes); links name their first path."""
    rows: dict[str, Row] = {}
    firsts: dict[tuple[int, int], str] = {}

    def walk(folder: Path) -> None:
        for place in sorted(folder.iterdir(), key=lambda path: os.fsencode(path.name)):
            path, status = str(place.relative_to(top)), place.lstat()
            first = firsts.setdefault((status.st_dev, status.st_ino), path)
            kind = stat.S_IFMT(status.st_mode)
            if first != path:
                rows[path] = ("link", 0, 0, 0, 0, first, ())
                continue
            names = sorted(os.listxattr(place, follow_symlinks=False))
            xattrs = tuple((name, os.getxattr(place, name, follow_symlinks=False)) for name in names)
            content: object = None
            if kind == stat.S_IFREG:
                content = place.read_bytes()
            elif kind == stat.S_IFLNK:
                content = os.readlink(place)
            elif kind == stat.S_IFCHR:
                content = (os.major(status.st_rdev), os.minor(status.st_rdev))
            mode = stat.S_IMODE(status.st_mode)
            rows[path] = (
                KINDS[kind],
                mode,
                status.st_uid,
                status.st_gid,
                int(status.st_mtime),
                content,
                xattrs,
            )
            if kind == stat.S_IFDIR:
                walk(place)

    walk(top)
    return rows


KINDS = {
    stat.S_IFREG: "FILE",
    stat.S_IFDIR: "DIRECTORY",
    stat.S_IFLNK: "SYMLINK",
    stat.S_IFCHR: "CHAR",
    stat.S_IFIFO: "FIFO",
}


def row(entry: Entry) -> Row:
    if entry.kind is Kind.HARDLINK:
        return ("link", 0, 0, 0, 0, os.fsdecode(entry.target), ())
    content: object = None
    if entry.kind is Kind.FILE:
        content = b""
        if entry.open is not None:
            with os.fdopen(entry.open(), "rb") as file:
                content = file.read(entry.size)
    elif entry.kind is Kind.SYMLINK:
        content = os.fsdecode(entry.target)
    elif entry.kind is Kind.CHAR:
        content = entry.device
    xattrs = tuple((os.fsdecode(name), value) for name, value in entry.xattrs)
    return (entry.kind.name, entry.mode, entry.uid, entry.gid, entry.mtime, content, xattrs)


def our_rows(reference: str, folder: Path) -> dict[str, Row]:
    blobs = Blobs(folder / "blobs")
    lock = resolve_image(Image(reference=reference), "amd64", (), Supply(blobs=blobs))
    assert isinstance(lock.source, ImageSource)
    return {os.fsdecode(entry.path): row(entry) for entry in image_entries(lock.source, "amd64", blobs)}


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_the_tree_is_that_of_skopeo_and_umoci(registry: str, tmp_path: Path, form: str) -> None:
    files: dict[str, bytes] = {}
    tars = [make_tar(layer) for layer in special_layers()]
    dice = random.Random(1)
    tars += [make_tar(random_layer(dice, number)) for number in range(117)]
    items = [
        make_image(files, [(make_tar([member("arm")]), "gzip")], "arm64"),
        make_image(files, [(tar, form) for tar in tars], "amd64"),
    ]
    push(registry, "team/base", files, "v1", make_index(files, items))
    reference = f"{registry}/team/base:v1"
    ours, theirs = our_rows(reference, tmp_path), rows_of_disk(unpack_elsewhere(reference, tmp_path))
    assert list(ours) == list(theirs)
    assert {path: (ours[path], theirs[path]) for path in ours if ours[path] != theirs[path]} == {}
    assert ours["b-again"][5] == b"first"


def test_an_archive_and_the_image_made_of_it_become_the_same_system(
    registry: str, tmp_path: Path, wslimg: Wslimg
) -> None:
    members = [folder(name) for name in FOLDERS]
    contents = {path: file for package in tiny_packages() for path, file in package.files.items()}
    for path, (mode, data) in sorted(contents.items()):
        members.append(member(path, data=data, mode=mode))
    tar = make_tar(members)
    (tmp_path / "rootfs.tar.zst").write_bytes(zstandard.compress(tar))
    files: dict[str, bytes] = {}
    push(registry, "tiny", files, "1", make_index(files, [make_image(files, [(tar, "gzip")], "amd64")]))
    trees = []
    for name, source in (("tiny", "archive: rootfs.tar.zst"), ("tiny2", f"image: {registry}/tiny:1")):
        recipe = tmp_path / f"{name}.yaml"
        recipe.write_text(RECIPE.format(name=name, source=source))
        wslimg("build", recipe, "--out", tmp_path / "dist")
        wslimg("build", recipe, "--out", tmp_path / "again", "--locked", cache=tmp_path / "cache")
        image = f"{name}_1_amd64.wsl"
        assert (tmp_path / "dist" / image).read_bytes() == (tmp_path / "again" / image).read_bytes()
        listed = subprocess.run(
            ["bsdtar", "-tvf", tmp_path / "dist" / image], capture_output=True, text=True, check=True
        ).stdout
        trees.append([line.split()[8:] for line in listed.splitlines()])
    assert trees[0] == trees[1]
    assert ["opt/made"] in trees[0]


FOLDERS = (
    "etc",
    "root",
    "usr",
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "opt",
    "tmp",
    "proc",
    "sys",
    "dev",
    "run",
    "var",
    "mnt",
)
RECIPE = """\
schema: 1
name: {name}
version: "1"
source: {{{source}}}
steps:
- run: echo made > /opt/made
first_run: {{mode: none}}
wsl: {{systemd: false}}
"""
