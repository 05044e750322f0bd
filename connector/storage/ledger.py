"""The evidence ledger: what was recorded becomes a chain in which no row can be changed, removed or moved unseen.

Evidence is written in the transaction of the act it proves, without waiting for anybody. Sealing is a step of its
own: it gives each unsealed row the next `position` of its participant, the `digest` of the row before it and its own,
SHA-256 over the canonical JSON (RFC 8785) of everything in the row. The end of the chain is kept in `LedgerHead`, and
signed when a signer is given.

What it shows and what it does not: any edit, deletion or swap of sealed rows is found, and with it a chain cut short
at its end, because the head counts the rows. Someone who can write to the database and forges the head too is found
when heads are signed with a key that is not in the database. A whole database set back to an older state, head and
all, looks like itself: give `verify` a head noted elsewhere (`anchor`) to find that.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, Text, bindparam, cast, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError

from connector.errors import Refusal
from connector.storage import values
from connector.storage.deliveries import DELIVERED
from connector.storage.events import Event, EvidenceRecorded, name_of
from connector.storage.links import Found, Link
from connector.storage.shapes import shape_of
from connector.storage.statements import Convert, in_utc, reader
from connector.storage.tables import Evidence, LedgerHead, OutboxRow
from connector.storage.work import Clock, Database

Signer = Callable[[bytes], str]
"""Signs the canonical JSON of a head."""
SignatureCheck = Callable[[bytes, str], bool]
"""Says whether a signature is ours over the canonical JSON of a head."""

BATCH: Final = 500
"""Rows sealed in one transaction: long backlogs must not keep other writers out."""

_EVIDENCE: Final = shape_of(Evidence).table
_HEAD: Final = shape_of(LedgerHead).table
_OUTBOX: Final = shape_of(OutboxRow).table
_ROW: Final = _EVIDENCE.c
_END: Final = _HEAD.c
_CALL: Final = _OUTBOX.c


class Recorded(NamedTuple):
    """Evidence that has no place in the chain yet; `body` is JSON text."""

    participant: str
    seq: int
    id: str
    subject: str
    kind: str
    actor: str
    message_id: str | None
    at: datetime
    body: str


WHOLE_ROW: Final = (
    *(column for column in _ROW if column.name != "body"),
    cast(_ROW.body, Text).label("body"),  # as text, so that a body which is no JSON any more is a finding, not a crash
)

UNSEALED: Final = (
    select(*(cast(_ROW.body, Text) if name == "body" else _ROW[name] for name in Recorded._fields))
    .where(_ROW.participant == bindparam("of_participant"), _ROW.position.is_(None))
    .order_by(_ROW.seq)
    .limit(BATCH)
)
"""The oldest rows that are not in the chain."""

SEALED: Final = (
    select(*WHOLE_ROW)
    .where(_ROW.participant == bindparam("of_participant"), _ROW.position.is_not(None))
    .order_by(_ROW.position, _ROW.seq)
    .execution_options(yield_per=BATCH)
)
"""The chain, from its beginning."""

NEXT_SEQ: Final = (
    select(_ROW.seq)
    .where(_ROW.participant == bindparam("of_participant"), _ROW.position > bindparam("end"))
    .order_by(_ROW.position)
    .limit(1)
)
"""The row after the last one that could be read, without reading it."""

HALF_SEALED: Final = select(func.min(_ROW.seq)).where(
    _ROW.participant == bindparam("of_participant"),
    _ROW.position.is_(None),
    (_ROW.digest.is_not(None) | _ROW.previous.is_not(None)),
)
"""The first row that was taken out of the chain by its position only."""

_GIVEN: Final = {
    "sqlite": "SELECT json_extract(value, '$[0]') AS seq, json_extract(value, '$[1]') AS position, "
    "json_extract(value, '$[2]') AS previous, json_extract(value, '$[3]') AS digest FROM json_each(:seals)",
    "postgresql": "SELECT CAST(value->>0 AS bigint) AS seq, CAST(value->>1 AS bigint) AS position, "
    "value->>2 AS previous, value->>3 AS digest FROM json_array_elements(CAST(:seals AS json)) AS value",
}
SEAL: Final = {
    engine: text(
        "UPDATE evidence SET position = given.position, previous = given.previous, digest = given.digest "  # noqa: S608 - it holds no value
        f"FROM ({given}) AS given WHERE evidence.seq = given.seq"
    )
    for engine, given in _GIVEN.items()
}
"""Put rows into the chain, all by one statement: each would hold up whoever wants to write."""

ASKED: Final = (
    select(_CALL.id)
    .where(
        _CALL.participant == bindparam("of_participant"),
        _CALL.subject == bindparam("of_participant"),
        _CALL.event == name_of(EvidenceRecorded),
        _CALL.state == "waiting",
    )
    .with_for_update(skip_locked=True)
)
"""The announcements of evidence that is read after them, and so is sealed with it. One that a unit of work holds has
the unit's own evidence to announce, which cannot be read yet."""

