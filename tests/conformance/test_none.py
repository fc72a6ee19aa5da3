"""Without an engine a plan makes what the sandbox makes of it."""

from __future__ import annotations

import os
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.core.blobs import Blobs
from builder.core.digests import sha256_bytes
from builder.core.errors import ExecuteError
from builder.core.events import discard
from builder.execute.none import NoEngine
from builder.model.entry import Entry, Kind
from builder.model.operation import Content, Exec, PutEntry, Remove

_NAMES = st.sampled_from(["a", "b", "c"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names))
_TARGETS = st.one_of(_PATHS, st.sampled_from(["b", "../a", ".", "gone", "c/b"]))
_MODES = st.sampled_from([None, 0o600, 0o755, 0o4711])
_IDS = st.integers(0, 3)


def _content(data):
    return Content(digest=sha256_bytes(data), size=len(data), data=data)


_FILES = st.builds(
    PutEntry,
    path=_PATHS,
    kind=st.just(Kind.FILE),
    mode=_MODES,
    uid=_IDS,
    gid=_IDS,
    content=st.binary(max_size=3).map(_content),
)
_FOLDERS = st.builds(PutEntry, path=_PATHS, kind=st.just(Kind.DIRECTORY), mode=_MODES, uid=_IDS)
_LINKS = st.builds(PutEntry, path=_PATHS, kind=st.just(Kind.SYMLINK), target=_TARGETS, gid=_IDS)
_PUTS = st.lists(st.one_of(_FILES, _FOLDERS, _LINKS), min_size=1, max_size=4).map(tuple)
_PATTERNS = st.lists(st.sampled_from(["*", "**", "a", "b", "[!a]", "?"]), min_size=1, max_size=3)
_REMOVALS = st.builds(Remove, patterns=_PATTERNS.map(lambda parts: ("/" + "/".join(parts),)))

_BASE = (
    Entry(b"a", Kind.DIRECTORY, 0o751, 1, 2),
    Entry(b"a/a", Kind.FIFO, 0o600),
    Entry(b"a/b", Kind.FILE, 0o644, 1, 1),
    Entry(b"a/c", Kind.DIRECTORY, 0o700),
    Entry(b"b", Kind.SYMLINK, 0o755, target=b"a/c"),
    Entry(b"c", Kind.HARDLINK, 0o644, target=b"a/b"),
)


def _shown(engine, layer):
    """All that an image holds of the tree; the times of files are clamped, those of directories settled."""
    return [(*entry[:5], entry.size, entry.target, entry.device) for entry in engine.entries(layer)]


def _perform(engine, operations):
    """The trees that `operations` leave, one after the other, up to a message that ends them."""
    layer = engine.base(os.urandom(32).hex(), lambda: _BASE)
    yield _shown(engine, layer)
    for operation in operations:
        key = os.urandom(32).hex()
        try:
            remove = isinstance(operation, Remove)
            layer = (engine.remove if remove else engine.put)(layer, key, operation)
        except ExecuteError as error:
            yield error.message, error.where
            return
        yield _shown(engine, layer)


@pytest.mark.system
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(operations=st.lists(st.one_of(_PUTS, _REMOVALS), max_size=4))
def test_any_put_and_remove_leaves_what_the_sandbox_leaves(bench, tmp_path, operations):
    with closing(NoEngine(Blobs(tmp_path))) as none:
        assert list(_perform(none, operations)) == list(_perform(bench.engine, operations))


def test_a_command_and_a_shell_are_refused(tmp_path):
    engine = NoEngine(Blobs(tmp_path))
    layer = engine.base("0" * 64, lambda: _BASE)
    with pytest.raises(ExecuteError, match="is a command, which --engine none cannot run"):
        engine.run(layer, "1" * 64, Exec(argv=("true",)), discard)
    with pytest.raises(ExecuteError, match="--engine none can open no shell"):
        engine.shell(layer)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Entry(b"x/y", Kind.FILE, 0o644), "/x/y: does not lie in a directory"),
        (Entry(b"y", Kind.HARDLINK, 0o644, target=b"x"), "/y: is a link to /x, which is no file"),
    ],
)
def test_a_base_out_of_order_is_a_clear_error(tmp_path, entry, message):
    with pytest.raises(ExecuteError, match=message):
        NoEngine(Blobs(tmp_path)).base("0" * 64, lambda: [entry])


def test_devices_attributes_and_owners_need_no_privilege(tmp_path):
    base = [
        Entry(b"null", Kind.CHAR, 0o666, device=(1, 3)),
        Entry(b"hidden", Kind.CHAR, 0, device=(0, 0)),
        Entry(b"tool", Kind.FILE, 0o4755, 3_000_000, 5, xattrs=((b"user.b", b"2"), (b"user.a", b"1"))),
        Entry(b"way", Kind.SYMLINK, 0o755, target=b"tool", xattrs=((b"trusted.x", b"1"),)),
    ]
    engine = NoEngine(Blobs(tmp_path))
    null, tool, way = engine.entries(engine.base("0" * 64, lambda: base))
    assert null.device == (1, 3)
    assert (tool.uid, tool.mode, tool.xattrs) == (3_000_000, 0o4755, ((b"user.a", b"1"), (b"user.b", b"2")))
    assert (way.mode, way.xattrs) == (0o777, ())
