"""Own API: import a file of many records, and see what becomes of each."""

import asyncio
from typing import Any, Final

from litestar import Controller, Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.status_codes import HTTP_202_ACCEPTED

from connector.capabilities.datasets import DEFAULT_PROFILE
from connector.capabilities.imports import PAGE, Imports
from connector.storage.dumps import media_type_of
from connector.storage.objects import Objects
from connector.web.auth import needs
from connector.web.given import By, Given
from connector.web.uploads import filename_of, receive
from connector.web.views import shown

PATH: Final = "/api/imports"


class ImportController(Controller):
    """Files of many records."""

    path = PATH
    tags = ("datasets",)

    @post("/", status_code=HTTP_202_ACCEPTED, guards=[needs("provider")])
    async def start(
        self,
        request: Request[Any, Any, Any],
        imports: Given[Imports],
        objects: Given[Objects],
        upload_bytes: Given[int],
        by: By,
        filename: FromQuery[str],
        profile: FromQuery[str] = DEFAULT_PROFILE,
        again: FromQuery[bool] = False,
    ) -> dict[str, Any]:
        """Upload a file as the request's body; its records are registered in the background.

        Its name tells the form: N-Quads, N-Triples, Turtle, TriG, RDF/XML, JSON-LD, or JSON lines (`.jsonl`). The same
        file again is the same import, which goes on where it was; one that is done is repeated with `again`.
        """
        name = filename_of(filename)
        media_type = media_type_of(name)
        digest = await receive(request, objects, upload_bytes)
        run = await asyncio.to_thread(imports.start, digest, name, media_type, by, profile, again=again)
        return shown(run)

    @get("/", guards=[needs()], sync_to_thread=True)
    def all(self, imports: Given[Imports]) -> list[dict[str, Any]]:
        """List the imports, the newest first."""
        return [shown(row) for row in imports.all()]

    @get("/{pid:str}", guards=[needs()], sync_to_thread=True)
    def one(self, pid: FromPath[str], imports: Given[Imports]) -> dict[str, Any]:
        """Tell how far an import is: `done` of `total` records, and how many of each outcome."""
        return shown(imports.get(pid))

    @get("/{pid:str}/results", guards=[needs()], sync_to_thread=True)
    def results(
        self, pid: FromPath[str], imports: Given[Imports], after: FromQuery[int] = 0, limit: FromQuery[int] = PAGE
    ) -> list[dict[str, Any]]:
        """Give the results behind number `after`: created, updated, same or invalid, and what was wrong."""
        return [shown(row) for row in imports.results(pid, after, max(1, limit))]
