"""The search index: the same answers on both engines, and those of a plain filter over the entries."""

import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text

from connector.errors import InvalidInput
from connector.storage import index_schema
from connector.storage.index import FACETS, BBox, Entry, Facet, Index, SearchPage, SearchRequest, Sort
from connector.storage.index_engines import relevance
from connector.storage.index_request import KINDS, boxes, parts, period, texts, values
from connector.storage.index_words import Word, asked, words
from connector.storage.work import Database

OURS, THEIRS = "did:web:ours.example", "did:web:theirs.example"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def index(database: Database) -> Index:
    """Return an index on each engine in turn."""
    return Index(database)


def entry(number: int = 1, **fields: Any) -> Entry:
    """Return an entry; later numbers are newer."""
    moment = NOON + timedelta(hours=number)
    return Entry(**{"origin": OURS, "id": f"urn:d:{number}", "title": f"Dataset {number}", "updated": moment, **fields})


def fill(database: Database, index: Index, entries: Sequence[Entry], participant: str = OURS) -> None:
    """Put entries into the index."""
    with database.begin(participant) as work:
        for one in entries:
            index.put(work, one)


def ids(page: SearchPage) -> list[str]:
    """Return the ids of the hits in order."""
    return [hit.id for hit in page.hits]


def find(index: Index, **request: Any) -> SearchPage:
    """Ask the index."""
    return index.find(OURS, SearchRequest(**request))


# --- the oracle -------------------------------------------------------------------------------------------------------


def overlaps(one: BBox, other: BBox) -> bool:
    """Return whether two boxes that do not cross the 180th meridian touch."""
    return one.west <= other.east and one.east >= other.west and one.south <= other.north and one.north >= other.south


def has(word: Word, column: Sequence[str], *, whole: bool = False) -> bool:
    """Return whether a word occurs among folded words."""
    return any(found.startswith(word.text) if word.prefix and not whole else found == word.text for found in column)


