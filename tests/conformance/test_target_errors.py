"""What real servers refuse, as users read it; and that the catalog is what it was."""

from __future__ import annotations

import gc
import os
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from builder.core.errors import PublishError
from builder.core.events import discard
from builder.model.catalog import Settings
from builder.publish import smb
from builder.publish.choose import open_target
from builder.publish.publish import set_up
from builder.publish.target import Target
from builder.publish.verify import verify_catalog
from tests.conformance.bucket_servers import (
    AZURE_ACCOUNT,
    AZURE_KEY,
    KEY,
    azurite_server,
    moto_server,
    rclone_s3_server,
)
from tests.conformance.file_servers import samba_server
from tests.conformance.servers import BIN
from tests.conftest import require
from tests.unit.publish.catalogs import BASE, add

pytestmark = pytest.mark.system


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 2 MiB on `folder`."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def refuse(act: Callable[[], object], message: str, fix: str) -> None:
    with pytest.raises(PublishError, match=message) as caught:
        act()
    assert fix in caught.value.fix and caught.value.where
    assert "secret" not in str(caught.value)


def refuse_when_full(target: Target, folder: Path, message: str) -> None:
    """A catalog that has room for one image is whole when the second did not fit."""
    set_up(target, lambda before: before or Settings(base_url=BASE))
    add(target, "1.0", folder=folder)
    big = b"x" * (4 << 20)
    refuse(lambda: add(target, "1.1", folder=folder, data=big), message, "catalog prune")
    assert verify_catalog(target, (), "", discard, content=True) == ()
    assert len(target.list("images/")) == 1


def test_a_bucket_that_refuses_leaves_the_catalog_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    with rclone_s3_server(tmp_path) as endpoint:
        target = open_target(f"s3://wsl/team?endpoint={endpoint}")
        set_up(target, lambda before: before or Settings(base_url=BASE))
        add(target, "1.0", folder=tmp_path)
        missing = open_target(f"s3://other/team?endpoint={endpoint}")
        refuse(lambda: missing.put_bytes("x", b""), "there is no such bucket", "create it")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        stranger = open_target(f"s3://wsl/team?endpoint={endpoint}")
        refuse(lambda: add(stranger, "1.1", folder=tmp_path), "the credentials are wrong", "AWS_")
        assert verify_catalog(target, (), "", discard, content=True) == ()


def test_an_interrupted_upload_to_a_bucket_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    source = tmp_path / "image"
    source.write_bytes(os.urandom(20 << 20))
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    with moto_server(tmp_path) as endpoint:
        target = open_target(f"s3://wsl/team?endpoint={endpoint}")
        with pytest.raises(KeyboardInterrupt):
            target.put_file("images/x.wsl", source, interrupt)
        assert target.stat("images/x.wsl") is None
        with urllib.request.urlopen(f"{endpoint}/wsl?uploads") as answer:
            assert b"<Upload>" not in answer.read()


def test_a_container_that_refuses_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", AZURE_ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", AZURE_KEY)
    with azurite_server(tmp_path) as endpoint:
        missing = open_target(f"az://other/team?endpoint={endpoint}")
        refuse(lambda: missing.get("x"), "there is no such bucket", "create it")
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")
        stranger = open_target(f"az://wsl/team?endpoint={endpoint}")
        refuse(lambda: stranger.put_bytes("x", b""), "the credentials", "Storage Blob Data Contributor")


def test_a_file_server_that_refuses_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("WSLIMG_SMB_USER", "root")
    monkeypatch.setenv("WSLIMG_SMB_PASSWORD", "secret")
    with samba_server(tmp_path / "root", tmp_path / "samba", tmp_path) as port:
        host = f"smb://127.0.0.1:{port}"
        add(catalog_at(f"{host}/share/wsl"), "1.0", folder=tmp_path)
        readonly = open_target(f"{host}/readonly/wsl")
        refuse(lambda: add(readonly, "1.1", folder=tmp_path), "may not be written", "ask for the right")
        other = open_target(f"{host}/other/wsl")
        refuse(lambda: other.get("x"), "there is no such share", "correct its name")
        stranger = open_target(f"smb://root:wrong@127.0.0.1:{port}/share/wsl")
        refuse(lambda: stranger.get("x"), "the login is wrong", "WSLIMG_SMB_PASSWORD")
        assert verify_catalog(readonly, (), "", discard, content=True) == ()
    refuse(lambda: open_target(f"{host}/share/wsl").get("x"), "cannot be reached", "check address")


