"""A client that takes bytes and does nothing with them, so that what is measured is the server."""

import random
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

MIB = 2**20


@dataclass(frozen=True)
class Source:
    """A file at a server: its address, and the grant it needs."""

    name: str
    url: str
    grant: str = ""

    def connect(self) -> socket.socket:
        """Return a connection."""
        parts = urlsplit(self.url)
        made = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=120)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "http":
            return made
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # a certificate of our own, on this machine
        return context.wrap_socket(made)

    def request(self, start: int = 0, end: int = 0) -> bytes:
        """Return a request for these bytes, or for all."""
        lines = [f"GET {urlsplit(self.url).path} HTTP/1.1", "Host: bench", f"Authorization: Bearer {self.grant}"]
        lines += [f"Range: bytes={start}-{end - 1}"] if end else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def whole(source: Source, size: int) -> float:
    """Take the whole file and return the seconds it took."""
    with source.connect() as connection:
        begun = time.perf_counter()
        connection.sendall(source.request())
        _take(connection, bytearray(MIB), size)
        return time.perf_counter() - begun


def parts(source: Source, size: int, count: int, hands: int) -> float:
    """Take `count` parts of 1 MiB at random places, on so many connections at once, and return the seconds it took."""
    places = iter([random.Random(number).randrange(size - MIB) for number in range(count)])  # noqa: S311 - places, not secrets
    turn = threading.Lock()

    def work() -> None:
        buffer = bytearray(MIB)
        with source.connect() as connection:
            while True:
                with turn:
                    start = next(places, None)
                if start is None:
                    return
                connection.sendall(source.request(start, start + MIB))
                _take(connection, buffer, MIB)

    return _together(work, hands)


def check(source: Source, size: int, read: Callable[[int, int], bytes]) -> None:
    """Take some parts, and stop everything if they are not those of the file."""
    with source.connect() as connection:
        for start in (0, 12345, size - MIB):
            connection.sendall(source.request(start, start + MIB))
            buffer = bytearray(MIB)
            got = _take(connection, buffer, MIB, keep=True)
            if got != read(start, MIB):
                raise SystemExit(f"{source.name} sends other bytes than those of the file.")


def until_broken(source: Source, end: Callable[[], object]) -> float:
    """Begin to take the file slowly, let `end` end the transfer, and return after how many seconds no byte came."""
    with source.connect() as connection:
        connection.sendall(source.request())
        connection.recv(65536)
        end()
        begun = time.perf_counter()
        with suppress(OSError):
            while connection.recv(65536):
                time.sleep(0.002)
        return time.perf_counter() - begun


def _together(work: Callable[[], None], hands: int) -> float:
    threads = [threading.Thread(target=work) for _ in range(hands)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun


def _take(connection: socket.socket, buffer: bytearray, size: int, *, keep: bool = False) -> bytes:
    """Take an answer with a body of `size` bytes and return the body if it is kept."""
    view, kept = memoryview(buffer), bytearray()
    count = connection.recv_into(view)
    while (at := bytes(view[:count]).find(b"\r\n\r\n")) < 0:
        count += connection.recv_into(view[count:])
    head = bytes(view[:at]).lower()
    if b" 20" not in head[:12] or f"content-length: {size}".encode() not in head:
        raise SystemExit(f"The server answers {head[:200]!r}.")
    if keep:
        kept += view[at + 4 : count]
    left = size - (count - at - 4)
    while left:
        count = connection.recv_into(view[: min(left, len(view))])
        if not count:
            with suppress(OSError):
                connection.close()
            raise SystemExit(f"{left} bytes are missing.")
        if keep:
            kept += view[:count]
        left -= count
    return bytes(kept)
