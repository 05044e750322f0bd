"""Own API: upload a file, draft, validate, register and withdraw datasets."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import FromQuery, HeaderParameter, JSONBody, RawBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from connector.capabilities.datasets import DEFAULT_PROFILE, Datasets, Draft, Registered
from connector.errors import InvalidInput
from connector.storage.objects import Objects
from connector.web.auth import needs
from connector.web.given import By, Given
from connector.web.views import shown

Desk = Given[Datasets]
MediaType = Annotated[str, HeaderParameter(name="content-type")]


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dataset is meant."""

    id: str


UPLOADS: Final = "/api/drafts"
"""Where files come in, piece by piece and with a limit of their own."""


class DatasetController(Controller):
    """The records of this participant."""

    path = "/api"
    tags = ("datasets",)

    @post("/drafts", status_code=HTTP_200_OK, guards=[needs("provider")])
    async def draft(
        self,
        request: Request[Any, Any, Any],
        datasets: Desk,
        objects: Given[Objects],
        upload_bytes: Given[int],
        filename: FromQuery[str],
    ) -> Draft:
        """Upload a file as the request's body and get the record that it supports."""
        if not re.fullmatch(r"[^/\\\x00-\x1f]{1,200}", filename):
            raise InvalidInput("This is no file name.", where="filename", fix="Give the name without its folders.")
        digest = await _receive(request, objects, upload_bytes)
        return await asyncio.to_thread(datasets.draft, digest, filename)

    @post("/validate", status_code=HTTP_200_OK, guards=[needs()], sync_to_thread=True)
    def validate(
        self, body: RawBody, datasets: Desk, content_type: MediaType, profile: FromQuery[str] = DEFAULT_PROFILE
    ) -> Response[bytes]:
        """Check a record; nothing is kept."""
        report = datasets.validate(body, content_type, profile)
        return Response(report.json(), media_type="application/json")

    @post("/datasets", guards=[needs("provider")], sync_to_thread=True)
    def register(
        self, body: RawBody, datasets: Desk, by: By, content_type: MediaType, profile: FromQuery[str] = DEFAULT_PROFILE
    ) -> Response[Registered]:
        """Publish a record: 201 for a new one, 200 for a new version or the same again."""
        done = datasets.register(body, content_type, by, profile)
        return Response(done, status_code=HTTP_201_CREATED if done.created else HTTP_200_OK)

    @get("/datasets", guards=[needs()], sync_to_thread=True)
    def all(self, datasets: Desk) -> list[dict[str, Any]]:
        """List the published records."""
        return [shown(row) for row in datasets.all()]

    @post("/datasets/withdraw", status_code=HTTP_200_OK, guards=[needs("provider")], sync_to_thread=True)
    def withdraw(self, data: JSONBody[Key], datasets: Desk, by: By) -> dict[str, Any]:
        """Take a dataset out of the catalog."""
        return shown(datasets.withdraw(data.id, by))


async def _receive(request: Request[Any, Any, Any], objects: Objects, limit: int) -> str:
    """Keep the body as a file, piece by piece, and return its SHA-256."""
    with objects.receive(limit=limit) as incoming:
        async for piece in _pieces(request):
            await asyncio.to_thread(incoming.write, piece)
    return incoming.digest


async def _pieces(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece
