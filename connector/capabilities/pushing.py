"""Pushes: the bytes of a transfer brought to where its consumer wants them, as long as the agreement permits it.

A file goes in pieces. After each one it is written down how far it came, so that a broken connection or a killed
process costs a piece and not the file; while one is on its way the agreement is asked again and again, and what is
permitted no longer is broken off. A transfer is completed when the target itself says that it has everything.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeVar

from sqlmodel import col

from connector.capabilities.delivery import RECHECK_SECONDS, Delivery
from connector.capabilities.evidence import Begin, Clock
from connector.capabilities.grants import Grant
from connector.capabilities.identity import Principal
from connector.capabilities.notices import PushDue, ShelfDue
from connector.capabilities.places import Places
from connector.capabilities.sinks import Progress, Sink, open_sink, remove
from connector.capabilities.transfers import Transfers
from connector.errors import Denied, IllegalMove, InvalidInput, NotFound, PeerFailed
from connector.network import Network
from connector.standards.dsp import messages, targets
from connector.standards.dsp.transfer import State
from connector.standards.ranges import File
from connector.storage.events import DeliveryFailed
from connector.storage.tables import Push, Transfer

TIMES: Final = 3
"""How often a file is sent anew to a target that lost some of it."""

SUBSCRIBER: Final = "pushes.push"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pushes:
    """The pushes of this participant as provider."""

    begin: Begin
    read: Begin
    now: Clock
    participant: str
    delivery: Delivery
    transfers: Transfers
    network: Network
    places: Places

    async def push(self, event: PushDue, participant: str) -> None:
        """Bring what is missing of a transfer's files, and complete the transfer.

        Raises:
            PeerFailed: the target does not answer now; the outbox tries again, from where it came to.
        """
        ours = await asyncio.to_thread(self.transfers.get, event.subject)
        if ours.state != State.STARTED:
            return
        grant = Grant(ours.pid, ours.peer, ours.agreement, ours.dataset, self.now())
        try:
            await self._bring(ours, grant)
        except Denied as refusal:
            await asyncio.to_thread(self._stopped, ours.pid, [refusal.message, *refusal.reasons])
            return
        except (InvalidInput, NotFound, PeerFailed) as failure:
            if isinstance(failure, PeerFailed) and failure.retryable:
                raise
            await asyncio.to_thread(self.transfers.fail, ours.pid, "push-failed", [failure.message])
            return
        await asyncio.to_thread(self._complete, ours.pid, participant)

    async def stage(self, ours: Transfer) -> None:
        """Put the file of a transfer into our own bucket, for its consumer to fetch.

        Raises:
            PeerFailed: the store does not answer now, and the same may be tried again.
        """
        grant = Grant(ours.pid, ours.peer, ours.agreement, ours.dataset, self.now())
        try:
            assets = await asyncio.to_thread(self.delivery.permitted, grant)
            if len(assets) != 1:
                raise InvalidInput("Only a dataset with one file can be fetched from a bucket.", where="format")  # noqa: TRY301 - told like any other
            opened = await asyncio.to_thread(self.delivery.open_asset, grant, assets[0])
            with opened.source as source:
                await self._bring_one(ours.pid, grant, self.places.on_shelf(ours.pid), opened.file, source)
        except (Denied, InvalidInput, NotFound, PeerFailed) as failure:
            if not getattr(failure, "retryable", False):
                await asyncio.to_thread(self.transfers.fail, ours.pid, "push-failed", [failure.message])
            raise

    async def clear(self, event: ShelfDue, participant: str) -> None:  # noqa: ARG002 - the transfer is our own
        """Take the file of a transfer that runs no longer out of our bucket, so that its address opens nothing."""
        ours = await asyncio.to_thread(self.transfers.get, event.subject)
        if ours.state == State.STARTED:
            return
        await remove(self.network, self.places.on_shelf(ours.pid), self.now)
        await asyncio.to_thread(self._drop, ours.pid)

    def failed(self, event: DeliveryFailed, participant: str) -> None:  # noqa: ARG002 - the transfer is our own
        """End a transfer whose data could not be brought, with the reason."""
        if event.subscriber == SUBSCRIBER:
            self.transfers.fail(event.subject, "push-failed", [f"The data could not be brought: {event.reason}"])

    async def _bring(self, ours: Transfer, grant: Grant) -> None:
        target = targets.read(ours.format, messages.load_address(ours.data_address or {}))
        assets = await asyncio.to_thread(self.delivery.permitted, grant)
        for asset in assets:
            opened = await asyncio.to_thread(self.delivery.open_asset, grant, asset)
            with opened.source as source:
                place = target if len(assets) == 1 else target.of(asset.filename)
                await self._bring_one(ours.pid, grant, place, opened.file, source)

    async def _bring_one(self, pid: str, grant: Grant, target: targets.Target, file: File, source: BinaryIO) -> None:
        """Bring one file, from where it came to before."""
        progress = await asyncio.to_thread(self._progress, pid, file)
        if progress.done:
            return
        sink = open_sink(self.network, target, file, self.now)
        try:
            await self._until_whole(pid, grant, sink, file, source, progress)
        except (Denied, PeerFailed) as refusal:
            # A broken connection and a suspension are gone on with; all else was for nothing.
            if not getattr(refusal, "retryable", False) and not await asyncio.to_thread(self._is_suspended, pid):
                with suppress(PeerFailed):
                    await sink.abandon(await asyncio.to_thread(self._progress, pid, file))
            raise
        await asyncio.to_thread(self._keep, pid, file, Progress(file.size, done=True))

    async def _until_whole(
        self, pid: str, grant: Grant, sink: Sink, file: File, source: BinaryIO, progress: Progress
    ) -> None:
        for _ in range(TIMES):
            progress = await self._while_permitted(grant, sink.resume(progress))
            await asyncio.to_thread(self._keep, pid, file, progress)
            while progress.sent < file.size or not file.size:
                piece = await asyncio.to_thread(_piece, source, file, progress.sent, sink.piece)
                progress = await self._while_permitted(grant, sink.put(progress, piece))
                await asyncio.to_thread(self._keep, pid, file, progress)
                if not file.size:
                    break
            if await self._while_permitted(grant, sink.finish(progress)):
                return
            progress = Progress()
        raise PeerFailed(f"The target lost what it was sent of {file.name!r}, {TIMES} times.", retryable=False)

    async def _while_permitted(self, grant: Grant, act: Awaitable[T]) -> T:
        """Return what `act` returns, or break it off when the agreement stops permitting it."""
        task = asyncio.ensure_future(act)
        try:
            while not task.done():
                await asyncio.to_thread(self.delivery.check, grant)
                await asyncio.wait({task}, timeout=RECHECK_SECONDS)
            return task.result()
        finally:
            if task.cancel():
                await asyncio.wait({task})

    def _progress(self, pid: str, file: File) -> Progress:
        with self.read(self.participant) as work:
            row = work.find(Push, pid, file.name)
        if row is None or row.digest != file.digest:
            return Progress()
        return Progress(row.sent, row.upload, tuple(row.tags), row.done)

    def _drop(self, pid: str) -> None:
        with self.begin(self.participant) as work:
            for row in work.select(Push, col(Push.transfer) == pid):
                work.delete(row)

    def _keep(self, pid: str, file: File, progress: Progress) -> None:
        with self.begin(self.participant) as work:
            row = work.find(Push, pid, file.name, lock=True)
            if row is None:
                me = self.participant
                row = work.add(
                    Push(participant=me, transfer=pid, filename=file.name, size=file.size, updated=self.now())
                )
            row.digest, row.sent, row.done, row.updated = file.digest, progress.sent, progress.done, self.now()
            row.upload, row.tags = progress.upload, list(progress.tags)

    def _is_suspended(self, pid: str) -> bool:
        return self.transfers.get(pid).state == State.SUSPENDED

    def _stopped(self, pid: str, why: list[str]) -> None:
        """End a running transfer that is permitted no longer; one that was suspended or ended is left as it is."""
        if self.transfers.get(pid).state == State.STARTED:
            self.transfers.fail(pid, "policy", why)

    def _complete(self, pid: str, participant: str) -> None:
        try:
            self.transfers.complete(pid, Principal(participant, "peer", frozenset(), participant))
        except IllegalMove:
            return  # suspended or ended in the very last moment; it is completed when it is taken up again


def _piece(source: BinaryIO, file: File, start: int, most: int) -> bytes:
    source.seek(start)
    piece = source.read(most)
    if len(piece) != min(most, file.size - start):
        raise PeerFailed(f"The file {file.name!r} is damaged at the provider.", retryable=False)
    return piece
