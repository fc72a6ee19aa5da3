from __future__ import annotations

from builder.sources.debian.relations import Relation, parse_relations


def test_groups_alternatives_versions_and_qualifiers() -> None:
    groups = parse_relations("libc6 (>= 2.36), awk:any | mawk(<<1:2~) ,\n debconf (>= 0.5) | debconf-2.0")
    assert groups == (
        (Relation("libc6", "", ">=", "2.36"),),
        (Relation("awk", "any"), Relation("mawk", "", "<<", "1:2~")),
        (Relation("debconf", "", ">=", "0.5"), Relation("debconf-2.0")),
    )
    assert str(groups[1][1]) == "mawk (<< 1:2~)"


def test_nothing_has_no_relations() -> None:
    assert parse_relations("") == parse_relations(" , ") == ()


def test_an_unversioned_provide_satisfies_only_unversioned_relations() -> None:
    assert Relation("awk").accepts_provided("")
    assert not Relation("awk", "", ">=", "1").accepts_provided("")
    assert Relation("awk", "", ">=", "1").accepts_provided("1")
