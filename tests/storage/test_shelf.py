"""The shelf: what a query finds on both engines is what a plain filter finds, and no change goes unnoticed."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import ge, gt, le, lt
from typing import Any, Final, cast

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from connector.errors import NotFound
from connector.standards.dsp.query import CHOICES, CRITERIA, Criterion, Operator, Query, Sort, Value, moment
from connector.storage import shelf
from connector.storage.shelf_schema import FAR, HEAD
from connector.storage.tables import Asset, Dataset, Offer
from connector.storage.work import Database
from tests.fixtures import Clock, NewDatabase

US, VIEW, FORM = "did:web:us.example", "peers", "form"
Values = Mapping[str, Sequence[Value]]

# --- the oracle: written from the rules of `query`, not from the statements -------------------------------------------

ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def matches(like: str, text: str) -> bool:
    """Tell whether an SQL pattern matches a whole text."""
    pieces = {"%": ".*", "_": "."}
    return bool(re.fullmatch("".join(pieces.get(letter) or re.escape(letter) for letter in like), text, re.DOTALL))


def fits(operator: str, value: Value, right: Any) -> bool:
    """Tell whether one value fits."""
    if operator in ORDERS:
        at = None if isinstance(right, float) else moment(right)
        left = value.number if isinstance(right, float) else value.text if at is None else value.moment
        return left is not None and ORDERS[operator](left, right if at is None else at)
    if isinstance(right, float):
        return value.number == right
    texts: Mapping[str, Callable[[], bool]] = {
        "like": lambda: matches(right, value.text),
        "ilike": lambda: matches(right.casefold(), value.text.casefold()),
        "contains": lambda: right in value.text,
    }
    return texts[operator]() if operator in texts else value.text == right


def holds(criterion: Criterion, of: Values) -> bool:
    """Tell whether a criterion holds for a dataset."""
    rights = criterion.right if isinstance(criterion.right, tuple) else (criterion.right,)
    operator = "=" if criterion.operator in {"!=", "in"} else criterion.operator
    found = any(fits(operator, value, right) for value in of.get(criterion.operand, ()) for right in rights)
    return found != (criterion.operator == "!=")


def place_of(key: str, of: Values, sort: Sort) -> tuple[Any, str]:
    """Return where a dataset stands in an order."""
    if sort in {"issued", "modified"}:
        dates = [each.moment for each in of.get(f"dct:{sort}", ()) if each.moment is not None]
        return min(dates, default=FAR), key
    return of["dct:title"][0].text[:HEAD] if sort == "title" else key, key


def plain(of: Mapping[str, Values], query: Query) -> list[str]:
    """Return all that a query finds, in its order."""
    found = [key for key, held in of.items() if all(holds(each, held) for each in query.criteria)]
    return sorted(found, key=lambda key: place_of(key, of[key], query.sort), reverse=query.descending)


# --- what is on it and what is asked ----------------------------------------------------------------------------------

WORDS: Final = (
    "",
    "rain",
    "Rain",
    "RAIN",
    "Straße",
    "STRASSE",
    "ra%n",
    "r_in",
    "a*b",
    "a?b",
    "[x]",
    "100%",
    "\\",
    "'",
    "ü",
)
DATES: Final = ("2024", "2024-05", "2024-05-06", "2024-05-06T10:00:00Z", "2024-02-30")
TEXTS: Final = st.sampled_from((*WORDS, *DATES, "😀", "12", "x" * HEAD + "y", "x" * HEAD + "z"))
NUMBERS: Final = st.sampled_from([0.0, -1.5, 12.0, 2.0**60])


@st.composite
def _value(draw: st.DrawFn) -> Value:
    text = draw(TEXTS)
    number = draw(st.none() | NUMBERS)
    return Value(text, number, moment(text) if number is None else None)


OPERANDS: Final = ("id", "dct:title", "dcat:keyword", "dct:issued", "urn:none")
DATASETS: Final = st.dictionaries(
    st.sampled_from([f"urn:d:{letter}" for letter in "abcDEF0ü"]),
    st.fixed_dictionaries(
        {"dct:title": TEXTS.map(lambda text: (Value(text),))},
        optional={name: st.lists(_value(), min_size=1, max_size=3, unique=True) for name in OPERANDS[2:4]},
    ),
    max_size=8,
)
PATTERNS: Final = TEXTS | st.text("%_arinRAIN*[]ß", max_size=6)


@st.composite
def _criterion(draw: st.DrawFn) -> Criterion:
    operator = cast("Operator", draw(st.sampled_from(Operator.__args__)))  # type: ignore[attr-defined]
    operand = draw(st.sampled_from(OPERANDS))
    right = draw(PATTERNS if operator in {"like", "ilike", "contains"} else TEXTS | NUMBERS | st.just("urn:d:a"))
    if operator == "in":
        return Criterion(operand, operator, tuple(draw(st.lists(TEXTS | NUMBERS | st.just("urn:d:ü"), max_size=3))))
    return Criterion(operand, operator, right)


QUERIES: Final = st.builds(
    Query,
    offset=st.integers(0, 4),
    limit=st.integers(1, 5),
    sort=st.sampled_from(Sort.__args__),  # type: ignore[attr-defined]
    descending=st.booleans(),
    criteria=st.lists(_criterion(), max_size=3).map(tuple),
)


def entry(key: str, held: Values) -> shelf.Entry:
    """Return a dataset as it stands on the shelf."""
    return shelf.Entry(key, held["dct:title"][0].text, key.encode(), key, {**held, "id": (Value(key),)})


def fill(database: Database, of: Mapping[str, Values]) -> None:
    """Make the shelf hold exactly these datasets."""
    with database.begin(US) as work:
        every = shelf.page(work, VIEW, Query(), None, 1000)
        for slot in every:
            shelf.remove(work, slot.id)
        shelf.put(work, VIEW, [entry(key, held) for key, held in of.items()])
        # What is there already, as after a change.
        shelf.put(work, VIEW, [entry(key, held) for key, held in of.items()][:3])


def walked(database: Database, query: Query, size: int, *, back: bool) -> list[str]:
    """Return the ids that a walk by places sees, page by page, to the end or back to the beginning."""
    found: list[str] = []
    place = None
    with database.read(US) as work:
        if back:
            whole = shelf.page(work, VIEW, query, None, 1000)
            if not whole:
                return []
            found = [whole[-1].id]
            place = shelf.Place(whole[-1].value, whole[-1].id, back=True)
        while slots := shelf.page(work, VIEW, query, place, size):
            found += [slot.id for slot in slots]
            place = shelf.Place(slots[-1].value, slots[-1].id, back)
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(of=DATASETS, queries=st.lists(QUERIES, min_size=1, max_size=4))
def test_a_query_finds_what_a_plain_filter_finds(
    database: Database, of: Mapping[str, Values], queries: Iterable[Query]
) -> None:
    """Every operator on text, numbers, dates and ids, every order, every page: letter for letter the same answer."""
    of = {key: {**held, "id": (Value(key),)} for key, held in of.items()}
    fill(database, of)
    for query in queries:
        wanted = plain(of, query)
        event(f"finds {'none' if not wanted else 'all' if len(wanted) == len(of) else 'some'}")
        with database.read(US) as work:
            found = [slot.id for slot in shelf.page(work, VIEW, query, None, query.limit)]
        assert found == wanted[query.offset : query.offset + query.limit]
        onward = Query(0, query.limit, query.sort, query.descending, query.criteria)
        assert walked(database, onward, query.limit, back=False) == wanted
        assert walked(database, onward, query.limit, back=True) == wanted[::-1]


@pytest.mark.parametrize("few", [0, shelf.FEW], ids=["many", "few"])
def test_every_operator_takes_every_text_for_what_it_is(
    database: Database, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Capitals, wildcards of other languages, long beginnings, dates: each text beside each, under each operator.

    Whether a criterion leaves few datasets or many decides only how they are looked for.
    """
    monkeypatch.setattr(shelf, "FEW", few)
    texts = (*WORDS, *DATES, "12", "x" * HEAD + "y", "x" * HEAD + "z", "Ra%", "ra_n", "%ain")
    of: dict[str, Values] = {
        f"urn:d:{number}": {"dct:title": (Value(text),), "dcat:keyword": (Value(text, moment=moment(text)),)}
        for number, text in enumerate(texts)
    }
    fill(database, of)
    with database.read(US) as work:
        for operator in Operator.__args__:  # type: ignore[attr-defined]
            for right in (*texts, 12.0):
                if isinstance(right, float) and operator in {"like", "ilike", "contains"}:
                    continue
                asked = Criterion("dcat:keyword", operator, (right, "rain") if operator == "in" else right)
                found = [slot.id for slot in shelf.page(work, VIEW, Query(criteria=(asked,)), None, 100)]
                assert found == sorted(key for key, held in of.items() if holds(asked, held)), asked


