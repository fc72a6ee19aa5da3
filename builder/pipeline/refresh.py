"""`build --refresh`: runs `run` steps again whose inputs are the same, because the network is not.

A step that was refreshed carries a token in its key from then on. The token is kept in the cache, so that the
next build takes what the refreshed step left, and an interrupted refresh is made up for.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from builder.core.digests import sha256_json
from builder.core.errors import UsageError
from builder.core.files import write_atomic
from builder.load.recipe import LoadedRecipe
from builder.steps.run import Run, RunInputs


def refresh_inputs(
    loaded: LoadedRecipe, cache: Path, *, networked: bool = False, steps: Collection[int] = ()
) -> tuple[Any, ...]:
    """The inputs of the steps of `loaded`, those of `run` with their tokens.

    Tokens are new for all runs that may use the network with `networked`, and for those at the positions
    `steps` (from 1). Raises UsageError for a position that is no run.
    """
    _check_steps(loaded, steps)
    inputs = []
    for number, (step, given) in enumerate(zip(loaded.recipe.steps, loaded.inputs, strict=True), start=1):
        if step.run is None:
            inputs.append(given)
            continue
        file = _token_file(cache, step.run, given)
        if number in steps or (networked and step.run.network):
            write_atomic(file, secrets.token_hex(8).encode("ascii"))
        inputs.append(replace(given, freshness=_read_token(file)))
    return tuple(inputs)


def _check_steps(loaded: LoadedRecipe, steps: Collection[int]) -> None:
    runs = [number for number, step in enumerate(loaded.recipe.steps, start=1) if step.run is not None]
    for number in sorted(steps):
        if number not in runs:
            known = ", ".join(map(str, runs)) or "none"
            raise UsageError(
                f"step {number} is no run, so it cannot be refreshed",
                where=str(loaded.path),
                fix=f"the steps of this recipe that are, counting from 1: {known}",
            )


def _token_file(cache: Path, run: Run, given: RunInputs) -> Path:
    """One for what is run, wherever it stands: steps that move stay as fresh as they are."""
    return cache / "refresh" / sha256_json([run.model_dump(mode="json"), given.script.content.digest])


def _read_token(file: Path) -> tuple[str, ...]:
    try:
        return (file.read_text(encoding="ascii"),)
    except FileNotFoundError:
        return ()
