"""Verified files of a distribution's archives: release files, indexes, packages."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.events import Note, Sink
from builder.core.http import Http, NotFoundError, UnreachableError, without_login
from builder.core.meter import Meter
from builder.core.threads import thread_pool
from builder.model.lock import Package
from builder.sources.debian.apt_conf import host_route, host_sources
from builder.sources.debian.distributions import Distribution
from builder.sources.debian.mirrors import Addresses, choose_addresses
from builder.sources.debian.os_release import host_distribution

_CONNECTIONS = 8
_T = TypeVar("_T")


class Archives:
    """The archives of a distribution through their mirrors. Any number of threads may use one."""

    def __init__(self, addresses: tuple[Addresses, ...], http: Http, blobs: Blobs, sink: Sink) -> None:
        self.http = http
        self.blobs = blobs
        self.sink = sink
        self.addresses = addresses
        self._urls = {each.role.name: each.urls for each in addresses}
        self._dead: set[str] = set()

    def where(self, archive: str, path: str) -> str:
        """The address of `path` to show in messages."""
        return without_login(f"{self._bases(archive)[0]}/{path}")

    def read(self, archive: str, path: str, *, limit: int) -> bytes:
        """The unverified content of a file of at most `limit` bytes."""
        return self._first(archive, lambda base: self.http.read(f"{base}/{path}", limit=limit))

    def store(
        self,
        archive: str,
        path: str,
        *,
        digest: str,
        size: int,
        seen: Callable[[int], None] = lambda _count: None,
    ) -> Path:
        """The file with this digest as a blob, downloaded unless it is there. `seen` is told its bytes."""
        if self.blobs.has(digest, size):
            seen(size)
            return self.blobs.path(digest)
        return self._first(archive, lambda base: self._download(f"{base}/{path}", digest, size, seen))

    def _download(self, url: str, digest: str, size: int, seen: Callable[[int], None]) -> Path:
        count = 0

        def counted(chunks: Iterator[bytes]) -> Iterator[bytes]:
            nonlocal count
            for chunk in chunks:
                count += len(chunk)
                seen(len(chunk))
                yield chunk

        try:
            with closing(self.http.chunks(url)) as chunks:
                return self.blobs.add(digest, size, counted(chunks), where=without_login(url))
        except ResolveError:
            seen(-count)
            raise

    def _first(self, archive: str, act: Callable[[str], _T]) -> _T:
        """The result of the first mirror that has one; the last one's error if none has."""
        bases = self._bases(archive)
        for base in bases[:-1]:
            try:
                return act(base)
            except ResolveError as error:
                self._leave(base, error)
        return act(bases[-1])

    def _bases(self, archive: str) -> tuple[str, ...]:
        urls = self._urls[archive]
        return tuple(url for url in urls[:-1] if url not in self._dead) + urls[-1:]

    def _leave(self, base: str, error: ResolveError) -> None:
        if isinstance(error, NotFoundError | UnreachableError) and base not in self._dead:
            self._dead.add(base)
        self.sink(Note(message=f"{without_login(base)} is not used: {error.message}"))


def open_archives(
    distribution: Distribution, *, mirror: str, snapshot: str, http: Http | None, blobs: Blobs, sink: Sink
) -> Archives:
    """The archives of `distribution` as seen from this machine.

    Its own apt sources count if it runs the same distribution. Without `http` one is made that knows the
    proxies and logins of its apt.
    """
    addresses = choose_addresses(
        distribution,
        mirror=mirror,
        snapshot=snapshot,
        environment=os.environ,
        sources=host_sources() if host_distribution() == distribution.name else (),
    )
    return Archives(addresses, http or Http(route=host_route()), blobs, sink)


def fetch_packages(packages: Iterable[Package], archives: Archives) -> None:
    """Have every package as a verified blob. Reports Progress in bytes; raises ResolveError."""
    missing = [package for package in packages if not archives.blobs.has(package.sha256, package.size)]
    stop = threading.Event()
    meter = Meter("packages", sum(package.size for package in missing), archives.sink)

    def count(size: int) -> None:
        if stop.is_set():
            raise _StoppedError
        meter.add(size)

    def fetch(package: Package) -> None:
        try:
            archives.store(
                package.archive, package.path, digest=package.sha256, size=package.size, seen=count
            )
        except NotFoundError as error:
            raise _gone(package, error) from error

    with thread_pool(_CONNECTIONS, "download", wait=True) as pool:
        try:
            tasks = [pool.submit(fetch, each) for each in sorted(missing, key=lambda each: -each.size)]
            for task in tasks:
                task.result()
        except BaseException:
            stop.set()
            raise


class _StoppedError(Exception):
    """A download ends because another one failed, or was interrupted."""


def _gone(package: Package, error: NotFoundError) -> ResolveError:
    return ResolveError(
        f"the archive no longer has {package.name} {package.version}",
        where=error.where,
        fix="take the current version with `wslimg lock RECIPE --update`; or build from an old state: "
        "a mirror or `snapshot` that has this one, or a bundle that `wslimg fetch` made in time",
    )
