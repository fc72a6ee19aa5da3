"""`wslimg cache` and what container engines keep: all of it that is ours, nothing that is not."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from builder.core.errors import ExitCode
from tests.conformance.dockerd import running_dockerd, running_podman
from tests.conftest import require
from tests.e2e.tiny import BUSYBOX, Place, open_place

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]

ENGINES = {
    "docker": (running_dockerd, ("dockerd", "runc", "ip")),
    "podman": (running_podman, ("podman", "runc", "ip")),
}
CACHED = '  - run: {command: "echo 1 > /var/cache/tool/x", caches: [/var/cache/tool]}\n'


@pytest.fixture
def place(request: pytest.FixtureRequest, tool, tmp_path: Path) -> Iterator[Place]:
    """A recipe that was built on an engine of the test's own."""
    running, programs = ENGINES[request.param]
    tool(*programs)
    require(BUSYBOX.exists(), "not installed: busybox-static (tests/install-tools installs it)")
    with running() as address, open_place(tmp_path) as opened:
        place = replace(opened, env={"DOCKER_HOST": address})
        place.build(place.write(steps=("echo 1 > /opt/one",), more=CACHED), "--engine", "docker")
        yield place


@pytest.fixture
def client(place: Place) -> Iterator[docker.DockerClient]:
    """The user's own client."""
    with closing(docker.DockerClient(base_url=place.env["DOCKER_HOST"])) as client:
        yield client


def wslimg(place: Place, *words: str, status: int = 0) -> tuple[str, str]:
    with place.start(*words) as process:
        output, messages = process.communicate()
    assert process.returncode == status, messages
    return output, messages


def kept(place: Place) -> dict[str, tuple[int, int]]:
    """Count and bytes of what the engine keeps, by kind."""
    parts = json.loads(wslimg(place, "cache", "ls", "--format", "json")[0])
    address = place.env["DOCKER_HOST"]
    return {part["name"]: (part["count"], part["size"]) for part in parts if part["place"] == address}


def import_image(client: docker.DockerClient, name: str) -> None:
    """An image of the user's, with one file."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        info = tarfile.TarInfo("theirs")
        info.size = 1000
        tar.addfile(info, io.BytesIO(bytes(1000)))
    answer = client.api.import_image_from_data(data.getvalue(), repository=name)
    client.api.tag(json.loads(answer.splitlines()[-1])["status"], name, "1")


@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_what_an_engine_keeps_is_shown(place: Place) -> None:
    found = kept(place)
    assert found["containers"] == (0, 0)
    assert found["layers"][0] == 5  # base, configured, two steps, settings
    assert found["layers"][1] > BUSYBOX.stat().st_size
    assert found["step caches"][0] == 1
    assert f"\non the engine at {place.env['DOCKER_HOST']}:\n" in wslimg(place, "cache", "ls")[0]


@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_pruning_takes_all_that_is_ours_and_nothing_else(place: Place, client: docker.DockerClient) -> None:
    (layer,) = {image.tags[0] for image in client.images.list("wslimg/layer")[:1]}
    import_image(client, "localhost/theirs")
    client.volumes.create("theirs", labels={"org.example": "1"})
    plain = client.containers.create("localhost/theirs:1", "x")
    # Both have the labels of the layer.
    on_layer = client.containers.create(layer, "x")
    on_layer.commit("localhost/derived", "1")
    output, _ = wslimg(place, "cache", "prune")
    assert "of the container engine" in output
    images = {tag.rpartition("/")[2] for image in client.images.list() for tag in image.tags}
    assert {"theirs:1", "derived:1"} <= images
    assert {tag for tag in images if tag.startswith(("layer:", "failed:"))} <= {layer.rpartition("/")[2]}
    assert {each.id for each in client.containers.list(all=True)} == {plain.id, on_layer.id}
    volumes = {volume.name for volume in client.volumes.list()}
    assert "theirs" in volumes and not any(name.startswith("wslimg") for name in volumes)
    assert kept(place)["step caches"] == (0, 0)
    on_layer.remove()
    wslimg(place, "cache", "prune")
    assert kept(place)["layers"] == (0, 0)


@pytest.mark.parametrize("place", ["docker"], indirect=True)
def test_what_was_built_of_a_dockerfile_goes_unless_it_has_a_name(
    place: Place, client: docker.DockerClient
) -> None:
    text = b"FROM scratch\nLABEL org.wslimg=dockerfile of=%d\n"
    for number, name in ((1, None), (2, "localhost/named")):
        client.images.build(fileobj=io.BytesIO(text % number), tag=name)
    wslimg(place, "cache", "prune")
    (left,) = client.images.list(all=True)
    assert (left.labels["of"], left.tags) == ("2", ["localhost/named:latest"])


@pytest.mark.parametrize("place", ["docker"], indirect=True)
def test_below_the_limit_all_stays(place: Place) -> None:
    before = kept(place)
    output, _ = wslimg(place, "cache", "prune", "--limit", "10GB")
    assert "of the container engine" not in output
    assert kept(place) == before


@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_a_build_after_pruning_starts_anew_and_makes_the_same_image(place: Place) -> None:
    (image,) = place.dist.glob("*.wsl")
    before = image.read_bytes()
    wslimg(place, "cache", "prune")
    messages = place.build(place.folder / "tiny.yaml", "--engine", "docker", "--locked")
    assert "cached" not in messages
    assert image.read_bytes() == before


@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_a_build_without_the_cache_spares_a_container_that_somebody_made_of_a_layer(
    place: Place, client: docker.DockerClient
) -> None:
    image = next(each for each in client.images.list() if any("layer:" in tag for tag in each.tags))
    theirs = client.containers.create(image.id, ["sh"])
    words = ("build", "tiny.yaml", "--engine", "docker", "--no-cache")
    with place.start(*words) as build:
        _, messages = build.communicate()
    assert [each.id for each in client.containers.list(all=True)] == [theirs.id]
    is_podman = "Podman" in str(client.version())
    assert build.returncode == (ExitCode.EXECUTE if is_podman else ExitCode.OK)
    if is_podman:
        assert f"image used by {theirs.id}" in messages
        assert "\n  fix: remove that container if nobody needs it" in messages
        theirs.remove()
        wslimg(place, *words)


@pytest.mark.parametrize("place", ["docker"], indirect=True)
def test_a_running_build_keeps_its_layers(place: Place) -> None:
    recipe = place.write(steps=("echo 1 > /opt/one", "echo working; sleep 5"), more=CACHED)
    with place.start("build", recipe.name, "--engine", "docker", "-v", "--progress", "plain") as build:
        assert build.stderr is not None
        while "working" not in build.stderr.readline():
            assert build.poll() is None
        _, messages = wslimg(place, "cache", "prune")
        assert "the container engine is left out: " in messages
        assert "a build is using it\n  fix: wait for its end" in messages
        _, messages = wslimg(replace(place, cache=place.folder / "other"), "cache", "prune")
        assert "a build is running a command there (" in messages
        build.communicate()
        assert build.returncode == 0


@pytest.mark.parametrize("place", ["docker"], indirect=True)
def test_an_engine_that_does_not_answer_is_left_out(place: Place) -> None:
    dead = replace(place, env={"DOCKER_HOST": "unix:///nowhere"})
    for words in (("cache", "ls"), ("cache", "prune")):
        output, messages = wslimg(dead, *words, status=ExitCode.OK)
        assert "layers" in output or "freed" in output
        assert messages.startswith("the container engine is left out: unix:///nowhere: ")
