"""Dockerfiles, and images of an engine, become images on engines of the tests' own."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest

from tests.conformance.dockerd import running_dockerd, running_podman
from tests.conftest import require
from tests.e2e.conftest import Wslimg
from tests.e2e.rootfs import write_rootfs
from tests.e2e.tiny import BUSYBOX, SHELL

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]
DOCKER = ("dockerd", "runc", "ip", "unshare")
BASE = "127.0.0.1:1/base:1"
TWO_STAGES = f"""\
FROM {BASE} AS build
ARG VERSION=0
COPY . /src
RUN --mount=type=secret,id=token --mount=type=secret,id=key mkdir /out && \\
    /bin/busybox wc -c < /run/secrets/token > /out/token && /bin/busybox wc -c < /run/secrets/key > /out/key
RUN seq 1 "$VERSION" > /out/version
RUN echo "$VERSION is built"

FROM {BASE} AS unused
RUN exit 1

FROM {BASE}
ENV GREETING=hello
RUN cp /usr/bin/mount /bin/mount
COPY --from=build /out /opt/built
COPY --from=build /src /opt/src
"""
RECIPE = """\
schema: 1
name: app
version: "1"
source:
  dockerfile:
    context: .
    args: {VERSION: "3"}
    secrets: {token: env:TOKEN, key: secret.txt}
    network: none
first_run: none
wsl: {systemd: false}
"""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine that has BASE, and a folder with a Dockerfile and a recipe for it."""

    address: str
    folder: Path
    secret: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def env(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.address, "TOKEN": self.secret}

    @property
    def data(self) -> Path:
        """What the engine keeps."""
        return Path(self.address.removeprefix("unix://")).parent / "data"

    def write(self, dockerfile: str = TWO_STAGES, recipe: str = RECIPE) -> None:
        (self.folder / "Dockerfile").write_text(dockerfile)
        (self.folder / "recipe.yaml").write_text(recipe)
        (self.folder / "secret.txt").write_text(self.secret)
        (self.folder / ".dockerignore").write_text("**/*.log\n!kept.log\nout*\n")
        for name in ("kept.log", "dropped.log", "main.c"):
            (self.folder / name).write_text(name)


def load_base(address: str, rootfs: Path, base: str = BASE) -> None:
    name, _, tag = base.rpartition(":")
    with closing(docker.DockerClient(base_url=address)) as client:
        client.api.import_image_from_file(str(rootfs), repository=name, tag=tag)
        assert client.images.get(base)


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require(BUSYBOX.exists() and SHELL.exists(), "not installed: busybox-static, dash (tests/install-tools)")
    return write_rootfs(tmp_path_factory.mktemp("rootfs") / "rootfs.tar")


@pytest.fixture(scope="module")
def address(rootfs: Path) -> Iterator[str]:
    missing = subprocess.run(["which", *DOCKER], capture_output=True, text=True).returncode
    require(missing == 0, f"not installed: some of {', '.join(DOCKER)} (tests/install-tools installs them)")
    with running_dockerd() as address:
        load_base(address, rootfs)
        yield address


@pytest.fixture
def engine(address: str, tmp_path: Path) -> Engine:
    folder = tmp_path / "app"
    folder.mkdir()
    engine = Engine(address=address, folder=folder)
    engine.write()
    return engine


def read(image: Path, name: str) -> str:
    return subprocess.run(["bsdtar", "-xOf", image, name], capture_output=True, check=True).stdout.decode()


def names(image: Path) -> set[str]:
    return set(
        subprocess.run(["bsdtar", "-tf", image], capture_output=True, check=True, text=True).stdout.split()
    )


def holding(word: str, *folders: Path) -> list[Path]:
    """The files below `folders` that hold `word`."""
    done = subprocess.run(["grep", "-rlaF", word, *folders], capture_output=True, text=True)
    return [Path(line) for line in done.stdout.splitlines()]


def test_two_stages_with_secrets_become_an_image_that_no_rule_finds_fault_with(
    wslimg: Wslimg, engine: Engine, tmp_path: Path
) -> None:
    cache, image = tmp_path / "cache", engine.folder / "out/app_1_amd64.wsl"
    done = wslimg(
        "build", "recipe.yaml", "--out", "out", "-v", env=engine.env, cwd=engine.folder, cache=cache
    )
    assert "\n      3 is built\n" in done.stderr and "unused" not in done.stderr
    assert "[build 4/5] RUN seq" in done.stderr
    wslimg("check", "--strict", image)
    assert read(image, "opt/built/version") == "1\n2\n3\n"
    assert (read(image, "opt/built/token"), read(image, "opt/built/key")) == ("32\n", "32\n")
    assert "export GREETING='hello'" in read(image, "etc/profile.d/00-image-env.sh")
    found = {name for name in names(image) if name.startswith("opt/src/")}
    assert {"opt/src/kept.log", "opt/src/main.c"} <= found
    assert not {"opt/src/dropped.log", "opt/src/secret.txt", "opt/src/recipe.yaml"} & found
    tar = tmp_path / "image.tar"
    tar.write_bytes(subprocess.run(["gzip", "-dc", image], capture_output=True, check=True).stdout)
    kept = [cache, engine.folder, engine.data, tmp_path]
    assert holding("opt/built/token", tar) == [tar]
    assert set(holding(engine.secret, *kept)) == {engine.folder / "secret.txt"}
    assert engine.secret not in done.stdout + done.stderr


