"""A registry as a target: names, artifacts, and uploads that break."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.core.errors import PublishError, UsageError
from builder.core.http import Http
from builder.publish import oci_push
from builder.publish.oci import OciTarget
from builder.publish.oci_names import is_shortened, may_be_below, path_of, tag_of
from tests.unit.publish.push_registry import Handler, PushRegistry, serving
from tests.unit.sources.oci.registries import send, sha256

PATHS = st.text(st.sampled_from("abcXYZ019._-+~/é "), min_size=1, max_size=200)
PIECE = 1000


@pytest.fixture
def registry() -> Iterator[PushRegistry]:
    with serving(PushRegistry()) as running:
        yield running


@pytest.fixture
def target(registry: PushRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OciTarget:
    monkeypatch.setattr(oci_push, "_PIECE", PIECE)
    return open_at(registry, tmp_path)


def open_at(registry: PushRegistry, home: Path) -> OciTarget:
    return OciTarget(registry.address, http=Http(pause=0.001), environment={"HOME": str(home)})


def put(target: OciTarget, folder: Path, size: int) -> list[int]:
    """Store a file of `size` random bytes, and return what was counted."""
    source = folder / "source"
    source.write_bytes(os.urandom(size))
    counted: list[int] = []
    target.put_file("images/x.wsl", source, counted.append)
    assert target.get("images/x.wsl") == source.read_bytes()
    return counted


@given(PATHS)
def test_a_tag_spells_its_path_or_is_known_to_be_short(path: str) -> None:
    tag = tag_of(path)
    assert 0 < len(tag) <= 128 and tag.isascii() and set(tag) <= set(VALID)
    assert path_of(tag) == ("" if is_shortened(tag) else path)
    head, slash, _ = path.rpartition("/")
    assert not is_shortened(tag) or may_be_below(tag, head + slash)


VALID = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"


def test_long_names_are_listed_by_what_their_files_say(target: OciTarget, registry: PushRegistry) -> None:
    paths = [f"images/{'f' * 90}/{version}/{'f' * 90}-{version}.wsl" for version in ("1", "2")]
    for path in paths:
        target.put_bytes(path, path.encode())
    assert target.list("images/") == target.list("") == tuple(paths)
    assert target.list(f"images/{'f' * 90}/2/") == (paths[1],)
    assert target.list("entries/") == ()
    assert [target.get(path) for path in paths] == [path.encode() for path in paths]


def test_a_list_of_tags_is_read_page_by_page(target: OciTarget, registry: PushRegistry) -> None:
    paths = tuple(f"entries/{number}" for number in range(5))
    for path in paths:
        target.put_bytes(path, b"")
    registry.page = 2
    assert target.list("entries/") == paths
    assert [path for _, path in registry.seen].count("/v2/team/wsl/tags/list?last=entries__1") == 1


def test_a_file_arrives_in_pieces_that_are_counted(
    target: OciTarget, registry: PushRegistry, tmp_path: Path
) -> None:
    assert sum(put(target, tmp_path, 3 * PIECE + 1)) == 3 * PIECE + 1
    assert [method for method, _ in registry.seen].count("PATCH") == 4


def test_what_the_registry_has_is_not_sent_again(
    target: OciTarget, registry: PushRegistry, tmp_path: Path
) -> None:
    put(target, tmp_path, 3 * PIECE)
    registry.seen.clear()
    counted: list[int] = []
    target.put_file("images/again.wsl", tmp_path / "source", counted.append)
    assert counted == [3 * PIECE]
    assert "PATCH" not in [method for method, _ in registry.seen]


def drop_once(registry: PushRegistry, part: int) -> None:
    """Take only `part` bytes of the second piece, and answer nothing."""
    left = [1]

    def drop(handler: Handler) -> bool:
        if handler.command == "PATCH" and not handler.headers["Content-Range"].startswith("0-") and left:
            left.pop()
            registry.uploads[-1] += handler.body[:part]  # type: ignore[attr-defined]  # set by the registry
            handler.close_connection = True
            handler.connection.close()
            return True
        return False

    registry.before = drop


@pytest.mark.parametrize("part", [0, 400, PIECE])
def test_an_upload_that_breaks_goes_on_where_the_registry_says(
    target: OciTarget, registry: PushRegistry, tmp_path: Path, part: int
) -> None:
    drop_once(registry, part)
    assert sum(put(target, tmp_path, 3 * PIECE)) == 3 * PIECE
    assert len([upload for upload in registry.uploads if len(upload) >= PIECE]) == 1


def test_an_upload_that_the_registry_forgot_begins_anew(
    target: OciTarget, registry: PushRegistry, tmp_path: Path
) -> None:
    registry.remembers = False
    drop_once(registry, 400)
    assert sum(put(target, tmp_path, 3 * PIECE)) == 3 * PIECE
    assert len([upload for upload in registry.uploads if len(upload) >= PIECE]) == 2


@pytest.mark.parametrize(("methods", "status"), [(("PATCH", "GET"), 404), (("PATCH",), 416)])
def test_a_registry_that_gets_no_further_is_given_up(
    target: OciTarget, registry: PushRegistry, tmp_path: Path, methods: tuple[str, ...], status: int
) -> None:
    def refuse(handler: Handler) -> bool:
        if refused := handler.command in methods and "/uploads/" in handler.path:
            send(handler, status)
        return refused

    registry.before = refuse
    with pytest.raises(PublishError, match="lost the upload 3 times") as caught:
        put(target, tmp_path, 3 * PIECE)
    assert "proxy" in caught.value.fix


def test_bytes_that_were_altered_on_the_way_are_noticed(
    target: OciTarget, registry: PushRegistry, tmp_path: Path
) -> None:
    def alter(handler: Handler) -> bool:
        if handler.command == "PUT" and handler.body[:1] != b"{":  # type: ignore[attr-defined]  # set by the registry
            handler.body += b"x"  # type: ignore[attr-defined]  # likewise
        return False

    registry.before = alter
    with pytest.raises(PublishError, match="the registry stored sha256:") as caught:
        target.put_bytes("entries/x", b"content")
    assert "proxy" in caught.value.fix


def test_a_damaged_blob_is_noticed_when_it_is_read(
    target: OciTarget, registry: PushRegistry, tmp_path: Path
) -> None:
    put(target, tmp_path, 20_000)
    digest = sha256((tmp_path / "source").read_bytes())
    registry.blobs[digest] = b"y" * 20_000
    with pytest.raises(PublishError, match="has 20000 bytes with sha256"):
        target.get("images/x.wsl")


@pytest.mark.parametrize("manifest", [b"{}", b"no json", json.dumps({"layers": [], "config": {}}).encode()])
def test_what_others_keep_in_the_repository_is_told_apart(
    target: OciTarget, registry: PushRegistry, manifest: bytes
) -> None:
    registry.tags["settings.json"] = manifest
    with pytest.raises(PublishError, match=r"settings.json: is no (file of a catalog|JSON object)"):
        target.get("settings.json")


def test_the_login_of_docker_is_used_to_push(
    target: OciTarget, registry: PushRegistry, tmp_path: Path
) -> None:
    wanted = f"Basic {b64encode(b'ci:secret').decode()}"

    def guard(handler: Handler) -> bool:
        if refused := handler.headers.get("Authorization") != wanted and handler.command != "GET":
            send(handler, 401, WWW_Authenticate='Basic realm="here"')
        return refused

    registry.before = guard
    with pytest.raises(PublishError, match="refuses access") as caught:
        target.put_bytes("x", b"one")
    assert "docker login 127.0.0.1:" in caught.value.fix
    host = registry.address.split("/")[2]
    (tmp_path / ".docker").mkdir()
    config = tmp_path / ".docker/config.json"
    config.write_text(json.dumps({"auths": {host: {"auth": b64encode(b"ci:wrong").decode()}}}))
    with pytest.raises(PublishError, match="the registry answered 401") as caught:
        open_at(registry, tmp_path).put_bytes("x", b"one")
    assert "docker login 127.0.0.1:" in caught.value.fix
    config.write_text(json.dumps({"auths": {host: {"auth": b64encode(b"ci:secret").decode()}}}))
    open_at(registry, tmp_path).put_bytes("x", b"one")
    assert target.get("x") == b"one"


def test_a_token_is_asked_for_what_is_done(target: OciTarget, registry: PushRegistry) -> None:
    """The token server grants what the challenge names (distribution specification, auth/token)."""
    realm = registry.address.replace("oci://", "http://").replace("/team/wsl", "/token")
    asked: list[str] = []

    def guard(handler: Handler) -> bool:
        url = urlsplit(handler.path)
        if url.path == "/token":
            asked.append(parse_qs(url.query)["scope"][0])
            send(handler, 200, json.dumps({"token": asked[-1].rpartition(":")[2]}).encode())
            return True
        wanted = "pull" if handler.command in ("GET", "HEAD") else "pull,push"
        if refused := wanted not in handler.headers.get("Authorization", ""):
            scope = f'scope="repository:team/wsl:{wanted}"'
            send(handler, 401, WWW_Authenticate=f'Bearer realm="{realm}",service="s",{scope}')
        return refused

    registry.before = guard
    assert target.list("") == ()
    target.put_bytes("x", b"one")
    assert target.get("x") == b"one"
    assert asked == ["repository:team/wsl:pull", "repository:team/wsl:pull,push"]


def test_a_login_goes_to_no_other_host(registry: PushRegistry, target: OciTarget, tmp_path: Path) -> None:
    with serving(PushRegistry()) as other:
        place = other.address.replace("oci://", "http://").replace("/team", "/v2/team") + "/blobs/uploads/0"
        other.uploads.append(b"")
        heard: list[str | None] = []
        other.before = lambda handler: bool(heard.append(handler.headers.get("Authorization")))

        def guard(handler: Handler) -> bool:
            if not handler.headers.get("Authorization"):
                send(handler, 401, WWW_Authenticate='Basic realm="here"')
                return True
            if handler.command == "POST":
                send(handler, 202, Location=place, Range="0-0")
                return True
            return False

        registry.before = guard
        host = registry.address.split("/")[2]
        (tmp_path / ".docker").mkdir()
        login = {"auths": {host: {"auth": b64encode(b"ci:secret").decode()}}}
        (tmp_path / ".docker/config.json").write_text(json.dumps(login))
        target.put_bytes("x", b"one")
        assert heard and set(heard) == {None}
        assert b"one" in other.blobs.values()


def test_a_registry_that_deletes_nothing_says_how_to_let_it(
    target: OciTarget, registry: PushRegistry
) -> None:
    def refuse(handler: Handler) -> bool:
        if refused := handler.command == "DELETE":
            send(handler, 405, b'{"errors": [{"code": "UNSUPPORTED", "message": "not supported"}]}')
        return refused

    target.put_bytes("x", b"one")
    registry.before = refuse
    with pytest.raises(PublishError, match="answered 405: UNSUPPORTED not supported") as caught:
        target.delete("x")
    assert "storage.delete.enabled" in caught.value.fix


def test_a_tag_that_outlives_its_manifest_is_deleted_too(target: OciTarget, registry: PushRegistry) -> None:
    """As distribution 2.8 does it when another tag is being written."""
    target.put_bytes("x", b"one")
    hidden: list[str] = []

    def half(handler: Handler) -> bool:
        if handler.command == "DELETE" and not hidden:
            hidden.append("x")
            send(handler, 404)
            return True
        return False

    registry.before = half
    target.delete("x")
    assert hidden and registry.tags == {}


def test_a_claim_that_is_listed_but_not_there_stops_nobody(target: OciTarget, registry: PushRegistry) -> None:
    registry.tags["settings.json.guard__gone"] = b""

    def gone(handler: Handler) -> bool:
        if lost := handler.path.endswith("guard__gone"):
            send(handler, 404)
        return lost

    registry.before = gone
    target.put_bytes("settings.json", b"one", if_absent=True)
    assert target.list("") == ("settings.json",)


def test_a_registry_that_is_not_there_is_one_clear_error() -> None:
    gone = OciTarget("oci://127.0.0.1:9/team/wsl", http=Http(attempts=1))
    with pytest.raises(PublishError, match="cannot be read after 1 attempts") as caught:
        gone.list("entries/")
    assert "nothing that was published has changed" in caught.value.fix


@pytest.mark.parametrize("address", ["oci://host", "oci://host/Team", "oci://host/team:1", "oci:///team"])
def test_an_address_that_names_no_repository_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="HOST\\[:PORT\\]/PATH"):
        OciTarget(address)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("oci://registry.example.com/team/wsl", "https://registry.example.com/v2/team/wsl/blobs/sha256:"),
        ("oci+http://registry/wsl", "http://registry/v2/wsl/blobs/sha256:"),
        ("oci://localhost:5000/wsl/", "http://localhost:5000/v2/wsl/blobs/sha256:"),
    ],
)
def test_everybody_downloads_by_digest(address: str, url: str) -> None:
    assert OciTarget(address).images_url == url + "{sha256}"
