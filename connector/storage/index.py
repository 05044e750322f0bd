"""The search index: words, place, time and facets over every dataset, our own and the crawled ones.

A projection like the RDF store: `put` when a record changes; `clear` and put again to rebuild. Its answers do not
depend on the engine below: words are cut in `index_words`, places and times are decided on exact columns, and relevance
is counted, not estimated, so that a page ends at the same place while the catalog grows.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    intersect,
    literal,
    null,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from connector.storage.index_engines import MAX_INDEXED, Keys, Lookup, lookup
from connector.storage.index_request import (
    KINDS,
    BBox,
    Entry,
    Facet,
    Hit,
    Position,
    Question,
    SearchPage,
    SearchRequest,
    Sort,
    boxes,
    checked,
    clean,
    cursor,
    micros,
    period,
    texts,
    values,
)
from connector.storage.index_schema import entries, tags, terms, totals
from connector.storage.index_words import words
from connector.storage.work import Database, Work

__all__ = ["BBox", "Entry", "Facet", "Hit", "Index", "SearchPage", "SearchRequest", "Sort"]

FACETS: Final = 20
"""How many values of each kind are counted out, the commonest."""


class Index:
    """The index in `database`. Writing takes a unit of work, so that an entry and what it follows from go together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, work: Work, entry: Entry) -> None:
        """Write an entry, in place of the one of the same origin and id."""
        connection, engine = work.connection, lookup(work.connection)
        hit = entry.hit()
        names = {"participant": work.participant, "origin": hit.origin, "id": hit.id}
        fields: dict[str, Any] = {"updated": micros(hit.updated), "card": msgspec.json.encode(hit).decode()}
        fields["starts"], fields["ends"] = period(hit) or (None, None)
        known = connection.execute(_ONE, names).first()
        if known is None:
            key = connection.execute(_ADD, {**names, **fields}).scalar_one()
        else:
            key = known.key
            connection.execute(_CHANGE, {"of": key, **fields})
            engine.forget(connection, key, len(boxes(_hit(known.card))))
        folded = [_indexed(column) for column in texts(entry)]
        engine.write(connection, key, folded, boxes(hit), period(hit))
        _retag(connection, work.participant, key, _term_ids(connection, values(hit)))

    def remove(self, work: Work, origin: str, id: str) -> bool:  # noqa: A002 - the name the catalog uses
        """Delete an entry; say whether there was one."""
        return self._remove(work, _ONE, origin=origin, id=id) > 0

    def remove_origin(self, work: Work, origin: str) -> int:
        """Delete every entry of a participant's catalog; say how many there were."""
        return self._remove(work, _OF_ORIGIN, origin=origin)

    def clear(self, work: Work) -> int:
        """Delete every entry, to begin anew; say how many there were."""
        return self._remove(work, _EVERY)

    def counts(self, work: Work) -> dict[str, int]:
        """Return how many entries each origin has."""
        counted = (
            select(entries.c.origin, func.count().label("n"))
            .where(entries.c.participant == work.participant)
            .group_by(entries.c.origin)
        )
        return {row.origin: row.n for row in work.connection.execute(counted)}

    def find(self, participant: str, request: SearchRequest) -> SearchPage:
        """Answer a request over the entries `participant` holds.

        Raises InvalidInput naming the field of the request that is wrong.
        """
        question = checked(request)
        with self._database.read(participant) as work:
            rows = work.connection.execute(_answer(lookup(work.connection), participant, question)).all()
        return _page(question, rows)

    def _remove(self, work: Work, which: Select[Any], **names: str) -> int:
        connection, engine = work.connection, lookup(work.connection)
        doomed = connection.execute(
            which, {"participant": work.participant, **{k: clean(v) for k, v in names.items()}}
        ).all()
        for key, card in doomed:
            engine.forget(connection, key, len(boxes(_hit(card))))
            _retag(connection, work.participant, key, frozenset())
            connection.execute(delete(entries).where(entries.c.key == key))
        return len(doomed)


# --- writing ----------------------------------------------------------------------------------------------------------


# Statements of every `put` are made once: making them costs more than running them.
_EVERY: Final = select(entries.c.key, entries.c.card).where(entries.c.participant == bindparam("participant"))
_OF_ORIGIN: Final = _EVERY.where(entries.c.origin == bindparam("origin"))
_ONE: Final = _OF_ORIGIN.where(entries.c.id == bindparam("id"))
_ADD: Final = insert(entries).returning(entries.c.key)
_CHANGE: Final = update(entries).where(entries.c.key == bindparam("of"))
_TERMS: Final = select(terms).where(terms.c.value.in_(bindparam("values", expanding=True)))
_TAGS: Final = select(tags.c.term).where(tags.c.key == bindparam("key"))


def _hit(card: str) -> Hit:
    return msgspec.json.decode(card, type=Hit)


def _indexed(column: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(word for text in column for word in words(text)))[:MAX_INDEXED]


def _upsert(connection: Connection, table: Any) -> Any:
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def _term_ids(connection: Connection, wanted: set[tuple[str, str]]) -> frozenset[int]:
    """Return the numbers of the terms, giving new ones to those that have none."""
    known = _known_terms(connection, wanted)
    if missing := sorted(wanted - known.keys()):
        rows = [{"kind": kind, "value": value} for kind, value in missing]
        connection.execute(_upsert(connection, terms).on_conflict_do_nothing(), rows)
        known = _known_terms(connection, wanted)
    return frozenset(known[term] for term in wanted)


