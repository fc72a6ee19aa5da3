from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.sources.debian.version import satisfies, version_key

# Debian Policy 5.6.12 and the tests of dpkg (lib/dpkg/t/t-version.c).
ASCENDING = (
    "0~~",
    "0~",
    "0",
    "0.1-1~bpo1",
    "0.1-1",
    "0.1-1+b1",
    "0.2",
    "0.10",
    "1.0~rc1-1",
    "1.0-1",
    "1.0a-1",
    "1.0b-1",
    "1.0+dfsg-1",
    "1.0.1-1",
    "1:0.1",
    "2:0~",
)

VERSIONS = st.text(alphabet="0129aZ.+~-:", min_size=1, max_size=8).filter(lambda text: text[0].isdigit())


def test_versions_sort_as_policy_says() -> None:
    for lower, higher in pairwise(ASCENDING):
        assert version_key(lower) < version_key(higher), (lower, higher)


@pytest.mark.parametrize(
    ("one", "other"), [("1", "0:1"), ("1", "1-0"), ("1.0", "1.00"), ("0", "00"), ("1.", "1.0")]
)
def test_equal_versions_have_equal_keys(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


@pytest.mark.parametrize(
    ("operator", "holds"),
    [("<<", "<"), ("<=", "<="), ("=", "="), (">=", ">="), (">>", ">"), ("<", "<="), (">", ">=")],
)
def test_operators(operator: str, holds: str) -> None:
    results = {
        "<": satisfies("1", operator, "2"),
        "=": satisfies("1", operator, "1"),
        ">": satisfies("2", operator, "1"),
    }
    assert results == {sign: sign in holds for sign in "<=>"}


@given(VERSIONS, VERSIONS)
def test_the_order_is_total_and_matches_a_plain_reading_of_policy(one: str, other: str) -> None:
    assert (version_key(one) > version_key(other)) - (version_key(one) < version_key(other)) == _compare(
        one, other
    )


def _compare(one: str, other: str) -> int:
    """The algorithm of policy, step by step."""
    for left, right in zip(_split(one), _split(other), strict=True):
        while left or right:
            heads = [_take(part, digits=False) for part in (left, right)]
            for a, b in _padded(heads[0], heads[1]):
                if a != b:
                    return 1 if a > b else -1
            left, right = left[len(heads[0]) :], right[len(heads[1]) :]
            heads = [_take(part, digits=True) for part in (left, right)]
            if int(heads[0] or 0) != int(heads[1] or 0):
                return 1 if int(heads[0] or 0) > int(heads[1] or 0) else -1
            left, right = left[len(heads[0]) :], right[len(heads[1]) :]
    return 0


def _split(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    return (epoch if epoch.isdigit() else "0", upstream if dash else rest, revision if dash else "")


def _take(text: str, *, digits: bool) -> str:
    end = 0
    while end < len(text) and text[end].isdigit() == digits:
        end += 1
    return text[:end]


def _padded(one: str, other: str) -> list[tuple[int, int]]:
    def weight(character: str) -> int:
        return {"~": -1, "": 0}.get(character, ord(character or "\0") + (0 if character.isalpha() else 1000))

    return [(weight(one[at : at + 1]), weight(other[at : at + 1])) for at in range(max(len(one), len(other)))]


def test_every_pair_of_the_list_agrees_with_its_place() -> None:
    for (low, one), (high, other) in product(enumerate(ASCENDING), repeat=2):
        assert (version_key(one) < version_key(other)) == (low < high)
