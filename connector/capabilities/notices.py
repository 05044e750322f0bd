"""How a peer is told of our moves (Dataspace Protocol 2025-1, clauses 8.3 and 10.3)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from connector.capabilities.agreements import SIGNATURE
from connector.capabilities.processes import pids
from connector.errors import IllegalMove
from connector.standards.dsp import messages, transfer
from connector.standards.dsp.negotiation import Move, NegotiationMessage, Role, State
from connector.standards.rdf import GD
from connector.storage.events import Event
from connector.storage.tables import Agreement, Negotiation, Transfer

PURPOSE: Final = f"{GD}purpose"
"""Key under which a consumer states its purpose in a request; a provider that does not know it ignores it."""


class NegotiationMoved(Event, frozen=True, kw_only=True):
    """A negotiation reached a new state, by our move or the peer's."""

    state: State


class NegotiationMessageDue(Event, frozen=True, kw_only=True):
    """We made a move and the peer has to hear of it.

    `message` is the message's id and `terms` are what it puts on the table, the same on every try; `opening` tells
    the first message of a negotiation from later ones with other terms. `doubt` counts the looks at whether the peer,
    which took the message without a word, has it.
    """

    move: Move
    message: str
    opening: bool = False
    terms: dict[str, Any] | None = None
    doubt: int = 0


class NegotiationStepDue(Event, frozen=True, kw_only=True):
    """The time has come for a step of a negotiation's script, the one after `step` steps."""

    step: int


class TransferMoved(Event, frozen=True, kw_only=True):
    """A transfer reached a new state, by our move or the peer's."""

    state: transfer.State


class TransferMessageDue(Event, frozen=True, kw_only=True):
    """We made a move and the peer has to hear of it; `message` is the message's id, the same on every try.

    `reply` is the start with which a provider answers a consumer that goes on: no move, and the consumer may refuse it.
    `doubt` counts the looks at whether the peer, which took the message without a word, has it.
    """

    move: transfer.Move
    message: str
    reply: bool = False
    doubt: int = 0


class PushDue(Event, frozen=True, kw_only=True):
    """A transfer runs whose data we bring to its consumer."""


class ShelfDue(Event, frozen=True, kw_only=True):
    """A transfer runs no longer whose data we had put into a bucket for its consumer to fetch."""


class TransferStepDue(Event, frozen=True, kw_only=True):
    """The time has come for a step of a transfer's script, the one after `step` steps."""

    step: int


def message(
    ours: Negotiation, agreement: Agreement | None, event: NegotiationMessageDue, participant: str, address: str
) -> tuple[str, NegotiationMessage]:
    """Return the path under the peer's address and the message that tells of a move.

    Args:
        ours: the negotiation.
        agreement: its agreement, where there is one.
        event: the move, and what stays the same on every try.
        participant: who we are, to find our signature.
        address: the base of our protocol endpoints, for a peer that does not know us yet.
    """
    consumer, provider = pids(ours)
    both: dict[str, Any] = {"id": event.message, "consumer_pid": consumer, "provider_pid": provider}
    signature = agreement.signatures.get(participant) if agreement else None
    signed = {SIGNATURE: signature} if signature else {}
    process = f"/negotiations/{ours.peer_pid}"
    match event.move:
        case Move.REQUEST:
            return _request(ours, event, address)
        case Move.OFFER:
            return _offer(ours, event, address)
        case Move.AGREE if agreement:
            terms = agreement.policy
            return f"{process}/agreement", messages.ContractAgreementMessage(**both, agreement=terms, extra=signed)
        case Move.VERIFY:
            verified = messages.ContractAgreementVerificationMessage(**both, extra=signed)
            return f"{process}/agreement/verification", verified
        case Move.ACCEPT | Move.FINALIZE:
            kind = "ACCEPTED" if event.move is Move.ACCEPT else "FINALIZED"
            return f"{process}/events", messages.ContractNegotiationEventMessage(**both, event_type=kind)
        case Move.TERMINATE:
            return f"{process}/termination", messages.ContractNegotiationTerminationMessage(
                **both, code=ours.code, reason=tuple(ours.reason)
            )
    raise IllegalMove(f"There is no message for the move {event.move!r} here.")


def about_transfer(
    ours: Transfer, move: transfer.Move, key: str, address: str, access: Callable[[], messages.DataAddress | None]
) -> tuple[str, transfer.TransferMessage]:
    """Return the path under the peer's address and the message that tells of a move in a transfer.

    Args:
        ours: the transfer.
        move: what we did.
        key: the message's id.
        address: the base of our protocol endpoints, for a peer that does not know us yet.
        access: makes the address of our data with a fresh token; None where we bring the data.
    """
    consumer, provider = pids(ours)
    both: dict[str, Any] = {"id": key, "consumer_pid": consumer, "provider_pid": provider}
    why: dict[str, Any] = {"code": ours.code, "reason": tuple(ours.reason)}
    process = f"/transfers/{ours.peer_pid}"
    match move:
        case transfer.Move.REQUEST:
            return "/transfers/request", messages.TransferRequestMessage(
                id=key,
                consumer_pid=ours.pid,
                agreement_id=ours.agreement,
                format=ours.format,
                callback_address=address,
                data_address=messages.load_address(ours.data_address) if ours.data_address else None,
            )
        case transfer.Move.START:
            data = access() if ours.role == Role.PROVIDER else None
            return f"{process}/start", messages.TransferStartMessage(**both, data_address=data)
        case transfer.Move.SUSPEND:
            return f"{process}/suspension", messages.TransferSuspensionMessage(**both, **why)
        case transfer.Move.COMPLETE:
            return f"{process}/completion", messages.TransferCompletionMessage(**both)
        case transfer.Move.TERMINATE:
            return f"{process}/termination", messages.TransferTerminationMessage(**both, **why)


def _request(
    ours: Negotiation, event: NegotiationMessageDue, address: str
) -> tuple[str, messages.ContractRequestMessage]:
    terms = event.terms or ours.policy
    if not event.opening:
        return f"/negotiations/{ours.peer_pid}/request", messages.ContractRequestMessage(
            id=event.message, consumer_pid=ours.pid, provider_pid=ours.peer_pid, offer=terms
        )
    return "/negotiations/request", messages.ContractRequestMessage(
        id=event.message, consumer_pid=ours.pid, callback_address=address, offer=terms, extra=_purpose(ours.claims)
    )


def _offer(ours: Negotiation, event: NegotiationMessageDue, address: str) -> tuple[str, messages.ContractOfferMessage]:
    terms = event.terms or ours.policy
    if not event.opening:
        return f"/negotiations/{ours.peer_pid}/offers", messages.ContractOfferMessage(
            id=event.message, provider_pid=ours.pid, consumer_pid=ours.peer_pid, offer=terms
        )
    return "/negotiations/offers", messages.ContractOfferMessage(
        id=event.message, provider_pid=ours.pid, callback_address=address, offer=terms
    )


def _purpose(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {PURPOSE: claims["purpose"]} if "purpose" in claims else {}


def claims_of(request: messages.ContractRequestMessage) -> dict[str, str]:
    """Return what a consumer stated about its use."""
    purpose = request.extra.get(PURPOSE)
    return {"purpose": purpose} if isinstance(purpose, str) else {}
