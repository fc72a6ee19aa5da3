from __future__ import annotations

import pytest

from builder.core.errors import UsageError
from builder.sandbox.userns import Range, find_range


def test_the_first_range_that_is_long_enough_counts(tmp_path):
    path = tmp_path / "subuid"
    path.write_text("eve:1:65536\nbob:100:5\n1000:200000:65536\nbob:300000:65536\n")
    assert find_range(path, "bob", 1000) == Range(200000, 65536)


def test_a_user_without_a_range_is_told_how_to_get_one(tmp_path):
    path = tmp_path / "subgid"
    with pytest.raises(UsageError, match="bob has no range of 65536 ids") as caught:
        find_range(path, "bob", 1000)
    assert caught.value.where == str(path)
    assert "usermod --add-subgids 100000-165535 bob" in caught.value.fix
