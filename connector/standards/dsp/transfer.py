"""The transfer process state machine (Dataspace Protocol 2025-1, chapter 10).

House rules as in `negotiation`: tables are the law, receive leniently, send strictly. Here text and diagram agree,
so the two differ in nothing; both functions exist so that callers treat both machines alike.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final

from connector.errors import IllegalMove
from connector.standards.dsp import messages
from connector.standards.dsp.negotiation import Role


class State(StrEnum):
    """What both sides acknowledged last; the value is the word on the wire."""

    REQUESTED = "REQUESTED"
    STARTED = "STARTED"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    TERMINATED = "TERMINATED"


class Move(StrEnum):
    """What a message does to a transfer."""

    REQUEST = "request"
    START = "start"
    SUSPEND = "suspend"
    COMPLETE = "complete"
    TERMINATE = "terminate"


C, P, M, S = Role.CONSUMER, Role.PROVIDER, Move, State

TransferMessage = (
    messages.TransferRequestMessage
    | messages.TransferStartMessage
    | messages.TransferSuspensionMessage
    | messages.TransferCompletionMessage
    | messages.TransferTerminationMessage
)

SENDERS: Final[Mapping[Move, frozenset[Role]]] = MappingProxyType(
    {
        M.REQUEST: frozenset({C}),
        M.START: frozenset({C, P}),
        M.SUSPEND: frozenset({C, P}),
        M.COMPLETE: frozenset({C, P}),
        M.TERMINATE: frozenset({C, P}),
    }
)

# The first start is the provider's; after a suspension either side may resume.
ONLY: Final[Mapping[tuple[State | None, Move], frozenset[Role]]] = MappingProxyType(
    {(S.REQUESTED, M.START): frozenset({P})}
)

NEXT: Final[Mapping[State | None, Mapping[Move, State]]] = MappingProxyType(
    {
        None: {M.REQUEST: S.REQUESTED},
        S.REQUESTED: {M.START: S.STARTED, M.TERMINATE: S.TERMINATED},
        S.STARTED: {M.SUSPEND: S.SUSPENDED, M.COMPLETE: S.COMPLETED, M.TERMINATE: S.TERMINATED},
        S.SUSPENDED: {M.START: S.STARTED, M.TERMINATE: S.TERMINATED},
        S.COMPLETED: {},
        S.TERMINATED: {},
    }
)

FINAL: Final = frozenset(state for state, moves in NEXT.items() if state is not None and not moves)

RESULTS: Final[Mapping[Move, State]] = MappingProxyType(
    {move: state for moves in NEXT.values() for move, state in moves.items()}
)
"""The state that each move leads to."""

_MOVES: Final[Mapping[type, Move]] = MappingProxyType(
    {
        messages.TransferRequestMessage: M.REQUEST,
        messages.TransferStartMessage: M.START,
        messages.TransferSuspensionMessage: M.SUSPEND,
        messages.TransferCompletionMessage: M.COMPLETE,
        messages.TransferTerminationMessage: M.TERMINATE,
    }
)


def move_of(message: TransferMessage) -> Move:
    """Return what `message` does."""
    return _MOVES[type(message)]


def apply(state: State | None, move: Move, sender: Role) -> State:
    """Return the state after `sender` makes `move`; `None` is a transfer that does not exist yet.

    Raises:
        IllegalMove: it is not this side's move, or not one for this state. The state stays as it was.
    """
    if not may_send(state, move, sender):
        when = f"when the transfer is {state}" if state else "before the transfer has begun"
        raise IllegalMove(
            f"The {sender} may not {move} {when}.",
            fix=f"What the {sender} may do now: {', '.join(allowed(state, sender)) or 'nothing'}.",
        )
    return NEXT[state][move]


def may_send(state: State | None, move: Move, sender: Role) -> bool:
    """Tell whether `sender` may make `move` in `state`."""
    return move in NEXT[state] and sender in ONLY.get((state, move), SENDERS[move])


def told(state: str, move: Move, sender: Role) -> bool | None:
    """Tell from the state that a peer says it is in whether it has heard of a `move` by `sender`.

    None: it is not there yet, or what it says is no state; it may be told when it is.
    """
    if state not in list(State):
        return None
    found = State(state)
    if may_send(found, move, sender):
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
    """Return the moves we may send as `role`, in the order of `Move`; empty when it is over."""
    return tuple(move for move in Move if may_send(state, move, role))
