from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.events import discard
from builder.model.lock import ArchitectureLock, BootstrapSource, Facts, Lock, Package, StepPackages
from builder.resolve.bundle import read_bundle_lock, unpack_bundle, write_bundle

FILES = {"git": b"git" * 1000, "curl": b"curl", "empty": b""}


def package(name: str) -> Package:
    data = FILES[name]
    return Package(
        name=name,
        version="1.0",
        architecture="amd64",
        archive="debian",
        path=f"pool/{name}.deb",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


@pytest.fixture
def locked() -> ArchitectureLock:
    source = BootstrapSource(
        distribution="debian", suite="trixie", releases=(), indexes=(), packages=(package("git"),)
    )
    step = StepPackages(step=0, packages=(package("curl"), package("empty")))
    return ArchitectureLock(time=1, facts=Facts(family="debian", os_release={}), source=source, steps=(step,))


@pytest.fixture
def bundle(tmp_path: Path, locked: ArchitectureLock) -> Path:
    blobs = Blobs(tmp_path / "online")
    for data in FILES.values():
        blobs.add(hashlib.sha256(data).hexdigest(), len(data), [data], where="here")
    path = tmp_path / "all.bundle"
    lock = Lock(inputs={}, architectures={"amd64": locked, "arm64": locked})
    assert write_bundle(path, lock, blobs, discard) == path.stat().st_size
    return path


def refusal(path: Path, locked: ArchitectureLock, folder: Path) -> str:
    with pytest.raises(ResolveError) as caught:
        read_bundle_lock(path)
        unpack_bundle(path, locked, Blobs(folder), discard)
    assert not list(folder.rglob("*.part"))
    return str(caught.value)


def rewrite(bundle: Path, change: dict[str, bytes | None]) -> None:
    """Replace the content of members, or leave them out."""
    buffer = io.BytesIO()
    with tarfile.open(bundle) as old, tarfile.open(fileobj=buffer, mode="w") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            data = change.get(member.name, file.read())
            if data is not None:
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))
    bundle.write_bytes(buffer.getvalue())


def blob_name(name: str) -> str:
    return f"blobs/{package(name).sha256}"


def test_a_bundle_brings_its_lock_and_every_file_once(
    bundle: Path, locked: ArchitectureLock, tmp_path: Path
) -> None:
    assert read_bundle_lock(bundle).architectures["amd64"] == locked
    blobs = Blobs(tmp_path / "offline")
    unpack_bundle(bundle, locked, blobs, discard)
    assert {name: blobs.path(package(name).sha256).read_bytes() for name in FILES} == FILES
    with tarfile.open(bundle) as tar:
        assert tar.getnames() == ["lock", *sorted(map(blob_name, FILES))]


def test_what_is_missing_is_named(bundle: Path, locked: ArchitectureLock, tmp_path: Path) -> None:
    rewrite(bundle, {blob_name("git"): None, blob_name("curl"): None})
    message = refusal(bundle, locked, tmp_path / "offline")
    assert "all.bundle: lacks " in message
    assert "git 1.0" in message
    assert "curl 1.0" in message
    assert "wslimg fetch" in message
    assert not (tmp_path / "offline").exists()


def test_a_changed_file_is_refused_by_name(bundle: Path, locked: ArchitectureLock, tmp_path: Path) -> None:
    rewrite(bundle, {blob_name("git"): FILES["git"].replace(b"g", b"j", 1)})
    message = refusal(bundle, locked, tmp_path / "offline")
    assert f"{blob_name('git')} (git 1.0): has 3000 bytes with sha256" in message
    assert "copy the bundle again" in message


@pytest.mark.parametrize("length", [0, 100, 600, 2000, 4000])
def test_half_a_bundle_is_refused(
    bundle: Path, locked: ArchitectureLock, tmp_path: Path, length: int
) -> None:
    bundle.write_bytes(bundle.read_bytes()[:length])
    assert "is not a bundle" in refusal(bundle, locked, tmp_path / "offline")


def test_other_files_are_no_bundles(bundle: Path, locked: ArchitectureLock, tmp_path: Path) -> None:
    rewrite(bundle, {"lock": None})
    assert "does not begin with a lock" in refusal(bundle, locked, tmp_path / "offline")
    rewrite(bundle, {blob_name("curl"): None})
    assert "there is no such bundle" in refusal(tmp_path / "none", locked, tmp_path / "offline")


def test_a_lock_of_another_version_is_named(bundle: Path, locked: ArchitectureLock, tmp_path: Path) -> None:
    rewrite(bundle, {"lock": b'{"schema": 2}'})
    message = refusal(bundle, locked, tmp_path / "offline")
    assert "all.bundle: lock: is not a lock that this version reads: schema" in message


def test_an_interrupted_bundle_is_not_there(tmp_path: Path, locked: ArchitectureLock) -> None:
    with pytest.raises(FileNotFoundError):
        write_bundle(
            tmp_path / "half", Lock(inputs={}, architectures={"amd64": locked}), Blobs(tmp_path), discard
        )
    assert list(tmp_path.iterdir()) == []
