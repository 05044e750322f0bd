"""The outbox's bookkeeping: which rows may be delivered now, and what became of those that were.

Rules of the queue:

1. Rows of one participant, subject and subscriber form a queue in the order of their ids. A row that is due waits
   while an earlier due row of its queue is still waiting, also between attempts, or any other is being delivered.
2. A row due in the future (a timer) is not in its queue yet: it holds nobody up.
3. A row that was given up (`failed`) holds nobody up either. Otherwise one poisoned event would silence its subject
   for good; instead it stays visible, and who revives it knows that later events went ahead.
4. Whoever delivers a row holds a lease on it and renews it. A killed process's leases run out, or are ended by the
   next process where that is the only one (`presence`), and the rows are taken up again, so an event may be heard
   twice and is never lost. `attempts` counts the takings and fences the settling:
   a process that lost its lease cannot postpone or fail what another is delivering.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, bindparam, delete, exists, func, or_, select, update

from connector.storage.events import Event
from connector.storage.links import Link
from connector.storage.shapes import shape_of
from connector.storage.statements import in_utc, reader
from connector.storage.tables import OutboxRow

_TABLE: Final = shape_of(OutboxRow).table
_ROW: Final = _TABLE.c
_OTHER: Final = _TABLE.alias("other")

_AHEAD: Final = exists(
    select(_OTHER.c.id).where(
        _OTHER.c.participant == _ROW.participant,
        _OTHER.c.subject == _ROW.subject,
        _OTHER.c.subscriber == _ROW.subscriber,
        _OTHER.c.id != _ROW.id,
        _OTHER.c.state == "waiting",
        _OTHER.c.due <= bindparam("now"),
        or_(_OTHER.c.id < _ROW.id, _OTHER.c.lease_until > bindparam("now")),
    )
)

DELIVERABLE: Final = (
    select(_ROW.id, _ROW.participant, _ROW.subscriber, _ROW.event, _ROW.subject, _ROW.body, _ROW.attempts)
    .where(
        _ROW.state == "waiting",
        _ROW.due <= bindparam("now"),
        or_(_ROW.lease_until.is_(None), _ROW.lease_until <= bindparam("now")),
        _ROW.subscriber.not_in(bindparam("full", expanding=True)),
        ~_AHEAD,
    )
    .order_by(_ROW.due, _ROW.id)
    .limit(bindparam("most"))
    .with_for_update(of=_TABLE, skip_locked=True)
)
"""Rows at the head of their queue, oldest first, that no other process is looking at."""

TAKE: Final = (
    update(_TABLE)
    .where(_ROW.id.in_(bindparam("ids", expanding=True)))
    .values(lease_until=bindparam("until"), attempts=_ROW.attempts + 1)
)
"""Lease rows and count the attempt before it is made, so that a row that kills the process is given up in the end."""

RENEW: Final = (
    update(_TABLE)
    .where(
        _ROW.id == bindparam("of_id"),
        _ROW.attempts == bindparam("of_attempt"),
        _ROW.state == "waiting",
    )
    .values(lease_until=bindparam("until"))
)
"""Keep the lease of a row that is still being delivered, if it is still ours."""

DELIVERED: Final = delete(_TABLE).where(_ROW.id == bindparam("of_id"))
"""A delivered row is gone, whoever holds its lease by now."""

_STILL_OURS: Final = and_(
    _ROW.id == bindparam("of_id"), _ROW.attempts == bindparam("of_attempt"), _ROW.state == "waiting"
)
POSTPONE: Final = update(_TABLE).where(_STILL_OURS).values(lease_until=bindparam("until"), error=bindparam("reason"))
"""Try again at `until`; the reason stays readable meanwhile."""

GIVE_UP: Final = update(_TABLE).where(_STILL_OURS).values(state="failed", lease_until=None, error=bindparam("reason"))
"""Leave the row to a person."""

RELEASE: Final = update(_TABLE).where(_STILL_OURS).values(lease_until=None, attempts=_ROW.attempts - 1)
"""Hand back a row whose delivery was broken off by a stop."""

FREE: Final = update(_TABLE).where(_ROW.state == "waiting", _ROW.lease_until.is_not(None)).values(lease_until=None)
"""Hand back what a process that is no more had in hand, and end the pauses between attempts."""

NEXT_DUE: Final = select(func.min(_ROW.due)).where(_ROW.state == "waiting", _ROW.due > bindparam("now"))
"""When the next timer becomes due."""

NEXT_LEASE: Final = select(func.min(_ROW.lease_until)).where(
    _ROW.state == "waiting", _ROW.lease_until > bindparam("now")
)
"""When the next pause between attempts, or a killed process's lease, is over."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one subscriber; `attempt` counts from 1, `said` is the event where it is at hand."""

    id: int
    participant: str
    subscriber: str
    event: str
    subject: str
    body: dict[str, Any]
    attempt: int
    said: Event | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a look at the outbox gave: rows to deliver now, whether there are more, and when to look again."""

    deliveries: tuple[Delivery, ...]
    more: bool
    next: datetime | None


def take(link: Link, now: datetime, until: datetime, *, room: int, under_way: Mapping[str, int], share: int) -> Taken:
    """Lease rows that may be delivered now.

    Args:
        link: an open transaction that writes.
        now: the moment.
        until: till when nobody else touches the rows, unless renewed.
        room: at most so many rows.
        under_way: how many rows each subscriber is being given already.
        share: at most so many rows for one subscriber, so that a slow one never holds up the others.
    """
    if room < 1:
        return Taken((), more=False, next=None)
    full = [name for name, count in under_way.items() if count >= share]
    most = 2 * room
    found = link.core.execute(DELIVERABLE, {"now": now, "full": full, "most": most}).all()
    counts = Counter(under_way)
    chosen: list[Delivery] = []
    for row in found:
        if len(chosen) < room and counts[row.subscriber] < share:
            counts[row.subscriber] += 1
            chosen.append(Delivery(*row[:6], attempt=row.attempts + 1))
    if chosen:
        link.core.execute(TAKE, {"ids": [row.id for row in chosen], "until": until})
    more = len(chosen) < len(found) or len(found) == most
    return Taken(tuple(chosen), more, None if more else _next(link, now))


def _next(link: Link, now: datetime) -> datetime | None:
    read = reader(_ROW.due.type, link.dialect) or in_utc
    moments = [link.rows(statement, {"now": now})[0][0] for statement in (NEXT_DUE, NEXT_LEASE)]
    return min((read(moment) for moment in moments if moment is not None), default=None)


def renew(link: Link, deliveries: Iterable[Delivery], until: datetime) -> None:
    """Keep the leases of what is being delivered."""
    for row in deliveries:
        link.run(RENEW, {"of_id": row.id, "of_attempt": row.attempt, "until": until})


def delivered(link: Link, deliveries: Iterable[Delivery]) -> None:
    """Delete what was delivered."""
    for row in deliveries:
        link.run(DELIVERED, {"of_id": row.id})


def postpone(link: Link, row: Delivery, until: datetime, reason: str) -> None:
    """Try again at `until`."""
    link.run(POSTPONE, {"of_id": row.id, "of_attempt": row.attempt, "until": until, "reason": reason})


def give_up(link: Link, row: Delivery, reason: str) -> bool:
    """Leave the row to a person, and say whether it was still ours to give up."""
    asked = {"of_id": row.id, "of_attempt": row.attempt, "reason": reason}
    return link.run(GIVE_UP, asked) == 1


def release(link: Link, row: Delivery) -> None:
    """Hand the row back untried."""
    link.run(RELEASE, {"of_id": row.id, "of_attempt": row.attempt})


def free(link: Link) -> None:
    """Hand back every row that somebody has in hand; for who knows that nobody is left."""
    link.run(FREE, {})
