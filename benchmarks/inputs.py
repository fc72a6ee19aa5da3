"""The trees that are packed: made once by mmdebstrap, kept below the user's cache folder."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wslimg-benchmarks"
SUITE = "trixie"


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A Debian tree: `variant` and `packages` are those of mmdebstrap; `copies` are those of LARGE."""

    name: str
    title: str
    variant: str
    packages: tuple[str, ...] = ()
    copies: int = 1

    @property
    def tree(self) -> Path:
        """Where the tree lies."""
        return FOLDER / self.name


SMALL = Input(name="small", title="a minimal Debian", variant="minbase")
LARGE = Input(
    name="large",
    title="Debian with compilers, Node.js, systemd, git, Python ...",
    variant="important",
    packages=(
        "build-essential",
        "cmake",
        "gdb",
        "git",
        "nodejs",
        "npm",
        "openssh-server",
        "python3",
        "systemd",
        "vim",
    ),
)
HUGE = Input(name="huge", title="the same four times", variant=LARGE.variant, copies=4)


def make(chosen: Input) -> Path:
    """The tree of `chosen`, made unless it is there."""
    if not chosen.tree.is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        part = chosen.tree.with_suffix(".part")
        subprocess.run(["rm", "-rf", part], check=True)
        if chosen.copies > 1:
            _copy(make(LARGE), part, chosen.copies)
        else:
            include = [f"--include={','.join(chosen.packages)}"] if chosen.packages else []
            command = ["mmdebstrap", f"--variant={chosen.variant}", *include, SUITE, str(part)]
            subprocess.run(command, check=True)
        part.rename(chosen.tree)
    return chosen.tree


def _copy(tree: Path, target: Path, copies: int) -> None:
    target.mkdir()
    for number in range(copies):
        subprocess.run(["cp", "-a", tree, target / str(number)], check=True)


def warm(tree: Path) -> tuple[int, int]:
    """Read the whole tree once, so that no contender pays for the disk; its (entries, bytes as a tar)."""
    size = subprocess.run(f"tar -cf - -C {tree} . | wc -c", shell=True, capture_output=True, check=True)
    count = sum(len(folders) + len(files) for _, folders, files in os.walk(tree))
    return count, int(size.stdout)
