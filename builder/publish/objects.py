"""A catalog in a bucket: Amazon S3 and what works alike, Azure Blob Storage, Google Cloud Storage.

obstore speaks with all of them; it has to be installed (`pip install 'wslimg[cloud]'`).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from builder.publish.claims import is_claim, locked, put_claimed
from builder.publish.content import cache_control, content_type
from builder.publish.counted import CountedFile
from builder.publish.objects_errors import explain, is_about_bucket, is_cut, is_unsupported
from builder.publish.target import Capabilities, ConflictError, Count, Info, MissingError

if TYPE_CHECKING:
    from obstore import Attributes, PutMode
    from obstore.store import ObjectStore

_PIECE = 1 << 20
_PART = 1 << 23
_PARTS = 9_000
"""Below the 10,000 parts that an upload to S3 may have."""
_AT_ONCE = 4
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_CONFLICTS = (AlreadyExistsError, PreconditionError)


class ObjectTarget:
    """Objects in `store`, which begins where the catalog does; `kind` is s3, az or gs.

    Whether the service honours conditions is tried once: some ignore them without a word. Where it does not,
    writers exclude one another by claims, for which listings have to show what was written before.
    """

    def __init__(self, store: ObjectStore, kind: str, place: str) -> None:
        self._store, self._kind, self._place = store, kind, place

    @property
    def place(self) -> str:
        """The address."""
        return self._place

    def capabilities(self) -> Capabilities:
        """Conditions hold, through claims if need be."""
        return Capabilities(conditional=True)

    def stat(self, path: str) -> Info | None:
        """ETag and generation are the tag: Google compares the latter."""
        try:
            with self._clear(path):
                meta = obstore.head(self._store, path)
        except MissingError:
            return None
        return Info(
            size=meta["size"],
            modified=meta["last_modified"].timestamp(),
            tag=f"{meta['e_tag'] or ''} {meta['version'] or ''}",
        )

    def get(self, path: str) -> bytes:
        """In one request, which is repeated if it breaks: some servers cut what is just being replaced."""
        with self._clear(path):
            for pause in _PAUSES:
                try:
                    return obstore.get(self._store, path).bytes().to_bytes()
                except BaseError as error:
                    if not is_cut(str(error)):
                        raise
                time.sleep(pause)
            return obstore.get(self._store, path).bytes().to_bytes()

    def chunks(self, path: str) -> Iterator[bytes]:
        """Pieces of about 1 MiB; obstore goes on where a transfer breaks."""
        with self._clear(path):
            for piece in obstore.get(self._store, path).stream(min_chunk_size=_PIECE):
                yield bytes(piece)

    def put_file(self, path: str, source: Path, count: Count) -> None:
        """In parts where it is big; it is there when the last has arrived, and not at all before."""
        size = source.stat().st_size
        if size <= _PART:
            self._put(path, source.read_bytes(), "overwrite")
            count(size)
            return
        part = max(_PART, size // _PARTS + 1)
        with CountedFile(source, count) as file, self._clear(path, writes=True):
            # An iterator, since what a file raises, such as an interruption, arrives as another error.
            parts = iter(lambda: file.read(part), b"")
            obstore.put(
                self._store,
                path,
                parts,
                attributes=_describe(path),
                chunk_size=part,
                max_concurrency=_AT_ONCE,
            )

    def put_bytes(self, path: str, data: bytes, *, if_match: str = "", if_absent: bool = False) -> None:
        """With a condition of the service, or while nobody else has a claim."""
        if not if_match and not if_absent:
            self._put(path, data, "overwrite")
        elif self._honours_conditions:
            self._put(path, data, _condition(if_match))
        else:
            put_claimed(self, path, data, if_match)

    def list(self, prefix: str) -> tuple[str, ...]:
        """As the service lists them, without claims. Some list twice what is just being replaced."""
        with self._clear(prefix, writes=True):
            paths = {meta["path"] for some in obstore.list(self._store, prefix) for meta in some}
        return tuple(sorted(path for path in paths if is_claim(prefix) or not is_claim(path)))

    def delete(self, path: str) -> None:
        """Azure says when there was nothing to delete, others do not."""
        with suppress(MissingError), self._clear(path):
            obstore.delete(self._store, path)

    def lock(self, path: str) -> AbstractContextManager[None]:
        """A file, written while nobody else has a claim."""
        return locked(self, path)

    def _put(self, path: str, data: bytes, mode: PutMode) -> None:
        with self._clear(path, writes=True):
            obstore.put(self._store, path, data, attributes=_describe(path), mode=mode)

    @cached_property
    def _honours_conditions(self) -> bool:
        """Whether writes are refused whose conditions do not hold: that there is nothing, that there is
        something else, and that there is something at all (old MinIO did not look: minio/minio#21526)."""
        path = f"probe-{secrets.token_hex(8)}"
        other = _condition('"0" 1')
        try:
            if not self._refuses(path, other):
                return False
            self._put(path, b"1", "overwrite")
            return self._refuses(path, "create") and self._refuses(path, other)
        finally:
            self.delete(path)

    def _refuses(self, path: str, mode: PutMode) -> bool:
        with self._clear(path, writes=True):
            try:
                obstore.put(self._store, path, b"2", mode=mode)
            except _CONFLICTS:
                return True
            except BaseError as error:
                if not is_unsupported(str(error)):
                    raise
        return False

    @contextmanager
    def _clear(self, path: str, *, writes: bool = False) -> Iterator[None]:
        """What the service refuses becomes one clear error. There is always room to write and a folder to
        list: what is missing then is the bucket."""
        where = f"{self._place}/{path}"
        try:
            yield
        except _CONFLICTS:
            raise ConflictError("was written by somebody else meanwhile", where=where) from None
        except FileNotFoundError as error:
            if writes or is_about_bucket(str(error)):
                raise explain(self._kind, "NoSuchBucket", self._place) from None
            raise MissingError("is not there", where=where) from None
        except BaseError as error:
            raise explain(self._kind, str(error), where) from None


def _describe(path: str) -> Attributes:
    return {"Content-Type": content_type(path), "Cache-Control": cache_control(path)}


def _condition(tag: str) -> PutMode:
    """That what is there has `tag`; "": that nothing is."""
    if not tag:
        return "create"
    e_tag, _, version = tag.rpartition(" ")
    return {"e_tag": e_tag, "version": version} if version else {"e_tag": e_tag}
