"""What goes wrong on the way to a catalog is one clear error, and the catalog stays as it was."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance.web_servers import NGINX, free_port, guarding_proxy, nginx_server, running_nginx
from tests.e2e.conftest import Wslimg
from tests.e2e.registry import running_registry
from tests.e2e.test_publish import make_image
from tests.unit.check.good import good
from tests.unit.check.images import file, image

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]
BASE = "https://wsl.example.com/catalog"


class Catalog:
    """A catalog at `target` that holds one version, and what `wslimg` says of it. `options` are those of
    every command that reads or writes lists."""

    def __init__(self, run: Wslimg, target: str, folder: Path, options: tuple[str, ...] = ()) -> None:
        self.target, self._run, self._folder, self._options = target, run, folder, options
        self.publish("1", "--base-url", BASE)

    def publish(self, version: str, *options: str, status: int = 0, size: int = 0) -> str:
        """Publish an image with `size` bytes that nothing compresses; what was written to standard error."""
        path = make_image(self._folder, version) if not size else make_big(self._folder, version, size)
        names = ("--flavor", "dev", "--version", version, "--friendly-name", "Dev", "--arch", "amd64")
        words = ("publish", path, "--to", self.target, *self._options, *names, *options)
        return self._run(*words, status=status).stderr

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """All is as it was after the block, and in order."""
        before = self.listed()
        yield
        assert self.listed() == before
        self.verify()

    def listed(self) -> str:
        """Everything about the channel."""
        return self._run("catalog", "list", self.target, "--format", "json").stdout

    def verify(self, status: int = 0) -> str:
        """What `catalog verify` says."""
        return self._run("catalog", "verify", self.target, *self._options, status=status).stdout


def make_big(folder: Path, version: str, size: int) -> Path:
    path = folder / f"big-{version}.wsl"
    path.write_bytes(image(*good(file("usr/big", os.urandom(size)))))
    return path


def require_one_error(text: str, *parts: str) -> None:
    """One error with its fix, and no traceback."""
    assert text.count("error: ") == 1 and "fix: " in text and "Traceback" not in text, text
    for part in parts:
        assert part in text, text


@pytest.fixture
def web(tool: Callable[..., None], wslimg: Wslimg, tmp_path: Path) -> Iterator[tuple[Catalog, Path]]:
    """A catalog on nginx, and the folder that nginx serves."""
    tool("nginx")
    root = tmp_path / "root"
    root.mkdir()
    with nginx_server(root, tmp_path / "nginx", free_port()) as base:
        yield Catalog(wslimg, base, tmp_path), root


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_server_that_is_not_there(wslimg: Wslimg, tmp_path: Path) -> None:
    path = make_image(tmp_path, "1")
    error = wslimg("publish", path, "--to", f"http://127.0.0.1:{free_port()}/wsl", status=6).stderr
    require_one_error(error, "Connection refused", "nothing that was published has changed")
    error = wslimg("catalog", "list", f"oci://127.0.0.1:{free_port()}/wsl", status=6).stderr
    require_one_error(error, "Connection refused")


def test_a_login_that_expires(tool: Callable[..., None], wslimg: Wslimg, tmp_path: Path) -> None:
    tool("docker-registry", "nginx", "setpriv")
    front = f"127.0.0.1:{free_port()}"
    (tmp_path / "config.json").write_text(
        json.dumps({"auths": {front: {"auth": b64encode(b"ci:old").decode()}}})
    )

    def run(*words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        return wslimg(*words, status=status, env={"DOCKER_CONFIG": str(tmp_path)})

    with running_registry(tmp_path) as behind, guarding_proxy(tmp_path / "proxy", front, behind, "ci:old"):
        lists = ("--index-to", str(tmp_path / "lists"))
        one = Catalog(run, f"oci://{front}/wsl", tmp_path, lists)
        (tmp_path / "proxy/users").write_text("ci:{PLAIN}new\n")
        with one.unharmed():
            require_one_error(one.publish("2", status=6), "answered 401", f"docker login {front}")


def test_a_disk_of_a_web_server_that_is_full(
    tool: Callable[..., None], wslimg: Wslimg, tmp_path: Path
) -> None:
    tool("nginx", "mount")
    with (
        small_disk(tmp_path / "root", "400k") as root,
        nginx_server(root, tmp_path / "nginx", free_port()) as base,
    ):
        one = Catalog(wslimg, base, tmp_path)
        with one.unharmed():
            require_one_error(one.publish("2", status=6, size=500_000), "2-amd64", "500")


def test_a_disk_of_a_registry_that_is_full(tool: Callable[..., None], wslimg: Wslimg, tmp_path: Path) -> None:
    tool("docker-registry", "mount", "setpriv")
    with small_disk(tmp_path / "data", "1m"), running_registry(tmp_path) as address:
        lists = ("--index-to", str(tmp_path / "lists"))
        one = Catalog(wslimg, f"oci://{address}/wsl", tmp_path, lists)
        with one.unharmed():
            require_one_error(one.publish("2", status=6, size=1_500_000), address, "500")


@pytest.mark.parametrize("damage", [b"", b"<html>504</html>", b"\xef\xbb\xbf{}"], ids=["cut", "html", "bom"])
def test_an_entry_that_is_damaged(web: tuple[Catalog, Path], damage: bytes) -> None:
    one, root = web
    (entry,) = (root / "entries").rglob("*.json")
    (listed,) = root.glob("stable/DistributionInfo.json")
    data, before = entry.read_bytes(), listed.read_bytes()
    entry.write_bytes(damage)
    require_one_error(one.publish("2", status=6), entry.name, "is damaged")
    assert f"{entry.name}: is damaged" in one.verify(status=6)
    assert listed.read_bytes() == before, "what people read is as it was"
    entry.write_bytes(data)
    one.verify()


def test_settings_that_an_editor_saved_with_a_byte_order_mark(web: tuple[Catalog, Path]) -> None:
    one, root = web
    settings = root / "settings.json"
    settings.write_bytes(b"\xef\xbb\xbf" + settings.read_bytes())
    require_one_error(one.publish("2", status=6), "settings.json", "is damaged")
    settings.write_bytes(settings.read_bytes()[3:])
    one.verify()


def test_a_list_that_an_editor_saved_is_made_anew(web: tuple[Catalog, Path], wslimg: Wslimg) -> None:
    one, root = web
    listed = root / "stable/DistributionInfo.json"
    listed.write_bytes(b"\xef\xbb\xbf" + listed.read_bytes())
    assert "DistributionInfo.json: does not say what the entries say" in one.verify(status=6)
    wslimg("catalog", "rebuild", one.target)
    one.verify()


def test_a_server_that_lets_nobody_write(web: tuple[Catalog, Path], wslimg: Wslimg, tmp_path: Path) -> None:
    one, root = web
    folder, port = tmp_path / "read-only", free_port()
    rule = "location / { limit_except GET HEAD { deny all; } }"
    text = NGINX.format(folder=folder, root=root, port=port)
    with one.unharmed(), running_nginx(folder, text.replace("dav_methods PUT DELETE MKCOL;", rule)):
        path = make_image(tmp_path, "2")
        error = wslimg("publish", path, "--to", f"http://127.0.0.1:{port}", status=6).stderr
        require_one_error(error, "answered 403", "ask for the right to read and write there")


def test_names_beyond_ascii_on_the_way(wslimg: Wslimg, tmp_path: Path) -> None:
    folder = tmp_path / "Bäcker & Söhne"
    folder.mkdir()
    one = Catalog(wslimg, str(folder / "Größe"), folder)
    with one.unharmed():
        require_one_error(one.publish("ü", status=2), "ü")
    path = make_image(tmp_path, "2").rename(tmp_path / "Ünïcode ✓.wsl")
    names = ("--flavor", "dev", "--version", "2", "--friendly-name", "Größe ✓", "--arch", "amd64")
    wslimg("publish", path, "--to", one.target, *names)
    one.verify()
    assert (folder / "Größe/stable/DistributionInfo.json").read_bytes().isascii()
