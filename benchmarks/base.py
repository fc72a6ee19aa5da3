"""Makes the base of a minimal Debian and nothing more: `python -m benchmarks.base MIRROR CACHE SUITE`."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from builder.core.blobs import Blobs
from builder.core.events import discard
from builder.execute.choose import open_engine
from builder.model.operation import Exec
from builder.sources.bootstrap import Bootstrap
from builder.sources.source import Supply
from builder.sources.table import kind_of


def main(mirror: str, cache: Path, suite: str) -> None:
    """Resolve, download, unpack and configure."""
    source = Bootstrap(suite=suite, mirror=mirror)
    kind, blobs = kind_of(source), Blobs(cache / "blobs")
    supply = Supply(blobs=blobs)
    lock = kind.resolve(source, "amd64", (), supply, {})
    with closing(open_engine("sandbox", cache, blobs)) as engine:
        kind.fetch(source, lock, supply)
        base = engine.base("0" * 64, lambda: kind.entries(lock.source, "amd64", blobs))
        for number, operation in enumerate(kind.operations(lock.source, "amd64"), start=1):
            assert isinstance(operation, Exec)
            base = engine.run(base, str(number) * 64, operation, discard)


main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
