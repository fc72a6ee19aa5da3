"""`.dockerignore` decides as Docker's own reading of it does."""

from __future__ import annotations

import pytest

from builder.core.errors import ResolveError
from builder.sources.context.ignore import IgnoreRules


@pytest.mark.parametrize(
    ("text", "path", "ignored"),
    [
        ("", "a", False),
        ("a", "a", True),
        ("a", "b/a", False),
        ("a", "a/b/c", True),
        ("/a", "a", True),
        ("a/", "a/b", True),
        ("./a/../b", "b", True),
        ("*.log", "x.log", True),
        ("*.log", "deep/x.log", False),
        ("*/x.log", "deep/x.log", True),
        ("**/*.log", "x.log", True),
        ("**/*.log", "very/deep/x.log", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c].txt", "b.txt", True),
        ("[^a-c].txt", "b.txt", False),
        (r"\*.txt", "*.txt", True),
        (r"\*.txt", "a.txt", False),
        ("a+(b).txt", "a+(b).txt", True),
        ("# a\n\n  b  \n", "b", True),
        ("# a", "# a", False),
        ("\ufeffa", "a", True),
        ("*\n!keep", "keep", False),
        ("*\n!keep", "drop", True),
        ("*\n!keep/this", "keep/that", True),
        ("*\n!keep/this", "keep/this/file", False),
        ("!a\na", "a", True),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("*.md\n!README*.md\nREADME-secret.md", "README.md", False),
        ("//a", "a", True),
        (".", "a", False),
    ],
)
def test_the_last_pattern_that_matches_a_path_or_its_folder_decides(
    text: str, path: str, ignored: bool
) -> None:
    assert IgnoreRules(text).ignores(path) is ignored


def test_only_exceptions_make_ignored_folders_worth_a_look() -> None:
    assert not IgnoreRules("node_modules\n").lets_in_again
    assert IgnoreRules("node_modules\n!node_modules/own\n").lets_in_again


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n!\n", "rules:2: has a ! without a pattern"),
        ("[b-a]", r"rules:1: has '\[b-a\]', which is no pattern: bad character range"),
    ],
)
def test_what_is_no_pattern_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ResolveError, match=message):
        IgnoreRules(text, "rules")
