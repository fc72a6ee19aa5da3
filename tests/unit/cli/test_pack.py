"""`wslimg pack`: trees of every kind become an image, and the answer is what `wslimg check` says of it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builder.check.formats import render
from builder.check.run import check_image
from builder.cli.pack import pack
from builder.core.errors import ExitCode, PackError, UsageError
from builder.pipeline import repack
from tests.unit.check.good import good
from tests.unit.check.images import file, image


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIMG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out" / "o.wsl"


@pytest.fixture
def folder(tmp_path):
    """A tree whose times have settled, with a private key in it."""
    data = image(*good(file("etc/host.key", "-----BEGIN PRIVATE KEY-----\n", 0o600)))
    (tmp_path / "o.tar").write_bytes(data)
    with tarfile.open(tmp_path / "o.tar") as archive:
        filters = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
        archive.extractall(tmp_path / "tree", **filters)
    return tmp_path / "tree"


@pytest.fixture
def settled(monkeypatch):
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)


FIRST_ENTRY = """
import sys
from pathlib import Path
from builder.pack.content import read_entry
from builder.pack.source_tar import read_archive
with read_archive(sys.stdin.buffer, Path(sys.argv[1])) as entries:
    print(all(len(read_entry(entry)) == entry.size for entry in entries if entry.size))
