"""Starts the engine that the command line asks for."""

from __future__ import annotations

from builder.core.errors import UsageError
from builder.core.events import Note, Sink
from builder.execute.choose import open_engine
from builder.execute.engine import Engine
from builder.pipeline.prepare import BuildOptions, Prepared

_WARNING = (
    "--isolation=chroot: steps see the processes of this machine, may have its network, and no overlay keeps "
    "their changes apart; build only what you trust (docs/how-to/rootless.md)"
)


def start_engine(prepared: Prepared, options: BuildOptions, sink: Sink, *, for_shell: bool = False) -> Engine:
    """The engine for the plan of `prepared`, or for a shell in what that left; says so where it hardly
    isolates. Raises UsageError, ExecuteError."""
    if for_shell and options.engine == "none":
        raise UsageError("--engine none can open no shell", fix="leave out --engine")
    if options.isolation == "chroot":
        sink(Note(message=_WARNING, level="warning"))
    return open_engine(
        options.engine,
        options.cache,
        prepared.supply.blobs,
        plan=None if for_shell else prepared.plan,
        isolation=options.isolation,
    )
