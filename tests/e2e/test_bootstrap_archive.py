"""A bootstrap from an archive whose state the tests control."""

from __future__ import annotations

import hashlib
import lzma
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pysequoia import Tsk

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.events import Event, Note, Progress
from builder.model.entry import Entry, Kind
from builder.model.lock import ArchitectureLock
from builder.sources.bootstrap import (
    Bootstrap,
    bootstrap_entries,
    bootstrap_inputs,
    fetch_bootstrap,
    resolve_bootstrap,
)
from builder.sources.debian.archive import Archives
from builder.sources.debian.distributions import DEBIAN
from builder.sources.debian.mirrors import Addresses
from builder.sources.source import StepRequest, Supply
from tests.e2e.debian_archive import (
    DATE,
    DAY,
    DebianArchive,
    FakePackage,
    base_packages,
    direct_http,
    serve_archive,
)


@pytest.fixture
def archive() -> Iterator[DebianArchive]:
    with serve_archive() as archive:
        archive.publish_all(base_packages())
        yield archive


@pytest.fixture
def source(archive: DebianArchive, tmp_path: Path) -> Bootstrap:
    return Bootstrap(suite="trixie", mirror=archive.url, signed_by=archive.write_key(tmp_path / "key.asc"))


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    return Supply(blobs=Blobs(tmp_path / "blobs"), http=direct_http(), now=DATE + DAY)


def resolve(source: Bootstrap, supply: Supply, *requests: StepRequest) -> ArchitectureLock:
    return resolve_bootstrap(source, "amd64", requests, supply)


def refusal(source: Bootstrap, supply: Supply, *requests: StepRequest) -> str:
    with pytest.raises(ResolveError) as caught:
        resolve(source, supply, *requests)
    return str(caught.value)


def unpack(lock: ArchitectureLock, supply: Supply) -> dict[str, tuple[Entry, bytes]]:
    found: dict[str, tuple[Entry, bytes]] = {}
    for entry in bootstrap_entries(lock.source, "amd64", supply.blobs):
        data = b""
        if entry.open:
            with open(entry.open(), "rb") as file:
                data = file.read(entry.size)
        found[entry.path.decode()] = (entry, data)
    return found


