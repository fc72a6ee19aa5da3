"""Skips that CI notices: with WSLIMG_REQUIRE_ALL=1 a skip for something missing is a failure."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

REQUIRE_ALL = os.environ.get("WSLIMG_REQUIRE_ALL") == "1"


def require(condition: bool, reason: str) -> None:
    """Skip the running test with `reason` unless `condition`; fail instead where everything is required."""
    if condition:
        return
    if REQUIRE_ALL:
        pytest.fail(f"WSLIMG_REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture
def root() -> None:
    """The test needs root."""
    require(os.geteuid() == 0, "this test needs root")


@pytest.fixture
def tool():
    """A function that requires tools by name: `tool("bsdtar", "setpriv")`."""

    def need(*names: str) -> None:
        missing = [name for name in names if shutil.which(name) is None]
        require(not missing, f"not installed: {', '.join(missing)} (tests/install-tools installs them)")

    return need


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are named by their place: compressed ones hold the time, and xdist wants equal ids."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session", autouse=True)
def passable_checkout() -> Iterator[None]:
    """Some tests go on as an ordinary user, who has to get to a checkout below a private folder of root's."""
    folders = [folder for folder in Path(__file__).resolve().parents if not folder.stat().st_mode & 0o001]
    if os.geteuid() != 0 or "PYTEST_XDIST_WORKER" in os.environ:
        folders = []
    modes = [(folder, folder.stat().st_mode & 0o7777) for folder in folders]
    for folder, mode in modes:
        folder.chmod(mode | 0o001)
    yield
    for folder, mode in modes:
        folder.chmod(mode)