class Plain:
    """The index as a list and a filter, written from what is promised and not from the statements."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], tuple[int, Entry]] = {}
        self.numbers = itertools.count()

    def put(self, one: Entry) -> None:
        """Keep an entry; the first time decides about its place among equals."""
        number = self.entries.get((one.origin, one.id), (None,))[0]
        self.entries[one.origin, one.id] = (next(self.numbers) if number is None else number, one)

    def matches(self, one: Entry, request: SearchRequest) -> bool:
        """Return whether every part of the request fits."""
        columns = [[word for part in column for word in words(part)] for column in texts(one)]
        span = period(one)
        asked_for = period(Entry(origin="", id="", title="", updated=NOON, begin=request.begin, end=request.end))
        said = values(one.hit())
        return (
            all(any(has(word, column) for column in columns) for word in asked(request.q))
            and (
                request.bbox is None
                or any(overlaps(mine, theirs) for mine in boxes(one.hit()) for theirs in parts(request.bbox))
            )
            and (asked_for is None or (span is not None and span[0] <= asked_for[1] and span[1] >= asked_for[0]))
            and all(
                not wanted or any((kind, value) in said for value in wanted)
                for kind, wanted in (
                    ("theme", request.themes),
                    ("format", request.formats),
                    ("origin", request.origins),
                    ("publisher", [v for v in [request.publisher] if v is not None]),
                    ("licence", [v for v in [request.licence] if v is not None]),
                )
            )
        )

    def score(self, one: Entry, request: SearchRequest) -> int:
        """Return the relevance of an entry."""
        title, keywords, _ = ([word for part in column for word in words(part)] for column in texts(one))
        by_words = asked(request.q) if request.sort is not Sort.NEWEST else ()
        return sum(relevance(has(word, title), has(word, title, whole=True), has(word, keywords)) for word in by_words)

    def find(self, request: SearchRequest) -> tuple[list[str], dict[str, tuple[Facet, ...]]]:
        """Return the ids of all hits in order, and the facets."""
        hits = [(number, one) for number, one in self.entries.values() if self.matches(one, request)]
        hits.sort(key=lambda pair: (self.score(pair[1], request), pair[1].updated, pair[0]), reverse=True)
        counts = Counter(value for _, one in hits for value in values(one.hit()))
        facets = {
            kind: tuple(
                Facet(value, n)
                for value, n in sorted(
                    ((value, n) for (of, value), n in counts.items() if of == kind), key=lambda f: (-f[1], f[0])
                )[:FACETS]
            )
            for kind in KINDS
        }
        return [one.id for _, one in hits], facets


vocabulary = st.sampled_from(
    ["sea", "Sea ice", "températures", "temperature", "tempo", "land-cover", "æther", "海面", "x"]
)
some_words = st.lists(vocabulary, max_size=3).map(" ".join)
several = st.lists(vocabulary, max_size=2).map(tuple)
# Edges that 32-bit floats move: thirds, tiny steps beside round numbers, the ends of the map.
longitudes = st.sampled_from(
    [-180.0, -179.99999999, -1 / 3, 0.0, 1e-9, 10.0, 10.000000001, 1 / 3, 100 / 3, 179.9999, 180.0]
)
latitudes = st.sampled_from([-90.0, -1 / 3, 0.0, 1e-9, 45.1, 45.10000001, 200 / 3, 90.0])
bboxes = st.tuples(longitudes, latitudes, longitudes, latitudes).map(
    lambda c: BBox(c[0], min(c[1], c[3]), c[2], max(c[1], c[3]))
)
moments = st.sampled_from(
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1850, 1, 1, tzinfo=UTC),
        NOON,
        NOON + timedelta(microseconds=1),
        NOON + timedelta(days=9),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ]
)
themes = st.lists(st.sampled_from(["t:a", "t:b", "t:'c\""]), max_size=2).map(tuple)
formats = st.lists(st.sampled_from(["netcdf", "grib"]), max_size=2).map(tuple)
names = st.none() | st.sampled_from(["Agency", "Øffice", "x"])
origins = st.sampled_from([OURS, THEIRS])
optional = st.none() | moments
entries = st.builds(
    Entry,
    origin=origins,
    id=st.sampled_from([f"urn:d:{n}" for n in range(8)]),
    title=some_words,
    updated=st.sampled_from([NOON, NOON + timedelta(days=1)]),
    description=some_words,
    titles=several,
    keywords=several,
    texts=several,
    publisher=names,
    licence=names,
    themes=themes,
    formats=formats,
    boxes=st.lists(bboxes, max_size=2).map(tuple),
    begin=optional,
    end=optional,
)
narrow = st.fixed_dictionaries(
    {},
    optional={
        "q": st.sampled_from(
            ["sea", "temp", "temp*", "tempera", "ICE sea", "x", "aether", "海*", "nothing", "land cover", "!"]
        ),
        "bbox": bboxes,
        "begin": moments,
        "end": moments,
        "themes": themes,
        "formats": formats,
        "publisher": names,
        "licence": names,
        "origins": st.lists(origins, max_size=2).map(tuple),
        "sort": st.none() | st.sampled_from(Sort),
        "limit": st.integers(1, 4),
    },
)


def fits(request: dict[str, Any]) -> bool:
    """Return whether begin and end are in order."""
    return request.get("begin", NOON) <= request.get("end", request.get("begin", NOON)) or "end" not in request


requests = narrow.filter(fits).map(lambda fields: SearchRequest(**fields))


@given(st.lists(entries, max_size=12), st.lists(requests, min_size=1, max_size=6), st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_answer_is_that_of_a_plain_filter(
    database: Database, some: list[Entry], requests: list[SearchRequest], data: st.DataObject
) -> None:
    """Total, order, pages and facets of any request over any entries, some replaced and some removed, are exact."""
    index, plain = Index(database), Plain()
    with database.begin(OURS) as work:
        index.clear(work)  # of what a failing example left
        for one in some:
            index.put(work, one)
            plain.put(one)
        for key in data.draw(st.lists(st.sampled_from(sorted(plain.entries)), unique=True)) if plain.entries else ():
            assert index.remove(work, *key)
            del plain.entries[key]
    for request in requests:
        expected, facets = plain.find(request)
        got: list[str] = []
        after, pages = None, 0
        while pages == 0 or after is not None:
            page = index.find(OURS, SearchRequest(**{**fields(request), "after": after}))
            assert (page.total, page.facets) == (len(expected), facets)
            got, after, pages = got + ids(page), page.next, pages + 1
        assert got == expected
        assert pages == max(1, -(-len(expected) // request.limit))
        event(
            f"hits: {'some' if expected else 'none'}, narrowed: {fields(request).keys() - {'limit', 'sort'} != set()}"
        )
    with database.begin(OURS) as work:
        index.clear(work)
        assert leftovers(work.connection) == Counter()


def fields(request: SearchRequest) -> dict[str, Any]:
    """Return the fields of a request that are given."""
    given_ = {name: getattr(request, name) for name in request.__struct_fields__}
    return {name: value for name, value in given_.items() if value not in (None, (), "")}


def leftovers(connection: Any) -> Counter[str]:
    """Return how many rows each table of the index has, but for the dictionary of terms."""
    tables = ["search_entry", "search_text", "search_space", "search_time", "search_tag", "search_count"]
    counts = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}  # noqa: S608 - names above
    return Counter({name: count for name, count in counts.items() if count})


# --- words ------------------------------------------------------------------------------------------------------------


def test_words_are_found_in_any_language_and_spelling(database: Database, index: Index) -> None:
    """Accents, case and endings make no difference; every word must occur, in whatever column."""
    fill(
        database,
        index,
        [
            entry(1, title="Sea surface temperatures", titles=("Températures de surface de la mer",)),
            entry(2, title="Land", keywords=("Landbedeckung",), texts=("Temperature of the land",)),
        ],
    )
    assert ids(find(index, q="TEMPERATURE")) == ["urn:d:1", "urn:d:2"]  # the title weighs more than the text
    assert ids(find(index, q="temperature sea")) == ["urn:d:1"]
    assert ids(find(index, q="mer température")) == ["urn:d:1"]
    assert ids(find(index, q="landbed*")) == ["urn:d:2"]
    assert ids(find(index, q="me")) == []
    assert ids(find(index, q="   ")) == ["urn:d:2", "urn:d:1"]


def test_the_title_weighs_more_than_keywords_and_keywords_more_than_text(database: Database, index: Index) -> None:
    """What a dataset is about comes before what it mentions; among equals the newest is first."""
    fill(
        database,
        index,
        [
            entry(1, title="Glacier outlines"),
            entry(2, title="Glaciers"),
            entry(3, keywords=("glacier",)),
            entry(4, description="Near a glacier"),
            entry(5, description="Near a glacier"),
        ],
    )
    assert ids(find(index, q="glacier")) == ["urn:d:1", "urn:d:2", "urn:d:3", "urn:d:5", "urn:d:4"]
    assert ids(find(index, q="glacier", sort=Sort.NEWEST)) == [f"urn:d:{n}" for n in (5, 4, 3, 2, 1)]


# --- place and time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1e-9, 1e-7, 1e-5, 0.1])
@pytest.mark.parametrize("at", [1 / 3, 10.1, 100 / 3, 179.1])
def test_edges_are_exact(database: Database, index: Index, at: float, step: float) -> None:
    """The trees keep floats of 32 bits or compare with a tolerance; a box beside the edge is still not a hit."""
    fill(database, index, [entry(boxes=(BBox(at, 10.1, at + 0.5, 10.6),))])
    assert find(index, bbox=BBox(0, 10.3, at, 10.4)).total == 1
    assert find(index, bbox=BBox(0, 10.3, at - step, 10.4)).total == 0
    assert find(index, bbox=BBox(at + 0.5 + step, 10.3, 180, 10.4)).total == 0
    assert find(index, bbox=BBox(at, 0, at, 10.1)).total == 1
    assert find(index, bbox=BBox(at, 0, at, 10.1 - step)).total == 0


@pytest.mark.parametrize(
    ("asked_for", "hits"),
    [
        (BBox(175, 0, 179, 1), {"crossing"}),
        (BBox(-179, 0, -175, 1), {"crossing"}),
        (BBox(165, 0, -165, 1), {"crossing", "west", "east"}),
        (BBox(-160, 0, 160, 1), {"zero"}),
        (BBox(160, 0, -160, 1), {"crossing", "west", "east"}),
        (BBox(-180, -90, 180, 90), {"crossing", "west", "east", "zero"}),
    ],
)
def test_boxes_cross_the_180th_meridian(database: Database, index: Index, asked_for: BBox, hits: set[str]) -> None:
    """Both a dataset and a question may lie on both sides of the date line; each dataset is one hit."""
    fill(
        database,
        index,
        [
            entry(1, id="crossing", boxes=(BBox(170, -10, -170, 10),)),
            entry(2, id="west", boxes=(BBox(165, 0, 166, 1),)),
            entry(3, id="east", boxes=(BBox(-166, 0, -165, 1),)),
            entry(4, id="zero", boxes=(BBox(-1, 0, 1, 1),)),
            entry(5, id="nowhere"),
        ],
    )
    page = find(index, bbox=asked_for)
    assert (set(ids(page)), page.total) == (hits, len(hits))


def test_periods_overlap_to_the_microsecond(database: Database, index: Index) -> None:
    """Ends belong to a period; open ends reach to the ends of time; without a period a dataset is not in any."""
    tick = timedelta(microseconds=1)
    fill(
        database,
        index,
        [
            entry(1, begin=NOON, end=NOON + tick),
            entry(2, begin=NOON + 2 * tick),
            entry(3, end=NOON - tick),
            entry(4),
        ],
    )
    assert set(ids(find(index, begin=NOON + tick, end=NOON + tick))) == {"urn:d:1"}
    assert set(ids(find(index, begin=NOON + 2 * tick))) == {"urn:d:2"}
    assert set(ids(find(index, end=NOON - tick))) == {"urn:d:3"}
    assert set(ids(find(index, begin=datetime.min.replace(tzinfo=UTC), end=datetime.max.replace(tzinfo=UTC)))) == {
        "urn:d:1",
        "urn:d:2",
        "urn:d:3",
    }
    with_place = find(index, begin=NOON, bbox=BBox(0, 0, 1, 1))
    assert with_place.total == 0


# --- rows and participants --------------------------------------------------------------------------------------------


def test_each_participant_sees_only_what_it_holds(database: Database, index: Index) -> None:
    """The same dataset, indexed for two participants, is two entries; totals and facets do not mix."""
    fill(database, index, [entry(1, themes=("t",)), entry(2)], OURS)
    fill(database, index, [entry(1, title="Other", themes=("t", "u"))], THEIRS)
    assert ids(index.find(THEIRS, SearchRequest())) == ["urn:d:1"]
    assert index.find(THEIRS, SearchRequest(q="dataset")).total == 0
    ours = find(index, themes=("t", "u"))
    assert (ours.total, ours.facets["theme"]) == (1, (Facet("t", 1),))
    assert find(index).facets["theme"] == (Facet("t", 1),)
    with database.begin(THEIRS) as work:
        assert not index.remove(work, OURS, "urn:d:2")
        assert index.clear(work) == 1
    assert find(index).total == 2


def test_an_entry_is_replaced_whole(database: Database, index: Index) -> None:
    """Nothing of the earlier version is found any more: no word, place, time or theme."""
    old = entry(1, title="Old", themes=("t:old",), boxes=(BBox(0, 0, 1, 1),) * 2, begin=NOON)
    fill(database, index, [old, entry(1, title="New", themes=("t:new",))])
    assert find(index).total == 1
    for request in ({"q": "old"}, {"themes": ("t:old",)}, {"bbox": BBox(0, 0, 1, 1)}, {"begin": NOON}):
        assert find(index, **request).total == 0
    assert find(index, q="new").facets["theme"] == (Facet("t:new", 1),)


def test_a_catalog_is_removed_by_its_origin(database: Database, index: Index) -> None:
    """A participant who leaves takes its datasets out of the search, and nobody else's."""
    fill(database, index, [entry(n, origin=origin) for n in range(3) for origin in (OURS, THEIRS)])
    with database.begin(OURS) as work:
        assert index.counts(work) == {OURS: 3, THEIRS: 3}
        assert index.remove_origin(work, THEIRS) == 3
        assert index.counts(work) == {OURS: 3}
    assert find(index).facets["origin"] == (Facet(OURS, 3),)


