"""The one place that renders Jinja2: files that go into images, pages, and recipes' own template files."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping

import jinja2
import jinja2.meta
import jinja2.nodes

from builder.core.errors import RecipeError
from builder.core.resources import resource_folder
from builder.core.suggestions import did_you_mean


def render_shipped(name: str, variables: Mapping[str, object]) -> str:
    """The shipped template `name` (a path below `templates/`) with `variables`; a missing one is a bug."""
    loader = jinja2.FileSystemLoader(resource_folder("templates"))
    return _environment(loader).get_template(name).render(variables)


def render_page(name: str, variables: Mapping[str, object]) -> str:
    """The shipped template `name` as HTML or XML: whatever is in `variables` stays text."""
    return _page_environment().get_template(name).render(variables)


def render_text(text: str, variables: Mapping[str, object], *, where: str) -> str:
    """`text` with `variables`. Raises RecipeError that names `where` and the template's line."""
    try:
        return _environment(None).from_string(text).render(variables)
    except jinja2.TemplateSyntaxError as error:
        raise RecipeError(f"template: {error.message}", where=f"{where}:{error.lineno}") from error
    except jinja2.UndefinedError as error:
        known = ", ".join(sorted(variables))
        raise RecipeError(
            f"template: {error.message}",
            where=f"{where}:{_line_of(error)}",
            fix=f"the variables are: {known}",
        ) from error


def find_problems(text: str, known: Collection[str]) -> tuple[tuple[int, str], ...]:
    """What is wrong with the template `text` before it is rendered, as (line, message): a syntax error, or
    else each variable that is not among `known`, unless the template itself allows for that."""
    try:
        tree = _environment(None).parse(text)
    except jinja2.TemplateSyntaxError as error:
        return ((error.lineno, f"{error.message}"),)
    unknown = jinja2.meta.find_undeclared_variables(tree) - set(known) - set(_allowed_unknown(tree))
    lines = {node.name: node.lineno for node in reversed(list(tree.find_all(jinja2.nodes.Name)))}
    found = ((lines[name], f"{name!r} is undefined{did_you_mean(name, known)}") for name in unknown)
    return tuple(sorted(found))


def _allowed_unknown(tree: jinja2.nodes.Template) -> Iterator[str]:
    """The names in `x is defined` and `x | default(...)`."""
    for node in tree.find_all((jinja2.nodes.Test, jinja2.nodes.Filter)):
        if node.name in ("defined", "undefined", "default", "d") and isinstance(node.node, jinja2.nodes.Name):
            yield node.node.name


@functools.cache
def _page_environment() -> jinja2.Environment:
    """Kept, since a site has thousands of pages."""
    loader = jinja2.FileSystemLoader(resource_folder("templates"))
    return _environment(loader).overlay(autoescape=True)


def _environment(loader: jinja2.BaseLoader | None) -> jinja2.Environment:
    return jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - the output is configuration and scripts; pages have their own
    )


def _line_of(error: Exception) -> int:
    """The template's line that raised: Jinja2 puts it into the traceback, in a file named <template>."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
