"""One suite for everything a catalog can be written to."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from builder.core.errors import PublishError
from builder.core.events import discard
from builder.core.http import Http
from builder.model.catalog import Settings
from builder.publish.index import rebuild_channel
from builder.publish.publish import set_up
from builder.publish.serve import open_server
from builder.publish.target import BusyError, ConflictError, MissingError, Target
from builder.publish.verify import verify_catalog
from builder.publish.web import WebTarget
from builder.wsl.lists import parse_list
from tests.conformance.publisher import Place, publish_in_process
from tests.conformance.targets import ROWS, Row
from tests.conformance.web_servers import dav_server
from tests.unit.publish.catalogs import BASE, add


@pytest.fixture(params=[pytest.param(row, id=row.name, marks=row.marks) for row in ROWS])
def open_place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    row: Row = request.param
    (tmp_path / "place").mkdir()
    with row.start(tmp_path / "place") as place:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        yield place


@pytest.fixture
def publishers(request: pytest.FixtureRequest, open_place: Place) -> int:
    row: Row = request.node.callspec.params["open_place"]
    return row.publishers


@pytest.fixture
def target(open_place: Place) -> Target:
    return open_place()


def test_what_was_put_is_there(target: Target):
    target.put_bytes("a/b/c.json", b"one")
    assert target.get("a/b/c.json") == b"one"
    target.put_bytes("a/b/c.json", b"another")
    assert b"".join(target.chunks("a/b/c.json")) == b"another"
    info = target.stat("a/b/c.json")
    assert info is not None and info.size == 7 and abs(info.modified - time.time()) < 60


def test_a_file_is_put_with_its_bytes_counted(target: Target, tmp_path: Path):
    source = tmp_path / "image"
    source.write_bytes(os.urandom(3 << 20))
    counted: list[int] = []
    target.put_file("images/x~1+2.wsl", source, counted.append)
    assert sum(counted) == 3 << 20
    assert target.get("images/x~1+2.wsl") == source.read_bytes()


def test_a_file_of_many_parts_arrives_whole(target: Target, tmp_path: Path):
    source = tmp_path / "image"
    source.write_bytes(os.urandom(40 << 20) + b"end")
    counted: list[int] = []
    target.put_file("images/big.wsl", source, counted.append)
    assert sum(counted) == source.stat().st_size
    assert hashlib.sha256(b"".join(target.chunks("images/big.wsl"))).digest() == sha256(source)


def sha256(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()


def test_what_is_not_there_is_missing(target: Target):
    assert target.stat("a/b") is None
    with pytest.raises(MissingError, match="a/b"):
        target.get("a/b")
    with pytest.raises(MissingError, match="a/b"):
        next(target.chunks("a/b"))
    target.delete("a/b")
    assert target.list("a/") == ()


def test_a_listing_has_every_file_below_and_nothing_else(target: Target):
    for path in ("a/2", "a/b/1", "ab/1", "a/b/c/3"):
        target.put_bytes(path, b"")
    assert target.list("a/") == ("a/2", "a/b/1", "a/b/c/3")
    target.delete("a/b/1")
    assert target.list("a/b/") == ("a/b/c/3",)


def test_a_file_that_comes_and_goes_is_there_or_missing(open_place: Place):
    place, done = open_place(), threading.Event()

    def look(target: Target) -> None:
        info = target.stat("a/b")
        assert info is None or info.size == 3
        assert target.list("a/") in ((), ("a/b",))
        try:
            assert target.get("a/b") == b"one"
        except MissingError:
            return

    def look_again(_: int) -> None:
        own = open_place()
        while not done.is_set():
            look(own)

    with ThreadPoolExecutor(3) as pool:
        looking = pool.map(look_again, range(3))
        try:
            for _ in range(20):
                place.put_bytes("a/b", b"one")
                place.put_bytes("a/b", b"one")
                place.delete("a/b")
        finally:
            done.set()
        list(looking)
    assert place.stat("a/b") is None and place.list("a/") == ()


def test_only_one_of_many_creates_a_file(open_place: Place):
    def create(number: int) -> bool:
        try:
            open_place().put_bytes("claim", b"%d" % number, if_absent=True)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(16))) == 1


def test_a_condition_that_does_not_hold_changes_nothing(target: Target):
    target.put_bytes("x", b"one")
    info = target.stat("x")
    assert info is not None
    target.put_bytes("x", b"two", if_match=info.tag)
    with pytest.raises(ConflictError, match="somebody else"):
        target.put_bytes("x", b"three", if_match=info.tag)
    with pytest.raises(ConflictError):
        target.put_bytes("y", b"", if_match=info.tag)
    assert target.get("x") == b"two" and target.stat("y") is None


def test_no_update_is_lost_under_conditions(open_place: Place):
    def increment(_: int) -> None:
        place = open_place()
        while True:
            info = place.stat("count")
            assert info is not None
            try:
                place.put_bytes("count", b"%d" % (int(place.get("count")) + 1), if_match=info.tag)
            except ConflictError:
                continue
            return

    open_place().put_bytes("count", b"0")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(increment, range(12)))
    assert open_place().get("count") == b"12"


def test_a_lock_excludes_others(open_place: Place):
    with open_place().lock("x.lock"):
        with pytest.raises(BusyError, match="try again"), open_place().lock("x.lock"):
            pass
        assert open_place().stat("x.lock")
    with open_place().lock("x.lock"):
        pass
    assert open_place().stat("x.lock") is None


def offered(place: Target) -> set[str]:
    """The names in the list, moving one left out."""
    whole = parse_list(place.get("stable/DistributionInfo.json"), local=True)
    return {version.name for flavor in whole.flavors for version in flavor.versions} - {"dev"}


def test_publishers_at_once_lose_nothing(open_place: Place, publishers: int, tmp_path: Path):
    set_up(open_place(), lambda before: before or Settings(base_url=BASE))

    def publish_one(number: int) -> None:
        add(open_place(), f"1.{number}", folder=tmp_path)

    with ThreadPoolExecutor(publishers) as pool:
        list(pool.map(publish_one, range(publishers)))
    assert offered(open_place()) == {f"dev-1.{number}" for number in range(publishers)}
    assert verify_catalog(open_place(), (), "", discard, content=True) == ()


def test_after_killed_publishers_one_rebuild_makes_it_right(
    open_place: Place, publishers: int, tmp_path: Path
):
    set_up(open_place(), lambda before: before or Settings(base_url=BASE))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.conformance.publisher"])
    processes = [
        context.Process(target=publish_in_process, args=(open_place, number, tmp_path))
        for number in range(publishers)
    ]
    kill_some(processes, publishers * seconds_to_publish(open_place, tmp_path))
    survived = {f"dev-1.{n}" for n, process in enumerate(processes) if process.exitcode == 0}
    before = verify_catalog(open_place(), ("stable",), "", discard, content=True)
    assert {problem.path.split("/")[0] for problem in before} <= {"stable", "catalog.schema.json"}
    rebuild_channel(open_place(), "stable", None)
    assert 0 < len(survived) < publishers
    assert survived <= offered(open_place())
    assert verify_catalog(open_place(), ("stable",), "", discard, content=True) == ()


def seconds_to_publish(open_place: Place, folder: Path) -> float:
    begin = time.monotonic()
    add(open_place(), "1.alone", folder=folder)
    return time.monotonic() - begin


def kill_some(processes: Sequence[BaseProcess], seconds: float) -> None:
    """Start all and kill half of them, at any moments of about the time that all need."""
    generator = random.Random(7)
    for process in processes:
        process.start()
    victims = generator.sample(processes, len(processes) // 2)
    for process in victims:
        time.sleep(generator.random() * seconds / len(victims))
        process.kill()
    for process in processes:
        process.join()


def test_a_server_that_cannot_be_reached_or_wants_a_login_says_so(tmp_path: Path):
    with dav_server(tmp_path, token="secret") as base:
        with pytest.raises(PublishError, match="the server answered 401") as caught:
            WebTarget(base).put_bytes("x", b"")
        assert "WSLIMG_TOKEN" in caught.value.fix
    gone = WebTarget(base, http=Http(attempts=1))
    for act in (lambda: gone.get("x"), lambda: gone.stat("x"), lambda: gone.put_bytes("x", b"")):
        with pytest.raises(PublishError, match="cannot be read after 1 attempts") as caught:
            act()
        assert "nothing that was published has changed" in caught.value.fix


def test_a_listing_that_is_none_is_refused(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/index.html").write_text("<html></html>")
    with open_server(tmp_path, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with pytest.raises(PublishError, match="listing cannot be read") as caught:
                WebTarget(f"http://127.0.0.1:{server.server_port}").list("a/")
        finally:
            server.shutdown()
            thread.join()
    assert "autoindex_format json" in caught.value.fix