def test_an_entry_is_written_with_its_record_or_not_at_all(database: Database, index: Index) -> None:
    """The index is in the transaction of the unit of work: undone with it."""

    class Undone(Exception):  # noqa: N818 - only here
        pass

    def fail() -> None:
        with database.begin(OURS) as work:
            index.put(work, entry())
            raise Undone

    with pytest.raises(Undone):
        fail()
    assert find(index).total == 0


def test_a_page_ends_where_it_ended_while_the_catalog_grows(database: Database, index: Index) -> None:
    """New datasets neither repeat nor hide a hit on the next page."""
    fill(database, index, [entry(n) for n in range(10)])
    first = find(index, limit=4)
    fill(database, index, [entry(n) for n in range(20, 25)])
    second = find(index, limit=10, after=first.next)
    assert ids(first) + ids(second) == [f"urn:d:{n}" for n in range(9, -1, -1)]
    assert second.next is None


def test_facets_show_the_commonest_and_may_be_left_out(database: Database, index: Index) -> None:
    """A long tail is cut after the commonest; who needs no counts does not pay for them."""
    fill(database, index, [entry(n, themes=("common", f"t{n:02}")) for n in range(FACETS + 5)])
    for request in ({}, {"q": "dataset"}):
        facets = find(index, **request).facets["theme"]
        assert facets[0] == Facet("common", FACETS + 5)
        assert [facet.value for facet in facets[1:]] == [f"t{n:02}" for n in range(FACETS - 1)]
    assert find(index, facets=False).facets == {}


