"""The source of Dockerfiles, on an engine that has what a test says."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import ValidationError

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.events import Sink
from builder.model.images import BuiltImage, ImageBuild, ImageStore, LocalImage
from builder.model.lock import ArchitectureLock, DockerfileSource
from builder.sources.dockerfile import Dockerfile, fetch_dockerfile, find_change, resolve_dockerfile
from builder.sources.image import Image, fetch_image, image_entries, resolve_image
from builder.sources.source import Supply

from .oci.layers import content, file, make_tar

SECRET = "open-sesame"
BASE = ("docker.io/library/debian:trixie", "b" * 64)
LOWER = make_tar(
    [file("etc/os-release", b"ID=debian\n"), file("etc/passwd", b"app:x:1000:1000::/:/bin/sh\n")]
)


@dataclass
class Engine:
    """An engine that has one image, in the layout of either generation, and remembers what it was asked."""

    layers: tuple[bytes, ...] = (LOWER,)
    layout: bool = False
    architecture: str = "amd64"
    asked: list[ImageBuild] = field(default_factory=list)
    where: str = "unix:///engine"

    @property
    def digests(self) -> list[str]:
        return [hashlib.sha256(layer).hexdigest() for layer in self.layers]

    @property
    def id(self) -> str:
        return hashlib.sha256(json.dumps(self.digests).encode()).hexdigest()

    def find_image(self, reference: str) -> LocalImage | None:
        if reference not in (f"sha256:{self.id}", "team/base:1"):
            return None
        configuration = {
            "architecture": self.architecture,
            "os": "linux",
            "created": "2026-01-02T03:04:05.678901234Z",
            "config": {"Env": ["A=b"], "User": "1000"},
            "rootfs": {"diff_ids": [f"sha256:{each}" for each in self.digests]},
        }
        return LocalImage(id=self.id, configuration=json.dumps(configuration).encode())

    def save_image(self, reference: str) -> Iterator[bytes]:
        out = io.BytesIO()
        names = "blobs/sha256/{}" if self.layout else "{}/layer.tar"
        members = {names.format(digest): data for digest, data in zip(self.digests, self.layers, strict=True)}
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, data in {**members, "blobs/sha256/" + "c" * 64: b"{}", "manifest.json": b"[]"}.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        yield out.getvalue()

    def build_image(self, build: ImageBuild, sink: Sink) -> BuiltImage:
        self.asked.append(build)
        return BuiltImage(id=f"sha256:{self.id}", bases=(BASE,))


@dataclass
class Place:
    """A folder with a Dockerfile, and an engine that builds it."""

    folder: Path
    engine: Engine = field(default_factory=Engine)

    def supply(self, cache: str = "cache") -> Supply:
        def images() -> AbstractContextManager[ImageStore]:
            return nullcontext(self.engine)

        return Supply(blobs=Blobs(self.folder.parent / cache), folder=self.folder, images=images)

    def resolve(self, **fields: object) -> ArchitectureLock:
        source = Dockerfile.model_validate({"context": ".", **fields})
        return resolve_dockerfile(source, "amd64", (), self.supply())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM debian:trixie\n")
    return Place(folder)


@pytest.mark.parametrize("layout", [False, True])
def test_what_the_engine_built_becomes_the_base(place: Place, layout: bool) -> None:
    place.engine = Engine(layers=(LOWER, make_tar([file("opt/app", b"v1")])), layout=layout)
    lock = place.resolve(target="run", args={"V": "1"}, network="none")
    assert isinstance(lock.source, DockerfileSource)
    tree = {entry.path: entry for entry in image_entries(lock.source, "amd64", place.supply().blobs)}
    assert content(tree[b"opt/app"]) == b"v1"
    assert (lock.time, lock.source.user, lock.facts.family) == (1767323045, "app", "debian")
    assert [(base.reference, base.sha256) for base in lock.source.bases] == [BASE]
    (asked,) = place.engine.asked
    assert (asked.file, asked.target, asked.arguments) == ("Dockerfile", "run", (("V", "1"),))
    assert (asked.platform, asked.network) == ("linux/amd64", "none")


def test_secrets_go_to_the_engine_and_nowhere_else(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    (place.folder / "key").write_text(SECRET)
    lock = place.resolve(secrets={"a": "env:TOKEN", "b": "key"})
    (asked,) = place.engine.asked
    assert asked.secrets == (("a", SECRET.encode()), ("b", SECRET.encode()))
    assert [entry.path for entry in asked.context] == [b"Dockerfile"]
    assert SECRET not in repr(asked) and SECRET not in lock.model_dump_json()
    kept = [path.read_bytes() for path in (place.folder.parent / "cache").rglob("*") if path.is_file()]
    assert kept and not any(SECRET.encode() in data for data in kept)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"secrets": {"a": "env:GONE"}}, "the secret a is not there: GONE is not set\n  fix: export GONE"),
        ({"secrets": {"a": "gone"}}, "gone: the secret a cannot be read: No such file"),
        ({"file": "Other"}, "Other: does not exist"),
        ({"context": "gone"}, "gone: cannot be read: No such file"),
    ],
)
def test_what_is_missing_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], message: str
) -> None:
    monkeypatch.delenv("GONE", raising=False)
    with pytest.raises(ResolveError, match=message):
        place.resolve(**fields)
    assert place.engine.asked == []


@pytest.mark.parametrize("file", ["/etc/Dockerfile", "../Dockerfile"])
def test_a_dockerfile_lies_in_its_context(file: str) -> None:
    with pytest.raises(ValidationError, match="is not in the context, expected a path below it"):
        Dockerfile.model_validate({"context": ".", "file": file})


def test_an_image_for_another_architecture_is_refused(place: Place) -> None:
    place.engine.architecture = "arm64"
    with pytest.raises(ResolveError, match="is an image for linux/arm64, expected one for linux/amd64"):
        place.resolve()


def test_a_lock_is_followed_without_an_engine_while_its_layers_are_there(place: Place) -> None:
    lock = place.resolve()
    fetch_dockerfile(
        Dockerfile(context=Path()), lock, Supply(blobs=place.supply().blobs, folder=place.folder)
    )


def test_a_lock_is_followed_elsewhere_only_to_the_same_layers(place: Place) -> None:
    source, lock = Dockerfile(context=Path()), place.resolve()
    fetch_dockerfile(source, lock, place.supply("other"))
    assert len(place.engine.asked) == 1  # it was still there
    place.engine.layers = (LOWER, make_tar([file("log", b"at noon")]))
    fetch_dockerfile(source, lock, place.supply("other"))
    with pytest.raises(
        ResolveError, match=r"builds other layers than those of the lock.*\n  fix: `wslimg lock"
    ):
        place.engine.layers = (make_tar([file("log", b"at noon")]),)
        fetch_dockerfile(source, lock, place.supply("third"))


def test_a_context_that_changed_is_told(place: Place) -> None:
    source, lock = Dockerfile(context=Path()), place.resolve()
    assert find_change(source, lock, place.folder, ()) == ""
    (place.folder / "more").write_text("more\n")
    assert find_change(source, lock, place.folder, ()) == "the files of . changed since the lock was made"
    assert find_change(source, lock, place.folder, ("/**/more",)) == ""


def test_an_image_of_the_engine_is_taken_by_its_name(place: Place) -> None:
    source = Image(reference="docker-daemon:team/base:1")
    lock = resolve_image(source, "amd64", (), place.supply())
    assert lock.source.reference == "docker-daemon:team/base:1"  # type: ignore[union-attr] # it is an image
    fetch_image(source, lock, place.supply("other"))
    with pytest.raises(
        ResolveError, match="gone:1: is no image of the engine at unix:///engine\n  fix: `docker im"
    ):
        resolve_image(Image(reference="docker-daemon:gone:1"), "amd64", (), place.supply())


def test_a_registrys_settings_mean_nothing_to_an_engine() -> None:
    with pytest.raises(ValidationError, match="mirror has no meaning with an image of an engine"):
        Image(reference="docker-daemon:base:1", mirror="mirror.example.org")
