"""The catalog of the Dataspace Protocol over HTTPS (clause 6.2): pages and datasets with tags, links and codings.

A page is sent as it lies there: packed once, not for each request. A request whose `If-None-Match` has its tag is
answered 304, the POST of a catalog request too: it is a question and changes nothing, and a crawler that asks every
hour has no other way to say what it knows.
"""

from collections.abc import Callable
from typing import Any, Final

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery, RawBody
from litestar.status_codes import HTTP_200_OK, HTTP_304_NOT_MODIFIED

from connector.capabilities.catalog import Catalog
from connector.capabilities.identity import Principal
from connector.capabilities.pages import CODINGS, Page
from connector.errors import Refusal
from connector.standards.dsp import messages
from connector.standards.dsp.paging import link
from connector.web.accept import coding, knows
from connector.web.given import Given
from connector.web.paths import tail
from connector.web.problems import JSON, refused_to_peer

Asked = Request[Any, Any, Any]
Peer = Given[Principal]

CACHING: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept-Encoding"}
"""An answer is its asker's alone, and worth nothing without asking again."""

SMALL: Final = 512
"""Bodies up to this size are sent as they are."""


class CatalogController(Controller):
    """What we offer."""

    path = "/catalog"

    @post("/request", status_code=HTTP_200_OK, sync_to_thread=True)
    def request(
        self, request: Asked, body: RawBody, peer: Peer, catalog: Given[Catalog], continuation: FromQuery[str] = ""
    ) -> Response[bytes]:
        """Answer a CatalogRequestMessage with one page of the catalog; those around it are in the Link header."""

        def act() -> Page:
            asked = messages.decode(body, messages.CatalogRequestMessage)
            return catalog.page(asked.filter, peer, continuation)

        return _answered(request, catalog, act, body)

    @get("/request", sync_to_thread=True)
    def follow(
        self, request: Asked, peer: Peer, catalog: Given[Catalog], continuation: FromQuery[str] = ""
    ) -> Response[bytes]:
        """Answer a GET of a link, which the specification leaves open, like the POST of it."""
        return _answered(request, catalog, lambda: catalog.page((), peer, continuation))

    @get("/datasets/{key:path}", sync_to_thread=True)
    def dataset(self, request: Asked, key: FromPath[str], peer: Peer, catalog: Given[Catalog]) -> Response[bytes]:  # noqa: ARG002 - the router needs it
        """Answer with one dataset and its offers."""
        wanted = tail(request.scope, "/catalog/datasets/")
        return _answered(request, catalog, lambda: catalog.entry(wanted, peer))


def _answered(request: Asked, catalog: Catalog, act: Callable[[], Page], body: bytes = b"") -> Response[bytes]:
    """Return the page that `act` gives, or its refusal as a CatalogError."""
    try:
        page = act()
    except Refusal as refusal:
        return refused_to_peer("catalog", refusal, body)
    headers = {"ETag": page.etag, **CACHING}
    if links := link(next=page.next, previous=page.previous):
        headers["Link"] = links
    if knows(request.headers.get("if-none-match"), page.etag):
        return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    packing = coding(request.headers.get("accept-encoding"), CODINGS)
    if packing is None or len(page.body) <= SMALL:
        return Response(page.body, media_type=JSON, headers=headers)
    headers["Content-Encoding"] = packing
    return Response(catalog.pages.packed(page, packing), media_type=JSON, headers=headers)
