"""Index files that are not what their names say."""

from __future__ import annotations

import gzip
import lzma

import pytest

from builder.core.errors import ResolveError
from builder.sources.debian.index import decompress_index

TEXT = b"Package: a\n" * 1000


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=[".gz", ".xz"])
@pytest.mark.parametrize("damage", ["changed", "cut", "something else"])
def test_a_damaged_index_is_one_clear_error(pack, damage):
    suffix = ".gz" if pack is gzip.compress else ".xz"
    data = bytearray(pack(TEXT))
    assert decompress_index(bytes(data), f"Packages{suffix}") == TEXT
    if damage == "changed":
        data[len(data) // 2] ^= 0xFF
        data[12] ^= 0xFF
    damaged = {"changed": bytes(data), "cut": bytes(data[:-9]), "something else": TEXT}[damage]
    with pytest.raises(ResolveError, match="cannot be decompressed") as caught:
        decompress_index(damaged, f"Packages{suffix}")
    assert "cache prune" in caught.value.fix
