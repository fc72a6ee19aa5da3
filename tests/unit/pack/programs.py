"""The programs that read images, called as WSL and people call them.

Each reads an image from its standard input and extracts it into its working directory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WSL2 = ("bsdtar", "-x", "-p", "--xattrs", "--numeric-owner", "-f", "-")
WSL1 = ("bsdtar", "-x", "-p", "--xattrs", "--no-acls", "-f", "-")
GNU_TAR = ("tar", "--warning=no-timestamp", "-x", "-p", "--numeric-owner", "-f", "-")
XATTRS = ("--xattrs", "--xattrs-include=*")
BUSYBOX = ("busybox", "tar", "-x", "-z", "-p", "-f", "-")
SEVEN_ZIP = ("sh", "-ec", "7z x -si -so -tgzip >../image.tar && 7z x -ttar -snl -y -bd ../image.tar >&2")
SEVEN_ZIP_PIPE = ("sh", "-ec", "7z x -si -so -tgzip | 7z x -si -ttar -snl -y -bd >&2")
PYTHON = (
    sys.executable,
    "-c",
    "import sys, tarfile\n"
    "filters = {'filter': 'fully_trusted'} if hasattr(tarfile, 'fully_trusted_filter') else {}\n"
    "tarfile.open(fileobj=sys.stdin.buffer).extractall(**filters)",
)
ORDINARY_USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def extract(
    command: tuple[str, ...], image: Path, target: Path, *, locale: str = "C.UTF-8"
) -> subprocess.CompletedProcess[bytes]:
    """Run `command` on `image` in `target`, which is made if need be; the umask is the usual one."""
    target.mkdir(exist_ok=True)
    env = {"PATH": os.environ["PATH"], "LANG": locale}
    with image.open("rb") as stream:
        return subprocess.run(
            command, stdin=stream, cwd=target, env=env, umask=0o022, capture_output=True, check=False
        )
