"""The shelf: every dataset of ours that can be had, its catalog entry ready to be sent, and what filters ask of it.

A projection of records, files and offers. What changed is noted by the database (see `shelf_schema`) and brought in
step by whoever asks first: `state` says whether there is anything to do, `renewing` which datasets, `put` and `remove`
do it. Reading one page costs the same however many datasets there are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from connector.standards.dsp.query import ID, Criterion, Operand, Operator, Query, Value, moment
from connector.storage.shelf_schema import FAR, HEAD, entries, heads, stale, values
from connector.storage.tables import Dataset
from connector.storage.work import Work

NOTES: Final = 600
"""Notes of changes that one renewal takes up."""

FEW: Final = 1000
"""Datasets that are looked up one by one; if a criterion leaves more, they are gone through in their order."""

_CHUNK: Final = 500
K = TypeVar("K", int, str)


class State(NamedTuple):
    """Where the shelf stands: the number of the last renewal, and whether everything is in step."""

    version: int
    fresh: bool


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A place in an order, from which a page goes on: behind a dataset, or `back` from it."""

    value: str | int
    id: str
    back: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """A dataset on the shelf without its entry: its place, and what its entry weighs and is."""

    key: int
    id: str
    value: str | int
    digest: str
    size: int


class Entry(NamedTuple):
    """A dataset as it stands on the shelf."""

    id: str
    title: str
    entry: bytes
    digest: str
    values: Mapping[str, Sequence[Value]]


def state(work: Work, form: str) -> State:
    """Return where the participant's shelf stands; nothing that was made for another `form` is fresh."""
    row = work.link.first(_STATE, {"of": work.participant})
    if row is None:
        return State(0, fresh=False)
    version, made_for, waiting = row
    return State(version, fresh=made_for == form and not waiting)


def renewing(work: Work, form: str) -> list[str]:
    """Begin a renewal: return datasets that have to be looked at again, and cross out their notes.

    Everything is, where the shelf was made for another `form`. Renewals wait for each other, so that none of them puts
    back what a later one has renewed.
    """
    connection, of = work.connection, {"of": work.participant}
    if connection.execute(_TURN, of).first() is None:
        first = {"participant": work.participant, "version": 0, "form": ""}
        connection.execute(_dialect(connection).insert(heads).on_conflict_do_nothing(), first)
        connection.execute(_TURN, of)
    if connection.execute(_FORM, of).scalar_one() != form:
        connection.execute(_NOTHING_STALE, of)
        connection.execute(_ALL_STALE, of)
        connection.execute(update(heads).where(heads.c.participant == work.participant).values(form=form))
    notes = connection.execute(_NOTED, of).all()
    for chunk in _chunks([note.seq for note in notes]):
        connection.execute(delete(stale).where(stale.c.seq.in_(chunk)))
    return list(dict.fromkeys(note.dataset for note in notes))


def put(work: Work, view: str, found: Sequence[Entry]) -> None:
    """Write the entries of datasets, each in place of the one of the same view and id."""
    connection = work.connection
    keys: dict[str, int] = {}
    for chunk in _chunks([each.id for each in found]):
        named = connection.execute(_KEYS, {"of": work.participant, "view": view, "ids": chunk})
        keys.update((row.id, row.key) for row in named)
    known = list(keys.values())
    for some in _chunks(known):
        connection.execute(delete(values).where(values.c.key.in_(some)))
    if changed := [{"of_key": keys[each.id], **_fields(each)} for each in found if each.id in keys]:
        connection.execute(_CHANGE, changed)
    new = [each for each in found if each.id not in keys]
    if new:
        added = [{"participant": work.participant, "view": view, "id": each.id, **_fields(each)} for each in new]
        keys.update((row.id, row.key) for row in connection.execute(_ADD, added))
    if rows := [row for each in found for row in _rows(keys[each.id], each.values)]:
        connection.execute(insert(values), rows)


def remove(work: Work, id: str) -> None:  # noqa: A002 - the name the catalog uses
    """Take a dataset off the shelf, from every view."""
    work.connection.execute(_REMOVE, {"of": work.participant, "id": id})


def find(work: Work, view: str, id: str) -> tuple[bytes, str] | None:  # noqa: A002 - as above
    """Return the entry of one dataset and its digest, or None."""
    row = work.link.first(_ONE, {"of": work.participant, "view": view, "id": id})
    return None if row is None else (bytes(row[0]), row[1])


