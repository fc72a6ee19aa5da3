"""What BuildKit is told when it asks, and what is understood of what it tells."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from builder.core.errors import ExecuteError
from builder.core.events import Event, Note, Output
from builder.execute.docker.buildkit.http2 import NOT_FOUND, CallError
from builder.execute.docker.buildkit.messages import read_bytes, read_fields, write_bytes, write_number
from builder.execute.docker.buildkit.session import list_methods
from builder.execute.docker.buildkit.trace import Failure, Trace

SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
CREDENTIALS = "/moby.filesync.v1.Auth/Credentials"


def test_fields_are_read_as_they_were_written() -> None:
    message = write_number(1, 300) + write_bytes(2, b"x" * 200) + b"\x1d1234" + b"\x2112345678"
    assert list(read_fields(message)) == [(1, 300), (2, b"x" * 200), (3, b"1234"), (4, b"12345678")]


@pytest.mark.parametrize("message", [b"\x0a\x05abc", b"\x08", b"\x08" + b"\xff" * 12, b"\x0b"])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(ExecuteError, match="the engine sends a message that is"):
        list(read_fields(message))


def test_a_secret_is_given_by_its_name_alone() -> None:
    methods = list_methods({"token": b"\0sesame"}, {})
    assert read_bytes(methods[SECRET](write_bytes(1, b"token")), 1) == b"\0sesame"
    with pytest.raises(CallError, match="the recipe gives no secret other") as caught:
        methods[SECRET](write_bytes(1, b"other"))
    assert caught.value.status == NOT_FOUND


def test_logins_are_those_of_docker_login(tmp_path: Path) -> None:
    auths = {
        "registry.example.org": {"auth": b64encode(b"anna:pass").decode()},
        "https://index.docker.io/v1/": {"identitytoken": "refresh"},
    }
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    ask = list_methods({}, {"DOCKER_CONFIG": str(tmp_path)})[CREDENTIALS]

    def login(host: bytes) -> tuple[bytes, bytes]:
        answer = ask(write_bytes(1, host))
        return read_bytes(answer, 1), read_bytes(answer, 2)

    assert login(b"registry.example.org") == (b"anna", b"pass")
    assert login(b"registry-1.docker.io") == (b"", b"refresh")
    assert login(b"other.example.org") == (b"", b"")


def test_logins_that_cannot_be_read_are_no_anonymous_ones(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CallError, match="is not JSON"):
        list_methods({}, {"DOCKER_CONFIG": str(tmp_path)})[CREDENTIALS](
            write_bytes(1, b"registry.example.org")
        )


def vertex(name: str, digest: str, **fields: bytes) -> bytes:
    numbers = {"started": 5, "error": 7}
    parts = [write_bytes(numbers[key], value) for key, value in fields.items()]
    return write_bytes(1, write_bytes(1, digest.encode()) + write_bytes(3, name.encode()) + b"".join(parts))


def test_a_build_tells_its_steps_once_and_what_they_print() -> None:
    events: list[Event] = []
    trace = Trace(events.append)
    step = "[1/2] FROM docker.io/library/debian:trixie@sha256:" + "a" * 64
    trace.read(vertex("[internal] load build definition", "d0", started=b"t") + vertex(step, "d1"))
    trace.read(vertex(step, "d1", started=b"t") + vertex(step, "d1", started=b"t"))
    trace.read(write_bytes(3, write_number(3, 2) + write_bytes(4, b"oops\n")) + write_bytes(9, b"new"))
    assert events == [Note(message=f"  {step}"), Output(stream="stderr", data=b"oops\n")]
    assert trace.bases == {"docker.io/library/debian:trixie": "a" * 64}


def test_the_first_step_that_fails_is_the_one() -> None:
    trace = Trace(lambda _event: None)
    trace.read(vertex("[2/2] RUN false", "d", started=b"t", error=b"exit code: 1"))
    trace.read(vertex("[3/3] COPY x", "e", started=b"t", error=b"canceled"))
    assert trace.failure == Failure(step="[2/2] RUN false", message="exit code: 1")
