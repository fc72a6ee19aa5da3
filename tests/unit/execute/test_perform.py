"""Plans on an engine that keeps trees as dicts of path to bytes."""

from __future__ import annotations

import pytest

from builder.core.errors import ExecuteError, UsageError
from builder.core.events import Step, discard
from builder.execute.choose import open_engine
from builder.execute.engine import Layer, StepFailedError
from builder.execute.perform import perform_plan
from builder.model.entry import Kind
from builder.model.operation import Content, Edit, Exec, Put, PutEntry, Remove
from builder.model.plan import Plan, PlannedBase, PlannedOperation


class DictEngine:
    name = "dict"

    def __init__(self):
        self.trees = {}
        self.calls = []

    def _add(self, chain, key, tree):
        self.calls.append(key)
        self.trees[key] = tree
        return Layer(chain=(*chain, key))

    def layer(self, key):
        return Layer(chain=(key,)) if key in self.trees else None

    def base(self, key, entries):
        return self._add((), key, dict(entries()))

    def put(self, parent, key, entries):
        tree = {entry.path: (entry.content.data, entry.mode, entry.uid) for entry in entries}
        return self._add(parent.chain, key, {**self.trees[parent.key], **tree})

    def remove(self, parent, key, remove):
        raise ExecuteError("cannot be removed", where="/x")

    def run(self, parent, key, exec_, sink):
        if exec_.argv == ("false",):
            raise StepFailedError("ended with status 4; its last lines:\n  | oops", exit_status=4)
        return self._add(parent.chain, key, self.trees[parent.key])

    def read(self, layer, path):
        return self.trees[layer.key].get(path)


def plan(*operations):
    planned = [
        PlannedOperation(
            key=f"k{index}",
            parent="",
            title=f"step {index}",
            place=f"r.yaml:{index}:3",
            step=index,
            operation=each,
        )
        for index, each in enumerate(operations, 1)
    ]
    base = PlannedBase(key="k0", title="base", inputs=())
    return Plan(name="n", version="1", architecture="amd64", time=0, base=base, operations=tuple(planned))


def perform(plan, engine, sink=discard):
    editors = {"append": lambda old, arguments: (old or b"") + arguments[0].encode()}
    return perform_plan(plan, engine, lambda: [("/etc/hosts", b"one\n")], sink, editors=editors)


def test_only_what_is_missing_is_performed_and_the_rest_reported_as_cached():
    engine, events = DictEngine(), []
    two = Exec(argv=("true",)), Exec(argv=("true",))
    perform(plan(two[0]), engine)
    layer = perform(plan(*two), engine, events.append)
    assert (engine.calls, layer.key) == (["k0", "k1", "k2"], "k2")
    assert [(event.index, event.count, event.state) for event in events if isinstance(event, Step)] == [
        (1, 3, "cached"),
        (2, 3, "cached"),
        (3, 3, "running"),
        (3, 3, "done"),
    ]


def test_a_second_build_runs_nothing():
    engine = DictEngine()
    perform(plan(Exec(argv=("true",))), engine)
    engine.calls.clear()
    assert perform(plan(Exec(argv=("true",))), engine).key == "k1"
    assert engine.calls == []


def test_edits_see_the_tree_the_entries_and_each_other():
    engine = DictEngine()
    fresh = PutEntry(
        path="/new", kind=Kind.FILE, mode=0o600, uid=5, content=Content(digest="", size=1, data=b"n")
    )
    edits = [
        Edit(path="/etc/hosts", editor="append", arguments=("two\n",)),
        Edit(path="/etc/hosts", editor="append", arguments=("three\n",)),
        Edit(path="/new", editor="append", arguments=("!",)),
        Edit(path="/made", editor="append", arguments=("made",), mode=0o640, uid=7),
    ]
    layer = perform(plan(Put(entries=(fresh,), edits=tuple(edits))), engine)
    tree = engine.trees[layer.key]
    assert tree["/etc/hosts"] == (b"one\ntwo\nthree\n", None, 0)
    assert tree["/new"] == (b"n!", 0o600, 5)
    assert tree["/made"] == (b"made", 0o640, 7)


def test_a_failing_step_names_place_title_status_and_last_lines():
    with pytest.raises(StepFailedError) as caught:
        perform(plan(Exec(argv=("true",)), Exec(argv=("false",))), DictEngine())
    assert str(caught.value) == "r.yaml:2:3: step 2: ended with status 4; its last lines:\n  | oops"
    assert caught.value.exit_status == 4


def test_another_failure_names_place_and_title_too():
    with pytest.raises(ExecuteError, match=r"r\.yaml:1:3: step 1: /x: cannot be removed"):
        perform(plan(Remove(patterns=("/x",))), DictEngine())


def test_an_engine_that_there_is_not_is_named_with_those_there_are(tmp_path):
    with pytest.raises(UsageError, match="there is no engine 'lxc', only sandbox, docker, none"):
        open_engine("lxc", tmp_path, None)


def test_without_commands_no_engine_is_probed_or_needed(tmp_path):
    quiet = plan(Put(), Remove(patterns=("/x",)))
    assert open_engine("auto", tmp_path, None, plan=quiet).name == "none"


def test_none_is_refused_with_the_steps_that_need_commands(tmp_path):
    with pytest.raises(UsageError) as caught:
        open_engine("none", tmp_path, None, plan=plan(Put(), Exec(argv=("true",)), Exec(argv=("false",))))
    assert str(caught.value) == (
        "--engine none runs no commands, but the recipe needs them for:\n"
        "  r.yaml:2:3: step 2\n"
        "  r.yaml:3:3: step 3\n"
        "  fix: leave out --engine, or these steps"
    )
