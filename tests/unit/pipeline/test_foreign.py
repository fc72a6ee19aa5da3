"""Commands of another architecture, and what the kernel says of emulators."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.core.errors import ExecuteError
from builder.model.operation import Exec, Put
from builder.model.plan import Plan, PlannedBase, PlannedOperation
from builder.pipeline.foreign import emulates, is_native, require_emulator

FOREIGN = "arm64" if is_native("amd64") else "amd64"
NATIVE = "amd64" if is_native("amd64") else "arm64"
QEMU = """\
enabled
interpreter /usr/libexec/qemu-binfmt/{name}-binfmt-P
flags: {flags}
offset 0
magic 7f454c460201010000000000000000000200{machine}00
mask ffffffffffffff00fffffffffffffffffeffffff
"""
MACHINES = {"amd64": "3e", "arm64": "b7"}


def register(folder: Path, architecture: str, flags: str = "POCF", state: str = "enabled") -> Path:
    text = QEMU.format(name=architecture, flags=flags, machine=MACHINES[architecture])
    (folder / f"qemu-{architecture}").write_text(text.replace("enabled", state, 1))
    (folder / "status").write_text("enabled\n")
    (folder / "python3.11").write_text(
        "enabled\ninterpreter /usr/bin/python3.11\nflags: \noffset 0\nmagic a70d0d0a\n"
    )
    return folder


def make_plan(architecture: str) -> Plan:
    operation = PlannedOperation(
        key="1", parent="0", title="run: make", place="a.yaml:5:3", step=0, operation=Exec(argv=("make",))
    )
    return Plan(
        name="a",
        version="1",
        architecture=architecture,
        time=0,
        base=PlannedBase(key="0", title="base", inputs=()),
        operations=(operation,),
    )


def test_a_foreign_command_without_an_emulator_is_refused_by_its_place(tmp_path: Path) -> None:
    plan = make_plan(FOREIGN)
    with pytest.raises(ExecuteError) as caught:
        require_emulator(plan, plan.operations, handlers=tmp_path)
    assert caught.value.where == "a.yaml:5:3"
    assert "run: make" in caught.value.message
    assert FOREIGN in caught.value.message
    assert "apt install qemu-user-static" in caught.value.fix


def test_native_commands_emulated_ones_and_plans_without_any_are_fine(tmp_path: Path) -> None:
    native, foreign = make_plan(NATIVE), make_plan(FOREIGN)
    put = PlannedOperation(key="1", parent="0", title="files", place="", step=0, operation=Put())
    require_emulator(native, native.operations, handlers=tmp_path)
    require_emulator(foreign, (put,), handlers=tmp_path)
    require_emulator(foreign, foreign.operations, handlers=register(tmp_path, FOREIGN))


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_an_emulator_counts_for_its_architecture_alone(tmp_path: Path, architecture: str) -> None:
    register(tmp_path, architecture)
    assert {name for name in MACHINES if emulates(name, tmp_path)} == {architecture}


def test_an_emulator_that_no_container_reaches_does_not_count(tmp_path: Path) -> None:
    assert not emulates("arm64", register(tmp_path, "arm64", flags="POC"))


def test_an_emulator_that_is_switched_off_does_not_count(tmp_path: Path) -> None:
    assert not emulates("arm64", register(tmp_path, "arm64", state="disabled"))


def test_without_binfmt_misc_nothing_is_emulated(tmp_path: Path) -> None:
    assert not emulates("arm64", tmp_path / "missing")
