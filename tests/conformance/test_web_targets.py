"""What only web servers do: pieces, logins and headers, and stores with an interface of their own."""

from __future__ import annotations

import os
import shutil
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from builder.core.errors import PublishError, UsageError
from builder.core.events import discard
from builder.core.http import Http
from builder.model.catalog import Settings
from builder.publish.publish import set_up
from builder.publish.target import BusyError, ConflictError, Target
from builder.publish.verify import verify_catalog
from builder.publish.web import WebTarget
from builder.publish.web_address import open_web
from tests.conformance.file_servers import apache_server
from tests.conformance.product_servers import Artifactory, GitLab, Nexus, Product, Store, product_server
from tests.conformance.servers import free_port
from tests.conformance.web_servers import dav_server, nginx_server
from tests.conftest import require
from tests.unit.publish.catalogs import BASE, add


@pytest.fixture
def apache(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "apache").mkdir()
    with TemporaryDirectory() as public, apache_server(Path(public), tmp_path / "apache") as base:
        yield base


def image(folder: Path, size: int = 1_000_000) -> Path:
    source = folder / "image"
    source.write_bytes(os.urandom(size))
    return source


class Interrupted(Http):
    """The network goes away after so many requests that send a piece."""

    left = 0

    def send(self, method, url, *, headers, **others):
        if "Content-Range" in headers and url.endswith(".part"):
            if self.left == 0:
                raise KeyboardInterrupt
            object.__setattr__(self, "left", self.left - 1)
        return super().send(method, url, headers=headers, **others)


@pytest.mark.system
def test_an_upload_that_was_cut_goes_on_where_it_stopped(apache: str, tmp_path: Path):
    source = image(tmp_path)
    path = "images/dev/1/dev.wsl"
    broken = Interrupted()
    object.__setattr__(broken, "left", 4)  # the first is refused: its folder is missing
    with pytest.raises(KeyboardInterrupt):
        WebTarget(apache, http=broken, piece=200_000).put_file(path, source, lambda _: None)
    target = WebTarget(apache, piece=200_000)
    assert target.list("images/") == ()
    assert target.stat(path) is None
    sent: list[int] = []
    target.put_file(path, source, sent.append)
    assert sent == [600_000, 200_000, 200_000]
    assert target.get(path) == source.read_bytes()
    assert target.list("images/") == (path,)
    target.put_file(path, image(tmp_path, 700_000), lambda _: None)
    assert target.get(path) == source.read_bytes()


@pytest.mark.system
def test_a_server_without_pieces_gets_the_file_whole(tmp_path: Path):
    require(shutil.which("nginx") is not None, "nginx is not installed (apt install nginx-light)")
    source = image(tmp_path)
    (tmp_path / "root").mkdir()
    with nginx_server(tmp_path / "root", tmp_path / "nginx", free_port()) as base:
        target = WebTarget(base, piece=1000)
        target.put_file("a/b", source, lambda _: None)
        assert target.get("a/b") == source.read_bytes()
        assert target.list("") == ("a/b",)


def test_a_server_that_takes_the_first_piece_for_the_file_is_found_out(tmp_path: Path):
    source = image(tmp_path)
    (tmp_path / "root").mkdir()
    with dav_server(tmp_path / "root") as base:
        target = WebTarget(base, piece=1000)
        target.put_file("a/b", source, lambda _: None)
        assert target.get("a/b") == source.read_bytes()
        assert target.list("") == ("a/b",)


def test_an_error_names_no_login(tmp_path: Path):
    with dav_server(tmp_path, token="right") as base:
        address = base.replace("//", "//user:hidden@")
        with pytest.raises(PublishError, match="answered 401") as caught:
            WebTarget(address, token="wrong").put_bytes("x", b"")
    assert "hidden" not in str(caught.value) and "wrong" not in str(caught.value)
    assert "WSLIMG_HTTP_HEADERS" in caught.value.fix


# Package managers, as their documentation has them: stand-ins.

BEARER = ("Authorization", "Bearer t")
OWN = {"WSLIMG_HTTP_HEADERS": "X-Team: a\nX-SSO: b:c\n"}
KINDS = {
    "artifactory": (Artifactory, "artifactory+", {"WSLIMG_TOKEN": "t"}, BEARER),
    "api-key": (Artifactory, "artifactory+", {"WSLIMG_TOKEN": "AKCpx"}, ("X-JFrog-Art-Api", "AKCpx")),
    "nexus": (Nexus, "nexus+", OWN, ("X-SSO", "b:c")),
    "gitlab": (GitLab, "gitlab+", {"WSLIMG_TOKEN": "t"}, ("PRIVATE-TOKEN", "t")),
    "gitlab-job": (GitLab, "gitlab+", {"CI_JOB_TOKEN": "j"}, ("JOB-TOKEN", "j")),
}
"""Kind, beginning of its addresses, environment, and the header that follows from it."""
Opened = tuple[Target, Store]


