"""Single files, links and folders, described in the recipe.

::

    - files:
        /etc/motd: {content: "Welcome\\n"}
        /etc/tool.conf: {file: tool.conf, mode: "0640", owner: "0:4"}
        /etc/issue: {template: issue.j2}
        /usr/local/bin/vi: {link: /usr/bin/vim}
        /srv/data: {directory: true, mode: "2775"}

`file` and `template` are relative to the recipe. A template is Jinja2; a variable that does not exist is an
error. It can use `name`, `version`, `architecture`, `family`, `distribution` (os-release's ID), `release`
(VERSION_ID) and `codename` (VERSION_CODENAME).
Files are 0644 and folders 0755, of 0:0, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field, model_validator

from builder.model.entry import Kind
from builder.model.fields import Flag, ImagePath, Line, Mode, Owner, RecipeModel, split_owner
from builder.model.operation import Content, Operation, Put, PutEntry
from builder.steps.contents import CRLF_MESSAGE, file_content, find_problem, has_crlf_script, inline_content
from builder.steps.step import TEMPLATE_VARIABLES, InputProblem, InputProblems, StepContext, StepModel
from builder.templating import find_problems, render_text

_FORMS = ("content", "file", "template", "link", "directory")


class FileSpec(RecipeModel):
    """One file: exactly one of content, file, template, link, directory."""

    content: str | None = Field(default=None, description="the content itself")
    file: Line | None = Field(default=None, description="a file with the content, relative to the recipe")
    template: Line | None = Field(default=None, description="a Jinja2 template, relative to the recipe")
    link: Line | None = Field(default=None, description="the target of a symbolic link")
    directory: Flag | None = Field(default=None, description="true for a folder")
    mode: Mode | None = Field(
        default=None, description="octal; 0644 for files and 0755 for folders by default"
    )
    owner: Owner = Field(default="0:0", description="UID:GID")

    @model_validator(mode="after")
    def _check_one_form(self) -> FileSpec:
        given = [name for name in _FORMS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"has {' and '.join(given) or 'nothing'}, expected exactly one of {', '.join(_FORMS)}"
            )
        if self.directory is False:
            raise ValueError("directory can only be true")
        if self.link is not None and self.mode is not None:
            raise ValueError("a link has no mode of its own")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class FileInput:
    """What was read for one path: a finished content, or the text of a template with its place."""

    content: Content | None = None
    template: str = ""
    place: str = ""


class Files(StepModel[Mapping[str, FileInput]]):
    """Paths in the image and what goes there."""

    short_form: ClassVar[str] = "entries"
    only_short_form: ClassVar[bool] = True

    entries: dict[ImagePath, FileSpec] = Field(min_length=1, description="absolute paths in the image")

    @property
    def title(self) -> str:
        """The paths."""
        return "files: " + " ".join(sorted(self.entries))

    def read_inputs(self, folder: Path) -> Mapping[str, FileInput]:
        """The content of each file, the text of each template, by path in the image."""
        problems: list[InputProblem] = []
        inputs: dict[str, FileInput] = {}
        for path, spec in sorted(self.entries.items()):
            found = _find_problems(spec, path, folder)
            problems += found
            if not found:
                inputs[path] = _read_input(spec, folder)
        if problems:
            raise InputProblems(tuple(problems))
        return inputs

    def operations(self, context: StepContext, inputs: Mapping[str, FileInput]) -> tuple[Operation, ...]:
        """One Put, in the order of the paths. Raises RecipeError if a template cannot be rendered."""
        entries = (
            _put_entry(path, spec, inputs[path], context) for path, spec in sorted(self.entries.items())
        )
        return (Put(entries=tuple(entries)),)


def _find_problems(spec: FileSpec, path: str, folder: Path) -> list[InputProblem]:
    if spec.content is not None and has_crlf_script(spec.content.encode()):
        return [InputProblem(location=("entries", path, "content"), message=CRLF_MESSAGE)]
    form = "file" if spec.file is not None else "template"
    named = spec.file or spec.template
    if named is None:
        return []
    location = ("entries", path, form)
    source = folder / named
    if missing := find_problem(source, named, location):
        return [missing]
    if _starts_with_crlf_script(source):
        return [InputProblem(location=location, message=f"{named} {CRLF_MESSAGE}")]
    return _find_template_problems(source, named, location) if form == "template" else []


def _starts_with_crlf_script(source: Path) -> bool:
    with source.open("rb") as file:
        return has_crlf_script(file.read(4096))


def _find_template_problems(source: Path, named: str, location: tuple[str, ...]) -> list[InputProblem]:
    try:
        text = source.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return [InputProblem(location=location, message=f"the template {named} is not UTF-8")]
    return [
        InputProblem(location=location, place=f"{source}:{line}", message=message)
        for line, message in find_problems(text, TEMPLATE_VARIABLES)
    ]


def _read_input(spec: FileSpec, folder: Path) -> FileInput:
    if spec.content is not None:
        return FileInput(content=inline_content(spec.content.encode()))
    if spec.file is not None:
        return FileInput(content=file_content(folder / spec.file))
    if spec.template is not None:
        source = folder / spec.template
        return FileInput(template=source.read_bytes().decode("utf-8"), place=str(source))
    return FileInput()


def _put_entry(path: str, spec: FileSpec, given: FileInput, context: StepContext) -> PutEntry:
    uid, gid = split_owner(spec.owner)
    if spec.link is not None:
        return PutEntry(path=path, kind=Kind.SYMLINK, mode=0o777, uid=uid, gid=gid, target=spec.link)
    if spec.directory:
        mode = 0o755 if spec.mode is None else spec.mode
        return PutEntry(path=path, kind=Kind.DIRECTORY, mode=mode, uid=uid, gid=gid)
    content = given.content
    if spec.template is not None:
        text = render_text(given.template, context.template_variables, where=given.place)
        content = inline_content(text.encode())
    mode = 0o644 if spec.mode is None else spec.mode
    return PutEntry(path=path, kind=Kind.FILE, mode=mode, uid=uid, gid=gid, content=content)