def page(work: Work, view: str, query: Query, place: Place | None, most: int) -> list[Slot]:
    """Return at most `most` datasets that a query finds, from its offset on or, with a place, from there.

    Back from a place they come nearest first.
    """
    connection = work.connection
    order = entries.c[query.sort]
    few = _few(connection, query.criteria)
    conditions = [_condition(connection, each) for each in query.criteria]
    if few is None:
        conditions += [entries.c.participant == work.participant, entries.c.view == view]
    else:
        # Written so that no index serves it: SQLite would go through that instead of the few keys.
        conditions += [few, entries.c.participant.concat("") == work.participant, entries.c.view.concat("") == view]
    falling = query.descending != (place is not None and place.back)
    if place is not None:
        conditions.append(_beyond(order, place, falling=falling))
    orders = [entries.c.id] if query.sort == "id" else [order, entries.c.id]
    statement = (
        select(entries.c.key, entries.c.id, order.label("value"), entries.c.digest, entries.c.size)
        .where(*conditions)
        .order_by(*(each.desc() if falling else each for each in orders))
        .limit(most)
        .offset(query.offset if place is None else 0)
    )
    return [Slot(*row) for row in connection.execute(statement)]


def contents(work: Work, slots: Sequence[Slot]) -> list[bytes]:
    """Return the entries of datasets on the shelf, in their order."""
    found: dict[int, bytes] = {}
    for chunk in _chunks([slot.key for slot in slots]):
        rows = work.connection.execute(select(entries.c.key, entries.c.entry).where(entries.c.key.in_(chunk)))
        found.update((row.key, row.entry) for row in rows)
    return [found[slot.key] for slot in slots]


# --- statements that are made once ------------------------------------------------------------------------------------

_WAITING: Final = exists().where(stale.c.participant == heads.c.participant)
_STATE: Final = select(heads.c.version, heads.c.form, _WAITING.label("waiting")).where(
    heads.c.participant == bindparam("of")
)
_FORM: Final = select(heads.c.form).where(heads.c.participant == bindparam("of"))
# Takes the row, so that renewals come one after another; who only notes a change never asks for it.
_TURN: Final = (
    update(heads)
    .where(heads.c.participant == bindparam("of"))
    .values(version=heads.c.version + 1)
    .returning(heads.c.version)
)
_dataset: Final = Dataset.__table__.c  # type: ignore[attr-defined]
_NOTHING_STALE: Final = delete(stale).where(stale.c.participant == bindparam("of"))
_ALL_STALE: Final = insert(stale).from_select(
    ["participant", "dataset"],
    union(
        select(_dataset.participant, _dataset.id).where(
            _dataset.participant == bindparam("of"), _dataset.origin == bindparam("of"), _dataset.state == "published"
        ),
        select(entries.c.participant, entries.c.id).where(entries.c.participant == bindparam("of")),
    ),
)
_NOTED: Final = (
    select(stale.c.seq, stale.c.dataset)
    .where(stale.c.participant == bindparam("of"))
    .order_by(stale.c.seq)
    .limit(NOTES)
)
_NAMED: Final = and_(entries.c.participant == bindparam("of"), entries.c.id == bindparam("id"))
_IN_VIEW: Final = and_(_NAMED, entries.c.view == bindparam("view"))
_ONE: Final = select(entries.c.entry, entries.c.digest).where(_IN_VIEW)
_KEYS: Final = select(entries.c.key, entries.c.id).where(
    entries.c.participant == bindparam("of"),
    entries.c.view == bindparam("view"),
    entries.c.id.in_(bindparam("ids", expanding=True)),
)
_ADD: Final = insert(entries).returning(entries.c.key, entries.c.id)
_CHANGE: Final = update(entries).where(entries.c.key == bindparam("of_key"))
_REMOVE: Final = delete(entries).where(_NAMED)


def _dialect(connection: Connection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def _chunks(of: Sequence[K]) -> Iterator[Sequence[K]]:
    return (of[start : start + _CHUNK] for start in range(0, len(of), _CHUNK))


def _first(found: Mapping[str, Sequence[Value]], name: str) -> int:
    return min((each.moment for each in found.get(name, ()) if each.moment is not None), default=FAR)


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "title": entry.title[:HEAD],
        "issued": _first(entry.values, "dct:issued"),
        "modified": _first(entry.values, "dct:modified"),
        "digest": entry.digest,
        "size": len(entry.entry),
        "entry": entry.entry,
    }


