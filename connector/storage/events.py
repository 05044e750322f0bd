"""What happened, said once and heard later: the base of every event and its form in the outbox.

An event is named in the past tense (`DatasetPublished`) and declared by the capability that announces it. There is
no registry: whoever reads events back brings the types it knows, and the class name is the tag.
"""

from collections.abc import Iterable
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="event"):
    """Something that happened to `subject`: the id of a dataset, a process, a participant.

    Events of one subject reach each subscriber in the order they were announced.
    """

    subject: str


class EvidenceRecorded(Event, frozen=True, kw_only=True):
    """A participant's evidence grew and waits to be sealed; `subject` is the participant."""


class DeliveryFailed(Event, frozen=True, kw_only=True):
    """The outbox gave up on an event about `subject`.

    `failed` is the name of that event, `subscriber` who should have heard it, `reason` why it could not, `row` the
    id to revive it by, and `body` the event's fields.
    """

    failed: str
    subscriber: str
    reason: str
    row: int
    body: dict[str, Any]


def name_of(kind: type[Event]) -> str:
    """Return the name an event type goes by in the outbox."""
    return str(kind.__struct_config__.tag)


def encode(event: Event) -> dict[str, Any]:
    """Return the fields of `event` as plain JSON values, without its name."""
    body: dict[str, Any] = msgspec.to_builtins(event)
    del body["event"]
    return body


def decode(name: str, body: dict[str, Any], kinds: Iterable[type[Event]]) -> Event:
    """Return the event that `encode` wrote, as the one of `kinds` called `name`.

    Raises:
        LookupError: none of `kinds` is called `name`.
        msgspec.ValidationError: the body is not that event's, for example because a field was renamed since.
    """
    for kind in kinds:
        if name_of(kind) == name:
            return msgspec.convert({**body, "event": name}, kind)
    raise LookupError(f"No event is called {name!r} in this version.")
