"""Drafts: kept as they are typed, valid or not; nothing is overwritten unseen, and only what is valid is published."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.capabilities.drafts import differences
from connector.errors import Conflict, InvalidInput, NotFound, Stale, TooLarge
from connector.storage.tables import Dataset, SavedDraft
from tests.builders import OPERATOR, Still
from tests.capabilities.conftest import US
from tests.capabilities.test_datasets import record

JSON = "application/json"
TURTLE = "text/turtle"


def save(house: Still, document: dict[str, Any] | bytes, media_type: str = JSON) -> SavedDraft:
    """Keep a new draft."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return house.connector.drafts.save(content, media_type, OPERATOR, "dcat-ap")


@pytest.mark.parametrize(
    ("content", "media_type", "title", "parses", "conforms"),
    [
        (b'{"id": "https://us.example/d", "title": {"en": "Rain"}, "description": {"en": "-"}}', JSON, "Rain", 1, 1),
        (b'{"id": "https://us.example/d", "title": {"en": "Rain"}}', JSON, "Rain", 1, 0),
        (b'{"title": "Rain", "colour": "red"}', JSON, "Rain", 0, 0),
        (b'{"title": {"de": "Reg', JSON, "", 0, 0),
        (b'{"title": 5}', JSON, "", 0, 0),
        (b"", JSON, "", 0, 0),
        (b"\xff\xfe\x00", JSON, "", 0, 0),
        (b"<urn:x:d> a <http://www.w3.org/ns/dcat#Dataset> .", TURTLE, "", 1, 0),
        (b"<urn:x:d> a <http", TURTLE, "", 0, 0),
    ],
)
def test_whatever_is_typed_is_kept(
    each_house: Still, content: bytes, media_type: str, title: str, parses: int, conforms: int
) -> None:
    """To the byte, on either engine, with what is found in it and with its title where there is one."""
    draft = save(each_house, content, media_type)
    kept = each_house.connector.drafts.get(draft.id)
    assert (kept.content, kept.media_type, kept.revision, kept.by) == (content, media_type, 1, "operator")
    assert (kept.title, kept.report["parses"], kept.report["conforms"]) == (title, bool(parses), bool(conforms))
    assert bool(kept.report["results"]) == bool(parses and kept.report["results"])
    if not parses:
        assert kept.report["problem"]["message"]
    assert each_house.rows(Dataset) == []


def test_what_can_never_be_a_record_is_no_draft(house: Still) -> None:
    """A form that nothing reads, a profile that is none, more bytes than a draft has."""
    with pytest.raises(InvalidInput):
        save(house, b"x", "image/png")
    with pytest.raises(InvalidInput):
        house.connector.drafts.save(b"{}", JSON, OPERATOR, "none")
    with pytest.raises(TooLarge):
        save(house, b" " * (4 * 2**20 + 1))


def test_a_draft_is_saved_again_and_again(house: Still) -> None:
    """Each saving is a revision; the same again is none; the newest work is listed first."""
    drafts = house.connector.drafts
    first, other = save(house, {"title": "Rain"}), save(house, {"title": "Snow"})
    house.clock.move(hours=1)
    second = drafts.update(first.id, b'{"title": "Rain and hail"}', JSON, 1, OPERATOR, "dcat-ap")
    assert (second.revision, second.title, second.updated) == (2, "Rain and hail", house.clock())
    assert drafts.update(first.id, b'{"title": "Rain and hail"}', JSON, 1, OPERATOR, "dcat-ap").revision == 2
    keys = [row.id for row in drafts.all()]
    assert keys.index(first.id) < keys.index(other.id)
    drafts.discard(other.id)
    with pytest.raises(NotFound):
        drafts.get(other.id)
    with pytest.raises(NotFound):
        drafts.update(other.id, b"{}", JSON, 1, OPERATOR, "dcat-ap")


