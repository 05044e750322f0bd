"""Search: over our own datasets and the copies of others', by words and facets and by SPARQL.

Both answer from projections of the records in the database; `reindex` makes them anew at any time.
"""

import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from pyoxigraph import NamedNode, Triple
from sqlmodel import col

from connector.capabilities.catalog import offer_links, record_triples
from connector.capabilities.datasets import DatasetPublished, DatasetWithdrawn
from connector.capabilities.evidence import Begin
from connector.capabilities.offers import OfferClosed, OfferMade, open_offers
from connector.errors import TooLarge
from connector.standards.dcat import graph, model
from connector.standards.dsp.entries import iri_of
from connector.standards.rdf import GD
from connector.storage.index import BBox, Entry, Index, SearchPage, SearchRequest
from connector.storage.sparql import Limits, QueryPool, Result
from connector.storage.tables import Dataset
from connector.storage.triples import Triples
from connector.storage.work import Work

BATCH: Final = 500
"""Records projected in one unit of work when everything is made anew."""

WHOLE: Final = 1
"""Sequence number of a store into which every record was projected; one that has none is filled anew."""

Change = DatasetPublished | DatasetWithdrawn | OfferMade | OfferClosed


@dataclass(frozen=True, slots=True)
class Search:
    """What this participant can find: its own records and its copies of its peers'."""

    begin: Begin
    read: Begin
    participant: str
    triples: Triples
    index: Index
    pool: QueryPool
    limits: Limits

    def find(self, request: SearchRequest) -> SearchPage:
        """Answer a search.

        Raises:
            InvalidInput: a field of the request is wrong; names it.
        """
        return self.index.find(self.participant, request)

    def sparql(self, query: str, accept: str | None) -> Result:
        """Answer a SPARQL query over one named graph for each participant, all of them together the default graph.

        Raises:
            InvalidInput: no query, or one that would write or reach elsewhere.
            TooLarge: the answer is longer than a query may give; half an answer would pass for a whole one.
            Busy: it took too long or too much, or too many are being answered.
        """
        result = self.pool.query(query, None, accept, limits=self.limits, fresh=True)
        if result.truncated:
            raise TooLarge(
                f"The answer has more than {self.limits.rows:,} rows or {self.limits.size:,} bytes.",
                where="query",
                fix="Narrow it, or take it in parts with ORDER BY, LIMIT and OFFSET.",
            )
        return result

    def project(self, event: Change, participant: str) -> None:
        """Bring the projections of one dataset in step with its record."""
        origin = event.origin if isinstance(event, DatasetPublished | DatasetWithdrawn) else participant
        with self.begin(participant) as work:
            row = work.find(Dataset, origin, event.subject)
            if row is not None and row.state == "published":
                self._put(work, row)
            else:
                self.index.remove(work, origin, event.subject)
                self.triples.remove(origin, _name(event.subject))

    def reindex(self) -> int:
        """Make all projections anew from the records, and say how many records there are."""
        done, after = 0, ("", "")
        with self.begin(self.participant) as work:
            self.index.clear(work)
        with self.triples.rebuild():
            while rows := self._project_after(after):
                done, after = done + len(rows), (rows[-1].origin, rows[-1].id)
            self.triples.apply((), sequence=WHOLE)
        return done

    def _project_after(self, after: tuple[str, str]) -> list[Dataset]:
        """Project the records that follow `after`, held so that none of them changes meanwhile, and return them."""
        origin, key = after
        with self.begin(self.participant) as work:
            rest = (col(Dataset.origin) > origin) | ((col(Dataset.origin) == origin) & (col(Dataset.id) > key))
            order = [col(Dataset.origin), col(Dataset.id)]
            rows = work.select(Dataset, col(Dataset.state) == "published", rest, order_by=order, limit=BATCH, lock=True)
            for row in rows:
                self._put(work, row)
            return rows

    def _put(self, work: Work, row: Dataset) -> None:
        record = record_triples(row.record)
        subject = subject_of(row.id, record)
        own = row.origin == self.participant
        offers = [offer.policy for offer in open_offers(work, row.id)] if own else row.offers
        self.triples.replace(row.origin, _name(row.id), said(subject, record, offers))
        self.index.put(work, entry(row, graph.read(record, subject)))


def subject_of(key: str, record: Sequence[Triple]) -> str:
    """Return the IRI that the record of the dataset `key` speaks of; of a peer's dataset it may be another than `key`.

    Connectors of other kinds call their datasets `asset-1`; their records are about the address that we made of it.
    """
    found = graph.subjects(record)
    if key in found or not found:
        return key
    whole = iri_of(key)
    return next((each for each in found if each == whole or each.endswith(quote(key, safe=""))), found[0])


def _name(key: str) -> str:
    """Return the name of a dataset's record in the store: an IRI, made where the dataset's own id is none."""
    try:
        return NamedNode(key).value
    except ValueError:
        return f"{GD}record:{quote(key, safe='')}"


def said(dataset: str, record: Sequence[Triple], offers: Sequence[Mapping[str, Any]]) -> list[Triple]:
    """Return what the store says about a dataset: its record, and which offers it has."""
    return list(dict.fromkeys((*record, *offer_links(dataset, offers))))


def entry(row: Dataset, view: model.Dataset) -> Entry:
    """Return what a record is found by."""
    publisher = view.publisher
    names = [each.standard_name or each.name or "" for each in view.variables]
    formats = [each.format or each.media_type for each in view.distribution]
    licences = [each.licence for each in view.distribution if each.licence]
    begins = [_moment(period.start, last=False) for period in view.temporal]
    ends = [_moment(period.end, last=True) for period in view.temporal]
    return Entry(
        origin=row.origin,
        id=row.id,
        title=row.title,
        description=model.words(view.description),
        updated=row.updated,
        publisher=(model.words(publisher.name) or publisher.id) if publisher else None,
        licence=licences[0] if licences else None,
        themes=view.theme,
        formats=tuple(dict.fromkeys(each for each in formats if each)),
        boxes=tuple(BBox(*place.bbox) for place in view.spatial if place.bbox),
        begin=min((each for each in begins if each), default=None),
        end=max((each for each in ends if each), default=None),
        titles=tuple(view.title.values()),
        keywords=tuple(word for words in view.keyword.values() for word in words),
        texts=(*view.description.values(), *(name.replace("_", " ") for name in names if name)),
    )


def _moment(text: str | None, *, last: bool) -> datetime | None:
    """Return the first or last moment that a year, month, date or moment of a record means, in UTC; None if none."""
    if text is None:
        return None
    try:
        if re.fullmatch(r"\d{4}(-\d\d)?", text, re.ASCII):
            year, month = int(text[:4]), int(text[5:] or (12 if last else 1))
            text = f"{year:04}-{month:02}-{monthrange(year, month)[1] if last else 1:02}"
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if last and "T" not in text:
        found = found.replace(hour=23, minute=59, second=59)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
