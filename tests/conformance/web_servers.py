"""A web server with PUT, DELETE, MKCOL and PROPFIND over a folder, in two characters, and a real one."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

LOCK = threading.Lock()


class Dav(SimpleHTTPRequestHandler):
    """Strict: conditions are honoured (RFC 9110, 13), folders have to be made first (RFC 4918, 9.7)."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    token = ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
        """Quiet."""

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed and self.token and self.headers.get("Authorization") != f"Bearer {self.token}":
            self.answer(401)
            return False
        return parsed

    @property
    def file(self) -> Path:
        return Path(self.translate_path(self.path))

    def tag(self) -> str:
        return f'"{hashlib.sha256(self.file.read_bytes()).hexdigest()}"' if self.file.is_file() else ""

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        if self.command in ("GET", "HEAD") and (tag := self.tag()):
            self.send_header("ETag", tag)
        super().end_headers()

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        with LOCK:
            if not self.file.parent.is_dir():
                self.answer(409)
            elif self.refused():
                self.answer(412)
            else:
                part = self.file.with_name(f".{self.file.name}.{threading.get_ident()}")
                part.write_bytes(data)
                part.replace(self.file)
                self.answer(201)

    def refused(self) -> bool:
        if self.headers.get("If-None-Match") == "*":
            return self.file.exists()
        return "If-Match" in self.headers and self.headers["If-Match"] != self.tag()

    def do_DELETE(self) -> None:
        with LOCK:
            found = self.file.exists()
            if self.file.is_dir():
                shutil.rmtree(self.file)
            elif found:
                self.file.unlink()
            self.answer(204 if found else 404)

    def do_MKCOL(self) -> None:
        with LOCK:
            try:
                self.file.mkdir()
            except FileExistsError:
                self.answer(405)
            except FileNotFoundError:
                self.answer(409)
            else:
                self.answer(201)

    def do_PROPFIND(self) -> None:
        if not self.file.is_dir():
            self.answer(404)
            return
        rows = [(self.path, True)]
        rows += [
            (self.path + quote(one.name) + "/" * one.is_dir(), one.is_dir()) for one in self.file.iterdir()
        ]
        answers = "".join(
            f"<d:response><d:href>{path}</d:href><d:propstat><d:prop><d:resourcetype>"
            f"{'<d:collection/>' * is_folder}</d:resourcetype></d:prop></d:propstat></d:response>"
            for path, is_folder in rows
            if not path.rsplit("/", 1)[-1].startswith(".")
        )
        self.answer(207, f'<d:multistatus xmlns:d="DAV:">{answers}</d:multistatus>'.encode())


@contextmanager
def dav_server(folder: Path, token: str = "") -> Iterator[str]:
    handler = type("Handler", (Dav,), {"token": token})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


NGINX_HTTP = """
daemon off; user root; worker_processes 2; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; client_max_body_size 0;
  proxy_temp_path {folder}/t1; fastcgi_temp_path {folder}/t2;
  uwsgi_temp_path {folder}/t3; scgi_temp_path {folder}/t4;
"""
"""How every nginx here begins: as root, with whatever it writes in `folder`."""

NGINX = (
    NGINX_HTTP
    + """
  server {{
    listen 127.0.0.1:{port}; root {root};
    dav_methods PUT DELETE MKCOL; create_full_put_path on; autoindex on; autoindex_format json;
  }}
}}
"""
)
"""ngx_http_dav_module without its extension: no PROPFIND, and conditions are ignored."""


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def nginx_server(root: Path, folder: Path, port: int) -> Iterator[str]:
    with running_nginx(folder, NGINX.format(folder=folder, root=root, port=port)):
        yield f"http://127.0.0.1:{port}"


GUARD = (
    NGINX_HTTP
    + """
  server {{
    listen {front};
    location /v2/ {{
      {pull}
      limit_except GET HEAD {{ auth_basic "push"; auth_basic_user_file {folder}/users; }}
      proxy_pass http://{behind}; proxy_set_header Host $http_host; proxy_set_header Authorization "";
    }}
  }}
}}
"""
)
"""To write takes a login; everybody may read what is behind, unless `pull` says otherwise."""


@contextmanager
def guarding_proxy(
    folder: Path, front: str, behind: str, login: str, *, everybody: bool = True
) -> Iterator[None]:
    """nginx at `front` before a registry at `behind`, both HOST:PORT; `login` is USER:PASSWORD. `everybody`
    may pull."""
    folder.mkdir()
    user, _, password = login.partition(":")
    pull = "" if everybody else f'auth_basic "pull"; auth_basic_user_file {folder}/users;'
    (folder / "users").write_text(f"{user}:{{PLAIN}}{password}\n")
    with running_nginx(folder, GUARD.format(folder=folder, front=front, behind=behind, pull=pull)):
        yield


@contextmanager
def running_nginx(folder: Path, configuration: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    (folder / "nginx.conf").write_text(configuration)
    process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        while not (folder / "pid").exists():
            assert process.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()
