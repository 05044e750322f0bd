"""Bodies of requests are bounded, in bytes and in time, before any handler has them whole in memory.

A handler that takes a file as it comes has a limit of bytes of its own; the limit of time holds for it too, from one
piece to the next.
"""

import asyncio
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send

from connector.errors import TooLarge, TooSlow

BODY_BYTES: Final = 16 * 1024**2
"""Largest body of our own API that is taken at once: a record with all that belongs to it."""

MESSAGE_BYTES: Final = 1024**2
"""Largest message of the protocol."""

SECONDS: Final = 30.0
"""Longest that a body may take, or a file from one piece to the next."""


class BoundedBodies:
    """Raises a refusal in the handler that reads a body which is too large or comes too slowly.

    Args:
        app: what handles the request.
        messages: path under which bodies are messages of the protocol.
        streamed: paths of the handlers that take files piece by piece.
        seconds: see `SECONDS`.
    """

    def __init__(self, app: ASGIApp, messages: str, streamed: tuple[str, ...], seconds: float = SECONDS) -> None:
        self._app = app
        self._messages = messages
        self._streamed = streamed
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request with a bounded body."""
        if scope["type"] != ScopeType.HTTP or scope["method"] not in {"POST", "PUT", "PATCH"}:
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(self._streamed):
            most = None
        else:
            most = MESSAGE_BYTES if scope["path"].startswith(self._messages) else BODY_BYTES
        await self._app(scope, _Body(scope, receive, most, self._seconds).receive, send)


class _Body:
    """One request's body on its way; without a limit of bytes the time is for each piece."""

    def __init__(self, scope: Scope, receive: Receive, most: int | None, seconds: float) -> None:
        self._announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        self._receive = receive
        self._most = most
        self._seconds = seconds
        self._end = asyncio.get_running_loop().time() + seconds
        self._size = 0
        self._whole = False

    async def receive(self) -> ReceiveMessage:
        """Return the next piece, or refuse to wait for it."""
        if self._whole:
            return await self._receive()  # what is still to come is the end of the connection
        if self._size == 0 and self._announced.isdigit():
            self._hold(int(self._announced))
        message = await self._piece()
        if message["type"] == "http.request":
            self._size += len(message["body"])
            self._whole = not message["more_body"]
            self._hold(self._size)
        return message

    async def _piece(self) -> ReceiveMessage:
        if self._most is None:
            self._end = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._end):
                return await self._receive()
        except TimeoutError:
            raise TooSlow(
                f"The body did not come within {self._seconds:g} seconds.",
                fix="Send it again over a better connection.",
            ) from None

    def _hold(self, size: int) -> None:
        if self._most is not None and size > self._most:
            raise _too_large(self._most)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is larger than {most:,} bytes.", fix="Send less, or a file to /api/drafts.")
