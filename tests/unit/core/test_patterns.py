from __future__ import annotations

import pytest

from builder.core.patterns import matches


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/etc/*", "/etc/motd", True),
        ("/etc/*", "/etc/a/b", False),
        ("/etc/?", "/etc/a", True),
        ("/a?b", "/a/b", False),
        ("/etc/**", "/etc/a/b", True),
        ("/etc/**", "/etc", False),
        ("/**/b", "/b", True),
        ("/**/b", "/a/a/b", True),
        ("/a/**/b", "/a/xb", False),
        ("/[ab]", "/b", True),
        ("/[!ab]", "/b", False),
        ("/[!a]b", "//b", False),
        ("/[a", "/[a", True),
        ("/[]]", "/]", True),
        ("/[+-0]", "//", False),
        ("/[z-a]", "/b", False),
        ("/[a&&b]", "/&", True),
        ("/[a--b]", "/-", True),
        ("/caf?", "/café", True),
        ("/a.b", "/axb", False),
        ("/a\\*", "/a\\b", True),
        ("/*", "/new\nline", True),
    ],
)
def test_wildcards_are_those_of_a_shell_that_stop_at_slashes(pattern, path, expected):
    assert matches(pattern, path) is expected
