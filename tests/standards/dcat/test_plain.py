"""The plain form as JSON: what clients post, and refusals that name the field."""

import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from connector.errors import InvalidInput, TooLarge
from connector.standards.dcat import model as m
from connector.standards.dcat.plain import from_plain, to_plain
from tests.standards.dcat.records import datasets


def posted(**fields: Any) -> m.Dataset:
    """Return the record from JSON with these fields."""
    return from_plain(json.dumps({"id": "urn:d", **fields}).encode())


@settings(max_examples=60)
@given(datasets())
def test_json_carries_every_record(dataset: m.Dataset) -> None:
    """What a client gets it can post again."""
    assert from_plain(to_plain(dataset)) == dataset


def test_texts_may_come_without_languages() -> None:
    """The short form of a text is the long one without a language tag, at every level."""
    found = posted(title="Rain", keyword=["a", "b"], publisher={"name": "Office"}, distribution=[{"title": "File"}])
    assert found.title == {"": "Rain"}
    assert found.keyword == {"": ("a", "b")}
    assert posted(keyword={"en": "a"}).keyword == {"en": ("a",)}
    assert found.publisher == m.Agent(name={"": "Office"})
    assert found.distribution[0].title == {"": "File"}


def test_null_says_nothing() -> None:
    """Clients that send every field of a form are understood."""
    assert posted(title=None, theme=None, publisher=None, keyword=None) == m.Dataset(id="urn:d")


def test_the_id_can_be_given_by_the_server() -> None:
    """The JSON's own id comes first."""
    assert from_plain(b"{}", id="urn:minted").id == "urn:minted"
    assert from_plain(b'{"id": "urn:own"}', id="urn:minted").id == "urn:own"


@pytest.mark.parametrize(
    ("fields", "where", "words"),
    [
        ({"titel": "x"}, "titel", "title"),
        ({"distribution": [{"checksum": {"hash": "x"}}]}, "distribution[0].checksum.hash", "algorithm, id, value"),
        ({"id": "no iri"}, "id", "an absolute IRI"),
        ({"id": "urn:d\n"}, "id", "an absolute IRI"),
        ({"theme": ["urn:a", "b"]}, "theme[1]", "an absolute IRI"),
        ({"title": ["x"]}, "title", '{"en": "…"}'),
        ({"title": {"e n": "x"}}, "title", "Each key of title must be a language tag"),
        ({"title": {"en": 5}}, "title[...]", "a text in quotes"),
        ({"issued": "yesterday"}, "issued", "2024-05-01"),
        ({"temporal_resolution": "hourly"}, "temporal_resolution", "PT1H"),
        ({"distribution": [{}, {"byte_size": "12 MB"}]}, "distribution[1].byte_size", "a whole number"),
        ({"distribution": [{"byte_size": -1}]}, "distribution[0].byte_size", ">= 0"),
        ({"spatial": [{"bbox": [1, 2, 3]}]}, "spatial[0].bbox", "length 4"),
        ({"spatial": [{"bbox": [1, 2, 3, 99]}]}, "spatial[0]", "north 99.0"),
        ({"contact_point": [{"email": "nobody"}]}, "contact_point[0].email", "an e-mail address"),
        ({"distribution": {}}, "distribution", "a list"),
        ({"spatial_resolution_in_meters": [0]}, "spatial_resolution_in_meters[0]", "> 0"),
    ],
)
def test_refusals_name_the_field_and_what_it_takes(fields: dict[str, Any], where: str, words: str) -> None:
    """The path leads to the place in the JSON, the words to the mend."""
    with pytest.raises(InvalidInput) as refusal:
        posted(**fields)
    assert refusal.value.where == where
    assert words in str(refusal.value)
    assert "regex" not in str(refusal.value)
    assert "`" not in str(refusal.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[]", "JSON object"),
        (b"{", "not well-formed"),
        (b'{"title": "a", "title": "b"}', "twice"),
        (b"{}", "'id' is missing"),
        (b"\xff", "not readable"),
    ],
)
def test_what_is_no_record_is_refused(data: bytes, words: str) -> None:
    """As above, for the whole."""
    with pytest.raises(InvalidInput, match=words):
        from_plain(data)


def test_deep_json_is_refused() -> None:
    """The form nests a few levels; five thousand are an attack."""
    with pytest.raises(TooLarge):
        from_plain(b'{"publisher":' * 5000)


@given(
    st.dictionaries(
        st.sampled_from(["id", "title", "keyword", "publisher", "spatial", "distribution", "bbox", "x"]),
        st.recursive(
            st.one_of(st.none(), st.integers(), st.text(max_size=3)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=2), inner, max_size=2)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_json_is_a_record_or_a_refusal(document: dict[str, Any]) -> None:
    """No input ends in anything else."""
    try:
        from_plain(json.dumps(document).encode(), id="urn:d")
    except InvalidInput:
        event("refused")
