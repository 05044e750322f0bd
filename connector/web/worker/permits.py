"""What may flow: asked of the connector, remembered for less than a second, and taken back while it flows.

A permission counts from the moment its question was sent, so it never says more than the connector knew. Bytes flow
only under one younger than `FRESH`: when the connector does not answer they pause, and break off when it stays silent.
"""

import asyncio
import os
import socket
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from connector.standards import ranges
from connector.web.worker import talk
from connector.web.worker.talk import Ask, Bond, Ended, Given, Said, Watch

FRESH: Final = 0.9
"""Seconds that a permission holds without being asked for again."""

PERIOD: Final = 0.3
"""Seconds between two questions about what flows."""

SILENCE: Final = 5.0
"""Seconds after which a connector that does not answer is not waited for any longer."""

FILES: Final = 128
"""Files that are kept open beside those that are being sent."""

TOGETHER: Final = 100
"""Bonds in one question."""


@dataclass(eq=False)
class Permit:
    """What is known of one bond: when it was last found to hold, and whom to stop when it ends."""

    bond: Bond
    checked: float
    used: float
    ended: bool = False
    takers: set["asyncio.Task[Any]"] = field(default_factory=set)

    @property
    def is_fresh(self) -> bool:
        """Whether bytes may flow under it now."""
        return not self.ended and time.monotonic() - self.checked < FRESH


@dataclass(eq=False)
class Sheet:
    """A file that may be sent under a permit; it is closed when nobody sends it and nobody remembers it."""

    file: ranges.File
    descriptor: int
    permit: Permit
    until: float
    holders: int = 1

    def hold(self) -> "Sheet":
        """Keep it open until `release`."""
        self.holders += 1
        return self

    def release(self) -> None:
        """Let go of it."""
        self.holders -= 1
        if not self.holders:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)


