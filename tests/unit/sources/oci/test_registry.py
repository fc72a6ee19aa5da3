"""Pulling from a registry that is difficult in every known way: the right image, or one clear error."""

from __future__ import annotations

import base64
import json
import os
import random
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import zstandard

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.events import Event, Note, Progress
from builder.model.lock import ArchitectureLock, ImageSource
from builder.sources.image import Image, fetch_image, image_entries, resolve_image
from builder.sources.oci.reference import Endpoint
from builder.sources.oci.registry import Registry
from builder.sources.source import Supply

from .layers import file, folder, make_tar
from .registries import CONFIG, INDEX, MANIFEST, Content, FakeRegistry, client, send, send_part, serving

NOISE = random.Random(0).randbytes(2 << 20)
LOWER = make_tar([folder("etc"), file("etc/os-release", b"ID=debian\nVERSION_ID=13\n"), file("big", NOISE)])
UPPER = make_tar([file("etc/new", b"new"), file(".wh.big")])


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeRegistry]:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    content = Content()
    content.image(LOWER, UPPER)
    with serving(FakeRegistry(content)) as served:
        yield served


def supply(tmp_path: Path, seen: list[Event] | None = None, mirror: str = "") -> Supply:
    sink = (lambda _event: None) if seen is None else seen.append
    return Supply(blobs=Blobs(tmp_path / "blobs"), http=client(), sink=sink, mirror=mirror)


def resolve(registry: FakeRegistry, tmp_path: Path, **options: object) -> ArchitectureLock:
    image = Image.model_validate({"reference": registry.reference, **options})
    return resolve_image(image, "amd64", (), supply(tmp_path))


def refused(registry: FakeRegistry, tmp_path: Path, **options: object) -> str:
    """The error, after which nothing is in the store but what was right."""
    with pytest.raises(ResolveError) as caught:
        resolve(registry, tmp_path, **options)
    stored = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert all(path.read_bytes() in (LOWER, UPPER) for path in stored), stored
    return str(caught.value)


def layer(registry: FakeRegistry, number: int) -> str:
    """The digest of a layer of the image."""
    manifest = json.loads(registry.content.files[registry.content.tags["latest"]])
    return str(manifest["layers"][number]["digest"]).removeprefix("sha256:")


def log_in(tmp_path: Path, host: str, **entry: str) -> None:
    (tmp_path / ".docker").mkdir(exist_ok=True)
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {host: entry}}))


