"""What engines send in small pieces is handed on in large ones."""

from __future__ import annotations

import pytest

from builder.sources.oci.engine import _gather


@pytest.mark.parametrize(
    "lengths", [[], [5], [32, 5] * 100, [5] * 300 + [32] * 100, [1000], [0, 0, 64, 0]], ids=str
)
def test_pieces_are_whole_in_order_and_large_but_for_the_last(lengths):
    pieces = [bytes([index % 251]) * length for index, length in enumerate(lengths)]
    gathered = list(_gather(pieces, 100))
    assert b"".join(gathered) == b"".join(pieces)
    assert all(100 <= len(each) < 100 + max(lengths) for each in gathered[:-1])
