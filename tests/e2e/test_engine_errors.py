"""What a user reads when a container engine does not do it: one error with its place, its cause and a fix."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.core.errors import ExitCode
from tests.conformance.dockerd import running_dockerd, running_podman
from tests.conformance.ways import over_tls, running_sshd
from tests.e2e.conftest import WSLIMG, Wslimg
from tests.e2e.ordinary_user import new_user

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]

RECIPE = """\
schema: 1
name: bare
version: "1"
architectures: [amd64, arm64]
source: {directory: root}
steps:
  - run: echo x
first_run: none
wsl: {systemd: false}
"""
TREE = {
    "etc/os-release": b"ID=debian\nVERSION_ID=13\n",
    "etc/passwd": b"root:x:0:0::/root:/bin/sh\n",
    "etc/group": b"root:x:0:\n",
    "usr/bin/nothing": b"",
}
# The header of a program for aarch64 (elf.h).
FOREIGN = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0" + b"\xb7\0" + bytes(100)
Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, wslimg: Wslimg) -> Refused:
    """`refused(address, *words, status=, env=, **files)` builds on the engine at `address`; the error."""

    def build(address: str, *words: str, status: int = ExitCode.EXECUTE, **more: object) -> str:
        write_recipe(tmp_path, more.get("files", {}))
        env = {"DOCKER_HOST": address, "DOCKER_CONFIG": str(tmp_path), **more.get("env", {})}
        command = ("build", "bare.yaml", "--engine", "docker", *words)
        return one_error(wslimg(*command, cwd=tmp_path, env=env, status=status).stderr)

    return build


def write_recipe(folder: Path, files: dict[str, bytes]) -> None:
    (folder / "bare.yaml").write_text(RECIPE)
    for name, data in (TREE | files).items():
        path = folder / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755)


def one_error(messages: str) -> str:
    """The error in `messages`, which is the only one and has a fix."""
    assert len(re.findall(r"^error: ", messages, re.MULTILINE)) == 1, messages
    error = messages[messages.index("error: ") :]
    assert "\n  fix: " in error and "Traceback" not in error, messages
    return error


def test_a_variable_that_names_nothing(refused: Refused) -> None:
    assert refused("docker.example.org", status=ExitCode.USAGE) == (
        "error: DOCKER_HOST: 'docker.example.org' is no address of an engine\n"
        "  fix: write unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST\n"
    )


def test_a_socket_that_is_not_there(refused: Refused) -> None:
    error = refused("unix:///nowhere/docker.sock")
    assert "error: unix:///nowhere/docker.sock: the engine does not answer: No such file" in error
    assert "fix: DOCKER_HOST names it; start one" in error


def test_a_context_that_is_not_there(refused: Refused) -> None:
    error = refused("", status=ExitCode.USAGE, env={"DOCKER_CONTEXT": "gone"})
    assert "there is no context 'gone' of Docker\n  fix: `docker context ls`" in error


def test_a_socket_that_is_for_others(tool, tmp_path: Path) -> None:
    tool("dockerd", "runc", "ip", "setpriv")
    with running_dockerd() as address, new_user("engine", subordinate_ids=False) as user:
        socket = Path(address.removeprefix("unix://"))
        socket.parent.chmod(0o755)
        socket.chmod(0o600)
        write_recipe(user.home, {})
        user.own(user.home)
        words = (WSLIMG, "build", "bare.yaml", "--engine", "docker")
        done = user.run(*words, cwd=user.home, env={"DOCKER_HOST": address}, status=ExitCode.EXECUTE)
    error = one_error(done.stderr)
    assert f"error: {address}: this user may not speak to the engine\n  fix: become a member" in error


def test_a_disk_that_is_full(tool, refused: Refused) -> None:
    tool("dockerd", "runc", "ip")
    with running_dockerd(room="20m") as address:
        error = refused(address, files={"opt/noise": os.urandom(40_000_000)})
    assert f"{address}: the engine's disk is full: " in error
    assert "no space left on device" in error
    assert "fix: make room there: `wslimg cache prune`" in error


@pytest.mark.parametrize("running", [running_dockerd, running_podman])
def test_an_image_without_a_shell_and_one_of_another_machine(tool, refused: Refused, running) -> None:
    tool("dockerd", "podman", "runc", "ip")
    with running() as address:
        error = refused(address)
        assert "error: bare.yaml:7:5: run: echo x: the image has no /bin/sh, which the step needs\n" in error
        error = refused(address, "--arch", "arm64", files={"bin/sh": FOREIGN})
    assert "run: echo x: /bin/sh of the image is no program for the engine's machine\n" in error
    assert "build on an engine of the image's architecture" in error


def test_an_image_without_a_shell_on_the_sandbox(refused: Refused) -> None:
    assert "the image has no /bin/sh, which the step needs\n" in refused("", "--engine", "sandbox")


def test_a_host_that_ssh_does_not_get_to(tool, refused: Refused, tmp_path: Path) -> None:
    tool("ssh", "ssh-keygen", "/usr/sbin/sshd")
    keys = tmp_path / "keys"
    keys.mkdir()
    with running_sshd(keys) as (port, path):
        nobody = f"ssh://root@127.0.0.1:{port}/nowhere.sock"
        error = refused(nobody, env={"PATH": path})
        assert f"error: {nobody}: the engine cannot be reached: " in error
        assert "open failed" in error
        (keys / "user.pub").write_text("")
        error = refused(nobody, env={"PATH": path})
    assert "ssh does not get there: root@127.0.0.1: Permission denied (publickey" in error
    assert f"fix: `ssh ssh://root@127.0.0.1:{port} true` has to work without a question" in error


def test_certificates_that_the_engine_or_this_side_does_not_accept(
    tool, refused: Refused, tmp_path: Path
) -> None:
    tool("dockerd", "runc", "ip", "openssl")
    with over_tls() as env:
        address, keys = env.pop("DOCKER_HOST"), Path(env["DOCKER_CERT_PATH"])
        (keys / "cert.pem").rename(keys / "none.pem")
        error = refused(address, env=env)
        assert f"error: {address}: the engine cannot be reached: " in error
        assert "alert" in error
        (keys / "ca.pem").write_bytes((keys / "none.pem").read_bytes())
        error = refused(address, env=env)
    assert f"error: {address}: the engine cannot be reached: its certificate is not accepted: " in error
    assert "fix: DOCKER_CERT_PATH names the folder" in error
