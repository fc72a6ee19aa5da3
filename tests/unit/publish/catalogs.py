"""Small catalogs in memory and on disk, and what wsl.exe makes of their lists."""

from __future__ import annotations

from pathlib import Path

from builder.core.digests import sha256_bytes
from builder.core.events import discard
from builder.model.catalog import Mark, Publication, Settings, StoredFile
from builder.publish.channel import Channel, describe_channel
from builder.publish.directory import DirectoryTarget
from builder.publish.layout import image_path
from builder.publish.publish import Job, publish, set_up
from builder.publish.render import render_list
from builder.publish.sign import Signer
from builder.publish.target import Target
from builder.publish.upload import LocalFile
from builder.wsl.lists import DistributionList, parse_list

BASE = "https://wsl.example.com/catalog"
TIME = "2026-01-02T03:04:05Z"


def publication(
    version: str, *, flavor: str = "dev", architecture: str = "amd64", data: bytes = b"", **fields: object
) -> Publication:
    """An entry; the image's bytes are `data`, or follow from the names."""
    sha256 = sha256_bytes(data or f"{flavor} {version} {architecture}".encode())
    path = image_path(flavor, version, architecture, sha256)
    return Publication.model_validate(
        {
            "flavor": flavor,
            "version": version,
            "architecture": architecture,
            "name": f"{flavor}-{version}",
            "friendly_name": f"The {flavor}",
            "published": TIME,
            "image": StoredFile(path=path, size=len(data), sha256=sha256),
            **fields,
        }
    )


def channel(*publications: Publication, marks: tuple[Mark, ...] = (), default: str = "") -> Channel:
    settings = Settings(base_url=BASE, default=default)
    return Channel(name="stable", settings=settings, publications=publications, marks=marks)


def mark(kind: str, version: str, *, flavor: str = "dev", use: str = "") -> Mark:
    return Mark.model_validate(
        {"kind": kind, "flavor": flavor, "version": version, "use": use, "marked": TIME}
    )


def listed(state: Channel, *, full: bool = True) -> DistributionList:
    """The list of `state` as wsl.exe parses it from a file:// address, the strictest way."""
    return parse_list(render_list(describe_channel(state), state.settings.default, full=full), local=True)


def catalog(folder: Path) -> DirectoryTarget:
    """A new catalog on disk."""
    folder.mkdir(exist_ok=True)
    target = DirectoryTarget(folder)
    set_up(target, lambda before: before or Settings(base_url=BASE))
    return target


def add(
    target: Target, version: str, *, to: str = "stable", data: bytes = b"", signer: Signer | None = None,
    folder: Path, **fields: str,
) -> tuple[str, ...]:  # fmt: skip
    """Publish an image whose bytes are `data`, or follow from the version."""
    data = data or f"image {version} {fields}".encode()
    one = publication(version, data=data, **fields)
    source = folder / one.image.sha256
    source.write_bytes(data)
    job = Job(publication=one, files=(LocalFile(source=source, stored=one.image),))
    return publish(target, [job], to, signer, discard)
