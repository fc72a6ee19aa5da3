"""A context is what its ignore file leaves of a folder, and known by what is in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.core.errors import ResolveError
from builder.model.entry import Kind
from builder.sources.context.read import digest_context, read_context


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Dockerfile", "src/main.c", "src/main.o", "build/Dockerfile", "build/out", "deep/a/b/keep"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    (tmp_path / "link").symlink_to("src/main.c")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def names(folder: Path, file: str = "Dockerfile", private: tuple[str, ...] = ()) -> list[str]:
    return [os.fsdecode(entry.path) for entry in read_context(folder, file, private)]


def test_everything_goes_sorted_and_as_roots_but_pipes(folder: Path) -> None:
    entries = read_context(folder, "Dockerfile")
    assert [entry.path for entry in entries][:3] == [b"Dockerfile", b"build", b"build/Dockerfile"]
    assert b"pipe" not in {entry.path for entry in entries}
    assert {(entry.uid, entry.gid) for entry in entries} == {(0, 0)}
    (link,) = (entry for entry in entries if entry.kind is Kind.SYMLINK)
    assert (link.path, link.target) == (b"link", b"src/main.c")


def test_ignored_folders_stay_behind_unless_something_in_them_is_wanted(folder: Path) -> None:
    (folder / ".dockerignore").write_text("build\ndeep\n**/*.o\n!deep/a/b/keep\n.dockerignore\nlink\n")
    assert names(folder) == ["Dockerfile", "deep", "deep/a", "deep/a/b", "deep/a/b/keep", "src", "src/main.c"]


def test_a_dockerfile_has_rules_of_its_own_and_goes_in_any_case(folder: Path) -> None:
    (folder / ".dockerignore").write_text("*\n")
    (folder / "build/Dockerfile.dockerignore").write_text("build\n")
    assert names(folder) == ["Dockerfile"]
    found = names(folder, "build/Dockerfile")
    assert found[:4] == [".dockerignore", "Dockerfile", "build", "build/Dockerfile"]
    assert "build/out" not in found and "src/main.c" in found


def test_private_files_stay_behind(folder: Path) -> None:
    assert "src/main.o" not in names(folder, private=(f"{folder}/src/*.o",))


def test_two_checkouts_have_one_digest(folder: Path) -> None:
    def digest() -> str:
        return digest_context(read_context(folder, "Dockerfile"))

    before = digest()
    os.utime(folder / "src/main.c", (1, 1))
    (folder / "dist").mkdir()
    assert digest() == before
    (folder / "src/main.c").chmod(0o755)
    executable = digest()
    (folder / "src/main.c").write_text("changed\n")
    assert len({before, executable, digest()}) == 3


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResolveError, match="gone: cannot be read: No such file or directory"):
        read_context(tmp_path / "gone", "Dockerfile")
