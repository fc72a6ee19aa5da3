"""What each command does to the list, on a catalog on disk."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.core.errors import PublishError, UsageError
from builder.core.events import discard
from builder.publish.directory import DirectoryTarget
from builder.publish.export import export
from builder.publish.layout import PRUNING
from builder.publish.move import deprecate, promote, roll_back
from builder.publish.read import read_channel, read_settings
from builder.publish.record import read_records
from builder.publish.retain import Rules, plan_pruning, prune
from builder.publish.target import BusyError
from builder.publish.verify import verify_catalog
from builder.wsl.lists import parse_list
from tests.unit.publish.catalogs import add, catalog


@pytest.fixture
def target(tmp_path: Path) -> DirectoryTarget:
    return catalog(tmp_path / "catalog")


def names(target: DirectoryTarget, channel: str = "stable") -> list[str]:
    """The list as `NAME`, for the moving one `NAME -> version`."""
    found = []
    for flavor in parse_list(target.get(f"{channel}/DistributionInfo.json"), local=True).flavors:
        for version in flavor.versions:
            assert version.amd64
            path = version.amd64.url.split("/images/")[1]
            moving = version.name == flavor.name
            found.append(f"{version.name} -> {path.split('/')[1]}" if moving else version.name)
    return found


def images(target: DirectoryTarget) -> list[str]:
    return [path.split("/")[2] for path in target.list("images/")]


def assert_sound(target: DirectoryTarget) -> None:
    assert verify_catalog(target, (), "", discard, content=True) == ()


def make_old(target: DirectoryTarget, *prefixes: str) -> None:
    """As if these files had been there for a month."""
    for prefix in prefixes:
        for path in target.list(prefix):
            status = os.stat(f"{target.place}/{path}")
            os.utime(f"{target.place}/{path}", (status.st_mtime - 30 * 86400,) * 2)


def test_a_release_from_its_publication_to_its_end(target: DirectoryTarget, tmp_path: Path):
    for version in ("1", "2", "3"):
        add(target, version, to="beta", folder=tmp_path)
    assert names(target, "beta") == ["dev -> 3", "dev-3", "dev-2", "dev-1"]

    promote(target, "dev", "2", "beta", "stable", None, discard)
    assert names(target) == ["dev -> 2", "dev-2"]
    assert promote(target, "dev", "", "beta", "stable", None, discard) == "3"
    assert names(target) == ["dev -> 3", "dev-3", "dev-2"]

    assert roll_back(target, "dev", "stable", "", None) == ("3",)
    assert names(target) == ["dev -> 2", "dev-2"]
    assert names(target, "beta") == ["dev -> 3", "dev-3", "dev-2", "dev-1"]
    add(target, "3", to="stable", folder=tmp_path)
    assert names(target) == ["dev -> 2", "dev-2"], "a job that runs again brings nothing back"

    deprecate(target, "dev", "1", "beta", "dev-3", None, undo=False)
    assert "(deprecated, use dev-3)" in target.get("beta/DistributionInfo.json").decode()
    deprecate(target, "dev", "1", "beta", "", None, undo=True)
    assert "deprecated" not in target.get("beta/DistributionInfo.json").decode()

    prune(target, Rules(keep=1, grace=14), None)
    assert names(target, "beta") == ["dev -> 3", "dev-3"]
    assert images(target) == ["1", "2", "3"], "images outlive their entries"
    make_old(target, "images/")
    prune(target, Rules(keep=1, grace=14), None)
    assert images(target) == ["1", "2", "3"], "the entries left only now"
    make_old(target, "retired/")
    assert [path.split("/")[2] for path in plan_pruning(target, Rules(keep=1, grace=14)).files] == ["1"]
    prune(target, Rules(keep=1, grace=14), None)
    assert images(target) == ["2", "3"], "stable has 2 and has withdrawn 3"
    assert_sound(target)
    actions = [one.action.split()[0] for one in read_records(target)]
    assert actions == [
        *["publish"] * 3,
        "promote",
        "promote",
        "rollback",
        "deprecate",
        "lift",
        "prune",
        "prune",
    ]


def test_a_rollback_may_name_its_version_and_needs_one(target: DirectoryTarget, tmp_path: Path):
    for version in ("1", "2", "3"):
        add(target, version, folder=tmp_path)
    assert roll_back(target, "dev", "stable", "1", None) == ("3", "2")
    assert names(target) == ["dev -> 1", "dev-1"]
    with pytest.raises(PublishError, match="has no earlier version in channel stable") as caught:
        roll_back(target, "dev", "stable", "", None)
    assert "promote" in caught.value.fix
    with pytest.raises(PublishError, match=r"no version '9' of dev\n.*1, 2, 3"):
        roll_back(target, "dev", "stable", "9", None)
    promote(target, "dev", "3", "stable", "stable", None, discard)
    assert names(target) == ["dev -> 3", "dev-3", "dev-1"]


def test_a_flavor_that_is_not_there_is_named_with_those_that_are(target: DirectoryTarget, tmp_path: Path):
    add(target, "1", folder=tmp_path)
    with pytest.raises(PublishError, match="no flavor 'dve'; did you mean"):
        deprecate(target, "dve", "", "stable", "", None, undo=False)


def test_other_bytes_under_a_published_version_are_refused(target: DirectoryTarget, tmp_path: Path):
    add(target, "1", to="beta", data=b"one", folder=tmp_path)
    assert add(target, "1", to="beta", data=b"one", folder=tmp_path) == (), "the same twice is once"
    before = {path: target.get(path) for path in target.list("")}
    for channel in ("beta", "stable"):
        with pytest.raises(PublishError, match="dev 1 for amd64 is published in channel beta") as caught:
            add(target, "1", to=channel, data=b"two", folder=tmp_path)
        assert "new version" in caught.value.fix
    assert {path: target.get(path) for path in target.list("")} == before


def test_a_changed_title_replaces_the_entry_and_not_the_image(target: DirectoryTarget, tmp_path: Path):
    add(target, "1", data=b"one", folder=tmp_path)
    assert add(target, "1", data=b"one", friendly_name="Better", folder=tmp_path)
    (one,) = read_channel(target, "stable").publications
    assert one.friendly_name == "Better"
    assert len(images(target)) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"flavor": "DEV"}, "the name 'DEV' is that of flavor dev"),
        ({"flavor": "dev-1"}, "the name 'dev-1' is that of dev 1"),
        ({"name": "dev-1"}, "the name 'dev-1' is that of dev 1"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(
    target: DirectoryTarget, tmp_path: Path, fields: dict[str, str], reason: str
):
    add(target, "1", folder=tmp_path)
    with pytest.raises(PublishError, match=reason):
        add(target, "2", folder=tmp_path, **fields)
    assert names(target) == ["dev -> 1", "dev-1"]


@pytest.mark.parametrize(
    ("version", "fields", "reason"),
    [
        ("1+2", {}, r"'dev-1\+2' contains '\+'"),
        ("1", {"flavor": "con"}, "'con' is a device of Windows"),
        ("1.", {"name": "dev-1."}, "ends with a dot"),
        ("1", {"name": "other"}, "has to be 'dev' and more"),
        ("1", {"flavor": "legacy", "name": "legacy-1"}, "'legacy' is reserved"),
    ],
)
def test_a_name_that_windows_refuses_is_refused_first(
    target: DirectoryTarget, tmp_path: Path, version: str, fields: dict[str, str], reason: str
):
    with pytest.raises(UsageError, match=reason):
        add(target, version, folder=tmp_path, **fields)
    assert target.list("images/") == ()


def test_a_channel_is_no_folder_of_the_catalog(target: DirectoryTarget, tmp_path: Path):
    with pytest.raises(UsageError, match="no channel can be called 'images'"):
        add(target, "1", to="images", folder=tmp_path)


def test_a_damaged_image_is_found_and_replaced(target: DirectoryTarget, tmp_path: Path):
    add(target, "1", data=b"right", folder=tmp_path)
    (path,) = target.list("images/")
    target.put_bytes(path, b"wrong")
    (problem,) = verify_catalog(target, (), "", discard, content=True)
    assert problem.path == path and "expected" in problem.message
    assert verify_catalog(target, (), "", discard, content=False) == ()
    add(target, "1", data=b"right", folder=tmp_path)
    assert_sound(target)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"schema": 1}', b"\xff", b"\xef\xbb\xbf{}"])
def test_a_damaged_entry_stops_everything_with_its_name(
    target: DirectoryTarget, tmp_path: Path, damage: bytes
):
    add(target, "1", folder=tmp_path)
    (entry,) = target.list("entries/")
    lists = {path: target.get(path) for path in target.list("stable/")}
    target.put_bytes(entry, damage)
    with pytest.raises(PublishError, match=f"{entry}: is damaged"):
        add(target, "2", folder=tmp_path)
    with pytest.raises(PublishError, match="is damaged"):
        prune(target, Rules(keep=1, grace=0), None)
    assert {path: target.get(path) for path in target.list("stable/")} == lists
    assert len(images(target)) == 1
    assert "is damaged" in verify_catalog(target, ("stable",), "", discard, content=True)[0].message


def test_an_entry_under_another_name_is_noticed(target: DirectoryTarget, tmp_path: Path):
    add(target, "1", folder=tmp_path)
    (entry,) = target.list("entries/")
    target.put_bytes(entry.replace("/1-", "/9-"), target.get(entry))
    with pytest.raises(PublishError, match="holds dev 1 for amd64, which is not what its name says"):
        read_channel(target, "stable")


def test_whoever_prunes_is_alone_and_publishers_wait(target: DirectoryTarget, tmp_path: Path):
    with ThreadPoolExecutor(1) as pool:
        with target.lock(PRUNING):
            with pytest.raises(BusyError):
                prune(target, Rules(keep=1, grace=0), None)
            publisher = pool.submit(add, target, "1", folder=tmp_path)
            while not target.list("entries/"):
                time.sleep(0.01)
            for path in target.list("images/"):
                target.delete(path)  # as one who looked at the entries just before
        publisher.result(timeout=10)
    assert_sound(target)


def test_a_lock_that_a_dead_process_left_is_taken_after_a_while(target: DirectoryTarget):
    target.put_bytes(PRUNING, b"somewhere 1 x")
    with pytest.raises(BusyError, match="process 1 on somewhere is changing it"), target.lock(PRUNING):
        pass
    os.utime(f"{target.place}/{PRUNING}", (time.time() - 1000,) * 2)
    with target.lock(PRUNING):
        assert target.stat(PRUNING)
    assert target.stat(PRUNING) is None


def test_a_wrong_clock_of_this_machine_deletes_nothing(
    target: DirectoryTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for version in ("1", "2"):
        add(target, version, folder=tmp_path)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    prune(target, Rules(keep=1, grace=14), None)
    prune(target, Rules(keep=1, grace=14), None)
    assert names(target) == ["dev -> 2", "dev-2"] and images(target) == ["1", "2"]
    with target.lock(PRUNING), pytest.raises(BusyError), target.lock(PRUNING):
        pass
    assert_sound(target)


def test_a_mirror_has_everything_under_its_own_address(target: DirectoryTarget, tmp_path: Path):
    add(target, "1", folder=tmp_path)
    add(target, "2", folder=tmp_path)
    add(target, "3", to="beta", folder=tmp_path)
    mirror = DirectoryTarget(tmp_path / "mirror")
    (tmp_path / "mirror").mkdir()
    address = "file://///server/wsl"
    assert export(target, mirror, "stable", address, None, discard) == 2
    assert export(target, mirror, "stable", address, None, discard) == 0
    assert names(mirror) == names(target)
    assert (
        "file://///server/wsl/images/dev/2/dev-2-amd64."
        in mirror.get("stable/DistributionInfo.json").decode()
    )
    settings = read_settings(mirror)
    assert settings is not None and settings.base_url == address
    prune(target, Rules(keep=1, grace=14), None)
    export(target, mirror, "stable", address, None, discard)
    assert names(mirror) == ["dev -> 2", "dev-2"]
    assert_sound(mirror)


def test_a_catalog_that_is_not_there_is_no_empty_one(tmp_path: Path):
    with pytest.raises(PublishError, match="there is no such folder"):
        read_channel(DirectoryTarget(tmp_path / "unmounted"), "stable")
    with pytest.raises(PublishError, match="there is no catalog"):
        read_channel(DirectoryTarget(tmp_path), "stable")
