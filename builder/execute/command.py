"""Exec -> ContainerSpec: what a build step sees besides the tree."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from builder.core.blobs import Blobs
from builder.core.errors import ExecuteError
from builder.execute.contents import read_secret
from builder.execute.layers.copy import copy_unchanged
from builder.model.operation import Exec, Input, Secret
from builder.model.surroundings import Surroundings
from builder.sandbox.spec import ContainerSpec, Mount, Root, bind, file

SURROUNDINGS = "/run/wslimg"
INPUTS = "/run/wslimg/inputs"
SECRETS = "/run/secrets"


@contextmanager
def container_for(
    exec_: Exec, root: Root, blobs: Blobs, caches: Path, surroundings: Surroundings
) -> Iterator[ContainerSpec]:
    """The container for `exec_` on `root`; its caches belong to it alone until the block ends."""
    with ExitStack() as stack:
        folders = [(path, stack.enter_context(_cache_folder(caches, path))) for path in sorted(exec_.caches)]
        yield ContainerSpec(
            root=root,
            argv=exec_.argv,
            env=tuple(sorted({**dict(surroundings.env), **dict(exec_.env)}.items())),
            cwd=exec_.cwd,
            user=exec_.user,
            network=exec_.network,
            mounts=(
                *(file(f"{SURROUNDINGS}/{name}", data, mode=0o444) for name, data in surroundings.files),
                *(_input_mount(part, blobs) for part in exec_.inputs),
                *(_secret_mount(part, exec_.user) for part in exec_.secrets),
                *(bind(folder, path, writable=True) for path, folder in folders),
            ),
        )


def _input_mount(part: Input, blobs: Blobs) -> Mount:
    target = f"{INPUTS}/{part.name}"
    content = part.content
    if content.data is not None:
        return file(target, content.data, mode=0o444)
    if content.path is not None:
        copy = BytesIO()
        copy_unchanged(content.path, content.digest, copy)
        return file(target, copy.getvalue(), mode=0o444)
    source = blobs.path(content.digest)
    if not source.is_file():
        raise ExecuteError(f"the input {part.name} is not there", where=str(source), fix="build again")
    return bind(source.absolute(), target)


def _secret_mount(secret: Secret, user: str) -> Mount:
    return file(f"{SECRETS}/{secret.name}", read_secret(secret), mode=0o400, owner=user)


@contextmanager
def _cache_folder(caches: Path, path: str) -> Iterator[Path]:
    """The folder that stands behind `path` of the image in every build, locked: its users, apt for one,
    do not expect company."""
    folder = caches / quote(path, safe="")
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(descriptor)
