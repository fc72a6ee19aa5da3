"""What `wslimg doctor` finds out, as root, as users with and without subordinate ids, and in poor places."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.core.errors import ExitCode
from builder.pipeline.doctor import Health, examine, usable
from tests.e2e.conftest import WSLIMG
from tests.e2e.ordinary_user import OrdinaryUser, new_user


@pytest.fixture
def user(root: None, tool, request: pytest.FixtureRequest) -> Iterator[OrdinaryUser]:
    tool("useradd", "usermod", "newuidmap", "setpriv")
    with new_user("doctor", subordinate_ids=request.param) as user:
        yield user


def by_name(output: str) -> dict[str, dict[str, str]]:
    return {probe["name"]: probe for probe in json.loads(output)["probes"]}


def run(prefix: list[str], cache: Path, status: int) -> dict[str, dict[str, str]]:
    done = subprocess.run(
        [*prefix, str(WSLIMG), "doctor", "--format", "json"],
        env={**os.environ, "WSLIMG_CACHE": str(cache)},
        cwd=cache.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return by_name(done.stdout)


@pytest.mark.system
def test_root_can_build(root: None, tmp_path: Path) -> None:
    found = run([], tmp_path / "cache", ExitCode.OK)
    assert found["user"]["detail"] == "root"
    assert (found["engine sandbox"]["health"], found["engine sandbox"]["detail"]) == ("ok", "ran a command")
    assert str(tmp_path) in found["cache space"]["detail"]
    assert "0.0 GB" in found["cache"]["detail"]


@pytest.mark.system
@pytest.mark.parametrize("user", [True], indirect=True)
def test_a_user_with_subordinate_ids_can_build(user: OrdinaryUser) -> None:
    found = by_name(user.run(WSLIMG, "doctor", "--format", "json", cwd=user.home).stdout)
    assert {probe["health"] for probe in found.values()} <= {"ok", "warning"}
    assert found["subuid"]["detail"] == "65536 ids from 800000"
    assert found["engine sandbox"]["detail"] == "ran a command"


@pytest.mark.system
@pytest.mark.parametrize("user", [False], indirect=True)
def test_a_user_without_subordinate_ids_is_told_the_command_that_grants_them(user: OrdinaryUser) -> None:
    done = user.run(WSLIMG, "doctor", "--format", "json", cwd=user.home, status=ExitCode.EXECUTE)
    found = by_name(done.stdout)
    for name in ("subuid", "subgid"):
        assert found[name]["health"] == "broken"
        assert f"sudo usermod --add-{name}s 100000-165535 {user.name}" in found[name]["fix"]
    assert "has no range of 65536 ids" in found["engine sandbox"]["detail"]


@pytest.mark.system
@pytest.mark.parametrize("user", [True], indirect=True)
def test_a_user_without_uidmap_is_told_the_package(user: OrdinaryUser) -> None:
    words = ["/usr/bin/env", "PATH=/nowhere", WSLIMG, "doctor", "--format", "json"]
    done = user.run(*words, cwd=user.home, status=ExitCode.EXECUTE)
    assert by_name(done.stdout)["newuidmap"]["fix"] == "apt install uidmap"


@pytest.mark.system
def test_root_without_namespaces_is_told_of_chroot(root: None, tool, tmp_path: Path) -> None:
    tool("setpriv")
    denied = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    found = run(denied, tmp_path / "cache", ExitCode.EXECUTE)
    assert "cannot create namespaces: Operation not permitted" in found["engine sandbox"]["detail"]
    assert "--isolation=chroot" in found["engine sandbox"]["fix"]


def test_a_cache_that_cannot_be_written_is_said_with_its_fix(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    probes = {probe.name: probe for probe in examine(tmp_path / "file" / "cache", tmp_path)}
    assert not usable(list(probes.values()))
    assert probes["cache folder"].health is Health.BROKEN
    assert "Not a directory" in probes["cache folder"].detail
    assert "WSLIMG_CACHE" in probes["cache folder"].fix
