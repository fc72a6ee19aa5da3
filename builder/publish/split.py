"""A catalog in two places: images and entries here, what is derived from them there.

For stores that wsl.exe can download images from, but not lists: the addresses of lists must not change with
their content, and nothing on the way may keep old ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from builder.publish.layout import TRUTH
from builder.publish.target import Capabilities, Count, Info, Target


class SplitTarget:
    """Lists and pages are at `lists`, everything that they are made from at `images`.

    `lists_at` is what to call the former in the settings, without secrets. `images_url` is where anybody
    downloads images, "" if that does not follow from where they are.
    """

    def __init__(self, images: Target, lists: Target, *, lists_at: str, images_url: str = "") -> None:
        self._images, self._lists = images, lists
        self.lists_at, self.images_url = lists_at, images_url

    @property
    def place(self) -> str:
        """Where the images are."""
        return self._images.place

    def capabilities(self) -> Capabilities:
        """What holds in both places."""
        both = (self._images.capabilities(), self._lists.capabilities())
        return Capabilities(conditional=all(one.conditional for one in both))

    def stat(self, path: str) -> Info | None:
        """As the target of `path` says."""
        return self._of(path).stat(path)

    def get(self, path: str) -> bytes:
        """From the target of `path`."""
        return self._of(path).get(path)

    def chunks(self, path: str) -> Iterator[bytes]:
        """From the target of `path`."""
        return self._of(path).chunks(path)

    def put_file(self, path: str, source: Path, count: Count) -> None:
        """To the target of `path`."""
        self._of(path).put_file(path, source, count)

    def put_bytes(self, path: str, data: bytes, *, if_match: str = "", if_absent: bool = False) -> None:
        """To the target of `path`."""
        self._of(path).put_bytes(path, data, if_match=if_match, if_absent=if_absent)

    def list(self, prefix: str) -> tuple[str, ...]:
        """Of both targets, if the folder may be in both."""
        targets = (self._of(prefix),) if prefix else (self._images, self._lists)
        return tuple(sorted(path for target in targets for path in target.list(prefix)))

    def delete(self, path: str) -> None:
        """At the target of `path`."""
        self._of(path).delete(path)

    def lock(self, path: str) -> AbstractContextManager[None]:
        """At the target of `path`."""
        return self._of(path).lock(path)

    def _of(self, path: str) -> Target:
        return self._images if path.startswith(TRUTH) else self._lists
