"""Federation: copies of the catalogs of trusted peers, kept in step and never mixed with our own.

A crawl reads a peer's whole catalog first and then changes the copies in one unit of work: a search never sees half
a catalog, and a crawl that breaks off leaves the last whole copy.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from sqlmodel import col

from connector.capabilities.datasets import DatasetPublished, DatasetWithdrawn
from connector.capabilities.evidence import Begin, Clock
from connector.capabilities.identity import PeerDistrusted, PeerTrusted, Principal
from connector.capabilities.messenger import UNCHANGED, Messenger
from connector.errors import InvalidInput, PeerFailed, Refusal, TooLarge
from connector.formats.description import clean
from connector.network import Response
from connector.standards import rdf
from connector.standards.dcat import graph, model
from connector.standards.dsp import catalog as dsp
from connector.standards.dsp import messages
from connector.storage import values
from connector.storage.events import DeliveryFailed, Event, name_of
from connector.storage.tables import Dataset, OutboxRow, Peer
from connector.storage.work import Work

PAGES_AT_MOST: Final = 10_000
DATASETS_AT_MOST: Final = 200_000
PRECONDITION_FAILED: Final = 412
ASKING: Final = messages.encode(messages.CatalogRequestMessage())
"""The one message of a crawl, for every peer and every page."""

KEY_BYTES: Final = 1500
"""Longest id of a dataset: it is part of keys, and PostgreSQL keeps none beyond 2,700 bytes in all."""


class CrawlAsked(Event, frozen=True, kw_only=True):
    """Somebody wants the copy of a peer's catalog renewed now; `subject` is the peer."""


class CrawlDue(Event, frozen=True, kw_only=True):
    """It is time to renew the copy of a peer's catalog; `subject` is the peer."""


class CatalogCrawled(Event, frozen=True, kw_only=True):
    """The copy of a peer's catalog is fresh; `subject` is the peer."""

    datasets: int
    changed: int
    withdrawn: int


@dataclass(slots=True)
class _Crawled:
    """What a crawl has read so far."""

    found: "dict[str, _Found]" = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    tags: list[list[str]] | None = field(default_factory=list)
    """Address and entity tag of each page; None as soon as one of them has none."""

    def note(self, url: str, tag: str | None) -> None:
        """Note the tag of a page that was read."""
        self.tags = None if self.tags is None or tag is None else [*self.tags, [url, tag]]


class _Found(NamedTuple):
    """A dataset of a peer's catalog, as it will be kept."""

    id: str
    title: str
    record: bytes
    fingerprint: str
    offers: list[dict[str, Any]]
    formats: list[str]


@dataclass(frozen=True, slots=True)
class Federation:
    """The catalogs of others, as this participant holds them."""

    begin: Begin
    read: Begin
    now: Clock
    participant: str
    messenger: Messenger
    period: timedelta | None

    def ask(self, peer: str, by: Principal) -> Peer:
        """Ask for a crawl of a peer's catalog; it runs at once and in the background.

        Raises:
            NotFound: there is no such peer.
        """
        with self.begin(self.participant) as work:
            row = work.need(Peer, peer, lock=True)
            row.crawl_state, row.crawl_error = "waiting", None
            work.record(peer, "catalog.crawl-asked", by.name, {})
            work.emit(CrawlAsked(subject=peer))
            return row

    async def crawl(self, event: CrawlAsked | CrawlDue, participant: str) -> None:
        """Renew our copy of one peer's catalog.

        Raises:
            PeerFailed: the peer cannot be reached now; the outbox tries again and the last copy stays.
        """
        with self.read(participant) as work:
            peer = work.find(Peer, event.subject)
        if peer is None:
            return
        try:
            known, first = await self._look(peer)
            crawled = None if known else await self._fetch(peer, first)
        except Refusal as refusal:
            state = "unreachable" if isinstance(refusal, PeerFailed) else "refused"
            self._note(participant, peer.id, state, str(refusal))
            raise
        await asyncio.to_thread(self._store, participant, peer.id, crawled)

    def schedule(self, event: PeerTrusted | CrawlDue, participant: str) -> None:
        """Set the time of the next crawl; one is due for each peer at most."""
        if self.period is None:
            return
        with self.begin(participant) as work:
            waiting = (
                col(OutboxRow.event) == name_of(CrawlDue),
                col(OutboxRow.subject) == event.subject,
                col(OutboxRow.due) > self.now(),
            )
            if work.find(Peer, event.subject) is None or work.count(OutboxRow, *waiting):
                return
            first = isinstance(event, PeerTrusted)
            work.emit(CrawlDue(subject=event.subject), due=self.now() + (timedelta() if first else self.period))

    def forget(self, event: PeerDistrusted, participant: str) -> None:
        """Withdraw the copies of a peer that is trusted no longer."""
        with self.begin(participant) as work:
            for row in _copies(work, event.subject):
                _withdraw(work, row, self.now())

    def failed(self, event: DeliveryFailed, participant: str) -> None:
        """Note, where people look for it, that a crawl was given up, unless a later one went well meanwhile."""
        if event.subscriber != "federation.crawl":
            return
        with self.begin(participant) as work:
            row = work.find(Peer, event.subject, lock=True)
            if row is not None and row.crawl_state != "fresh":
                row.crawl_state, row.crawl_error = "failed", event.reason

    async def _look(self, peer: Peer) -> tuple[bool, Response | None]:
        """Say whether a peer's catalog is still the one we have a copy of; if not, its first page may be there already.

        All pages have to be unchanged: of one that is not sent we do not know which datasets were on it.
        """
        start = _start(peer)
        tags = peer.crawl_tags or []
        if not tags or tags[0][0] != start:
            return False, None
        for url, tag in tags:
            _check_origin(url, peer.address)
            try:
                answer = await self._page(peer.id, url, {"If-None-Match": tag})
            except PeerFailed as failure:
                # A peer may hold that only a GET can be conditional (RFC 9110 §13.1.2).
                if failure.status != PRECONDITION_FAILED:
                    raise
                return False, None
            if answer.status != UNCHANGED:
                return False, answer if url == start else None
        return True, None

    async def _page(self, peer: str, url: str, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
        accepted = {"Accept-Encoding": "zstd, gzip", **headers}
        return await self.messenger.post(peer, url, ASKING, limit=dsp.MAX_BYTES, headers=accepted)

    async def _fetch(self, peer: Peer, first: Response | None) -> _Crawled:
        """Return the datasets of a peer's catalog by id, and what of it could not be used."""
        crawled, url = _Crawled(), _start(peer)
        asked = {url}
        for _ in range(PAGES_AT_MOST):
            answer, first = first or await self._page(peer.id, url), None
            # A page may be large, and this is the loop that answers everybody.
            await asyncio.to_thread(_read_page, peer.id, answer.body, crawled.found, crawled.skipped)
            crawled.note(url, answer.headers.get("ETag"))
            following = dsp.next_link(answer.headers.get("Link"), base=answer.url)
            if following is None:
                return crawled
            _check_origin(url := following, peer.address)
            if url in asked:
                raise InvalidInput(f"The pages of the catalog lead back to one that was read: {url}.", where="Link")
            asked.add(url)
            if len(crawled.found) > DATASETS_AT_MOST:
                break
        raise TooLarge(f"The catalog of {peer.id} has no end within {DATASETS_AT_MOST:,} datasets.")

    def _store(self, participant: str, peer: str, crawled: _Crawled | None) -> None:
        """Bring the copies in step with what was read; nothing, where the catalog is still the one that we know."""
        with self.begin(participant) as work:
            row = work.find(Peer, peer, lock=True)
            if row is None:
                return
            row.crawled_at, row.crawl_state = self.now(), "fresh"
            if crawled is None:
                known = work.count(Dataset, col(Dataset.origin) == peer, col(Dataset.state) == "published")
                row.crawl_error = None
                self._tell(work, peer, [], datasets=known, changed=0, withdrawn=0)
                return
            # What was left out may be understood by a later version: it has to be read again.
            row.crawl_tags = None if crawled.skipped else crawled.tags
            row.crawl_error = "; ".join(crawled.skipped[:20]) or None
            self._update(work, peer, crawled)

    def _update(self, work: Work, peer: str, crawled: _Crawled) -> None:
        known = {copy.id: copy for copy in _copies(work, peer)}
        changed = sum([self._keep(work, peer, known.pop(key, None), each) for key, each in crawled.found.items()])
        gone = [copy for copy in known.values() if copy.state == "published"]
        for copy in gone:
            _withdraw(work, copy, self.now())
        self._tell(work, peer, crawled.skipped, datasets=len(crawled.found), changed=changed, withdrawn=len(gone))

    def _tell(self, work: Work, peer: str, skipped: Sequence[str], **counts: int) -> None:
        work.record(peer, "catalog.crawled", peer, {**counts, "skipped": list(skipped[:100])})
        work.emit(CatalogCrawled(subject=peer, **counts))

    def _keep(self, work: Work, peer: str, copy: Dataset | None, each: _Found) -> bool:
        """Write one dataset as the peer has it now, and tell whether that changed anything."""
        now: dict[str, Any] = {"title": each.title, "record": each.record, "fingerprint": each.fingerprint}
        now |= {"offers": each.offers, "formats": each.formats, "updated": self.now()}
        if copy is None:
            now |= {"participant": self.participant, "origin": peer, "id": each.id}
            work.add(Dataset(**now, profile="", created=self.now()))
        elif (copy.fingerprint, copy.offers, copy.state) == (each.fingerprint, each.offers, "published"):
            return False
        else:
            copy.state, copy.version = "published", copy.version + 1
            for name, value in now.items():
                setattr(copy, name, value)
        work.emit(DatasetPublished(subject=each.id, origin=peer))
        return True

    def _note(self, participant: str, peer: str, state: str, error: str) -> None:
        with self.begin(participant) as work:
            if (row := work.find(Peer, peer, lock=True)) is not None:
                row.crawl_state, row.crawl_error = state, error


def _read_page(peer: str, body: bytes, found: dict[str, _Found], skipped: list[str]) -> None:
    """Read one page of a peer's catalog into `found`; what is wrong with one dataset costs no other.

    Raises:
        InvalidInput: it is no catalog, or another participant's.
    """
    page = dsp.read_catalog(body, limit=dsp.MAX_BYTES)
    if page.participant_id != peer:
        raise InvalidInput(
            f"The catalog is of {page.participant_id}, not of {peer}.",
            where="participantId",
            fix="Correct the peer's participant id or address.",
        )
    skipped += [str(clean(line)) for line in page.skipped]
    for each in page.datasets:
        try:
            found[each.id] = _usable(peer, each)
        except InvalidInput as refusal:
            skipped.append(f"Dataset {clean(each.id, 200)}: {refusal.message}")


def _usable(peer: str, each: dsp.CatalogDataset) -> _Found:
    """Return a dataset as we keep it.

    Raises:
        InvalidInput: it is another participant's, or has what cannot be kept or shown.
    """
    if each.participant_id != peer:
        raise InvalidInput(f"It is offered by {each.participant_id}, not by {peer}.")
    if len(each.id.encode(errors="replace")) > KEY_BYTES:
        raise TooLarge(f"Its id has more than {KEY_BYTES} bytes.")
    record = rdf.canonical(each.triples)
    title = model.words(graph.read(each.triples, each.subject).title) or each.id
    kept = {"id": each.id, "title": title, "offers": each.offers, "formats": each.formats}
    values.columns(kept, frozenset({"offers", "formats"}))
    return _Found(each.id, title, record, rdf.fingerprint(record), each.offers, each.formats)


def _start(peer: Peer) -> str:
    return f"{peer.address}/catalog/request"


def _copies(work: Work, peer: str) -> Iterable[Dataset]:
    return work.select(Dataset, col(Dataset.origin) == peer, lock=True)


def _withdraw(work: Work, copy: Dataset, now: datetime) -> None:
    copy.state, copy.updated = "withdrawn", now
    work.emit(DatasetWithdrawn(subject=copy.id, origin=copy.origin))


def _check_origin(url: str, address: str) -> None:
    """Refuse a next page on another machine: it would be sent a token that is meant for the peer alone."""
    if urlsplit(url)[:2] != urlsplit(address)[:2]:
        raise InvalidInput(f"The next page of the catalog is elsewhere: {url}.", where="Link")
