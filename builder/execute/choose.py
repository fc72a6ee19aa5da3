"""Which engine runs the operations: a table of them, and the choice where none is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from builder.core.blobs import Blobs
from builder.core.errors import ExecuteError, UsageError
from builder.execute.engine import Engine, ImageEngine, Probe
from builder.execute.none import NoEngine
from builder.execute.probe import probe_sandbox
from builder.execute.sandbox import SandboxEngine
from builder.model.plan import Plan
from builder.sandbox.userns import enter_user_namespace


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineRow:
    """One engine: `probe` finds out on the file system of the cache whether it works, `open` starts it. That
    it works is known because of `proof`."""

    name: str
    proof: str
    probe: Callable[[Path], Probe]
    open: Callable[[Path, Blobs], Engine]


def _open_sandbox(cache: Path, blobs: Blobs, isolation: str = "namespaces") -> Engine:
    if isolation == "chroot" and os.geteuid() != 0:
        raise UsageError("--isolation=chroot needs root", fix="build as root, or leave the option out")
    enter_user_namespace()
    return SandboxEngine(cache, blobs, isolation=isolation)


def _probe_docker(cache: Path) -> Probe:
    from builder.execute.docker.connect import probe_docker  # the package takes long to load

    return probe_docker(cache)


def _open_docker(cache: Path, blobs: Blobs) -> ImageEngine:
    from builder.execute.docker.engine import open_docker

    return open_docker(cache, blobs)


# In the order in which `auto` tries them, unless DOCKER_HOST asks for Docker.
ENGINES = (
    EngineRow(name="sandbox", proof="ran a command", probe=probe_sandbox, open=_open_sandbox),
    EngineRow(name="docker", proof="answers", probe=_probe_docker, open=_open_docker),
)


def open_engine(
    name: str, cache: Path, blobs: Blobs, *, plan: Plan | None = None, isolation: str = "namespaces"
) -> Engine:
    """The engine `name` for `plan` (None: for whatever comes), its layers below `cache`.

    "auto" is none where `plan` has no commands, and else the first that works. `isolation` "chroot" is the
    sandbox without namespaces, which only root can have.

    As an ordinary user the whole process enters a user namespace for the sandbox, for which it must have a
    single thread. Raises UsageError for a name that is not in the table, or if `plan` has commands and the
    name is "none", and ExecuteError with the reason of each where none works.
    """
    cache.mkdir(parents=True, exist_ok=True)
    if isolation == "chroot":
        if name not in ("auto", "sandbox"):
            raise UsageError(
                f"--isolation=chroot is for the sandbox, not for {name}", fix="leave out --engine"
            )
        return _open_sandbox(cache, blobs, isolation)
    if name == "none" or (name == "auto" and plan is not None and not plan.commands):
        return _open_none(blobs, plan)
    if name == "auto":
        return _first_that_works(cache).open(cache, blobs)
    row = next((row for row in ENGINES if row.name == name), None)
    if row is None:
        known = ", ".join([*(row.name for row in ENGINES), "none"])
        raise UsageError(f"there is no engine {name!r}, only {known}", fix="leave out --engine")
    return row.open(cache, blobs)


def open_image_engine(cache: Path, blobs: Blobs) -> ImageEngine:
    """The container engine that has images and builds Dockerfiles, whatever runs the steps. Raises
    ExecuteError with the reason where none answers."""
    cache.mkdir(parents=True, exist_ok=True)
    probe = _probe_docker(cache)
    if not probe.ok:
        raise ExecuteError(f"this needs a container engine, and none answers: {probe.reason}", fix=probe.fix)
    return _open_docker(cache, blobs)


def _open_none(blobs: Blobs, plan: Plan | None) -> Engine:
    if plan is not None and plan.commands:
        named = "".join(f"\n  {each.place or 'implied'}: {each.title}" for each in plan.commands)
        raise UsageError(
            f"--engine none runs no commands, but the recipe needs them for:{named}",
            fix="leave out --engine, or these steps",
        )
    return NoEngine(blobs)


def _first_that_works(cache: Path) -> EngineRow:
    failures = []
    asked = bool(os.environ.get("DOCKER_HOST"))
    for row in sorted(ENGINES, key=lambda row: row.name != "docker") if asked else ENGINES:
        probe = row.probe(cache)
        if probe.ok:
            return row
        failures.append(f"{row.name}: {probe.reason} (fix: {probe.fix})")
    raise ExecuteError("no engine works here:\n" + "\n".join(f"  {line}" for line in failures))
