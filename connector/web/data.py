"""The bytes: `/data/{transfer}`, opened by the grant of a data address and by nothing else.

These handlers give files from the connector's own process. Where the data worker runs (see `web/worker`), most bytes
leave through it, and these stay as the way for whoever comes to the connector's own address.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Controller, Request, Response, get, head, post
from litestar.background_tasks import BackgroundTask
from litestar.params import FromPath
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK

from connector.capabilities.delivery import Delivery, Opened
from connector.capabilities.identity import Principal
from connector.capabilities.transfers import Transfers
from connector.errors import Unauthenticated
from connector.standards import ranges
from connector.standards.dsp import messages
from connector.storage.tables import Asset
from connector.web import dsp
from connector.web.auth import peer_only
from connector.web.given import Given

PATH: Final = "/data"

Pid = FromPath[str]
Asked = Request[Any, Any, Any]
Desk = Given[Delivery]


class DataController(Controller):
    """The files of running transfers."""

    path = PATH
    tags = ("data",)

    @get("/{pid:str}", sync_to_thread=True)
    def fetch(self, request: Asked, pid: Pid, delivery: Desk, accel: Given[str]) -> Response[Any]:
        """Give the file of a transfer, whole or one range of it; several files are listed."""
        token = bearer(request.headers)
        found = delivery.assets(pid, token)
        if len(found) == 1:
            return _file(request, delivery, delivery.open(pid, token, found[0].filename), accel)
        return Response(listing(pid, found), media_type="application/json")

    @get("/{pid:str}/files/{name:str}", sync_to_thread=True)
    def fetch_one(
        self, request: Asked, pid: Pid, name: FromPath[str], delivery: Desk, accel: Given[str]
    ) -> Response[Any]:
        """Give one of several files."""
        return _file(request, delivery, delivery.open(pid, bearer(request.headers), name), accel)

    @head("/{pid:str}", sync_to_thread=True)
    def describe(self, request: Asked, pid: Pid, delivery: Desk) -> Response[None]:
        """Tell size, type and digest of the file of a transfer, or the length of the list of several."""
        token = bearer(request.headers)
        found = delivery.assets(pid, token)
        if len(found) == 1:
            return _described(request, delivery.open(pid, token, found[0].filename))
        length = {"Content-Length": str(len(listing(pid, found)))}
        return Response(None, headers=length, media_type="application/json")

    @head("/{pid:str}/files/{name:str}", sync_to_thread=True)
    def describe_one(self, request: Asked, pid: Pid, name: FromPath[str], delivery: Desk) -> Response[None]:
        """Tell size, type and digest of one of several files."""
        return _described(request, delivery.open(pid, bearer(request.headers), name))


class RenewalController(Controller):
    """Fresh grants for a consumer's connector: beside the protocol's routes, for those who know of it."""

    path = f"{dsp.PATH}/transfers"
    tags = ("data",)

    @post("/{pid:str}/renewal", status_code=HTTP_200_OK, guards=[peer_only], sync_to_thread=True)
    def renew(self, pid: Pid, transfers: Given[Transfers], peer: Given[Principal]) -> Response[bytes]:
        """Give the consumer's connector a fresh grant while the transfer runs; the earlier ones stay good."""
        address = messages.dump(transfers.renew(pid, peer))
        return Response(msgspec.json.encode(address), media_type="application/json")


def listing(pid: str, assets: list[Asset]) -> bytes:
    """Return the files of a transfer that has not exactly one, as JSON."""
    listed = [{"name": each.filename, "size": each.size, "href": f"{pid}/files/{each.filename}"} for each in assets]
    return msgspec.json.encode({"files": listed})


def bearer(headers: Mapping[str, str]) -> str:
    """Return the grant in a request's headers, or raise Unauthenticated."""
    header = headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    if header and not token:
        return header  # some consumers send the `authorization` of the data address as it is, without a scheme
    raise Unauthenticated("There is no grant in the request.", fix="Send the data address's token as a bearer token.")


def _asked(request: Asked) -> dict[str, str]:
    return {name: ", ".join(found) for name in ranges.CONDITIONS if (found := request.headers.getall(name, []))}


def _file(request: Asked, delivery: Delivery, opened: Opened, accel: str) -> Response[Any]:
    answer = ranges.reply(opened.file, "GET", {} if accel else _asked(request))
    if accel:
        # nginx makes length, range and tag itself, from the file that it is led to.
        opened.source.close()
        place = f"{accel.rstrip('/')}/{delivery.objects.place(opened.file.digest)}"
        kept = {
            name: answer.headers[name]
            for name in ("Content-Type", "Content-Disposition", "Cache-Control", "Repr-Digest")
        }
        return Response(b"", headers=kept | {"X-Accel-Redirect": place})
    if answer.start == answer.end:
        opened.source.close()
        return Response(b"", status_code=answer.status, headers=answer.headers)
    return Stream(
        delivery.stream(opened, answer.start, answer.end),
        status_code=answer.status,
        headers=answer.headers,
        background=BackgroundTask(opened.source.close),
    )


def _described(request: Asked, opened: Opened) -> Response[None]:
    opened.source.close()
    answer = ranges.reply(opened.file, "HEAD", _asked(request))
    return Response(None, status_code=answer.status, headers=answer.headers)
