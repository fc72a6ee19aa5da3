"""Has the engine build a Dockerfile: with BuildKit, or with the builder that it has instead.

Docker has had BuildKit since version 18.09; Podman builds with Buildah, which knows the same language but has
no way to hand a secret over that leaves no trace. `DOCKER_BUILDKIT=0` asks for Docker's old builder.

Sources: Docker's API, POST /build; moby builder/builder-next (the answers `moby.buildkit.trace` and
`moby.image.id`); podman pkg/api/handlers/compat/images_build.go.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

import docker

from builder.core.errors import ExecuteError
from builder.core.events import Output, Sink
from builder.execute.docker.archive import pack_layer
from builder.execute.docker.buildkit.session import CONTEXT, open_session
from builder.execute.docker.buildkit.trace import Trace
from builder.execute.tail import Tail
from builder.model.images import BuiltImage, ImageBuild

_BASE = re.compile(r"^step \d+(?:/\d+)? ?: from (?:--platform=\S+ +)?(\S+)", re.IGNORECASE | re.MULTILINE)
_DIGEST = re.compile(r"(.+)@sha256:([0-9a-f]{64})")


def build_image(
    api: docker.APIClient,
    build: ImageBuild,
    labels: Mapping[str, str],
    sink: Sink,
    *,
    buildkit: bool,
    where: str,
) -> BuiltImage:
    """Build `build` into an image that has `labels`. Raises ExecuteError, APIError."""
    tail = Tail(sink)
    if buildkit:
        return _build_with_buildkit(api, build, labels, tail)
    if build.secrets:
        raise ExecuteError(
            "the engine builds without BuildKit, and secrets would stay in the image",
            where=where,
            fix="build with Docker (DOCKER_HOST), without DOCKER_BUILDKIT=0, or use the secret in a step",
        )
    return _build_plainly(api, build, labels, tail)


def wants_buildkit(is_podman: bool, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether BuildKit is to be asked."""
    return not is_podman and environment.get("DOCKER_BUILDKIT") != "0"


def _build_with_buildkit(api: Any, build: ImageBuild, labels: Mapping[str, str], tail: Tail) -> BuiltImage:
    trace, image, error = Trace(tail), "", ""
    parameters = _parameters(build, labels) | {"version": "2", "remote": CONTEXT}
    with open_session(api, dict(build.secrets), lambda: pack_layer(build.context)) as session:
        for answer in _post(api, parameters | {"session": session}):
            match answer:
                case {"id": "moby.buildkit.trace", "aux": status}:
                    trace.read(b64decode(status))
                case {"id": "moby.image.id", "aux": {"ID": found}}:
                    image = found
                case {"error": message}:
                    error = message
    if error or not image:
        step = trace.failure.step if trace.failure else ""
        message = trace.failure.message if trace.failure else error
        raise _failure(build, step, message or "the engine names no image", tail)
    return BuiltImage(id=image, bases=tuple(sorted(trace.bases.items())))


def _build_plainly(api: Any, build: ImageBuild, labels: Mapping[str, str], tail: Tail) -> BuiltImage:
    image, error, told = "", "", ""
    for answer in _post(api, _parameters(build, labels), pack_layer(build.context)):
        match answer:
            case {"stream": text}:
                tail(Output(stream="stdout", data=text.encode()))
                told += text
            case {"aux": {"ID": found}}:
                image = found
            case {"error": message}:
                error = message
    if error or not image:
        raise _failure(build, "", error or "the engine names no image", tail)
    return BuiltImage(id=image, bases=tuple(_find_bases(api, told)))


def _post(
    api: Any, parameters: Mapping[str, str], context: Iterable[bytes] | None = None
) -> Iterator[dict[str, Any]]:
    """What the engine answers while it builds, from the first line on."""
    headers = {"Content-Type": "application/x-tar"}
    api._set_auth_headers(headers)
    url = api._url("/build")
    response = api._post(url, params=parameters, headers=headers, data=context, stream=True)
    with closing(response):
        api._raise_for_status(response)
        for line in response.iter_lines(chunk_size=None):
            if line:
                yield json.loads(line)


def _parameters(build: ImageBuild, labels: Mapping[str, str]) -> dict[str, str]:
    return {
        "dockerfile": build.file,
        "target": build.target,
        "platform": build.platform,
        "buildargs": json.dumps(dict(build.arguments)),
        "labels": json.dumps(dict(labels)),
        "networkmode": build.network,
        "rm": "1",
        "forcerm": "1",
    }


def _find_bases(api: Any, told: str) -> Iterator[tuple[str, str]]:
    """The images that FROM named and that came from a registry, by what the engine knows of them now."""
    for name in sorted(set(_BASE.findall(told))):
        digests = _list_digests(api, name)
        if found := next(filter(None, map(_DIGEST.fullmatch, digests)), None):
            yield name, found[2]


def _list_digests(api: Any, name: str) -> Iterable[str]:
    try:
        return sorted(api.inspect_image(name).get("RepoDigests") or ())
    except docker.errors.APIError:  # a stage, or `scratch`
        return ()


def _failure(build: ImageBuild, step: str, message: str, tail: Tail) -> ExecuteError:
    lines = "".join(f"\n  | {line}" for line in tail.lines())
    said = f"; what was printed last:{lines}" if lines else ""
    named = f"{step}: " if step else ""
    return ExecuteError(f"does not build: {named}{message.strip()}{said}", where=build.file)