def test_a_hit_shows_what_was_put(database: Database, index: Index) -> None:
    """Everything a result list shows comes back exactly, without a look at the record."""
    one = entry(
        description="D\x00",
        publisher="P",
        licence="L",
        themes=("b", "a"),
        formats=("f",),
        begin=NOON,
        boxes=(BBox(170, 0, -170, 1.1),),
    )
    fill(database, index, [one])
    hit = find(index).hits[0]
    assert hit == one.hit()
    assert (hit.description, hit.boxes, hit.themes) == ("D", (BBox(170, 0, -170, 1.1),), ("b", "a"))


# --- hostile input ----------------------------------------------------------------------------------------------------

PAYLOADS = [
    "' OR '1'='1",
    "'; DROP TABLE search_entry; --",
    '" OR 1=1 --',
    "1) UNION SELECT key, participant FROM search_entry --",
    "') OR ('a'='a",
    "x' AND (SELECT pg_sleep(9)) IS NOT NULL --",
    "\\'; SELECT 1 --",
    "%' ESCAPE '\\",
    "$$; DROP TABLE peer; $$",
    "/**/OR/**/1=1",
    "\x00' OR 1=1",
    "\ud800",
    "title:dataset OR body:*",
    "NEAR(a b, 3)",
    '"unclosed',
    "a AND",
    "^dataset",
    "{title body}: dataset",
    "(((",
    "a & b | !c <-> d:*ABCD",
    "'':A",
    "-- \n",
    "* ** ***",
    ":param %(x)s ? ?1 %s",
    "é" * 5000,
]


