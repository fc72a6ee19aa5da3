"""A catalog on anything that rclone can write to, by the name that `rclone config` gave it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from builder.core.digests import sha256_bytes
from builder.core.errors import UsageError
from builder.publish.claims import is_claim, locked, put_claimed
from builder.publish.content import cache_control
from builder.publish.rclone_daemon import Daemon, PassingError, RcloneError, daemon
from builder.publish.rclone_errors import explain
from builder.publish.target import Capabilities, Count, Info, MissingError

PREFIX = "rclone:"
_SMALL = 1 << 16
_PAUSE = 0.2
_PAUSES = (0.01, 0.05, 0.1, 0.2, 0.4, 0.8)
_PARTIAL = ".partial"
"""What rclone calls files that it has not finished, where storage has no other way (since 1.63)."""


class RcloneTarget:
    """Files below `rclone:REMOTE:PATH`. rclone knows no conditions: writers exclude one another by claims,
    for which listings of the storage have to show what was written before."""

    def __init__(self, address: str) -> None:
        self._remote = address.removeprefix(PREFIX).rstrip("/")
        if ":" not in self._remote and not self._remote.startswith("/"):
            raise UsageError("names no remote", where=address, fix="write rclone:REMOTE:PATH")

    @property
    def place(self) -> str:
        """The address; what follows a comma in it configures the remote and may be secret."""
        name, _, path = self._remote.rpartition(":")
        return f"{PREFIX}{name.partition(',')[0]}:{path}"

    def capabilities(self) -> Capabilities:
        """Conditions hold, through claims."""
        return Capabilities(conditional=True)

    def stat(self, path: str) -> Info | None:
        """Size, time and, of small files, the digest make the tag."""
        try:
            item = self._call("operations/stat", path, remote=path)["item"]
            if item is None or item["IsDir"]:
                return None
            digest = sha256_bytes(self.get(path)) if item["Size"] <= _SMALL else ""
        except MissingError:
            return None
        modified = datetime.fromisoformat(item["ModTime"]).timestamp()
        return Info(size=item["Size"], modified=modified, tag=f"{item['Size']} {item['ModTime']} {digest}")

    def get(self, path: str) -> bytes:
        """In one piece; lists and entries are small."""
        return b"".join(self.chunks(path))

    def chunks(self, path: str) -> Iterator[bytes]:
        """Pieces of at most 1 MiB. What is just being replaced is asked for again."""
        with self._clear(path) as rclone:
            for pause in _PAUSES:
                begun = False
                try:
                    for piece in rclone.read(self._remote, path):
                        begun = True
                        yield piece
                    return
                except PassingError:
                    if begun:
                        raise
                time.sleep(pause)
            yield from rclone.read(self._remote, path)

    def put_file(self, path: str, source: Path, count: Count) -> None:
        """As a job of rclone, which is asked how far it is."""
        with self._clear(path) as rclone:
            job = rclone.call("operations/copyfile", {**self._copy(path, source), "_async": True})["jobid"]
            try:
                done = _follow(rclone, job, count)
            except KeyboardInterrupt:
                rclone.call("job/stop", {"jobid": job})
                raise
            count(source.stat().st_size - done)

    def put_bytes(self, path: str, data: bytes, *, if_match: str = "", if_absent: bool = False) -> None:
        """With a condition, while nobody else has a claim."""
        if if_match or if_absent:
            put_claimed(self, path, data, if_match)
        else:
            self._put(path, data)

    def list(self, prefix: str) -> tuple[str, ...]:
        """Without claims and what is being uploaded."""
        options = {"recurse": True, "filesOnly": True, "noModTime": True, "noMimeType": True}
        try:
            found = self._call("operations/list", prefix, remote=prefix.rstrip("/"), opt=options)["list"]
        except MissingError:
            return ()
        paths = (item["Path"] for item in found or () if not item["Path"].endswith(_PARTIAL))
        return tuple(sorted(path for path in paths if is_claim(prefix) or not is_claim(path)))

    def delete(self, path: str) -> None:
        """Folders stay."""
        with suppress(MissingError):
            self._call("operations/deletefile", path, remote=path)

    def lock(self, path: str) -> AbstractContextManager[None]:
        """A file, written while nobody else has a claim."""
        return locked(self, path)

    def _put(self, path: str, data: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file, self._clear(path) as rclone:
            file.write(data)
            file.flush()
            # rclone names what it has not finished after size and time, which file systems round.
            os.utime(file.fileno(), ns=(now := time.time_ns(), now))
            rclone.call("operations/copyfile", self._copy(path, Path(file.name)))

    def _copy(self, path: str, source: Path) -> dict[str, Any]:
        whole = source.absolute()
        return {
            "srcFs": str(whole.parent),
            "srcRemote": whole.name,
            "dstFs": self._remote,
            "dstRemote": path,
            "_config": {"UploadHeaders": [{"Key": "Cache-Control", "Value": cache_control(path)}]},
        }

    def _call(self, command: str, path: str, **parameters: object) -> dict[str, Any]:
        with self._clear(path) as rclone:
            return rclone.call(command, {"fs": self._remote, **parameters})

    @contextmanager
    def _clear(self, path: str) -> Iterator[Daemon]:
        """rclone, whose complaints become one clear error."""
        try:
            yield daemon()
        except RcloneError as error:
            raise explain(str(error), f"{self.place}/{path}") from None


def _follow(rclone: Daemon, job: int, count: Count) -> int:
    """Tell `count` what is sent until `job` is done, and return how much that was. Raises RcloneError."""
    done = 0
    while True:
        state = rclone.call("job/status", {"jobid": job})
        sent = int(rclone.call("core/stats", {"group": f"job/{job}"}).get("bytes", 0))
        count(sent - done)
        done = sent
        if state["finished"]:
            break
        time.sleep(_PAUSE)
    if not state["success"]:
        raise RcloneError(state["error"])
    return done
