"""Catalogs in package managers that store any file: JFrog Artifactory (generic) and Sonatype Nexus (raw).

Both take PUT and DELETE and make folders themselves; each lists files by an interface of its own. Written
after their documentation: neither runs where wslimg is tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlencode

from builder.core.errors import PublishError, UsageError
from builder.core.http import Answer
from builder.publish.web_connection import Connection
from builder.publish.web_files import WebFiles


class ArtifactoryTarget(WebFiles):
    """A folder of a generic repository, `https://HOST/artifactory/REPOSITORY/FOLDER`.

    Folders are listed one by one ("Folder Info"): a deep "File List" needs a licence.
    """

    checksum_header = "X-Checksum-Sha256"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        server, middle, rest = connection.url.partition("/artifactory/")
        if not rest:
            raise _wrong_address(connection, "https://HOST/artifactory/REPOSITORY/FOLDER")
        self._storage = f"{server}{middle}api/storage/{rest}"

    def find(self, prefix: str) -> Iterator[str]:
        """Folder by folder."""
        folders = [prefix]
        while folders:
            folder = folders.pop()
            answer = self.connection.send_to(f"{self._storage}/{quote(folder)}".rstrip("/"))
            if answer.status == 404:
                continue
            self.connection.require(answer, 200)
            for child in read_rows(answer, "children", "uri", "folder"):
                path = folder + unquote(str(child["uri"])).strip("/")
                if child["folder"] in (True, "true"):
                    folders.append(f"{path}/")
                else:
                    yield path


class NexusTarget(WebFiles):
    """A folder of a raw repository, `https://HOST/repository/REPOSITORY/FOLDER`, whose deployment policy
    lets files be replaced. All assets of the repository are listed ("Assets API"), in pages."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        server, _, rest = connection.url.partition("/repository/")
        self._repository, _, folder = rest.partition("/")
        if not self._repository:
            raise _wrong_address(connection, "https://HOST/repository/REPOSITORY/FOLDER")
        self._folder = f"{unquote(folder)}/" if folder else ""
        self._assets = f"{server}/service/rest/v1/assets"

    def find(self, prefix: str) -> Iterator[str]:
        """From the pages of assets."""
        wanted = self._folder + prefix
        query = {"repository": unquote(self._repository)}
        while True:
            answer = self.connection.require(
                self.connection.send_to(f"{self._assets}?{urlencode(query)}"), 200
            )
            for asset in read_rows(answer, "items", "path"):
                path = str(asset["path"]).lstrip("/")
                if path.startswith(wanted):
                    yield path.removeprefix(self._folder)
            token = json.loads(answer.body).get("continuationToken")
            if not token:
                return
            query["continuationToken"] = token


def read_rows(answer: Answer, key: str, *names: str) -> list[dict[str, object]]:
    """The objects under `key` of a JSON answer ("" for the answer itself), each of which has `names`. Raises
    PublishError for anything else: what answers is no such server."""
    try:
        value = json.loads(answer.body)
        rows = value[key] if key else value
        if all(name in row for row in rows for name in names):
            return list(rows)
    except (ValueError, KeyError, TypeError):
        pass
    raise PublishError(
        "the server's listing cannot be read",
        where=answer.url,
        fix="check that TARGET names the right kind of server",
    )


def _wrong_address(connection: Connection, shape: str) -> UsageError:
    return UsageError("is no address of a repository", where=connection.place, fix=f"it has the form {shape}")
