"""Keeps layers on disk: `CACHE/layers/KEY/{diff,listing,meta.json}`, KEY the first 32 digits of the key.

A layer is written beside its place, in a directory whose lock its writer holds, and published by rename;
what a killed build left has no holder and is collected by the next one. Who uses a layer holds a shared
lock on its directory, so that nobody collects it meanwhile. A layer's last use is the time of meta.json.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from builder.core.errors import ExecuteError
from builder.core.files import write_atomic
from builder.execute.disk import (
    PART,
    full_disk_explained,
    is_at,
    lock_folder,
    remove_tree,
    remove_unused,
)
from builder.execute.layers.form import flavour
from builder.execute.layers.listing import Listed, list_layer, load_listing, save_listing

DEFAULT_LIMIT = 20 * 2**30
_FORMAT = 3
_KEY_DIGITS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What meta.json says of a layer: its full key, the chain up to it, and its size on disk in bytes.

    `filling` is random: a layer that is deleted and made again has the same key, but what a step on the
    network left in it may differ. What was remembered of the content is found by it, never by the key.
    """

    format: int
    key: str
    chain: tuple[str, ...]
    size: int
    filling: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """One layer or failed tree in the store. `last_used` is in seconds since the epoch."""

    folder: Path
    record: Record
    last_used: float
    failed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A layer being written: its content goes to `diff`; `work` is an empty directory beside it."""

    folder: Path
    lock: int

    @property
    def diff(self) -> Path:
        """What becomes the layer."""
        return self.folder / "diff"

    @property
    def work(self) -> Path:
        """Scratch space on the same file system; gone when the layer is published."""
        return self.folder / "work"


class Store:
    """The layers below `cache`. Any number of processes may use it at once."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._layers = cache / "layers"
        self._failed = cache / "failed"
        self._locks = cache / "locks"
        self._held: dict[str, int] = {}
        for folder in (self._layers, self._failed, self._locks):
            folder.mkdir(parents=True, exist_ok=True)
        self._check_flavour(cache)
        self.collect()

    def _check_flavour(self, cache: Path) -> None:
        """Layers of root and of a user namespace mark what they hide differently, and have other owners."""
        mark = cache / "layers.flavour"
        if not mark.exists():
            write_atomic(mark, flavour().encode())
        found = mark.read_text()
        if found != flavour():
            raise ExecuteError(
                "this cache was written "
                + ("by an ordinary user" if found == "user" else "by root")
                + ", whose layers cannot be shared",
                where=str(cache),
                fix="give root and ordinary users a cache folder each with WSLIMG_CACHE",
            )

    def close(self) -> None:
        """Let go of every layer."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def diff(self, key: str) -> Path:
        """Where the content of the layer `key` lies."""
        return self._folder(key) / "diff"

    def filling(self, key: str) -> str:
        """What tells the content of the layer `key` from that of one made earlier or later under this key."""
        record = _read_record(self._folder(key))
        assert record is not None, f"layer {key} is held, so it is there"
        return record.filling

    def listed(self, key: str) -> Listed:
        """What is in the layer `key`."""
        root = os.fsencode(self.diff(key))
        return Listed(self.filling(key), root, load_listing(self._folder(key) / "listing", root))

    def failed_diff(self, key: str) -> Path:
        """Where the tree that the failed step of `key` left lies."""
        return self._failed / key[:_KEY_DIGITS] / "diff"

    def failed_chain(self, key: str) -> tuple[str, ...] | None:
        """The chain below the failed tree of `key`, None if there is no such tree."""
        record = _read_record(self._failed / key[:_KEY_DIGITS])
        return record.chain[:-1] if record and record.key == key else None

    def _folder(self, key: str) -> Path:
        return self._layers / key[:_KEY_DIGITS]

    def find(self, key: str) -> tuple[str, ...] | None:
        """The chain of the published layer `key`, None unless all of it is there. It counts as used."""
        record = _read_record(self._folder(key))
        if record is None or record.key != key or not all(map(self._hold, record.chain)):
            return None
        for part in record.chain:
            os.utime(self._folder(part) / "meta.json")
        return record.chain

    def _hold(self, key: str) -> bool:
        """Keep the layer `key` from being collected while this store is open; whether it is there."""
        if key in self._held:
            return True
        descriptor = lock_folder(self._folder(key), fcntl.LOCK_SH)
        if descriptor is None:
            return False
        self._held[key] = descriptor
        return True

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Make `key` alone: who comes second waits, and then finds the layer."""
        path = self._locks / f"{key[:_KEY_DIGITS]}.lock"
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if is_at(descriptor, path):
                break
            os.close(descriptor)  # the one before us has removed it
        try:
            yield
        finally:
            path.unlink()
            os.close(descriptor)

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """A directory to write a layer in; unless it is published or kept it is gone after the block."""
        draft = self._new_draft()
        try:
            draft.diff.mkdir(mode=0o755)
            draft.work.mkdir()
            with full_disk_explained(self._layers):
                yield draft
        finally:
            remove_tree(draft.folder)
            os.close(draft.lock)

    def _new_draft(self) -> Draft:
        while True:
            folder = self._layers / f".{secrets.token_hex(8)}{PART}"
            folder.mkdir()
            lock = lock_folder(folder, fcntl.LOCK_EX)
            if lock is not None:  # else a collector came between
                return Draft(folder=folder, lock=lock)

    def publish(self, draft: Draft, key: str, below: tuple[str, ...]) -> tuple[str, ...]:
        """Make the draft the layer `key` on the chain `below`; its chain."""
        chain = (*below, key)
        self._finish(draft, key, chain, self._folder(key))
        remove_tree(self._failed / key[:_KEY_DIGITS])
        fcntl.flock(draft.lock, fcntl.LOCK_SH)
        self._held[key] = os.dup(draft.lock)
        return chain

    def keep_failed(self, draft: Draft, key: str, below: tuple[str, ...]) -> None:
        """Keep the tree that a failed step left, in place of an earlier one."""
        self._finish(draft, key, (*below, key), self._failed / key[:_KEY_DIGITS])

    def _finish(self, draft: Draft, key: str, chain: tuple[str, ...], place: Path) -> None:
        remove_tree(draft.work)
        listing, size = list_layer(os.fsencode(draft.diff))
        record = Record(
            format=_FORMAT,
            key=key,
            chain=chain,
            size=size + save_listing(draft.folder / "listing", listing),
            filling=secrets.token_hex(32),
        )
        write_atomic(draft.folder / "meta.json", json.dumps(asdict(record)).encode())
        remove_tree(place)
        draft.folder.rename(place)

    def forget(self, keys: Iterable[str]) -> None:
        """Delete layers and failed trees; what another build uses at this moment stays."""
        for key in keys:
            if key in self._held:
                os.close(self._held.pop(key))
            remove_unused(self._folder(key))
            remove_unused(self._failed / key[:_KEY_DIGITS])

    def usage(self) -> tuple[Usage, ...]:
        """All layers and failed trees, the longest unused first; of one age, what builds on others."""
        return list_usage(self._cache)

    def prune(self, limit: int = DEFAULT_LIMIT) -> int:
        """Delete what was unused longest until all takes at most `limit` bytes. Returns the bytes freed.

        What a running build uses stays.
        """
        uses, freed = self.usage(), 0
        excess = sum(use.record.size for use in uses) - limit
        for use in uses:
            if freed >= excess:
                break
            if remove_unused(use.folder):
                freed += use.record.size
        return freed

    def collect(self) -> None:
        """Delete what killed builds left half made, and what another version of wslimg wrote."""
        folders = sorted((*self._layers.iterdir(), *self._failed.iterdir()))
        for folder in folders:
            if folder.name.endswith(PART) or _read_record(folder) is None:
                remove_unused(folder)


