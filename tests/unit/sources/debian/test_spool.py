from __future__ import annotations

import os
import time
from pathlib import Path

from builder.sources.debian.spool import spool_folder


def test_the_folder_is_gone_afterwards(tmp_path: Path) -> None:
    with spool_folder(tmp_path / "new") as folder:
        (folder / "file").write_bytes(b"x")
    assert os.listdir(tmp_path / "new") == []


def test_a_folder_of_the_dead_is_removed_and_one_in_use_is_not(tmp_path: Path) -> None:
    dead = tmp_path / ".unpack-dead"
    dead.mkdir()
    (dead / "file").write_bytes(b"x")
    long_ago = time.time() - 3600
    os.utime(dead, (long_ago, long_ago))
    with spool_folder(tmp_path) as first:
        os.utime(first, (long_ago, long_ago))
        with spool_folder(tmp_path) as second:
            assert sorted(tmp_path.iterdir()) == sorted([first, second])
