"""HTTP/1.1 as lean as it gets, so that the load client costs little beside what it measures.

Both halves keep connections open. Bodies are whole and small; the parser is the one that uvicorn uses too.
"""

import asyncio
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import httptools

Answer = tuple[int, bytes]
"""Status and body."""
KEPT = 2.0
"""Seconds after which an idle connection is not trusted any more: servers close theirs after five and more."""
Serve = Callable[[str, bytes], Answer]
"""Answers a POST by its path and body, at once."""


class Caller:
    """Sends POSTs to one address over connections that stay open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), parts.port or 80
        self._base, self._idle = parts.path, list[tuple["_Call", float]]()

    async def post(self, path: str, body: bytes, authorization: str) -> Answer:
        """Send a message and return the answer; a connection that the other side closed meanwhile is replaced."""
        head = (
            f"POST {self._base}{path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAuthorization: {authorization}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        now = asyncio.get_running_loop().time()
        while self._idle:
            call, since = self._idle.pop()
            if not call.closed and now - since < KEPT:
                break
        else:
            _, call = await asyncio.get_running_loop().create_connection(_Call, self._host, self._port)
        answer = await call.send(head.encode() + body)
        if not call.closed:
            self._idle.append((call, asyncio.get_running_loop().time()))
        return answer


class _Call(asyncio.Protocol):
    """One connection, one message at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._answer: asyncio.Future[Answer] | None = None
        self._body = b""

    def send(self, data: bytes) -> asyncio.Future[Answer]:
        self._answer = asyncio.get_running_loop().create_future()
        self._parser, self._body = httptools.HttpResponseParser(self), b""
        self._transport.write(data)
        return self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self._transport.close()
            self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), self._body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed without an answer"))


class Answerer(asyncio.Protocol):
    """One connection of the server: answers every POST with what `serve` says."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._parser = httptools.HttpRequestParser(self)
        self._path, self._body = b"", b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are written to."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Gather the path."""
        self._path += url

    def on_body(self, data: bytes) -> None:
        """Gather the body."""
        self._body += data

    def on_message_complete(self) -> None:
        """Answer."""
        status, body = self._serve(self._path.decode(), self._body)
        self._path, self._body = b"", b""
        head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)
