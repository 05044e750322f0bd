"""A relay between the SDK and a connector that does to the bytes what networks do to them."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Spoil = Callable[[int, bytes], bytes]
"""Takes the number of a connection and a whole answer; returns what arrives of it."""


@dataclass
class Relay:
    """Where it listens, and the requests that came through it."""

    port: int
    requests: list[str] = field(default_factory=list)

    def headers(self, name: str) -> list[str | None]:
        """Return the value of a header of each request."""
        found: list[str | None] = []
        for request in self.requests:
            lines = dict(line.lower().split(": ", 1) for line in request.split("\r\n")[1:] if ": " in line)
            found.append(lines.get(name))
        return found


@contextmanager
def relay(port: int, spoil: Spoil) -> Iterator[Relay]:
    """Relay connections, one request each, to a port of this machine, and spoil the answers on the way back."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        made = Relay(door.getsockname()[1])

        def serve() -> None:
            with suppress(OSError):  # the door was closed
                while True:
                    here, _ = door.accept()
                    with here, socket.create_connection(("127.0.0.1", port)) as there:
                        request = _head(here)
                        made.requests.append(request.decode())
                        there.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
                        here.sendall(spoil(len(made.requests), _all(there)))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            door.shutdown(socket.SHUT_RDWR)
    thread.join()


def _head(here: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and (piece := here.recv(65536)):
        head += piece
    return head


def _all(there: socket.socket) -> bytes:
    answer = b""
    with suppress(ConnectionError):
        while piece := there.recv(65536):
            answer += piece
    return answer
