"""Skips that CI notices: with WSLIMG_REQUIRE_ALL=1 a skip for something missing is a failure."""

from __future__ import annotations

import os
import shutil

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
