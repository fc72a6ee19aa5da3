"""Files of the host as inputs of steps: digested once, when the recipe is loaded."""

from __future__ import annotations

from pathlib import Path

from builder.core.digests import sha256_bytes, sha256_file
from builder.model.operation import Content
from builder.steps.step import InputProblem


def inline_content(data: bytes) -> Content:
    """`data` itself as the content of a file."""
    return Content(digest=sha256_bytes(data), size=len(data), data=data)


def file_content(path: Path) -> Content:
    """The content of the file `path` as it is now; raises OSError."""
    return Content(digest=sha256_file(path), size=path.stat().st_size, path=path.absolute())


def find_problem(path: Path, named: str, location: tuple[str | int, ...]) -> InputProblem | None:
    """Why `path`, which the recipe calls `named`, cannot be read as a file; None if it can."""
    if path.is_file():
        try:
            path.open("rb").close()
        except PermissionError:
            return InputProblem(location=location, message=f"the file {named} is not readable")
        return None
    found = "is a folder" if path.is_dir() else "does not exist"
    return InputProblem(location=location, message=f"the file {named} {found}, expected a file: {path}")


def has_crlf_script(head: bytes) -> bool:
    """Whether `head` starts a script (`#!`) whose first line ends in CRLF: the kernel would look for an
    interpreter with a carriage return in its name (execve(2))."""
    first, newline, _ = head.partition(b"\n")
    return bool(newline) and first.startswith(b"#!") and first.endswith(b"\r")


CRLF_MESSAGE = "has Windows line endings (CRLF), which no interpreter understands; convert it to LF"
