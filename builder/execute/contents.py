"""The bytes of operations, verified when they are taken: contents of files, and secrets."""

from __future__ import annotations

import os
from functools import partial

from builder.core.blobs import Blobs
from builder.core.digests import sha256_bytes
from builder.core.errors import ExecuteError
from builder.core.files import atomic_file
from builder.execute.layers.copy import copy_unchanged
from builder.execute.memory import Stored
from builder.model.entry import Identity
from builder.model.operation import Content, Secret


def store_content(content: Content, blobs: Blobs) -> Stored:
    """Have `content` among `blobs`, where it stays as it is. Raises ExecuteError where a file is not what was
    planned, or a blob is not there."""
    if not content.size:
        return Stored(0, None, None)
    digest = content.digest if content.data is None else sha256_bytes(content.data)
    path = blobs.path(digest)
    if not blobs.has(digest, content.size):
        with atomic_file(path) as file:
            if content.data is not None:
                file.write(content.data)
            elif content.path is not None:
                copy_unchanged(content.path, digest, file)
            else:
                raise ExecuteError("is not there any more", where=str(path), fix="build again")
    opener = partial(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
    return Stored(content.size, opener, Identity(f"sha256:{digest}", b""))


def hold_bytes(data: bytes) -> Stored:
    """`data` as content that is in memory and nowhere else."""

    def open_memory() -> int:
        file = os.memfd_create("wslimg", os.MFD_CLOEXEC)
        with open(os.dup(file), "wb") as stream:
            stream.write(data)
        os.lseek(file, 0, os.SEEK_SET)
        return file

    return Stored(len(data), open_memory if data else None, None)


def read_secret(secret: Secret) -> bytes:
    """The content of `secret`. Raises ExecuteError."""
    try:
        return secret.path.read_bytes()
    except OSError as error:
        message = f"the secret {secret.name} cannot be read: {error.strerror}"
        raise ExecuteError(message, where=str(secret.path)) from error
