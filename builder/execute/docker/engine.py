"""The engine that has a container engine run the commands: a container for each, committed when it ends well.

Put and Remove are worked out here, on the tree in memory, and loaded as a layer of their own.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from builder.core.blobs import Blobs
from builder.core.digests import sha256_bytes, sha256_json
from builder.core.errors import ExecuteError
from builder.core.events import Sink
from builder.execute.command import INPUTS, SECRETS, SURROUNDINGS
from builder.execute.contents import hold_bytes, read_secret, store_content
from builder.execute.disk import lock_folder
from builder.execute.docker.build import build_image, wants_buildkit
from builder.execute.docker.connect import EngineClient, connect, explained
from builder.execute.docker.container import VOLUME, Setting, new_container
from builder.execute.docker.image import DOCKERFILE, FAILED, LABEL, Images, StoredLayer
from builder.execute.docker.local import find_local_image, is_podman
from builder.execute.docker.spool import open_spool
from builder.execute.docker.terminal import run_interactive
from builder.execute.engine import Layer, StepFailedError
from builder.execute.layers.put import put_entry
from builder.execute.memory import MemoryTree, Stored
from builder.execute.tail import Tail, describe_failure
from builder.model.entry import Entry, Kind
from builder.model.images import BuiltImage, ImageBuild, LocalImage
from builder.model.operation import Exec, PutEntry, Remove
from builder.model.surroundings import Surroundings
from builder.sandbox.accounts import find_account

_FAILED_FIX = (
    "`wslimg shell RECIPE --at failed --engine docker` opens a shell in the tree that the command left"
)
_SHELL = ("sh", "-c", "if command -v bash >/dev/null; then exec bash -l; else exec sh -l; fi")


class DockerEngine:
    """Runs operations on the engine of `client`. Layers stay there; what is read of them comes to `blobs`."""

    name = "docker"

    def __init__(self, client: EngineClient, cache: Path, blobs: Blobs) -> None:
        self._client = client
        self._where = client.address.url
        self._locks = cache / "docker"
        self._locks.mkdir(parents=True, exist_ok=True)
        self._held = lock_folder(self._locks, fcntl.LOCK_SH)  # so that nobody prunes meanwhile
        self._blobs = blobs
        self._images = Images(client, blobs)
        self._trees: dict[str, MemoryTree] = {}
        self.surroundings = Surroundings()

    def layer(self, key: str) -> Layer | None:
        """See Engine."""
        with explained(self._where):
            stored = self._images.find(key)
        return Layer(chain=stored.chain) if stored else None

    def base(self, key: str, entries: Callable[[], Iterable[Entry]]) -> Layer:
        """See Engine."""
        if (known := self.layer(key)) is not None:
            return known
        tree = self._new_tree(None)
        with open_spool(self._blobs.folder) as keep:
            for entry in entries():
                tree.add(keep(entry))
            return self._load(None, key, tree.entries())

    def put(self, parent: Layer, key: str, entries: Iterable[PutEntry]) -> Layer:
        """See Engine."""
        if (known := self.layer(key)) is not None:
            return known
        below = self._stored(parent)
        tree = self._new_tree(below)
        for entry in entries:
            put_entry(tree, entry)
        return self._load(below, key, tree.changes(self._tree(below)))

    def remove(self, parent: Layer, key: str, remove: Remove) -> Layer:
        """See Engine."""
        if (known := self.layer(key)) is not None:
            return known
        below = self._stored(parent)
        tree = self._new_tree(below)
        tree.remove(remove.patterns)
        return self._load(below, key, tree.changes(self._tree(below)))

    def run(self, parent: Layer, key: str, exec_: Exec, sink: Sink) -> Layer:
        """See Engine."""
        if (known := self.layer(key)) is not None:
            return known
        below, tail = self._stored(parent), Tail(sink)
        with (
            self._setting(exec_, below) as setting,
            explained(self._where),
            new_container(self._client.api, below.id, exec_, setting) as container,
        ):
            status = container.run(tail, stdin=exec_.stdin, timeout=exec_.timeout)
            if status:
                self._images.commit(container.id, below, key, setting.mask, repository=FAILED)
                failure = describe_failure(status, exec_.timeout, tail)
                raise StepFailedError(failure, fix=_FAILED_FIX, exit_status=status)
            self._images.commit(container.id, below, key, setting.mask)
        return Layer(chain=(*parent.chain, key))

    def read(self, layer: Layer, path: str) -> bytes | None:
        """See Engine."""
        return self._tree(self._stored(layer)).read(path)

    def entries(self, layer: Layer) -> Iterator[Entry]:
        """See Engine."""
        return self._tree(self._stored(layer)).entries()

    def fingerprint(self, layer: Layer) -> str:
        """See Engine."""
        return sha256_json([self.name, self._stored(layer).id])

    def shell(self, layer: Layer, *, failed: str = "", argv: tuple[str, ...] = ()) -> int:
        """See Engine."""
        stored = self._images.find(failed, repository=FAILED) if failed else self._stored(layer)
        if stored is None:
            raise ExecuteError("no failed step has left a tree under this key", where=failed)
        with explained(self._where):
            return run_interactive(self._client.api, stored.id, argv or _SHELL, self._network())

    def forget(self, keys: Iterable[str]) -> None:
        """See Engine."""
        with explained(self._where):
            for key in keys:
                self._images.forget(key)

    @property
    def where(self) -> str:
        """See ImageStore."""
        return self._where

    def find_image(self, reference: str) -> LocalImage | None:
        """See ImageStore."""
        with explained(self._where):
            return find_local_image(self._client.api, reference)

    def save_image(self, reference: str) -> Iterator[bytes]:
        """See ImageStore."""
        with explained(self._where):
            yield from self._client.api.get_image(reference)

    def build_image(self, build: ImageBuild, sink: Sink) -> BuiltImage:
        """See ImageStore."""
        with explained(self._where):
            buildkit = wants_buildkit(is_podman(self._client.version()))
            labels = {LABEL: DOCKERFILE}
            return build_image(self._client.api, build, labels, sink, buildkit=buildkit, where=self._where)

    def close(self) -> None:
        """See Engine."""
        self._trees.clear()
        self._client.close()
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _load(self, below: StoredLayer | None, key: str, entries: Iterable[Entry]) -> Layer:
        with explained(self._where):
            self._images.load(below, key, entries)
        return Layer(chain=(*(below.chain if below else ()), key))

    def _stored(self, layer: Layer) -> StoredLayer:
        with explained(self._where):
            stored = self._images.find(layer.key)
        if stored is None:
            raise ExecuteError(
                "the engine has lost a layer of this build", where=layer.key, fix="build again"
            )
        return stored

    def _new_tree(self, below: StoredLayer | None) -> MemoryTree:
        store = partial(store_content, blobs=self._blobs)
        return MemoryTree(store, self._tree(below) if below else None)

    def _tree(self, stored: StoredLayer) -> MemoryTree:
        """The tree of `stored`, which stays the same."""
        if stored.id not in self._trees:
            tree = self._new_tree(None)
            with explained(self._where):
                flattened = self._images.tree(stored)
            for entry in flattened.entries():
                tree.add(entry)
            self._trees = {stored.id: tree}  # the others were below it
        return self._trees[stored.id]

    @contextmanager
    def _setting(self, exec_: Exec, below: StoredLayer) -> Iterator[Setting]:
        """What `exec_` finds around it; its caches are its own until the block ends."""
        around = self._surroundings(exec_)
        files = (
            *(_file(f"{SURROUNDINGS}/{name}", hold_bytes(data)) for name, data in around.files),
            *(
                _file(f"{INPUTS}/{each.name}", store_content(each.content, self._blobs))
                for each in exec_.inputs
            ),
            *self._secrets(exec_, below),
        )
        with ExitStack() as stack:
            for path in sorted(exec_.caches):
                stack.callback(os.close, self._lock(path))
            yield Setting(
                env=tuple({**dict(around.env), **dict(exec_.env)}.items()),
                volumes=_volumes(files),
                files=(*_folders(files), *files),
                caches=tuple((path, _cache_name(path)) for path in sorted(exec_.caches)),
                network=self._network() if exec_.network else "none",
            )

    def _secrets(self, exec_: Exec, below: StoredLayer) -> Iterator[Entry]:
        if exec_.secrets:
            uid, gid = self._find_owner(exec_.user, self._tree(below))
            for secret in exec_.secrets:
                content = hold_bytes(read_secret(secret))
                yield _file(f"{SECRETS}/{secret.name}", content, 0o400)._replace(uid=uid, gid=gid)

    def _find_owner(self, user: str, tree: MemoryTree) -> tuple[int, int]:
        with tempfile.TemporaryDirectory() as etc:
            for name in ("passwd", "group"):
                Path(etc, name).write_bytes(tree.read(f"/etc/{name}") or b"")
            try:
                account = find_account(user, etc)
            except OSError as error:
                raise ExecuteError(str(error.strerror)) from error
        return account.uid, account.gid

    def _surroundings(self, exec_: Exec) -> Surroundings:
        """Those of a command with a network. Raises ExecuteError where the engine cannot reach them."""
        around = self.surroundings if exec_.network else Surroundings()
        if around.files and not self._is_local():
            raise ExecuteError(
                "packages come through a relay on this machine, which the engine cannot reach",
                where=self._where,
                fix="choose an engine of this machine: --engine sandbox, or DOCKER_HOST=unix://...",
            )
        return around

    def _network(self) -> str:
        """That of this machine, as with the sandbox, where the engine is this machine's."""
        return "host" if self._is_local() else "default"

    def _is_local(self) -> bool:
        return self._client.address.is_local

    def _lock(self, path: str) -> int:
        """A lock of the cache behind `path`: its users, apt for one, do not expect company."""
        folder = self._locks / _cache_name(path)
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = lock_folder(folder, fcntl.LOCK_EX)
        assert descriptor is not None, folder
        return descriptor


def open_docker(cache: Path, blobs: Blobs) -> DockerEngine:
    """The engine that is found (see `connect`). Raises ExecuteError."""
    return DockerEngine(connect(), cache, blobs)


def _file(path: str, content: Stored, mode: int = 0o444) -> Entry:
    size, opener, _ = content
    return Entry(path.strip("/").encode(), Kind.FILE, mode, size=size, open=opener)


def _volumes(files: tuple[Entry, ...]) -> tuple[str, ...]:
    """The volumes that `files` lie in."""
    return tuple(top for top in (SECRETS, SURROUNDINGS) if any(_lies_in(each, top) for each in files))


def _lies_in(entry: Entry, folder: str) -> bool:
    return entry.path.startswith(folder.strip("/").encode() + b"/")


def _folders(files: tuple[Entry, ...]) -> tuple[Entry, ...]:
    inputs = INPUTS.strip("/").encode()
    return (Entry(inputs, Kind.DIRECTORY, 0o755),) if any(_lies_in(each, INPUTS) for each in files) else ()


def _cache_name(path: str) -> str:
    """The volume that stands behind `path` of the image in every build."""
    return f"{VOLUME}{sha256_bytes(path.encode())[:16]}"
