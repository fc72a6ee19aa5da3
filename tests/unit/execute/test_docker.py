"""Where an engine is looked for, and what is said where none answers."""

from __future__ import annotations

import socket

import pytest

from builder.core.blobs import Blobs
from builder.core.errors import ExecuteError
from builder.execute.choose import open_engine
from builder.execute.docker.connect import connect, probe_docker, refusal
from builder.execute.docker.image import make_labels


@pytest.fixture(autouse=True)
def nobody_home(tmp_path, monkeypatch):
    """No engine of this machine, and no configuration of a user."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setattr("builder.execute.docker.address._LOCAL", ())


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


def test_an_engine_that_says_nothing_is_told_from_one_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("builder.execute.docker.connect._ANSWER", 0.2)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "engine.sock"))
        server.listen()
        with pytest.raises(ExecuteError, match="the engine does not answer: it has said nothing") as caught:
            connect({"DOCKER_HOST": f"unix://{tmp_path}/engine.sock"})
    assert caught.value.where == f"unix://{tmp_path}/engine.sock"
    assert "check that an engine runs there" in caught.value.fix


def test_something_else_at_the_address_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ExecuteError, match="the engine does not answer: Connection refused") as caught:
        connect({"DOCKER_HOST": f"tcp://127.0.0.1:{port}"})
    assert caught.value.where == f"tcp://127.0.0.1:{port}"


def test_certificates_that_are_none_are_told_by_their_files(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    around = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    with pytest.raises(ExecuteError, match="the certificates cannot be used") as caught:
        connect({"DOCKER_HOST": "tcp://127.0.0.1:1", **around})
    assert caught.value.where == str(tmp_path / "ca.pem")
    assert "DOCKER_CERT_PATH" in caught.value.fix


@pytest.mark.parametrize("words", ["write /x: no space left on device", "disk quota exceeded"])
def test_a_full_disk_of_the_engine_is_told_with_how_to_make_room(words):
    error = refusal(words, "tcp://build:2375")
    assert error.message.startswith("the engine's disk is full: ")
    assert "`wslimg cache prune`" in error.fix


def test_labels_need_no_quotes_and_are_never_the_same():
    labels = make_labels(("a" * 64, "b" * 64), ((), ("/var/cache/it's $HOME",)))
    assert all(value.isascii() and not set(value) & set(" \"'$") for value in labels.values())
    assert make_labels(("a",), ((),)) != make_labels(("a",), ((),))
