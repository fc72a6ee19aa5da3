"""`wslimg conf`, on files and on images of every compression."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile

import pytest
import zstandard
from click.testing import CliRunner

from builder.cli.conf import conf
from builder.core.errors import ExitCode, UsageError

GOOD = b"[boot]\nsystemd = true\n[filesystem]\numask = 0027\n"


def run(*arguments: object):
    return CliRunner().invoke(conf, [str(argument) for argument in arguments])


def image(path, *members: tuple[str, bytes | str], compress=gzip.compress):
    """An archive of files (bytes) and symbolic links (text)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
    path.write_bytes(compress(buffer.getvalue()))
    return path


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "wsl.conf"
    path.write_bytes(GOOD)
    return path


def test_json_has_exactly_entries_effective_warnings_and_stopped(tmp_path):
    path = tmp_path / "wsl-distribution.conf"
    path.write_bytes(b"[oobe]\r\ncommand = \xff\xc3\xa9\r\ndefaultUid = 0x3e8\r\nnope=1\r\n:\r\n")
    result = run(path, "--format", "json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["entries"] == [
        ["oobe.command", "\udcff\u00e9"],
        ["oobe.defaultUid", "0x3e8"],
        ["oobe.nope", "1"],
    ]
    assert answer["warnings"] == [
        {"line": 4, "wsl_line": 7, "message": "Unknown key 'oobe.nope' in /etc/wsl-distribution.conf:7"},
        {"line": 5, "wsl_line": 9, "message": "Invalid key name in /etc/wsl-distribution.conf:9"},
    ]
    assert answer["stopped"] is True
    assert answer["effective"] == {
        "oobe.command": "\udcff\u00e9",
        "oobe.defaultUid": 1000,
        "oobe.defaultName": None,
        "shortcut.icon": None,
        "shortcut.enabled": True,
        "windowsterminal.profileTemplate": None,
        "windowsterminal.enabled": True,
    }
    assert list(answer) == ["entries", "effective", "warnings", "stopped"]


def test_text_shows_what_is_set_and_what_is_default(good):
    result = run(good)
    assert result.exit_code == 0
    chosen, defaults = result.stdout.split("Defaults:")
    assert "boot.systemd                     true                     # line 2" in chosen
    assert "filesystem.umask                 0027                     # line 4" in chosen
    assert "interop.enabled" in defaults
    assert "boot.systemd" not in defaults


def test_text_names_the_line_at_which_wsl_stops(tmp_path):
    path = tmp_path / "wsl.conf"
    path.write_bytes(b"[boot]\ncommand = a\x1b[2J\n; comment\nsystemd = true\n")
    result = run(path)
    assert result.exit_code == 1
    assert f"{path}:3: Invalid key name in /etc/wsl.conf:3" in result.stdout
    assert "WSL up to 2.9.4 stops there: whatever follows line 3 has no effect" in result.stdout
    assert '"a\\x1b[2J"' in result.stdout


@pytest.mark.parametrize(
    "compress",
    [
        bytes,
        gzip.compress,
        lzma.compress,
        bz2.compress,
        lambda data: zstandard.ZstdCompressor().compress(data),
    ],
    ids=["plain", "gzip", "xz", "bzip2", "zstd"],
)
def test_an_image_shows_its_file(tmp_path, compress):
    path = image(tmp_path / "corp.wsl", ("./etc/other", b"x"), ("./etc/wsl.conf", GOOD), compress=compress)
    result = run(path, "--kind", "wsl.conf", "--format", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["effective"]["filesystem.umask"] == 0o27


def test_links_are_followed_inside_the_image(tmp_path):
    path = image(
        tmp_path / "corp.wsl",
        ("usr/share/real/wsl.conf", GOOD),
        ("etc/wsl.conf", "../conf/wsl.conf"),
        ("conf", "/usr/share/real"),
    )
    assert run(path, "--kind", "wsl.conf").exit_code == 0


def test_the_last_of_two_members_of_one_name_counts(tmp_path):
    path = image(tmp_path / "corp.wsl", ("etc/wsl.conf", b"[boot]\n"), ("/etc/wsl.conf", GOOD))
    assert "0027" in run(path, "--kind", "wsl.conf").stdout


@pytest.mark.parametrize(
    ("name", "data", "kind", "message"),
    [
        ("some.conf", GOOD, None, "its name does not tell which file it is"),
        ("corp.wsl", gzip.compress(GOOD), None, "an image holds two files"),
        ("corp.wsl", gzip.compress(GOOD), "wsl.conf", "the archive"),
        ("corp.wsl", b"\x1f\x8bxx", "wsl.conf", "cannot be read"),
        (None, b"", "wsl.conf", "No such file or directory"),
    ],
    ids=["no kind", "two files", "no archive", "damaged", "missing"],
)
def test_what_cannot_be_read_is_a_usage_error(tmp_path, name, data, kind, message):
    path = tmp_path / "missing"
    if name:
        path = tmp_path / name
        path.write_bytes(data)
    result = run(path, *(["--kind", kind] if kind else []))
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == ExitCode.USAGE
    assert message in str(result.exception)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("etc/passwd", b"")], "has no file /etc/wsl.conf"),
        ([("etc/wsl.conf", "/nope")], "has no file /nope, to which /etc/wsl.conf leads"),
        ([("etc/wsl.conf", "wsl.conf")], "has no file /etc/wsl.conf"),
        ([("etc/wsl.conf", b"#" * (2 << 20))], "/etc/wsl.conf has 2097152 bytes"),
    ],
)
def test_an_image_without_the_file_is_a_usage_error(tmp_path, members, message):
    result = run(image(tmp_path / "corp.wsl", *members), "--kind", "wsl.conf")
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_the_error_tells_about_kind(tmp_path):
    path = tmp_path / "some.conf"
    path.write_bytes(GOOD)
    assert "add --kind wsl.conf or --kind wsl-distribution.conf" in str(run(path).exception)
