"""What buckets, file servers and rclone complain about, as users read it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from builder.core.errors import PublishError
from builder.publish import rclone_errors, smb_errors
from builder.publish.objects import ObjectTarget
from builder.publish.objects_address import open_objects
from builder.publish.objects_errors import explain
from builder.publish.target import MissingError

LOGIN = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@contextmanager
def bucket_that_answers(status: int, code: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectTarget]:
    """A bucket of a service that always says the same."""
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    methods = ("GET", "PUT", "HEAD", "POST", "DELETE")
    handler = type("Handler", (Server,), {f"do_{method}": Server.answer for method in methods})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield open_objects(f"s3://wsl/team?endpoint=http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "code", "message", "fix"),
    [
        (404, "NoSuchBucket", "there is no such bucket", "create it"),
        (403, "RequestTimeTooSkewed", "this machine's clock is wrong", "set the clock"),
        (400, "ExpiredToken", "the credentials have expired", "get new ones"),
        (403, "InvalidAccessKeyId", "the credentials are wrong", "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "the credentials are wrong", "AWS_SECRET_ACCESS_KEY"),
        (403, "AccessDenied", "the credentials do not allow that", "s3:PutObject"),
        (400, "AuthorizationHeaderMalformed", "the bucket is in another region", "AWS_REGION"),
        (403, "QuotaExceeded", "the storage is full", "catalog prune"),
        (418, "Teapot", r"the service answered 418 I'm a teapot \(Teapot\)", "log"),
    ],
)
def test_what_a_service_refuses_is_one_clear_error(
    status: int, code: str, message: str, fix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "x").write_bytes(b"1")
    with bucket_that_answers(status, code, monkeypatch) as target:
        for act in (
            lambda: target.get("a/b"),
            lambda: target.put_bytes("a/b", b""),
            lambda: target.put_file("a/b", tmp_path / "x", lambda _: None),
            lambda: target.list("a/"),
        ):
            with pytest.raises(PublishError, match=message) as caught:
                act()
            assert fix in caught.value.fix
            assert caught.value.where.startswith("s3://wsl/team")
            assert "secret" not in str(caught.value).replace("SECRET", "")


def test_a_service_that_is_not_there_is_named_after_few_attempts(monkeypatch: pytest.MonkeyPatch):
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PublishError, match="cannot be reached") as caught:
        open_objects("s3://wsl?endpoint=http://127.0.0.1:1").get("x")
    assert "nothing that was published has changed" in caught.value.fix


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("s3", "Error performing PUT http://169.254.169.254/latest/api/token", "there are no credentials"),
        (
            "az",
            "<Code>AuthenticationFailed</Code> Signature not valid in the specified time frame",
            "expired",
        ),
        ("az", "<Code>AuthorizationPermissionMismatch</Code>", "do not allow that"),
        ("az", "<Code>ContainerNotFound</Code>", "no such bucket"),
        ("gs", "Error performing token request: invalid_grant", "expired"),
        ("gs", "The specified bucket does not exist.", "no such bucket"),
        ("s3", "invalid peer certificate: UnknownIssuer", "certificate is not trusted"),
        ("s3", "dns error: failed to lookup address information", "name of the service cannot be resolved"),
        ("s3", "HTTP error: request or response body error", "the transfer broke"),
        ("s3", "Something https://host/?sig=secret odd\nDebug", r"^Something \.\.\. odd"),
    ],
)
def test_what_the_library_says_is_put_shortly(kind: str, text: str, message: str):
    with pytest.raises(PublishError, match=message) as caught:
        raise explain(kind, text, "")
    assert caught.value.fix


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (0xC000006D, "the login is wrong"),
        (0xC0000071, "the password has expired"),
        (0xC0000193, "the account has expired"),
        (0xC0000072, "the account is disabled"),
        (0xC0000234, "the account is locked"),
        (0xC0000133, "this machine's clock is wrong"),
        (0xC00000CC, "there is no such share"),
        (0xC0000022, "may not be written or read"),
        (0xC00000A2, "cannot be written"),
        (0xC0000043, "is kept open by somebody"),
        (0xC000007F, "the disk is full"),
        (0xC0000044, "the quota is used up"),
        (0xC0000001, "the server answered: words"),
    ],
)
def test_a_status_of_a_file_server_is_put_in_words(status: int, message: str):
    error = smb_errors.explain(status, "words", "smb://files/wsl/x")
    assert message in error.message and error.fix and error.where == "smb://files/wsl/x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("didn't find section in config file", "rclone has no remote of that name"),
        ("NoSuchBucket: The specified bucket does not exist", "there is no such bucket or share"),
        ("RequestTimeTooSkewed: The difference", "this machine's clock is wrong"),
        ("oauth2: token expired and refresh token is not set", "the credentials have expired"),
        ("write /x: no space left on device", "the storage is full"),
        ("SignatureDoesNotMatch: The request signature", "the credentials are wrong"),
        ("mkdir /x: permission denied", "the credentials do not allow that"),
        ("dial tcp 127.0.0.1:1: connect: connection refused", "cannot be reached"),
        ("something else\nmore", "rclone says: something else"),
        (
            "rclone does not answer: [Errno 111] Connection refused",
            "rclone, which works for us there, has gone",
        ),
    ],
)
def test_what_rclone_says_is_put_in_words(text: str, message: str):
    error = rclone_errors.explain(text, "rclone:x:y")
    assert message in error.message and error.fix


def test_what_is_missing_is_told_apart():
    assert isinstance(rclone_errors.explain("object not found", ""), MissingError)
    assert not isinstance(rclone_errors.explain("Not Found", ""), MissingError)
    assert isinstance(smb_errors.explain(0xC0000034, "", ""), MissingError)
