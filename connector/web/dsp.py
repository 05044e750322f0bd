"""The Dataspace Protocol 2025-1 over HTTPS, both roles on one set of routes.

The process we hold knows which role is ours, so `/negotiations/{pid}` serves provider and consumer alike.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from litestar import Controller, Request, Response, Router, get, post
from litestar.params import FromPath, RawBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from connector.capabilities.identity import Principal
from connector.capabilities.negotiations import Negotiations
from connector.capabilities.processes import pids
from connector.capabilities.transfers import Transfers
from connector.errors import Refusal
from connector.standards.dsp import messages
from connector.standards.dsp.versions import version_document
from connector.storage.tables import Negotiation, Transfer
from connector.web import catalog
from connector.web.auth import peer_only
from connector.web.given import Given
from connector.web.problems import JSON, refused_to_peer

PATH: Final = "/dsp/2025-1"

Pid = FromPath[str]
Peer = Given[Principal]


class NegotiationController(Controller):
    """Contract negotiations (clause 8.3)."""

    path = "/negotiations"

    @post("/request", status_code=HTTP_201_CREATED, sync_to_thread=True)
    def open(self, body: RawBody, peer: Peer, negotiations: Given[Negotiations]) -> Response[bytes]:
        """A consumer opens a negotiation."""

        def act() -> Response[bytes]:
            message = messages.decode(body, messages.ContractRequestMessage)
            return acknowledged(negotiations.open(message, peer), HTTP_201_CREATED)

        return answered("negotiation", body, act)

    @post("/offers", status_code=HTTP_201_CREATED, sync_to_thread=True)
    def offered(self, body: RawBody, peer: Peer, negotiations: Given[Negotiations]) -> Response[bytes]:
        """A provider opens a negotiation with an offer."""

        def act() -> Response[bytes]:
            message = messages.decode(body, messages.ContractOfferMessage)
            return acknowledged(negotiations.offered(message, peer), HTTP_201_CREATED)

        return answered("negotiation", body, act)

    @get("/{pid:str}", sync_to_thread=True)
    def state(self, pid: Pid, peer: Peer, negotiations: Given[Negotiations]) -> Response[bytes]:
        """Tell the counterparty the state."""
        return answered("negotiation", b"", lambda: acknowledged(negotiations.state_for(pid, peer)), pid)

    @post("/{pid:str}/request", status_code=HTTP_200_OK, sync_to_thread=True)
    def request(self, pid: Pid, body: RawBody, peer: Peer, negotiations: Given[Negotiations]) -> Response[bytes]:
        """A consumer puts other terms on the table."""
        return _negotiated(negotiations, pid, body, peer, messages.ContractRequestMessage)

    @post("/{pid:str}/offers", status_code=HTTP_200_OK, sync_to_thread=True)
    def offer(self, pid: Pid, body: RawBody, peer: Peer, negotiations: Given[Negotiations]) -> Response[bytes]:
        """A provider puts other terms on the table."""
        return _negotiated(negotiations, pid, body, peer, messages.ContractOfferMessage)

    @post("/{pid:str}/agreement", status_code=HTTP_200_OK, sync_to_thread=True)
    def agreement(self, pid: Pid, body: RawBody, peer: Peer, negotiations: Given[Negotiations]) -> Response[bytes]:
        """A provider agrees."""
        return _negotiated(negotiations, pid, body, peer, messages.ContractAgreementMessage)

    @post("/{pid:str}/agreement/verification", status_code=HTTP_200_OK, sync_to_thread=True)
    def verification(self, pid: Pid, body: RawBody, peer: Peer, negotiations: Given[Negotiations]) -> Response[bytes]:
        """A consumer verified the agreement."""
        return _negotiated(negotiations, pid, body, peer, messages.ContractAgreementVerificationMessage)

    @post("/{pid:str}/events", status_code=HTTP_200_OK, sync_to_thread=True)
    def event(self, pid: Pid, body: RawBody, peer: Peer, negotiations: Given[Negotiations]) -> Response[bytes]:
        """A consumer accepts, or a provider finalizes."""
        return _negotiated(negotiations, pid, body, peer, messages.ContractNegotiationEventMessage)

    @post("/{pid:str}/termination", status_code=HTTP_200_OK, sync_to_thread=True)
    def termination(self, pid: Pid, body: RawBody, peer: Peer, negotiations: Given[Negotiations]) -> Response[bytes]:
        """Either side ends it."""
        return _negotiated(negotiations, pid, body, peer, messages.ContractNegotiationTerminationMessage)


class TransferController(Controller):
    """Transfer processes (clause 10.3)."""

    path = "/transfers"

    @post("/request", status_code=HTTP_201_CREATED, sync_to_thread=True)
    def open(self, body: RawBody, peer: Peer, transfers: Given[Transfers]) -> Response[bytes]:
        """A consumer asks for the data of an agreement."""

        def act() -> Response[bytes]:
            message = messages.decode(body, messages.TransferRequestMessage)
            return acknowledged(transfers.open(message, peer), HTTP_201_CREATED)

        return answered("transfer", body, act)

    @get("/{pid:str}", sync_to_thread=True)
    def state(self, pid: Pid, peer: Peer, transfers: Given[Transfers]) -> Response[bytes]:
        """Tell the counterparty the state."""
        return answered("transfer", b"", lambda: acknowledged(transfers.state_for(pid, peer)), pid)

    @post("/{pid:str}/start", status_code=HTTP_200_OK, sync_to_thread=True)
    def start(self, pid: Pid, body: RawBody, peer: Peer, transfers: Given[Transfers]) -> Response[bytes]:
        """The data flows from now on."""
        return _transferred(transfers, pid, body, peer, messages.TransferStartMessage)

    @post("/{pid:str}/suspension", status_code=HTTP_200_OK, sync_to_thread=True)
    def suspension(self, pid: Pid, body: RawBody, peer: Peer, transfers: Given[Transfers]) -> Response[bytes]:
        """Either side pauses."""
        return _transferred(transfers, pid, body, peer, messages.TransferSuspensionMessage)

    @post("/{pid:str}/completion", status_code=HTTP_200_OK, sync_to_thread=True)
    def completion(self, pid: Pid, body: RawBody, peer: Peer, transfers: Given[Transfers]) -> Response[bytes]:
        """Either side says that all is done."""
        return _transferred(transfers, pid, body, peer, messages.TransferCompletionMessage)

    @post("/{pid:str}/termination", status_code=HTTP_200_OK, sync_to_thread=True)
    def termination(self, pid: Pid, body: RawBody, peer: Peer, transfers: Given[Transfers]) -> Response[bytes]:
        """Either side ends it."""
        return _transferred(transfers, pid, body, peer, messages.TransferTerminationMessage)


@get(["/.well-known/dspace-version", f"{PATH}/.well-known/dspace-version"], sync_to_thread=False)
def version() -> Response[bytes]:
    """List the protocol versions we speak and where; open to everyone (clause 4.3)."""
    return Response(msgspec.json.encode(version_document(PATH)), media_type=JSON)


def answered(
    family: messages.Family, body: bytes, act: Callable[[], Response[bytes]], pid: str = ""
) -> Response[bytes]:
    """Return what `act` returns, or its refusal as the error object of the protocol."""
    try:
        return act()
    except Refusal as refusal:
        return refused_to_peer(family, refusal, body, pid)


def acknowledged(ours: Negotiation | Transfer, status: int = HTTP_200_OK) -> Response[bytes]:
    """Return the acknowledgement of a message about our process."""
    consumer, provider = pids(ours)
    kind = messages.ContractNegotiation if isinstance(ours, Negotiation) else messages.TransferProcess
    message = kind(consumer_pid=consumer, provider_pid=provider, state=ours.state)
    return Response(messages.encode(message), status_code=status, media_type=JSON)


def _negotiated(
    negotiations: Negotiations, pid: str, body: bytes, peer: Principal, kind: type[messages.Message]
) -> Response[bytes]:
    def act() -> Response[bytes]:
        message: Any = messages.decode(body, kind)
        return acknowledged(negotiations.receive(pid, message, peer))

    return answered("negotiation", body, act, pid)


def _transferred(
    transfers: Transfers, pid: str, body: bytes, peer: Principal, kind: type[messages.Message]
) -> Response[bytes]:
    def act() -> Response[bytes]:
        message: Any = messages.decode(body, kind)
        return acknowledged(transfers.receive(pid, message, peer))

    return answered("transfer", body, act, pid)


def _refused_at_the_door(request: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    """Answer who was not let in: the guard speaks before any handler, so nothing of the message is known."""
    segment = request.url.path.removeprefix(f"{PATH}/").split("/")[0]
    families: dict[str, messages.Family] = {"negotiations": "negotiation", "transfers": "transfer"}
    return refused_to_peer(families.get(segment, "catalog"), refusal, b"")


_processes = Router(
    path="/",
    route_handlers=[NegotiationController, TransferController],
    guards=[peer_only],
)
router = Router(
    path=PATH,
    route_handlers=[catalog.serve, catalog.dataset, _processes],
    exception_handlers={Refusal: _refused_at_the_door},
)
