"""Run a command or a script in the image.

::

    - run: locale-gen
    - run: |
        #!/bin/bash -eu
        for name in a b; do echo "$name"; done
    - run:
        script: setup.sh
        network: true
        timeout: 600
        env: {PREFIX: /opt/tool}
        secrets: {token: ~/.config/tool/token}

The text is a file at `/run/wslimg/inputs/` while it runs, so its commands can read standard input, which is
empty. The `#!` line chooses the interpreter; without one it is `/bin/sh -e`, which ends at the first command
that fails. There is no network unless `network: true`. A secret is a file at `/run/secrets/NAME`; its content
is in no key, log or layer, so another content alone does not run the step again. A cache is a folder that
outlives the build and never is in the image.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field, model_validator

from builder.model.fields import Flag, ImagePath, Line, Number, SecretName, VariableName
from builder.model.operation import Exec, Input, Operation, Secret
from builder.steps.contents import CRLF_MESSAGE, find_problem, inline_content
from builder.steps.step import INPUTS, InputProblem, InputProblems, StepContext, StepModel


@dataclass(frozen=True, kw_only=True, slots=True)
class RunInputs:
    """The text to run under the name it will have, the files of the secrets, and Exec's `freshness`."""

    script: Input
    interpreter: tuple[str, ...]
    secrets: tuple[Secret, ...] = ()
    freshness: tuple[str, ...] = ()


class Run(StepModel[RunInputs]):
    """A command or a script: exactly one of the two."""

    short_form: ClassVar[str] = "command"

    command: str | None = Field(default=None, min_length=1, description="shell commands, any number of lines")
    script: Line | None = Field(default=None, description="a file, relative to the recipe")
    network: Flag = Field(default=False, description="whether it may use the network")
    timeout: Number = Field(default=0, description="seconds after which it is ended; 0 for never")
    env: dict[VariableName, str] = Field(default_factory=dict, description="environment variables")
    user: Line = Field(default="root", description="a user of the image, by name or number")
    cwd: ImagePath = Field(default="/", description="the working folder")
    secrets: dict[SecretName, Line] = Field(default_factory=dict, description="files, relative to the recipe")
    caches: tuple[ImagePath, ...] = Field(default=(), description="folders that outlive the build")

    @model_validator(mode="after")
    def _check_one_form(self) -> Run:
        if (self.command is None) == (self.script is None):
            raise ValueError("expected either command or script")
        return self

    @property
    def title(self) -> str:
        """The script's name, or the command's first line that is no comment."""
        if self.script is not None:
            return f"run: {self.script}"
        lines = [line.strip() for line in (self.command or "").splitlines()]
        shown = [line for line in lines if line and not line.startswith("#")]
        return f"run: {(shown or lines)[0]}" + (" ..." if len(shown) > 1 else "")

    def read_inputs(self, folder: Path) -> RunInputs:
        """The text and the places of the secrets; a secret's content is not read."""
        paths = {name: folder / Path(file).expanduser() for name, file in sorted(self.secrets.items())}
        found = [find_problem(path, self.secrets[name], ("secrets", name)) for name, path in paths.items()]
        name, text, problems = self._read_text(folder)
        problems += [item for item in found if item is not None]
        if problems:
            raise InputProblems(tuple(problems))
        return RunInputs(
            script=Input(name=name, content=inline_content(text)),
            interpreter=_interpreter(text),
            secrets=tuple(Secret(name=name, path=path.absolute()) for name, path in paths.items()),
        )

    def _read_text(self, folder: Path) -> tuple[str, bytes, list[InputProblem]]:
        if self.script is None:
            name, text, location = "command", (self.command or "").encode(), ("command",)
        else:
            location = ("script",)
            if missing := find_problem(folder / self.script, self.script, location):
                return "", b"", [missing]
            name, text = Path(self.script).name, (folder / self.script).read_bytes()
        if b"\r\n" in text:
            return "", b"", [InputProblem(location=location, message=f"{name} {CRLF_MESSAGE}")]
        return name, text, []

    def operations(self, context: StepContext, inputs: RunInputs) -> tuple[Operation, ...]:
        """One Exec of the interpreter on the text."""
        return (
            Exec(
                argv=(*inputs.interpreter, f"{INPUTS}/{inputs.script.name}"),
                env=context.environment(*self.env.items()),
                cwd=self.cwd,
                user=self.user,
                network=self.network,
                timeout=self.timeout,
                inputs=(inputs.script,),
                secrets=inputs.secrets,
                caches=tuple(sorted(set(self.caches))),
                freshness=inputs.freshness,
            ),
        )


def _interpreter(text: bytes) -> tuple[str, ...]:
    """As execve(2) reads a `#!` line: the interpreter and at most one argument."""
    first = text.partition(b"\n")[0]
    words = os.fsdecode(first[2:]).strip(" \t").split(None, 1) if first.startswith(b"#!") else []
    return tuple(words) or ("/bin/sh", "-e")