def test_a_lock_needs_no_engine_and_refuses_a_context_that_changed(
    wslimg: Wslimg, engine: Engine, tmp_path: Path
) -> None:
    words = ("build", "recipe.yaml", "--engine", "none", "--out")
    wslimg(*words, "out1", env=engine.env, cwd=engine.folder)
    again = wslimg(*words, "out2", "-v", env=engine.env, cwd=engine.folder)
    nobody = {**engine.env, "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    wslimg(*words, "out3", "--locked", env=nobody, cwd=engine.folder)
    wslimg("fetch", "recipe.yaml", env=nobody, cwd=engine.folder)
    bundle, cache = ("--offline", "app_1_amd64.bundle"), tmp_path / "elsewhere"
    wslimg(*words, "out4", *bundle, env=nobody, cwd=engine.folder, cache=cache)
    images = {(engine.folder / f"out{n}" / "app_1_amd64.wsl").read_bytes() for n in (1, 2, 3, 4)}
    assert len(images) == 1 and "\n      3 is built\n" not in again.stderr
    (engine.folder / "main.c").write_text("changed")
    done = wslimg(*words, "out5", "--locked", env=nobody, cwd=engine.folder, status=3)
    assert "recipe.yaml:4:1: the files of . changed since the lock was made" in done.stderr
    done = wslimg(*words, "out5", env=nobody, cwd=engine.folder, status=4)
    assert "this needs a container engine, and none answers: unix://" in done.stderr


def test_steps_run_in_any_engine(wslimg: Wslimg, engine: Engine) -> None:
    engine.write(f"FROM {BASE}\n", RECIPE + "steps: [run: cp /opt/README /opt/step]\n")
    wslimg("build", "recipe.yaml", "--engine", "sandbox", "--out", "out", env=engine.env, cwd=engine.folder)
    wslimg("build", "recipe.yaml", "--locked", "--out", "out2", env=engine.env, cwd=engine.folder)
    images = [engine.folder / out / "app_1_amd64.wsl" for out in ("out", "out2")]
    assert read(images[0], "opt/step") == "for steps\n"
    assert images[0].read_bytes() == images[1].read_bytes()


def test_a_folder_or_its_dockerfile_is_converted(wslimg: Wslimg, engine: Engine, tmp_path: Path) -> None:
    engine.write(f"FROM {BASE}\nCOPY main.c /opt/\n")
    recipe, first, second = engine.folder / "kept.yaml", tmp_path / "1.wsl", tmp_path / "2.wsl"
    wslimg("convert", engine.folder, "-o", first, "--recipe", recipe, env=engine.env)
    wslimg("convert", "Dockerfile", "-o", second, env=engine.env, cwd=engine.folder)
    assert read(first, "opt/main.c") == read(second, "opt/main.c") == "main.c"
    wslimg("build", recipe, "--locked", "--out", tmp_path / "out", env=engine.env)
    assert (tmp_path / "out/app_13_amd64.wsl").read_bytes() == first.read_bytes()


def test_an_image_of_the_engine_is_found_where_no_registry_has_it(
    wslimg: Wslimg, engine: Engine, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    found = wslimg("convert", BASE, "-o", tmp_path / "a.wsl", "--recipe", recipe, env=engine.env)
    assert "127.0.0.1:1/v2/base/manifests/1" in found.stderr
    assert "; the container engine has the image" in found.stderr
    assert f'"docker-daemon:{BASE}"' in recipe.read_text()
    wslimg("convert", f"docker-daemon:{BASE}", "-o", tmp_path / "b.wsl", env=engine.env)
    assert (tmp_path / "a.wsl").read_bytes() == (tmp_path / "b.wsl").read_bytes()
    gone = wslimg("convert", "127.0.0.1:1/gone:1", "-o", tmp_path / "c.wsl", env=engine.env, status=3)
    assert "and as an image of a container engine: is no image of the engine at unix://" in gone.stderr


def test_what_fails_is_named_with_what_it_printed(wslimg: Wslimg, engine: Engine) -> None:
    engine.write(f"FROM {BASE}\nRUN echo all is well; echo not this >&2; exit 3\n")
    done = wslimg("build", "recipe.yaml", env=engine.env, cwd=engine.folder, status=4)
    assert "Dockerfile: does not build: [2/2] RUN echo all is well" in done.stderr
    assert "exit code: 3" in done.stderr and "  | not this" in done.stderr
    engine.write(f"FROM {BASE}\nRUNN true\n")
    done = wslimg("build", "recipe.yaml", env=engine.env, cwd=engine.folder, status=4)
    assert "RUNN" in done.stderr


def test_docker_without_buildkit_builds_but_keeps_no_secret(wslimg: Wslimg, engine: Engine) -> None:
    env = {**engine.env, "DOCKER_BUILDKIT": "0"}
    done = wslimg("build", "recipe.yaml", env=env, cwd=engine.folder, status=4)
    assert "the engine builds without BuildKit, and secrets would stay in the image" in done.stderr
    plain = RECIPE.replace("    secrets: {token: env:TOKEN, key: secret.txt}\n", "")
    engine.write(
        f"FROM {BASE}\nARG VERSION\nRUN echo $VERSION > /opt/v; echo plainly\nCOPY . /opt/src\n", plain
    )
    done = wslimg("build", "recipe.yaml", "-v", "--out", "out", env=env, cwd=engine.folder)
    assert "plainly" in done.stderr
    image = engine.folder / "out/app_1_amd64.wsl"
    assert read(image, "opt/v") == "3\n" and "opt/src/dropped.log" not in names(image)


def test_podman_builds_but_is_given_no_secret(wslimg: Wslimg, rootfs: Path, tool, tmp_path: Path) -> None:
    tool("podman", "runc", "ip", "unshare")
    with running_podman() as address:
        load_base(address, rootfs, "localhost/base:latest")
        engine = Engine(address=address, folder=tmp_path)
        engine.write()
        done = wslimg("build", "recipe.yaml", env=engine.env, cwd=tmp_path, status=4)
        assert "the engine builds without BuildKit" in done.stderr
        plain = RECIPE.replace("    secrets: {token: env:TOKEN, key: secret.txt}\n", "")
        engine.write("FROM localhost/base\nARG VERSION\nRUN echo $VERSION > /opt/v\nCOPY . /opt/src\n", plain)
        wslimg("build", "recipe.yaml", "--out", "out", env=engine.env, cwd=tmp_path)
    assert read(tmp_path / "out/app_1_amd64.wsl", "opt/v") == "3\n"
    assert "opt/src/dropped.log" not in names(tmp_path / "out/app_1_amd64.wsl")


def test_a_base_from_a_registry_is_locked_by_its_digest(
    wslimg: Wslimg, engine: Engine, tool, tmp_path: Path
) -> None:
    tool("docker-registry", "nsenter")
    with closing(docker.DockerClient(base_url=engine.address)) as client, running_registry(engine, tmp_path):
        client.images.get(BASE).tag("127.0.0.1:5000/team/base", "7")
        digest = _push(client, "127.0.0.1:5000/team/base:7")
        client.images.remove("127.0.0.1:5000/team/base:7")
        plain = RECIPE.replace("    secrets: {token: env:TOKEN, key: secret.txt}\n", "")
        engine.write("FROM 127.0.0.1:5000/team/base:7\nRUN true\n", plain)
        wslimg("lock", "recipe.yaml", env=engine.env, cwd=engine.folder)
    source = json.loads((engine.folder / "recipe.lock").read_text())["architectures"]["amd64"]["source"]
    assert source["bases"] == [{"reference": "127.0.0.1:5000/team/base:7", "sha256": digest}]


def _push(client: docker.DockerClient, name: str) -> str:
    """The digest under which the registry keeps what was pushed."""
    for _ in range(50):
        answers = list(client.api.push(name, stream=True, decode=True))
        for answer in answers:
            if digest := answer.get("aux", {}).get("Digest"):
                return str(digest).removeprefix("sha256:")
        time.sleep(0.1)  # it is just being started
    raise AssertionError(answers)


@contextmanager
def running_registry(engine: Engine, folder: Path) -> Iterator[None]:
    """docker-registry at port 5000 of the network that `engine` has for itself."""
    found = subprocess.run(
        ["pgrep", "-f", f"^dockerd .*{engine.data}"], capture_output=True, text=True, check=True
    )
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
        "http: {addr: '127.0.0.1:5000'}\n"
    )
    enter = ("nsenter", "--net", "--target", found.stdout.split()[0], "setpriv", "--pdeathsig", "KILL")
    command = [*enter, "docker-registry", "serve", config]
    with (
        (folder / "registry.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.kill()
