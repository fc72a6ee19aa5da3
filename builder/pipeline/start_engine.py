"""Starts the engine that the command line asks for."""

from __future__ import annotations

from builder.core.events import Note, Sink
from builder.execute.choose import open_engine
from builder.execute.engine import Engine
from builder.pipeline.prepare import BuildOptions, Prepared

_WARNING = (
    "--isolation=chroot: steps see the processes of this machine, may have its network, and no overlay keeps "
    "their changes apart; build only what you trust (docs/how-to/rootless.md)"
)


def start_engine(prepared: Prepared, options: BuildOptions, sink: Sink) -> Engine:
    """The engine for `prepared`; says so where it hardly isolates. Raises UsageError, ExecuteError."""
    if options.isolation == "chroot":
        sink(Note(message=_WARNING, level="warning"))
    return open_engine(options.engine, options.cache, prepared.supply.blobs, isolation=options.isolation)
