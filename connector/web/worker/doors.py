"""The worker's door: connections taken in, requests read and answered one after the other, nobody waited for long."""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Final

from connector.standards import ranges
from connector.web.worker import heads
from connector.web.worker.permits import Permits, Sheet
from connector.web.worker.pipes import Pipe, TlsPipe
from connector.web.worker.talk import Said

CONNECTIONS: Final = 512
"""Connections at once; who comes beyond waits in the system's queue."""

HEAD_SECONDS: Final = 15.0
"""Longest time for a request to come, once it or its connection has begun."""

IDLE_SECONDS: Final = 60.0
"""Longest time between two requests."""

STUCK_SECONDS: Final = 60.0
"""Longest time in which a taker takes nothing."""

LINGER_BYTES: Final = 64 * 1024
"""Of what a refused peer goes on to send, so much is read before the door is shut."""

PROBLEM: Final = "application/problem+json"


class Door:
    """Answers at a listening socket.

    Args:
        listening: the socket, which does not block.
        permits: what may be sent.
        date: returns the date as HTTP writes it.
        prefix: what comes before the transfer in a path, with a slash at its end.
        context: of TLS, where the worker ends it.
    """

    def __init__(
        self,
        listening: socket.socket,
        permits: Permits,
        date: Callable[[], str],
        prefix: str,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._listening = listening
        self._permits = permits
        self._date = date
        self._prefix = prefix
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._guests: set[Guest] = set()
        self._room = asyncio.Event()

    async def serve(self) -> None:
        """Take connections in until cancelled."""
        while True:
            while len(self._guests) >= CONNECTIONS:
                self._room.clear()
                await self._room.wait()
            try:
                connection, _ = await self._loop.sock_accept(self._listening)
            except OSError:
                await asyncio.sleep(0.1)  # out of descriptors, most likely: some come back when a connection ends
                continue
            guest = Guest(self, connection)
            self._guests.add(guest)
            guest.task = self._loop.create_task(guest.stay())
            guest.task.add_done_callback(partial(self._leave, guest))

    async def usher(self) -> None:
        """Show out who takes too long."""
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for guest in [each for each in self._guests if each.deadline < now]:
                if guest.task is not None:
                    guest.task.cancel()

    def pipe(self, connection: socket.socket) -> Pipe:
        """Return what moves the bytes of a connection."""
        return Pipe(connection) if self._context is None else TlsPipe(connection, self._context)

    def head(self, status: int, fields: dict[str, str], *, stays: bool) -> bytes:
        """Return the head of an answer."""
        return heads.write(status, fields, self._date(), stays=stays)

    async def find(self, head: heads.Head) -> Sheet | Said:
        """Return the file that a request is for, or another answer."""
        if head.method not in {"GET", "HEAD"}:
            raise heads.Refused(HTTPStatus.METHOD_NOT_ALLOWED)
        named = heads.place(head.path, self._prefix)
        if named is None:
            return _said(HTTPStatus.NOT_FOUND)
        try:
            return await self._permits.sheet(*named, head.fields.get("authorization", ""))
        except TimeoutError:
            return _said(HTTPStatus.SERVICE_UNAVAILABLE)

    async def flow(self, guest: "Guest", sheet: Sheet, start: int, end: int) -> None:
        """Send bytes of a file as long as they are permitted. EOFError: the file is shorter than it was."""
        permit, task = sheet.permit, guest.task
        assert task is not None  # noqa: S101 - the task is this one
        permit.takers.add(task)
        try:
            while start < end:
                if not permit.is_fresh:
                    await self._permits.renewed(permit)
                sent = await guest.pipe.copy(sheet.descriptor, start, end)
                if sent:
                    start += sent
                    guest.deadline = time.monotonic() + STUCK_SECONDS
                    await asyncio.sleep(0)  # a fast taker must not keep the others waiting
        finally:
            permit.takers.discard(task)
            permit.used = time.monotonic()

    def _leave(self, guest: "Guest", _: object) -> None:
        self._guests.discard(guest)
        self._room.set()


class Guest:
    """One connection."""

    def __init__(self, door: Door, connection: socket.socket) -> None:
        connection.setblocking(False)  # noqa: FBT003 - the library's signature
        self.pipe = door.pipe(connection)
        self.task: asyncio.Task[None] | None = None
        self.deadline = time.monotonic() + HEAD_SECONDS
        self._door = door
        self._buffer = bytearray()

    async def stay(self) -> None:
        """Answer its requests until it leaves, takes too long, or may have nothing more."""
        try:
            await self.pipe.open()
            while (head := await self._head()) is not None:
                stays = await self._answer(head)
                if not stays:
                    break
                self.deadline = time.monotonic() + IDLE_SECONDS
            self.pipe.close()
        except heads.Refused as refused:
            await self._refuse(refused.status)
        except (OSError, EOFError, TimeoutError, asyncio.CancelledError):
            # Broken, cut short, silent, or permitted no longer: nothing half-done may look finished.
            self.pipe.abort()

    async def _head(self) -> heads.Head | None:
        """Return the next request; None where there is no other."""
        while (at := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > heads.HEAD_BYTES:
                raise heads.Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            data = await self.pipe.receive(heads.HEAD_BYTES)
            if not data:
                return None
            if not self._buffer:
                self.deadline = min(self.deadline, time.monotonic() + HEAD_SECONDS)
            self._buffer += data
        data = bytes(self._buffer[:at])
        del self._buffer[: at + 4]
        self.deadline = time.monotonic() + STUCK_SECONDS
        return heads.read(data)

    async def _answer(self, head: heads.Head) -> bool:
        """Answer one request and say whether there may be another."""
        found = await self._door.find(head)
        if isinstance(found, Said):
            body = b"" if head.method == "HEAD" else found.body
            fields = found.headers | {"Content-Length": str(len(found.body))}
            await self.pipe.send(self._door.head(found.status, fields, stays=head.stays) + body)
            return head.stays
        try:
            answer = ranges.reply(found.file, head.method, head.fields)
            start = self._door.head(answer.status, answer.headers, stays=head.stays)
            await self.pipe.send(start, more=answer.start < answer.end)
            if answer.start < answer.end:
                await self._door.flow(self, found, answer.start, answer.end)
        finally:
            found.release()
        return head.stays

    async def _refuse(self, status: HTTPStatus) -> None:
        """Say why, and read a little of what still comes, or the answer would be lost with the connection."""
        said = _said(status)
        fields = said.headers | {"Content-Length": str(len(said.body))}
        try:
            async with asyncio.timeout(2):
                await self.pipe.send(self._door.head(status, fields, stays=False) + said.body)
                with suppress(OSError):
                    self.pipe.door.shutdown(socket.SHUT_WR)
                left = LINGER_BYTES
                while left > 0 and (data := await self.pipe.receive(left)):
                    left -= len(data)
            self.pipe.close()
        except (OSError, TimeoutError, asyncio.CancelledError):
            self.pipe.abort()


def _said(status: HTTPStatus) -> Said:
    """Return a refusal of the worker's own."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value}
    headers = {"Content-Type": PROBLEM}
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = "GET, HEAD"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    return Said(0, status.value, headers, json.dumps(body).encode())
