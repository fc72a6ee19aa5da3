from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from builder.model.entry import Kind
from builder.model.operation import Put, PutEntry
from builder.steps.overlay import Overlay
from builder.steps.step import InputProblems

from .context import context


def plan(folder: Path, **fields: object) -> dict[str, PutEntry]:
    step = Overlay.model_validate({"source": "rootfs", **fields})
    (put,) = step.operations(context(), step.read_inputs(folder))
    assert isinstance(put, Put)
    return {entry.path: entry for entry in put.entries}


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    folder = tmp_path / "rootfs"
    (folder / "etc").mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "etc/motd").write_bytes(b"hi\n")
    (folder / "bin/tool").write_bytes(b"#!/bin/sh\n")
    (folder / "bin/tool").chmod(0o755)
    (folder / "bin/alias").symlink_to("tool")
    return folder


def test_files_are_0644_or_0755_of_root_and_folders_keep_what_the_image_has(rootfs):
    entries = plan(rootfs.parent)
    assert list(entries) == ["/bin", "/bin/alias", "/bin/tool", "/etc", "/etc/motd"]
    assert [entries[path].mode for path in ("/bin", "/bin/tool", "/etc/motd")] == [None, 0o755, 0o644]
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}
    assert (entries["/bin/alias"].kind, entries["/bin/alias"].target) == (Kind.SYMLINK, "tool")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666])
def test_the_umask_of_a_checkout_has_no_say(rootfs, mode):
    expected = plan(rootfs.parent)
    (rootfs / "etc/motd").chmod(mode)
    (rootfs / "bin/tool").chmod(mode | 0o100)
    (rootfs / "etc").chmod(0o700)
    assert plan(rootfs.parent) == expected


def test_git_knows_what_is_executable_where_the_checkout_does_not(rootfs, tool):
    tool("git")
    expected = plan(rootfs.parent)
    git(rootfs.parent, "init")
    git(rootfs.parent, "add", ".")
    for path in ("etc/motd", "bin/tool"):
        (rootfs / path).chmod(0o777)
    assert plan(rootfs.parent) == expected
    for path in ("etc/motd", "bin/tool"):
        (rootfs / path).chmod(0o600)
    assert plan(rootfs.parent) == expected


def test_a_link_that_git_wrote_as_a_file_is_a_link(rootfs, tool):
    tool("git")
    expected = plan(rootfs.parent)
    git(rootfs.parent, "init")
    git(rootfs.parent, "add", ".")
    (rootfs / "bin/alias").unlink()
    (rootfs / "bin/alias").write_bytes(b"tool")
    assert plan(rootfs.parent) == expected


def test_a_git_environment_of_the_caller_has_no_say(rootfs, tool, monkeypatch):
    tool("git")
    expected = plan(rootfs.parent)
    git(rootfs.parent, "init")
    git(rootfs.parent, "add", ".")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    (rootfs / "etc/motd").chmod(0o777)
    assert plan(rootfs.parent) == expected


def test_the_plan_does_not_depend_on_the_working_folder(rootfs, monkeypatch):
    expected = plan(rootfs.parent)
    monkeypatch.chdir(rootfs.parent)
    assert plan(Path()) == expected


def test_later_exceptions_go_over_earlier_ones(rootfs):
    entries = plan(
        rootfs.parent,
        exceptions=[
            {"path": "/bin/**", "mode": "0700", "owner": "1:2"},
            {"path": "/bin/tool", "mode": "4755"},
            {"path": "/etc", "directory_mode": "0750"},
        ],
    )
    assert (entries["/bin/tool"].mode, entries["/bin/tool"].uid, entries["/bin/tool"].gid) == (0o4755, 1, 2)
    assert (entries["/bin"].mode, entries["/bin"].uid) == (None, 0)
    assert (entries["/etc"].mode, entries["/etc/motd"].mode) == (0o750, 0o644)


def test_a_folder_with_an_owner_needs_a_mode_to_be_its_own(rootfs):
    entries = plan(rootfs.parent, exceptions=[{"path": "/etc", "owner": "5:6"}])
    assert (entries["/etc"].mode, entries["/etc"].uid, entries["/etc"].gid) == (0o755, 5, 6)


def test_an_exception_that_matches_nothing_is_a_problem(rootfs):
    with pytest.raises(InputProblems) as raised:
        plan(rootfs.parent, exceptions=[{"path": "/etc/mtod", "mode": "0600"}])
    (problem,) = raised.value.problems
    assert (problem.location, problem.message) == (("exceptions", 0, "path"), "/etc/mtod matches nothing")


def test_everything_goes_below_the_target(rootfs):
    assert "/opt/tool/etc/motd" in plan(rootfs.parent, target="/opt/tool")


def test_gitkeep_keeps_its_folder_and_stays_out(rootfs):
    (rootfs / "srv").mkdir()
    (rootfs / "srv/.gitkeep").touch()
    entries = plan(rootfs.parent)
    assert "/srv" in entries
    assert "/srv/.gitkeep" not in entries


def test_names_that_are_not_utf8_survive(rootfs):
    with open(os.fsencode(rootfs) + b"/caf\xe9", "wb"):
        pass
    assert os.fsdecode(b"/caf\xe9") in plan(rootfs.parent)


def test_what_no_image_can_hold_is_a_problem(rootfs):
    os.mkfifo(rootfs / "pipe")
    with pytest.raises(InputProblems) as raised:
        plan(rootfs.parent)
    assert raised.value.problems[0].message == "rootfs/pipe is neither a file, a folder nor a symbolic link"