class Permits:
    """Permissions, each asked for once for all who wait for it.

    Args:
        line: the socket to the connector, which keeps packets apart and does not block.
        gone: called when the connector is gone.
    """

    def __init__(self, line: socket.socket, gone: Callable[[], None]) -> None:
        self._line = line
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._number = 0
        self._asked: dict[int, tuple[float, asyncio.Future[Any]]] = {}
        self._asking: dict[tuple[str, str, str], asyncio.Task[Sheet | Said]] = {}
        self._sheets: OrderedDict[tuple[str, str, str], Sheet] = OrderedDict()
        self._permits: dict[Bond, Permit] = {}
        self._unsent: deque[bytes] = deque()
        self._loop.add_reader(line.fileno(), self._hear)

    async def sheet(self, transfer: str, name: str, authorization: str) -> Sheet | Said:
        """Return the file, held for the caller to release, or what is to be answered in its place.

        Raises:
            TimeoutError: the connector does not answer.
        """
        key = (transfer, name, authorization)
        while True:
            known = self._sheets.get(key)
            if known is not None and known.permit.is_fresh and time.monotonic() < known.until:
                self._sheets.move_to_end(key)
                known.permit.used = time.monotonic()
                return known.hold()
            if (asking := self._asking.get(key)) is None:
                asking = self._asking[key] = self._loop.create_task(self._ask(key))
                asking.add_done_callback(lambda _: self._asking.pop(key, None))
            found = await asyncio.shield(asking)
            if isinstance(found, Said):
                return found
            if found.holders:  # else it was forgotten before its turn came, among very many others
                return found.hold()

    async def renewed(self, permit: Permit) -> None:
        """Return when bytes may flow again. TimeoutError: the connector stays silent."""
        end = time.monotonic() + SILENCE
        while not permit.is_fresh:
            if time.monotonic() > end or permit.ended:
                raise TimeoutError
            await asyncio.sleep(PERIOD / 4)

    async def watch(self) -> None:
        """Ask again and again about what flows or did a moment ago, and stop what is permitted no longer."""
        while True:
            now = time.monotonic()
            live = [each for each in self._permits.values() if each.takers or now - each.used < 2 * FRESH]
            for at in range(0, len(live), TOGETHER):
                self._look_again(live[at : at + TOGETHER])
            self._forget(now)
            await asyncio.sleep(PERIOD)

    async def _ask(self, key: tuple[str, str, str]) -> Sheet | Said:
        transfer, name, authorization = key
        begun = time.monotonic()
        number, answered = self._expect()
        self._send(Ask(number, transfer, name, authorization))
        async with asyncio.timeout(SILENCE):
            answer, descriptor = await answered
        if not isinstance(answer, Given):
            return answer if isinstance(answer, Said) else Said(number, 500, {}, b"")
        permit = self._permits.get(answer.bond)
        if permit is None or permit.ended:
            permit = self._permits[answer.bond] = Permit(answer.bond, begun, begun)
        permit.checked, permit.used = max(permit.checked, begun), time.monotonic()
        file = ranges.File(answer.digest, answer.size, answer.media_type, answer.name)
        # A grant may live long, but the file behind it can be given up for another: soon the question is put again.
        made = Sheet(file, descriptor, permit, begun + min(answer.seconds, SILENCE))
        if (old := self._sheets.pop(key, None)) is not None:
            old.release()
        self._sheets[key] = made
        return made

    def _look_again(self, live: list[Permit]) -> None:
        """Ask about some permits; what is said of them is taken up when it comes."""
        begun = time.monotonic()
        number, answered = self._expect()

        def heard(done: "asyncio.Future[Any]") -> None:
            if done.cancelled() or not isinstance(ended := done.result()[0], Ended):
                return
            over = set(ended.bonds)
            for permit in live:
                if permit.bond in over:
                    self._end(permit)
                else:
                    permit.checked = max(permit.checked, begun)

        answered.add_done_callback(heard)
        self._send(Watch(number, tuple(permit.bond for permit in live)))

    def _end(self, permit: Permit) -> None:
        permit.ended = True
        for taker in tuple(permit.takers):
            taker.cancel()

    def _forget(self, now: float) -> None:
        """Let go of files and permits that nobody has used for a while, and of questions without an answer."""
        for key, sheet in list(self._sheets.items()):
            if len(self._sheets) > FILES or now - sheet.permit.used > SILENCE or sheet.permit.ended:
                self._sheets.pop(key).release()
        kept = {id(sheet.permit) for sheet in self._sheets.values()}
        for bond, permit in list(self._permits.items()):
            if not permit.takers and id(permit) not in kept:
                del self._permits[bond]
        for number, (asked, answered) in list(self._asked.items()):
            if now - asked > 2 * SILENCE:
                del self._asked[number]
                answered.cancel()

    def _expect(self) -> tuple[int, "asyncio.Future[Any]"]:
        self._number += 1
        answered: asyncio.Future[Any] = self._loop.create_future()
        self._asked[self._number] = (time.monotonic(), answered)
        return self._number, answered

    def _send(self, question: talk.Question) -> None:
        self._unsent.append(talk.encode(question))
        self._flush()

    def _flush(self) -> None:
        """Send what waits; the rest when there is room."""
        try:
            while self._unsent:
                self._line.send(self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            self._loop.add_writer(self._line.fileno(), self._flush)
            return
        except OSError:
            self._gone()
        with suppress(OSError):
            self._loop.remove_writer(self._line.fileno())

    def _hear(self) -> None:
        """Take up every answer that has come."""
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._line, talk.PACKET, 1)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            if not data:
                self._loop.remove_reader(self._line.fileno())
                self._gone()
                return
            answer = talk.answers.decode(data)
            _, answered = self._asked.pop(answer.number, (0.0, None))
            if isinstance(answer, Said) and descriptors:
                with os.fdopen(descriptors.pop(), "rb") as long:
                    answer = msgspec.structs.replace(answer, body=long.read())
            if answered is not None and not answered.done():
                answered.set_result((answer, descriptors[0] if descriptors else None))
            else:
                for each in descriptors:
                    os.close(each)
