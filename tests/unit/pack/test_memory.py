"""The memory that packing takes does not grow with the tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, re, sys
from pathlib import Path
from builder.model.entry import Entry, Kind
from builder.pack.image import pack_tree
from builder.pack.settings import PackSettings, Preset

def open_zeros():
    return os.open("/dev/zero", os.O_RDONLY)

def tree(files, megabytes):
    for index in range(files):
        yield Entry(b"f%07d" % index, Kind.FILE, 0o644, size=100, open=open_zeros)
    for index in range(megabytes // 25):
        yield Entry(b"z%07d" % index, Kind.FILE, 0o644, size=25 << 20, open=open_zeros)

settings = PackSettings(time=9, preset=Preset.FAST, threads=2)
pack_tree(tree(int(sys.argv[2]), int(sys.argv[3])), Path(sys.argv[1]), settings)
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def peak(output: Path, files: int, megabytes: int) -> int:
    """The largest resident size, in MiB; `ru_maxrss` would include that of the process that started it."""
    command = [sys.executable, "-c", PROGRAM, str(output), str(files), str(megabytes)]
    return int(subprocess.run(command, check=True, capture_output=True).stdout) // 1024


def test_it_is_the_same_for_ten_times_the_tree(tmp_path):
    small, large = peak(tmp_path / "o.wsl", 3_000, 25), peak(tmp_path / "o.wsl", 30_000, 250)
    assert large < 100
    assert large < small + 15


@pytest.mark.system
def test_four_gigabytes_stay_below_100_mib(tmp_path):
    assert peak(tmp_path / "o.wsl", 250_000, 4_000) < 100