def test_the_largest_query_is_answered(database: Database) -> None:
    """As many criteria and choices as are read are no more than an engine takes."""
    fill(database, {"urn:d:a": {"dct:title": (Value("rain"),)}})
    choices = tuple(f"urn:none:{number}" for number in range(CHOICES - 2))
    criteria = tuple(Criterion("id", "in", ("urn:d:a", float(number), *choices)) for number in range(CRITERIA))
    with database.read(US) as work:
        assert [slot.id for slot in shelf.page(work, VIEW, Query(criteria=criteria), None, 2)] == ["urn:d:a"]


# --- what changed is noticed ------------------------------------------------------------------------------------------


def waiting(database: Database) -> list[str]:
    """Take up what is noted, and return it."""
    with database.begin(US) as work:
        return shelf.renewing(work, FORM)


def dataset(clock: Clock, key: str = "urn:d:1", origin: str = US, **fields: Any) -> Dataset:
    """Return a record."""
    known = {"title": "Rain", "profile": "dcat-ap", "record": b"", "fingerprint": "f", "created": clock()}
    return Dataset(participant=US, origin=origin, id=key, **{**known, "updated": clock(), **fields})


def offer(clock: Clock, key: str = "urn:o:1", of: str = "urn:d:1") -> Offer:
    """Return an offer."""
    return Offer(participant=US, id=key, dataset=of, policy={}, fingerprint="f", created=clock())


