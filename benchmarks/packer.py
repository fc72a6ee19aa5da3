"""`python -m benchmarks.packer TREE OUTPUT [NAME=VALUE ...]`: the packer as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from builder.core.interpreter import tune_interpreter
from builder.pack.bare import bare_files
from builder.pack.cache import SegmentCache
from builder.pack.image import pack_tree
from builder.pack.settings import PackSettings, Preset
from builder.pack.source_dir import read_directory


def main(tree: str, output: str, *options: str) -> None:
    """Options: cache=FOLDER, trust=1, key=TREE_KEY, preset=NAME, digest=1, threads=N, single=1."""
    tune_interpreter()
    given = dict(option.split("=", 1) for option in options)
    settings = PackSettings(
        time=2**33,
        preset=Preset(given.get("preset", "default")),
        single_member="single" in given,
        threads=int(given.get("threads", "0")),
        tree_key=given.get("key", ""),
        tar_digest="digest" in given,
    )
    cache = SegmentCache(Path(given["cache"])) if "cache" in given else None
    memory = bare_files(cache.folder, Path(tree)) if cache else None
    entries = read_directory(Path(tree), trust_mtime="trust" in given, memory=memory)
    result = pack_tree(entries, Path(output), settings, cache=cache)
    print(result.sha256, f"{result.reused}/{result.segments}")


if __name__ == "__main__":
    main(*sys.argv[1:])