def test_a_lock_names_packages_digests_and_the_newest_date(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    archive.publish([], suite="trixie-updates", date=DATE + 100)
    lock = resolve(source, supply)
    assert [package.name for package in lock.source.packages] == ["apt", "base-files", "libthing", "mawk"]
    digest = hashlib.sha256(archive.files["/debian/pool/main/libthing_1.0-1_amd64.deb"]).hexdigest()
    assert digest in {package.sha256 for package in lock.source.packages}
    assert lock.time == DATE + 100
    assert (lock.facts.family, lock.facts.os_release["VERSION_ID"]) == ("debian", "13")


def test_no_byte_of_a_lock_depends_on_the_mirror(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    other = archive.url.replace("127.0.0.1", "localhost")
    there = resolve(source.model_copy(update={"mirror": other}), supply)
    assert resolve(source, supply).model_dump_json() == there.model_dump_json()
    assert "127.0.0.1" not in there.model_dump_json()


def test_each_step_lists_what_it_adds_to_those_before(source: Bootstrap, supply: Supply) -> None:
    first = StepRequest(step=2, names=("editor-data",), recommends=True)
    second = StepRequest(step=5, names=("editor", "apt"))
    lock = resolve(source, supply, first, second)
    names = [(step.step, [package.name for package in step.packages]) for step in lock.steps]
    assert names == [(2, ["editor-data", "editor-help"]), (5, ["editor"])]


def test_the_newest_version_of_all_suites_counts(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    fixed = FakePackage(name="libthing", version="1.0-1+deb13u1", fields={"Multi-Arch": "same"})
    archive.publish([fixed], archive="debian-security", suite="trixie-security")
    package = next(each for each in resolve(source, supply).source.packages if each.name == "libthing")
    assert (package.version, package.archive) == ("1.0-1+deb13u1", "debian-security")


def test_an_old_lock_fails_by_name_once_the_archive_moved_on(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    lock = resolve(source, supply)
    archive.publish_all([each for each in base_packages() if each.name != "mawk"])
    with pytest.raises(ResolveError, match=r"no longer has mawk 1\.0-1"):
        fetch_bootstrap(source, lock, supply)


def test_fetched_packages_are_not_asked_for_again(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    lock = resolve(source, supply)
    fetch_bootstrap(source, lock, supply)
    archive.asked.clear()
    fetch_bootstrap(source, lock, supply)
    assert archive.asked == []


def test_an_index_is_unfolded_once_and_again_if_what_was_kept_is_damaged(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    lock = resolve(source, supply)
    for path in [path for path in archive.files if path.endswith("/Packages.xz")]:
        damage(supply.blobs.path(hashlib.sha256(archive.files[path]).hexdigest()))
    assert resolve(source, supply) == lock
    text = lzma.decompress(archive.files["/debian/dists/trixie/main/binary-amd64/Packages.xz"])
    damage(supply.blobs.path(hashlib.sha256(text).hexdigest()))
    assert "cannot be decompressed" in refusal(source, supply)


def damage(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def test_fetching_reports_bytes(source: Bootstrap, supply: Supply) -> None:
    events: list[Event] = []
    heard = Supply(blobs=supply.blobs, http=supply.http, now=supply.now, sink=events.append)
    lock = resolve(source, heard)
    events.clear()
    fetch_bootstrap(source, lock, heard)
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total > 0


def test_the_base_is_unpacked_as_dpkg_leaves_it(source: Bootstrap, supply: Supply) -> None:
    lock = resolve(source, supply)
    fetch_bootstrap(source, lock, supply)
    tree = unpack(lock, supply)
    assert tree["bin"][0].target == b"usr/bin"
    assert tree["usr/bin/hello"][0].mode == 0o755
    assert tree["usr/lib/x86_64-linux-gnu/libthing.so.1"][1] == b"thing" * 1000
    assert tree["etc/issue.dpkg-new"][1] == tree["etc/issue"][1] == b"Debian\n"
    assert b"/bin/hello\n" in tree["var/lib/dpkg/info/base-files.list"][1]
    assert tree["var/lib/dpkg/info/base-files.preinst"][0].mode == 0o755
    assert tree["var/lib/dpkg/triggers/File"][1] == b"/usr/share/things libthing:amd64/noawait\n"
    status = tree["var/lib/dpkg/status"][1].decode()
    assert status.count("Status: install ok unpacked\n") == len(lock.source.packages)
    assert "Conffiles:\n /etc/issue newconffile\n" in status
    assert not any(entry.open for entry, _ in tree.values() if entry.kind is not Kind.FILE)


def test_parents_come_first_and_nothing_is_left_behind(source: Bootstrap, supply: Supply) -> None:
    lock = resolve(source, supply)
    fetch_bootstrap(source, lock, supply)
    seen = {b""}
    for entry in bootstrap_entries(lock.source, "amd64", supply.blobs):
        assert entry.path.rpartition(b"/")[0] in seen
        assert entry.path not in seen
        seen.add(entry.path)
    assert not [name for name in os.listdir(supply.blobs.folder) if name.startswith(".unpack")]


def test_apt_in_the_image_uses_the_public_archive(source: Bootstrap, supply: Supply) -> None:
    lock = resolve(source, supply)
    fetch_bootstrap(source, lock, supply)
    text = unpack(lock, supply)["etc/apt/sources.list.d/debian.sources"][1].decode()
    assert "URIs: http://deb.debian.org/debian\nSuites: trixie trixie-updates\nComponents: main\n" in text
    assert "URIs: http://deb.debian.org/debian-security\nSuites: trixie-security\n" in text


def test_the_key_of_the_base_changes_with_any_package(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    before = resolve(source, supply).source
    changed = [*base_packages()[:-4], FakePackage(name="libthing", version="1.1-1")]
    archive.publish_all(changed)
    after = resolve(source, supply).source
    assert bootstrap_inputs(before, "amd64") == bootstrap_inputs(before, "amd64")
    assert bootstrap_inputs(before, "amd64") != bootstrap_inputs(after, "amd64")


def test_an_unknown_key_is_refused(archive: DebianArchive, source: Bootstrap, supply: Supply) -> None:
    archive.publish(base_packages(), key=Tsk.generate("Somebody Else <else@example.org>"))
    message = refusal(source, supply)
    assert "dists/trixie/InRelease: is signed by keys that are not in the keyring" in message
    assert "signed_by" in message


def test_a_wrong_signature_is_refused(archive: DebianArchive, source: Bootstrap, supply: Supply) -> None:
    path = "/debian/dists/trixie/InRelease"
    archive.files[path] = archive.files[path].replace(b"Origin: Test", b"Origin: Evil")
    message = refusal(source, supply)
    assert "the signature is wrong" in message
    assert "choose another mirror" in message


def test_a_portal_in_the_way_is_refused(archive: DebianArchive, source: Bootstrap, supply: Supply) -> None:
    archive.files["/debian/dists/trixie/InRelease"] = b"<html>please log in</html>"
    assert "is not a signed file" in refusal(source, supply)


def test_text_outside_the_signature_does_not_count(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    path = "/debian/dists/trixie/InRelease"
    evil = b"Date: Thu, 01 Jan 2099 00:00:00 UTC\nSHA256:\n\n"
    archive.files[path] = archive.files[path] + evil
    assert resolve(source, supply).time == DATE


def test_an_expired_release_is_refused_with_both_times(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    archive.publish(base_packages(), valid_until=DATE + 7 * DAY)
    later = Supply(blobs=supply.blobs, http=supply.http, now=DATE + 40 * DAY)
    message = refusal(source, later)
    assert "was valid until 2025-06-08 00:00 UTC; the clock says 2025-07-11 00:00 UTC" in message
    assert "`snapshot`" in message
    assert resolve(source.model_copy(update={"check_valid_until": False}), later).time == DATE


def test_a_clock_that_is_behind_is_named(source: Bootstrap, supply: Supply) -> None:
    early = Supply(blobs=supply.blobs, http=supply.http, now=DATE - 30 * DAY)
    message = refusal(source, early)
    assert "was made at 2025-06-01 00:00 UTC, but the clock says 2025-05-02 00:00 UTC" in message
    assert "set the clock" in message


def test_an_old_state_is_read_from_a_snapshot_service(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    archive.publish_all(base_packages(), valid_until=DATE + DAY)
    stamp = "20250601T000000Z"
    for path in list(archive.files):
        archive.files[re.sub(r"^/([^/]+)/", rf"/\1/{stamp}/", path)] = archive.files.pop(path)
    later = Supply(blobs=supply.blobs, http=supply.http, now=DATE + 400 * DAY)
    assert resolve(source.model_copy(update={"snapshot": stamp}), later).time == DATE


@pytest.mark.parametrize(
    "what", ["pool/main/mawk_1.0-1_amd64.deb", "dists/trixie/main/binary-amd64/Packages.xz"]
)
def test_a_changed_file_is_refused(
    archive: DebianArchive, source: Bootstrap, supply: Supply, what: str
) -> None:
    path = f"/debian/{what}"
    data = archive.files[path]
    archive.files[path] = data[:100] + bytes([data[100] ^ 1]) + data[101:]
    with pytest.raises(ResolveError, match="with sha256") as caught:
        fetch_bootstrap(source, resolve(source, supply), supply)
    assert what in str(caught.value)


def test_a_cut_transfer_is_refused_and_leaves_nothing(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    lock = resolve(source, supply)
    archive.cut.add("/debian/pool/main/mawk_1.0-1_amd64.deb")
    with pytest.raises(ResolveError, match="cannot be read after 2 attempts"):
        fetch_bootstrap(source, lock, supply)
    assert not list(supply.blobs.folder.rglob("*.part"))


def test_an_archive_that_one_mirror_lacks_comes_from_the_next(archive: DebianArchive, supply: Supply) -> None:
    notes: list[Event] = []
    addresses = Addresses(DEBIAN.security, (f"{archive.url}/nothing", archive.url))
    archives = Archives((addresses,), direct_http(), supply.blobs, notes.append)
    for _ in range(2):
        assert archives.read("debian-security", "dists/trixie/InRelease", limit=1 << 20)
    assert archive.asked.count("/debian/nothing/dists/trixie/InRelease") == 1
    assert [note.message for note in notes if isinstance(note, Note)] == [
        f"{archive.url}/nothing is not used: there is no such file on the server"
    ]


def test_a_base_may_do_without_the_other_suites(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    for path in [path for path in archive.files if "trixie-" in path]:
        del archive.files[path]
    alone = source.model_copy(update={"updates": False, "security": False})
    assert [release.suite for release in resolve(alone, supply).source.releases] == ["trixie"]


def test_an_unknown_package_brings_a_suggestion(source: Bootstrap, supply: Supply) -> None:
    message = refusal(source, supply, StepRequest(step=0, names=("editr",)))
    assert "there is no package editr in the archive" in message
    assert "did you mean editor" in message


def test_an_unknown_suite_is_named_with_what_to_change(source: Bootstrap, supply: Supply) -> None:
    alone = source.model_copy(update={"updates": False, "security": False, "suite": "trixi"})
    message = refusal(alone, supply)
    assert "the archive has no suite trixi\n" in message
    assert "check the name of the suite" in message


def test_a_missing_suite_beside_names_its_switch(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    del archive.files["/debian/dists/trixie-updates/InRelease"]
    message = refusal(source, supply)
    assert "the archive has no suite trixie-updates" in message
    assert "`updates: false`" in message


def test_an_unknown_component_names_the_known_ones(source: Bootstrap, supply: Supply) -> None:
    message = refusal(source.model_copy(update={"components": ("universe",)}), supply)
    assert "has no component universe" in message
    assert "choose from main" in message


def test_an_unknown_architecture_names_the_known_ones(source: Bootstrap, supply: Supply) -> None:
    with pytest.raises(ResolveError, match="has nothing for s390x") as caught:
        resolve_bootstrap(source, "s390x", (), supply)
    assert "choose one of amd64" in str(caught.value)


def test_two_packages_with_the_same_file_are_refused_unless_one_replaces_the_other(
    archive: DebianArchive, source: Bootstrap, supply: Supply
) -> None:
    thief = FakePackage(name="mawk", fields={"Provides": "awk", "Priority": "required"})
    stolen = {"bin/hello": (0o700, b"mine")}
    for fields, message in (
        ({}, "both base-files and mawk bring /usr/bin/hello"),
        ({"Replaces": "base-files"}, ""),
    ):
        mawk = FakePackage(name="mawk", fields={**thief.fields, **fields}, files=stolen)
        archive.publish_all([mawk if each.name == "mawk" else each for each in base_packages()])
        lock = resolve(source, supply)
        fetch_bootstrap(source, lock, supply)
        if message:
            with pytest.raises(ResolveError, match=message):
                unpack(lock, supply)
        else:
            assert unpack(lock, supply)["usr/bin/hello"][1] == b"mine"
