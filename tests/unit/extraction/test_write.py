"""Writing what an archive says: nothing outside the folder, and the rest where something is refused."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

from builder.extraction.archive import Extracted, extract_to, judge_archive
from builder.extraction.extraction import Extraction
from builder.extraction.remove import remove_tree
from tests.unit.check.images import Item, archive, directory, file, hardlink, image, symlink

OWN = {"uid": os.geteuid(), "gid": os.getegid()}


def own(item: Item) -> Item:
    """`item` as the user of the test, who may not be root."""
    return Item(**{**item.__dict__, **OWN})


def extract(folder: Path, *items: Item) -> tuple[Extracted, Path]:
    (folder / "x.tar").write_bytes(archive(*map(own, items)))
    (folder / "tree").mkdir()
    return extract_to(folder / "x.tar", folder / "tree", Extraction()), folder / "tree"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_links_and_dots_lead_nowhere_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    extracted, tree = extract(
        tmp_path,
        symlink("escape", str(outside)),
        file("escape/a", "x"),
        file("../outside/b", "x"),
        hardlink("escape/kept", "escape/kept"),
        hardlink("c", "escape/kept"),
        symlink("file", str(outside / "kept")),
        file("file", "replaced"),
        directory("escape"),
        file("escape/inside", "x"),
    )
    assert extracted.refused
    assert extracted.rule == "WSL007"
    assert names(outside) == ["kept"]
    assert (outside / "kept").read_text() == "kept"
    assert names(tree) == ["escape", "escape/inside", "file"]


def test_content_links_and_modes_are_written(tmp_path: Path) -> None:
    extracted, tree = extract(
        tmp_path,
        file("usr/bin/tool", "#!/bin/sh\n", 0o751),
        hardlink("usr/bin/other", "./usr/bin/tool"),
        symlink("bin", "usr/bin"),
        directory("var", 0o711),
        file("var/big", b"a" + bytes(3 << 20) + b"z"),
    )
    assert extracted.unwritten == ()
    assert os.stat(tree / "usr").st_mode & 0o7777 == 0o755
    assert not extracted.refused
    assert (tree / "bin/other").read_text() == "#!/bin/sh\n"
    assert os.stat(tree / "usr/bin/tool").st_mode & 0o7777 == 0o751
    assert os.stat(tree / "usr/bin/tool").st_nlink == 2
    assert os.stat(tree / "var").st_mode & 0o7777 == 0o711
    assert (tree / "var/big").read_bytes() == b"a" + bytes(3 << 20) + b"z"


def test_what_is_refused_keeps_the_rest_from_nothing(tmp_path: Path) -> None:
    extracted, tree = extract(tmp_path, hardlink("h", "missing"), file("after", "x"))
    assert extracted.complaints == ("h: is a hard link whose target has not been extracted (target missing)",)
    assert names(tree) == ["after"]


def test_a_cut_archive_is_refused_and_its_beginning_written(tmp_path: Path) -> None:
    whole = archive(own(file("a", "x")), own(file("b", "y" * 5000)))
    (tmp_path / "x.tar").write_bytes(whole[:-4096])
    (tmp_path / "tree").mkdir()
    extracted = extract_to(tmp_path / "x.tar", tmp_path / "tree", Extraction())
    assert (extracted.rule, extracted.refused) == ("WSL001", True)
    assert "ends in the middle of a member" in extracted.complaints[0]
    assert (tmp_path / "tree/a").read_text() == "x"


def test_a_path_of_a_hundred_thousand_folders_is_refused_at_once(tmp_path: Path) -> None:
    extracted, tree = extract(tmp_path, file(b"a/" * 100_000 + b"x", "x"), file("b", "x"))
    assert extracted.rule == "WSL015"
    assert names(tree) == ["b"]


def test_a_path_of_thousands_of_folders_is_written(tmp_path: Path) -> None:
    extracted, tree = extract(tmp_path, file(b"a/" * 1500 + b"x", "deep"))
    assert not extracted.refused
    assert (tree / ("a/" * 1500) / "x").read_text() == "deep"
    remove_tree(tree)  # pytest could not


def test_the_verdict_alone_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.wsl").write_bytes(image(file("a", "x"), file("a/../b")))
    assert judge_archive(tmp_path / "x.wsl", Extraction()).rule == "WSL005"
    assert names(tmp_path) == ["x.wsl"]


def test_a_locale_that_is_not_utf8_refuses_pax_names(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("ö"))
    assert judge_archive(tmp_path / "x.tar", Extraction(utf8=False)).rule == "WSL018"
    assert not judge_archive(tmp_path / "x.tar", Extraction()).refused