@pytest.fixture
def guarded(database: Database, index: Index) -> Index:
    """Return an index with one entry of ours and one of somebody else's."""
    fill(database, index, [entry(themes=("t",), publisher="P", licence="L", formats=("f",))])
    fill(database, index, [entry(2, title="Secret")], THEIRS)
    return index


def test_t16_no_parameter_is_syntax(guarded: Index, subtests: pytest.Subtests) -> None:
    """In every text parameter a payload is a value nothing has, or words; never SQL, never an engine's query syntax."""
    for payload in PAYLOADS:
        with subtests.test(payload=payload[:60]):
            for name in ("themes", "formats", "origins"):
                assert find(guarded, **{name: (payload,)}).total == 0
            for name in ("publisher", "licence"):
                assert find(guarded, **{name: payload}).total == 0
            expected = 1 if all(has(word, ["dataset", "1", "p"]) for word in asked(payload)) else 0
            assert find(guarded, q=payload).total == expected
            assert guarded.find(payload, SearchRequest()).total == 0 if payload.isprintable() else True
            with pytest.raises(InvalidInput):
                find(guarded, after=payload)
            assert ids(find(guarded)) == ["urn:d:1"]


def test_t16_no_entry_is_syntax(database: Database, guarded: Index, subtests: pytest.Subtests) -> None:
    """Foreign records carry the payloads into every column; they are stored, found as what they are, and removed."""
    for payload in PAYLOADS:
        with subtests.test(payload=payload[:60]):
            one = entry(
                3,
                id="urn:x" + payload,
                title=payload,
                description=payload,
                titles=(payload,),
                keywords=(payload,),
                texts=(payload,),
                publisher=payload,
                licence=payload,
                themes=(payload,),
                formats=(payload,),
            )
            fill(database, guarded, [one])
            hit = one.hit()
            assert find(guarded, sort=Sort.NEWEST).hits[0] == hit
            if asked(payload):
                assert hit.id in ids(find(guarded, q=payload))
            if len(str(hit.publisher).encode()) <= 1000:
                assert ids(find(guarded, publisher=payload, themes=(payload,))) == [hit.id]
            with database.begin(OURS) as work:
                assert guarded.remove(work, one.origin, one.id)
            assert ids(find(guarded)) == ["urn:d:1"]


def test_t16_numbers_stay_numbers(guarded: Index) -> None:
    """What is not a number or a moment is refused before any statement is made."""
    for request in ({"limit": 10**30}, {"bbox": BBox(10**400, 0, 1, 1)}, {"bbox": BBox(-(10**30), 0, 1, 1)}):
        with pytest.raises(InvalidInput):
            find(guarded, **request)


# --- the schema -------------------------------------------------------------------------------------------------------


def test_the_schema_is_dropped_and_made_again(database: Database) -> None:
    """A rebuild may begin with empty tables; nothing of the index is left outside its name."""
    with database.transaction() as connection:
        before = set(inspect(connection).get_table_names())
        index_schema.drop(connection)
        assert not [name for name in inspect(connection).get_table_names() if index_schema.owns(name)]
        index_schema.create(connection)
        assert set(inspect(connection).get_table_names()) == before
    index = Index(database)
    fill(database, index, [entry()])
    assert find(index, q="dataset").total == 1
