"""Why a command did not even begin, in words that the image's author can use."""

from __future__ import annotations

from builder.execute.engine import Engine, Layer, StepFailedError
from builder.model.operation import Exec

_NOT_FOUND = 127
_NOT_EXECUTED = (1, 126)  # 1 is what Docker's PID 1 makes of it (tini.c)
_OTHER_FORMAT = "xec format error"


def explain_beginning(
    engine: Engine, layer: Layer, exec_: Exec, error: StepFailedError
) -> StepFailedError | None:
    """A better word than `error` where `layer` lacks the program of `exec_`, or has that of another machine;
    None where the command began."""
    program = exec_.argv[0]
    if error.exit_status == _NOT_FOUND and program.startswith("/") and engine.read(layer, program) is None:
        return StepFailedError(
            f"the image has no {program}, which the step needs",
            exit_status=error.exit_status,
            fix="begin with an image that has it, or bring it by an `overlay` or `files` before this step",
        )
    if error.exit_status in _NOT_EXECUTED and _OTHER_FORMAT in error.message:
        return StepFailedError(
            f"{program} of the image is no program for the engine's machine",
            exit_status=error.exit_status,
            fix="build on an engine of the image's architecture, or have it emulated there: "
            "apt install qemu-user-static",
        )
    return None
