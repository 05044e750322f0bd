"""The unit of work: the only way to the rows, opened for one participant, all of it or none.

`with database.begin(participant) as work:` commits rows, evidence and announced events together when the block ends,
and nothing when it raises. Inside it only that participant's rows exist.
"""

from collections.abc import Callable, Container, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from sqlalchemy import ColumnElement, Connection, CursorResult, Executable, func, select
from sqlmodel import SQLModel

from connector.errors import Conflict, NotFound
from connector.storage import values
from connector.storage.deliveries import Delivery
from connector.storage.engines import refusal
from connector.storage.events import Event, EvidenceRecorded, encode, name_of
from connector.storage.handover import Handover, Reaction
from connector.storage.links import ERRORS, Found, Link
from connector.storage.shapes import Key, Shape, shape_of
from connector.storage.statements import Statement
from connector.storage.tables import Agreement, Evidence, LedgerHead, OutboxRow
from connector.storage.unit_statements import (
    ANNOUNCE,
    FORGET_TOKENS,
    HAS_EVIDENCE,
    RECORD,
    REVIVE,
    SEALING_WAITS,
    SPEND_USE,
    USE_TOKEN,
)

R = TypeVar("R", bound=SQLModel)
Clock = Callable[[], datetime]
NewId = Callable[[], str]
Subscribers = Mapping[type[Event], tuple[str, ...]]

_APPEND_ONLY: Final = (Evidence, LedgerHead, OutboxRow)
"""Written by `record`, `emit` and their keepers only; a failed outbox row may be deleted, that is: dismissed."""

FAULTS: Final = (*ERRORS, UnicodeEncodeError, OverflowError)
"""What a statement, or the making of its parameters, may raise."""


