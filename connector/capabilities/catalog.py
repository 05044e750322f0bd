"""The catalog: what we offer, as linked data for everyone and page by page for peers of the protocol."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec
from pyoxigraph import Literal, NamedNode, Triple
from sqlmodel import col

from connector.capabilities.evidence import Begin
from connector.capabilities.identity import Principal
from connector.capabilities.offers import open_offers
from connector.capabilities.transfers import PULL
from connector.errors import NotFound
from connector.standards import rdf
from connector.standards.dsp import catalog as dsp
from connector.standards.dsp import query
from connector.standards.dsp.entries import iri_of
from connector.storage.tables import Asset, Dataset
from connector.storage.work import Work

PAGE: Final = 100
"""Datasets on one page of the protocol's catalog."""


class Page(NamedTuple):
    """One page of the catalog as the protocol has it, and the address of the next."""

    body: bytes
    next: str | None


@dataclass(frozen=True, slots=True)
class Catalog:
    """The catalog of this participant."""

    read: Begin
    participant: str
    title: str
    description: str
    iri: str
    address: str

    def page(self, wanted: Sequence[Any], asker: Principal, after: str = "") -> Page:  # noqa: ARG002 - one class of visibility so far: every trusted peer
        """Return the datasets that `asker` can negotiate for, from the one after `after` on.

        Raises:
            InvalidInput: a filter; the specification leaves its language open and this catalog has none.
        """
        if (asked := query.read(wanted)) is not None:
            return self._answer(asked)
        with self.read(self.participant) as work:
            conditions = [col(Dataset.origin) == self.participant, col(Dataset.state) == "published"]
            rows = work.select(Dataset, *conditions, col(Dataset.id) > after, order_by=col(Dataset.id), limit=PAGE + 1)
            entries = list(self._entries(work, rows[:PAGE]))
        more = f"{self.address}/catalog/request?{urlencode({'after': rows[PAGE - 1].id})}" if len(rows) > PAGE else None
        return Page(dsp.catalog(self.participant, self.address, entries, self.iri), more)

    def _answer(self, asked: query.Query) -> Page:
        with self.read(self.participant) as work:
            conditions = [col(Dataset.origin) == self.participant, col(Dataset.state) == "published"]
            rows = work.select(Dataset, *conditions, order_by=col(Dataset.id))
            found = [row for row in rows if _holds(asked, row.id, row.record)]
            found.sort(key=lambda row: row.id, reverse=asked.descending)
            entries = [entry for row in found for entry in self._entries(work, [row])]
        wanted = entries[asked.offset : asked.offset + asked.limit]
        return Page(dsp.catalog(self.participant, self.address, wanted, self.iri), None)

    def entry(self, key: str, asker: Principal) -> bytes:  # noqa: ARG002 - as for `page`
        """Return one dataset and its offers as a document of its own.

        Raises:
            NotFound: there is no such dataset with an offer.
        """
        with self.read(self.participant) as work:
            row = work.find(Dataset, self.participant, key)
            entries = list(self._entries(work, [row])) if row is not None and row.state == "published" else []
        if not entries:
            raise NotFound("dataset", key)
        return dsp.dataset_document(entries[0])

    def triples(self) -> rdf.Triples:
        """Return the whole catalog as a DCAT-AP record: the catalog itself and every own dataset."""
        with self.read(self.participant) as work:
            rows = work.select(
                Dataset,
                col(Dataset.origin) == self.participant,
                col(Dataset.state) == "published",
                order_by=col(Dataset.id),
            )
        return (*self._head(rows), *(triple for row in rows for triple in record_triples(row.record)))

    def _entries(self, work: Work, rows: Sequence[Dataset]) -> Iterator[bytes]:
        """Yield the entry of each dataset that can be had: it has a file and an open offer."""
        for row in rows:
            offers = [offer.policy for offer in open_offers(work, row.id)]
            if offers and work.select(Asset, col(Asset.dataset) == row.id, limit=1):
                yield _entry(row.id, row.record, msgspec.json.encode(offers), self.address)

    def _head(self, rows: Sequence[Dataset]) -> Iterator[Triple]:
        catalog, agent = NamedNode(self.iri), NamedNode(self.participant)
        for subject, name, value in (
            (catalog, "rdf:type", NamedNode(rdf.full("dcat:Catalog"))),
            (catalog, "dct:title", Literal(self.title, language="en")),
            (catalog, "dct:description", Literal(self.description, language="en")),
            (catalog, "dct:publisher", agent),
            (agent, "rdf:type", NamedNode(rdf.full("foaf:Agent"))),
            (agent, "foaf:name", Literal(self.title, language="en")),
        ):
            yield Triple(subject, NamedNode(rdf.full(name)), value)
        for row in rows:
            yield Triple(catalog, NamedNode(rdf.full("dcat:dataset")), NamedNode(row.id))


def record_triples(record: bytes) -> rdf.Triples:
    """Return the triples of a record as it is kept in the database."""
    return rdf.parse(record, rdf.Format.N_TRIPLES)


def offer_links(dataset: str, offers: Sequence[Mapping[str, Any]]) -> Iterator[Triple]:
    """Yield the triples that tie a dataset to its offers, for those who look for them by SPARQL."""
    for offer in offers:
        # Eclipse EDC's offers are called by three words of base64 with colons between them, which is no IRI.
        if isinstance(key := offer.get("@id"), str) and (iri := iri_of(key)) is not None:
            yield Triple(NamedNode(dataset), NamedNode(rdf.full("odrl:hasPolicy")), NamedNode(iri))


def etag(body: bytes) -> str:
    """Return the entity tag of a document."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _holds(asked: query.Query, key: str, record: bytes) -> bool:
    found = query.values(record_triples(record), key, [PULL])
    return all(query.holds(each, key, found) for each in asked.criteria)


@lru_cache(maxsize=4096)
def _entry(key: str, record: bytes, offers: bytes, address: str) -> bytes:
    """Return a dataset's entry; it is a function of record and offers, so it is made once for each of their states."""
    entry = dsp.dataset_entry(record_triples(record), key, msgspec.json.decode(offers), address, [PULL])
    return msgspec.json.encode(entry)
