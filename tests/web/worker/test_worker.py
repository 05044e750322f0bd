"""The data worker's parts in this process: TLS, copying without the system's help, silence, slow and greedy guests."""

import asyncio
import datetime as dt
import os
import select
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.errors import InvalidInput
from connector.web.worker import desk, doors, permits, talk
from connector.web.worker.permits import Permits
from connector.web.worker.talk import Ask, Bond, Ended, Given, Said
from tests.web.serving import Serving, answer, request, serving

CONTENT = bytes(range(256)) * 20_000
BOND = Bond("urn:x", "did:web:peer.example", "urn:a", "urn:d")
Line = Callable[[talk.Question], talk.Answer | None]
"""What a connector answers to a question; None is silence."""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file with a certificate for this machine and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "worker")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "chain.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture(scope="module")
def secured(chain: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Give a connector whose data worker ends TLS."""
    with serving(tmp_path_factory.mktemp("secured"), f"--certificate={chain}") as made:
        yield made


def test_under_tls_the_same_bytes_come(secured: Serving, chain: Path) -> None:
    """Whole, in parts, one request after the other, checked against the certificate."""
    fetch = secured.share(CONTENT)
    context = ssl.create_default_context(cafile=str(chain))
    with secured.connect("worker") as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        connection.sendall(request(fetch))
        assert answer(connection).body == CONTENT
        connection.sendall(request(fetch, Range="bytes=1000000-3999999"))
        found = answer(connection)
        assert (found.status, found.body) == (206, CONTENT[1_000_000:4_000_000])
        connection.sendall(request(fetch, "HEAD", Connection="close"))
        assert answer(connection, body=False).status == 200
        assert connection.recv(1) == b""


def test_who_speaks_no_tls_is_left(secured: Serving) -> None:
    """A guest that does not shake hands gets nothing, and the next is served."""
    fetch = secured.share(b"x")
    with secured.connect("worker") as connection:
        connection.sendall(request(fetch))
        with suppress(ConnectionError):
            while connection.recv(4096):
                pass


# --- in this process --------------------------------------------------------------------------------------------------


class House:
    """A worker's parts around a listening socket, and a connector that answers what a test wants."""

    def __init__(self, folder: Path, said: Line) -> None:
        self.path = folder / "file"
        self.path.write_bytes(CONTENT)
        self.said = said
        self.heard: list[talk.Question] = []
        self.gone = asyncio.Event()
        self.port = 0

    def given(self, ask: Ask, seconds: float = 300) -> Given:
        """Return that it may."""
        return Given(ask.number, BOND, seconds, "0" * 64, len(CONTENT), "text/csv", "rain.csv")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Permits]:
        """Run the parts until the block ends."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs, desk.listen("127.0.0.1", 0) as listening:
            for each in (theirs, listening):
                each.settimeout(0)
            self.port = listening.getsockname()[1]
            found = Permits(theirs, self.gone.set)
            door = doors.Door(listening, found, lambda: "now", "/data/")
            tasks = [asyncio.create_task(each) for each in (door.serve(), door.usher(), found.watch())]
            hand = threading.Thread(target=self._answer, args=(ours,), daemon=True)
            hand.start()
            try:
                yield found
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                with suppress(OSError):
                    ours.shutdown(socket.SHUT_RDWR)
                hand.join(10)

    def _answer(self, line: socket.socket) -> None:
        with suppress(OSError), line:
            while packet := line.recv(talk.PACKET):
                question = talk.questions.decode(packet)
                self.heard.append(question)
                said = self.said(question)
                if isinstance(said, Given):
                    with self.path.open("rb") as file:
                        socket.send_fds(line, [talk.encode(said)], [file.fileno()])
                elif said is not None:
                    line.send(talk.encode(said))


def get(house: House, text: str = "GET /data/urn:x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") -> bytes:
    """Say something to the door and return all that comes back."""
    got = b""
    with socket.create_connection(("127.0.0.1", house.port), timeout=60) as connection:
        connection.sendall(text.encode())
        with suppress(ConnectionError):
            while piece := connection.recv(1 << 20):
                got += piece
    return got


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Give a worker's parts whose connector permits everything."""
    made = House(tmp_path, lambda _: None)
    made.said = lambda question: made.given(question) if isinstance(question, Ask) else Ended(question.number, ())
    return made


