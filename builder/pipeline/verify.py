"""Reads an image back that was just written, with the checks its recipe asks for."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from builder.check.options import CheckOptions, Disabled, Report
from builder.check.policy import Policy
from builder.check.run import check_image
from builder.core.errors import RecipeError
from builder.load.document import parse_document
from builder.load.explain import explain_errors
from builder.recipe import Checks


def verify_image(
    path: Path, checks: Checks, folder: Path, *, name: str, architecture: str, now: int
) -> Report:
    """What the rules say of the image at `path`, which is to be called `name`. `folder` is the recipe's,
    `now` is in seconds since the epoch.

    Raises OSError, UsageError, RecipeError for a policy that cannot be read.
    """
    options = CheckOptions(
        strict=checks.strict,
        disabled=tuple(Disabled(rule=row.rule, reason=row.reason) for row in checks.disable),
        architecture=architecture,
        policy=load_policy(folder / checks.policy) if checks.policy else None,
        now=now,
    )
    return check_image(path, options, name=name)


def load_policy(path: Path) -> Policy:
    """The policy in the YAML file `path`. Raises RecipeError with every problem at its place."""
    document = parse_document(path, str(path))
    problems = document.problems
    if not problems:
        try:
            return Policy.model_validate(document.value)
        except ValidationError as error:
            problems = explain_errors(error, document, Policy)
    raise RecipeError("\n".join(f"{problem.place}: {problem.message}" for problem in problems))
