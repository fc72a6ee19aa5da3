"""The one place that renders Jinja2: files that go into images, and recipes' own template files."""

from __future__ import annotations

from collections.abc import Mapping

import jinja2

from builder.core.errors import RecipeError
from builder.core.resources import resource_folder


def render_shipped(name: str, variables: Mapping[str, object]) -> str:
    """The shipped template `name` (a path below `templates/`) with `variables`; a missing one is a bug."""
    loader = jinja2.FileSystemLoader(resource_folder("templates"))
    return _environment(loader).get_template(name).render(variables)


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


def _environment(loader: jinja2.BaseLoader | None) -> jinja2.Environment:
    return jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - the output is configuration and scripts, never HTML
    )


def _line_of(error: Exception) -> int:
    """The template's line that raised: Jinja2 puts it into the traceback, in a file named <template>."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