class Work:
    """A unit of work: one transaction that sees and writes only the rows of `participant`.

    Rows handed out are plain records; what is changed on them inside the block, also deep inside a JSON column, is
    written when the block ends or before the next statement that could see it. After the block the records stay
    readable and the unit refuses to do anything. After a refusal by the database (`Conflict`, `Busy`) the unit is
    spent: nothing more can be done in it, and leaving its block without that refusal raises it again.
    """

    def __init__(
        self,
        link: Link,
        participant: str,
        subscribers: Subscribers,
        now: Clock,
        new_id: NewId,
        *,
        writable: bool,
        handover: Handover | None = None,
        reactions: Container[str] = (),
        asked: set[str] | None = None,
    ) -> None:
        self.participant = participant
        self._link: Link | None = link
        self._dialect = link.dialect
        self._subscribers = subscribers
        self._now = now
        self._new_id = new_id
        self._writable = writable
        self._rows: dict[tuple[type[SQLModel], Key], SQLModel] = {}
        self._as_read: dict[tuple[type[SQLModel], Key], dict[str, Any]] = {}
        self._locked: set[tuple[type[SQLModel], Key]] = set()
        self._refused: Exception | None = None
        self._recorded = False
        self._ours: set[object] = set()
        """Last parts of the keys of rows that are kept from others: events about them are announced in order."""
        self.handover = handover
        self.announced = False
        self.handed: list[Delivery] = []
        self.reacting: list[Reaction] = []
        self._reactions = reactions
        self._asked = set[str]() if asked is None else asked
        """Participants whose evidence is announced already in this transaction."""

    # --- rows ---------------------------------------------------------------------------------------------------

    def add(self, row: R) -> R:
        """Write a new row and return it.

        Raises:
            Conflict: there is a row with this key, or a row it must refer to is missing.
            InvalidInput: a value that no column can keep.
            ValueError: the row is another participant's, or of a table that only `record` and `emit` write.
        """
        shape = self._shape(type(row), change=True)
        fields = shape.values_of(row)
        if fields["participant"] != self.participant:
            raise ValueError(f"A unit of work of {self.participant} cannot write a row of {fields['participant']}.")
        self._run(shape.on(self._dialect).insert, fields)
        self._track(shape, row, row.__dict__)
        self._ours.add(shape.key_of(fields)[-1])
        return row

    def find(self, model: type[R], *key: Any, lock: bool = False) -> R | None:
        """Return the participant's row with this key (without `participant`), or None.

        Args:
            model: the table.
            key: the rest of the primary key, in the table's order.
            lock: keep other writers from the row until the unit ends; needed to change what one has read.
        """
        shape = self._shape(model)
        known = (model, key)
        self._must_be_open()
        if not all(values.is_keepable(part) for part in key if isinstance(part, str)):
            return None  # nothing of that name was ever written, on either engine
        if known in self._rows and (not lock or known in self._locked):
            return cast("R", self._rows[known])
        if lock and not self._writable:
            raise RuntimeError("A unit that only reads cannot lock.")
        prepared = shape.on(self._dialect)
        statement = prepared.by_key_locked if lock else prepared.by_key
        found = self._rows_of(statement, shape.parameters(self.participant, key))
        if not found:
            return None
        if lock:
            self._locked.add(known)
            self._ours.add(key[-1])
        written = prepared.read(found[0])
        return cast("R", self._keep(shape, shape.plain(written)))

    def need(self, model: type[R], *key: Any, lock: bool = False) -> R:
        """Return the participant's row with this key.

        Raises:
            NotFound: there is none; a row of somebody else looks the same.
        """
        row = self.find(model, *key, lock=lock)
        if row is None:
            kind = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in model.__name__).strip()
            raise NotFound(kind, str(key[-1]))
        return row

    def find_by(self, model: type[R], **equal: Any) -> list[R]:
        """Return the participant's rows in which each of these columns has exactly this value.

        As `select` with such conditions, without the cost of composing them.
        """
        shape = self._shape(model)
        self._write_changes()
        prepared = shape.on(self._dialect)
        asked = {f"of_{name}": value for name, value in equal.items()}
        found = self._rows_of(prepared.by(tuple(equal)), {"of_participant": self.participant, **asked})
        return [cast("R", self._keep(shape, shape.plain(row))) for row in map(prepared.read, found)]

    def select(
        self,
        model: type[R],
        *conditions: ColumnElement[bool] | bool,
        order_by: Any = (),
        limit: int | None = None,
        lock: bool = False,
    ) -> list[R]:
        """Return the participant's rows for which every condition holds.

        Args:
            model: the table.
            conditions: made of the table's own columns, `col(Offer.state) == "open"`; anything else is refused.
            order_by: one such expression or several.
            limit: at most so many rows.
            lock: as for `find`.

        Raises:
            ValueError: a condition that could look past the participant.
        """
        shape = self._shape(model)
        if lock and not self._writable:
            raise RuntimeError("A unit that only reads cannot lock.")
        orders = order_by if isinstance(order_by, tuple | list) else (order_by,)
        for order in orders:
            shape.check(order)
        self._write_changes()
        statement = select(shape.table).where(shape.where(self.participant, conditions)).order_by(*orders).limit(limit)
        rows = self._execute(statement.with_for_update() if lock else statement).mappings()
        found: list[dict[str, Any]] = [dict(row) for row in rows]
        if lock:
            self._locked.update((model, shape.key_of(row)) for row in found)
        return [cast("R", self._keep(shape, row)) for row in found]

    def count(self, model: type[SQLModel], *conditions: ColumnElement[bool] | bool) -> int:
        """Return how many of the participant's rows `select` would give."""
        shape = self._shape(model)
        self._write_changes()
        statement = select(func.count()).select_from(shape.table).where(shape.where(self.participant, conditions))
        return int(self._execute(statement).scalar_one())

    def delete(self, row: SQLModel) -> None:
        """Delete a row.

        Raises:
            NotFound: it is gone already, or not the participant's.
            ValueError: evidence is never deleted.
        """
        model = type(row)
        shape = self._shape(model, change=model is not OutboxRow)
        self._must_be_writable()
        key = shape.key_of(row.__dict__)
        gone = self._run(shape.on(self._dialect).remove, shape.parameters(self.participant, key))
        if gone != 1 or row.__dict__["participant"] != self.participant:
            raise self._spent(NotFound(model.__name__.lower(), str(key[-1])))
        self._rows.pop((model, key), None)
        self._as_read.pop((model, key), None)

    # --- what happened ------------------------------------------------------------------------------------------

    def emit(self, event: Event, due: datetime | None = None) -> None:
        """Announce `event`: one outbox row for each subscriber of its type, delivered after the commit.

        Args:
            event: what happened.
            due: not before this moment; such a row is a timer and holds up no event due earlier.
        """
        self._must_be_writable()
        for row in self._outbox_rows(event, due):
            if due is None and self.handover is not None and self._may_hand_over(self.handover, row):
                row |= {"attempts": 1, "lease_until": self.handover.until()}
                if row["subscriber"] in self._reactions:
                    self.reacting.append(Reaction(event, row))
                else:
                    self.handed.append(Reaction(event, row).announce(self._must_be_open()))
            else:
                self._announced(row)
                self.announced = True

    def record(
        self, subject: str, kind: str, actor: str, body: Mapping[str, Any], message_id: str | None = None
    ) -> str:
        """Write evidence of the act into its transaction and return the evidence's id.

        Args:
            subject: the id of what it is about: a negotiation, an agreement, a dataset.
            kind: what happened, in the event's own words.
            actor: who did it, a participant or a principal.
            body: what proves it: the message, its signature, a decision with its reasons.
            message_id: the protocol message's id; the same message about the same subject is recorded once.

        Raises:
            Conflict: this message is recorded already; ask `has_evidence` first.
            InvalidInput: the body has no canonical JSON form and so could never be sealed.
        """
        self._must_be_writable()
        fields = {
            "participant": self.participant,
            "id": self._new_id(),
            "subject": subject,
            "kind": kind,
            "actor": actor,
            "message_id": message_id,
            "at": self._now(),
        }
        # The canonical form is the stored one: what is written can be sealed.
        text = values.canonical(dict(body)).decode()
        self._run(RECORD, {**values.columns(fields, frozenset()), "body": text})
        self._recorded = True
        return str(fields["id"])

    def has_evidence(self, subject: str, message_id: str) -> bool:
        """Say whether this message about this subject was recorded before."""
        asked = {"of_participant": self.participant, "of_subject": subject, "of_message": message_id}
        return bool(self._rows_of(HAS_EVIDENCE, asked))

    # --- hot moves ----------------------------------------------------------------------------------------------

    def spend_use(self, agreement_id: str, limit: int) -> bool:
        """Count one use of an active agreement, and say whether the limit left one."""
        self._must_be_writable()
        self._write_changes()
        asked = {"of_participant": self.participant, "of_id": agreement_id, "limit": limit}
        spent = self._run(SPEND_USE, asked) == 1
        known = (Agreement, (agreement_id,))
        if spent and known in self._rows:
            ours = cast("Agreement", self._rows[known])
            ours.uses += 1
            self._as_read[known]["uses"] = ours.uses
        return spent

    def use_token(self, issuer: str, jti: str, expires: datetime) -> bool:
        """Remember that a token was presented, and say whether it was the first time.

        Call it in a unit of its own before any effect: a unit that fails later forgets the token with the rest.
        """
        self._must_be_writable()
        fields = {"participant": self.participant, "issuer": issuer, "jti": jti, "expires": expires}
        return bool(self._rows_of(USE_TOKEN[self._dialect.name], values.columns(fields, frozenset())))

    def forget_tokens(self, before: datetime) -> int:
        """Forget the tokens that expired before this moment, and say how many."""
        self._must_be_writable()
        return self._run(FORGET_TOKENS, {"of_participant": self.participant, "before": before})

    def revive(self, row: int) -> bool:
        """Put an outbox row that was given up back into its queue, and say whether there was one."""
        self._must_be_writable()
        revived = self._run(REVIVE, {"of_participant": self.participant, "of_id": row}) == 1
        self.announced = self.announced or revived
        return revived

    # --- the end ------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Write what is still to be written; the database calls it when the block ends well."""
        if self._refused is not None:
            raise self._refused
        if self._writable:
            self._write_changes()
            self._announce_evidence()

    def close(self) -> None:
        """Let go of the transaction: from now on the unit refuses everything."""
        self._link = None

    def _announce_evidence(self) -> None:
        """Ask for sealing, unless an earlier act's request is still waiting and will cover this one too."""
        if not self._recorded or EvidenceRecorded not in self._subscribers:
            return
        if self.participant in self._asked:
            return
        if not self._rows_of(SEALING_WAITS, {"of_participant": self.participant}):
            self.emit(EvidenceRecorded(subject=self.participant))
        self._asked.add(self.participant)

    def _announced(self, row: Mapping[str, Any]) -> int:
        return int(self._rows_of(ANNOUNCE, row)[0][0])

    def _may_hand_over(self, handover: Handover, row: Mapping[str, Any]) -> bool:
        """Say whether a row may be delivered as soon as we commit, before any look at the table."""
        link = self._must_be_open()
        if row["subject"] not in self._ours:
            return False  # somebody may be writing into the same queue at this moment
        queue = {name: row[name] for name in ("participant", "subject", "subscriber", "due")}
        try:
            return handover.may_take(link, queue)
        except FAULTS as error:
            raise self._meaning_of(error) from error

    def _outbox_rows(self, event: Event, due: datetime | None) -> list[dict[str, Any]]:
        subscribers = self._subscribers.get(type(event), ())
        if not subscribers:
            return []
        now = self._now()
        fields = {
            "participant": self.participant,
            "event": name_of(type(event)),
            "subject": event.subject,
            "body": encode(event),
            "due": due or now,
            "attempts": 0,
            "lease_until": None,
            "state": "waiting",
            "created": now,
        }
        checked = shape_of(OutboxRow).written(fields)
        return [{**checked, "subscriber": subscriber} for subscriber in subscribers]

    @property
    def is_writable(self) -> bool:
        """Say whether the unit may write."""
        return self._writable

    @property
    def connection(self) -> Connection:
        """The unit's connection, for the projections in the same database; unlike rows, not narrowed to anybody."""
        return self._must_be_open().core

    @property
    def link(self) -> Link:
        """The same connection for those of their statements that are constants, and so compiled once."""
        return self._must_be_open()

    # --- inside -------------------------------------------------------------------------------------------------

    def _must_be_open(self) -> Link:
        if self._link is None:
            raise RuntimeError("This unit of work is over; begin another.")
        if self._refused is not None:
            raise RuntimeError("The database refused something in this unit of work; begin another.")
        return self._link

    def _must_be_writable(self) -> None:
        if not self._writable:
            raise RuntimeError("This unit only reads; use begin() to write.")

    def _shape(self, model: type[SQLModel], *, change: bool = False) -> Shape:
        if change:
            self._must_be_writable()
            if model in _APPEND_ONLY:
                raise ValueError(f"{model.__name__} rows are written by record() and emit() and never changed.")
        return shape_of(model)

    def _spent(self, error: Exception) -> Exception:
        self._refused = error
        return error

    def _run(self, statement: Statement | Executable, given: Mapping[str, Any]) -> int:
        """Run a statement and return how many rows it touched."""
        link = self._must_be_open()
        try:
            return link.run(statement, given)
        except FAULTS as error:
            raise self._meaning_of(error) from error

    def _rows_of(self, statement: Statement | Executable, given: Mapping[str, Any]) -> list[Found]:
        """Run a statement and return its rows."""
        link = self._must_be_open()
        try:
            return link.rows(statement, given)
        except FAULTS as error:
            raise self._meaning_of(error) from error

    def _execute(self, statement: Executable) -> CursorResult[Any]:
        """Run a statement that was composed for this one time."""
        core = self._must_be_open().core
        try:
            return cast("CursorResult[Any]", core.execute(statement))
        except FAULTS as error:
            raise self._meaning_of(error) from error

    def _meaning_of(self, error: Exception) -> Exception:
        return self._spent(refusal(error))

    def _track(self, shape: Shape, row: SQLModel, found: Mapping[str, Any]) -> None:
        known = (type(row), shape.key_of(found))
        self._rows[known] = row
        if self._writable:
            self._as_read[known] = shape.marks(found)

    def _keep(self, shape: Shape, found: dict[str, Any]) -> SQLModel:
        """Return the one record of a row in this unit, brought up to what was just read."""
        known = (shape.model, shape.key_of(found))
        row = self._rows.get(known)
        if row is None:
            row = shape.restore(found)
        elif self._writable and self._changes(shape, known):
            raise RuntimeError(f"Lock a row before changing it: {shape.table.name} {known[1]}.")
        else:
            row.__dict__.update(found)
        self._track(shape, row, found)
        return row

    def _changes(self, shape: Shape, known: tuple[type[SQLModel], Key]) -> dict[str, Any]:
        """Return the columns changed since the row was read or last written."""
        before, now = self._as_read[known], self._rows[known].__dict__
        marks = shape.marks(now)
        if marks == before:
            return {}
        return {name: now[name] for name in shape.names if marks[name] != before[name]}

    def _write_changes(self) -> None:
        if not self._writable:
            return
        for known in self._as_read:
            self._write_change(known)

    def _write_change(self, known: tuple[type[SQLModel], Key]) -> None:
        model, key = known
        shape = shape_of(model)
        changed = self._changes(shape, known)
        if not changed:
            return
        self._shape(model, change=True)
        if not changed.keys().isdisjoint(("participant", *shape.key)):
            raise self._spent(ValueError(f"The key of a row never changes: {shape.table.name} {key}."))
        written = shape.written(changed)
        statement = shape.on(self._dialect).change(tuple(written))
        if self._run(statement, {**shape.parameters(self.participant, key), **written}) != 1:
            raise self._spent(Conflict(f"The {shape.table.name} {key[-1]!r} was deleted meanwhile."))
        self._as_read[known].update(shape.marks(self._rows[known].__dict__))