@pytest.fixture(params=list(KINDS))
def product(request: pytest.FixtureRequest) -> Iterator[Opened]:
    kind, prefix, environ, login = KINDS[request.param]
    with product_server(kind, login) as (address, store):
        yield open_web(prefix + address, environ), store


def test_a_product_keeps_replaces_lists_and_deletes(product: Opened, tmp_path: Path):
    target, store = product
    assert target.list("") == () and target.stat("a") is None
    target.put_bytes("a/b c+d/one.json", b"1")
    target.put_bytes("a/two.json", b"2")
    target.put_file("images/x.wsl", image(tmp_path), lambda _: None)
    target.put_bytes("a/two.json", b"two")
    assert target.list("") == ("a/b c+d/one.json", "a/two.json", "images/x.wsl")
    assert target.list("a/") == ("a/b c+d/one.json", "a/two.json")
    assert (target.get("a/two.json"), target.get("a/b c+d/one.json")) == (b"two", b"1")
    info = target.stat("images/x.wsl")
    assert info is not None and info.size == 1_000_000
    target.delete("a/two.json")
    target.delete("a/two.json")
    assert target.stat("a/two.json") is None
    assert [file.path for file in store.files] == ["a/b c+d/one.json", "images/x.wsl"]


def test_conditions_hold_on_a_product_that_knows_none(product: Opened):
    target, _ = product
    target.put_bytes("count", b"0")
    with pytest.raises(ConflictError):
        target.put_bytes("count", b"1", if_absent=True)

    def increment(_: int) -> None:
        while True:
            info = target.stat("count")
            assert info is not None
            try:
                target.put_bytes("count", b"%d" % (int(target.get("count")) + 1), if_match=info.tag)
            except ConflictError:
                continue
            return

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(increment, range(6)))
    assert target.get("count") == b"6"
    with target.lock("x.lock"), pytest.raises(BusyError), target.lock("x.lock"):
        pass
    assert target.list("") == ("count",)


@pytest.mark.parametrize(
    ("kind", "prefix"), [(Artifactory, "artifactory+"), (Nexus, "nexus+"), (GitLab, "gitlab+")]
)
def test_publishers_at_once_lose_nothing_on_a_product(kind: type[Product], prefix: str, tmp_path: Path):
    with product_server(kind) as (address, _):
        target = open_web(prefix + address, {})
        set_up(target, lambda before: before or Settings(base_url=BASE))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: add(open_web(prefix + address, {}), f"1.{n}", folder=tmp_path), range(4)))
        names = target.get("stable/SHA256SUMS").decode()
        assert all(f"dev-1.{number}-amd64" in names for number in range(4))
        assert verify_catalog(target, (), "", discard, content=True) == ()


@pytest.mark.parametrize(
    ("address", "shape"),
    [
        ("artifactory+https://x/wsl", "https://HOST/artifactory/REPOSITORY/FOLDER"),
        ("nexus+https://x/wsl", "https://HOST/repository/REPOSITORY/FOLDER"),
        ("gitlab+https://x/api/v4/projects/7/packages/generic/wsl", "packages/generic/PACKAGE/VERSION"),
    ],
)
def test_an_address_of_the_wrong_shape_says_which_it_should_have(address: str, shape: str):
    with pytest.raises(UsageError, match="is no address of a") as caught:
        open_web(address, {})
    assert shape in caught.value.fix


def test_a_listing_that_is_none_names_the_server(tmp_path: Path):
    with dav_server(tmp_path) as base:
        (tmp_path / "service/rest/v1").mkdir(parents=True)
        (tmp_path / "service/rest/v1/assets").write_text("<html>")
        with pytest.raises(PublishError, match="listing cannot be read") as caught:
            open_web(f"nexus+{base}/repository/raw", {}).list("")
    assert "right kind of server" in caught.value.fix


def test_a_header_that_is_none_is_refused_without_being_shown():
    for text in ("secret", "a\x20b: secret", ": secret", "X-A: 1\n\nsecret"):
        with pytest.raises(UsageError, match="is no header") as caught:
            open_web("https://x", {"WSLIMG_HTTP_HEADERS": text})
        assert "secret" not in str(caught.value)
    assert "secret" not in repr(open_web("https://x", {"WSLIMG_TOKEN": "secret"}).connection)


def test_a_login_of_netrc_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ci password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    basic = "Basic " + b64encode(b"ci:secret").decode()
    with product_server(Nexus, ("Authorization", basic)) as (address, _):
        target = open_web(f"nexus+{address}", {})
        target.put_bytes("a", b"1")
        assert target.get("a") == b"1"


def test_an_upload_that_meets_an_overloaded_server_is_sent_again(tmp_path: Path):
    source = image(tmp_path)
    sent: list[int] = []
    with product_server(Nexus) as (address, store):
        store.refusals = 2
        target = WebTarget(address, http=Http(pause=0.01))
        target.put_file("image", source, sent.append)
        assert target.get("image") == source.read_bytes()
    assert sum(sent) == 1_000_000
    assert -1_000_000 in sent
