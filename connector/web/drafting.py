"""Own API: upload a file and get the record that it supports."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from litestar import Controller, Request, post
from litestar.params import FromQuery
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK

from connector.capabilities.datasets import Datasets
from connector.capabilities.drafting import Draft
from connector.capabilities.local import LocalFiles
from connector.errors import InvalidInput, Refusal, TooLarge
from connector.storage.objects import Objects
from connector.web.auth import needs
from connector.web.given import Given
from connector.web.uploads import filename_of, pieces, receive

_LINES: Final = "application/jsonl"
_PATH_BYTES: Final = 16_384
_HOW: Final = 'Send {"path": "…"} for a file that lies on this machine; to upload one, give its name as ?filename=.'
UPLOADS: Final = "/api/drafts"
"""Where files come in, piece by piece and with a limit of their own."""


class DraftController(Controller):
    """Records drafted from files."""

    path = "/api"
    tags = ("datasets",)

    @post("/drafts", status_code=HTTP_200_OK, guards=[needs("provider")])
    async def draft(
        self,
        request: Request[Any, Any, Any],
        datasets: Given[Datasets],
        local: Given[LocalFiles],
        objects: Given[Objects],
        upload_bytes: Given[int],
        filename: FromQuery[str | None] = None,
    ) -> Draft | Stream:
        """Upload a file as the request's body, or name one that lies here as `{"path"}`, and get its draft."""
        if filename is None:
            path = await _named(request)
            if _LINES in request.headers.get("accept", ""):
                return Stream(_told(local, path), media_type=_LINES)
            return await asyncio.to_thread(local.draft, path)
        name = filename_of(filename)
        digest = await receive(request, objects, upload_bytes)
        return await asyncio.to_thread(datasets.draft, digest, name)


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which file on the connector's machine is meant."""

    path: str


async def _named(request: Request[Any, Any, Any]) -> str:
    """Return the path that a JSON body names."""
    raw = bytearray()
    async for piece in pieces(request):
        raw += piece
        if len(raw) > _PATH_BYTES:
            raise TooLarge("This is no path.", where="path", fix=_HOW)
    try:
        return msgspec.json.decode(raw, type=Place).path
    except msgspec.DecodeError as error:
        raise InvalidInput(f"The body names no file: {error}.", where="path", fix=_HOW) from error


async def _told(local: LocalFiles, path: str) -> AsyncIterator[bytes]:
    """Yield lines of JSON: how far the reading is, and at last the draft, or what is wrong."""
    loop, told = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def tell(done: int, size: int) -> None:
        loop.call_soon_threadsafe(told.put_nowait, msgspec.json.encode({"read": done, "of": size}))

    reading = asyncio.create_task(asyncio.to_thread(local.draft, path, tell))
    while not reading.done() or not told.empty():
        waiting = asyncio.create_task(told.get())
        await asyncio.wait({waiting, reading}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            yield waiting.result() + b"\n"
        else:
            waiting.cancel()
    try:
        yield msgspec.json.encode(reading.result()) + b"\n"
    except Refusal as no:
        error = {"what": no.message, "where": no.where or path, "fix": no.fix}
        yield msgspec.json.encode({"file": path, "error": error}) + b"\n"
