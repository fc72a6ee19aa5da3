"""A catalog in the generic package registry of a GitLab project.

A package holds any number of files of one name, of which GitLab hands out the newest; so whoever replaces
one deletes what it replaced. Paths with folders need GitLab 17.2 or newer (gitlab-org/gitlab!153449), and the
project must allow duplicates. Written after GitLab's documentation and lib/api/generic_packages.rb: no GitLab
runs where wslimg is tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlencode

from builder.core.errors import UsageError
from builder.publish.target import Info
from builder.publish.web_connection import Body, Connection
from builder.publish.web_files import WebFiles
from builder.publish.web_products import read_rows

_MIDDLE = "/packages/generic/"


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """A package file; `created` in seconds since the epoch. Newer ones have greater numbers."""

    package: int
    number: int
    path: str
    size: int
    created: float


class GitLabTarget(WebFiles):
    """The package `https://HOST/api/v4/projects/ID/packages/generic/PACKAGE/VERSION`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._project, _, rest = connection.url.partition(_MIDDLE)
        self._name, _, self._version = (unquote(part) for part in rest.partition("/"))
        if not self._version:
            raise UsageError(
                "is no address of a package",
                where=connection.place,
                fix=f"it has the form https://HOST/api/v4/projects/ID{_MIDDLE}PACKAGE/VERSION",
            )

    def stat(self, path: str) -> Info | None:
        """From the listing: a file may lie where no HEAD is answered. The tag is the file's number."""
        newest = max(self._named(path), key=lambda file: file.number, default=None)
        if newest is None:
            return None
        return Info(size=newest.size, modified=newest.created, tag=f"{newest.number} ")

    def find(self, prefix: str) -> set[str]:
        """Each path once."""
        return {file.path for file in self._files() if file.path.startswith(prefix)}

    def put(self, path: str, body: Body, headers: Mapping[str, str]) -> None:
        """A new file, then what it replaced goes."""
        super().put(path, body, headers)
        for old in sorted(self._named(path), key=lambda file: file.number)[:-1]:
            self._remove(old)

    def delete(self, path: str) -> None:
        """All files of that name."""
        for file in self._named(path):
            self._remove(file)

    def _remove(self, file: _File) -> None:
        address = f"{self._project}/packages/{file.package}/package_files/{file.number}"
        self.connection.require(self.connection.send_to(address, "DELETE"), 200, 202, 204, 404)

    def _named(self, path: str) -> list[_File]:
        return [file for file in self._files() if file.path == path]

    def _files(self) -> Iterator[_File]:
        query = {"package_type": "generic", "package_name": self._name}
        for package in self._pages("packages", query, "id", "name", "version"):
            if (package["name"], package["version"]) == (self._name, self._version):
                number = int(str(package["id"]))
                place = f"packages/{number}/package_files"
                for row in self._pages(place, {}, "id", "file_name", "size", "created_at"):
                    yield _File(
                        package=number,
                        number=int(str(row["id"])),
                        path=unquote(str(row["file_name"])),
                        size=int(str(row["size"])),
                        created=datetime.fromisoformat(str(row["created_at"])).timestamp(),
                    )

    def _pages(self, place: str, query: Mapping[str, str], *names: str) -> Iterator[dict[str, object]]:
        """The rows of all pages of a listing (REST API, "Pagination")."""
        page = "1"
        while page:
            address = f"{self._project}/{place}?{urlencode({**query, 'per_page': '100', 'page': page})}"
            answer = self.connection.require(self.connection.send_to(address), 200)
            yield from read_rows(answer, "", *names)
            page = answer.headers.get("x-next-page", "")