def asset(of: str = "urn:d:1") -> Asset:
    """Return a file of a dataset."""
    known: dict[str, Any] = {"object": "0" * 64, "filename": "f", "media_type": "text/csv", "size": 1}
    return Asset(participant=US, dataset=of, distribution="urn:f", **known)


def test_whatever_touches_a_dataset_is_noted(database: Database, clock: Clock) -> None:
    """Record, files and offers, made, changed or deleted by anybody: the database itself notes each, once it is so."""
    assert waiting(database) == []
    with database.begin(US) as work:
        work.add(dataset(clock))
    assert waiting(database) == ["urn:d:1"]
    for row in (offer(clock), asset()):
        with database.begin(US) as work:
            work.add(row)
        assert waiting(database) == ["urn:d:1"]
    changes: list[tuple[Any, tuple[str, ...], dict[str, Any]]] = [
        (Dataset, (US, "urn:d:1"), {"record": b"x"}),
        (Dataset, (US, "urn:d:1"), {"state": "withdrawn"}),
        (Offer, ("urn:o:1",), {"policy": {"permission": []}}),
        (Offer, ("urn:o:1",), {"state": "closed"}),
        (Asset, ("urn:d:1", "urn:f"), {"object": "1" * 64}),
    ]
    for model, key, change in changes:
        with database.begin(US) as work:
            row = work.need(model, *key, lock=True)
            for name, value in change.items():
                setattr(row, name, value)
        assert waiting(database) == ["urn:d:1"], change
    for model, key, _ in (changes[2], changes[4], changes[0]):
        with database.begin(US) as work:
            work.delete(work.need(model, *key))
        assert waiting(database) == ["urn:d:1"], model
    assert waiting(database) == []


