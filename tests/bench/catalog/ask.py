"""The neutral client: the same HTTP requests to every provider, by the leanest means, and how long each took."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httptools

from connector.standards.dsp.schema import CONTEXT

EDC: Final = "https://w3id.org/edc/v0.0.1/ns/"


def message(**query: Any) -> bytes:
    """Return a catalog request as EDC sends it."""
    # Without its own context EDC reads over the filter and sends its first page.
    context = [CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"]
    asked = {"@context": context, "@type": "CatalogRequestMessage", "filter": [{"@type": "QuerySpec", **query}]}
    return json.dumps(asked).encode()


def criterion(left: str, operator: str, right: Any) -> dict[str, Any]:
    """Return a condition."""
    return {"@type": "Criterion", "operandLeft": left, "operator": operator, "operandRight": right}


@dataclass
class Answer:
    """What came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Times:
    """How long requests took, one by one and all together, in seconds."""

    each: list[float] = field(default_factory=list)
    whole: float = 0.0
    last: Answer | None = None

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.each) / self.whole


@dataclass(frozen=True)
class Door:
    """Where a provider is asked, and what shows who asks: a header made anew for each request."""

    address: str
    prove: Callable[[], str]

    def ask(self, bodies: Sequence[bytes], *, at_once: int = 1, link: str = "", **headers: str) -> Times:
        """Ask for the catalog, or for the page of a link, once with each body, over so many connections at once."""
        parts = urlsplit(link or f"{self.address}/catalog/request")
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        requests = [
            f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: {self.prove()}\r\n"
            f"Content-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode()
            + body
            for body in bodies
        ]
        return asyncio.run(_asked(str(parts.hostname), parts.port or 80, requests, at_once))


async def _asked(host: str, port: int, requests: list[bytes], at_once: int) -> Times:
    times, left = Times(), requests[::-1]

    async def one() -> None:
        _, call = await asyncio.get_running_loop().create_connection(_Call, host, port)
        while left:
            request = left.pop()
            begun = time.perf_counter()
            times.last = await call.send(request)
            times.each.append(time.perf_counter() - begun)
            if times.last.status not in {200, 304}:
                raise RuntimeError(f"{times.last.status}: {times.last.body[:500]!r}")
        call.transport.close()

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(at_once)))
    times.whole = time.perf_counter() - begun
    return times


class _Call(asyncio.Protocol):
    """One connection, one request at a time."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, data: bytes) -> "asyncio.Future[Answer]":
        self._done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._parser, self._body = httptools.HttpResponseParser(self), list[bytes]()
        self._headers: dict[str, str] = {}
        self.transport.write(data)
        return self._done

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._done.set_result(Answer(self._parser.get_status_code(), self._headers, b"".join(self._body)))

    def connection_lost(self, exc: Exception | None) -> None:
        if hasattr(self, "_done") and not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("closed without an answer"))
