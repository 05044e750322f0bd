"""Where pushed files go: an HTTP address that takes them by PUT, or a bucket of the S3 interface.

Both are called through the guarded client only. Neither is believed before it has said what it holds.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from connector.errors import PeerFailed
from connector.network import Network, Response
from connector.standards import ranges, s3
from connector.standards.dsp.targets import HttpTarget, S3Target, Target
from connector.standards.ranges import File

PIECE: Final = 8 * 1024 * 1024
"""Bytes sent at a time."""

WHOLE: Final = 32 * 1024 * 1024
"""Largest file that is sent in one go to a server that takes no parts, in bytes: so much is held in memory."""

SECONDS: Final = 300.0
"""Longest time for one piece."""

_UNFIT: Final = frozenset({400, 405, 411, 416, 501})
"""What servers answer that take no parts (RFC 9110 §14.5 asks for 400)."""
_ASTRAY: Final = frozenset({409, 416})
"""What servers answer to a part that does not follow on what they hold; the next try asks for that first."""
_UNTOLD: Final = frozenset({401, 403, 405, 501})
"""What servers answer that do not say what they hold."""
_GONE: Final = frozenset({404, 410})


class Progress(Struct, frozen=True):
    """How far a file came: bytes surely there, and for S3 the upload in parts and the tags of its parts."""

    sent: int = 0
    upload: str | None = None
    tags: tuple[str, ...] = ()
    done: bool = False


class Sink(ABC):
    """Takes one file, piece by piece."""

    piece: int
    """Bytes that `put` wants, but for the last time."""

    @abstractmethod
    async def resume(self, progress: Progress) -> Progress:
        """Return from where to go on."""

    @abstractmethod
    async def put(self, progress: Progress, piece: bytes) -> Progress:
        """Send the next piece and return how far it is now."""

    @abstractmethod
    async def finish(self, progress: Progress) -> bool:
        """Say whether the target holds the whole file; if it lost some of it, everything is to be sent anew.

        Raises:
            PeerFailed: it holds another, or does not say what it holds.
        """

    async def abandon(self, progress: Progress) -> None:  # noqa: B027 - most have nothing to tidy up
        """Take back what only a whole file would be good for, where the target keeps such a thing."""


def open_sink(network: Network, target: Target, file: File, now: Callable[[], datetime]) -> Sink:
    """Return what brings `file` to `target`."""
    if isinstance(target, HttpTarget):
        return HttpSink(network, target, file)
    return S3Sink(network, target, file, now)


async def remove(network: Network, target: S3Target, now: Callable[[], datetime]) -> None:
    """Take an object out of a bucket; PeerFailed: the store does not do it."""
    nothing = File("0" * 64, 0, "application/octet-stream", "")
    answer = await S3Sink(network, target, nothing, now).send("DELETE", {})
    if answer.status not in _GONE:
        _accepted(answer)


class HttpSink(Sink):
    """PUT, in parts with `Content-Range` (RFC 9110 §14.5) where the file is larger than one piece."""

    def __init__(self, network: Network, target: HttpTarget, file: File) -> None:
        self._network = network
        self._target = target
        self._file = file
        self.piece = PIECE

    async def resume(self, progress: Progress) -> Progress:
        """Ask how much there is; less than was acknowledged counts, more does not."""
        if not progress.sent:
            return progress
        answer = await self._call("HEAD")
        if answer.status in _UNTOLD:
            return progress
        held = 0 if answer.status in _GONE else _length(answer.checked())
        return Progress(min(progress.sent, held or 0))

    async def put(self, progress: Progress, piece: bytes) -> Progress:
        """Send a part, or everything where it is one piece or the server takes no parts."""
        size, start, end = self._file.size, progress.sent, progress.sent + len(piece)
        if len(piece) == size:
            (await self._call("PUT", piece)).checked()
            return Progress(size)
        answer = await self._call("PUT", piece, {"Content-Range": f"bytes {start}-{end - 1}/{size}"})
        if not start and answer.status in _UNFIT:
            return self._in_one()
        if answer.status in _ASTRAY:
            raise PeerFailed("The target holds another part of the file than was acknowledged.")
        answer.checked()
        # Whether the server keeps parts, or takes each for the whole, shows with the second one.
        if start <= self.piece and await self._held() != end:
            return self._in_one()
        return Progress(end)

    async def finish(self, progress: Progress) -> bool:  # noqa: ARG002 - the target says how far it is
        """Ask what there is, and believe the length, and the digest where it is told."""
        answer = await self._call("HEAD")
        if answer.status in _UNTOLD and self._file.size <= max(self.piece, PIECE):
            return True  # taken whole in one request, and acknowledged
        held, digest = _length(answer.checked()), answer.headers.get("Repr-Digest", "")
        if held is None and self._file.size > self.piece:
            raise PeerFailed("The target does not say how much it holds.", retryable=False)
        if "sha-256=" in digest and ranges.repr_digest(self._file.digest) not in digest:
            raise PeerFailed("The target holds other bytes than were sent.", retryable=False)
        return held in {self._file.size, None}

    def _in_one(self) -> Progress:
        """Let the next piece be the whole file, for a server that takes no parts."""
        if self._file.size > WHOLE:
            raise PeerFailed(
                f"The target takes no parts of a file, and this one is larger than {WHOLE} bytes.", retryable=False
            )
        self.piece = self._file.size
        return Progress()

    async def _held(self) -> int:
        """Ask how much there is; a target that does not say so is sent no parts."""
        answer = await self._call("HEAD")
        held = None if answer.status in _UNTOLD | _GONE else _length(answer.checked())
        if held is None:
            raise PeerFailed("The target does not say how much it holds, so parts cannot be sent.", retryable=False)
        return held

    async def _call(self, method: str, body: bytes | None = None, more: Mapping[str, str] | None = None) -> Response:
        headers = {"Accept-Encoding": "identity", **(more or {})}
        if self._target.authorization:
            headers["Authorization"] = self._target.authorization
        if body is not None:
            headers["Content-Type"] = "application/octet-stream" if more else self._file.media_type
            headers["Repr-Digest"] = ranges.repr_digest(self._file.digest)
        return await self._network.request(method, self._target.url, headers=headers, body=body, timeout=SECONDS)


class S3Sink(Sink):
    """An object in one request, or in parts where it is larger than one."""

    def __init__(self, network: Network, target: S3Target, file: File, now: Callable[[], datetime]) -> None:
        self._network = network
        self._target = target
        self._file = file
        self._now = now
        self.piece = s3.part_size(file.size)

    async def resume(self, progress: Progress) -> Progress:
        """Begin an upload in parts where there is none; one that was begun goes on with its next part."""
        if self._file.size <= self.piece or progress.upload:
            return progress
        answer = await self._call("POST", {"uploads": ""}, headers=self._marks())
        upload = s3.upload_id(answer.body)
        if upload is None:
            raise PeerFailed("The store gives no number to an upload in parts.", retryable=False)
        return Progress(upload=upload)

    async def put(self, progress: Progress, piece: bytes) -> Progress:
        """Send the object, or its next part."""
        if progress.upload is None:
            await self._call("PUT", body=piece, headers=self._marks())
            return Progress(len(piece))
        number = len(progress.tags) + 1
        answer = await self.send("PUT", {"partNumber": str(number), "uploadId": progress.upload}, piece)
        if answer.status in _GONE:
            return await self.resume(Progress())  # the store has forgotten the upload: from the beginning
        tag = _accepted(answer).headers.get("ETag", "")
        if not tag:
            raise PeerFailed("The store gives no tag for a part.", retryable=False)
        return replace(progress, sent=progress.sent + len(piece), tags=(*progress.tags, tag))

    async def finish(self, progress: Progress) -> bool:
        """Join the parts, and ask the store what it holds."""
        if progress.upload is not None:
            body = s3.completion(progress.tags)
            answer = await self.send("POST", {"uploadId": progress.upload}, body)
            if answer.status not in _GONE:  # joined before, perhaps, and the answer was lost
                _accepted(answer)
        held = await self.send("HEAD", {})
        if held.status in _GONE:
            return False
        named = _accepted(held).headers.get("x-amz-meta-sha256", self._file.digest)
        return _length(held) == self._file.size and named == self._file.digest

    async def abandon(self, progress: Progress) -> None:
        """Take back an upload in parts: the bucket's owner pays for it."""
        if progress.upload is not None:
            await self.send("DELETE", {"uploadId": progress.upload})

    def _marks(self) -> dict[str, str]:
        return {"content-type": self._file.media_type, "x-amz-meta-sha256": self._file.digest}

    async def _call(
        self,
        method: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        return _accepted(await self.send(method, query or {}, body, headers))

    async def send(
        self, method: str, query: Mapping[str, str], body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a signed request about the object and return the answer, whatever it is."""
        payload = hashlib.sha256(body or b"").hexdigest()
        signed = s3.sign(
            self._target.bucket, method, self._target.key, self._now(), query=query, headers=headers, payload=payload
        )
        sent = {"Accept-Encoding": "identity", **signed.headers}
        return await self._network.request(method, signed.url, headers=sent, body=body, timeout=SECONDS)


def _accepted(answer: Response) -> Response:
    """Return a success; what the store says of a failure goes into the reason."""
    said = s3.refusal(answer.body)
    if said is None:
        return answer.checked()
    passing = answer.status >= 500 or answer.status in {408, 429} or said.startswith(("InternalError", "SlowDown"))  # noqa: PLR2004 - RFC 9110 §15.6
    raise PeerFailed(f"The store refuses: {said}.", retryable=passing, status=answer.status)


def _length(answer: Response) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdecimal() else None
