"""The errors a user can meet, and the exit code of each.

Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    RESOLVE = 3
    EXECUTE = 4
    CHECK = 5
    PUBLISH = 6
    INTERRUPTED = 130


class WslimgError(Exception):
    """Something the user can act on.

    `message` says what was found and what was expected, `where` names the place
    (`file:line:column`, a path, a package, an address) and `fix` how to go on.
    """

    exit_code = ExitCode.UNEXPECTED

    def __init__(self, message: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(message, where, fix)
        self.message = message
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}" + (f"\n  fix: {self.fix}" if self.fix else "")

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries: the sandbox works in children.
        return (_rebuild, (type(self), self.message, self.where, self.fix))


def _rebuild(kind: type[WslimgError], message: str, where: str, fix: str) -> WslimgError:
    error = kind.__new__(kind)
    WslimgError.__init__(error, message, where=where, fix=fix)
    return error


class UsageError(WslimgError):
    """The command line or its environment is not usable as given."""

    exit_code = ExitCode.USAGE


class RecipeError(WslimgError):
    """A recipe, or a file it names, is wrong. Carries every problem found, one a line."""

    exit_code = ExitCode.USAGE


class ResolveError(WslimgError):
    """A source or package could not be resolved, fetched or verified."""

    exit_code = ExitCode.RESOLVE


class ExecuteError(WslimgError):
    """A step, an engine or the store failed."""

    exit_code = ExitCode.EXECUTE


class CheckError(WslimgError):
    """An image or list breaks a rule, or cannot be read at all."""

    exit_code = ExitCode.CHECK


class PackError(WslimgError):
    """The tree cannot be written as an image."""

    exit_code = ExitCode.EXECUTE


class PublishError(WslimgError):
    """A catalog could not be read or changed; what was published before is as it was."""

    exit_code = ExitCode.PUBLISH