def _rows(key: int, found: Mapping[str, Sequence[Value]]) -> Iterator[dict[str, Any]]:
    for name, listed in found.items():
        for number, value in enumerate(listed):
            if "\x00" in value.text:
                continue  # PostgreSQL keeps no such text, and no filter can ask for it
            folded = value.text.casefold()
            yield {
                "key": key,
                "property": name,
                "number": number,
                "head": value.text[:HEAD],
                "text": value.text,
                "folded": None if folded == value.text else folded,
                "quantity": value.number,
                "moment": value.moment,
            }


# --- what a filter means in SQL ---------------------------------------------------------------------------------------


def _beyond(order: ColumnElement[Any], place: Place, *, falling: bool) -> ColumnElement[bool]:
    """Return the condition for what comes behind a place."""
    key = entries.c.id < place.id if falling else entries.c.id > place.id
    if order is entries.c.id:
        return key
    further = order < place.value if falling else order > place.value
    return or_(further, and_(order == place.value, key))


def _condition(connection: Connection, criterion: Criterion) -> ColumnElement[bool]:
    """Return the condition on `shelf_entry` that a criterion stands for; see the rules in `query`."""
    if criterion.operator == "!=":
        return ~_condition(connection, Criterion(criterion.operand, "=", criterion.right))
    if criterion.operator in {"=", "in"} and criterion.operand == ID:
        return entries.c.id.in_([right for right in _rights(criterion) if isinstance(right, str)])
    return _found(connection, criterion).where(values.c.key == entries.c.key).exists()


def _found(connection: Connection, criterion: Criterion) -> Select[Any]:
    """Return the keys of the datasets that a criterion holds for, once for each value that fits."""
    right = criterion.right
    if criterion.operator in {"=", "in"}:
        fits = _equal(_rights(criterion))
    else:
        assert not isinstance(right, tuple)  # noqa: S101 - `in` alone has several
        fits = _fits(connection, criterion.operator, right)
    return select(values.c.key).where(values.c.property == criterion.operand, fits)


def _rights(criterion: Criterion) -> tuple[Operand, ...]:
    return criterion.right if isinstance(criterion.right, tuple) else (criterion.right,)


def _few(connection: Connection, criteria: Iterable[Criterion]) -> ColumnElement[bool] | None:
    """Return a criterion that leaves only some datasets, as a list of their keys to look for one by one.

    Without one the datasets are gone through in their order until the page is full, which is soon where many fit.
    """
    for each in criteria:
        if each.operator in {"=", "in"} and each.operand != ID:
            found = _found(connection, each)
            keys = connection.execute(found.limit(FEW + 1)).scalars().all()
            if len(keys) <= FEW:
                return entries.c.key.in_(set(keys))
    return None


def _fits(connection: Connection, operator: Operator, right: Operand) -> ColumnElement[bool]:
    """Return the condition on one value that it is like this, or before or behind it."""
    of = values.c
    if operator in _ORDERS:
        at = right if isinstance(right, float) else moment(right)
        column = of.quantity if isinstance(right, float) else of.text if at is None else of.moment
        return _ORDERS[operator](column, right if at is None else at)
    right = str(right)  # what is like something is a text
    if operator == "contains":
        find = func.instr if connection.dialect.name == "sqlite" else func.strpos
        return find(of.text, right) > 0
    if operator == "like":
        return _like(connection, of.text, right)
    return _like(connection, func.coalesce(of.folded, of.text), right.casefold())


def _equal(rights: Sequence[Operand]) -> ColumnElement[bool]:
    """Return the condition on one value that it is one of these; heads are what is indexed, texts decide."""
    texts = [right for right in rights if isinstance(right, str)]
    numbers = [right for right in rights if isinstance(right, float)]
    heads_of = list(dict.fromkeys(text[:HEAD] for text in texts))
    as_texts = and_(values.c.head.in_(heads_of), values.c.text.in_(texts))
    # Without numbers nothing is said of them: an alternative, even to nothing, keeps SQLite from the index.
    return or_(as_texts, values.c.quantity.in_(numbers)) if numbers else as_texts


def _like(connection: Connection, column: ColumnElement[Any], like: str) -> ColumnElement[bool]:
    """Return the condition that a pattern matches; SQLite's own LIKE does not tell large letters from small ones."""
    if connection.dialect.name == "sqlite":
        return column.op("GLOB", is_comparison=True)("".join(_GLOB.get(letter, letter) for letter in like))
    return column.like(like, escape="")


_ORDERS: Final[Mapping[str, Callable[[Any, Any], ColumnElement[bool]]]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_GLOB: Final = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
