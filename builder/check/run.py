"""Checks one file: an image or a distribution list, told apart by content."""

from __future__ import annotations

from pathlib import Path

from builder.check.collect import Collected, collect
from builder.check.image import Image
from builder.check.list_subject import ListSubject, looks_like_list
from builder.check.options import CheckOptions, Profile, Report, make_report
from builder.check.rule import apply
from builder.check.table import (
    ARCHIVE_RULES,
    IMAGE_RULES,
    LIST_RULES,
    MICROSOFT_LIST_RULES,
    MICROSOFT_RULES,
    find_rule,
)
from builder.core.errors import UsageError
from builder.model.finding import Severity
from builder.tar.compression import Limits

_START = 4096
DEFAULTS = CheckOptions()


def check(path: Path, options: CheckOptions = DEFAULTS) -> Report:
    """Check whatever `path` is. Raises UsageError when it cannot be read or an option names no rule."""
    try:
        with path.open("rb") as file:
            is_list = looks_like_list(file.read(_START))
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return check_list(path, options) if is_list else check_image(path, options)


def check_image(path: Path, options: CheckOptions = DEFAULTS, limits: Limits | None = None) -> Report:
    """Check the image at `path` in one pass, without root. Raises OSError, UsageError.

    Damage is a finding (WSL001); what was read before it is judged all the same.
    """
    refuse_unknown_rules(options)
    return judge(collect(path, limits), options, name=path.name, subject=str(path))


def judge(collected: Collected, options: CheckOptions, *, name: str, subject: str) -> Report:
    """What the rules say of an image of which everything is known, in a file called `name`."""
    image = Image(collected, options, name=name)
    rules = MICROSOFT_RULES if options.profile is Profile.MICROSOFT else IMAGE_RULES
    if not _has_system(image):
        rules = ARCHIVE_RULES
    if options.errors_only:
        rules = tuple(rule for rule in rules if rule.severity is Severity.ERROR)
    return make_report(subject, tuple(apply(rules, image)), options)


def check_list(path: Path, options: CheckOptions = DEFAULTS) -> Report:
    """Check the distribution list at `path`. Raises OSError, UsageError."""
    refuse_unknown_rules(options)
    rules = MICROSOFT_LIST_RULES if options.profile is Profile.MICROSOFT else LIST_RULES
    return make_report(str(path), tuple(apply(rules, ListSubject(path.read_bytes()))), options)


def _has_system(image: Image) -> bool:
    return image.find("etc") is not None or image.find("bin/sh") is not None


def refuse_unknown_rules(options: CheckOptions) -> None:
    """Raise UsageError for a disabled rule that does not exist or has no reason."""
    for row in options.disabled:
        if find_rule(row.rule) is None:
            raise UsageError(f"there is no rule {row.rule}", fix="see the rules in docs/reference/checks.md")
        if not row.reason.strip():
            raise UsageError(f"rule {row.rule} is disabled without a reason", fix="say why: --reason TEXT")