_EMPTY: Final = {"participant": bindparam("of_participant"), "position": 0, "seq": 0}
FIRST_HEAD: Final = {
    "sqlite": sqlite.insert(_HEAD).values(_EMPTY).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(_HEAD).values(_EMPTY).on_conflict_do_nothing(),
}
"""The head of a chain that has no row yet, unless there is one."""

HEAD: Final = select(_HEAD).where(_END.participant == bindparam("of_participant"))
HEAD_TO_MOVE: Final = (
    select(_END.position, _END.seq, _END.digest)
    .where(_END.participant == bindparam("of_participant"))
    .with_for_update()
)
MOVE_HEAD: Final = (
    update(_HEAD)
    .where(_END.participant == bindparam("of_participant"))
    .values({name: bindparam(name) for name in ("position", "seq", "digest", "signature", "sealed")})
)
PARTICIPANTS: Final = select(_ROW.participant).where(_ROW.position.is_(None)).distinct()


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many rows, the last one's `seq`, and its digest (None for an empty chain)."""

    position: int
    seq: int
    digest: str | None

    def text(self, participant: str) -> bytes:
        """Return what is signed."""
        return values.canonical(
            {"participant": participant, "position": self.position, "seq": self.seq, "digest": self.digest}
        )


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What a check of a chain found.

    `count` rows are sound from the beginning on, `unsealed` wait for sealing. Where `ok` is False, `reason` says in
    a sentence what is wrong and `first_bad_seq` where: the first row that is not what it was, or that stands where
    another one was. `head` is the end of the chain, to be noted elsewhere.
    """

    ok: bool
    count: int
    unsealed: int
    head: Head
    first_bad_seq: int | None = None
    reason: str | None = None


class Ledger:
    """Seals and checks the evidence of a database.

    Args:
        database: whose evidence.
        now: the clock.
        sign: signs each new head; the key must not lie in the database.
    """

    def __init__(self, database: Database, now: Clock, sign: Signer | None = None) -> None:
        self._database = database
        self._now = now
        self._sign = sign

    def __call__(self, event: Event, participant: str) -> None:  # noqa: ARG002 - an outbox handler: the event says only that there is something
        """Seal what is new: the subscriber of `EvidenceRecorded`."""
        self.seal(participant)

    def seal(self, participant: str) -> int:
        """Put every unsealed row of the participant into the chain and say how many there were.

        Several may seal at once; the chain stays a line, because each holds the head while it adds.
        """
        sealed = 0
        while True:
            with self._database.link() as link:
                added = self._seal_batch(link, participant)
            sealed += added
            if added < BATCH:
                return sealed

    def seal_all(self) -> int:
        """Seal the evidence of every participant, for a periodic run."""
        with self._database.transaction(write=False) as connection:
            participants = connection.execute(PARTICIPANTS).scalars().all()
        return sum(self.seal(participant) for participant in participants)

    def _seal_batch(self, link: Link, participant: str) -> int:
        of_participant = {"of_participant": participant}
        engine, moment = link.dialect.name, reader(_ROW.at.type, link.dialect) or in_utc
        link.run(FIRST_HEAD[engine], of_participant)
        head = Head(*link.rows(HEAD_TO_MOVE, of_participant)[0])
        asked = [row[0] for row in link.rows(ASKED, of_participant)]
        # Read only now: whoever held the head before us may have sealed the same rows.
        rows = [_recorded(row, moment) for row in link.rows(UNSEALED, of_participant)]
        for row in asked:
            link.run(DELIVERED, {"of_id": row})
        if not rows:
            return 0
        seals = []
        for row in rows:
            previous, position = head.digest, head.position + 1
            head = Head(position, row.seq, digest(row, position, previous))
            seals.append((row.seq, position, previous, head.digest))
        link.run(SEAL[engine], {"seals": values.to_text(seals)})
        signature = self._sign(head.text(participant)) if self._sign else None
        moved = {"position": head.position, "seq": head.seq, "digest": head.digest}
        link.run(MOVE_HEAD, {**of_participant, **moved, "signature": signature, "sealed": self._now()})
        return len(rows)


def _recorded(found: Found, moment: Convert) -> Recorded:
    row = Recorded(*found)
    return row._replace(at=moment(row.at))


def digest(row: Row[Any] | Recorded, position: int, previous: str | None) -> str:
    """Return the digest of an evidence row at its place in the chain, as hexadecimal SHA-256.

    Raises:
        ValueError, Refusal: the row cannot have been written by us: its body is no JSON or has no canonical form.
    """
    moment: datetime = row.at
    sealed = {
        "participant": row.participant,
        "seq": row.seq,
        "position": position,
        "id": row.id,
        "subject": row.subject,
        "kind": row.kind,
        "actor": row.actor,
        "message_id": row.message_id,
        "body": msgspec.json.decode(row.body),
        "at": moment.astimezone(UTC).isoformat(timespec="microseconds"),
        "previous": previous,
    }
    return hashlib.sha256(values.canonical(sealed)).hexdigest()


def verify(
    database: Database, participant: str, *, check: SignatureCheck | None = None, anchor: Head | None = None
) -> LedgerReport:
    """Check the participant's chain from its beginning to its head, in one consistent view.

    Args:
        database: whose evidence.
        participant: whose chain.
        check: says whether a head's signature is ours; with it, a chain without a signed head is not sound.
        anchor: a head noted elsewhere earlier; the chain must still contain it.
    """
    with database.transaction(write=False) as connection:
        return _Check(connection, participant, check, anchor).report()


class _Check:
    """One walk along a chain, which ends at the first thing that is wrong."""

    def __init__(
        self, connection: Connection, participant: str, check: SignatureCheck | None, anchor: Head | None
    ) -> None:
        self._connection = connection
        self._participant = participant
        self._of_participant = {"of_participant": participant}
        self._check = check
        self._anchor = anchor
        self._end = Head(0, 0, None)

    def report(self) -> LedgerReport:
        """Walk the chain and say what was found."""
        with closing(self._faults()) as faults:  # a walk broken off must not leave its cursor open
            fault = next(faults, None)
        unsealed = self._connection.execute(
            select(func.count()).where(_ROW.participant == self._participant, _ROW.position.is_(None))
        ).scalar_one()
        seq, reason = fault or (None, None)
        return LedgerReport(fault is None, self._end.position, unsealed, self._end, seq, reason)

    def _faults(self) -> Generator[tuple[int, str]]:
        try:
            yield from self._faults_of_rows()
        except (ValueError, TypeError, Refusal, StatementError):
            seq = self._connection.execute(NEXT_SEQ, {**self._of_participant, "end": self._end.position}).scalar_one()
            yield seq, f"Row {seq} holds what cannot have been written by us."
        half = self._connection.execute(HALF_SEALED, self._of_participant).scalar_one()
        if half is not None:
            yield half, f"Row {half} carries a seal and is not in the chain."
        yield from self._faults_of_head()

    def _faults_of_rows(self) -> Iterator[tuple[int, str]]:
        with self._connection.execute(SEALED, self._of_participant) as rows:
            for row in rows:
                fault = self._fault_of(row)
                if fault is not None:
                    yield row.seq, fault
                self._end = Head(row.position, row.seq, row.digest)
                if self._anchor and self._anchor.position == row.position and self._anchor != self._end:
                    yield row.seq, f"Row {row.seq} is not the one that was noted as the end of the chain earlier."

    def _fault_of(self, row: Row[Any]) -> str | None:
        if row.position != self._end.position + 1:
            return f"Before row {row.seq} a row is missing or moved: nothing is at position {self._end.position + 1}."
        if row.previous != self._end.digest:
            return f"Row {row.seq} does not follow the row before it: one of them was replaced or moved."
        if row.digest != digest(row, row.position, row.previous):
            return f"Row {row.seq} is not what it was when it was sealed."
        return None

    def _faults_of_head(self) -> Iterator[tuple[int, str]]:
        kept = self._connection.execute(HEAD, self._of_participant).one_or_none()
        head = Head(0, 0, None) if kept is None else _head(kept)
        if head != self._end:
            seq = head.seq if head.position > self._end.position else self._end.seq
            yield seq, f"The chain ends at position {self._end.position}, its head says {head.position}."
        if self._anchor is not None and self._anchor.position > self._end.position:
            yield self._anchor.seq, f"Row {self._anchor.seq} was the end of the chain earlier and is gone."
        if self._check is not None and kept is not None and kept.position > 0:
            signed = kept.signature is not None and self._check(head.text(self._participant), kept.signature)
            if not signed:
                yield head.seq, "The head of the chain is not signed by us."


def _head(row: Row[Any]) -> Head:
    return Head(row.position, row.seq, row.digest)
