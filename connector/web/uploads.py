"""Files that come in as the body of a request, piece by piece."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from litestar import Request

from connector.errors import InvalidInput
from connector.storage.objects import Objects


async def receive(request: Request[Any, Any, Any], objects: Objects, limit: int) -> str:
    """Keep the body as a file, piece by piece, and return its SHA-256."""
    with objects.receive(limit=limit) as incoming:
        async for piece in pieces(request):
            await asyncio.to_thread(incoming.write, piece)
    return incoming.digest


def filename_of(text: str) -> str:
    """Return the name of a file, or raise InvalidInput where it is none."""
    if not re.fullmatch(r"[^/\\\x00-\x1f]{1,200}", text):
        raise InvalidInput("This is no file name.", where="filename", fix="Give the name without its folders.")
    return text


async def pieces(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    """Yield the body as it comes."""
    async for piece in request.stream():
        yield piece