@pytest.mark.filterwarnings("ignore:unclosed SMB handle:ResourceWarning")
def test_a_file_server_that_goes_during_a_download_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("WSLIMG_SMB_USER", "root")
    monkeypatch.setenv("WSLIMG_SMB_PASSWORD", "secret")
    with samba_server(tmp_path / "root", tmp_path / "samba", tmp_path) as port:
        target = open_target(f"smb://127.0.0.1:{port}/share/wsl")
        target.put_bytes("x", bytes(4 << 20))
        pieces = target.chunks("x")
        next(pieces)
    refuse(partial(list, pieces), "cannot be reached", "nothing that was published has changed")
    del pieces, target
    gc.collect()  # what smbclient cannot close any more warns here


def test_a_deleted_file_that_is_still_read_cannot_be_written_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("WSLIMG_SMB_USER", "root")
    monkeypatch.setenv("WSLIMG_SMB_PASSWORD", "secret")
    monkeypatch.setattr(smb, "_PATIENCE", (0.01,))
    with samba_server(tmp_path / "root", tmp_path / "samba", tmp_path) as port:
        target = open_target(f"smb://127.0.0.1:{port}/share/wsl")
        target.put_bytes("x", bytes(2 << 20))
        reading = target.chunks("x")
        next(reading)
        target.delete("x")
        assert target.stat("x") is None
        refuse(lambda: target.put_bytes("x", b"new"), "is kept open by somebody", "try again")
        assert len(b"".join(reading)) == 1 << 20
        target.put_bytes("x", b"new")
        assert target.get("x") == b"new"


def test_a_share_that_is_full_keeps_its_catalog(root: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "full").mkdir()
    monkeypatch.setenv("WSLIMG_SMB_USER", "root")
    monkeypatch.setenv("WSLIMG_SMB_PASSWORD", "secret")
    with small_disk(tmp_path / "full"), samba_server(tmp_path, tmp_path / "samba", tmp_path / "full") as port:
        refuse_when_full(open_target(f"smb://127.0.0.1:{port}/full/wsl"), tmp_path, "the disk is full")


def test_what_rclone_refuses_says_why(root: None, tmp_path: Path):
    require((BIN / "rclone").exists(), "rclone is not installed (make test-all)")
    refuse(lambda: open_target("rclone:nobody:x").get("x"), "no remote of that name", "rclone config")
    gone = open_target("rclone::webdav,url='http://127.0.0.1:1/':x")
    refuse(lambda: gone.get("x"), "cannot be reached", "check the remote")
    (tmp_path / "full").mkdir()
    with small_disk(tmp_path / "full"):
        refuse_when_full(open_target(f"rclone::local:{tmp_path}/full/wsl"), tmp_path, "the storage is full")


def test_what_rclone_may_not_open_is_not_missing(tmp_path: Path):
    require((BIN / "rclone").exists(), "rclone is not installed (make test-all)")

    class Forbidding(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_error(403)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Forbidding) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        target = open_target(f"rclone::http,url='http://127.0.0.1:{server.server_port}/':")
        refuse(lambda: target.get("x"), "listed and cannot be opened", "rclone lsf")
        refuse(lambda: target.stat("x"), "listed and cannot be opened", "rclone lsf")
        server.shutdown()


def test_what_rclone_sends_is_whole_or_an_error(tmp_path: Path):
    require((BIN / "rclone").exists(), "rclone is not installed (make test-all)")
    (tmp_path / "image").write_bytes(bytes(64 << 20))
    pieces = open_target(f"rclone::local:{tmp_path}").chunks("image")
    next(pieces)
    os.truncate(tmp_path / "image", 2 << 20)
    refuse(lambda: list(pieces), "ended .* bytes early|has gone", "nothing that was published")


def catalog_at(address: str) -> Target:
    target = open_target(address)
    set_up(target, lambda before: before or Settings(base_url=BASE))
    return target
