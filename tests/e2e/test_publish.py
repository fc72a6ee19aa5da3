"""Publishing as a CI job does it, with the command, and installing as wsl.exe does it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from builder.core.errors import PublishError
from builder.inspect.inventory import encode_inventory
from builder.model.manifest import Inventory, InventoryPackage
from builder.publish.serve import open_server
from tests.e2e.client import Client
from tests.unit.check.good import elf, good
from tests.unit.check.images import file, image, program
from tests.unit.publish.catalogs import add, catalog

WSLIMG = (sys.executable, "-c", "from builder.cli.main import run; run()")
BASE = "https://wsl.example.com/catalog"
Run = Callable[..., str]


@pytest.fixture
def wslimg(tmp_path: Path) -> Run:
    """`wslimg(*arguments, status=0)` gives standard output, or (unless `out`) the error."""

    def run(*arguments: object, status: int = 0, out: bool = False) -> str:
        environ = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
        done = subprocess.run(
            [*WSLIMG, *map(str, arguments)],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr if status and not out else done.stdout

    return run


def make_image(
    folder: Path, version: str, *, architecture: str = "amd64", packages: tuple[str, ...] = ("curl=1",)
) -> Path:
    """An image with manifest and inventory beside it, as `wslimg build` leaves them."""
    machine = elf(183 if architecture == "arm64" else 62)
    programs = ("bash", "sh", "mount", "login", "sudo", "systemctl", "dbus-daemon")
    changes = [
        program(f"usr/bin/{name}", machine, 0o4755 if name in ("mount", "sudo") else 0o755)
        for name in programs
    ]
    data = image(*good(*changes, program("usr/lib/systemd/systemd", machine), file("etc/version", version)))
    path = folder / f"dev_{version}_{architecture}.wsl"
    path.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    stem = str(path).removesuffix(".wsl")
    Path(f"{stem}.manifest.json").write_text(json.dumps(manifest(path, version, architecture, sha256)))
    pairs = [package.split("=") for package in packages]
    inventory = Inventory(
        image_sha256=sha256,
        packages=tuple(
            InventoryPackage(name=name, version=number, architecture=architecture) for name, number in pairs
        ),
        entries=(),
    )
    Path(f"{stem}.inventory.json.zst").write_bytes(encode_inventory(inventory))
    return path


def manifest(path: Path, version: str, architecture: str, sha256: str) -> dict[str, object]:
    size = path.stat().st_size
    none = "0" * 64
    return {
        "schema": 1, "name": "dev", "version": version, "architecture": architecture, "time": 0,
        "image": {"file": path.name, "size": size, "sha256": sha256, "tar_size": 0, "tar_sha256": none,
                  "compression": "gzip"},
        "origin": {"recipe": none, "lock": none, "tree": none, "base": "", "tool": ""},
        "entries": 1, "packages": 1, "systemd": True,
        "catalog": {"flavor": "dev", "name": f"dev-{version}", "friendly_name": "Entwickler für Köln",
                    "details": {"owner": "team"}},
    }  # fmt: skip


@contextmanager
def served(folder: Path) -> Iterator[str]:
    with open_server(folder, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_from_images_to_an_installation(wslimg: Run, tmp_path: Path):
    images = [
        make_image(tmp_path, version, architecture=architecture)
        for version in ("1", "2")
        for architecture in ("amd64", "arm64")
    ]
    (tmp_path / "site").mkdir()
    with served(tmp_path / "site") as base:
        wslimg("publish", *images, "--to", "site", "--base-url", base)
        again = wslimg("publish", *images, "--to", "site")
        assert again.splitlines()[0] == "stable: dev 1 for amd64, wsl --install dev-1"
        url = f"{base}/stable/DistributionInfo.json"
        for name, architecture, expected in (("dev", "amd64", 2), ("DEV", "arm64", 3), ("dev-1", "amd64", 0)):
            installed = Client(url=url, architecture=architecture).install(name, tmp_path)
            assert installed.read_bytes() == images[expected].read_bytes()
    assert "site: entries, images and lists agree" in wslimg("catalog", "verify", "site")
    wslimg(
        "check", "site/stable/DistributionInfo.json", "--disable", "LST015", "--reason", "test", "--strict"
    )
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=tmp_path / "site/stable",
        check=True,
        capture_output=True,
    )
    assert done.stdout.count(b": OK") == 4 * 3 + 4
    assert wslimg(
        "catalog", "resolve", "site/stable/DistributionInfo.json", "dev", "--arch", "arm64"
    ).startswith("`wsl --install dev` on arm64 takes dev ")


def test_the_life_of_a_release(wslimg: Run, tmp_path: Path):
    old = make_image(tmp_path, "1", packages=("curl=1", "vim=9"))
    new = make_image(tmp_path, "2", packages=("curl=2", "git=3"))
    wslimg("publish", old, new, "--to", "site", "--base-url", BASE, "--channel", "beta")
    assert (
        wslimg("catalog", "promote", "site", "dev@1", "--from", "beta", "--to", "stable")
        == "stable: dev 1, as in beta\n"
    )
    wslimg("catalog", "promote", "site", "dev", "--from", "beta", "--to", "stable")
    assert "dev-2" in wslimg("catalog", "list", "site").splitlines()[1]
    assert wslimg("catalog", "rollback", "site", "dev") == "stable: withdrawn: dev 2\n"
    assert "withdrawn" in wslimg("catalog", "list", "site").splitlines()[1]
    assert "owner: team" in wslimg("catalog", "show", "site", "dev@1")
    wslimg("catalog", "deprecate", "site", "dev@1", "--channel", "beta", "--use", "dev-2")
    assert (
        json.loads(wslimg("catalog", "list", "site", "--channel", "beta", "--format", "json"))["flavors"][0][
            "versions"
        ][1]["use"]
        == "dev-2"
    )
    assert wslimg("catalog", "diff", "site", "dev", "1", "2", "--channel", "beta").splitlines()[:3] == [
        "- vim 9", "+ git 3", "  curl 1 -> 2",
    ]  # fmt: skip
    assert "would unlist" in wslimg("catalog", "prune", "site", "--keep", "1")
    assert "unlisted entries/beta/dev/1-amd64" in wslimg(
        "catalog", "prune", "site", "--keep", "1", "--delete"
    )
    wslimg("catalog", "export", "site", "mirror", "--base-url", "file:///C:/wsl")
    for folder in ("site", "mirror"):
        wslimg("catalog", "verify", folder)
    assert wslimg("catalog", "rebuild", "site") == "beta: was right\nstable: was right\n"
    assert len(wslimg("catalog", "log", "site").splitlines()) == 6
    assert "/reg:64" in wslimg("catalog", "windows", "site", "--out", "windows").splitlines()[-1]


def test_an_image_without_a_manifest_needs_its_names(wslimg: Run, tmp_path: Path):
    path = tmp_path / "made-elsewhere.wsl"
    path.write_bytes(image(*good()))
    names = ("--flavor", "other", "--version", "1", "--friendly-name", "Other")
    error = wslimg("publish", path, "--to", "site", "--base-url", BASE, status=2)
    assert "--flavor, --version, --friendly-name missing" in error
    assert "give --arch" in wslimg("publish", path, "--to", "site", *names, status=2)
    assert (
        wslimg("publish", path, "--to", "site", "--base-url", BASE, *names, "--arch", "amd64")
        == "stable: other 1 for amd64, wsl --install other-1\n"
    )


def test_what_does_not_deserve_it_is_not_published(wslimg: Run, tmp_path: Path):
    path = make_image(tmp_path, "1")
    publish = ("publish", path, "--to", "site")
    assert "there is no such folder" in wslimg(*publish, status=6)
    (tmp_path / "site").mkdir()
    assert "give --base-url" in wslimg(*publish, status=6)
    wslimg("catalog", "init", "site", "--base-url", BASE)
    before = sorted((tmp_path / "site").rglob("*"))
    assert "not for https://other" in wslimg(*publish, "--base-url", "https://other.example.com", status=6)
    policy = tmp_path / "policy.yaml"
    policy.write_text("packages:\n  required: [company-agent]\n")
    assert "company-agent" in wslimg(*publish, "--policy", policy, status=5)
    path.write_bytes(path.read_bytes() + bytes(512))
    assert "its manifest says" in wslimg(*publish, status=6)
    broken = tmp_path / "broken_amd64.wsl"
    broken.write_bytes(b"nothing")
    names = ("--flavor", "other", "--version", "1", "--friendly-name", "Other")
    assert "is not published" in wslimg("publish", broken, "--to", "site", *names, status=5)
    assert sorted((tmp_path / "site").rglob("*")) == before


def test_changed_settings_are_in_every_list(wslimg: Run, tool, tmp_path: Path):
    tool("ssh-keygen")
    wslimg("publish", make_image(tmp_path, "1"), "--to", "site", "--base-url", BASE)
    wslimg("catalog", "init", "site", "--base-url", "https://other.example.com/x", "--default", "dev")
    lists = [
        (tmp_path / "site/stable" / name).read_text()
        for name in ("DistributionInfo.json", "DistributionInfo.append.json")
    ]
    assert all('"Default": "dev"' in one and "https://other.example.com/x/images/" in one for one in lists)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    assert "--sign KEY" in wslimg("catalog", "init", "site", "--signed", status=6)
    wslimg("catalog", "init", "site", "--signed", "--sign", "key")
    assert "signatures are good" in wslimg("catalog", "verify", "site", "--key", "key.pub")
    wslimg("catalog", "init", "site", "--unsigned")
    assert "is not signed" in "".join(
        wslimg("catalog", "verify", "site", "--key", "key.pub", status=6, out=True)
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("wsl.example.com", "is no https://"),
        ("https://", "names no server"),
        ("https://a/b?c", "characters that do not belong"),
        ("file://server/share", "write file:///"),
        ("file:////server/share", "write file://///SERVER/SHARE"),
    ],
)
def test_an_address_that_windows_cannot_read_is_refused(wslimg: Run, url: str, reason: str):
    assert reason in wslimg("catalog", "init", "site", "--base-url", url, status=2)


def test_a_server_sends_ranges_types_and_what_may_be_cached(tmp_path: Path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/x.wsl").write_bytes(bytes(range(100)))
    with served(tmp_path) as base:
        for value, expected in (
            ("bytes=90-", range(90, 100)),
            ("bytes=5-9", range(5, 10)),
            ("bytes=-3", range(97, 100)),
        ):
            request = urllib.request.Request(f"{base}/images/x.wsl", headers={"Range": value})
            with urllib.request.urlopen(request) as answer:
                assert (answer.status, answer.read()) == (206, bytes(expected))
                assert answer.headers["Content-Type"] == "application/octet-stream"
                assert "immutable" in answer.headers["Cache-Control"]
        with pytest.raises(urllib.error.HTTPError, match="416"):
            urllib.request.urlopen(
                urllib.request.Request(f"{base}/images/x.wsl", headers={"Range": "bytes=100-"})
            )


@pytest.mark.system
def test_a_full_disk_leaves_the_catalog_as_it_was(root: None, tool, wslimg: Run, tmp_path: Path):
    tool("mount")
    site = tmp_path / "site"
    site.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(site)], check=True)
    try:
        wslimg("publish", make_image(tmp_path, "1"), "--to", "site", "--base-url", BASE)
        big = tmp_path / "big_2_amd64.wsl"
        big.write_bytes(image(*good(file("usr/big", os.urandom(400_000)))))
        before = wslimg("catalog", "list", "site", "--format", "json")
        names = ("--flavor", "dev", "--version", "2", "--friendly-name", "x")
        error = wslimg("publish", big, "--to", "site", *names, status=6)
        assert "No space left on device" in error and "prune" in error
        assert wslimg("catalog", "list", "site", "--format", "json") == before
        wslimg("catalog", "verify", "site")
        assert not list(site.rglob("*2-amd64*"))
    finally:
        subprocess.run(["umount", str(site)], check=True)


@pytest.mark.system
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_folder_that_may_not_be_written_says_so(root: None, tmp_path: Path):
    def try_to_publish() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with pytest.raises(PublishError, match="Permission denied") as caught:
            add(target, "2", folder=work)
        assert "right to write" in caught.value.fix

    with TemporaryDirectory(dir="/tmp") as folder:
        work = Path(folder, "work")
        work.mkdir()
        os.chmod(folder, 0o755)
        os.chmod(work, 0o777)
        target = catalog(Path(folder, "site"))
        add(target, "1", folder=work)
        before = {path: target.get(path) for path in target.list("")}
        child = multiprocessing.get_context("fork").Process(target=try_to_publish)
        child.start()
        child.join()
        assert child.exitcode == 0
        assert {path: target.get(path) for path in target.list("")} == before
