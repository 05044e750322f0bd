"""The Dataspace Protocol 2025-1 over HTTPS, both roles on one set of routes.

The process we hold knows which role is ours, so `/negotiations/{pid}` serves provider and consumer alike.
"""

from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, get
from litestar.params import FromPath

from connector.capabilities.identity import Principal
from connector.capabilities.negotiations import Negotiations
from connector.capabilities.transfers import Transfers
from connector.errors import Refusal
from connector.standards.dsp import messages
from connector.standards.dsp.versions import version_document
from connector.web import catalog, processes
from connector.web.auth import peer_only
from connector.web.given import Given
from connector.web.problems import JSON, refused_to_peer

PATH: Final = "/dsp/2025-1"

Pid = FromPath[str]
Peer = Given[Principal]


@get("/negotiations/{pid:str}", guards=[peer_only], sync_to_thread=True)
def negotiation(pid: Pid, peer: Peer, negotiations: Given[Negotiations]) -> Response[bytes]:
    """Tell the counterparty the state of a negotiation."""
    try:
        ours = negotiations.state_for(pid, peer)
    except Refusal as refusal:
        return refused_to_peer("negotiation", refusal, b"", pid)
    return Response(processes.acknowledgement(ours), media_type=JSON)


@get("/transfers/{pid:str}", guards=[peer_only], sync_to_thread=True)
def transfer(pid: Pid, peer: Peer, transfers: Given[Transfers]) -> Response[bytes]:
    """Tell the counterparty the state of a transfer."""
    try:
        ours = transfers.state_for(pid, peer)
    except Refusal as refusal:
        return refused_to_peer("transfer", refusal, b"", pid)
    return Response(processes.acknowledgement(ours), media_type=JSON)


@get(["/.well-known/dspace-version", f"{PATH}/.well-known/dspace-version"], sync_to_thread=False)
def version() -> Response[bytes]:
    """List the protocol versions we speak and where; open to everyone (clause 4.3)."""
    return Response(msgspec.json.encode(version_document(PATH)), media_type=JSON)


def _refused_at_the_door(request: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    """Answer who was not let in: the guard speaks before any handler, so nothing of the message is known."""
    segment = request.url.path.removeprefix(f"{PATH}/").split("/")[0]
    families: dict[str, messages.Family] = {"negotiations": "negotiation", "transfers": "transfer"}
    return refused_to_peer(families.get(segment, "catalog"), refusal, b"")


router = Router(
    path=PATH,
    route_handlers=[catalog.serve, catalog.dataset, negotiation, transfer, *processes.handlers()],
    exception_handlers={Refusal: _refused_at_the_door},
)
