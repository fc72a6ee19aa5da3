"""The lists we write, read by the model of wsl.exe."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.check.lists import RULES, ListSubject
from builder.check.microsoft_lists import RULES as MICROSOFT
from builder.check.rule import apply
from builder.model.catalog import ChannelDocument, Mark, Publication
from builder.model.finding import Severity
from builder.publish.channel import Channel, describe_channel
from builder.publish.render import render_channel, render_list, render_schema
from builder.publish.versions import version_key
from builder.wsl.lists import ARCHITECTURES, ListError, Version
from builder.wsl.lookup import look_up, look_up_default, make_available, rows_online
from tests.unit.publish.catalogs import BASE, channel, listed, mark, publication


def installed(state: Channel, name: str, architecture: str = "amd64") -> str:
    """The address that `wsl --install NAME` downloads from."""
    entry = look_up(make_available(listed(state), None, architecture), name).entry
    assert isinstance(entry, Version)
    archive = entry.archive(architecture)
    assert archive is not None
    return archive.url


def url(one: Publication) -> str:
    return f"{BASE}/{one.image.path}"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.10"), ("1.0-rc1", "1.0"), ("1.0-rc2", "1.0-rc10"), ("1.0", "1.0.1"), ("2025.12", "2026.1"),
        ("1.0~beta", "1.0"), ("1.0", "1.0b"), ("9", "10"), ("1.0-preview", "1.0"), ("1.0", "1.00"),
    ],
)  # fmt: skip
def test_versions_are_ordered_as_people_count(older: str, newer: str):
    assert version_key(older) < version_key(newer)


def test_the_flavor_is_the_newest_version_and_each_version_keeps_its_name():
    old, new = publication("1.9"), publication("1.10")
    state = channel(old, new)
    assert installed(state, "dev") == url(new)
    assert installed(state, "DEV-1.9") == url(old)
    assert [entry.name for entry in listed(state).flavors[0].versions] == ["dev", "dev-1.10", "dev-1.9"]


def test_the_flavor_is_what_each_architecture_has():
    amd64, arm64 = publication("2"), publication("1", architecture="arm64")
    state = channel(amd64, arm64)
    assert installed(state, "dev", "amd64") == url(amd64)
    assert installed(state, "dev", "arm64") == url(arm64)


def test_a_withdrawn_version_is_not_offered():
    old, new = publication("1"), publication("2")
    state = channel(old, new, marks=(mark("withdrawn", "2"),))
    assert installed(state, "dev") == url(old)
    with pytest.raises(ListError):
        installed(state, "dev-2")


def test_a_deprecated_version_says_so_and_stands_for_nothing_while_there_is_another():
    old, new = publication("1"), publication("2")
    state = channel(old, new, marks=(mark("deprecated", "2", use="dev-1"),))
    assert installed(state, "dev") == url(old)
    assert installed(state, "dev-2") == url(new)
    titles = {
        row.name: row.friendly_name for row in rows_online(make_available(listed(state), None, "amd64"))
    }
    assert titles == {"dev": "The dev", "dev-1": "The dev 1", "dev-2": "The dev 2 (deprecated, use dev-1)"}


def test_a_version_that_stands_for_its_flavor_comes_before_newer_ones():
    chosen, preview = publication("1", default=True), publication("2-preview")
    state = channel(chosen, preview)
    assert installed(state, "dev") == url(chosen)
    assert installed(state, "dev-2-preview") == url(preview)


def test_the_full_list_has_a_default_and_the_other_leaves_it_to_microsoft():
    state = channel(publication("1"), publication("1", flavor="Azure"))
    assert listed(state).default == "Azure"
    assert listed(state, full=False).default is None
    chosen = channel(*state.publications, default="dev")
    assert (listed(chosen).default, listed(chosen, full=False).default) == ("dev", "dev")


def test_an_empty_channel_is_a_list():
    assert listed(channel()).flavors == ()


def test_a_list_is_laid_out_as_microsofts_own():
    """As microsoft/WSL distributions/validate.py wants its own file: so it can be compared with that."""
    state = channel(publication("1", friendly_name="Größe"), publication("2", architecture="arm64"))
    for full in (True, False):
        data = render_list(describe_channel(state), "", full=full)
        assert data == (json.dumps(json.loads(data), indent=4) + "\n").encode("ascii")


def test_names_beyond_ascii_survive_a_file_address():
    state = channel(publication("1", friendly_name="Entwickler für Köln 🐧"))
    rows = rows_online(make_available(listed(state), None, "amd64"))
    assert rows[0].friendly_name == "Entwickler für Köln 🐧"


def test_the_schema_describes_the_document():
    document = describe_channel(channel(publication("1"), marks=(mark("deprecated", "1"),)))
    files = render_channel(document, "")
    schema = json.loads(render_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(files["catalog.json"]), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": 1}, schema)


def test_the_document_of_the_reference_is_one():
    page = Path(__file__).parents[3] / "docs/reference/catalog.md"
    example = page.read_text("utf-8").partition("```json\n")[2].partition("```")[0]
    ChannelDocument.model_validate_json(example)


FLAVORS = st.sampled_from(["dev", "DEV", "dev-1", "data", "Data-2", "a"])
VERSIONS = st.sampled_from(["1", "1.0", "1.0-rc1", "2", "2026.11.1", "3~a", "10", "1-amd64"])
PUBLICATIONS = st.lists(
    st.builds(
        publication,
        VERSIONS,
        flavor=FLAVORS,
        architecture=st.sampled_from(sorted(ARCHITECTURES)),
        friendly_name=st.text(min_size=1, max_size=8),
        default=st.booleans(),
        data=st.binary(min_size=1, max_size=1),
    ),
    max_size=12,
)
MARKS = st.lists(
    st.builds(mark, st.sampled_from(["withdrawn", "deprecated"]), VERSIONS, flavor=FLAVORS), max_size=6
)


def with_legal_name(one: Publication) -> Publication:
    return one.model_copy(update={"name": one.name.replace("~", "-")})


@settings(max_examples=100, deadline=None)
@given(PUBLICATIONS, MARKS, st.sampled_from(["", "dev", "nothing"]))
def test_whatever_is_published_wsl_can_install_what_the_list_offers(
    publications: list[Publication], marks: list[Mark], default: str
):
    state = channel(*map(with_legal_name, publications), marks=tuple(marks), default=default)
    whole = listed(state)
    withdrawn = {path for one in state.publications for path in [url(one)] if is_withdrawn(state, one)}
    for architecture in ARCHITECTURES:
        available = make_available(whole, None, architecture)
        for flavor in available.base.flavors:
            for version in flavor.versions:
                assert look_up(available, version.name.swapcase()).entry == version
            if flavor.versions:
                found = look_up(available, flavor.name).entry
                assert found == flavor.versions[0] and found.name == flavor.name
        addresses = {
            archive.url
            for flavor in whole.flavors
            for version in flavor.versions
            if (archive := version.archive(architecture))
        }
        assert not addresses & withdrawn
    everywhere = [flavor for flavor in whole.flavors if all(map(flavor.versions[0].archive, ARCHITECTURES))]
    if everywhere and default != "dev":
        for architecture in ARCHITECTURES:
            look_up_default(make_available(whole, None, architecture))


def is_withdrawn(state: Channel, one: Publication) -> bool:
    return (one.flavor, one.version) in state.marked("withdrawn")


@settings(max_examples=50, deadline=None)
@given(PUBLICATIONS, MARKS)
def test_no_list_breaks_a_rule(publications: list[Publication], marks: list[Mark]):
    state = channel(*map(with_legal_name, publications), marks=tuple(marks))
    document = describe_channel(state)
    for full in (True, False):
        subject = ListSubject(render_list(document, "", full=full))
        found = [*apply(RULES, subject), *apply(MICROSOFT, subject)]
        # Two architectures may have different newest versions, and the list default stands on one of them.
        allowed = {"LST011", "LST018"}
        assert [one for one in found if one.rule not in allowed and one.severity is not Severity.INFO] == []


@settings(max_examples=50, deadline=None)
@given(PUBLICATIONS, MARKS, st.randoms(use_true_random=False))
def test_the_order_of_entries_changes_nothing(publications, marks, random):
    shuffled = list(publications)
    random.shuffle(shuffled)
    unique = {(one.flavor, one.version, one.architecture, one.image.sha256): one for one in publications}
    ordered = list(unique.values())
    random.shuffle(shuffled := list(ordered))
    one, other = (describe_channel(channel(*each, marks=tuple(marks))) for each in (ordered, shuffled))
    assert render_channel(one, "") == render_channel(other, "")
