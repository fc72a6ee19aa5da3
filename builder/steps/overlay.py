"""Lay a folder over the image.

::

    - overlay: rootfs/
    - overlay:
        source: rootfs/
        target: /opt/tool
        exceptions:
          - {path: "/opt/tool/bin/*", mode: "0755"}
          - {path: "/opt/tool/var/**", owner: "1000:1000"}

Files belong to 0:0 and have mode 0644, or 0755 where git's index says executable, or, for a file that git
does not track, where the file itself is. So neither the umask nor a checkout on a Windows drive has a say.
A folder that the image has already keeps its mode and owner, others are 0755 0:0. Symbolic links are kept
as they are. Exceptions apply to paths in the image, later ones over earlier ones: `mode` to files,
`directory_mode` to folders, `owner` to both. A file called `.gitkeep` only keeps its folder in git.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from pydantic import Field, model_validator

from builder.core.patterns import matches
from builder.model.entry import Kind
from builder.model.fields import ImagePath, Line, Mode, Owner, RecipeModel, split_owner
from builder.model.operation import Operation, Put, PutEntry
from builder.steps.folder import FolderEntry, read_folder
from builder.steps.step import InputProblem, InputProblems, StepContext, StepModel


class OverlayException(RecipeModel):
    """Modes and owner of what matches `path`."""

    path: ImagePath = Field(description="an absolute path in the image, with wildcards")
    mode: Mode | None = Field(default=None, description="the mode of matching files, octal")
    directory_mode: Mode | None = Field(default=None, description="the mode of matching folders, octal")
    owner: Owner | None = Field(default=None, description="UID:GID of what matches")

    @model_validator(mode="after")
    def _check_any(self) -> OverlayException:
        if self.mode is None and self.directory_mode is None and self.owner is None:
            raise ValueError("says nothing: expected mode, directory_mode or owner")
        return self


class Overlay(StepModel[tuple[FolderEntry, ...]]):
    """A folder beside the recipe, laid over the image."""

    short_form: ClassVar[str] = "source"

    source: Line = Field(description="a folder, relative to the recipe")
    target: ImagePath = Field(default="/", description="where its content goes in the image")
    exceptions: tuple[OverlayException, ...] = Field(default=(), description="other modes and owners")

    @property
    def title(self) -> str:
        """The folder, and the target unless it is the root."""
        return f"overlay: {self.source}" + (f" -> {self.target}" if self.target != "/" else "")

    def read_inputs(self, folder: Path) -> tuple[FolderEntry, ...]:
        """The folder's entries, parents first. Also finds exceptions that match none of them."""
        entries = read_folder(folder / self.source, self.source)
        unused = [
            InputProblem(location=("exceptions", index, "path"), message=f"{item.path} matches nothing")
            for index, item in enumerate(self.exceptions)
            if not any(matches(item.path, self._place(entry)) for entry in entries)
        ]
        if unused:
            raise InputProblems(tuple(unused))
        return entries

    def operations(self, context: StepContext, inputs: tuple[FolderEntry, ...]) -> tuple[Operation, ...]:  # noqa: ARG002
        """One Put."""
        return (Put(entries=tuple(map(self._put_entry, inputs))),)

    def _place(self, entry: FolderEntry) -> str:
        return str(PurePosixPath(self.target) / entry.path)

    def _put_entry(self, entry: FolderEntry) -> PutEntry:
        path = self._place(entry)
        uid, gid = split_owner(self._last("owner", path) or "0:0")
        return PutEntry(
            path=path,
            kind=entry.kind,
            mode=self._mode(entry, path),
            uid=uid,
            gid=gid,
            target=entry.target,
            content=entry.content,
        )

    def _mode(self, entry: FolderEntry, path: str) -> int | None:
        if entry.kind is Kind.SYMLINK:
            return 0o777
        if entry.kind is Kind.FILE:
            mode = self._last("mode", path)
            return (0o755 if entry.executable else 0o644) if mode is None else mode
        mode = self._last("directory_mode", path)
        # Without a mode the owner would be that of the folder in the image.
        return 0o755 if mode is None and self._last("owner", path) else mode

    def _last(self, name: str, path: str) -> Any:
        values = (getattr(item, name) for item in reversed(self.exceptions) if matches(item.path, path))
        return next((value for value in values if value is not None), None)
