"""A connector and its data worker, the files that somebody may fetch from them, and a client that hides nothing."""

import contextlib
import itertools
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector import app
from connector.capabilities.identity import new_key
from connector.standards.odrl import templates
from connector.standards.vc import keys
from connector.storage.tables import Agreement, Asset, Dataset, Negotiation, Transfer
from connector.web.worker import desk
from tests.running import Running, running

US = "did:web:bytes.example"
PEER = "did:web:peer.example"


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers by their lower-case names, the body, and whether it came whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool


@dataclass
class Fetch:
    """A running transfer and the grant for it."""

    pid: str
    grant: str
    path: Path
    """Where its file lies."""


@dataclass
class Serving:
    """A connector whose data worker runs, and the ports of both."""

    running: Running = field(repr=False)
    worker: int
    counter: desk.Desk = field(repr=False)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def port(self, door: str) -> int:
        """Return the port of the `connector` or of its `worker`."""
        return self.worker if door == "worker" else int(self.running.url.rpartition(":")[2])

    def share(self, *contents: bytes, state: str = "STARTED") -> Fetch:
        """Put files on the shelf, let a transfer of them run, and return it."""
        number, me = next(self.numbers), self.running.participant
        dataset, pid = f"https://us.example/datasets/{number}", f"urn:running:{number}"
        about: dict[str, Any] = {"participant": me, "peer": PEER, "role": "provider", "dataset": dataset}
        process: dict[str, Any] = {"callback": "http://127.0.0.1:9", "created": app.now(), "updated": app.now()}
        policy = {**templates.fill("open"), "@type": "Agreement"}
        shelf = self.running.connector.objects
        kept = {content: shelf.put([content])[0] for content in set(contents)}
        digests = [kept[content] for content in contents]
        files = [
            Asset(
                participant=me,
                dataset=dataset,
                distribution=f"{dataset}#{at}",
                object=digest,
                filename=f"rain-{at}.csv",
                media_type="text/csv",
                size=len(contents[at]),
            )
            for at, digest in enumerate(digests)
        ]
        record: dict[str, Any] = {"title": "Rain", "profile": "dcat-ap", "fingerprint": dataset, "record": b""}
        moments: dict[str, Any] = {"created": app.now(), "updated": app.now()}
        agreement: dict[str, Any] = {"id": f"urn:a:{number}", "negotiation": f"urn:n:{number}", "uses": 1}
        with self.running.connector.database.begin(me) as work:
            for row in (
                Dataset(participant=me, origin=me, id=dataset, **record, **moments),
                *files,
                Negotiation(**about, **process, pid=f"urn:n:{number}", state="FINALIZED", offer_id="o", policy=policy),
                Agreement(**about, **agreement, state="active", policy=policy, created=app.now()),
                Transfer(**about, **process, pid=pid, agreement=f"urn:a:{number}", format="HttpData-PULL", state=state),
            ):
                work.add(row)
        return Fetch(pid, self.running.connector.transfers.places.grant(pid, PEER), shelf.path(digests[0]))

    def move(self, fetch: Fetch, state: str) -> None:
        """Bring a transfer to a state, as any process of this participant could."""
        with self.running.connector.database.begin(self.running.participant) as work:
            work.need(Transfer, fetch.pid, lock=True).state = state

    def connect(self, door: str, *, buffer: int = 0) -> socket.socket:
        """Return a connection; with `buffer` the client takes no more than about so many bytes ahead."""
        made = socket.socket()
        if buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        made.settimeout(60)
        made.connect(("127.0.0.1", self.port(door)))
        return made

    def ask(self, door: str, fetch: Fetch, method: str = "GET", more: str = "", **fields: str) -> Answer:
        """Ask once, on a connection of its own."""
        with self.connect(door) as connection:
            connection.sendall(request(fetch, method, more, Connection="close", **fields))
            return answer(connection, body=method != "HEAD")


def request(fetch: Fetch, method: str = "GET", more: str = "", **fields: str) -> bytes:
    """Return a request as it goes over the wire; an underscore in a field's name stands for a hyphen."""
    headers = {"Host": "us.example", "Authorization": f"Bearer {fetch.grant}", **fields}
    lines = [f"{method} /data/{fetch.pid}{more} HTTP/1.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(connection: socket.socket | ssl.SSLSocket, *, body: bool = True) -> Answer:
    """Return the next answer on a connection, as much of it as comes."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, f"the connection ended within a head: {data!r}"
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    size = int(headers.get("content-length", 0)) if body else 0
    with contextlib.suppress(ConnectionError):
        while len(rest) < size and (piece := connection.recv(65536)):
            rest += piece
    return Answer(int(first.split()[1]), headers, rest, len(rest) == size)


@contextlib.contextmanager
def serving(folder: Path, *options: str, **changes: Any) -> Iterator[Serving]:
    """Serve a connector and a data worker beside it until the block ends."""
    with running(folder, US, "Bytes", **changes) as served:
        key = new_key()
        served.connector.identity.trust(PEER, "A peer", served.url, {"keys": [keys.public_jwk(PEER, key)]})
        door = desk.listen("127.0.0.1", 0)
        port = door.getsockname()[1]
        environment = {name: text for name, text in os.environ.items() if app.HARMLESS.fullmatch(name)}
        counter = desk.Desk(served.connector.delivery, door, environment, options)
        counter.open()
        try:
            yield Serving(served, port, counter)
        finally:
            counter.close()
