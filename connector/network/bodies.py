"""Reading the body of an answer: never more than allowed, whatever it was packed with."""

import zlib
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from backports import zstd

from connector.errors import PeerFailed

ERROR_BYTES: Final = 64 * 1024
"""How much of a refusal's body is kept while streaming."""
CHUNK: Final = 64 * 1024
RATIO_FREE: Final = 1024 * 1024
"""Decoded bytes below which the ratio is not looked at: a short page of blanks is no attack."""
MEMBER_BYTES: Final = 512
"""Least mean size of the members of a gzip stream, or frames of a zstd one; each of them costs a decoder."""
WINDOW: Final = 23
"""Logarithm of the largest window, and so the memory, that a zstd body may ask for: 8 MiB (RFC 9659)."""


async def decoded(answer: aiohttp.ClientResponse, limit: int) -> AsyncIterator[bytes]:
    """Yield the body of `answer`, unpacked, in pieces of at most 64 KiB, and at most `limit` bytes of it."""
    coding = answer.headers.get("Content-Encoding", "identity").lower()
    length = answer.content_length
    host = answer.url.host
    if coding not in {"identity", "", "gzip", "x-gzip", "zstd"}:
        raise PeerFailed(f"{host} compresses its answer in a way it was not asked for.", retryable=False)
    too_large = PeerFailed(f"{host} sends more than the {limit} bytes allowed here.", retryable=False)
    if length is not None and length > limit and answer.method != "HEAD":
        raise too_large
    unpack = _UNPACKING[coding](str(host)) if coding in _UNPACKING else None
    total = 0
    async for received in answer.content.iter_chunked(CHUNK):
        for piece in unpack.feed(received) if unpack else (received,):
            total += len(piece)
            if total > limit:
                raise too_large
            yield piece
    if unpack:
        unpack.finish()


class _Unpacking:
    """Counts what a packed body unpacks to, and stops when it turns out to be a bomb."""

    coding = ""
    ratio = 1
    """Decoded bytes per received byte above which a body is a bomb, several times that of a catalog of twins."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._members = 1
        self._received = 0
        self._total = 0

    def _check(self) -> None:
        bomb = self._total > max(RATIO_FREE, self.ratio * self._received)
        if bomb or self._members * MEMBER_BYTES > self._received + CHUNK:
            raise PeerFailed(f"{self._host} sends a body that unpacks to a suspicious size.", retryable=False)

    def _broken(self) -> PeerFailed:
        return PeerFailed(f"{self._host} sends a body that is not the {self.coding} it claims to be.")

    def _ended(self, *, whole: bool) -> None:
        """Refuse a stream that stopped inside a member."""
        if self._received and not whole:
            raise PeerFailed(f"{self._host} sends a {self.coding} body that breaks off.")


class _Gunzip(_Unpacking):
    """Unpacks a gzip stream (RFC 1952) piece by piece."""

    coding = "gzip"
    ratio = 300  # a catalog whose datasets differ in their names alone: 60

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self._decoder = self._fresh()

    @staticmethod
    def _fresh() -> "zlib._Decompress":
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def feed(self, data: bytes) -> list[bytes]:
        """Return what `data` unpacks to, in pieces of at most 64 KiB."""
        self._received += len(data)
        pieces: list[bytes] = []
        try:
            while data:
                if self._decoder.eof:
                    self._decoder = self._fresh()
                    self._members += 1
                piece = self._decoder.decompress(data, CHUNK)
                self._total += len(piece)
                self._check()
                pieces.append(piece)
                data = self._decoder.unconsumed_tail or self._decoder.unused_data
        except zlib.error:
            raise self._broken() from None
        return pieces

    def finish(self) -> None:
        """Refuse a stream that stopped inside a member."""
        self._ended(whole=self._decoder.eof)


class _Unzstd(_Unpacking):
    """Unpacks a zstd stream (RFC 8878) piece by piece."""

    coding = "zstd"
    ratio = 1000  # the same catalog: 150

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self._decoder = self._fresh()

    @staticmethod
    def _fresh() -> zstd.ZstdDecompressor:
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW})

    def feed(self, data: bytes) -> list[bytes]:
        """Return what `data` unpacks to, in pieces of at most 64 KiB."""
        self._received += len(data)
        pieces: list[bytes] = []
        try:
            while True:
                if self._decoder.eof:
                    data = self._decoder.unused_data or data
                    if not data:
                        return pieces
                    self._decoder = self._fresh()
                    self._members += 1
                piece = self._decoder.decompress(data, CHUNK)
                self._total += len(piece)
                self._check()
                pieces.append(piece)
                data = b""
                if not self._decoder.eof and (self._decoder.needs_input or not piece):
                    return pieces
        except zstd.ZstdError:
            raise self._broken() from None

    def finish(self) -> None:
        """Refuse a stream that stopped inside a frame."""
        self._ended(whole=self._decoder.eof)


_UNPACKING: Final[dict[str, type[_Gunzip] | type[_Unzstd]]] = {"gzip": _Gunzip, "x-gzip": _Gunzip, "zstd": _Unzstd}


async def beginning(answer: aiohttp.ClientResponse) -> bytes:
    """Return up to 64 KiB of the body as it came, enough to read what a refusal says."""
    kept = b""
    async for received in answer.content.iter_chunked(CHUNK):
        kept += received
        if len(kept) >= ERROR_BYTES:
            break
    return kept[:ERROR_BYTES]
