"""From a commit straight to its delivery: what the outbox of this process takes without a look at the table.

A row that may be delivered at once is written with a lease for this process on it, as if it had been taken already,
and handed over when it is committed. The rules of the queue (`deliveries`) hold: such a row has no other ahead of it
in its queue, or only rows that this process has delivered and not yet deleted, which then go in the same transaction.
If the process dies, its lease runs out and the row is taken from the table like any other.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, select

from connector.storage.deliveries import DELIVERED, Delivery
from connector.storage.events import Event, encode
from connector.storage.links import Link
from connector.storage.shapes import shape_of
from connector.storage.tables import OutboxRow
from connector.storage.unit_statements import ANNOUNCE

_ROW: Final = shape_of(OutboxRow).table.c

IN_QUEUE: Final = select(_ROW.id).where(
    _ROW.participant == bindparam("participant"),
    _ROW.subject == bindparam("subject"),
    _ROW.subscriber == bindparam("subscriber"),
    _ROW.state == "waiting",
    _ROW.due <= bindparam("due"),
)
"""The rows of one queue that a new row would have to wait for."""


class Reaction(NamedTuple):
    """An event that its subscriber may hear within the transaction, and the outbox row that waits if it fails."""

    event: Event
    row: Mapping[str, Any]

    @property
    def subscriber(self) -> str:
        """Who hears it."""
        return str(self.row["subscriber"])

    @property
    def participant(self) -> str:
        """Whose it is."""
        return str(self.row["participant"])

    def announce(self, link: Link) -> Delivery:
        """Write the row, which is leased, and return its delivery."""
        key = int(link.rows(ANNOUNCE, self.row)[0][0])
        whom = (self.participant, self.subscriber, self.row["event"], self.event.subject)
        return Delivery(key, *whom, body=encode(self.event), attempt=1, said=self.event)


class Handover:
    """The way from commits to the deliveries of one running outbox; safe to share between threads.

    Args:
        give: takes rows that are committed, from any thread.
        until: till when a row that is taken now is leased.
        has_room: whether more may be taken.
    """

    def __init__(
        self, give: Callable[[Sequence[Delivery]], None], until: Callable[[], datetime], has_room: Callable[[], bool]
    ) -> None:
        self.give = give
        self.until = until
        self.has_room = has_room
        self._delivered: set[int] = set()

    def may_take(self, link: Link, queue: dict[str, object]) -> bool:
        """Say whether a row may be handed over; the transaction must keep others out of its queue.

        Args:
            link: the transaction that will write the row.
            queue: the row's participant, subject and subscriber, and when it is due.
        """
        if not self.has_room():
            return False
        ahead = [row[0] for row in link.rows(IN_QUEUE, queue)]
        if not self._delivered.issuperset(ahead):
            return False
        for row in ahead:
            link.run(DELIVERED, {"of_id": row})
        return True

    def was_delivered(self, row: int) -> None:
        """Note that a row need not be waited for any more, although it is still in the table."""
        self._delivered.add(row)

    def was_settled(self, rows: Sequence[int]) -> None:
        """Note that rows are out of the table, or not delivered after all."""
        self._delivered.difference_update(rows)
