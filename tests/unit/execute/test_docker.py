"""Where an engine is looked for, and what is said where none answers."""

from __future__ import annotations

import socket

import pytest

from builder.core.blobs import Blobs
from builder.core.errors import ExecuteError
from builder.execute.choose import open_engine
from builder.execute.docker.connect import connect, find_address, probe_docker
from builder.execute.docker.image import make_labels


@pytest.fixture(autouse=True)
def nobody_home(tmp_path, monkeypatch):
    """No engine of this machine, and no configuration of a user."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setattr("builder.execute.docker.connect._LOCAL", ())


def test_what_the_user_says_outranks_sockets(tmp_path):
    folder = tmp_path / "podman"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "podman.sock"))
        runtime = {"XDG_RUNTIME_DIR": str(tmp_path)}
        assert find_address(runtime) == f"unix://{folder}/podman.sock"
        assert find_address({**runtime, "DOCKER_HOST": "ssh://build"}) == "ssh://build"
    assert find_address({}) == ""


def test_no_engine_is_told_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(ExecuteError, match=r"neither DOCKER_HOST nor a socket[^\n]*\n  fix: start one"):
        open_engine("docker", tmp_path, Blobs(tmp_path))


def test_a_dead_engine_is_told_by_its_address(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/gone.sock")
    probe = probe_docker(tmp_path)
    assert not probe.ok
    assert probe.reason.startswith(f"unix://{tmp_path}/gone.sock: the engine does not answer")
    assert "DOCKER_HOST" in probe.fix


@pytest.mark.parametrize("address", ["ssh://build@host", "https://host:2376"])
def test_an_engine_behind_ssh_or_tls_is_refused_with_a_way_round(address, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(ExecuteError, match="engines behind ssh or TLS are not supported") as caught:
        connect()
    assert (caught.value.where, "ssh -N -L" in caught.value.fix) == (address, True)


def test_labels_need_no_quotes_and_are_never_the_same():
    labels = make_labels(("a" * 64, "b" * 64), ((), ("/var/cache/it's $HOME",)))
    assert all(value.isascii() and not set(value) & set(" \"'$") for value in labels.values())
    assert make_labels(("a",), ((),)) != make_labels(("a",), ((),))
