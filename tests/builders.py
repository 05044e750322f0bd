"""Connectors wired as in the program whose clock stands still and whose outbox is drained by hand, and a peer to play.

Nothing in a `Still` moves by itself: a test gives it rows or calls a use case, drains its outbox, and looks at what is
there then. A `Puppet` is a participant with a server of its own that answers what the test tells it to.
"""

import asyncio
import contextlib
import functools
import itertools
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest import mock

from sqlmodel import SQLModel, col

from connector import app, settings
from connector.capabilities.identity import Principal, new_key
from connector.network import Network
from connector.standards.odrl import templates
from connector.standards.vc import keys, tokens
from connector.storage.outbox import Outbox
from connector.storage.tables import Asset, Dataset, Evidence, Negotiation, Offer, OutboxRow, Transfer
from connector.storage.work import Database
from tests.fixtures import Clock

R = TypeVar("R", bound=SQLModel)

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
GERMANY: Final = "http://publications.europa.eu/resource/authority/country/DEU"
CHINA: Final = "http://publications.europa.eu/resource/authority/country/CHN"
RESEARCH: Final = "https://w3id.org/dpv#AcademicResearch"
MARKETING: Final = "https://w3id.org/dpv#Marketing"

LOCAL: Final = {"outbound": {"allow_http": True, "allow_loopback": True}, "federation": {"crawl_seconds": 0}}
"""Settings of a connector whose peers are on this machine and that crawls only when a test says so."""

OPERATOR: Final = Principal("did:web:us.example", "user", frozenset({"admin"}), "operator")
"""One of our own people."""


@dataclass
class Still:
    """A connector in which nothing happens until a test says so."""

    connector: app.Connector
    clock: Clock
    runner: asyncio.Runner
    build: Callable[[], app.Connector]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def participant(self) -> str:
        """Who it is."""
        return self.connector.settings.participant

    def principal(self) -> Principal:
        """Return it as the others see it."""
        return Principal(self.participant, "peer", frozenset(), self.participant)

    def drain(self) -> int:
        """Deliver everything that is due now."""
        return self.runner.run(self.connector.outbox.drain())

    def die(self) -> None:
        """Lose everything that is not on the disk, as a killed process does, and come up again on the same folder."""
        self.connector.close()
        self.connector = self.build()

    def patient(self, rounds: int = 40) -> None:
        """Let time pass, as much as the outbox has patience, and deliver what becomes due."""
        for _ in range(rounds):
            self.drain()
            self.clock.move(minutes=11)
        self.drain()

    def add(self, *rows: SQLModel) -> None:
        """Write rows, in one unit of work."""
        with self.connector.database.begin(self.participant) as work:
            for row in rows:
                work.add(row)

    def rows(self, model: type[R], *conditions: Any) -> list[R]:
        """Return rows."""
        with self.connector.database.read(self.participant) as work:
            return work.select(model, *conditions)

    def row(self, model: type[R], *key: Any) -> R:
        """Return one row."""
        with self.connector.database.read(self.participant) as work:
            return work.need(model, *key)

    def negotiation(self, pid: str) -> Negotiation:
        """Return a negotiation as it is now."""
        return self.row(Negotiation, pid)

    def transfer(self, pid: str) -> Transfer:
        """Return a transfer as it is now."""
        return self.row(Transfer, pid)

    def evidence(self, subject: str) -> list[Evidence]:
        """Return what was recorded about something."""
        return self.connector.evidence.about(subject)

    def kinds(self, subject: str) -> list[str]:
        """Return what happened to something, in order."""
        return [row.kind for row in self.evidence(subject)]

    def outbox(self, subject: str | None = None) -> list[OutboxRow]:
        """Return what waits or was given up, of one subject or of all but the sealing."""
        about = col(OutboxRow.subject) == subject if subject else col(OutboxRow.event) != "EvidenceRecorded"
        return self.rows(OutboxRow, about)

    def shelve(self, content: bytes = b"rain\n1\n", number: int | None = None, **fields: Any) -> str:
        """Put a dataset with one file on the shelf and return its IRI; the record is the least that is one."""
        key = f"https://us.example/datasets/{number or next(self.numbers)}"
        digest, size = self.connector.objects.put([content])
        record = (
            f'<{key}> <http://purl.org/dc/terms/title> "Rain"@en .\n'
            f"<{key}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/dcat#Dataset> .\n"
        )
        me = self.participant
        default = {"title": "Rain", "profile": "dcat-ap", "fingerprint": key, "created": NOON, "updated": NOON}
        values = {"origin": me, **default, **fields}
        self.add(
            Dataset(participant=me, id=key, record=record.encode(), **values),
            Asset(
                participant=me,
                dataset=key,
                distribution=f"{key}#file",
                object=digest,
                filename="rain.csv",
                media_type="text/csv",
                size=size,
            ),
        )
        return key

    def offer(self, dataset: str, template: str = "open", automation: Any = "accept", **values: Any) -> Offer:
        """Offer a dataset under a template."""
        return self.connector.offers.make(dataset, templates.fill(template, **values), automation, OPERATOR)

    def trust(self, other: "Puppet | Still", country: str | None = GERMANY) -> None:
        """Know another participant."""
        if isinstance(other, Puppet):
            address, public = other.address, other.public_keys()
        else:
            address, public = other.connector.address, other.connector.identity.public_keys()
        self.connector.identity.trust(other.participant, "A peer", address, public, country)


