"""The contract negotiation state machine (Dataspace Protocol 2025-1, chapter 8).

House rules:

1. The law is the tables `SENDERS` and `NEXT`; everything else looks it up.
2. Receive leniently, send strictly. The text lets either side terminate in any state that is not over; the
   diagram lets only one side do so in three states. `apply` follows the text, `may_send` the diagram.
3. A state means that the message leading to it was acknowledged. A refusal never changes the state.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final

from connector.errors import IllegalMove
from connector.standards.dsp import messages


class Role(StrEnum):
    """The side a participant takes in one negotiation or transfer."""

    CONSUMER = "consumer"
    PROVIDER = "provider"

    @property
    def other(self) -> "Role":
        """The counterparty's role."""
        return Role.PROVIDER if self is Role.CONSUMER else Role.CONSUMER


class State(StrEnum):
    """What both sides acknowledged last; the value is the word on the wire."""

    REQUESTED = "REQUESTED"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    AGREED = "AGREED"
    VERIFIED = "VERIFIED"
    FINALIZED = "FINALIZED"
    TERMINATED = "TERMINATED"


class Move(StrEnum):
    """What a message does to a negotiation."""

    REQUEST = "request"
    OFFER = "offer"
    ACCEPT = "accept"
    AGREE = "agree"
    VERIFY = "verify"
    FINALIZE = "finalize"
    TERMINATE = "terminate"


C, P, M, S = Role.CONSUMER, Role.PROVIDER, Move, State

NegotiationMessage = (
    messages.ContractRequestMessage
    | messages.ContractOfferMessage
    | messages.ContractAgreementMessage
    | messages.ContractAgreementVerificationMessage
    | messages.ContractNegotiationEventMessage
    | messages.ContractNegotiationTerminationMessage
)

SENDERS: Final[Mapping[Move, frozenset[Role]]] = MappingProxyType(
    {
        M.REQUEST: frozenset({C}),
        M.OFFER: frozenset({P}),
        M.ACCEPT: frozenset({C}),
        M.AGREE: frozenset({P}),
        M.VERIFY: frozenset({C}),
        M.FINALIZE: frozenset({P}),
        M.TERMINATE: frozenset({C, P}),
    }
)

NEXT: Final[Mapping[State | None, Mapping[Move, State]]] = MappingProxyType(
    {
        None: {M.REQUEST: S.REQUESTED, M.OFFER: S.OFFERED},
        S.REQUESTED: {M.OFFER: S.OFFERED, M.AGREE: S.AGREED, M.TERMINATE: S.TERMINATED},
        S.OFFERED: {M.REQUEST: S.REQUESTED, M.ACCEPT: S.ACCEPTED, M.TERMINATE: S.TERMINATED},
        S.ACCEPTED: {M.AGREE: S.AGREED, M.TERMINATE: S.TERMINATED},
        S.AGREED: {M.VERIFY: S.VERIFIED, M.TERMINATE: S.TERMINATED},
        S.VERIFIED: {M.FINALIZE: S.FINALIZED, M.TERMINATE: S.TERMINATED},
        S.FINALIZED: {},
        S.TERMINATED: {},
    }
)

# Who terminates where the diagram is narrower than the text; binds what we send, never what we accept.
ENDS: Final[Mapping[State, frozenset[Role]]] = MappingProxyType(
    {S.ACCEPTED: frozenset({P}), S.AGREED: frozenset({C}), S.VERIFIED: frozenset({P})}
)

FINAL: Final = frozenset(state for state, moves in NEXT.items() if state is not None and not moves)

RESULTS: Final[Mapping[Move, State]] = MappingProxyType(
    {move: state for moves in NEXT.values() for move, state in moves.items()}
)
"""The state that each move leads to."""

_MOVES: Final[Mapping[type, Move]] = MappingProxyType(
    {
        messages.ContractRequestMessage: M.REQUEST,
        messages.ContractOfferMessage: M.OFFER,
        messages.ContractAgreementMessage: M.AGREE,
        messages.ContractAgreementVerificationMessage: M.VERIFY,
        messages.ContractNegotiationTerminationMessage: M.TERMINATE,
    }
)
_EVENTS: Final[Mapping[str, Move]] = MappingProxyType({"ACCEPTED": M.ACCEPT, "FINALIZED": M.FINALIZE})


def move_of(message: NegotiationMessage) -> Move:
    """Return what `message` does; an event message does what its event type says."""
    if isinstance(message, messages.ContractNegotiationEventMessage):
        return _EVENTS[message.event_type]
    return _MOVES[type(message)]


def apply(state: State | None, move: Move, sender: Role) -> State:
    """Return the state after `sender` makes `move`; `None` is a negotiation that does not exist yet.

    Raises:
        IllegalMove: it is not this side's move, or not one for this state. The state stays as it was.
    """
    if sender not in SENDERS[move] or move not in NEXT[state]:
        raise IllegalMove(
            f"The {sender} may not {move} {_when(state)}.",
            fix=f"What the {sender} may do now: {', '.join(_open(state, sender)) or 'nothing'}.",
        )
    return NEXT[state][move]


def may_send(state: State | None, move: Move, sender: Role) -> bool:
    """Tell whether the diagram lets `sender` make `move`: narrower than what `apply` accepts."""
    if move is M.TERMINATE and state is not None and sender not in ENDS.get(state, SENDERS[move]):
        return False
    return sender in SENDERS[move] and move in NEXT[state]


def told(state: str, move: Move, sender: Role) -> bool | None:
    """Tell from the state that a peer says it is in whether it has heard of a `move` by `sender`.

    None: it is not there yet, or what it says is no state; it may be told when it is.
    """
    if state not in list(State):
        return None
    found = State(state)
    if sender in SENDERS[move] and move in NEXT[found]:
        return False
    return True if found in _after(RESULTS[move]) else None


@cache
def _after(state: State) -> frozenset[State]:
    """Return a state and those that can follow it."""
    found = {state}
    while more := {after for each in found for after in NEXT[each].values()} - found:
        found |= more
    return frozenset(found)


def allowed(state: State | None, role: Role) -> tuple[Move, ...]:
    """Return the moves we may send as `role`, in the order of `Move`; empty when it is over or not our turn."""
    return tuple(move for move in Move if may_send(state, move, role))


def _open(state: State | None, sender: Role) -> list[Move]:
    return [move for move in NEXT[state] if sender in SENDERS[move]]


def _when(state: State | None) -> str:
    return f"when the negotiation is {state}" if state else "before the negotiation has begun"
