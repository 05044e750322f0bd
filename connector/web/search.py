"""Search and SPARQL over own and crawled records; read only."""

from datetime import datetime
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get, post
from litestar.params import FromQuery, QueryParameter, RawBody
from litestar.status_codes import HTTP_200_OK

from connector.capabilities.search import Search
from connector.errors import InvalidInput
from connector.storage.index import BBox, SearchPage, SearchRequest
from connector.web.auth import Connection, needs
from connector.web.forms import form_value
from connector.web.given import Given

QUERY_TYPE: Final = "application/sparql-query"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
BOX_PARTS: Final = 4

Desk = Given[Search]
QueryText = Annotated[str, QueryParameter(name="query")]


async def readers_only(connection: Connection, handler: Any) -> None:
    """Let in whoever has a key, or everyone where the operator opened reading."""
    if not connection.app.state["reading_open"]:
        await needs()(connection, handler)  # type: ignore[misc]


class SearchController(Controller):
    """`/search` and `/sparql`."""

    path = "/"
    tags = ("search",)
    guards = (readers_only,)

    @get("/search", sync_to_thread=True)
    def find(
        self,
        search: Desk,
        q: FromQuery[str] = "",
        bbox: FromQuery[str | None] = None,
        begin: FromQuery[datetime | None] = None,
        end: FromQuery[datetime | None] = None,
        theme: FromQuery[list[str] | None] = None,
        format: FromQuery[list[str] | None] = None,  # noqa: A002 - the parameter's public name
        participant: FromQuery[list[str] | None] = None,
        publisher: FromQuery[str | None] = None,
        licence: FromQuery[str | None] = None,
        limit: FromQuery[int] = 20,
        after: FromQuery[str | None] = None,
    ) -> SearchPage:
        """Find datasets: words, place (`bbox=west,south,east,north`), time, theme, format, participant."""
        request = SearchRequest(
            q=q,
            bbox=_box(bbox) if bbox else None,
            begin=begin,
            end=end,
            themes=tuple(theme or ()),
            formats=tuple(format or ()),
            origins=tuple(participant or ()),
            publisher=publisher,
            licence=licence,
            limit=limit,
            after=after,
        )
        return search.find(request)

    @get("/sparql", sync_to_thread=True)
    def query(self, request: Request[Any, Any, Any], search: Desk, text: QueryText) -> Response[bytes]:
        """Answer a query in the URL (SPARQL 1.1 Protocol §2.1.1)."""
        return _answer(search, text, request.headers.get("accept"))

    @post("/sparql", status_code=HTTP_200_OK, sync_to_thread=True)
    def query_in_body(self, request: Request[Any, Any, Any], body: RawBody, search: Desk) -> Response[bytes]:
        """Answer a query in the body, bare or as a form (§2.1.2, §2.1.3)."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in {QUERY_TYPE, FORM_TYPE}:
            raise InvalidInput(
                f"A query cannot come as {kind or 'an unnamed media type'}.",
                where="Content-Type",
                fix=f"Send {QUERY_TYPE}, or a form with the field query.",
            )
        return _answer(
            search, _text(body) if kind == QUERY_TYPE else form_value(body, "query"), request.headers.get("accept")
        )


def _answer(search: Search, query: str, accept: str | None) -> Response[bytes]:
    result = search.sparql(query, accept)
    return Response(result.body, media_type=result.media_type, headers={"Vary": "Accept"})


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise InvalidInput("The query is not UTF-8.", where="body", fix="Send it as UTF-8.") from None


def _box(text: str) -> BBox:
    try:
        parts = [float(part) for part in text.split(",")]
    except ValueError:
        parts = []
    if len(parts) != BOX_PARTS:
        raise InvalidInput(f"{text!r} is no box.", where="bbox", fix="Give west,south,east,north in degrees.")
    return BBox(*parts)
