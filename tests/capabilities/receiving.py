"""A server that takes files by PUT, in parts or only whole, and can be made to fail in the ways servers do."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Store:
    """What it holds, what it was asked, and how it behaves."""

    address: str = ""
    held: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    parts: str = "kept"
    """What it makes of `Content-Range`: `kept`, `refused` with 400, or `ignored`."""
    head: int = 200
    """What it answers to HEAD."""
    script: Callable[[str, int], int | None] = lambda *_: None
    """Takes a method and the number of the request; returns a status to answer with at once, 0 for silence, or None."""
    waiting: threading.Event = field(default_factory=threading.Event)
    """Let go of, a request that the script answers with -1 goes on."""

    def methods(self) -> list[str]:
        """Return what it was asked, in order."""
        return [method for method, _, _ in self.asked]


@contextmanager
def receiving() -> Iterator[Store]:
    """Take files until the block ends."""
    store = Store()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    store.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        store.waiting.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    store: Store

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.spoiled():
            self.answer(self.keep(body))

    def do_HEAD(self) -> None:
        if self.spoiled():
            return
        held = self.store.held.get(self.path)
        status = self.store.head if held is not None or self.store.head != 200 else 404
        self.answer(status, len(held) if held is not None and status == 200 else 0)

    def keep(self, body: bytes) -> int:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", self.headers.get("Content-Range", ""))
        if found is None or self.store.parts == "ignored":
            self.store.held[self.path] = body
        elif self.store.parts == "refused":
            return 400
        else:
            start, before = int(found[1]), self.store.held.get(self.path, b"")
            if start > len(before):
                return 409
            self.store.held[self.path] = before[:start] + body
        return 201

    def spoiled(self) -> bool:
        self.store.asked.append((self.command, self.path, dict(self.headers)))
        status = self.store.script(self.command, len(self.store.asked))
        if status == -1:
            self.store.waiting.wait(60)
        elif status == 0:
            self.close_connection = True
            return True
        elif status is not None:
            self.answer(status)
            return True
        return False

    def answer(self, status: int, length: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
