"""Boxes, periods and cursors of the search index, before any statement is made."""

import base64
import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.storage.index_request import (
    BBox,
    Entry,
    Position,
    SearchRequest,
    boxes,
    checked,
    cursor,
    micros,
    parts,
    period,
    values,
)
from connector.storage.index_schema import FAR, PARTS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(**fields: object) -> Entry:
    """Return an entry with some fields."""
    return Entry(**{"origin": "did:web:a", "id": "urn:d", "title": "T", "updated": NOON, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 40, 20, 50), [(10, 40, 20, 50)]),
        ((170, -10, -170, 10), [(170, -10, 180, 10), (-180, -10, -170, 10)]),
        ((0, -90, 360, 90), [(-180, -90, 180, 90)]),
        ((350, 0, 370, 1), [(-10, 0, 10, 1)]),
        ((350, 0, 10, 1), [(-10, 0, 10, 1)]),
        ((190, 0, 200, 1), [(-170, 0, -160, 1)]),
        ((170, 0, 190, 1), [(170, 0, 180, 1), (-180, 0, -170, 1)]),
        ((5, 5, 5, 5), [(5, 5, 5, 5)]),
        ((0, -95, 1, 95), [(0, -90, 1, 90)]),
        ((0, 50, 1, 40), []),
        ((0, 91, 1, 95), []),
        ((math.nan, 0, 1, 1), []),
        ((0, 0, math.inf, 1), []),
    ],
)
def test_a_box_is_brought_onto_the_map(box: tuple[float, ...], expected: list[tuple[float, ...]]) -> None:
    """Boxes over the 180th meridian, of another turn or beyond a pole are stored as what they cover."""
    assert list(parts(BBox(*box))) == expected


degrees = st.floats(-720, 720, allow_nan=False).map(lambda value: round(value, 3))


@given(degrees, st.floats(0, 359), st.floats(-90, 90), st.floats(0, 1))
def test_a_box_covers_the_same_meridians_afterwards(west: float, width: float, south: float, share: float) -> None:
    """Whatever turn a box is given in, each of its meridians lies in one of its parts and the parts lie on the map."""
    found = list(parts(BBox(west, south, west + width, 90)))
    meridian = (west + width * share + 180) % 360 - 180
    same = (meridian, meridian + 360)  # -180 and 180 are one meridian
    assert any(box.west - 1e-6 <= m <= box.east + 1e-6 for box in found for m in same)
    assert all(-180 <= box.west <= box.east <= 180 for box in found)
    assert sum(box.east - box.west for box in found) == pytest.approx(width, abs=1e-6)


def test_too_many_boxes_become_the_one_around_them() -> None:
    """A dataset of a thousand footprints is still found where it is."""
    many = tuple(BBox(n / 10, 0, n / 10 + 0.05, 1) for n in range(PARTS + 1))
    assert boxes(entry(boxes=many)) == (BBox(0, 0, PARTS / 10 + 0.05, 1),)
    assert len(boxes(entry(boxes=many[:PARTS] + many[:PARTS]))) == PARTS


@given(st.datetimes(), st.integers(-840, 840))
def test_moments_are_exact_to_the_microsecond(moment: datetime, offset: int) -> None:
    """Floats would lose microseconds far from 1970; a naive moment is UTC; the zone does not matter."""
    back = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros(moment))
    assert back == moment.replace(tzinfo=UTC)
    assert micros(moment.replace(tzinfo=timezone(timedelta(minutes=offset)))) == micros(moment) - offset * 60_000_000


def test_a_period_may_be_open_or_backwards() -> None:
    """What is not said is open; ends given in the wrong order are a slip and not a reason to lose the dataset."""
    early, late = NOON, NOON + timedelta(days=1)
    assert period(entry()) is None
    assert period(entry(begin=early)) == (micros(early), FAR)
    assert period(entry(end=early)) == (-FAR, micros(early))
    assert period(entry(begin=late, end=early)) == (micros(early), micros(late))


def test_facts_no_database_keeps_are_left_out() -> None:
    """NUL, halves of surrogate pairs, impossible numbers and values longer than any index takes do no harm."""
    odd = entry(title="a\x00b\ud800", themes=("t\x00", "x" * 1001), boxes=(BBox(math.nan, 0, 1, 1), BBox(0, 0, 1, 1)))
    hit = odd.hit()
    assert (hit.title, hit.boxes) == ("ab", (BBox(0, 0, 1, 1),))
    assert values(hit) == {("theme", "t"), ("origin", "did:web:a")}


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        (SearchRequest(limit=0), "limit"),
        (SearchRequest(limit=1001), "limit"),
        (SearchRequest(bbox=BBox(0, 10, 1, 0)), "bbox"),
        (SearchRequest(bbox=BBox(-181, 0, 1, 1)), "bbox"),
        (SearchRequest(bbox=BBox(0, 0, math.nan, 1)), "bbox"),
        (SearchRequest(bbox=BBox(0, 0, math.inf, 1)), "bbox"),
        (SearchRequest(begin=NOON, end=NOON - timedelta(seconds=1)), "end"),
        (SearchRequest(q=" ".join(f"w{n}" for n in range(17))), "q"),
        (SearchRequest(themes=tuple(f"t{n}" for n in range(101))), "theme"),
        (SearchRequest(after=""), "after"),
        (SearchRequest(after="0"), "after"),
        (SearchRequest(after="é"), "after"),
        (SearchRequest(after="' OR 1=1 --"), "after"),
        (SearchRequest(after=base64.urlsafe_b64encode(b'["x",1,2,3]').decode()), "after"),
    ],
)
def test_a_wrong_field_is_named(request_: SearchRequest, where: str) -> None:
    """The refusal says which part of the request to mend."""
    with pytest.raises(InvalidInput) as refused:
        checked(request_)
    assert refused.value.where == where


int64 = st.integers(-(2**63), 2**63 - 1)


@given(int64, int64, int64)
def test_a_cursor_comes_back_and_belongs_to_one_question(score: int, updated: int, key: int) -> None:
    """A page is continued exactly where it ended, and not by another question."""
    request = SearchRequest(q="sea", themes=("b", "a"), limit=5)
    after = cursor(checked(request), Position(score, updated, key))
    same = SearchRequest(q="SEA", themes=("a", "b"), limit=7, after=after)
    assert checked(same).after == (score, updated, key)
    with pytest.raises(InvalidInput):
        checked(SearchRequest(q="ice", themes=("a", "b"), after=after))


@pytest.mark.parametrize("numbers", [(2**63, 0, 0), (0, -(2**63) - 1, 0), (1.5, 0, 0), ("1", 0, 0), (0, 0)])
def test_t16_a_forged_cursor_is_refused(numbers: tuple[object, ...]) -> None:
    """Even with the right digest nothing but three 64-bit numbers gets to the database."""
    digest = checked(SearchRequest()).digest
    forged = base64.urlsafe_b64encode(json.dumps([digest, *numbers]).encode()).decode()
    with pytest.raises(InvalidInput):
        checked(SearchRequest(after=forged))
