"""Rules about permissions, links and what is missing or too much in the root file system."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.extraction.names import show
from builder.model.entry import Kind
from builder.model.finding import Severity

_GUIDE = "https://learn.microsoft.com/windows/wsl/build-custom-distro"
_KERNEL = re.compile(r"/boot/(vmlinu[xz]|initrd|initramfs|System\.map|config-)[^/]*")


def _find_kernel(image: Image) -> Iterator[Hit]:
    for path, node in image.files("boot"):
        if _KERNEL.fullmatch(path):
            yield Hit(path, f"has {node.size} bytes")


def _find_loops(image: Image) -> Iterator[Hit]:
    for path, node in image.nodes:
        if node.kind is Kind.SYMLINK and image.tree.resolve(path) is None and image.tree.loops(path):
            yield Hit(f"/{show(path)}", f"leads back to itself by way of {show(node.target)}")


def _find_writable(image: Image) -> Iterator[Hit]:
    for path, node in image.nodes:
        if not node.mode & 0o002 or node.kind in (Kind.SYMLINK, Kind.CHAR, Kind.BLOCK, Kind.FIFO):
            continue
        if not (node.kind is Kind.DIRECTORY and node.mode & 0o1000):
            yield Hit(f"/{show(path)}", f"everybody can write it ({node.mode:04o})")


def _find_closed_tmp(image: Image) -> Iterator[Hit]:
    for path in ("tmp", "var/tmp"):
        node = image.find(path)
        if node is not None and not node.implied and node.mode != 0o1777:
            yield Hit(f"/{path}", f"is {node.mode:04o}, expected 1777")


def _find_no_certificates(image: Image) -> Iterator[Hit]:
    places = (
        "etc/ssl/certs/ca-certificates.crt",
        "etc/pki/tls/certs/ca-bundle.crt",
        "etc/ssl/ca-bundle.pem",
        "etc/ssl/cert.pem",
    )
    if image.find("bin/sh") and not any(image.find(place) for place in places):
        yield Hit("/etc/ssl/certs", "there are no CA certificates")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL412",
        severity=Severity.WARNING,
        title="A kernel is shipped",
        why="WSL never starts it",
        source=_GUIDE,
        fix="remove it",
        find=_find_kernel,
    ),
    Rule(
        id="WSL421",
        severity=Severity.WARNING,
        title="A symbolic link leads back to itself",
        why="whatever opens it fails with ELOOP",
        source="path_resolution(7)",
        fix="correct or remove it",
        find=_find_loops,
    ),
    Rule(
        id="WSL423",
        severity=Severity.WARNING,
        title="Everybody can write a file",
        why="any program of any user can change it",
        source="Filesystem Hierarchy Standard 3.0",
        fix="take the bit away: chmod o-w",
        find=_find_writable,
    ),
    Rule(
        id="WSL427",
        severity=Severity.WARNING,
        title="Users cannot use /tmp",
        why="programs of users fail",
        source="Filesystem Hierarchy Standard 3.0",
        fix="make it 1777",
        find=_find_closed_tmp,
    ),
    Rule(
        id="WSL428",
        severity=Severity.INFO,
        title="There are no CA certificates",
        why="HTTPS does not work",
        source="update-ca-certificates(8)",
        fix="install ca-certificates",
        find=_find_no_certificates,
    ),
)
