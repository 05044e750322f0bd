"""The catalog: what we offer, as linked data for everyone and page by page for peers of the protocol.

Peers read from the shelf, where every dataset that can be had stands ready to be sent. Who asks first after a change
brings the shelf up to date; then pages are joined, tagged and kept until something on the shelf changes again.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlencode

import msgspec
import structlog
from pyoxigraph import Literal, NamedNode, Triple
from sqlmodel import col

from connector.capabilities.evidence import Begin
from connector.capabilities.identity import Principal
from connector.capabilities.pages import Page, Pages
from connector.capabilities.publication import Publication
from connector.errors import Busy, InvalidInput, NotFound, TooLarge
from connector.standards import rdf
from connector.standards.dsp import catalog as dsp
from connector.standards.dsp import query
from connector.standards.dsp.entries import iri_of
from connector.standards.dsp.targets import HTTP_PULL
from connector.storage import shelf
from connector.storage.tables import Asset, Dataset, Offer
from connector.storage.work import Work

PAGE: Final = 1000
"""Datasets on one page where no query says how many."""

PAGE_BYTES: Final = 8 * 2**20
"""Size at which such a page ends earlier."""

ANSWER_BYTES: Final = 64 * 2**20
"""Largest answer to a query, which says itself how many datasets it wants at once."""

RENEWALS: Final = 5
"""Batches of changed datasets that one request brings in; while more are waiting, it is told to come back."""

VIEW: Final = "peers"
"""The one class of visibility: every peer we trust sees every dataset that can be had, under all of its offers."""

LINK_CHARACTERS: Final = 2_000
"""Longest query that a link carries; with a longer one the link is good for a POST of the same message alone."""

_OF_SORT: Final[Mapping[query.Sort, type]] = {"id": str, "title": str, "issued": int, "modified": int}
_BEYOND: Final = 2**63

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Continuation(msgspec.Struct, frozen=True, array_like=True):
    """Where a link leads: a place, and the query that goes on there or the digest of one that is too long."""

    query: query.Query | None
    digest: str
    place: shelf.Place


@dataclass(frozen=True, slots=True)
class Catalog:
    """The catalog of this participant."""

    begin: Begin
    read: Begin
    participant: str
    title: str
    description: str
    iri: str
    address: str
    publication: Publication
    pages: Pages = field(default_factory=Pages)

    def page(self, wanted: Sequence[Any], asker: Principal, continuation: str = "") -> Page:
        """Return one page of the datasets that `asker` can negotiate for.

        Args:
            wanted: the `filter` of the request.
            asker: who wants to know.
            continuation: from the link of another page; without a filter beside it, its query goes on.

        Raises:
            InvalidInput: the filter or the continuation is not understood, or the two are of different queries.
            TooLarge: the query asks for more at once than one answer holds.
            Busy: so much has changed that it takes a moment.
        """
        asked, place = _asked(wanted, continuation)
        view = view_of(asker)
        return self._fresh(lambda work, version: self._page(work, version, view, asked, place))

    def entry(self, key: str, asker: Principal) -> Page:
        """Return one dataset and its offers as a document of its own.

        Raises:
            NotFound: there is no such dataset with an offer.
            Busy: as for `page`.
        """
        view = view_of(asker)
        found = self._fresh(lambda work, _: shelf.find(work, view, key))
        if found is None:
            raise NotFound("dataset", key)
        entry, digest = found
        return Page(dsp.dataset_document(entry), _tag(view, [digest]))

    def renew(self) -> bool:
        """Bring one batch of changed datasets onto the shelf, and say whether more are waiting."""
        with self.begin(self.participant) as work:
            changed = shelf.renewing(work, _form(self.address))
            entries = {each.id: each for each in self._entries(work, changed)}
            for key in changed:
                if key not in entries:
                    shelf.remove(work, key)
            shelf.put(work, VIEW, list(entries.values()))
        with self.read(self.participant) as work:
            return not shelf.state(work, _form(self.address)).fresh

    def triples(self) -> rdf.Triples:
        """Return the whole catalog as a DCAT-AP record: the catalog itself, its entries, and every own dataset."""
        with self.read(self.participant) as work:
            rows = work.select(
                Dataset,
                col(Dataset.origin) == self.participant,
                col(Dataset.state) == "published",
                order_by=col(Dataset.id),
            )
            orders = [each for row in rows if row.kind == "series" for each in self.publication.order(work, row)]
        records = (triple for row in rows for triple in record_triples(row.record))
        return tuple(dict.fromkeys((*self._head(rows), *records, *orders)))

    def _fresh(self, read: Callable[[Work, int], T]) -> T:
        """Return what `read` finds on the shelf once everything that changed is on it."""
        for _ in range(RENEWALS + 1):
            with self.read(self.participant) as work:
                found = shelf.state(work, _form(self.address))
                if found.fresh:
                    return read(work, found.version)
            with self.pages.renewing:
                self.renew()
        raise Busy("The catalog is being made anew.", fix="Ask again in a moment.")

    def _page(self, work: Work, version: int, view: str, asked: query.Query | None, place: shelf.Place | None) -> Page:
        """Return a page as it was kept, or make it."""
        key = (view, _digest(asked), place)
        if (kept := self.pages.find(key)) is not None and kept[0] == version:
            return kept[1]
        with self.pages.making:
            kept = self.pages.find(key)
            if kept is None or kept[0] != version:
                made = self._made(work, view, asked, place, kept[1] if kept else None)
                return self.pages.keep(key, version, made)
            return kept[1]

    def _made(
        self, work: Work, view: str, asked: query.Query | None, place: shelf.Place | None, before: Page | None
    ) -> Page:
        """Return a page as the shelf has it now; the one from before where nothing on it has changed."""
        slots, further = _slots(work, view, asked, place)
        back = place is not None and place.back
        if back:
            slots.reverse()
        following = self._link(asked, slots[-1], back=False) if slots and (further or back) else None
        earlier = further if back else place is not None or bool(asked and asked.offset)
        previous = self._link(asked, slots[0], back=True) if slots and earlier else None
        links = [following or "", previous or ""]
        tag = _tag(view, [self.participant, self.iri, self.address, *links, *(slot.digest for slot in slots)])
        if before is not None and before.etag == tag:
            return before
        body = dsp.catalog(self.participant, self.address, shelf.contents(work, slots), self.iri)
        return Page(body, tag, following, previous)

    def _link(self, asked: query.Query | None, slot: shelf.Slot, *, back: bool) -> str:
        place = shelf.Place(slot.value, slot.id, back)
        short = asked is None or len(msgspec.json.encode(asked)) <= LINK_CHARACTERS
        kept = Continuation(asked if short else None, "" if short else _digest(asked), place)
        text = urlsafe_b64encode(msgspec.json.encode(kept)).rstrip(b"=").decode()
        return f"{self.address}/catalog/request?{urlencode({'continuation': text})}"

    def _entries(self, work: Work, keys: Sequence[str]) -> Iterator[shelf.Entry]:
        """Yield the entry of each dataset that can be had: it is published, has a file and an open offer."""
        published = (col(Dataset.origin) == self.participant, col(Dataset.state) == "published")
        rows = work.select(Dataset, *published, col(Dataset.id).in_(keys))
        filed = {asset.dataset for asset in work.select(Asset, col(Asset.dataset).in_(keys))}
        offers: dict[str, list[Mapping[str, Any]]] = {}
        opened = (col(Offer.state) == "open", col(Offer.dataset).in_(keys))
        for offer in work.select(Offer, *opened, order_by=[col(Offer.created), col(Offer.id)]):
            offers.setdefault(offer.dataset, []).append(offer.policy)
        for row in rows:
            if row.id not in filed or row.id not in offers:
                continue
            try:
                yield _entry(row.id, row.title, record_triples(row.record), offers[row.id], self.address)
            except InvalidInput as refusal:
                log.warning("catalog.left-out", dataset=row.id, reason=str(refusal))

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
            # A series is no dataset to DCAT-AP, and dcat:resource is what DCAT has for whatever a catalog lists.
            name = "dcat:resource" if row.kind == "series" else "dcat:dataset"
            yield Triple(catalog, NamedNode(rdf.full(name)), NamedNode(row.id))
            entry = self.publication.entry(row)
            yield Triple(catalog, NamedNode(rdf.full("dcat:record")), cast("NamedNode", entry[0].subject))
            yield from entry


def view_of(asker: Principal) -> str:  # noqa: ARG001 - the seam: who would see another catalog is told apart here
    """Return the class of visibility that somebody belongs to; everything that depends on it takes it from here."""
    return VIEW


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


def _tag(view: str, parts: Sequence[str]) -> str:
    """Return the tag of what a class of visibility sees: a weak one, since it is the same in every coding."""
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f'W/"{view}-{digest[:32]}"'


def _digest(asked: query.Query | None) -> str:
    return "" if asked is None else hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:32]


def _slots(
    work: Work, view: str, asked: query.Query | None, place: shelf.Place | None
) -> tuple[list[shelf.Slot], bool]:
    """Return what is on a page, and whether there is more.

    Raises:
        TooLarge: the query asks for more than one answer holds, and there is more.
    """
    wanted = asked or query.Query(limit=PAGE)
    most = min(wanted.limit, query.MOST)
    slots = shelf.page(work, view, wanted, place, most + 1)
    if asked is None:
        size = fits = 0
        while fits < min(len(slots), most) and (not fits or size + slots[fits].size <= PAGE_BYTES):
            size, fits = size + slots[fits].size, fits + 1
        return slots[:fits], len(slots) > fits
    heavy = sum(slot.size for slot in slots[:most]) > ANSWER_BYTES
    if heavy or (len(slots) > most and wanted.limit > most):
        # An answer that is shorter than its limit says that this was the last one.
        raise TooLarge(
            f"That is more than one answer holds: {query.MOST:,} datasets or {ANSWER_BYTES // 2**20} MiB.",
            where="filter[0].limit",
            fix="Ask for fewer at once, and for the others by offset or by the links.",
        )
    return slots[:most], len(slots) > most


def _asked(wanted: Sequence[Any], continuation: str) -> tuple[query.Query | None, shelf.Place | None]:
    """Return the query and the place that a request means; no query is the whole catalog.

    Raises:
        InvalidInput: the filter is not understood, or the link is none of ours or of another query.
    """
    asked = query.read(wanted)
    if not continuation:
        return asked, None
    kept = _continuation(continuation)
    if kept.digest and _digest(asked) != kept.digest:
        raise InvalidInput(
            "The filter of this link is too long to be in it.",
            where="filter",
            fix="POST the message that the link was the answer to.",
        )
    if not kept.digest and asked not in (None, kept.query):
        raise InvalidInput(
            "The link goes on with another query than this message holds.",
            where="filter",
            fix="POST the message that the link was the answer to, or GET the link.",
        )
    meant = asked if kept.digest else kept.query
    if type(kept.place.value) is not _OF_SORT[meant.sort if meant else "id"]:
        raise _no_link()
    return meant, kept.place


def _continuation(text: str) -> Continuation:
    """Return what a link carries.

    Raises:
        InvalidInput: it is none of ours.
    """
    try:
        kept = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Continuation)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise _no_link() from None
    value, asked = kept.place.value, kept.query or query.Query()
    whole = isinstance(value, str) or abs(value) < _BEYOND
    if not whole or not 0 < asked.limit < _BEYOND or not 0 <= asked.offset < _BEYOND:
        raise _no_link()
    return kept


def _no_link() -> InvalidInput:
    return InvalidInput(
        "The link of the page is none that we gave.", where="continuation", fix="Begin with the first page."
    )


@cache
def _form(address: str) -> str:
    """Return a digest of what an entry looks like: another address or another version of this program makes others."""
    key = "https://example.org/dataset"
    made = _entry(key, "", rdf.parse(_SAMPLE, rdf.Format.TURTLE), [_SOME_OFFER], address)
    return hashlib.sha256(msgspec.json.encode(made, order="sorted")).hexdigest()[:32]


_SOME_OFFER: Final = {"@id": "urn:some:offer", "@type": "Offer", "permission": [{"action": "use"}]}
_SAMPLE: Final = b"""
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
<https://example.org/dataset> a dcat:Dataset ; dct:title "a"@en, "b"@de ; dct:issued "2026-01-01"^^xsd:date ;
  dcat:spatialResolutionInMeters 5.0 ; dct:publisher <https://example.org/agent> ; dcat:distribution <urn:file> .
<https://example.org/agent> a foaf:Agent ; foaf:name "n" . <urn:file> a dcat:Distribution ; dct:format <urn:format> .
"""


def _entry(
    key: str, title: str, triples: rdf.Triples, offers: Sequence[Mapping[str, Any]], address: str
) -> shelf.Entry:
    entry = msgspec.json.encode(dsp.dataset_entry(triples, key, offers, address, [HTTP_PULL]))
    digest = hashlib.sha256(entry).hexdigest()[:32]
    return shelf.Entry(key, title, entry, digest, query.values(triples, key, [HTTP_PULL]))
