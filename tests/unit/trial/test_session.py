from __future__ import annotations

from pathlib import Path

import pytest

from builder.trial.inside import Inside
from builder.trial.session import find_account, read_language


@pytest.fixture
def tree(tmp_path: Path) -> Inside:
    (tmp_path / "etc/default").mkdir(parents=True)
    return Inside(tmp_path)


@pytest.mark.parametrize(
    ("files", "language"),
    [
        ({}, "en_US.UTF-8"),
        ({"etc/default/locale": "LANG=C.UTF-8\n"}, "C.UTF-8"),
        ({"etc/locale.conf": 'LANG="de_DE.UTF-8" # ours\n'}, "de_DE.UTF-8"),
        ({"etc/default/locale": "LANG=a\nLANG=b\n", "etc/locale.conf": "LANG=c\n"}, "b"),
        ({"etc/default/locale": "LC_ALL=x\n", "etc/locale.conf": "LANG=c\n"}, "c"),
        ({"etc/default/locale": "# LANG=x\n"}, "en_US.UTF-8"),
    ],
)
def test_the_language_is_found_where_wsl_looks(tree: Inside, files: dict[str, str], language: str) -> None:
    for path, text in files.items():
        (tree.folder / path).write_text(text)
    assert read_language(tree) == language


def test_accounts_are_found_by_name_and_by_number(tree: Inside) -> None:
    (tree.folder / "etc/passwd").write_text("root:x:0:0::/root:/bin/bash\nbroken\nanna:x:1000:1000:::\n")
    anna = find_account(tree, 1000)
    assert anna == find_account(tree, "anna")
    assert anna is not None
    assert (anna.uid, anna.home, anna.shell) == (1000, "/", "/bin/sh")
    assert find_account(tree, 1) is None
    assert find_account(tree, "broken") is None
