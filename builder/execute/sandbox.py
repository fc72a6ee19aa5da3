"""The engine that needs no daemon: namespaces and overlayfs, as root or inside one user namespace."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from builder.core.blobs import Blobs
from builder.core.digests import sha256_json
from builder.core.errors import ExecuteError
from builder.core.events import Sink
from builder.execute.command import container_for
from builder.execute.engine import Layer, StepFailedError
from builder.execute.flat import flattened
from builder.execute.layers.form import copy_metadata
from builder.execute.layers.lay import lay_entries
from builder.execute.layers.merge import merge_layers
from builder.execute.layers.remove import remove_matches
from builder.execute.layers.unpack import unpack_entries
from builder.execute.layers.view import View, image_path
from builder.execute.store import Draft, Store
from builder.execute.tail import Tail, describe_failure
from builder.model.entry import Entry
from builder.model.operation import Exec, PutEntry, Remove
from builder.model.surroundings import Surroundings
from builder.sandbox.container import run_container
from builder.sandbox.spec import ContainerSpec, Root
from builder.sandbox.terminal import run_interactive

_FAILED_FIX = "`wslimg shell RECIPE --at failed` opens a shell in the tree that the command left"
_SHELL = ("sh", "-c", "if command -v bash >/dev/null; then exec bash -l; else exec sh -l; fi")


class SandboxEngine:
    """Runs operations on layers kept below `cache`; packages and other inputs come from `blobs`."""

    name = "sandbox"

    def __init__(self, cache: Path, blobs: Blobs, *, isolation: str = "namespaces") -> None:
        self._isolation = isolation
        self.store = Store(cache)
        self._caches = cache / "caches"
        self._blobs = blobs
        self.surroundings = Surroundings()

    def layer(self, key: str) -> Layer | None:
        """See Engine."""
        chain = self.store.find(key)
        return Layer(chain=chain) if chain else None

    def base(self, key: str, entries: Callable[[], Iterable[Entry]]) -> Layer:
        """See Engine."""
        return self._make(key, (), lambda draft: unpack_entries(os.fsencode(draft.diff), entries()))

    def put(self, parent: Layer, key: str, entries: Iterable[PutEntry]) -> Layer:
        """See Engine."""
        below = self._below(parent.chain)
        return self._make(
            key, parent.chain, lambda draft: lay_entries(os.fsencode(draft.diff), below, entries)
        )

    def remove(self, parent: Layer, key: str, remove: Remove) -> Layer:
        """See Engine."""
        below = self._below(parent.chain)
        return self._make(
            key, parent.chain, lambda draft: remove_matches(os.fsencode(draft.diff), below, remove.patterns)
        )

    def run(self, parent: Layer, key: str, exec_: Exec, sink: Sink) -> Layer:
        """See Engine."""
        return self._make(key, parent.chain, lambda draft: self._run(parent, key, exec_, sink, draft))

    def _run(self, parent: Layer, key: str, exec_: Exec, sink: Sink, draft: Draft) -> None:
        root, tail = self._root(parent.chain, draft), Tail(sink)
        around = self.surroundings if exec_.network else Surroundings()
        with (
            container_for(exec_, root, self._blobs, self._caches, around) as spec,
            self._isolated(spec, draft) as isolated,
        ):
            status = run_container(isolated, tail, stdin=exec_.stdin, timeout=exec_.timeout)
        if status != 0:
            self.store.keep_failed(draft, key, parent.chain)
            raise StepFailedError(
                describe_failure(status, exec_.timeout, tail), fix=_FAILED_FIX, exit_status=status
            )

    def _isolated(self, spec: ContainerSpec, draft: Draft) -> AbstractContextManager[ContainerSpec]:
        if self._isolation == "namespaces":
            return nullcontext(spec)
        return flattened(spec, draft)

    def _make(self, key: str, below: tuple[str, ...], fill: Callable[[Draft], None]) -> Layer:
        """The layer `key`, filled by `fill` unless another build has made it meanwhile."""
        with self.store.locked(key):
            chain = self.store.find(key)
            if chain is None:
                with self.store.draft() as draft:
                    self._start(draft, below)
                    fill(draft)
                    chain = self.store.publish(draft, key, below)
        return Layer(chain=chain)

    def _start(self, draft: Draft, below: tuple[str, ...]) -> None:
        """The root directory is part of every layer: it looks like the one below."""
        os.chmod(draft.diff, 0o755)  # noqa: S103 - whatever the umask is
        if below:
            root = os.fsencode(self.store.diff(below[-1]))
            copy_metadata(root, os.lstat(root), os.fsencode(draft.diff))

    def _below(self, chain: tuple[str, ...]) -> tuple[bytes, ...]:
        return tuple(os.fsencode(self.store.diff(key)) for key in reversed(chain))

    def _root(self, chain: tuple[str, ...], draft: Draft) -> Root:
        lower = tuple(str(self.store.diff(key)) for key in chain)
        return Root(lower=lower, upper=str(draft.diff), work=str(draft.work))

    def read(self, layer: Layer, path: str) -> bytes | None:
        """See Engine."""
        node = View(self._below(layer.chain)).find(image_path(path), follow=True)
        if node is None or not stat.S_ISREG(node.status.st_mode):
            return None
        return Path(os.fsdecode(node.places[0])).read_bytes()

    def entries(self, layer: Layer) -> Iterator[Entry]:
        """See Engine."""
        return merge_layers(tuple(map(self.store.listed, reversed(layer.chain))))

    def fingerprint(self, layer: Layer) -> str:
        """See Engine."""
        return sha256_json([self.store.filling(key) for key in layer.chain])

    def shell(self, layer: Layer, *, failed: str = "", argv: tuple[str, ...] = ()) -> int:
        """See Engine."""
        with self.store.draft() as draft:
            root = self._root(layer.chain, draft)
            if failed:
                root = self._failed_root(failed, draft)
            spec = ContainerSpec(root=root, argv=argv or _SHELL, env=_shell_env(), network=True)
            with self._isolated(spec, draft) as isolated:
                return run_interactive(isolated)

    def _failed_root(self, key: str, draft: Draft) -> Root:
        below = self.store.failed_chain(key)
        if below is None:
            raise ExecuteError("no failed step has left a tree", where=key[:12], fix="build once more")
        root = self._root(below, draft)
        return replace(root, lower=(*root.lower, str(self.store.failed_diff(key))))

    def forget(self, keys: Iterable[str]) -> None:
        """See Engine."""
        self.store.forget(keys)

    def close(self) -> None:
        """Let go of the layers, and keep the store below its default size."""
        self.store.close()
        self.store.prune()


def _shell_env() -> tuple[tuple[str, str], ...]:
    return (("TERM", os.environ.get("TERM", "dumb")),)
