"""Evidence: what happened, sealed into a chain that shows every later change."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col

from connector.storage.events import EvidenceRecorded
from connector.storage.ledger import Ledger, LedgerReport
from connector.storage.tables import Evidence, OutboxRow
from connector.storage.work import Work

Begin = Callable[[str], AbstractContextManager[Work]]
"""Opens a unit of work for a participant."""

Clock = Callable[[], datetime]
NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class EvidenceBook:
    """The evidence of one participant."""

    read: Begin
    ledger: Ledger
    check: Callable[[], LedgerReport]
    participant: str

    def seal(self, event: EvidenceRecorded, participant: str) -> None:  # noqa: ARG002 - the event only wakes us
        """Seal what has been recorded since the last time."""
        self.ledger.seal(participant)

    def verify(self) -> LedgerReport:
        """Check the whole chain and name the first row that does not fit."""
        return self.check()

    def about(self, subject: str) -> list[Evidence]:
        """Return everything recorded about one thing, in the order it happened."""
        with self.read(self.participant) as work:
            return work.select(Evidence, col(Evidence.subject) == subject, order_by=col(Evidence.seq))

    def waiting(self, subject: str) -> list[OutboxRow]:
        """Return what was tried about one thing and did not go well yet, or was given up, oldest first."""
        tried = (col(OutboxRow.subject) == subject, col(OutboxRow.attempts) > 0)
        with self.read(self.participant) as work:
            return work.select(OutboxRow, *tried, order_by=col(OutboxRow.id))
