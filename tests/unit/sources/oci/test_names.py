"""Names of images, challenges of registries, and the logins that other tools left."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from builder.core.errors import ResolveError
from builder.sources.oci.challenge import parse_challenges
from builder.sources.oci.credentials import Login, find_login
from builder.sources.oci.reference import locate, locate_mirror, locate_repository, parse_reference

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:trixie", "docker.io/library/debian:trixie"),
        (f"debian@{DIGEST}", f"docker.io/library/debian@{DIGEST}"),
        (f"debian:trixie@{DIGEST}", f"docker.io/library/debian:trixie@{DIGEST}"),
        ("team/base", "docker.io/team/base:latest"),
        ("docker.io/debian", "docker.io/library/debian:latest"),
        ("index.docker.io/library/debian", "docker.io/library/debian:latest"),
        ("localhost/base", "localhost/base:latest"),
        ("localhost:5000/base:1", "localhost:5000/base:1"),
        ("[::1]:5000/base", "[::1]:5000/base:latest"),
        ("ghcr.io/a/b/c_d--e:V1.0", "ghcr.io/a/b/c_d--e:V1.0"),
        ("Host/base", "Host/base:latest"),
    ],
)
def test_names_are_completed_as_docker_does(text: str, full: str) -> None:
    assert str(parse_reference(text)) == full


@pytest.mark.parametrize(
    "text",
    ["", "Debian", "debian:", "a//b", "-a", "a@sha256", f"a@{DIGEST}0", "a b", "https://x.org/a", "a:b:c/d"],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ResolveError, match="expected"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "insecure", "url"),
    [
        ("debian", None, "https://registry-1.docker.io/v2"),
        ("127.0.0.1:5000/a", None, "http://127.0.0.1:5000/v2"),
        ("[::1]:5000/a", None, "http://[::1]:5000/v2"),
        ("localhost:5000/a", False, "https://localhost:5000/v2"),
        ("10.0.0.1:5000/a", None, "https://10.0.0.1:5000/v2"),
        ("10.0.0.1:5000/a", True, "http://10.0.0.1:5000/v2"),
        ("127.0.0.1.example.org/a", None, "https://127.0.0.1.example.org/v2"),
    ],
)
def test_plain_http_is_for_loopback_or_by_option(text: str, insecure: bool | None, url: str) -> None:
    assert locate(parse_reference(text), insecure=insecure).url == url


@pytest.mark.parametrize(
    ("mirror", "url", "path"),
    [
        ("mirror.example", "https://mirror.example/v2", "library/debian"),
        ("mirror.example/hub/", "https://mirror.example/v2", "hub/library/debian"),
        ("http://mirror.example:81", "http://mirror.example:81/v2", "library/debian"),
    ],
)
def test_mirrors_have_a_prefix_and_a_scheme(mirror: str, url: str, path: str) -> None:
    endpoint = locate_mirror(parse_reference("debian"), mirror, insecure=None)
    assert (endpoint.url, endpoint.path) == (url, path)


def test_a_mirror_with_a_password_is_refused() -> None:
    with pytest.raises(ResolveError, match="is no mirror"):
        locate_mirror(parse_reference("debian"), "https://user:pw@mirror.example", insecure=None)


@pytest.mark.parametrize(
    ("text", "url", "path"),
    [
        ("registry/wsl", "https://registry/v2", "wsl"),
        ("localhost:5000/team/wsl", "http://localhost:5000/v2", "team/wsl"),
    ],
)
def test_a_repository_is_always_given_with_its_host(text: str, url: str, path: str) -> None:
    endpoint = locate_repository(text, insecure=None)
    assert (endpoint.url, endpoint.path) == (url, path)


@pytest.mark.parametrize("text", ["wsl", "host/", "host/Wsl", "host/wsl:1", "host/wsl@sha256:0", "a b/wsl"])
def test_what_is_no_repository_is_refused(text: str) -> None:
    with pytest.raises(ResolveError, match="is no name of a repository"):
        locate_repository(text, insecure=None)


def test_challenges_are_read_with_quotes_and_several_at_once() -> None:
    header = 'Basic realm="a, \\"b\\"", bearer Realm="https://t/x",service=reg,scope="r:a:pull,push"'
    basic, bearer = parse_challenges(header)
    assert (basic.scheme, basic.get("realm")) == ("basic", 'a, "b"')
    assert (bearer.scheme, bearer.get("realm"), bearer.get("service")) == ("bearer", "https://t/x", "reg")
    assert bearer.get("scope") == "r:a:pull,push"
    assert [each.scheme for each in parse_challenges("Negotiate, Basic")] == ["negotiate", "basic"]
    assert parse_challenges("") == ()


def environment(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "PATH": "/nowhere"}


def write(folder: Path, content: object, name: str = ".docker/config.json") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def auth(login: str) -> dict[str, str]:
    return {"auth": base64.b64encode(login.encode()).decode()}


def test_the_most_specific_login_counts(tmp_path: Path) -> None:
    write(tmp_path, {"auths": {"r.example": auth("all:1"), "r.example/team": auth("team:2:3")}})
    assert find_login("r.example", "team/base", environment(tmp_path)) == Login(user="team", password="2:3")
    assert find_login("r.example", "other/base", environment(tmp_path)) == Login(user="all", password="1")
    assert find_login("other.example", "a", environment(tmp_path)) is None


def test_docker_hub_is_known_by_its_old_address(tmp_path: Path) -> None:
    write(tmp_path, {"auths": {"https://index.docker.io/v1/": auth("me:pw")}})
    assert find_login("docker.io", "library/debian", environment(tmp_path)) == Login(user="me", password="pw")


def test_podmans_file_is_read_where_dockers_has_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"auths": {"other.example": auth("a:b")}})
    write(tmp_path, {"auths": {"r.example": auth("pod:man")}}, "run/containers/auth.json")
    found = find_login("r.example", "x", {**environment(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")})
    assert found == Login(user="pod", password="man")


def test_no_password_shows_in_a_traceback() -> None:
    assert "hidden" not in repr(Login(user="me", password="hidden", identity="hidden"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "config.json: is not JSON"),
        ("[]", "config.json: holds no JSON object"),
        ({"auths": {"r.example": {"auth": "%%%"}}}, "config.json: has a login that is no base64"),
        ({"credsStore": "../evil"}, "names the credential helper '../evil'"),
        ({"credsStore": "desktop"}, "docker-credential-desktop: the credential helper is not installed"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path: Path, content: object, message: str) -> None:
    write(tmp_path, content)
    with pytest.raises(ResolveError) as caught:
        find_login("r.example", "a", environment(tmp_path))
    assert message in str(caught.value)