def test_what_is_undone_or_not_ours_is_not_noted(database: Database, clock: Clock) -> None:
    """A transaction that fails leaves no note, and the copy of a peer's dataset is none of our catalog."""
    waiting(database)
    with pytest.raises(NotFound), database.begin(US) as work:  # noqa: PT012 - the unit is what is undone
        work.add(dataset(clock))
        work.need(Dataset, US, "urn:none")
    with database.begin(US) as work:
        work.add(dataset(clock, origin="did:web:peer.example"))
    assert waiting(database) == []


def test_a_shelf_is_fresh_until_something_is_noted(database: Database, clock: Clock) -> None:
    """One look tells whether there is anything to do; made for something else, or never made, it is not fresh."""

    def state(form: str = FORM) -> shelf.State:
        with database.read(US) as work:
            return shelf.state(work, form)

    assert state() == shelf.State(0, fresh=False)
    with database.begin(US) as work:
        work.add(dataset(clock))
        work.add(dataset(clock, "urn:d:2"))
    assert sorted(waiting(database)) == ["urn:d:1", "urn:d:2"]
    first = state()
    assert first.fresh
    assert not state("another form").fresh
    with database.begin(US) as work:
        work.need(Dataset, US, "urn:d:1", lock=True).title = "Snow"
    assert state() == first
    with database.begin(US) as work:
        work.need(Dataset, US, "urn:d:1", lock=True).record = b"snow"
    assert not state().fresh
    assert waiting(database) == ["urn:d:1"]
    assert state().fresh
    assert state().version > first.version
    with database.begin(US) as work:
        assert sorted(shelf.renewing(work, "another form")) == ["urn:d:1", "urn:d:2"]
    assert state("another form").fresh


def test_many_changes_are_taken_up_in_parts(database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """One renewal takes up so many notes and leaves the others where they are."""
    waiting(database)
    monkeypatch.setattr(shelf, "_NOTED", shelf._NOTED.limit(2))
    with database.begin(US) as work:
        for number in range(5):
            work.add(dataset(clock, f"urn:d:{number}"))
    assert [waiting(database) for _ in range(4)] == [
        ["urn:d:0", "urn:d:1"],
        ["urn:d:2", "urn:d:3"],
        ["urn:d:4"],
        [],
    ]


def test_a_change_during_a_renewal_is_seen_by_the_next(new_database: NewDatabase, clock: Clock) -> None:
    """What another process commits while a renewal reads is not crossed out with what the renewal has seen."""
    one, other = new_database(), new_database()
    with one.begin(US) as work:
        work.add(dataset(clock))
    waiting(one)
    with one.begin(US) as work:
        work.need(Dataset, US, "urn:d:1", lock=True).record = b"first"
    with ThreadPoolExecutor(1) as hands:
        with one.begin(US) as work:
            assert shelf.renewing(work, FORM) == ["urn:d:1"]
            later = hands.submit(_change, other, b"second")
            if not one.engines.is_sqlite:  # there a writer waits until the renewal is over
                later.result(30)
        later.result(30)
    assert waiting(one) == ["urn:d:1"]


def test_renewals_take_turns(new_database: NewDatabase, clock: Clock) -> None:
    """Of two renewals at once one waits: else the slower would put back what the quicker has renewed."""
    one, other = new_database(), new_database()
    with one.begin(US) as work:
        work.add(dataset(clock))
    waiting(one)
    with ThreadPoolExecutor(1) as hands:
        with one.begin(US) as work:
            shelf.renewing(work, FORM)
            later = hands.submit(waiting, other)
            with pytest.raises(TimeoutError):
                later.result(0.3)
        assert later.result(30) == []


def _change(database: Database, record: bytes) -> None:
    with database.begin(US) as work:
        work.need(Dataset, US, "urn:d:1", lock=True).record = record
