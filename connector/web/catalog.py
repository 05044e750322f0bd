"""The catalog of the Dataspace Protocol over HTTPS (clause 6.2): pages and datasets with tags, links and codings.

A page is sent as it lies there: packed once, not for each request. A request whose `If-None-Match` has its tag is
answered 304, the POST of a catalog request too: it is a question and changes nothing, and a crawler that asks every
hour has no other way to say what it knows.

Pages are served by a plain ASGI handler with one change of threads: whole catalogs are asked for again and again, and
the framework's ways to a handler cost several times what finding a page does.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from litestar import Request, Response, asgi, get
from litestar.enums import ScopeType
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_304_NOT_MODIFIED, HTTP_405_METHOD_NOT_ALLOWED
from litestar.types import HTTPScope, Receive, Scope, Send

from connector.capabilities.catalog import Catalog
from connector.capabilities.identity import Identity, Principal
from connector.capabilities.pages import CODINGS, Page
from connector.errors import Refusal
from connector.standards.dsp import messages
from connector.standards.dsp.paging import link
from connector.web.accept import coding, knows
from connector.web.auth import peer_only
from connector.web.given import Given
from connector.web.paths import tail
from connector.web.problems import JSON, refused_to_peer
from connector.web.processes import PROVED_INSIDE

CACHING: Final = ((b"cache-control", b"private, no-cache"), (b"vary", b"Authorization, Accept-Encoding"))
"""An answer is its asker's alone, and worth nothing without asking again."""

SMALL: Final = 512
"""Bodies up to this size are sent as they are."""

REPEATED: Final = 4096
"""Longest message, in bytes, that is kept once it was read."""

METHODS: Final = ("GET", "POST")
SERVED: Final = "methods"
"""What a plain handler says of itself where the framework does not ask: the methods that it answers."""
FRAMING: Final = {b"content-type", b"content-length"}


class Answer(NamedTuple):
    """What is sent."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Asked(NamedTuple):
    """What came."""

    scope: HTTPScope
    headers: Mapping[bytes, bytes]
    body: bytes

    def header(self, name: bytes) -> str | None:
        """Return a header's value."""
        found = self.headers.get(name)
        return None if found is None else found.decode("latin-1")


@asgi("/catalog/request", copy_scope=False, opt={PROVED_INSIDE: True, SERVED: METHODS})
async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a CatalogRequestMessage, or the GET of a link, with one page of the catalog.

    The specification leaves open how a link is followed; the links to the pages around this one are in the header.
    """
    assert scope["type"] == ScopeType.HTTP  # noqa: S101 - nothing here listens to sockets
    state = scope["litestar_app"].state
    try:
        asked = Asked(scope, dict(scope["headers"]), await _body(receive))
        answer = await asyncio.to_thread(_answer, asked, state["identity"], state["catalog"])
    except Refusal as refusal:
        answer = _plain(refused_to_peer("catalog", refusal, b""))
    start: Any = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
    await send(start)
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


@get("/catalog/datasets/{key:path}", sync_to_thread=True, guards=[peer_only])
def dataset(request: Request[Any, Any, Any], key: FromPath[str], peer: Given[Principal]) -> Response[bytes]:  # noqa: ARG001 - the router needs it
    """Answer with one dataset and its offers."""
    catalog: Catalog = request.app.state["catalog"]
    try:
        page = catalog.entry(tail(request.scope, "/catalog/datasets/"), peer)
    except Refusal as refusal:
        return refused_to_peer("catalog", refusal, b"")
    answer = _sent(Asked(request.scope, dict(request.scope["headers"]), b""), catalog, page)
    headers = {name.decode(): value.decode("latin-1") for name, value in answer.headers if name not in FRAMING}
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=JSON)


async def _body(receive: Receive) -> bytes:
    pieces = []
    while True:
        message: Any = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def _answer(asked: Asked, identity: Identity, catalog: Catalog) -> Answer:
    """Return the answer to a request; who does not prove who they are learns nothing else.

    Raises:
        Refusal: for the error object of the protocol.
    """
    peer = identity.authenticate_peer(asked.header(b"authorization"))
    if asked.scope["method"] not in METHODS:
        allowed = (b"allow", ", ".join(METHODS).encode())
        return Answer(HTTP_405_METHOD_NOT_ALLOWED, (allowed, (b"content-length", b"0")), b"")
    return _sent(asked, catalog, _page(asked, catalog, peer))


def _page(asked: Asked, catalog: Catalog, peer: Principal) -> Page:
    """Return the page that a message means, or a link: followed by a GET it holds the whole question."""
    wanted: tuple[Any, ...] = ()
    if asked.scope["method"] == "POST":
        read = _filter if len(asked.body) <= REPEATED else _filter.__wrapped__
        wanted = read(asked.body)
    given = parse_qs(asked.scope["query_string"].decode("latin-1")).get("continuation", [""])
    return catalog.page(wanted, peer, given[0])


@lru_cache(maxsize=256)
def _filter(message: bytes) -> tuple[Any, ...]:
    """Return the filter of a CatalogRequestMessage; crawlers send the same one over and over.

    Raises:
        InvalidInput: it is no such message.
    """
    return messages.decode(message, messages.CatalogRequestMessage).filter


def _sent(asked: Asked, catalog: Catalog, page: Page) -> Answer:
    """Return a page in the coding that the asker likes best, or that it is the one they have."""
    headers = [(b"etag", page.etag.encode()), *CACHING]
    if links := link(next=page.next, previous=page.previous):
        headers.append((b"link", links.encode("latin-1")))
    if knows(asked.header(b"if-none-match"), page.etag):
        return Answer(HTTP_304_NOT_MODIFIED, tuple(headers), b"")
    body, packing = page.body, coding(asked.header(b"accept-encoding"), CODINGS)
    if packing is not None and len(body) > SMALL:
        body = catalog.pages.packed(page, packing)
        headers.append((b"content-encoding", packing.encode()))
    headers += [(b"content-type", JSON.encode()), (b"content-length", str(len(body)).encode())]
    return Answer(HTTP_200_OK, tuple(headers), body)


def _plain(response: Response[bytes]) -> Answer:
    """Return a response of the framework as it is sent."""
    more = tuple((name.lower().encode(), value.encode("latin-1")) for name, value in response.headers.items())
    length = (b"content-length", str(len(response.content)).encode())
    return Answer(
        response.status_code or HTTP_200_OK, (*more, (b"content-type", JSON.encode()), length), response.content
    )