def find_layers(cache: Path, keys: Iterable[str]) -> frozenset[str]:
    """Which of `keys` have a layer below `cache`; only looks, so that any user may ask at any time."""
    folder = cache / "layers"
    records = ((key, _read_record(folder / key[:_KEY_DIGITS])) for key in keys)
    return frozenset(key for key, record in records if record is not None and record.key == key)


def list_usage(cache: Path) -> tuple[Usage, ...]:
    """All layers and failed trees below `cache`, in the order of `Store.usage`; only looks, likewise."""
    found = [*_usage(cache / "layers", failed=False), *_usage(cache / "failed", failed=True)]
    return tuple(sorted(found, key=lambda use: (use.last_used, -len(use.record.chain), use.record.key)))


def _usage(parent: Path, *, failed: bool) -> Iterator[Usage]:
    for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
        record = _read_record(folder)
        if record is not None:
            with suppress(FileNotFoundError):
                last_used = (folder / "meta.json").stat().st_mtime
                yield Usage(folder=folder, record=record, last_used=last_used, failed=failed)


def _read_record(folder: Path) -> Record | None:
    try:
        fields = json.loads((folder / "meta.json").read_bytes())
    except FileNotFoundError:
        return None
    if fields.get("format") != _FORMAT:
        return None
    return Record(**{**fields, "chain": tuple(fields["chain"])})
