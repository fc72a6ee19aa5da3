"""The unpacked base: all packages in one pass, as a stream of entries with dpkg's database among them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from builder.core.blobs import Blobs
from builder.core.threads import thread_pool
from builder.model.entry import Entry
from builder.model.lock import BootstrapSource, Package
from builder.sources.debian.database import Unpacked, database_entries, make_unpacked, memory_file
from builder.sources.debian.deb import read_deb
from builder.sources.debian.image_sources import image_sources
from builder.sources.debian.marks import essential_closure, extended_states
from builder.sources.debian.placement import Placement
from builder.sources.debian.spool import spool_folder


def base_entries(source: BootstrapSource, architecture: str, blobs: Blobs) -> Iterator[Entry]:
    """The root file system of `source` with every package unpacked and none configured.

    Parents come before children, hard links last. The packages must be among `blobs`. They are unfolded
    into a folder beside the blobs that is gone when the iteration ends or is closed, so that memory stays
    flat; entries can be opened until then.
    """
    mtime = max(release.date for release in source.releases)
    with spool_folder(blobs.folder) as folder:
        packages = _read_all(source.packages, blobs, folder)
        yield from _place(source, packages, architecture, mtime).entries()


def _place(
    source: BootstrapSource, packages: tuple[Unpacked, ...], architecture: str, mtime: int
) -> Placement:
    placement = Placement(architecture)
    # base-files owns the top of the tree: its modes count, as it is the first that dpkg unpacks.
    essential = essential_closure(packages)
    for package in sorted(packages, key=lambda package: (package.name != "base-files", package.name)):
        placement.add(package, essential=package.name in essential)
    placement.lay(database_entries(packages, architecture, mtime))
    states = memory_file(b"var/lib/apt/extended_states", extended_states(packages, architecture), mtime=mtime)
    placement.lay([states, image_sources(source, placement.has, mtime)])
    return placement


def _read_all(packages: tuple[Package, ...], blobs: Blobs, folder: Path) -> tuple[Unpacked, ...]:
    """Every package, in the order of `packages`. Decompression leaves the interpreter, so threads do."""

    def read(package: Package) -> Unpacked:
        return make_unpacked(read_deb(blobs.path(package.sha256), folder / package.sha256))

    with thread_pool(os.cpu_count() or 1, "unpack", wait=True) as pool:
        # The largest first, so that none is left alone at the end.
        tasks = {each.name: pool.submit(read, each) for each in sorted(packages, key=lambda each: -each.size)}
        return tuple(tasks[name].result() for name in sorted(tasks))
