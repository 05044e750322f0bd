"""The statements behind the named methods of a unit of work: each does in one step what must not be two."""

from typing import Final

from sqlalchemy import and_, bindparam, delete, insert, select
from sqlalchemy import update as update_
from sqlalchemy.dialects import postgresql, sqlite

from connector.storage.events import EvidenceRecorded, name_of
from connector.storage.shapes import shape_of
from connector.storage.tables import Agreement, Evidence, OutboxRow, UsedToken

_AGREEMENTS: Final = shape_of(Agreement).table.c
_EVIDENCE: Final = shape_of(Evidence).table.c
_OUTBOX: Final = shape_of(OutboxRow).table.c
_TOKENS: Final = shape_of(UsedToken).table.c

SPEND_USE: Final = (
    update_(shape_of(Agreement).table)
    .where(
        and_(
            _AGREEMENTS.participant == bindparam("of_participant"),
            _AGREEMENTS.id == bindparam("of_id"),
            _AGREEMENTS.state == "active",
            _AGREEMENTS.uses < bindparam("limit"),
        )
    )
    .values(uses=_AGREEMENTS.uses + 1)
)
"""Count one use of an active agreement if the limit leaves one: the check and the count are one statement."""

USE_TOKEN: Final = {
    "sqlite": sqlite.insert(shape_of(UsedToken).table).on_conflict_do_nothing().returning(_TOKENS.jti),
    "postgresql": postgresql.insert(shape_of(UsedToken).table).on_conflict_do_nothing().returning(_TOKENS.jti),
}
"""Remember a token unless it is known; of racing transactions exactly one inserts."""

FORGET_TOKENS: Final = delete(shape_of(UsedToken).table).where(
    _TOKENS.participant == bindparam("of_participant"), _TOKENS.expires < bindparam("before")
)
"""Forget tokens that would be refused as expired anyway."""

HAS_EVIDENCE: Final = select(_EVIDENCE.seq).where(
    _EVIDENCE.participant == bindparam("of_participant"),
    _EVIDENCE.subject == bindparam("of_subject"),
    _EVIDENCE.message_id == bindparam("of_message"),
)
"""The evidence of one message about one subject: at most one row."""

SEALING_WAITS: Final = (
    select(_OUTBOX.id)
    .where(
        _OUTBOX.participant == bindparam("of_participant"),
        _OUTBOX.subject == bindparam("of_participant"),
        _OUTBOX.event == name_of(EvidenceRecorded),
        _OUTBOX.state == "waiting",
        _OUTBOX.lease_until.is_(None),
    )
    .limit(1)
    .with_for_update(skip_locked=True)
)
"""An announcement of evidence that nobody has taken up yet, held so that nobody does before we commit."""


REVIVE: Final = (
    update_(shape_of(OutboxRow).table)
    .where(
        _OUTBOX.participant == bindparam("of_participant"), _OUTBOX.id == bindparam("of_id"), _OUTBOX.state == "failed"
    )
    .values(state="waiting", attempts=0, lease_until=None, error=None)
)
"""Put a row that was given up back into its queue."""


RECORD: Final = insert(shape_of(Evidence).table).values(
    {name: bindparam(name) for name in ("participant", "id", "subject", "kind", "actor", "message_id", "body", "at")}
)
"""Write evidence; its place in the chain is given when it is sealed."""

ANNOUNCE: Final = (
    insert(shape_of(OutboxRow).table)
    .values({name: bindparam(name) for name in shape_of(OutboxRow).names if name not in {"id", "error"}})
    .returning(_OUTBOX.id)
)
"""Write one event for one subscriber."""
