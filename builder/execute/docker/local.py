"""The images that the engine has anyway, as opposed to those of layers."""

from __future__ import annotations

import json
from typing import Any

from docker.errors import NotFound

from builder.model.images import LocalImage


def find_local_image(api: Any, reference: str) -> LocalImage | None:
    """The image that the engine knows by the name or id `reference`. Raises APIError."""
    try:
        found: dict[str, Any] = api.inspect_image(reference)
    except NotFound:
        return None
    configuration = {
        "architecture": found.get("Architecture"),
        "variant": found.get("Variant"),
        "os": found.get("Os"),
        "created": found.get("Created"),
        "config": found.get("Config"),
        "rootfs": {"type": "layers", "diff_ids": (found.get("RootFS") or {}).get("Layers") or []},
    }
    return LocalImage(
        id=found["Id"].removeprefix("sha256:"), configuration=json.dumps(configuration).encode()
    )


def is_podman(version: dict[str, Any]) -> bool:
    """Whether the engine, which says `version` of itself, is Podman."""
    return "Podman Engine" in {str(each.get("Name", "")) for each in version.get("Components") or ()}
