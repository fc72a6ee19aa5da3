"""What wsl.exe does over HTTP: no login, no cookie, no range; redirects are followed, hashes compared.

Sources: microsoft/WSL src/windows/common/Distribution.cpp:ReadFromManifest (lists) and
src/windows/common/wslutil.cpp:DownloadFileImpl (images).
"""

from __future__ import annotations

import hashlib
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from builder.wsl.lists import DistributionList, Version, parse_list
from builder.wsl.lookup import Available, find_defect, look_up, make_available, rows_online

_AGENT = {"User-Agent": "wsl-install"}
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class BadDigestError(Exception):
    """TRUST_E_BAD_DIGEST: the file is not what the list says."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """A machine whose registry has the address `url` as DistributionListUrl, and perhaps one to append."""

    url: str
    append: str = ""
    architecture: str = "amd64"

    def online(self) -> list[str]:
        """The names that `wsl --list --online` shows."""
        return [row.name for row in rows_online(self._available())]

    def install(self, name: str, folder: Path) -> Path:
        """The file that `wsl --install NAME` imports, in `folder`. Raises BadDigestError."""
        available = self._available()
        entry = look_up(available, name).entry
        assert isinstance(entry, Version)
        assert find_defect(entry, self.architecture) is None
        archive = entry.archive(self.architecture)
        assert archive is not None
        data = fetch(archive.url, {"Accept": "application/octet-stream"})
        if hashlib.sha256(data).hexdigest() != archive.sha256.removeprefix("0x").lower():
            raise BadDigestError(archive.url)
        path = folder / f"{entry.name}.wsl"
        path.write_bytes(data)
        return path

    def _available(self) -> Available:
        """Both lists are read before anything else, the main one first."""
        base = read_list(self.url)
        return make_available(base, read_list(self.append) if self.append else None, self.architecture)


def read_list(url: str) -> DistributionList:
    """The list at `url`."""
    return parse_list(fetch(url, {}), local=False)


def fetch(url: str, headers: dict[str, str]) -> bytes:
    """The body as it was sent: wsl.exe would decode one with a Content-Encoding, and then miss the hash."""
    with _OPENER.open(urllib.request.Request(url, headers=_AGENT | headers)) as answer:
        assert "Content-Encoding" not in answer.headers
        return bytes(answer.read())
