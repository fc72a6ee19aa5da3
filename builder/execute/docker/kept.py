"""What an engine keeps of builds, and taking it away again.

Only what this package makes is looked at, by more than its labels: images and containers that somebody makes
of a layer have the labels of the layer, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from docker.errors import APIError, NotFound

from builder.core.errors import ExecuteError
from builder.execute.docker.connect import EngineClient, explained
from builder.execute.docker.container import NAME, VOLUME
from builder.execute.docker.image import DOCKERFILE, FAILED, LABEL, LAYERS, STEP

_VOLUME = re.compile(f"{VOLUME}[0-9a-f]{{16}}")
_IN_USE = 409
_HOSTS = ("", "localhost/", "docker.io/")  # Podman puts these before the names of loaded and committed images


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Things of one kind: `names` are what the engine knows them by, `size` is in bytes."""

    kind: str
    names: tuple[str, ...]
    size: int


def list_kept(client: EngineClient) -> tuple[Kept, ...]:
    """What the engine of `client` keeps of builds, containers first. Raises ExecuteError."""
    api: Any = client.api  # its stubs lack half of the types
    with explained(client.address.url):
        images = tuple(_images(api))
        volumes = tuple(_volumes(api))
        return (
            Kept(kind="containers", names=tuple(_containers(api)), size=0),
            Kept(kind="layers", names=images, size=sum(_measure_images(api, images))),
            Kept(kind="step caches", names=volumes, size=_measure_volumes(api, volumes) if volumes else 0),
        )


def remove_kept(client: EngineClient, kept: tuple[Kept, ...]) -> None:
    """Take away what `list_kept` found, but what somebody uses. Raises ExecuteError, above all where a build
    is running a command at this moment."""
    api: Any = client.api
    containers, images, volumes = (each.names for each in kept)
    with explained(client.address.url):
        if running := [name for name in containers if api.inspect_container(name)["State"]["Running"]]:
            raise ExecuteError(
                f"a build is running a command there ({running[0][:12]})",
                where=client.address.url,
                fix="wait for its end, or `docker kill` it if nobody does",
            )
        for remove, names in (
            (partial(api.remove_container, v=True), containers),
            (api.remove_image, images),
            (api.remove_volume, volumes),
        ):
            for name in names:
                with _leaving_used():
                    remove(name)


@contextmanager
def _leaving_used() -> Iterator[None]:
    """It is no error that something is gone already, or that it is used by what is not ours."""
    try:
        yield
    except APIError as error:
        if not isinstance(error, NotFound) and error.status_code != _IN_USE:
            raise


def _containers(api: Any) -> Iterator[str]:
    for found in api.containers(all=True, filters={"label": f"{LABEL}={STEP}"}):
        if any(name.startswith(f"/{NAME}") for name in found["Names"]):
            yield found["Id"]


def _images(api: Any) -> Iterator[str]:
    """The tags of layers and failed trees, and the ids of what was built of Dockerfiles and has no name."""
    for found in api.images(all=True, filters={"label": f"{LABEL}.key"}):
        key = found["Labels"][f"{LABEL}.key"]
        own = {f"{host}{repository}:{key}" for host in _HOSTS for repository in (LAYERS, FAILED)}
        yield from (tag for tag in found["RepoTags"] or () if tag in own)
    for found in api.images(filters={"label": f"{LABEL}={DOCKERFILE}", "dangling": True}):
        yield found["Id"]


def _volumes(api: Any) -> Iterator[str]:
    """By their names alone: Podman gives them no labels."""
    for found in api.volumes()["Volumes"] or ():
        if _VOLUME.fullmatch(found["Name"]):
            yield found["Name"]


def _measure_images(api: Any, names: tuple[str, ...]) -> Iterator[int]:
    """What each adds to the one that it was made of."""
    for name in names:
        with suppress(NotFound):
            yield int(api.history(name)[0]["Size"])


def _measure_volumes(api: Any, names: tuple[str, ...]) -> int:
    found = api.df()["Volumes"] or ()
    sizes = [(each.get("UsageData") or {}).get("Size", 0) for each in found if each["Name"] in names]
    return sum(max(0, size) for size in sizes)
