"""Layers without mounting. Whiteouts need privileges to make, so the conformance suite has those cases."""

from __future__ import annotations

import os

import pytest

from builder.core.errors import ExecuteError
from builder.execute.layers.lay import write_content
from builder.execute.layers.listing import Listed, list_layer, load_listing, save_listing
from builder.execute.layers.match import matches
from builder.execute.layers.merge import merge_layers
from builder.execute.layers.view import View
from builder.model.entry import Kind
from builder.model.operation import Content


@pytest.fixture
def layers(tmp_path):
    """A layer above another: (top, base) as the view takes them."""
    base, top = tmp_path / "base", tmp_path / "top"
    (base / "usr/share/doc/a").mkdir(parents=True)
    (base / "usr/share/doc/a/copyright").write_text("a")
    (base / "usr/share/doc/.hidden").write_text("h")
    (base / "doc").symlink_to("/usr/share/doc")
    (base / "loop").symlink_to("loop")
    (base / "up").symlink_to("../../../doc/a")
    (base / "usr/lib").write_text("a file")
    (top / "usr/lib").mkdir(parents=True)
    (top / "usr/lib/new").write_text("new")
    (top / "usr/share").mkdir()
    (top / "usr/share/doc").mkdir()
    (top / "usr/share/doc/b").write_text("b")
    return os.fsencode(top), os.fsencode(base)


@pytest.mark.parametrize(
    ("path", "real"),
    [
        (b"doc/b", b"usr/share/doc/b"),
        (b"up/copyright", b"usr/share/doc/a/copyright"),
        (b"doc/../lib", None),
        (b"usr/lib/new", b"usr/lib/new"),
        (b"doc/b/x", None),
    ],
)
def test_links_lead_inside_the_image(layers, path, real):
    node = View(layers).find(path, follow=True)
    assert (node and node.path) == real


def test_a_loop_of_links_is_an_error(layers):
    with pytest.raises(ExecuteError, match="/loop: leads through more than 40 links"):
        View(layers).find(b"loop", follow=True)


def listed(identity: str, root: bytes) -> Listed:
    return Listed(identity, root, list_layer(root)[0])


def test_a_listing_is_kept_whole_or_made_anew(layers, tmp_path):
    listing, size = list_layer(layers[0])
    file = tmp_path / "listing"
    assert save_listing(file, listing) == file.stat().st_size and size > 0
    assert load_listing(file, b"/nowhere") == listing
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert load_listing(file, layers[0]) == listing
    file.unlink()
    assert load_listing(file, layers[0]) == listing


def test_layers_merge_in_the_order_of_the_tree(layers):
    entries = list(merge_layers((listed("t", layers[0]), listed("b", layers[1]))))
    assert [entry.path for entry in entries] == [
        b"doc",
        b"loop",
        b"up",
        b"usr",
        b"usr/lib",
        b"usr/lib/new",
        b"usr/share",
        b"usr/share/doc",
        b"usr/share/doc/.hidden",
        b"usr/share/doc/a",
        b"usr/share/doc/a/copyright",
        b"usr/share/doc/b",
    ]
    by_path = {entry.path: entry for entry in entries}
    assert by_path[b"usr/lib"].kind is Kind.DIRECTORY
    assert by_path[b"usr/share/doc/b"].identity == ("t", b"usr/share/doc/b")
    assert by_path[b"usr/share/doc/a/copyright"].identity == ("b", b"usr/share/doc/a/copyright")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (b"usr/share/doc/*", [b"usr/share/doc/.hidden", b"usr/share/doc/a", b"usr/share/doc/b"]),
        (b"usr/**/copyright", [b"usr/share/doc/a/copyright"]),
        (b"**/b", [b"usr/share/doc/b"]),
        (b"doc/[!b.]", [b"usr/share/doc/a"]),
        (b"usr/share/doc/?", [b"usr/share/doc/a", b"usr/share/doc/b"]),
        (b"usr/*/doc/a/copyright", [b"usr/share/doc/a/copyright"]),
        (b"doc", [b"doc"]),
        (b"usr/shar", []),
        (b"usr/lib/**", [b"usr/lib/new"]),
        (b"usr/share/doc/[a", []),
        (b"", []),
    ],
)
def test_patterns_match_as_documented(layers, pattern, found):
    assert sorted(matches(View(layers), pattern)) == found


def test_a_file_that_changed_since_it_was_planned_is_refused(tmp_path):
    (tmp_path / "file").write_text("longer than before")
    content = Content(digest="", size=3, path=tmp_path / "file")
    with pytest.raises(ExecuteError, match="file: has changed since the build was planned"):
        write_content(os.fsencode(tmp_path / "new"), content)
