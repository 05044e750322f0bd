"""Moving bytes: from an open file into a connection, without waiting for one while another could go on.

In the clear the system copies by itself (`sendfile`); where it cannot, and under TLS, pieces are read and written. A
piece is never larger than what may still flow if permission ends while it is on its way.
"""

import asyncio
import errno
import os
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

PIECE: Final = 256 * 1024
"""Bytes read at a time where the system does not copy by itself."""

TLS_PIECE: Final = 1024 * 1024
"""Bytes read at a time under TLS: fewer, larger ones cost less."""

TLS_PIECES: Final = 32
"""Connections that may have such a piece under way at once."""

SMALL_PIECE: Final = 64 * 1024
"""Bytes read at a time for those beyond."""

RUN: Final = 8 * 1024 * 1024
"""Bytes that the system is asked to copy at a time; it stops by itself where the connection is full."""

UNSENT: Final = 1024 * 1024
"""Bytes that may wait in the system for their turn; they are lost when the connection is broken off."""

_NO_SENDFILE: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
_RESET: Final = struct.pack("ii", 1, 0)


class Pipe:
    """A connection in the clear. One task uses it at a time.

    Args:
        door: the socket, which does not block.
    """

    def __init__(self, door: socket.socket) -> None:
        self.door = door
        self._loop = asyncio.get_running_loop()
        self._copies = hasattr(os, "sendfile")
        with suppress(OSError):
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with suppress(OSError):
                door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)

    async def open(self) -> None:
        """Do what comes before the first request."""

    async def receive(self, most: int) -> bytes:
        """Return what has come, `most` bytes of it; nothing at the end. OSError: the connection is broken."""
        while True:
            try:
                return self.door.recv(most)
            except (BlockingIOError, InterruptedError):
                await self._readable()

    async def send(self, data: bytes, *, more: bool = False) -> None:
        """Send all of `data`; with `more` it waits a moment for what follows, to travel together."""
        view, flags = memoryview(data), getattr(socket, "MSG_MORE", 0) if more else 0
        while view:
            try:
                view = view[self.door.send(view, flags) :]
            except (BlockingIOError, InterruptedError):
                await self._writable()

    async def copy(self, file: int, start: int, end: int) -> int:
        """Send bytes of a file from `start` on, some but not past `end`, and return how many; at times none.

        EOFError: the file ends there.
        """
        if self._copies:
            try:
                return _some(os.sendfile(self.door.fileno(), file, start, min(RUN, end - start)))
            except (BlockingIOError, InterruptedError):
                await self._writable()
                return 0
            except OSError as error:
                if error.errno not in _NO_SENDFILE:
                    raise
                self._copies = False
        piece = os.pread(file, min(PIECE, end - start), start)
        await self.send(piece)
        return _some(len(piece))

    def close(self) -> None:
        """End the connection in order."""
        with suppress(OSError):
            self.door.shutdown(socket.SHUT_WR)
        self.door.close()

    def abort(self) -> None:
        """Break the connection off: what waits in the system to be sent is thrown away."""
        with suppress(OSError):
            self.door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.door.close()

    async def _readable(self) -> None:
        await self._wait(self._loop.add_reader, self._loop.remove_reader)

    async def _writable(self) -> None:
        await self._wait(self._loop.add_writer, self._loop.remove_writer)

    async def _wait(self, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
        ready, number = self._loop.create_future(), self.door.fileno()
        add(number, _settle, ready)
        try:
            await ready
        finally:
            remove(number)


class Shelf:
    """Room for pieces under TLS, lent to a connection until its piece is sent; so much for all of them together."""

    def __init__(self, places: int = TLS_PIECES) -> None:
        self._spare: list[memoryview] = []
        self._places = places

    def lend(self) -> memoryview:
        """Return room for a large piece, or, when all of it is lent, for a small one."""
        if self._spare:
            return self._spare.pop()
        self._places -= 1
        return memoryview(bytearray(TLS_PIECE if self._places >= 0 else SMALL_PIECE))

    def back(self, room: memoryview) -> None:
        """Take room back."""
        if len(room) == TLS_PIECE:
            self._spare.append(room)
        else:
            self._places += 1


_SHELF: Final = Shelf()


class TlsPipe(Pipe):
    """A connection under TLS, which the library puts straight into the socket."""

    def __init__(self, door: socket.socket, context: ssl.SSLContext) -> None:
        wrapped = context.wrap_socket(door, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True)
        super().__init__(wrapped)
        self._tls = wrapped
        self._room: memoryview | None = None
        self._count = 0

    async def open(self) -> None:
        """Shake hands."""
        await self._until(self._tls.do_handshake)

    async def receive(self, most: int) -> bytes:
        """Return what has come, `most` bytes of it; nothing at the end."""
        data: bytes = await self._until(lambda: self._tls.recv(most))
        return data

    async def send(self, data: bytes, *, more: bool = False) -> None:  # noqa: ARG002 - records are made at once
        """Send all of `data`."""
        await self._send(memoryview(data))

    async def copy(self, file: int, start: int, end: int) -> int:
        """Send bytes of a file as above; a piece that has to wait counts when all of it is sent.

        The library takes up a write that could not be finished where it left off, if it is given the same bytes.
        """
        if self._room is None:
            self._room = _SHELF.lend()
            self._count = _some(os.preadv(file, [self._room[: min(len(self._room), end - start)]], start))
        try:
            sent = self._tls.send(self._room[: self._count])
        except ssl.SSLWantWriteError:
            await self._writable()
            return 0
        except ssl.SSLWantReadError:
            await self._readable()
            return 0
        self._give_back()
        return sent

    def close(self) -> None:
        """Say that this is the end, and end."""
        self._give_back()
        with suppress(OSError, ValueError):
            self._tls.unwrap()
        super().close()

    def abort(self) -> None:
        """Break the connection off."""
        self._give_back()
        super().abort()

    def _give_back(self) -> None:
        if self._room is not None:
            _SHELF.back(self._room)
            self._room = None

    async def _send(self, view: memoryview) -> None:
        while view:
            # A write that has to wait must be repeated with the same bytes, which `view` still begins with.
            sent = await self._until(lambda view=view: self._tls.send(view))  # type: ignore[misc]
            view = view[sent:]

    async def _until(self, act: Callable[[], Any]) -> Any:
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                await self._readable()
            except ssl.SSLWantWriteError:
                await self._writable()


def _some(count: int) -> int:
    if count:
        return count
    raise EOFError


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
