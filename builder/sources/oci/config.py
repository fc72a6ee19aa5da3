"""An image's configuration: what it is for, when it was made, its diff ids, what its containers get."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from builder.core.errors import ResolveError
from builder.model.lock import ImageConfig
from builder.sources.oci.manifest import Platform, read_json
from builder.sources.oci.reference import read_digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """`created` is in seconds since the epoch, 0 where the image does not tell or hides it. `diff_ids` are
    the digests of the unfolded layers, the lowest first."""

    platform: Platform
    created: int
    diff_ids: tuple[str, ...]
    settings: ImageConfig


def parse_configuration(data: bytes, where: str) -> Configuration:
    """The configuration in `data` (image-spec config.md; Docker's has the same keys). Raises ResolveError."""
    document = read_json(data, where)
    rootfs = document.get("rootfs")
    if not isinstance(rootfs, dict) or not isinstance(rootfs.get("diff_ids"), list):
        raise ResolveError("is no configuration of an image: it has no rootfs.diff_ids", where=where)
    settings = document.get("config")
    return Configuration(
        platform=Platform(
            os=str(document.get("os") or "linux"),
            architecture=str(document.get("architecture") or ""),
            variant=str(document.get("variant") or ""),
        ),
        created=_read_time(document.get("created")),
        diff_ids=tuple(read_digest(item, where=where) for item in rootfs["diff_ids"]),
        settings=_read_settings(settings if isinstance(settings, dict) else {}),
    )


def check_platform(found: Platform, wanted: Platform, where: str) -> None:
    """Raises ResolveError unless the image is for the system and architecture that are wanted."""
    if (found.os, found.architecture) != (wanted.os, wanted.architecture):
        raise ResolveError(
            f"is an image for {found}, expected one for {wanted}",
            where=where,
            fix="choose another image, or another architecture",
        )


def _read_settings(config: dict[str, Any]) -> ImageConfig:
    healthcheck = config.get("Healthcheck")
    return ImageConfig(
        env=_texts(config.get("Env")),
        user=_text(config.get("User") or ""),
        working_dir=_text(config.get("WorkingDir") or ""),
        shell=_texts(config.get("Shell")),
        entrypoint=_texts(config.get("Entrypoint")),
        command=_texts(config.get("Cmd")),
        volumes=_names(config.get("Volumes")),
        ports=_names(config.get("ExposedPorts")),
        healthcheck=_texts(healthcheck.get("Test")) if isinstance(healthcheck, dict) else (),
    )


def _text(value: object) -> str:
    """JSON can hold halves of characters, which no file can."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (_text(value),)
    return tuple(map(_text, value)) if isinstance(value, list) else ()


def _names(value: object) -> tuple[str, ...]:
    return tuple(sorted(map(_text, value))) if isinstance(value, dict) else ()


def _read_time(value: object) -> int:
    """RFC 3339; a time before the epoch, or none that can be read, is none."""
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return 0
    return max(0, int(time.replace(tzinfo=time.tzinfo or UTC).timestamp()))
