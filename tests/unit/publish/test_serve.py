"""What `wslimg catalog serve` answers, asked as browsers, BITS and wsl.exe ask."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.publish.serve import open_server, parse_range
from tests.unit.publish.catalogs import add, catalog

DATA = bytes(range(256)) * 4
IMAGE = "/images/dev/1/dev-1-amd64.0123.wsl"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[http.client.HTTPConnection]:
    for name in (
        IMAGE,
        "/stable/catalog.json",
        "/stable/SHA256SUMS",
        "/stable/SHA256SUMS.sig",
        "/index.html",
    ):
        (tmp_path / name[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name[1:]).write_bytes(DATA)
    with open_server(tmp_path, "127.0.0.1", 0) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", running.server_port, timeout=10)
        yield connection
        connection.close()
        running.shutdown()
        thread.join()


def ask(
    server: http.client.HTTPConnection, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    server.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = server.getresponse()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


@pytest.mark.parametrize(
    ("path", "type_", "cached"),
    [
        (IMAGE, "application/octet-stream", True),
        ("/stable/catalog.json", "application/json", False),
        ("/stable/SHA256SUMS", "text/plain", False),
        ("/stable/SHA256SUMS.sig", "text/plain", False),
        ("/", "text/html", False),
    ],
)
def test_files_have_their_type_and_say_how_long_they_last(server, path, type_, cached):
    status, headers, body = ask(server, path)
    assert (status, headers["content-type"], body) == (200, type_, DATA)
    assert ("immutable" in headers["cache-control"]) == cached
    assert headers["cache-control"] == "no-cache" or cached
    assert "content-encoding" not in headers


def test_what_is_missing_is_not_kept_for_ever(server):
    status, headers, _ = ask(server, "/images/none.wsl")
    assert (status, headers["cache-control"]) == (404, "no-cache")


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, DATA[:10]),
        ("bytes=1000-", 206, DATA[1000:]),
        ("bytes=-24", 206, DATA[-24:]),
        ("bytes=1000-9999", 206, DATA[1000:]),
        ("bytes=1024-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=9-5", 200, DATA),
        ("bytes=0-1,5-6", 200, DATA),
        ("lines=1-2", 200, DATA),
    ],
)
def test_ranges_are_answered_as_they_should(server, asked, status, part):
    found, headers, body = ask(server, IMAGE, Range=asked)
    assert (found, body) == (status, part)
    if status == 206:
        begin = DATA.rindex(part) if asked != "bytes=0-9" else 0
        assert headers["content-range"] == f"bytes {begin}-{begin + len(part) - 1}/1024"
    assert ask(server, IMAGE)[2] == DATA  # the connection is still in step


def test_a_download_goes_on_only_while_the_file_is_the_same(server):
    modified = ask(server, IMAGE)[1]["last-modified"]
    assert ask(server, IMAGE, Range="bytes=1000-", If_Range=modified)[0] == 206
    assert ask(server, IMAGE, Range="bytes=1000-", If_Range="Thu, 01 Jan 1970 00:00:00 GMT")[0] == 200
    assert ask(server, IMAGE, "HEAD", Range="bytes=1000-")[0] == 206


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_what_slicing_gives(size: int, first: int, last: int):
    data = bytes(range(size))
    part = parse_range(f"bytes={first}-{last}", size)
    if part is None:
        assert last < first
    else:
        assert data[part[0] : part[1] + 1] == data[first : last + 1]
    tail = parse_range(f"bytes=-{last}", size)
    assert tail is not None
    assert data[tail[0] : tail[1] + 1] == data[max(0, size - last) :]


def test_the_command_says_how_windows_is_pointed_to_it_and_back(tmp_path: Path):
    add(catalog(tmp_path / "site"), "1", folder=tmp_path)
    command = [sys.executable, "-c", "from builder.cli.main import run; run()", "catalog", "serve"]
    with subprocess.Popen(
        [*command, str(tmp_path / "site"), "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().strip() for _ in range(8)]
            base = lines[0].removeprefix("serving ").partition(";")[0]
            assert lines[1].startswith("reg add ") and f'"{base}/stable/DistributionInfo.json"' in lines[1]
            assert (
                lines[3].startswith("reg add ")
                and f'"{base}/stable/DistributionInfo.append.json"' in lines[3]
            )
            assert [line.partition(" /f")[0].rpartition(" ")[2] for line in lines[5:7]] == [
                "DistributionListUrl",
                "DistributionListUrlAppend",
            ]
            assert f"--base-url {base}" in lines[7]
            with urllib.request.urlopen(f"{base}/stable/DistributionInfo.json", timeout=10) as answer:
                assert b"ModernDistributions" in answer.read()
        finally:
            process.terminate()
