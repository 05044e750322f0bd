"""Own API: upload a file and get the record that it supports."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Final

from litestar import Controller, Request, post
from litestar.params import FromQuery
from litestar.status_codes import HTTP_200_OK

from connector.capabilities.datasets import Datasets, Draft
from connector.errors import InvalidInput
from connector.storage.objects import Objects
from connector.web.auth import needs
from connector.web.given import Given

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
        objects: Given[Objects],
        upload_bytes: Given[int],
        filename: FromQuery[str],
    ) -> Draft:
        """Upload a file as the request's body and get the record that it supports."""
        if not re.fullmatch(r"[^/\\\x00-\x1f]{1,200}", filename):
            raise InvalidInput("This is no file name.", where="filename", fix="Give the name without its folders.")
        digest = await _receive(request, objects, upload_bytes)
        return await asyncio.to_thread(datasets.draft, digest, filename)


async def _receive(request: Request[Any, Any, Any], objects: Objects, limit: int) -> str:
    """Keep the body as a file, piece by piece, and return its SHA-256."""
    with objects.receive(limit=limit) as incoming:
        async for piece in _pieces(request):
            await asyncio.to_thread(incoming.write, piece)
    return incoming.digest


async def _pieces(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece
