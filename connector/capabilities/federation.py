"""Federation: copies of the catalogs of trusted peers, kept in step and never mixed with our own.

A crawl reads a peer's whole catalog first and then changes the copies in one unit of work: a search never sees half
a catalog, and a crawl that breaks off leaves the last whole copy.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlmodel import col

from connector.capabilities.datasets import DatasetPublished, DatasetWithdrawn
from connector.capabilities.evidence import Begin, Clock
from connector.capabilities.identity import PeerDistrusted, PeerTrusted, Principal
from connector.capabilities.messenger import Messenger
from connector.errors import InvalidInput, PeerFailed, Refusal, TooLarge
from connector.standards import rdf
from connector.standards.dcat import graph, model
from connector.standards.dsp import catalog as dsp
from connector.standards.dsp import messages
from connector.storage.events import DeliveryFailed, Event, name_of
from connector.storage.tables import Dataset, OutboxRow, Peer
from connector.storage.work import Work

PAGES_AT_MOST: Final = 10_000
DATASETS_AT_MOST: Final = 200_000


class CrawlAsked(Event, frozen=True, kw_only=True):
    """Somebody wants the copy of a peer's catalog renewed now; `subject` is the peer."""


class CrawlDue(Event, frozen=True, kw_only=True):
    """It is time to renew the copy of a peer's catalog; `subject` is the peer."""


class CatalogCrawled(Event, frozen=True, kw_only=True):
    """The copy of a peer's catalog is fresh; `subject` is the peer."""

    datasets: int
    changed: int
    withdrawn: int


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
            found, skipped = await self._fetch(peer)
        except Refusal as refusal:
            state = "unreachable" if isinstance(refusal, PeerFailed) else "refused"
            self._note(participant, peer.id, state, str(refusal))
            raise
        self._store(participant, peer.id, found, skipped)

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
        """Note, where people look for it, that a crawl was given up."""
        if event.subscriber == "federation.crawl":
            self._note(participant, event.subject, "failed", event.reason)

    async def _fetch(self, peer: Peer) -> tuple[dict[str, dsp.CatalogDataset], list[str]]:
        """Return the datasets of a peer's catalog by id, and what of it could not be used."""
        found: dict[str, dsp.CatalogDataset] = {}
        skipped: list[str] = []
        message = messages.encode(messages.CatalogRequestMessage())
        url = f"{peer.address}/catalog/request"
        for _ in range(PAGES_AT_MOST):
            answer = await self.messenger.post(peer.id, url, message, limit=dsp.MAX_BYTES)
            page = dsp.read_catalog(answer.body)
            if page.participant_id != peer.id:
                raise InvalidInput(
                    f"The catalog is of {page.participant_id}, not of {peer.id}.",
                    where="participantId",
                    fix="Correct the peer's participant id or address.",
                )
            skipped += page.skipped
            found |= {each.id: each for each in page.datasets}
            following = dsp.next_link(answer.headers.get("Link"), base=answer.url)
            if following is None:
                return found, skipped
            _check_origin(url := following, peer.address)
            if len(found) > DATASETS_AT_MOST:
                break
        raise TooLarge(f"The catalog of {peer.id} has no end within {DATASETS_AT_MOST:,} datasets.")

    def _store(self, participant: str, peer: str, found: dict[str, dsp.CatalogDataset], skipped: list[str]) -> None:
        with self.begin(participant) as work:
            row = work.find(Peer, peer, lock=True)
            if row is None:
                return
            known = {copy.id: copy for copy in _copies(work, peer)}
            changed = sum([self._keep(work, peer, known.pop(key, None), each) for key, each in found.items()])
            gone = [copy for copy in known.values() if copy.state == "published"]
            for copy in gone:
                _withdraw(work, copy, self.now())
            row.crawled_at, row.crawl_state = self.now(), "fresh"
            row.crawl_error = "; ".join(skipped[:20]) or None
            counts = {"datasets": len(found), "changed": changed, "withdrawn": len(gone)}
            work.record(peer, "catalog.crawled", peer, {**counts, "skipped": skipped[:100]})
            work.emit(CatalogCrawled(subject=peer, **counts))

    def _keep(self, work: Work, peer: str, copy: Dataset | None, each: dsp.CatalogDataset) -> bool:
        """Write one dataset as the peer has it now, and tell whether that changed anything."""
        record = rdf.canonical(each.triples)
        mark = rdf.fingerprint(record)
        if copy is not None and (copy.fingerprint, copy.offers, copy.state) == (mark, each.offers, "published"):
            return False
        title = model.words(graph.read(each.triples, each.subject).title) or each.id
        if copy is None:
            work.add(
                Dataset(
                    participant=self.participant,
                    origin=peer,
                    id=each.id,
                    title=title,
                    profile="",
                    record=record,
                    fingerprint=mark,
                    offers=each.offers,
                    formats=each.formats,
                    created=self.now(),
                    updated=self.now(),
                )
            )
        else:
            copy.title, copy.record, copy.fingerprint = title, record, mark
            copy.offers, copy.formats = each.offers, each.formats
            copy.state, copy.version, copy.updated = "published", copy.version + 1, self.now()
        work.emit(DatasetPublished(subject=each.id, origin=peer))
        return True

    def _note(self, participant: str, peer: str, state: str, error: str) -> None:
        with self.begin(participant) as work:
            if (row := work.find(Peer, peer, lock=True)) is not None:
                row.crawl_state, row.crawl_error = state, error


def _copies(work: Work, peer: str) -> Iterable[Dataset]:
    return work.select(Dataset, col(Dataset.origin) == peer, lock=True)


def _withdraw(work: Work, copy: Dataset, now: datetime) -> None:
    copy.state, copy.updated = "withdrawn", now
    work.emit(DatasetWithdrawn(subject=copy.id, origin=copy.origin))


def _check_origin(url: str, address: str) -> None:
    """Refuse a next page on another machine: it would be sent a token that is meant for the peer alone."""
    if urlsplit(url)[:2] != urlsplit(address)[:2]:
        raise InvalidInput(f"The next page of the catalog is elsewhere: {url}.", where="Link")
