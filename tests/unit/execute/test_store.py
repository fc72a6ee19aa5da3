from __future__ import annotations

import os

import pytest

from builder.core.errors import ExecuteError
from builder.execute.disk import check_space
from builder.execute.store import Store


def publish(store, key, below=(), size=0):
    with store.draft() as draft:
        (draft.diff / "file").write_bytes(b"x" * size)
        return store.publish(draft, key, below)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "cache")
    yield store
    store.close()


def key(letter):
    return letter * 64


def test_a_layer_is_found_with_its_chain(store):
    chain = publish(store, key("b"), publish(store, key("a")))
    assert store.find(key("b")) == chain == (key("a"), key("b"))
    assert store.find(key("c")) is None


def test_a_layer_whose_chain_is_broken_is_not_found(store):
    publish(store, key("b"), publish(store, key("a")))
    store.forget([key("a")])
    assert store.find(key("b")) is None


def test_a_key_that_begins_like_another_is_not_taken_for_it(store):
    publish(store, key("a"))
    assert store.find("a" * 32 + "b" * 32) is None


def test_a_draft_that_fails_leaves_nothing(store, tmp_path):
    with pytest.raises(KeyError), store.draft():
        raise KeyError
    assert os.listdir(tmp_path / "cache" / "layers") == []


def test_what_a_dead_build_left_is_collected_and_what_a_live_one_writes_is_not(store, tmp_path):
    dead = tmp_path / "cache" / "layers" / ".0123.part"
    (dead / "diff").mkdir(parents=True)
    with store.draft() as draft:
        store.collect()
        assert not dead.exists() and draft.diff.exists()


def test_the_longest_unused_go_first_and_what_builds_on_others_before_them(tmp_path):
    store = Store(tmp_path)
    publish(store, key("b"), publish(store, key("a"), size=5000), size=5000)
    publish(store, key("c"), size=5000)
    store.close()
    for name, used in (("a", 200), ("b", 200), ("c", 100)):
        os.utime(tmp_path / "layers" / (name * 32) / "meta.json", (used, used))
    assert [use.record.key[0] for use in store.usage()] == ["c", "b", "a"]
    total = sum(use.record.size for use in store.usage())
    store.prune(total - 1)
    assert [use.record.key[0] for use in store.usage()] == ["b", "a"]
    store.prune(0)
    assert store.usage() == ()


def test_a_failed_tree_is_kept_until_the_key_succeeds(store):
    below = publish(store, key("a"))
    with store.draft() as draft:
        store.keep_failed(draft, key("b"), below)
    assert store.failed_chain(key("b")) == below
    publish(store, key("b"), below)
    assert store.failed_chain(key("b")) is None


def test_the_cache_of_somebody_else_is_refused(tmp_path):
    Store(tmp_path).close()
    mark = tmp_path / "layers.flavour"
    mark.write_text("user" if mark.read_text() == "trusted" else "trusted")
    with pytest.raises(ExecuteError, match="whose layers cannot be shared") as caught:
        Store(tmp_path)
    assert "WSLIMG_CACHE" in caught.value.fix


def test_too_little_space_is_said_with_what_frees_some(tmp_path):
    with pytest.raises(ExecuteError, match=r"GB are free where about 1000000000\.0 GB are needed") as caught:
        check_space(tmp_path, 10**18)
    assert "cache prune" in caught.value.fix
    check_space(tmp_path, 1)


def test_a_layer_made_again_under_its_key_is_another_one(tmp_path):
    store = Store(tmp_path)
    fillings = []
    for _ in range(2):
        with store.draft() as draft:
            store.publish(draft, "a" * 64, ())
        fillings.append(store.filling("a" * 64))
        store.forget(["a" * 64])
    assert fillings[0] != fillings[1]


def test_layers_of_another_version_are_collected(tmp_path):
    store = Store(tmp_path)
    with store.draft() as draft:
        store.publish(draft, "a" * 64, ())
    store.close()
    (record,) = tmp_path.glob("layers/*/meta.json")
    record.write_text('{"format": 1}')
    Store(tmp_path).close()
    assert not list((tmp_path / "layers").iterdir())
