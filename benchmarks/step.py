"""What a step costs over the command that it runs, beside runc and Docker where they are installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.measure import Measure, middle
from benchmarks.report import Row, Section
from builder.core.blobs import Blobs
from builder.core.digests import sha256_bytes
from builder.core.events import discard
from builder.execute.choose import open_engine
from builder.model.entry import Entry, Kind
from builder.model.operation import Exec

BUSYBOX = Path("/usr/bin/busybox")
GOAL = 0.040
PER_ROUND = 20
BARE = "`true` alone"
SANDBOX = "**wslimg**, one step that runs `true`"


def run(rounds: int, scratch: Path) -> Section:
    """Every contender PER_ROUND times a round, in alternation."""
    found: dict[str, list[Measure]] = {}
    with closing(open_engine("sandbox", scratch / "cache", Blobs(scratch / "blobs"))) as engine:
        base = engine.base("0" * 64, lambda: [_folder(b"bin"), _program(b"bin/true"), _folder(b"etc")])

        def step() -> None:
            key = sha256_bytes(os.urandom(32))
            engine.run(base, key, Exec(argv=("true",), env=(("PATH", "/bin"),)), discard)

        contenders = {SANDBOX: step, BARE: lambda: _execute([str(BUSYBOX), "true"]), **_others(scratch)}
        for _ in range(rounds * PER_ROUND):
            for title, act in contenders.items():
                found.setdefault(title, []).append(_measure(act))
    rows = {title: middle(each) for title, each in found.items()}
    over = rows[SANDBOX].wall - rows[BARE].wall
    print(
        f"a step costs {over * 1000:.1f} ms over its command, at most {GOAL * 1000:.0f} are wanted",
        flush=True,
    )
    return Section(
        name="step",
        title="One step",
        intro=f"The median of {rounds * PER_ROUND} rounds. A step costs {over * 1000:.1f} ms over its "
        "command: namespaces, an overlay, the command, and the new layer in the store.",
        rows=tuple(Row(title=title, measure=row, base=rows[SANDBOX]) for title, row in rows.items()),
    )


def _measure(act: Callable[[], None]) -> Measure:
    before, start = getrusage(RUSAGE_CHILDREN), time.perf_counter()
    act()
    wall, after = time.perf_counter() - start, getrusage(RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measure(wall=wall, cpu=cpu, memory=0, size=0)


def _execute(words: list[str]) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _folder(path: bytes) -> Entry:
    return Entry(path, Kind.DIRECTORY, 0o755)


def _program(path: bytes) -> Entry:
    size = BUSYBOX.stat().st_size
    return Entry(path, Kind.FILE, 0o755, size=size, open=lambda: os.open(BUSYBOX, os.O_RDONLY))


def _others(scratch: Path) -> dict[str, Callable[[], None]]:
    """What else is installed and works."""
    found: dict[str, Callable[[], None]] = {}
    if shutil.which("runc"):
        bundle = _make_bundle(scratch / "bundle")
        found["`runc run`, the tree as it is"] = lambda: _execute(
            ["runc", "run", "--bundle", str(bundle), "step"]
        )
    if _import_into_docker():
        found["`docker run --rm --network none`"] = lambda: _execute(
            ["docker", "run", "--rm", "--network", "none", "wslimg-benchmark", "/bin/true"]
        )
    return found


def _make_bundle(folder: Path) -> Path:
    (folder / "rootfs/bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, folder / "rootfs/bin/true")
    subprocess.run(["runc", "spec", "--bundle", folder], check=True)
    configuration = json.loads((folder / "config.json").read_text())
    configuration["process"].update(terminal=False, args=["/bin/true"])
    (folder / "config.json").write_text(json.dumps(configuration))
    return folder


def _import_into_docker() -> bool:
    """Whether a Docker daemon answers and has the same tree now."""
    if (
        not shutil.which("docker")
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        return False
    pack = f"tar -C / --transform 's,.*,bin/true,' -cP {BUSYBOX} | docker import - wslimg-benchmark"
    return subprocess.run(pack, shell=True, capture_output=True, check=False).returncode == 0