def _known_terms(connection: Connection, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    rows = connection.execute(_TERMS, {"values": sorted({value for _, value in wanted})})
    return {(row.kind, row.value): row.term for row in rows if (row.kind, row.value) in wanted}


def _retag(connection: Connection, participant: str, key: int, wanted: frozenset[int]) -> None:
    """Give the entry exactly these terms and keep the counts of the participant in step."""
    had = frozenset(connection.execute(_TAGS, {"key": key}).scalars())
    if new := sorted(wanted - had):  # in order, so that two writers never wait for each other
        connection.execute(insert(tags), [{"term": term, "key": key} for term in new])
        more = _upsert(connection, totals)
        more = more.on_conflict_do_update(index_elements=["participant", "term"], set_={"n": totals.c.n + 1})
        connection.execute(more, [{"participant": participant, "term": term, "n": 1} for term in new])
    if gone := sorted(had - wanted):
        connection.execute(delete(tags).where(tags.c.key == key, tags.c.term.in_(gone)))
        ours = and_(totals.c.participant == participant, totals.c.term.in_(gone))
        connection.execute(update(totals).where(ours).values(n=totals.c.n - 1))
        connection.execute(delete(totals).where(ours, totals.c.n <= 0))


# --- asking -----------------------------------------------------------------------------------------------------------


def _answer(engine: Lookup, participant: str, question: Question) -> Any:
    """Return the one statement that yields the total, the facets and the page, so that all three agree."""
    hits = _hits(engine, participant, question).cte("hit").prefix_with("MATERIALIZED")
    if question.everything:
        counted = select(totals.c.term, totals.c.n).where(totals.c.participant == participant).subquery("counted")
        total = (
            select(func.coalesce(func.sum(counted.c.n), 0))
            .join_from(counted, terms, terms.c.term == counted.c.term)
            .where(terms.c.kind == "origin")
        )
    else:
        counted = (
            select(tags.c.term, func.count().label("n"))
            .join_from(hits, tags, tags.c.key == hits.c.key)
            .group_by(tags.c.term)
            .subquery("counted")
        )
        total = select(func.count()).select_from(hits)
    asked_for = [_row("total", n=total.scalar_subquery()), _page_rows(hits, question)]
    return union_all(*asked_for, *([_facet_rows(counted)] if question.facets else []))


def _hits(engine: Lookup, participant: str, question: Question) -> Select[Any]:
    sets = list(_sets(engine, question))
    source: Any = entries
    if sets:
        found = (sets[0] if len(sets) == 1 else intersect(*sets)).subquery("found")
        source = found.join(entries, entries.c.key == found.c.key)
    ranked = question.sort is Sort.RELEVANCE and bool(question.words)
    score = engine.score(question.words, entries.c.key) if ranked else literal(0)
    statement = select(entries.c.key, entries.c.updated, score.label("score")).select_from(source)
    statement = statement.where(entries.c.participant == participant)
    if question.period:
        first, last = question.period
        statement = statement.where(entries.c.starts <= last, entries.c.ends >= first)
    return statement


def _sets(engine: Lookup, question: Question) -> Iterable[Keys]:
    """Yield the sets of keys whose intersection is the answer."""
    if question.words:
        yield engine.with_words(question.words)
    if question.boxes:
        yield engine.within(question.boxes, question.period)
    elif question.period:
        yield engine.during(question.period)
    for kind, wanted in question.values.items():
        named = select(terms.c.term).where(terms.c.kind == kind, terms.c.value.in_(wanted))
        yield select(tags.c.key).where(tags.c.term.in_(named)).distinct()


def _row(part: str, **columns: Any) -> Select[Any]:
    """Return a row of the common shape of total, facet and hit."""
    shape = {
        "kind": Text,
        "value": Text,
        "n": BigInteger,
        "score": BigInteger,
        "updated": BigInteger,
        "key": BigInteger,
    }
    filled: list[ColumnElement[Any]] = [
        cast(columns.get(name, null()), type_).label(name) for name, type_ in shape.items()
    ]
    return select(literal(part).label("part"), *filled)


def _facet_rows(counted: Any) -> Select[Any]:
    commonest = func.row_number().over(partition_by=terms.c.kind, order_by=(counted.c.n.desc(), terms.c.value))
    named = (
        select(terms.c.kind, terms.c.value, counted.c.n, commonest.label("rank"))
        .join_from(counted, terms, terms.c.term == counted.c.term)
        .subquery("named")
    )
    return _row("facet", kind=named.c.kind, value=named.c.value, n=named.c.n).where(named.c.rank <= FACETS)


def _page_rows(hits: Any, question: Question) -> Select[Any]:
    order = (hits.c.score, hits.c.updated, hits.c.key)
    page = select(*order).order_by(*(column.desc() for column in order)).limit(question.limit + 1)
    if question.after:
        page = page.where(tuple_(*order) < tuple_(*(literal(number, BigInteger) for number in question.after)))
    rows = page.subquery("page")
    statement = _row("hit", value=entries.c.card, score=rows.c.score, updated=rows.c.updated, key=rows.c.key)
    return statement.select_from(rows.join(entries, entries.c.key == rows.c.key))


def _page(question: Question, rows: Sequence[Any]) -> SearchPage:
    found = sorted(
        ((Position(row.score, row.updated, row.key), row.value) for row in rows if row.part == "hit"), reverse=True
    )
    shown = found[: question.limit]
    facets: dict[str, list[Facet]] = {kind: [] for kind in KINDS} if question.facets else {}
    for row in rows:
        if row.part == "facet":
            facets[row.kind].append(Facet(row.value, row.n))
    return SearchPage(
        total=next(row.n for row in rows if row.part == "total"),
        hits=tuple(_hit(card) for _, card in shown),
        next=cursor(question, shown[-1][0]) if len(found) > len(shown) else None,
        facets={kind: tuple(sorted(found, key=lambda f: (-f.count, f.value))) for kind, found in facets.items()},
    )
