"""What the sandbox promises beyond the protocol: builds that share work, and builds that are killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.core.blobs import Blobs
from builder.execute.sandbox import SandboxEngine
from builder.execute.store import Store

pytestmark = pytest.mark.system

# Processes of these tests sleep for a time that nobody else does.
SLEEP = f"{os.getpid()}98"

# A build of one step, as a process of its own: python -c STEP CACHE BASE KEY SCRIPT
STEP = """
import sys
from pathlib import Path
from builder.core.blobs import Blobs
from builder.execute.engine import Layer
from builder.execute.sandbox import SandboxEngine
from builder.model.operation import Exec
cache, base, key, script = sys.argv[1:]
engine = SandboxEngine(Path(cache), Blobs(Path(cache, "blobs")))
exec_ = Exec(argv=("sh", "-ec", script), env=(("PATH", "/bin"),), caches=("/shared",))
engine.run(Layer(chain=(base,)), key, exec_, lambda event: print(event.data.decode(), end="", flush=True))
engine.close()
"""


def _build(bench, cache, key, script):
    words = [sys.executable, "-c", STEP, cache, bench.base.key, key, script]
    return subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)


@pytest.fixture
def own_cache(bench, tmp_path):
    """A cache with the base alone."""
    shutil.copytree(bench.cache, tmp_path / "cache", symlinks=True, ignore=_ignore_all_but(bench.base.key))
    return tmp_path / "cache"


def _ignore_all_but(key):
    def ignore(folder, names):
        if Path(folder).name == "layers":
            return [name for name in names if name != key[:32]]
        return [name for name in names if name in {"fifo", "failed", "locks", "caches"}]

    return ignore


def test_two_builds_of_one_key_do_the_work_once(bench, own_cache):
    key = bench.key()
    script = "echo worked; sleep 0.5; echo x >> /shared/runs; cat /shared/runs > /result"
    builds = [_build(bench, own_cache, key, script) for _ in range(2)]
    outputs = sorted(build.communicate(timeout=30)[0] for build in builds)
    assert [build.returncode for build in builds] == [0, 0]
    assert outputs == [b"", b"worked\n"]
    assert (own_cache / "caches" / "%2Fshared" / "runs").read_text() == "x\n"


def test_a_killed_build_leaves_nothing_and_the_next_one_succeeds(bench, own_cache):
    key = bench.key()
    build = _build(bench, own_cache, key, f"(setsid sleep {SLEEP}1 &); echo started; sleep {SLEEP}2")
    assert build.stdout.readline() == b"started\n"
    launcher = _child_of(build.pid)
    os.kill(build.pid, signal.SIGKILL)
    build.communicate()
    _wait_until(lambda: not _processes(SLEEP))
    _wait_until(lambda: not _command(launcher))
    assert str(own_cache) not in Path("/proc/self/mountinfo").read_text()
    assert list((own_cache / "layers").glob(".*.part")) != []
    Store(own_cache).close()
    assert list((own_cache / "layers").glob(".*.part")) == []
    with _build(bench, own_cache, key, "true") as build:
        assert build.wait() == 0


def test_a_killed_launcher_takes_the_container_along_and_is_an_error(bench, own_cache):
    build = _build(bench, own_cache, bench.key(), f"(setsid sleep {SLEEP}3 &); echo started; sleep {SLEEP}4")
    build.stdout.readline()
    os.kill(_child_of(build.pid), signal.SIGKILL)
    build.communicate(timeout=10)
    assert build.returncode != 0
    _wait_until(lambda: not _processes(SLEEP))


def test_interrupting_a_build_ends_its_command(bench, own_cache):
    build = _build(
        bench, own_cache, bench.key(), f"trap '' INT TERM; echo started; sleep {SLEEP}5; sleep {SLEEP}6"
    )
    build.stdout.readline()
    os.kill(build.pid, signal.SIGINT)
    build.communicate(timeout=10)
    assert not _processes(SLEEP)
    assert list((own_cache / "layers").glob(".*.part")) == []


def test_an_engine_can_be_opened_twice_in_one_process(bench):
    second = SandboxEngine(bench.cache, Blobs(bench.cache / "blobs"))
    assert second.layer(bench.base.key) == bench.base
    second.store.close()
    assert bench.engine.layer(bench.base.key) == bench.base


def test_a_layer_in_use_is_not_pruned_and_one_that_is_not_goes_oldest_first(bench, own_cache):
    user, other = Store(own_cache), Store(own_cache)
    assert user.find(bench.base.key)
    assert other.prune(0) == 0
    user.close()
    assert other.prune(0) > 1_000_000
    assert other.find(bench.base.key) is None
    other.close()


def _processes(words):
    return [
        name
        for name in os.listdir("/proc")
        if name.isdecimal() and _command(name).startswith(f"sleep\0{words}".encode())
    ]


def _command(process):
    """Its words; nothing for one that is gone or waits to be reaped."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _child_of(pid):
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _wait_until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
