"""What networked steps see of the machine that builds: its proxies, and the mirrors that the build uses."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from builder.model.operation import Operation
from builder.model.plan import Plan
from builder.model.surroundings import Surroundings
from builder.recipe import Recipe
from builder.sources.source import Supply
from builder.sources.table import kind_of

_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")


@contextmanager
def surround(plan: Plan, recipe: Recipe, supply: Supply) -> Iterator[Surroundings]:
    """The surroundings for the operations of `plan`; what they need works until the block ends.

    Starts a thread where a command may use the network: an engine that enters a user namespace is opened
    before.
    """
    if not any(uses_network(planned.operation) for planned in plan.operations):
        yield Surroundings()
        return
    source = recipe.source.model
    with kind_of(source).surround(source, supply) as own:
        yield replace(own, env=(*proxy_variables(os.environ), *own.env))


def uses_network(operation: Operation) -> bool:
    """Whether `operation` runs with the network of this machine."""
    return getattr(operation, "network", False)


def proxy_variables(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The variables of `environment` that name proxies. Programs differ in which spelling they read."""
    names = (*_PROXIES, *map(str.upper, _PROXIES))
    return tuple((name, environment[name]) for name in names if environment.get(name))
