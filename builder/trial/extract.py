"""Extracts an image as WSL does: with bsdtar where it is installed, else with our own reader of archives.

Both are asked for their verdict, and bsdtar's counts. A difference is worth telling: ours is a model of one
bsdtar, and WSL's may be another.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builder.extraction.archive import Extracted, extract_to, judge_archive
from builder.extraction.extraction import Extraction
from builder.extraction.names import show
from builder.sandbox.rootfs import in_user_namespace
from builder.trial.report import StageLog

WSL2_ARGUMENTS = ("-x", "-p", "--xattrs", "--numeric-owner", "-f", "-")
"""microsoft/WSL src/linux/init/main.cpp:ImportFromSocket."""
WSL1_ARGUMENTS = ("-x", "-p", "--xattrs", "--no-acls", "-f", "-")
"""microsoft/WSL src/windows/service/exe/LxssUserSession.cpp."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why WSL aborts the import, and the check that tells the same, "" where none does."""

    message: str
    rule: str


def extract_image(image: Path, tree: Path, log: StageLog, *, wsl1: bool) -> Refusal | None:
    """Extract `image` into the empty folder `tree`; why WSL would refuse it, None if it would not."""
    extraction = Extraction(utf8=not wsl1, acls=not wsl1)
    bsdtar = shutil.which("bsdtar")
    if bsdtar is None:
        return _extract_alone(image, tree, extraction, log)
    with _started(bsdtar, image, tree, wsl1=wsl1) as (process, complaints):
        ours = judge_archive(image, extraction)
        status = process.wait()
        complaint = _last_lines(complaints) or f"bsdtar ended with {status}"
    log.fact("extracted by", _version(bsdtar))
    return _compare(status, complaint, ours, log)


def _extract_alone(image: Path, tree: Path, extraction: Extraction, log: StageLog) -> Refusal | None:
    log.fact("extracted by", "wslimg's model of bsdtar, which is not installed")
    ours = extract_to(image, tree, extraction)
    for left_out in ours.unwritten[:10]:
        log.inform(f"cannot be written here: {left_out.reason}", path="/" + show(left_out.path))
    if len(ours.unwritten) > 10:
        log.inform(f"and {len(ours.unwritten) - 10} more cannot be written here")
    return Refusal(message="\n".join(ours.complaints), rule=ours.rule) if ours.refused else None


def _compare(status: int, complaint: str, ours: Extracted, log: StageLog) -> Refusal | None:
    """The verdict, and what is to be said where bsdtar and our model of it do not agree."""
    if status == 0:
        if ours.refused:
            log.inform(f"this bsdtar takes it, wslimg's model of it refuses it: {ours.complaints[0]}")
        return None
    if not ours.refused and in_user_namespace():
        log.inform(f"an ordinary user cannot extract all of it, WSL can: {complaint}")
        return None
    if not ours.refused:
        log.inform("wslimg's model of bsdtar takes it, this bsdtar refuses it")
    return Refusal(message=complaint, rule=ours.rule)


@contextmanager
def _started(
    bsdtar: str, image: Path, tree: Path, *, wsl1: bool
) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
    """bsdtar under way, and the file that takes its complaints; it ends with the block."""
    words = [bsdtar, "-C", str(tree), *(WSL1_ARGUMENTS if wsl1 else WSL2_ARGUMENTS)]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C" if wsl1 else "C.UTF-8"}
    with image.open("rb") as source, tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            words, stdin=source, stdout=subprocess.DEVNULL, stderr=complaints, env=environment, umask=0o022
        )
        with process:
            try:
                yield process, complaints
            finally:
                if process.poll() is None:
                    process.kill()


def _version(bsdtar: str) -> str:
    return (
        subprocess.run([bsdtar, "--version"], capture_output=True, text=True).stdout.split(" - ")[0].strip()
    )


def _last_lines(file: BinaryIO) -> str:
    file.seek(0)
    return "\n".join(file.read().decode(errors="replace").splitlines()[-10:])