def encode(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


def test_an_image_becomes_a_lock_and_a_tree(registry: FakeRegistry, tmp_path: Path) -> None:
    lock = resolve(registry, tmp_path)
    source = lock.source
    assert isinstance(source, ImageSource)
    assert source.reference == f"{registry.reference}:latest"
    assert source.manifest == registry.content.tags["latest"]
    assert (lock.time, lock.facts.family, source.platform) == (1740787200, "debian", "linux/amd64")
    names = [entry.path for entry in image_entries(source, "amd64", Blobs(tmp_path / "blobs"))]
    assert names == [b"etc", b"etc/new", b"etc/os-release"]


def test_layers_that_are_there_are_not_fetched_again(registry: FakeRegistry, tmp_path: Path) -> None:
    first = resolve(registry, tmp_path)
    registry.seen.clear()
    assert resolve(registry, tmp_path) == first
    assert not [path for path, _ in registry.seen if layer(registry, 0) in path]


def test_what_is_locked_is_fetched_by_digest_though_the_tag_has_moved(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    image = Image(reference=registry.reference)
    lock = resolve(registry, tmp_path)
    registry.content.image(make_tar([file("other")]))
    other = supply(tmp_path / "other")
    fetch_image(image, lock, other)
    entries = image_entries(lock.source, "amd64", other.blobs)  # type: ignore[arg-type] # it is an image
    assert next(entries).path == b"etc"


def test_progress_is_told_in_bytes(registry: FakeRegistry, tmp_path: Path) -> None:
    seen: list[Event] = []
    resolve_image(Image(reference=registry.reference), "amd64", (), supply(tmp_path, seen))
    last = [event for event in seen if isinstance(event, Progress)][-1]
    assert (last.label, last.unit, last.done) == ("layers", "B", last.total)


def test_zstd_is_told_by_its_first_bytes(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.content.image(LOWER, UPPER, pack=zstandard.compress)
    assert resolve(registry, tmp_path).facts.family == "debian"


def test_layers_may_be_plain_and_the_same_twice(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.content.image(LOWER, UPPER, UPPER, pack=lambda data: data)
    source = resolve(registry, tmp_path).source
    assert isinstance(source, ImageSource)
    assert source.layers[1] == source.layers[2]


# Who may read


def basic(handler: BaseHTTPRequestHandler) -> bool:
    if handler.headers.get("Authorization") == f"Basic {encode('alice:s3cret')}":
        return False
    send(handler, 401, WWW_Authenticate='Basic realm="here"')
    return True


def test_a_password_of_docker_login_is_sent_when_it_is_asked_for(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.guard = basic
    log_in(tmp_path, registry.host, auth=encode("alice:s3cret"))
    assert resolve(registry, tmp_path).facts.family == "debian"
    assert registry.seen[0][1] == ""


def test_without_a_login_the_error_says_how_to_log_in(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.guard = basic
    message = refused(registry, tmp_path)
    assert message.startswith(f"{registry.reference}:latest: the registry refuses access (it answered 401)")
    assert f"docker login {registry.host}" in message


def test_a_wrong_password_is_no_endless_loop(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.guard = basic
    log_in(tmp_path, registry.host, auth=encode("alice:wrong"))
    message = refused(registry, tmp_path)
    assert "refuses access" in message
    assert "wrong" not in message
    assert len(registry.seen) == 2


class TokenGuard:
    """Answers /token and lets only its newest token pass; the first is good for `uses` requests."""

    def __init__(self, registry: FakeRegistry, *, login: str = "", uses: int = 10**6) -> None:
        self.registry, self.login, self.uses = registry, login, uses
        self.given, self.left = 0, 0
        self.asked: list[dict[str, list[str]]] = []

    def __call__(self, handler: BaseHTTPRequestHandler) -> bool:
        parts = urlsplit(handler.path)
        if parts.path == "/token":
            self._give(handler, parts.query)
            return True
        if self.left and handler.headers.get("Authorization") == f"Bearer token-{self.given}":
            self.left -= 1
            return False
        realm = f'Bearer realm="http://{self.registry.host}/token",service="registry, here"'
        send(handler, 401, WWW_Authenticate=realm)
        return True

    def _give(self, handler: BaseHTTPRequestHandler, query: str) -> None:
        form = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        self.asked.append(parse_qs(query or form))
        if self.login and self.login not in (handler.headers.get("Authorization"), form):
            send(handler, 401)
            return
        self.given, self.left = self.given + 1, 10**6 if self.given else self.uses
        send(handler, 200, json.dumps({"token": f"token-{self.given}"}).encode())


def test_anybody_gets_a_token_for_what_is_public(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.guard = guard = TokenGuard(registry)
    resolve(registry, tmp_path)
    assert guard.asked == [{"service": ["registry, here"], "scope": ["repository:team/base:pull"]}]


def test_a_token_is_asked_for_with_the_login(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.guard = TokenGuard(registry, login=f"Basic {encode('alice:s3cret')}")
    log_in(tmp_path, f"https://{registry.host}/v1/", username="alice", password="s3cret")
    assert resolve(registry, tmp_path).facts.family == "debian"


def test_an_identity_token_is_traded_for_an_access_token(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.guard = guard = TokenGuard(registry)
    log_in(tmp_path, registry.host, identitytoken="refresh-me")
    resolve(registry, tmp_path)
    assert guard.asked[0]["grant_type"] == ["refresh_token"]
    assert guard.asked[0]["refresh_token"] == ["refresh-me"]


def test_a_token_that_expires_on_the_way_is_renewed(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.guard = guard = TokenGuard(registry, uses=2)
    assert resolve(registry, tmp_path).facts.family == "debian"
    assert guard.given == 2


def test_a_refused_token_is_one_clear_error(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.guard = TokenGuard(registry, login="Basic nobody")
    assert "docker login" in refused(registry, tmp_path)


def test_a_token_server_over_plain_http_elsewhere_gets_no_password(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    secure = Registry(Endpoint(host="example.org", url="https://example.org/v2", path="a"), http=client())
    with pytest.raises(ResolveError, match=r"sends logins to .* expected an https"):
        secure.authorization.renew('Bearer realm="http://evil.example/token"', "", "example.org/a:b")


def test_a_credential_helper_is_asked(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.guard = basic
    helper = tmp_path / "bin/docker-credential-box"
    helper.parent.mkdir()
    answer = '{"ServerURL":"x","Username":"alice","Secret":"s3cret"}'
    helper.write_text(f"#!/bin/sh\nread host\n[ \"$host\" = {registry.host} ] && echo '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"credHelpers": {registry.host: "box"}}))
    assert resolve(registry, tmp_path).facts.family == "debian"
    helper.write_text("#!/bin/sh\necho 'the box is locked'; exit 1\n")
    assert "docker-credential-box: failed: the box is locked" in refused(registry, tmp_path)
    helper.unlink()
    assert "docker-credential-box: the credential helper is not installed" in refused(registry, tmp_path)


def test_credentials_do_not_follow_a_redirect_to_another_host(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.guard = basic
    log_in(tmp_path, registry.host, auth=encode("alice:s3cret"))
    with serving(FakeRegistry(registry.content)) as storage:
        for number in (0, 1):
            digest = layer(registry, number)
            place = f"http://localhost:{storage.host.rpartition(':')[2]}/v2/team/base/blobs/sha256:{digest}"
            registry.serve[digest] = lambda handler, _data, place=place: send(handler, 307, Location=place)  # type: ignore[misc]
        assert resolve(registry, tmp_path).facts.family == "debian"
    assert len(storage.seen) == 2
    assert {login for _, login in storage.seen} == {""}


# What goes wrong on the way


def test_a_busy_registry_is_asked_again_after_the_time_it_wants(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    answers = iter([429, 503])

    def busy(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        status = next(answers, 0)
        if status:
            send(handler, status, Retry_After="0")
        else:
            send_part(handler, data)

    registry.serve[registry.content.tags["latest"]] = busy
    assert resolve(registry, tmp_path).facts.family == "debian"


def test_a_pause_that_nobody_waits_for_is_told(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.guard = lambda handler: send(handler, 429, Retry_After="21600") or True  # type: ignore[func-returns-value]
    message = refused(registry, tmp_path)
    assert "answered 429 Too Many Requests and asks to wait 21600 seconds" in message
    assert "wait, log in (`docker login HOST`), or choose another mirror" in message


def test_a_layer_that_is_cut_is_resumed(registry: FakeRegistry, tmp_path: Path) -> None:
    starts: list[int] = []

    def cut(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        starts.append(start)
        part = data[start:] if start else data[: len(data) // 2]
        send(handler, 206 if start else 200, part, length=len(data) - start)

    registry.serve[layer(registry, 0)] = cut
    assert resolve(registry, tmp_path).facts.family == "debian"
    assert len(starts) == 2
    assert starts[0] == 0 < starts[1]


def test_a_layer_that_stays_short_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.serve[layer(registry, 0)] = lambda handler, data: send(handler, 200, data[:-9])
    assert f"{layer(registry, 0)}: has " in refused(registry, tmp_path)


@pytest.mark.parametrize("pack", [lambda data: data, zstandard.compress], ids=["plain", "zstd"])
def test_a_layer_with_other_bytes_is_refused(registry: FakeRegistry, tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    registry.content.image(LOWER, UPPER, pack=pack)
    wrong = pack(LOWER.replace(b"VERSION_ID=13", b"VERSION_ID=66"))
    registry.serve[layer(registry, 0)] = lambda handler, _data: send(handler, 200, wrong)
    assert f"{registry.reference}@sha256:{layer(registry, 0)}" in refused(registry, tmp_path)


def test_a_layer_whose_trailing_bytes_differ_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    digest = layer(registry, 0)
    registry.serve[digest] = lambda handler, data: send(handler, 200, data[:-4] + b"\0\0\0\0")
    message = refused(registry, tmp_path)
    assert digest in message


def test_an_endless_layer_is_cut_off(registry: FakeRegistry, tmp_path: Path) -> None:
    def endless(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            handler.wfile.write(data)
            while True:
                handler.wfile.write(bytes(1 << 16))
        except OSError:
            handler.close_connection = True

    registry.serve[layer(registry, 0)] = endless
    assert "is larger than the" in refused(registry, tmp_path)


def test_an_endless_manifest_is_cut_off(registry: FakeRegistry, tmp_path: Path) -> None:
    def endless(handler: BaseHTTPRequestHandler, _data: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b" " * (1 << 16))
        except OSError:
            handler.close_connection = True

    registry.serve[registry.content.tags["latest"]] = endless
    assert "has more than 4194304 bytes" in refused(registry, tmp_path)


def test_a_layer_that_unfolds_to_something_else_than_its_diff_id_is_refused(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    content = registry.content
    manifest = json.loads(content.files[content.tags["latest"]])
    manifest["layers"].reverse()
    content.tags["latest"] = content.put_json(manifest)
    assert "unfolds to content with sha256" in refused(registry, tmp_path)


def test_a_manifest_that_is_not_what_was_asked_for_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    digest = registry.content.tags["latest"]
    registry.serve[digest] = lambda handler, data: send(handler, 200, data + b" ")
    image = Image(reference=f"{registry.reference}@sha256:{digest}")
    with pytest.raises(ResolveError, match="the manifest has the digest sha256:"):
        resolve_image(image, "amd64", (), supply(tmp_path))


def test_a_configuration_with_other_bytes_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    manifest = json.loads(registry.content.files[registry.content.tags["latest"]])
    digest = manifest["config"]["digest"].removeprefix("sha256:")
    registry.serve[digest] = lambda handler, data: send(handler, 200, data.replace(b"2025", b"2026"))
    assert "with sha256" in refused(registry, tmp_path)


def test_a_missing_image_says_so(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.content.tags.clear()
    message = refused(registry, tmp_path)
    assert message.startswith(f"{registry.reference}:latest: the registry has no such image")


# Which image


def test_the_index_gives_the_architecture_and_no_attestation(registry: FakeRegistry, tmp_path: Path) -> None:
    content = registry.content
    arm = content.image(make_tar([file("arm")]), architecture="arm64")
    v3, plain = content.image(make_tar([file("v3")])), content.image(LOWER, UPPER)
    proof = {"vnd.docker.reference.type": "attestation-manifest"}
    items = [
        content.describe(
            v3, MANIFEST, platform={"os": "linux", "architecture": "unknown"}, annotations=proof
        ),
        content.describe(v3, MANIFEST, platform={"os": "unknown", "architecture": "unknown"}),
        content.describe(v3, MANIFEST, platform={"os": "windows", "architecture": "amd64"}),
        content.describe(v3, MANIFEST, platform={"os": "linux", "architecture": "amd64", "variant": "v3"}),
        content.describe(plain, MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
        content.describe(arm, MANIFEST, platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": items}
    content.tags["latest"] = content.put_json(index)
    assert resolve(registry, tmp_path).source.manifest == plain  # type: ignore[union-attr]
    assert resolve(registry, tmp_path, platform="linux/amd64/v3").source.manifest == v3  # type: ignore[union-attr]
    locked = resolve_image(Image(reference=registry.reference), "arm64", (), supply(tmp_path))
    assert locked.source.manifest == arm  # type: ignore[union-attr]
    content.tags["latest"] = content.put_json({**index, "manifests": items[:3]})
    message = refused_any(registry, tmp_path)
    assert "there is no image for linux/amd64, but for windows/amd64" in message


def refused_any(registry: FakeRegistry, tmp_path: Path) -> str:
    with pytest.raises(ResolveError) as caught:
        resolve(registry, tmp_path)
    return str(caught.value)


def test_an_image_for_another_architecture_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.content.image(LOWER, architecture="arm64")
    assert "is an image for linux/arm64, expected one for linux/amd64" in refused(registry, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schemaVersion": 1, "fsLayers": []}, "Docker's schema 1, which verifies nothing"),
        ({"mediaType": "application/vnd.cncf.helm"}, "is no container image but application/vnd.cncf.helm"),
        ({"config": {"mediaType": "text/x", "digest": "sha256:" + "0" * 64, "size": 1}}, "holds text/x"),
        (
            {"config": {"mediaType": CONFIG, "digest": "md5:00", "size": 1}},
            "has the digest 'md5:00', expected",
        ),
        (
            {"config": {"mediaType": CONFIG, "digest": "sha256:" + "0" * 64, "size": -1}},
            "the size -1, expected",
        ),
        ({"layers": []}, "has 0 layers, but its configuration names 2"),
        ({"layers": None}, "has no list of layers"),
    ],
)
def test_manifests_that_cannot_be_used_say_why(
    registry: FakeRegistry, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    content = registry.content
    manifest = json.loads(content.files[content.tags["latest"]])
    content.tags["latest"] = content.put_json({**manifest, **change})
    assert message in refused(registry, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"urls": ["https://elsewhere.example/layer"]},
            "has to be fetched from elsewhere, as those of Windows",
        ),
        (
            {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
            "fetched from elsewhere",
        ),
        ({"mediaType": "application/vnd.oci.image.layer.v1.tar+encrypted"}, "expected a tar archive"),
    ],
)
def test_layers_that_are_elsewhere_or_something_else_are_refused(
    registry: FakeRegistry, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    content = registry.content
    manifest = json.loads(content.files[content.tags["latest"]])
    manifest["layers"][0] |= change
    content.tags["latest"] = content.put_json(manifest)
    assert message in refused(registry, tmp_path)


# Mirrors


def test_a_mirror_is_asked_first_and_the_registry_where_it_lacks_the_image(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    seen: list[Event] = []
    with serving(FakeRegistry(Content())) as mirror:
        image = Image(reference=registry.reference, mirror=f"{mirror.host}/cache")
        resolve_image(image, "amd64", (), supply(tmp_path, seen))
        assert mirror.seen[0][0] == "/v2/cache/team/base/manifests/latest"
        assert any(
            isinstance(event, Note) and "is not used: the registry has no such" in event.message
            for event in seen
        )
        mirror.content = registry.content
        registry.seen.clear()
        resolve_image(
            Image(reference="example.org/team/base"), "amd64", (), supply(tmp_path, mirror=mirror.host)
        )
        assert registry.seen == []