def test_without_the_systems_help_the_same_bytes_come(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no `sendfile`, or not for this file, pieces are read and sent."""

    def refuse(*_: Any) -> int:
        raise OSError(22, "Invalid argument")

    async def run() -> bytes:
        async with house.open():
            return await asyncio.to_thread(get, house)

    monkeypatch.setattr(os, "sendfile", refuse)
    assert asyncio.run(run()).endswith(b"\r\n\r\n" + CONTENT)
    monkeypatch.delattr(os, "sendfile")
    assert asyncio.run(run()).endswith(b"\r\n\r\n" + CONTENT)


def test_of_many_who_ask_together_one_question_is_put(house: House) -> None:
    """And a moment later none: what was permitted holds a little while."""

    async def run() -> None:
        async with house.open() as found:
            sheets = await asyncio.gather(*(found.sheet("urn:x", "", "Bearer a") for _ in range(50)))
            for sheet in sheets:
                assert not isinstance(sheet, Said)
                sheet.release()
            assert [each for each in house.heard if isinstance(each, Ask)] == [Ask(1, "urn:x", "", "Bearer a")]

    asyncio.run(run())


def test_a_grant_that_has_ended_is_asked_about_anew(house: House) -> None:
    """What is remembered is forgotten when the grant ends, however short that is."""
    house.said = lambda question: house.given(question, seconds=0) if isinstance(question, Ask) else None

    async def run() -> None:
        async with house.open() as found:
            for _ in range(3):
                sheet = await found.sheet("urn:x", "", "Bearer a")
                assert not isinstance(sheet, Said)
                sheet.release()

    asyncio.run(run())
    assert len([each for each in house.heard if isinstance(each, Ask)]) == 3


def test_a_refusal_reaches_whoever_asked(house: House) -> None:
    """With the connector's own words, and it is not remembered."""
    house.said = lambda question: Said(question.number, 403, {"Content-Type": "text/plain"}, b"No.")

    async def run() -> bytes:
        async with house.open():
            await asyncio.to_thread(get, house)
            return await asyncio.to_thread(get, house)

    got = asyncio.run(run())
    assert got.startswith(b"HTTP/1.1 403 ")
    assert got.endswith(b"\r\n\r\nNo.")
    assert len(house.heard) == 2


def test_a_connector_that_is_silent_lets_nothing_flow(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """New requests are put off, and what flows breaks off: nobody knows any more that it may."""
    monkeypatch.setattr(permits, "SILENCE", 0.2)
    monkeypatch.setattr(permits, "FRESH", 0.0)
    house.said = lambda question: house.given(question) if isinstance(question, Ask) else None

    async def run() -> tuple[bytes, bytes]:
        async with house.open():
            flowing = await asyncio.to_thread(get, house)
            house.said = lambda _: None
            return flowing, await asyncio.to_thread(get, house)

    flowing, waiting = asyncio.run(run())
    assert CONTENT not in flowing
    assert waiting.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in waiting


def test_what_ends_while_nobody_takes_it_breaks_off(house: House) -> None:
    """A taker that has stopped taking is cut off too, and what the system had for it is thrown away."""
    over, told = threading.Event(), threading.Event()

    def said(question: talk.Question) -> talk.Answer:
        if isinstance(question, Ask):
            return house.given(question)
        if not over.is_set():
            return Ended(question.number, ())
        told.set()
        return Ended(question.number, question.bonds)

    def take() -> int:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(60)
            connection.connect(("127.0.0.1", house.port))
            connection.sendall(b"GET /data/urn:x HTTP/1.1\r\nHost: a\r\n\r\n")
            count = len(connection.recv(1000))
            over.set()
            assert told.wait(60)
            # It is broken off although nothing is taken: a taker must not keep a door open by standing in it.
            waiting = select.poll()
            waiting.register(connection, 0)
            assert waiting.poll(10_000)
            with suppress(ConnectionError):
                while piece := connection.recv(1 << 20):
                    count += len(piece)
            return count

    house.said = said

    async def run() -> int:
        async with house.open():
            return await asyncio.to_thread(take)

    assert asyncio.run(run()) < len(CONTENT)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("POST /data/urn:x HTTP/1.1\r\nHost: a\r\n\r\n", b"405"),
        ("GET /data/urn:x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", b"400"),
        ("GET /elsewhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"404"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "y" * 40_000, b"431"),
        ("nonsense\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_request_is_answered_and_left(house: House, text: str, status: bytes) -> None:
    """In words, and without a question to the connector."""

    async def run() -> bytes:
        async with house.open():
            return await asyncio.to_thread(get, house, text)

    got = asyncio.run(run())
    assert got.split(b" ")[1] == status
    assert b"application/problem+json" in got
    assert not [each for each in house.heard if isinstance(each, Ask)]


@pytest.mark.parametrize("limit", ["HEAD_SECONDS", "IDLE_SECONDS"])
def test_who_keeps_others_waiting_is_shown_out(house: House, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """A request that never comes to its end, or never comes, holds no place for long."""
    monkeypatch.setattr(doors, limit, 0.1)
    begun = "GET /data/urn:x HTTP/1.1\r\nHost: a\r\n"
    text = begun if limit == "HEAD_SECONDS" else f"{begun}\r\n"

    async def run() -> bytes:
        async with house.open():
            return await asyncio.to_thread(get, house, text)

    got = asyncio.run(run())
    assert (CONTENT in got) is (limit == "IDLE_SECONDS")


def test_beyond_so_many_guests_the_next_one_waits(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when the house is full is served when somebody leaves."""
    monkeypatch.setattr(doors, "CONNECTIONS", 2)

    def visit() -> bytes:
        held = [socket.create_connection(("127.0.0.1", house.port)) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", house.port), timeout=60) as third:
            third.sendall(b"GET /elsewhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            for each in held:
                each.close()
            return third.recv(1000)

    async def run() -> bytes:
        async with house.open():
            return await asyncio.to_thread(visit)

    assert asyncio.run(run()).startswith(b"HTTP/1.1 404")


def test_the_worker_notices_that_the_connector_is_gone(house: House) -> None:
    """Then it ends: nobody can say any more what may flow."""

    def leave(_: talk.Question) -> None:
        raise ConnectionError

    house.said = leave

    async def run() -> None:
        async with house.open() as found:
            asking = asyncio.create_task(found.sheet("urn:x", "", "Bearer a"))
            await house.gone.wait()
            asking.cancel()

    asyncio.run(run())


def test_a_port_that_is_taken_is_said_at_the_start() -> None:
    """With the setting to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InvalidInput, match="cannot listen") as refused:
        desk.listen("127.0.0.1", taken.getsockname()[1])
    assert refused.value.where == "data.port"
