"""Installed packages, read from the databases that package managers keep in the image."""

from __future__ import annotations

from collections.abc import Iterator

from builder.model.manifest import InventoryPackage

DPKG_STATUS = b"var/lib/dpkg/status"


def read_dpkg_status(data: bytes) -> tuple[InventoryPackage, ...]:
    """What dpkg's status file says is installed, sorted by name and architecture (deb-control(5))."""
    found = [_package(fields) for fields in _stanzas(data) if fields.get("Status", "").endswith(" installed")]
    return tuple(sorted(found, key=lambda package: (package.name, package.architecture)))


def _package(fields: dict[str, str]) -> InventoryPackage:
    return InventoryPackage(
        name=fields["Package"],
        version=fields.get("Version", ""),
        architecture=fields.get("Architecture", ""),
        source=fields.get("Source", fields["Package"]).split(" ")[0],
    )


def _stanzas(data: bytes) -> Iterator[dict[str, str]]:
    """Each stanza's one-line fields; continuation lines start with a blank and are left out."""
    for stanza in data.decode("utf-8", "replace").split("\n\n"):
        lines = [line for line in stanza.split("\n") if line and not line.startswith((" ", "\t"))]
        fields = dict(line.split(": ", 1) for line in lines if ": " in line)
        if "Package" in fields:
            yield fields
