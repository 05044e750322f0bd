"""What `test_kill.py` kills: a process that acts, delivers and seals at the same time, as fast as it can.

Run as a program it is a nursery: for each line it reads it forks a child, which needs no start-up, and answers with
the child's process id. A child says on its own file which acts were acknowledged, one number a line.
"""

import asyncio
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector.storage.events import Event, EvidenceRecorded
from connector.storage.ledger import Ledger
from connector.storage.outbox import Handler, Outbox
from connector.storage.tables import Dataset
from connector.storage.work import Clock, Database

OURS = "did:web:ours.example"
LISTENERS = ("plain", "waiting")


class Registered(Event, frozen=True, kw_only=True):
    """An act happened."""

    number: int


def now() -> datetime:
    """Return the real moment."""
    return datetime.now(UTC)


def sign(head: bytes) -> str:
    """Return what stands for a signature."""
    return head[::-1].hex()


def open_database(url: str) -> Database:
    """Open the database as the connector does, flush and all."""
    return Database(url, {Registered: LISTENERS, EvidenceRecorded: ("seal",)}, now, lambda: os.urandom(8).hex())


def open_outbox(database: Database, clock: Clock) -> Outbox:
    """Return an outbox whose subscribers note in the database what they heard, once however often they hear it."""

    def note(name: str, event: Registered, participant: str) -> None:
        with database.begin(participant) as work:
            work.use_token(name, str(event.number), now())

    def plain(event: Registered, participant: str) -> None:
        note("plain", event, participant)

    async def waiting(event: Registered, participant: str) -> None:
        await asyncio.to_thread(note, "waiting", event, participant)

    handlers: dict[str, Handler] = {"plain": plain, "waiting": waiting, "seal": Ledger(database, clock, sign)}
    return Outbox(database, handlers, clock)


def register(database: Database, number: int) -> None:
    """Do the act of this number: a row, its evidence and its event."""
    moment = now()
    fields: dict[str, Any] = {"title": str(number), "profile": "p", "record": b"r", "fingerprint": "f"}
    with database.begin(OURS) as work:
        work.add(Dataset(participant=OURS, origin=OURS, id=str(number), created=moment, updated=moment, **fields))
        work.record(str(number), "registered", OURS, {"number": number}, message_id=str(number))
        work.emit(Registered(subject=f"subject-{number % 5}", number=number))


def live(url: str, acknowledged: Path) -> None:
    """Act, deliver and seal until killed."""
    database = open_database(url)
    with database.read(OURS) as work:
        first = work.count(Dataset)

    def act() -> None:
        with acknowledged.open("a") as file:
            for number in range(first, first + 10_000):
                register(database, number)
                file.write(f"{number}\n")
                file.flush()

    threading.Thread(target=act, daemon=True).start()
    asyncio.run(open_outbox(database, now).run(asyncio.Event()))


def nursery(url: str, acknowledged: Path) -> None:
    """Fork a child for each line that comes in."""
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            live(url, acknowledged)
            os._exit(0)
        print(child, flush=True)  # noqa: T201 - its way to speak to the test
        os.waitpid(child, 0)


if __name__ == "__main__":
    nursery(sys.argv[1], Path(sys.argv[2]))
