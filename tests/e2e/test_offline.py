"""Bundles, mirrors and what depends on the network: the bytes of an image depend on none of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from builder.core.errors import ResolveError
from builder.core.http import Http
from tests.e2e.conftest import ROOT, WSLIMG, Wslimg

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]

STEM = "debian-minimal_13_amd64"
NETWORKED = """\
schema: 1
name: networked
version: "1"
source: {debian: trixie}
steps:
  - run:
      network: true
      command: |
        apt-get --quiet --error-on=any update
        apt-get --quiet --yes install hello
  - run: {network: true, command: date +%N > /etc/moment}
  - run: echo after > /etc/after
first_run: {mode: none}
wsl: {systemd: false}
"""


def manifest(folder: Path) -> dict[str, object]:
    (file,) = folder.glob("*.manifest.json")
    data: dict[str, object] = json.loads(file.read_bytes())
    return data


def digest(folder: Path) -> str:
    (image,) = folder.glob("*.wsl")
    return subprocess.run(["sha256sum", image], check=True, capture_output=True, text=True).stdout.split()[0]


def content(folder: Path, path: str) -> str:
    (image,) = folder.glob("*.wsl")
    return subprocess.run(["bsdtar", "-xOf", image, path], check=True, capture_output=True, text=True).stdout


@contextmanager
def serve_mirror() -> Iterator[tuple[str, list[str]]]:
    """A mirror of Debian on loopback, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            try:
                data, status = Http().read(f"http://deb.debian.org{self.path}", limit=1 << 28), 200
            except ResolveError:
                data, status = b"", 404
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/debian", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def recipe(tmp_path: Path, wslimg: Wslimg) -> Path:
    """A copy of recipes/debian-minimal.yaml with its lock, and with its image in `online`."""
    folder = tmp_path / "recipe"
    folder.mkdir()
    shutil.copy(ROOT / "recipes/debian-minimal.yaml", folder)
    wslimg("build", "debian-minimal.yaml", "--out", "online", cwd=folder)
    return folder / "debian-minimal.yaml"


def test_a_bundle_builds_the_same_image_where_there_is_no_network(
    recipe: Path, tmp_path: Path, wslimg: Wslimg, tool
) -> None:
    tool("unshare")
    bundle = tmp_path / "minimal.bundle"
    wslimg("fetch", recipe, "-o", bundle)
    recipe_alone = shutil.copy(recipe, tmp_path)
    command = [WSLIMG, "build", recipe_alone, "--offline", bundle, "--out", tmp_path / "dist"]
    done = subprocess.run(
        ["unshare", "--net", "--", *command],
        env={**os.environ, "WSLIMG_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert digest(tmp_path / "dist") == digest(recipe.parent / "online")
    assert (
        manifest(tmp_path / "dist")["origin"]["lock"] == manifest(recipe.parent / "online")["origin"]["lock"]
    )
    assert not (tmp_path / "debian-minimal.lock").exists()


def test_the_same_lock_gives_the_same_bundle_that_tar_can_read(
    recipe: Path, tmp_path: Path, wslimg: Wslimg
) -> None:
    wslimg("fetch", recipe, "-o", tmp_path / "one", "--locked")
    wslimg("fetch", recipe, "-o", tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as tar:
        names = tar.getnames()
    assert names[0] == "lock"
    subprocess.run(["bsdtar", "-xf", "one"], cwd=tmp_path, check=True)
    blobs = sorted(path.name for path in (tmp_path / "blobs").iterdir())
    sums = subprocess.run(
        ["sha256sum", *blobs], cwd=tmp_path / "blobs", capture_output=True, text=True, check=True
    )
    assert [line.split()[0] for line in sums.stdout.splitlines()] == blobs
    assert names[1:] == [f"blobs/{name}" for name in blobs]


def test_the_mirror_changes_no_byte_however_it_is_named(
    tmp_path: Path, wslimg: Wslimg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    text = NETWORKED.replace("date +%N", "echo now")
    built = []
    with serve_mirror() as (url, asked):
        for name, arguments, environment in (
            ("usual", (), {}),
            ("option", ("--mirror", url), {}),
            ("variable", (), {"WSLIMG_DEBIAN_MIRROR": url}),
        ):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "networked.yaml").write_text(text)
            before = len(asked)
            wslimg("build", "networked.yaml", *arguments, cwd=folder, cache=folder / "cache", env=environment)
            by_step = [path for path in asked[before:] if "/pool/main/h/hello/" in path]
            assert len(by_step) == (0 if name == "usual" else 1)
            lock = (folder / "networked.lock").read_bytes()
            built.append((digest(folder / "dist"), lock, manifest(folder / "dist")))
    assert built[0] == built[1] == built[2]
    sources = content(tmp_path / "option" / "dist", "etc/apt/sources.list.d/debian.sources")
    assert "URIs: http://deb.debian.org/debian\n" in sources
    assert "127.0.0.1" not in sources


def test_refreshed_steps_run_again_and_stay_as_they_are_then(tmp_path: Path, wslimg: Wslimg) -> None:
    (tmp_path / "networked.yaml").write_text(NETWORKED)
    moments = []
    for arguments in ((), (), ("--refresh-step", "2"), (), ("--refresh",)):
        wslimg("build", "networked.yaml", "--locked" if moments else "-v", *arguments, cwd=tmp_path)
        moments.append(content(tmp_path / "dist", "etc/moment"))
    first, again, second, kept, third = moments
    assert first == again
    assert second == kept
    assert len({first, second, third}) == 3
    refused = wslimg("build", "networked.yaml", "--locked", "--refresh-step", "9", cwd=tmp_path, status=2)
    assert "step 9 is no run" in refused.stderr
    assert "counting from 1: 1, 2, 3" in refused.stderr


def test_a_step_that_needs_the_network_is_named_before_anything_runs(tmp_path: Path, wslimg: Wslimg) -> None:
    (tmp_path / "networked.yaml").write_text(NETWORKED)
    fetched = wslimg("fetch", "networked.yaml", "-o", "all.bundle", cwd=tmp_path)
    assert "uses the network, which no bundle can carry" in fetched.stderr
    refused = wslimg(
        "build", "networked.yaml", "--offline", "all.bundle", cwd=tmp_path, cache=tmp_path / "new", status=4
    )
    assert (
        "networked.yaml:6:5: run: apt-get --quiet --error-on=any update ...: uses the network"
        in refused.stderr
    )
    assert not (tmp_path / "new" / "uid-0" / "layers").exists()


def test_proxies_of_the_host_reach_networked_steps_and_no_key(tmp_path: Path, wslimg: Wslimg) -> None:
    run = "env > /etc/seen"
    (tmp_path / "networked.yaml").write_text(
        NETWORKED.split("steps:")[0]
        + f"steps:\n  - run: {{network: true, command: {run}}}\n  - run: env > /etc/alone\n"
        + "first_run: {mode: none}\nwsl: {systemd: false}\n"
    )
    proxies = {"https_proxy": "http://proxy.example.org:3128", "NO_PROXY": "localhost"}
    wslimg("build", "networked.yaml", cwd=tmp_path, env=proxies)
    seen = content(tmp_path / "dist", "etc/seen").splitlines()
    assert "https_proxy=http://proxy.example.org:3128" in seen
    assert "NO_PROXY=localhost" in seen
    assert "proxy" not in content(tmp_path / "dist", "etc/alone").lower()
    plan = wslimg("plan", "networked.yaml", "--locked", cwd=tmp_path, env={"https_proxy": "http://other:1"})
    assert "runs (" not in plan.stdout
