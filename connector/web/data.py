"""The bytes: `/data/{transfer}`, opened by the grant of a data address and by nothing else."""

import re
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Controller, Request, Response, get, head, post
from litestar.params import FromPath
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK, HTTP_206_PARTIAL_CONTENT, HTTP_416_REQUESTED_RANGE_NOT_SATISFIABLE

from connector.capabilities.delivery import Delivery
from connector.capabilities.identity import Principal
from connector.capabilities.transfers import Transfers
from connector.errors import Unauthenticated
from connector.standards.dsp import messages
from connector.storage.tables import Asset
from connector.web.auth import peer_only
from connector.web.given import Given

PATH: Final = "/data"
RANGE: Final = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?", re.ASCII)

Pid = FromPath[str]
Asked = Request[Any, Any, Any]
Desk = Given[Delivery]


class Span(NamedTuple):
    """Bytes from `start` up to and without `end` of a file of `size` bytes."""

    start: int
    end: int
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole file."""
        return self.end - self.start == self.size


class DataController(Controller):
    """The files of running transfers."""

    path = PATH
    tags = ("data",)

    @get("/{pid:str}", sync_to_thread=True)
    def fetch(self, request: Asked, pid: Pid, delivery: Desk) -> Response[Any]:
        """Give the file of a transfer, whole or one range of it; several files are listed."""
        token = _token(request)
        found = delivery.assets(pid, token)
        if len(found) == 1:
            return _file(request, delivery, pid, token, found[0].filename)
        listed = [{"name": each.filename, "size": each.size, "href": f"{pid}/files/{each.filename}"} for each in found]
        return Response(msgspec.json.encode({"files": listed}), media_type="application/json")

    @get("/{pid:str}/files/{name:str}", sync_to_thread=True)
    def fetch_one(self, request: Asked, pid: Pid, name: FromPath[str], delivery: Desk) -> Response[Any]:
        """Give one of several files."""
        return _file(request, delivery, pid, _token(request), name)

    @head("/{pid:str}", sync_to_thread=True)
    def describe(self, request: Asked, pid: Pid, delivery: Desk) -> Response[None]:
        """Tell size and type of the file of a transfer."""
        asset, _ = delivery.open(pid, _token(request))
        return Response(
            None, headers=_headers(asset) | {"Content-Length": str(asset.size)}, media_type=asset.media_type
        )

    @post("/{pid:str}/renewal", status_code=HTTP_200_OK, guards=[peer_only], sync_to_thread=True)
    def renew(self, pid: Pid, transfers: Given[Transfers], peer: Given[Principal]) -> Response[bytes]:
        """Give the consumer's connector a fresh grant while the transfer runs."""
        address = messages.dump(transfers.renew(pid, peer))
        return Response(msgspec.json.encode(address), media_type="application/json")


def span(header: str | None, size: int) -> Span | None:
    """Return the range that a `Range` header asks for, or None when it lies outside (RFC 9110 §14).

    Several ranges, other units and nonsense are ignored, as the RFC allows: the whole file is the answer.
    """
    asked = RANGE.fullmatch(header.strip()) if header else None
    if asked is None or asked.groups() == (None, None):
        return Span(0, size, size)
    first, last = asked.groups()
    if first is None:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last is not None else size
        if last is not None and int(last) < int(first):
            return Span(0, size, size)
    return Span(start, end, size) if start < end else None


def _file(request: Asked, delivery: Delivery, pid: str, token: str, name: str) -> Response[Any]:
    asset, path = delivery.open(pid, token, name)
    headers = _headers(asset)
    wanted = request.headers.get("range")
    if request.headers.get("if-range") not in {None, headers["ETag"]}:
        wanted = None
    part = span(wanted, asset.size)
    if part is None:
        headers["Content-Range"] = f"bytes */{asset.size}"
        return Response(b"", status_code=HTTP_416_REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    headers["Content-Length"] = str(part.end - part.start)
    if not part.is_whole:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{asset.size}"
    return Stream(
        delivery.stream(pid, token, path, part.start, part.end),
        status_code=HTTP_200_OK if part.is_whole else HTTP_206_PARTIAL_CONTENT,
        media_type=asset.media_type,
        headers=headers,
    )


def _headers(asset: Asset) -> dict[str, str]:
    return {
        "ETag": f'"{asset.object}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="{asset.filename}"',
        "X-Content-Type-Options": "nosniff",
    }


def _token(request: Asked) -> str:
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    if header and not token:
        return header  # some consumers send the `authorization` of the data address as it is, without a scheme
    raise Unauthenticated("There is no grant in the request.", fix="Send the data address's token as a bearer token.")
