"""Messages about negotiations and transfers over HTTPS (clauses 8.3 and 10.3): who says what where, in one table.

Each message takes one change of threads: proof of identity, message, move and answer
are one act on the lane, kept by one commit. A document that takes longer to read (large, or JSON-LD in another form)
goes a slower way in a thread of its own, so that it holds up nobody.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, RawBody
from litestar.response.base import ASGIResponse
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED
from litestar.types import Scope

from connector.capabilities.identity import Identity
from connector.capabilities.negotiations import Negotiations
from connector.capabilities.processes import pids
from connector.capabilities.transfers import Transfers
from connector.errors import Refusal, Unauthenticated
from connector.standards.dsp import messages
from connector.storage.lane import Lane
from connector.storage.tables import Negotiation, Transfer
from connector.web.problems import JSON, refused_to_peer

Process = Negotiation | Transfer

PROVED_INSIDE: Final = "peers"
"""Mark of a handler without a guard that lets nobody in but peers."""


class Kind(NamedTuple):
    """One kind of message: where it is sent, what it is, and what it says in a sentence.

    In `path` a `{pid:str}` stands for our id of the process; without one the message begins a process.
    """

    path: str
    message: type[messages.Message]
    meaning: str

    @property
    def family(self) -> messages.Family:
        """Whose error object answers a refusal."""
        return "negotiation" if self.path.startswith("/negotiations") else "transfer"

    @property
    def opens(self) -> bool:
        """Whether it begins a process."""
        return "{pid" not in self.path


_VERIFICATION: Final = messages.ContractAgreementVerificationMessage
_EVENT: Final = messages.ContractNegotiationEventMessage
_ENDED: Final = messages.ContractNegotiationTerminationMessage
KINDS: Final = (
    Kind("/negotiations/request", messages.ContractRequestMessage, "A consumer opens a negotiation."),
    Kind("/negotiations/offers", messages.ContractOfferMessage, "A provider opens a negotiation with an offer."),
    Kind("/negotiations/{pid:str}/request", messages.ContractRequestMessage, "A consumer names other terms."),
    Kind("/negotiations/{pid:str}/offers", messages.ContractOfferMessage, "A provider names other terms."),
    Kind("/negotiations/{pid:str}/agreement", messages.ContractAgreementMessage, "A provider agrees."),
    Kind("/negotiations/{pid:str}/agreement/verification", _VERIFICATION, "A consumer verified the agreement."),
    Kind("/negotiations/{pid:str}/events", _EVENT, "A consumer accepts, or a provider finalizes."),
    Kind("/negotiations/{pid:str}/termination", _ENDED, "Either side ends it."),
    Kind("/transfers/request", messages.TransferRequestMessage, "A consumer asks for the data of an agreement."),
    Kind("/transfers/{pid:str}/start", messages.TransferStartMessage, "The data flows from now on."),
    Kind("/transfers/{pid:str}/suspension", messages.TransferSuspensionMessage, "Either side pauses."),
    Kind("/transfers/{pid:str}/completion", messages.TransferCompletionMessage, "Either side says that all is done."),
    Kind("/transfers/{pid:str}/termination", messages.TransferTerminationMessage, "Either side ends it."),
)
"""Every message about a process; each is sent by a peer, which proves who it is on the lane."""


def handlers() -> list[HTTPRouteHandler]:
    """Return the handlers of all messages."""
    return [_opening(kind) if kind.opens else _further(kind) for kind in KINDS]


def acknowledgement(ours: Process) -> bytes:
    """Return the acknowledgement of a message about our process."""
    consumer, provider = pids(ours)
    kind = messages.ContractNegotiation if isinstance(ours, Negotiation) else messages.TransferProcess
    return messages.encode(kind(consumer_pid=consumer, provider_pid=provider, state=ours.state))


def _opening(kind: Kind) -> HTTPRouteHandler:
    async def hear(scope: Scope, body: RawBody) -> ASGIResponse:
        return await _hear(kind, scope, body, "")

    return _posted(kind, hear, HTTP_201_CREATED)


def _further(kind: Kind) -> HTTPRouteHandler:
    async def hear(scope: Scope, pid: FromPath[str], body: RawBody) -> ASGIResponse:
        return await _hear(kind, scope, body, pid)

    return _posted(kind, hear, HTTP_200_OK)


def _posted(kind: Kind, hear: Callable[..., Any], status: int) -> HTTPRouteHandler:
    hear.__name__ = f"{kind.family}_{kind.path.rpartition('/')[2]}"
    hear.__doc__ = kind.meaning
    found: HTTPRouteHandler = post(kind.path, status_code=status, opt={PROVED_INSIDE: True})(hear)
    return found


async def _hear(kind: Kind, scope: Any, body: bytes, pid: str) -> ASGIResponse:
    """Take a message and return the acknowledgement, or the refusal as the error object of the protocol."""
    try:
        document = messages.quickly(body)
        act = _act(kind, scope, pid, body, document)
        lane: Lane = scope["litestar_app"].state["lane"]
        ours = await (asyncio.to_thread(act) if document is None else lane.do(act))
    except Refusal as refusal:
        # Of who was not let in nothing is known, not even what the message says.
        about = (b"", "") if isinstance(refusal, Unauthenticated) else (body, pid)
        refused = refused_to_peer(kind.family, refusal, *about)
        return ASGIResponse(
            body=refused.content, status_code=refused.status_code, headers=refused.headers, media_type=JSON
        )
    status = HTTP_201_CREATED if kind.opens else HTTP_200_OK
    return ASGIResponse(body=acknowledgement(ours), status_code=status, media_type=JSON)


def _act(kind: Kind, scope: Any, pid: str, body: bytes, document: dict[str, Any] | None) -> Callable[[], Process]:
    """Return what has to be done about a message, whose document is given if it has been read."""
    state = scope["litestar_app"].state
    identity: Identity = state["identity"]
    holder: Negotiations | Transfers = state[f"{kind.family}s"]
    proof = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"), None)

    def act() -> Process:
        sender = identity.authenticate_peer(proof)
        message: Any = messages.load(document, kind.message) if document else messages.decode(body, kind.message)
        if not kind.opens:
            return holder.receive(pid, message, sender)
        if kind.message is messages.ContractOfferMessage:
            return cast("Negotiations", holder).offered(message, sender)
        return holder.open(message, sender)

    return act
