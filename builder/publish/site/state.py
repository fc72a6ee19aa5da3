"""What is known of the pages that are there: `site/pages.json`."""

from __future__ import annotations

from pydantic import ValidationError

from builder.model.catalog import CatalogModel
from builder.publish.read import read_or_nothing
from builder.publish.site.paths import STATE
from builder.publish.target import Target


class State(CatalogModel):
    """The content of `site/pages.json`: the channels that the pages tell of, and path -> key."""

    channels: tuple[str, ...] = ()
    pages: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults


def read_state(target: Target) -> State:
    """What the pages there were made from; of a damaged file nothing, so that all are written again."""
    try:
        return State.model_validate_json(read_or_nothing(target, STATE) or b"{}")
    except ValidationError:
        return State()
