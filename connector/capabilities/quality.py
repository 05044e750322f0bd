"""Quality: the score of our records and of the whole catalog, and how the addresses in them answer.

Addresses are asked through the guarded client, in the background, and what they answered is kept: a score never waits
for anybody, and no record is refused for an address that does not answer.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement
from sqlmodel import col

from connector.capabilities import terms
from connector.capabilities.evidence import Begin, Clock
from connector.errors import Gone, InvalidInput, PeerFailed
from connector.network import Network
from connector.standards import rdf
from connector.standards.dcat import dqv, quality, shacl
from connector.standards.dcat.quality import Assessment, CatalogScore, Score, Status, Survey
from connector.storage.events import Event, name_of
from connector.storage.tables import Address, Dataset, OutboxRow
from connector.storage.work import Work

BATCH: Final = 200
"""Records that are scored, or addresses that are asked, in one go."""

AT_ONCE: Final = 8
SECONDS: Final = 20.0
"""Longest that one address is waited for."""

PIECE: Final = 1 << 20
REDIRECTS: Final = 5
STRUCTURE: Final = "dcat-ap"
_FINAL: Final = frozenset({404, 410})
_BAD: Final = 400


class AddressesDue(Event, frozen=True, kw_only=True):
    """Addresses in our records are to be asked whether they answer; `subject` is the participant.

    `since` is the moment before which an answer is too old.
    """

    since: datetime


@dataclass(frozen=True, slots=True)
class Quality:
    """How good the records of this participant are.

    Attributes:
        home: address below which the connector shows its own datasets; it need not ask itself.
        period: how old an answer may become before an address is asked again; None: only on request.
    """

    begin: Begin
    read: Begin
    now: Clock
    participant: str
    home: str
    iri: str
    network: Network
    period: timedelta | None

    def score(self, key: str, *languages: str) -> Score:
        """Return the score of one of our published records.

        Raises:
            NotFound: there is none of that IRI.
        """
        with self.read(self.participant) as work:
            row = work.need(Dataset, self.participant, key)
            if row.state != "published":
                raise Gone("dataset", key, "it is published no longer.")
            return self.assess(work, row).score(*languages)

    def measurements(self, key: str) -> rdf.Triples:
        """Return the score of one of our published records as DQV; errors as for `score`."""
        return dqv.measurements(self.score(key), self._moment())

    def catalog(self, *languages: str) -> CatalogScore:
        """Return the score of all published records together."""
        survey = Survey()
        for rows in self._batches():
            with self.read(self.participant) as work:
                for row in rows:
                    survey.add(self.assess(work, row))
        return survey.score(*languages)

    def catalog_measurements(self) -> rdf.Triples:
        """Return the score of all published records together as DQV, about our catalog."""
        return dqv.catalog_measurements(self.catalog(), self.iri, self._moment())

    def _moment(self) -> str:
        return self.now().isoformat().replace("+00:00", "Z")

    def assess(
        self, work: Work, row: Dataset, record: rdf.Triples | None = None, *, compliant: bool | None = None
    ) -> Assessment:
        """Return what the indicators see in a record.

        Args:
            work: to look in.
            row: the record.
            record: its triples, where they are at hand.
            compliant: whether it conforms to the structure of DCAT-AP, where that is known.
        """
        triples = record or rdf.parse(row.record, rdf.Format.N_TRIPLES)
        fit = shacl.check(triples, STRUCTURE).conforms if compliant is None else compliant
        closed = terms.is_closed(terms.open_policies(work, row.id), self.now())
        rows = work.find_by(Address, dataset=row.id)
        status = {each.url: Status(code=each.code, at=_text(each.checked)) for each in rows if each.code is not None}
        own = {url: Status(code=200) for url in quality.addresses(triples) if self._is_own(work, url)}
        return Assessment(triples, row.id, compliant=fit, status={**status, **own}, closed=closed or None)

    def ask(self, key: str | None = None) -> int:
        """Have the addresses of one record, or of all, asked again in the background, and say how many there are.

        Raises:
            NotFound: there is no such record.
        """
        with self.begin(self.participant) as work:
            if key is not None:
                work.need(Dataset, self.participant, key)
            rows = work.select(Address, *([col(Address.dataset) == key] if key else []), lock=True)
            for row in rows:
                row.checked = None
            if rows:
                work.emit(AddressesDue(subject=self.participant, since=self.now()))
            return len({row.url for row in rows})

    def schedule(self) -> None:
        """Have those addresses asked whose last answer is too old; a chore, done every hour."""
        if self.period is None:
            return
        since = self.now() - self.period
        with self.begin(self.participant) as work:
            waiting = (col(OutboxRow.event) == name_of(AddressesDue), col(OutboxRow.state) == "waiting")
            if work.count(Address, _old(since)) and not work.count(OutboxRow, *waiting):
                work.emit(AddressesDue(subject=self.participant, since=since))

    async def check(self, event: AddressesDue, participant: str) -> None:
        """Ask addresses that were not asked since; what is left over is asked in a next go."""
        urls = await asyncio.to_thread(self._due, event.since)
        gate = asyncio.Semaphore(AT_ONCE)

        async def asked(url: str) -> tuple[str, int | None, str | None]:
            async with gate:
                return url, *await self._answer(url)

        answers = await asyncio.gather(*map(asked, urls))
        await asyncio.to_thread(self._store, participant, answers, event if len(urls) == BATCH else None)

    async def _answer(self, url: str) -> tuple[int | None, str | None]:
        """Return the status of an address, 0 where there was no answer, None where it may not be asked."""
        headers = {"Range": "bytes=0-0"}
        asking = {"timeout": SECONDS, "redirects": REDIRECTS}
        try:
            head = await self.network.request("HEAD", url, limit=PIECE, **asking)  # type: ignore[arg-type]
            if head.status < _BAD or head.status in _FINAL:
                return head.status, None
            got = await self.network.request("GET", url, headers=headers, limit=PIECE, **asking)  # type: ignore[arg-type]
        except InvalidInput as refusal:
            return None, str(refusal.message)
        except PeerFailed as refusal:
            return 0, str(refusal.message)
        return got.status, None

    def _due(self, since: datetime) -> list[str]:
        with self.read(self.participant) as work:
            rows = work.select(Address, _old(since), order_by=col(Address.url), limit=BATCH)
        return sorted({row.url for row in rows})

    def _store(
        self, participant: str, answers: Iterable[tuple[str, int | None, str | None]], again: AddressesDue | None
    ) -> None:
        with self.begin(participant) as work:
            for url, code, error in answers:
                for row in work.select(Address, col(Address.url) == url, lock=True):
                    row.code, row.error, row.checked = code, error, self.now()
            if again is not None:
                work.emit(again)

    def _is_own(self, work: Work, url: str) -> bool:
        """Say whether an address is that of a page of ours, which answers."""
        if not url.startswith(f"{self.home}/"):
            return False
        row = work.find(Dataset, self.participant, url.partition("#")[0])
        return row is not None and row.state == "published"

    def _batches(self) -> Iterator[list[Dataset]]:
        after = ""
        while True:
            published = (col(Dataset.origin) == self.participant, col(Dataset.state) == "published")
            with self.read(self.participant) as work:
                rows = work.select(Dataset, *published, col(Dataset.id) > after, order_by=col(Dataset.id), limit=BATCH)
            if not rows:
                return
            after = rows[-1].id
            yield rows


def keep_addresses(work: Work, key: str, record: rdf.Triples) -> None:
    """Note the addresses of a record, so that they are asked in time; those that it has no more are forgotten."""
    wanted = set(quality.addresses(record))
    for row in work.find_by(Address, dataset=key):
        if row.url in wanted:
            wanted.discard(row.url)
        else:
            work.delete(row)
    for url in sorted(wanted):
        work.add(Address(participant=work.participant, dataset=key, url=url))


def _old(since: datetime) -> ColumnElement[bool]:
    return col(Address.checked).is_(None) | (col(Address.checked) < since)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
