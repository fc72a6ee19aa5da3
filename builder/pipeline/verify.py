"""Checks an image that was just written, by its entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from builder.check.options import CheckOptions, Disabled, Report
from builder.check.packed import collect_entries
from builder.check.policy import Policy
from builder.check.run import judge, refuse_unknown_rules
from builder.core.errors import RecipeError
from builder.extraction.nature import Look
from builder.load.document import parse_document
from builder.load.explain import explain_errors
from builder.model.entry import Entry
from builder.pack.normalise import normalise
from builder.pack.settings import PackResult, PackSettings
from builder.recipe import Checks
from builder.tar.compression import Compression


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A packed image, called `subject` in its report: the `entries` it was made of in their order, `looks`
    that say what their files are, and the settings it was packed with."""

    subject: str
    result: PackResult
    settings: PackSettings
    entries: Iterable[Entry]
    looks: Mapping[bytes, Look]


def verify_image(written: Written, options: CheckOptions) -> Report:
    """What the rules say of an image: what `check_image` says of the same image, which is not read for it
    (docs/decisions/0008-images-are-not-read-back.md). Raises OSError, UsageError.
    """
    refuse_unknown_rules(options)
    collected = collect_entries(
        normalise(written.entries, written.settings.time),
        written.looks,
        compression=Compression(written.settings.kind.value),
        file_size=written.result.size,
        tar_size=written.result.tar_size,
    )
    return judge(collected, options, name=written.result.path.name, subject=written.subject)


def choose_options(checks: Checks, folder: Path, *, architecture: str, now: int) -> CheckOptions:
    """How a recipe in `folder` wants its image checked; `now` is in seconds since the epoch.

    Raises RecipeError for a policy that cannot be read.
    """
    return CheckOptions(
        strict=checks.strict,
        disabled=tuple(Disabled(rule=row.rule, reason=row.reason) for row in checks.disable),
        architecture=architecture,
        policy=load_policy(folder / checks.policy) if checks.policy else None,
        now=now,
    )


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