def test_what_somebody_else_saved_is_not_overwritten(house: Still) -> None:
    """The refusal has each field that differs with both values; the stored draft stays as it is."""
    drafts = house.connector.drafts
    document = {"title": {"en": "Rain"}, "keyword": {"en": ["wet"]}, "distribution": [{"title": {"en": "a.csv"}}]}
    draft = save(house, document)
    theirs = {**document, "title": {"en": "Showers"}, "description": {"en": "By day."}}
    drafts.update(draft.id, json.dumps(theirs).encode(), JSON, 1, OPERATOR, "dcat-ap")
    ours = {**document, "title": {"en": "Drizzle"}, "distribution": [{"title": {"en": "b.csv"}}]}
    with pytest.raises(Stale) as refused:
        drafts.update(draft.id, json.dumps(ours).encode(), JSON, 1, OPERATOR, "dcat-ap")
    assert [each["field"] for each in refused.value.differences] == [
        "description.en",
        "distribution[0].title.en",
        "title.en",
    ]
    title = refused.value.differences[2]
    assert (title["stored"], title["yours"]) == ('"Showers"', '"Drizzle"')
    assert "title.en" in refused.value.reasons[2]
    assert json.loads(drafts.get(draft.id).content) == theirs
    merged = drafts.update(draft.id, json.dumps(ours).encode(), JSON, 2, OPERATOR, "dcat-ap")
    assert merged.revision == 3


def test_rdf_is_compared_by_what_it_says() -> None:
    """Order and prefixes are no differences; a property with another value is one; what is unreadable is one whole."""
    one = b'@prefix d: <http://purl.org/dc/terms/> . <urn:a> d:title "A" ; d:subject "x", "y" .'
    two = b'<urn:a> <http://purl.org/dc/terms/subject> "y", "x" ; <http://purl.org/dc/terms/title> "B" .'
    (found,) = differences(one, TURTLE, two, TURTLE)
    assert (found["field"], found["stored"], found["yours"]) == ("<urn:a> dct:title", '"A"', '"B"')
    (whole,) = differences(one, TURTLE, b"<urn:a> <", TURTLE)
    assert whole["field"] == ""
    assert differences(b"{", JSON, b"{", JSON) == []


LEAVES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=2), LEAVES, max_size=4)


@given(OBJECTS, OBJECTS)
def test_equal_drafts_have_no_difference_and_unequal_ones_have_one(one: dict[str, Any], two: dict[str, Any]) -> None:
    """Nothing that was typed is missed: whatever differs is told, from either side the same."""
    texts = [json.dumps(each).encode() for each in (one, two)]
    found = differences(texts[0], JSON, texts[1], JSON)
    back = differences(texts[1], JSON, texts[0], JSON)
    assert bool(found) == (one != two or json.dumps(one, sort_keys=True) != json.dumps(two, sort_keys=True))
    assert [(each["field"], each["yours"], each["stored"]) for each in back] == [
        (each["field"], each["stored"], each["yours"]) for each in found
    ]


def test_only_what_is_valid_is_published_and_the_draft_stays(house: Still) -> None:
    """An invalid draft is refused with the findings and kept; mended it becomes a version, and says which."""
    drafts, document = house.connector.drafts, record(house)
    draft = save(house, {**document, "title": {}})
    with pytest.raises(InvalidInput) as refused:
        drafts.publish(draft.id, 1, OPERATOR)
    assert any("title" in each.lower() for each in refused.value.reasons)
    assert drafts.get(draft.id).published is None
    drafts.update(draft.id, json.dumps(document).encode(), JSON, 1, OPERATOR, "dcat-ap")
    with pytest.raises(Conflict, match="revision 2"):
        drafts.publish(draft.id, 1, OPERATOR)
    done = drafts.publish(draft.id, 2, OPERATOR)
    assert (done.id, done.version, done.created) == (document["id"], 1, True)
    kept = drafts.get(draft.id)
    assert (kept.published, kept.dataset) == (1, document["id"])
    assert drafts.publish(draft.id, 2, OPERATOR).changed is False
    assert house.row(Dataset, US, document["id"]).version == 1


def test_a_draft_without_a_name_is_given_one_when_it_is_published(house: Still) -> None:
    """Published twice, as after a lost answer, it is one dataset."""
    draft = save(house, {"title": {"en": f"Rain {next(house.numbers)}"}, "description": {"en": "By day."}})
    assert draft.dataset is None
    done = house.connector.drafts.publish(draft.id, 1, OPERATOR)
    assert house.connector.drafts.publish(draft.id, 1, OPERATOR).id == done.id
    assert house.connector.drafts.get(draft.id).dataset == done.id
