"""A rebuild after one changed file is what a cold build gives, and judged as reading it back judges it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.check.options import CheckOptions
from builder.check.run import check_image
from builder.core.errors import CheckError
from builder.core.events import Event, Sink, StageFinished, discard
from builder.pipeline.build import BuildResult, build_image
from builder.pipeline.prepare import BuildOptions

pytestmark = pytest.mark.system

NOW = 1_800_000_000
RECIPE = """\
schema: 1
name: rebuilt
version: "1"
source: {directory: root}
steps:
  - overlay: overlay
first_run: {mode: none}
wsl: {systemd: false}
architectures: [amd64]
"""
OS_RELEASE = 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian"\nVERSION_CODENAME=trixie\n'


@pytest.fixture
def recipe(root: None, tmp_path: Path) -> Path:
    """Eight segments of noise, what WSL reads, and an overlay of one file."""
    tree = tmp_path / "root"
    for index in range(200):
        file = tree / f"opt/noise/{index:03}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(hashlib.shake_256(b"%d" % index).digest(40_000))
    for path, text in {
        "etc/os-release": OS_RELEASE,
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "etc/group": "root:x:0:\n",
        "bin/sh": "#!/bin/busybox sh\n",
        "usr/bin/windows": "#!/bin/sh\r\n",
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    (tree / "bin/sh").chmod(0o755)
    write_overlay(tmp_path, "first")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path / "recipe.yaml"


def write_overlay(folder: Path, text: str) -> None:
    (folder / "overlay/etc").mkdir(parents=True, exist_ok=True)
    (folder / "overlay/etc/motd").write_text(f"{text}\n")


def build(recipe: Path, sink: Sink = discard, **changes: object) -> BuildResult:
    options = BuildOptions(out=recipe.parent / "dist", cache=recipe.parent / "cache", clock=lambda: NOW)

    @contextlib.contextmanager
    def open_log(_: Path, logged: Sink) -> Iterator[Sink]:
        yield logged

    return build_image(recipe, replace(options, **changes), sink, open_log)


def test_a_rebuild_is_the_image_that_nothing_cached_gives_and_judged_alike(recipe: Path) -> None:
    build(recipe)
    write_overlay(recipe.parent, "second")
    details: dict[str, str] = {}

    def listen(event: Event) -> None:
        if isinstance(event, StageFinished):
            details[event.name] = event.detail

    rebuilt = build(recipe, listen, locked=True)
    found = re.search(r"(\d+) of (\d+) segments reused", details["pack"])
    assert found
    reused, segments = map(int, found.groups())
    assert segments - 2 <= reused < segments
    data = rebuilt.image.read_bytes()
    assert hashlib.sha256(data).hexdigest() == rebuilt.manifest.image.sha256
    assert hashlib.sha256(gzip.decompress(data)).hexdigest() == rebuilt.manifest.image.tar_sha256
    cold = build(recipe, locked=True, out=recipe.parent / "cold", cache=recipe.parent / "other")
    assert cold.image.read_bytes() == data
    assert cold.inventory_file.read_bytes() == rebuilt.inventory_file.read_bytes()
    read_back = check_image(rebuilt.image, CheckOptions(architecture="amd64", now=NOW))
    assert rebuilt.findings == cold.findings == read_back.findings
    assert "/usr/bin/windows" in {finding.path for finding in read_back.findings}


def test_a_rebuild_that_breaks_a_rule_is_not_kept(recipe: Path) -> None:
    before = build(recipe).image.read_bytes()
    (recipe.parent / "overlay/etc/wsl.conf").write_text("[user]\ndefault = nobody-here\n")
    (recipe.parent / "overlay/etc/passwd").write_text("no root\n")
    with pytest.raises(CheckError, match="fails its check and is not kept"):
        build(recipe, locked=True)
    (image,) = (recipe.parent / "dist").glob("*.wsl")
    assert image.read_bytes() == before