@contextlib.contextmanager
def still(
    folder: Path,
    participant: str,
    clock: Clock,
    *,
    template: Path | None = None,
    url: str = "",
    port: int = 0,
    network: Network | None = None,
    runner: asyncio.Runner | None = None,
    **changes: Any,
) -> Iterator[Still]:
    """Wire a connector with this clock and counted ids.

    Args:
        folder: its data folder.
        participant: its IRI.
        clock: moved by the test.
        template: an empty SQLite database at the newest schema, to be copied.
        url: of a database at the newest schema, in place of SQLite.
        port: where others reach it, when it is served.
        network: what it calls others through, in place of the real one.
        runner: of the loop that its outbox is drained in; its own unless one is given.
        changes: further settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if template is not None and not url:
        shutil.copy(template, folder / "connector.db")
    values = {
        "participant": participant,
        "name": "A house",
        "server": {"port": port or 8080},
        "storage": {"database": url},
        **LOCAL,
    }
    numbers = itertools.count(1)

    def new_id() -> str:
        return f"{participant.rpartition(':')[2].partition('.')[0]}-{next(numbers)}"

    def opened(made: settings.Settings) -> Database:
        # The schema is there, and nobody cuts the power during a test.
        return Database(made.database_url, app.SUBSCRIBERS, clock, new_id, flush=False)

    # The pauses between attempts are no dice, so that the same history is the same every time.
    outbox = functools.partial(Outbox, roll=lambda: 0.5)

    def build() -> app.Connector:
        with contextlib.ExitStack() as stack:
            for name, value in (("now", clock), ("new_id", new_id), ("open_database", opened), ("Outbox", outbox)):
                stack.enter_context(mock.patch.object(app, name, value))
            if network is not None:
                stack.enter_context(mock.patch.object(app, "open_network", return_value=network))
            return app.build(settings.check(values | changes, folder, "test"))

    with contextlib.nullcontext(runner) if runner else asyncio.Runner() as loop:
        house = Still(build(), clock, loop, build)
        yield house
        loop.run(house.connector.network.close())
    house.connector.close()


# --- a participant whose answers the test writes ----------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """A request that came to a puppet."""

    method: str
    path: str
    body: bytes
    authorization: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def message(self) -> dict[str, Any]:
        """Return the body as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class Answer:
    """What a puppet answers; `status` 0 closes the connection without a word, `chunked` sends it in pieces."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    chunked: bool = False


Script = Callable[[Heard], Answer]


class Puppet:
    """A participant with a key and a server; what it answers is `script`, what it heard is `heard`."""

    def __init__(self, participant: str) -> None:
        self.participant = participant
        self.key = new_key()
        self.heard: list[Heard] = []
        self.script: Script = acknowledge
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.address = f"http://127.0.0.1:{self.server.server_port}/dsp"

    def principal(self) -> Principal:
        """Return it as a connector sees it that checked its token."""
        return Principal(self.participant, "peer", frozenset(), self.participant)

    def public_keys(self) -> dict[str, Any]:
        """Return its public keys."""
        return {"keys": [keys.public_jwk(self.participant, self.key)]}

    def sign(self, document: Any) -> str:
        """Return its signature over a document."""
        return tokens.sign_document(document, self.key, keys.key_id(self.participant, self.key))

    def paths(self) -> list[str]:
        """Return what it was asked, without the ids."""
        return [heard.path.removeprefix("/dsp") for heard in self.heard]


@contextlib.contextmanager
def puppet(participant: str) -> Iterator[Puppet]:
    """Let a puppet answer until the block ends."""
    made = Puppet(participant)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join(5)


def acknowledge(heard: Heard) -> Answer:
    """Answer as a provider that takes every message."""
    sent = heard.message
    kind, state = (
        ("TransferProcess", "REQUESTED") if "/transfers" in heard.path else ("ContractNegotiation", "REQUESTED")
    )
    mine = sent.get("consumerPid", "none")
    body = {
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
        "@type": kind,
        "consumerPid": mine,
        "providerPid": sent.get("providerPid") or f"urn:theirs:{mine}",
        "state": state,
    }
    return Answer(200, json.dumps(body).encode())


def error(status: int, *reasons: Any, kind: str = "ContractNegotiationError") -> Answer:
    """Return a refusal in the protocol's words."""
    body = {
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
        "@type": kind,
        "consumerPid": "c",
        "providerPid": "p",
        "code": "no",
        "reason": list(reasons),
    }
    return Answer(status, json.dumps(body).encode())


def _handler(made: Puppet) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body, shown = self.rfile.read(length), self.headers.get("Authorization", "")
            heard = Heard(self.command, self.path, body, shown, dict(self.headers))
            made.heard.append(heard)
            answer = made.script(heard)
            if answer.status == 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer.status)
            size = ("Transfer-Encoding", "chunked") if answer.chunked else ("Content-Length", str(len(answer.body)))
            for name, value in (size, *answer.headers):
                self.send_header(name, value)
            self.end_headers()
            if answer.chunked:
                for piece in (answer.body[:7], answer.body[7:]):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.wfile.write(answer.body)

        do_GET = do_POST  # noqa: N815 - the library calls it by this name

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