"""


def run(*words: object) -> Result:
    return CliRunner().invoke(pack, list(map(str, words)))


def test_a_good_tree_is_an_image_without_findings(tmp_path, output):
    (tmp_path / "o.tar").write_bytes(image(*good()))
    result = run(tmp_path / "o.tar", "-o", output)
    assert result.exit_code == ExitCode.OK
    assert str(output) in result.stdout
    assert check_image(output).findings == ()


def test_what_wsl_would_refuse_is_written_and_exits_with_5(tmp_path, output):
    (tmp_path / "o.tar").write_bytes(image(*good(without=("etc/passwd",))))
    result = run(tmp_path / "o.tar", "-o", output, "--quiet")
    assert result.exit_code == ExitCode.CHECK
    assert result.stdout == render([check_image(output)], "text")


@pytest.mark.parametrize("options", ["", "--trust-mtime", "--no-cache", "--no-cache --trust-mtime"])
def test_a_folder_is_judged_as_the_image_of_it_however_much_of_it_is_read(folder, output, settled, options):
    for _ in range(2):
        result = run(folder, "-o", output, "--quiet", *options.split())
        assert result.stdout == render([check_image(output)], "text")
        assert "/etc/host.key: is a private key" in result.stdout


def test_with_fix_nothing_is_left_that_must_not_ship(folder, output):
    (folder / "var/cache/apt/archives").mkdir(parents=True)
    (folder / "var/cache/apt/archives/x.deb").write_text("secret")
    assert "/var/cache/apt/archives/x.deb" in run(folder, "-o", output, "--fix").stdout
    with tarfile.open(output) as archive:
        assert "var/cache/apt/archives/x.deb" not in archive.getnames()


def test_configuration_replaces_what_is_there(tmp_path, folder, output):
    (tmp_path / "wsl.conf").write_text("[boot]\nsystemd = false\n")
    run(folder, "-o", output, "--wsl-conf", tmp_path / "wsl.conf")
    with tarfile.open(output) as archive:
        assert archive.extractfile("etc/wsl.conf").read() == b"[boot]\nsystemd = false\n"


def test_an_archive_comes_through_a_pipe(output):
    command = [sys.executable, "-c", "from builder.cli.main import run; run()", "pack", "-", "-o", output]
    subprocess.run(command, input=image(*good()), check=True, capture_output=True)
    assert check_image(output).findings == ()


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("/nowhere", UsageError, "/nowhere: cannot be read: No such file or directory"),
        ("/proc/self/mem", PackError, "/proc/self/mem: cannot be read: Input/output error"),
    ],
)
def test_a_source_that_cannot_be_read_is_one_clear_error(output, source, error, message):
    found = run(source, "-o", output).exception
    assert (type(found), str(found)) == (error, message)
    assert not output.exists()


def append(path):
    with path.open("ab") as stream:
        stream.write(b"more")


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("etc/wsl.conf", lambda path: path.unlink()),
        ("etc/wsl.conf", lambda path: path.write_text("[boot]\n")),
        ("large", append),
    ],
    ids=["vanished", "other", "large"],
)
def test_what_changes_before_it_is_checked_is_judged_as_it_was_packed(folder, output, monkeypatch, name, act):
    (folder / "large").write_bytes(bytes(5_000_000))
    do = repack.pack_tree

    def pack_and_change(*arguments, **more):
        result = do(*arguments, **more)
        act(folder / name)
        return result

    expected = run(folder, "-o", output, "--quiet")
    monkeypatch.setattr(repack, "pack_tree", pack_and_change)
    result = run(folder, "-o", output, "--quiet")
    assert (result.exit_code, result.stdout) == (expected.exit_code, expected.stdout)


@pytest.mark.parametrize("name", ["etc/wsl.conf", "usr/bin/program"])
def test_what_changes_but_is_known_is_judged_as_it_is_packed(folder, output, monkeypatch, settled, name):
    """Nobody reads such a file for the image: only its check would."""
    (folder / "usr/bin/program").write_bytes(b"\x7fELF" + bytes(60))
    arguments = folder, "-o", output, "--trust-mtime", "--format", "json"
    expected = json.loads(run(*arguments).stdout)
    output.unlink()
    read = repack.read_tree

    @contextmanager
    def read_and_change(*arguments, **more):
        with read(*arguments, **more) as entries:
            listed = list(entries)
            (folder / name).write_bytes(b"")
            yield listed

    monkeypatch.setattr(repack, "read_tree", read_and_change)
    answer = json.loads(run(*arguments).stdout)
    assert answer["reused"] == answer["segments"]
    assert answer["sha256"] == expected["sha256"] and answer["findings"] == expected["findings"]


def test_scripts_get_all_of_it_as_json(folder, output):
    result = run(folder, "-o", output, "--fix", "--tar-digest", "--format", "json")
    answer = json.loads(result.stdout)
    with gzip.open(output) as archive:
        tar = archive.read()
    assert (answer["image"], answer["size"]) == (str(output), output.stat().st_size)
    assert answer["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    assert (answer["tar_sha256"], answer["tar_size"]) == (hashlib.sha256(tar).hexdigest(), len(tar))
    assert answer["ok"] is (result.exit_code == ExitCode.OK)
    assert [finding["rule"] for finding in answer["findings"]] == [
        finding.rule for finding in check_image(output).findings
    ]


@pytest.mark.parametrize(
    ("options", "compression"),
    [
        ("--single-member", "gzip, one member: zlib"),
        ("--compression xz", "xz: "),
        ("--compression none", "none"),
        ("--preset small --threads 1", "gzip: deflate"),
    ],
)
def test_the_compression_can_be_chosen(folder, output, options, compression):
    expected = json.loads(run(folder, "-o", output, "--tar-digest", "--format", "json").stdout)
    words = ("--tar-digest", "--format", "json", *options.split())
    answer = json.loads(run(folder, "-o", output, *words).stdout)
    assert answer["compressor"].startswith(compression)
    assert answer["tar_sha256"] == expected["tar_sha256"]
    assert len(answer["findings"]) == len(check_image(output).findings)


@pytest.mark.parametrize("place", ["o.wsl", "new/folder/o.wsl", "etc/o.wsl"])
def test_an_image_in_the_folder_that_is_packed_is_refused(folder, place):
    before = sorted(folder.rglob("*"))
    error = run(folder, "-o", folder / place).exception
    assert isinstance(error, UsageError)
    assert "would lie in" in error.message
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [("", "o.wsl", "the source has no name"), ("tree", "", "no image is written"), ("tree", "-", "no image")],
)
def test_names_that_are_none_are_refused(folder, monkeypatch, source, target, message):
    monkeypatch.chdir(folder.parent)
    error = run(source, "-o", target).exception
    assert isinstance(error, UsageError)
    assert message in error.message
    assert not (folder.parent / "-").exists()


def test_a_source_whose_name_is_too_long_is_one_clear_error(output):
    error = run("a" * 300, "-o", output).exception
    assert isinstance(error, UsageError)
    assert "File name too long" in error.message


def test_standard_input_that_is_closed_is_one_clear_error(output):
    command = [Path(sys.executable).with_name("wslimg"), "pack", "-", "-o", output]
    done = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *command], capture_output=True, text=True)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("error: standard input is closed")


def test_standard_input_that_nobody_else_may_open_is_read_once(tmp_path, output):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    path = tmp_path / "o.tar"
    path.write_bytes(image(*good()))
    path.chmod(0o600)
    code = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)" + FIRST_ENTRY
    with path.open("rb") as stream:
        done = subprocess.run(
            [sys.executable, "-c", code, tempfile.gettempdir()], stdin=stream, capture_output=True, text=True
        )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_writer_with_nothing_to_say_keeps_nobody_waiting(output):
    writer = ["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; exec sleep 60"]
    command = [Path(sys.executable).with_name("wslimg"), "pack", "-", "-o", output]
    with subprocess.Popen(writer, stdout=subprocess.PIPE) as writing:
        done = subprocess.run(command, stdin=writing.stdout, capture_output=True, text=True, timeout=30)
        writing.kill()
    assert done.returncode == ExitCode.EXECUTE
    assert "standard input, byte 0 of the archive: is no tar archive" in done.stderr


def test_seconds_of_roots_and_of_configuration_are_whole_ones(tmp_path, folder, output):
    os.utime(folder, ns=(0, 1_700_000_000_999_999_999))
    conf = tmp_path / "wsl.conf"
    conf.write_text("[boot]\nsystemd=true\n")
    os.utime(conf, ns=(0, -100_500_000_000))
    run(folder, "-o", output, "--wsl-conf", conf)
    with tarfile.open(output) as archive:
        times = {member.name.removeprefix("./"): member.mtime for member in archive}
    assert times["."] == 1_700_000_000
    assert times["etc/wsl.conf"] == -101


def test_an_image_that_unfolds_to_very_much_is_judged_alike_however_it_is_packed(folder, output):
    for number in range(5):
        with (folder / f"zeros{number}").open("wb") as zeros:
            zeros.truncate((256 << 20) - 1)
    for options in ((), ("--single-member",)):
        result = run(folder, "-o", output, "--no-cache", *options)
        assert "will refuse the image" in result.stderr
        assert "WSL001" not in result.stdout


def test_a_link_to_a_folder_is_that_folder(tmp_path, folder, output):
    (tmp_path / "link").symlink_to("tree")
    expected = json.loads(run(folder, "-o", output, "--format", "json").stdout)
    assert (
        json.loads(run(tmp_path / "link", "-o", output, "--format", "json").stdout)["sha256"]
        == (expected["sha256"])
    )


def test_sockets_are_left_out_and_counted(folder, output):
    here = os.getcwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
    finally:
        os.chdir(here)
    result = run(folder, "-o", output)
    assert "sockets are left out, 1 in all, such as /s" in result.stderr


@pytest.mark.system
def test_another_file_system_in_the_folder_is_left_out_with_a_warning(root, folder, output):
    (folder / "mnt").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", folder / "mnt"], check=True)
    try:
        (folder / "mnt/theirs").touch()
        result = run(folder, "-o", output, "--quiet")
    finally:
        subprocess.run(["umount", folder / "mnt"], check=True)
    assert "/mnt: another file system is mounted there, whose content is left out" in result.stderr
    with tarfile.open(output) as archive:
        names = archive.getnames()
    assert "mnt" in names and "mnt/theirs" not in names


@pytest.mark.parametrize("source", ["tree", "o.tar"])
def test_a_cache_that_cannot_be_made_is_one_clear_error(tmp_path, folder, output, monkeypatch, source):
    (tmp_path / "file").touch()
    monkeypatch.setenv("WSLIMG_CACHE", str(tmp_path / "file/cache"))
    error = run(tmp_path / source, "-o", output).exception
    assert isinstance(error, PackError) and "WSLIMG_CACHE" in error.fix
    assert not output.exists()


@pytest.mark.system
def test_a_full_disk_below_the_spool_is_one_clear_error(root, tmp_path, output):
    noise = hashlib.shake_256(b"noise").digest(4_000_000)
    (tmp_path / "o.tar.gz").write_bytes(image(*good(file("noise", noise))))
    (tmp_path / "cache").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", tmp_path / "cache"], check=True)
    try:
        error = run(tmp_path / "o.tar.gz", "-o", output).exception
    finally:
        subprocess.run(["umount", tmp_path / "cache"], check=True)
    assert "cannot be kept while it is sorted: No space left on device\n  fix: make room there" in str(error)
    assert not output.exists()


def test_attributes_that_cannot_ship_are_left_out_with_a_warning(tmp_path, output):
    acl = {b"SCHILY.xattr.system.posix_acl_access": b"\x02\0\0\0"}
    items = (file("etc/one", "x", pax=acl), file("etc/two", "x", pax=acl))
    (tmp_path / "o.tar").write_bytes(image(*good(*items)))
    result = run(tmp_path / "o.tar", "-o", output, "--quiet")
    assert (
        "/etc/one and 1 more: an attribute is left out: system.posix_acl_access: POSIX ACL" in result.stderr
    )
    assert check_image(output).findings == ()


def test_no_time_is_later_than_the_environment_says(folder, output, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    run(folder, "-o", output)
    with tarfile.open(output) as archive:
        assert max(member.mtime for member in archive) == 1_000_000_000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert "SOURCE_DATE_EPOCH is 'yesterday', expected seconds" in str(run(folder, "-o", output).exception)


@pytest.mark.system
def test_a_folder_of_many_files_takes_less_than_100_megabytes(folder, output):
    for number in range(500):
        (full := folder / f"usr/share/a-folder-like-others/{number}").mkdir(parents=True)
        for other in range(120):
            (full / f"a-file-like-{other}-others").write_text(f"{number} {other}")
    program = (
        "import re, sys; from builder.cli.main import tune_interpreter, wslimg; tune_interpreter();"
        "wslimg.main(sys.argv[1:], standalone_mode=False);"
        "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
    )
    command = [
        sys.executable,
        "-c",
        program,
        "pack",
        "--no-cache",
        "-q",
        "--threads=2",
        str(folder),
        "-o",
        str(output),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout.split()[-1]) * 1024 < 100_000_000
    assert output.exists()
    shutil.rmtree(folder)
