from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from builder.core.errors import PublishError
from builder.publish.target import MissingError
from builder.publish.web import WebTarget
from tests.unit.core.test_http import client, send, serving


def answers(statuses: Iterator[int]):
    """A server that answers with one status after the other, and with the content `one` if it is 200."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        status = next(statuses)
        data = b"one" if status == 200 and handler.command == "GET" else b""
        send(handler, status, data, announced=3 if status == 200 else 0)

    return answer


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_goes_while_the_server_opens_it_is_missing(status: int) -> None:
    with serving(answers(iter((403, 403, status)))) as url, pytest.raises(MissingError):
        WebTarget(url, http=client()).get("a")
    with serving(answers(iter((403, status)))) as url:
        assert WebTarget(url, http=client()).stat("a") is None


def test_a_file_that_comes_back_is_read() -> None:
    with serving(answers(iter((403, 200, 403, 200)))) as url:
        info = WebTarget(url, http=client()).stat("a")
    assert info is not None
    assert info.size == 3


def test_what_stays_forbidden_is_an_error() -> None:
    with serving(answers(iter([403] * 8))) as url:
        for ask in (WebTarget(url, http=client()).get, WebTarget(url, http=client()).stat):
            with pytest.raises(PublishError, match="answered 403") as caught:
                ask("a")
            assert "the right to read" in caught.value.fix


def test_reading_without_login_says_how_to_log_in() -> None:
    with serving(answers(iter([401]))) as url, pytest.raises(PublishError) as caught:
        WebTarget(url, http=client()).get("a")
    assert "WSLIMG_TOKEN" in caught.value.fix
