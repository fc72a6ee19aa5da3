"""An apt archive in memory, signed with a throw-away key, served on loopback; tests change its state."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pysequoia import SignatureMode, Tsk, sign

from builder.core.http import Http, Route
from builder.sources.debian.deb import read_control

DATE = int(datetime(2025, 6, 1, tzinfo=UTC).timestamp())
DAY = 86400
FACTS = b'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'


@dataclass(frozen=True, kw_only=True)
class FakePackage:
    """A tiny binary package. `files` are (mode, content) by path, `control` is what else control.tar has."""

    name: str
    version: str = "1.0-1"
    architecture: str = "amd64"
    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    control: dict[str, bytes] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"pool/main/{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"

    def paragraph(self) -> str:
        head = {"Package": self.name, "Version": self.version, "Architecture": self.architecture}
        fields = {**head, "Maintainer": "Nobody <nobody@example.org>", "Description": "a test", **self.fields}
        return "".join(f"{name}: {value}\n" for name, value in fields.items())

    def deb(self) -> bytes:
        control = {"control": (0o644, self.paragraph().encode())}
        control |= {
            name: (0o755 if name.endswith(("inst", "rm")) else 0o644, data)
            for name, data in self.control.items()
        }
        members = {
            "debian-binary": b"2.0\n",
            "control.tar.xz": lzma.compress(make_tar(control)),
            "data.tar.xz": lzma.compress(make_tar(self.files)),
        }
        return b"!<arch>\n" + b"".join(ar_member(name, data) for name, data in members.items())


@dataclass(frozen=True, kw_only=True)
class RealPackage:
    """The binary package in `file`, for an archive that can be built from; `path` is where it lies there."""

    name: str
    path: str
    file: Path

    def paragraph(self) -> str:
        return read_control(self.file)[0].strip("\n") + "\n"

    def deb(self) -> bytes:
        return self.file.read_bytes()


def make_tar(files: dict[str, tuple[int, bytes]]) -> bytes:
    """A tar archive as dpkg-deb makes it: `./` before each name, every parent there."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        parents = {str(parent) for name in files for parent in Path(name).parents}
        for name in sorted({".", *parents, *files}):
            info = tarfile.TarInfo("./" if name == "." else f"./{name}")
            info.mtime = DATE
            if name in files:
                info.mode, data = files[name]
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            else:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
    return buffer.getvalue()


def ar_member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{DATE:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)


def base_packages() -> list[FakePackage]:
    """A base of three packages with a virtual dependency, an essential one and one that is only needed."""
    return [
        FakePackage(
            name="base-files",
            fields={
                "Essential": "yes",
                "Priority": "required",
                "Depends": "awk",
                "Pre-Depends": "libthing (>= 1)",
            },
            files={
                "usr/lib/os-release": (0o644, FACTS),
                "etc/issue": (0o644, b"Debian\n"),
                "bin/hello": (0o755, b"#!/bin/sh\n"),
            },
            control={"conffiles": b"/etc/issue\n", "preinst": b"#!/bin/sh\n"},
        ),
        FakePackage(name="gawk", fields={"Provides": "awk", "Priority": "optional"}),
        FakePackage(name="mawk", fields={"Provides": "awk", "Priority": "required"}),
        FakePackage(name="apt", fields={"Priority": "important", "Depends": "libthing"}),
        FakePackage(
            name="libthing",
            fields={"Multi-Arch": "same", "Priority": "optional"},
            files={"lib/x86_64-linux-gnu/libthing.so.1": (0o644, b"thing" * 1000)},
            control={"triggers": b"interest-noawait /usr/share/things\nactivate-noawait ldconfig\n"},
        ),
        FakePackage(name="editor", version="2:1.0-1", fields={"Depends": "libthing (>= 1), editor-data"}),
        FakePackage(
            name="editor-data", architecture="all", fields={"Recommends": "editor-doc | editor-help"}
        ),
        FakePackage(name="editor-help", architecture="all"),
    ]


class DebianArchive:
    """Serves `files` by path. `cut` are paths whose transfer stops half-way, `asked` the requests so far."""

    def __init__(self) -> None:
        self.key = Tsk.generate("Test Archive <archive@example.org>")
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []
        self.url = ""

    def publish(
        self,
        packages: Sequence[FakePackage | RealPackage],
        *,
        archive: str = "debian",
        suite: str = "trixie",
        date: int = DATE,
        valid_until: int = 0,
        key: Tsk | None = None,
    ) -> None:
        """Make `packages` the state of `suite`; what was in the pool before is gone."""
        for path in [
            path for path in self.files if path.startswith(f"/{archive}/pool/") and suite == "trixie"
        ]:
            del self.files[path]
        paragraphs = []
        for package in packages:
            data = package.deb()
            self.files[f"/{archive}/{package.path}"] = data
            digest = hashlib.sha256(data).hexdigest()
            paragraphs.append(
                f"{package.paragraph()}Filename: {package.path}\nSize: {len(data)}\nSHA256: {digest}\n"
            )
        text = "\n".join(paragraphs).encode()
        index = lzma.compress(text)
        path = "main/binary-amd64/Packages"
        rows = [(text, path), (index, f"{path}.xz")]
        table = "".join(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n" for data, name in rows)
        self.files[f"/{archive}/dists/{suite}/{path}.xz"] = index
        release = self._release(suite, date, valid_until, table)
        signed = sign((key or self.key).signer(), release.encode(), mode=SignatureMode.CLEAR)
        self.files[f"/{archive}/dists/{suite}/InRelease"] = bytes(signed)

    def publish_all(self, packages: list[FakePackage], *, date: int = DATE, valid_until: int = 0) -> None:
        """`packages` in the main suite, nothing in those beside it."""
        self.publish(packages, date=date, valid_until=valid_until)
        self.publish([], suite="trixie-updates", date=date)
        self.publish([], archive="debian-security", suite="trixie-security", date=date)

    def write_key(self, path: Path) -> Path:
        """The public key, as a file for `signed_by`."""
        path.write_text(str(self.key.extract_certificate()))
        return path

    @staticmethod
    def _release(suite: str, date: int, valid_until: int, table: str) -> str:
        until = f"Valid-Until: {_stamp(valid_until)}\n" if valid_until else ""
        return (
            f"Origin: Test\nSuite: {suite}\nCodename: {suite}\nDate: {_stamp(date)}\n{until}"
            f"Architectures: all amd64\nComponents: main\nSHA256:\n{table}"
        )


def direct_http() -> Http:
    """A client for loopback that neither waits nor asks a proxy."""
    return Http(route=lambda _url: Route(proxy="DIRECT"), attempts=2, pause=0, timeout=10)


@contextmanager
def serve_archive() -> Iterator[DebianArchive]:
    """A running, empty archive."""
    archive = DebianArchive()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            archive.asked.append(self.path)
            data = archive.files.get(self.path)
            self.send_response(200 if data is not None else 404)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            cut = self.path in archive.cut
            self.wfile.write((data or b"")[: len(data or b"") // 2 if cut else None])
            self.close_connection = cut

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        archive.url = f"http://127.0.0.1:{server.server_port}/debian"
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _stamp(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%a, %d %b %Y %H:%M:%S} UTC"
