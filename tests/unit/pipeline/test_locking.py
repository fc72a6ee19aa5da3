"""`wslimg lock` against an archive whose state the tests control."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.core.errors import ResolveError, UsageError
from builder.core.events import Event, Note
from builder.pipeline.explain import explain_plan
from builder.pipeline.locking import LockResult, check_lock, lock_recipe
from builder.pipeline.prepare import BuildOptions
from builder.resolve.lockfile import read_lock
from tests.e2e.debian_archive import DATE, DebianArchive, FakePackage, base_packages, serve_archive

RECIPE = """\
schema: 1
name: small
version: "1"
architectures: [amd64]
source:
  bootstrap: {suite: trixie, mirror: MIRROR, signed_by: key.asc}
steps:
  - run: "true"
  - packages: [editor]
"""
NEW_LIBRARY = FakePackage(name="libthing", version="2.0-1", fields={"Multi-Arch": "same"})
NEW_EDITOR = FakePackage(name="editor", version="2:2.0-1", fields={"Depends": "libthing (>= 1), editor-data"})


class Bench:
    """A recipe with its lock, and the archive it is locked against."""

    def __init__(self, archive: DebianArchive, folder: Path) -> None:
        self.archive = archive
        self.recipe = folder / "small.yaml"
        self.file = folder / "small.lock"
        self.events: list[Event] = []
        self.recipe.write_text(RECIPE.replace("MIRROR", archive.url))
        archive.write_key(folder / "key.asc")
        archive.publish_all(base_packages())
        self.options = BuildOptions(cache=folder / "cache", clock=lambda: float(DATE))
        self.lock()

    def lock(self, *names: str) -> LockResult:
        return lock_recipe(self.recipe, self.options, self.events.append, names=names)

    def refusal(self, *names: str) -> str:
        before = self.file.read_bytes()
        with pytest.raises(ResolveError) as caught:
            self.lock(*names)
        assert self.file.read_bytes() == before
        return str(caught.value)

    def versions(self) -> dict[str, str]:
        packages = read_lock(self.file).architectures["amd64"].packages
        return {package.name: package.version for package in packages}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve_archive() as archive:
        yield Bench(archive, tmp_path)


def without(*names: str) -> list[FakePackage]:
    return [package for package in base_packages() if package.name not in names]


def test_an_update_takes_everything_that_is_new(bench: Bench) -> None:
    bench.archive.publish_all([*without("editor"), NEW_EDITOR, NEW_LIBRARY])
    assert bench.lock().changes == {
        "amd64": ["~ editor 2:1.0-1 -> 2:2.0-1", "~ libthing 1.0-1 -> 2.0-1"],
    }


def test_an_update_of_one_package_leaves_the_others_where_they_are(bench: Bench) -> None:
    bench.archive.publish_all([*without("editor"), NEW_EDITOR, NEW_LIBRARY])
    assert bench.lock("editor").changes == {"amd64": ["~ editor 2:1.0-1 -> 2:2.0-1"]}
    assert bench.versions()["libthing"] == "1.0-1"
    assert bench.lock("editor").changes == {"amd64": []}


def test_what_cannot_be_held_is_named_and_the_lock_stays(bench: Bench) -> None:
    bench.archive.publish_all([*without("editor", "libthing", "mawk"), NEW_EDITOR, NEW_LIBRARY])
    message = bench.refusal("editor")
    assert "the archive no longer has libthing 1.0-1, mawk 1.0-1, which the lock holds" in message
    assert "`wslimg lock RECIPE --update NAME...`" in message
    assert "snapshot" in message


def test_an_update_that_needs_more_than_it_may_take_says_so(bench: Bench) -> None:
    eager = FakePackage(name="editor", version="2:3.0-1", fields={"Depends": "libthing (>= 2), editor-data"})
    bench.archive.publish_all([*without("editor"), eager, NEW_LIBRARY])
    message = bench.refusal("editor")
    assert "editor 2:3.0-1 depends on libthing (>= 2)" in message
    assert "other packages were held at their locked versions" in message
    assert bench.lock("editor", "libthing").changes["amd64"] is not None


def test_a_name_that_is_not_in_the_lock_brings_a_suggestion(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r'holds no package edtor; did you mean "editor"\?'):
        bench.lock("edtor")


def test_a_lock_that_fits_is_confirmed_without_asking_the_archive(bench: Bench) -> None:
    bench.archive.asked.clear()
    assert check_lock(bench.recipe, None, bench.events.append) == bench.file
    assert bench.archive.asked == []


def test_a_stale_lock_names_each_part_by_its_place(bench: Bench) -> None:
    text = (
        bench.recipe.read_text().replace("suite: trixie", "suite: sid").replace("[editor]", "[editor-help]")
    )
    bench.recipe.write_text(text.replace("architectures: [amd64]", "architectures: [amd64, arm64]"))
    with pytest.raises(ResolveError) as caught:
        check_lock(bench.recipe, None, bench.events.append)
    message = str(caught.value)
    assert message.startswith(f"{bench.file}: the lock does not fit {bench.recipe}:\n")
    assert f"\n  {bench.recipe}:5:1: source changed since the lock was made\n" in message
    assert f"\n  {bench.recipe}:9:5: steps[1].packages changed since the lock was made\n" in message
    assert "\n  the lock holds no arm64, but amd64\n" in message
    assert "wslimg lock RECIPE" in message


def test_no_lock_is_said_as_such(bench: Bench) -> None:
    bench.file.unlink()
    with pytest.raises(
        ResolveError, match=r"small\.lock: there is no lock\n  fix: make one with `wslimg lock"
    ):
        check_lock(bench.recipe, None, bench.events.append)


def test_a_lock_that_cannot_be_read_is_replaced_with_a_warning(bench: Bench) -> None:
    good = bench.file.read_bytes()
    bench.file.write_text('{"schema": 9}')
    assert bench.lock().changes == {"amd64": None}
    assert bench.file.read_bytes() == good
    (note,) = [event for event in bench.events if isinstance(event, Note)]
    assert note.level == "warning"
    assert "small.lock is replaced: it is not a lock that this version reads: schema" in note.message


def test_the_mirror_in_a_recipe_is_no_part_of_its_lock(bench: Bench) -> None:
    before = bench.file.read_bytes()
    other = bench.archive.url.replace("127.0.0.1", "localhost")
    bench.recipe.write_text(RECIPE.replace("MIRROR", other))
    check_lock(bench.recipe, None, bench.events.append)
    bench.lock()
    assert bench.file.read_bytes() == before


def test_a_plan_changes_nothing_beside_the_recipe(bench: Bench) -> None:
    bench.archive.publish_all([*without("editor"), NEW_EDITOR, NEW_LIBRARY])
    before = {path: path.read_bytes() for path in bench.recipe.parent.iterdir() if path.is_file()}
    explain_plan(bench.recipe, bench.options, bench.events.append)
    assert {path: path.read_bytes() for path in bench.recipe.parent.iterdir() if path.is_file()} == before


def test_a_plan_without_a_lock_makes_none(bench: Bench) -> None:
    bench.file.unlink()
    explain_plan(bench.recipe, bench.options, bench.events.append)
    assert not bench.file.exists()


def test_a_lock_that_cannot_be_read_is_an_error_of_its_place(bench: Bench) -> None:
    bench.file.unlink()
    bench.file.mkdir()
    with pytest.raises(ResolveError, match="cannot be read: Is a directory") as caught:
        check_lock(bench.recipe, None, bench.events.append)
    assert caught.value.where == str(bench.file)
