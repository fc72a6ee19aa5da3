"""Which engine is meant: what the environment and Docker's configuration say, in the order of `docker`."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import pytest

from builder.core.errors import UsageError
from builder.execute.docker.address import find_address


@pytest.fixture(autouse=True)
def nobody_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine of this machine."""
    monkeypatch.setattr("builder.execute.docker.address._LOCAL", ())


def write_context(folder: Path, name: str, endpoint: dict[str, object]) -> dict[str, str]:
    """The environment in which the context `name` is in use."""
    entry = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / entry
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": endpoint}}))
    (folder / "config.json").write_text(json.dumps({"currentContext": name}))
    return {"DOCKER_CONFIG": str(folder)}


def write_keys(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("ca", "cert", "key"):
        (folder / f"{name}.pem").write_text("")
    return folder


def test_what_the_user_says_outranks_sockets(tmp_path):
    folder = tmp_path / "podman"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "podman.sock"))
        runtime = {"XDG_RUNTIME_DIR": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
        found = find_address(runtime)
        assert (found.url, found.named_by) == (f"unix://{folder}/podman.sock", "")
        named = find_address({**runtime, "DOCKER_HOST": "ssh://build"})
        assert (named.url, named.named_by, named.is_local) == ("ssh://build", "DOCKER_HOST", False)
    assert find_address({"DOCKER_CONFIG": str(tmp_path)}) is None


def test_the_context_in_use_names_the_engine_unless_the_environment_does(tmp_path):
    around = write_context(tmp_path, "build", {"Host": "unix:///run/build.sock"})
    found = find_address(around)
    assert (found.url, found.named_by) == ("unix:///run/build.sock", "context build")
    assert find_address({**around, "DOCKER_HOST": "tcp://other:2375"}).url == "tcp://other:2375"
    assert find_address({**around, "DOCKER_CONTEXT": "default"}) is None


def test_a_context_brings_its_certificates(tmp_path):
    around = write_context(tmp_path, "build", {"Host": "tcp://build:2376", "SkipTLSVerify": False})
    keys = write_keys(tmp_path / "contexts/tls" / hashlib.sha256(b"build").hexdigest() / "docker")
    found = find_address(around).certificates
    assert (found.ca, found.cert, found.key) == tuple(keys / f"{name}.pem" for name in ("ca", "cert", "key"))
    assert found.verify


@pytest.mark.parametrize(("variable", "verify"), [("DOCKER_TLS_VERIFY", True), ("DOCKER_TLS", False)])
def test_variables_name_certificates(tmp_path, variable, verify):
    keys = write_keys(tmp_path / "keys")
    around = {"DOCKER_HOST": "tcp://build:2376", variable: "1", "DOCKER_CERT_PATH": str(keys)}
    found = find_address(around).certificates
    assert (found.cert, found.verify) == (keys / "cert.pem", verify)
    assert find_address({**around, "DOCKER_HOST": "ssh://build"}).certificates is None


@pytest.mark.parametrize(
    "url",
    [
        "build",
        "build:2375",
        "unix://",
        "unix://relative",
        "tcp://",
        "ssh://",
        "tcp://host:port",
        "npipe:////./x",
    ],
)
def test_an_address_that_names_nothing_is_refused_with_the_forms_that_do(url):
    with pytest.raises(UsageError, match="is no address of an engine") as caught:
        find_address({"DOCKER_HOST": url})
    assert caught.value.where == "DOCKER_HOST"
    assert caught.value.fix == "write unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST"


def test_a_context_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="there is no context 'gone' of Docker") as caught:
        find_address({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})
    assert caught.value.where.endswith("/meta.json")
    assert "`docker context ls`" in caught.value.fix


def test_a_configuration_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match="is not what Docker writes: Invalid JSON") as caught:
        find_address({"DOCKER_CONFIG": str(tmp_path)})
    assert caught.value.where == str(tmp_path / "config.json")
