"""Writes docs/reference and recipes/recipe.schema.json from the code. `make docs` runs it.

Run as `python -m docs.generate` from the root of a checkout.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from builder.check.explain import reference as checks_page
from builder.core.files import write_atomic
from builder.load.schema import recipe_schema
from docs.generator.codes import events_page, exit_codes_page
from docs.generator.commands import commands_page
from docs.generator.configuration import configuration_page
from docs.generator.recipe import recipe_page

ROOT = Path(__file__).resolve().parent.parent


def schema_file() -> str:
    """recipes/recipe.schema.json, the very file that `wslimg init` writes."""
    return json.dumps(recipe_schema(), indent=2) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/recipe.md": recipe_page,
    "docs/reference/commands.md": commands_page,
    "docs/reference/exit-codes.md": exit_codes_page,
    "docs/reference/checks.md": checks_page,
    "docs/reference/wsl-conf.md": configuration_page,
    "docs/reference/events.md": events_page,
    "recipes/recipe.schema.json": schema_file,
}
"""What is generated, by its path in the checkout."""


def main() -> None:
    """Write every page."""
    for path, make in PAGES.items():
        write_atomic(ROOT / path, make().encode("utf-8"))


if __name__ == "__main__":
    main()
