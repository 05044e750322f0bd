"""The transfer machine against the specification's text, not against its own tables."""

from itertools import product
from typing import Final

import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.errors import IllegalMove
from connector.standards.dsp import schema
from connector.standards.dsp.messages import load
from connector.standards.dsp.negotiation import Role
from connector.standards.dsp.transfer import FINAL, NEXT, RESULTS, Move, State, allowed, apply, may_send, move_of, told
from tests.standards.dsp import examples

EVERY: Final = list(product([None, *State], Move, Role))
NAMES: Final = {
    Move.REQUEST: State.REQUESTED,
    Move.START: State.STARTED,
    Move.SUSPEND: State.SUSPENDED,
    Move.COMPLETE: State.COMPLETED,
    Move.TERMINATE: State.TERMINATED,
}


class Transfer(RuleBasedStateMachine):
    """Two participants; what they know of the transfer is told in facts of the text, not in states."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = self.ever_started = self.flowing = self.over = False
        self.last: Move | None = None
        self.states: dict[Role, State | None] = dict.fromkeys(Role)

    def text_allows(self, move: Move, sender: Role) -> bool:
        """Tell what the text says: the consumer asks once; the provider starts it; either side pauses and resumes.

        Data that flow can be declared complete by either side; a termination is heard while it is not over.
        """
        if move is Move.REQUEST:
            return not self.asked and sender is Role.CONSUMER
        if not self.asked or self.over:
            return False
        if move is Move.START:
            return not self.flowing and (self.ever_started or sender is Role.PROVIDER)
        return move is Move.TERMINATE or self.flowing

    @rule(move=st.sampled_from(Move), sender=st.sampled_from(Role))
    def anything(self, move: Move, sender: Role) -> None:
        """Either side says anything at all."""
        if not self.text_allows(move, sender):
            for state in self.states.values():
                with pytest.raises(IllegalMove):
                    apply(state, move, sender)
            return
        self.states = {role: apply(state, move, sender) for role, state in self.states.items()}
        self.last = move
        self.asked = True
        self.flowing = move is Move.START
        self.ever_started |= self.flowing
        self.over = move in {Move.COMPLETE, Move.TERMINATE}
        event(f"{move} by {sender}")

    @precondition(lambda self: self.flowing)
    @rule(sender=st.sampled_from(Role))
    def pause(self, sender: Role) -> None:
        """Pausing is drawn more often, so that resuming is tried as well."""
        self.anything(Move.SUSPEND, sender)

    @precondition(lambda self: not self.asked)
    @rule()
    def ask(self) -> None:
        """Asking comes first, or nothing follows."""
        self.anything(Move.REQUEST, Role.CONSUMER)

    @invariant()
    def both_sides_agree(self) -> None:
        """The two states are one, and it has the name of the last message."""
        assert set(self.states.values()) == {NAMES[self.last] if self.last else None}


test_transfers_follow_the_text = Transfer.TestCase


@pytest.mark.parametrize(("state", "move", "sender"), [entry for entry in EVERY if entry[0] is not None])
def test_a_peer_that_could_still_be_told_has_not_heard(state: State, move: Move, sender: Role) -> None:
    """Where our move could still be made it was not heard; where it led, or later, it was; before that, who knows."""
    try:
        apply(state, move, sender)
        legal = True
    except IllegalMove:
        legal = False
    found = told(state, move, sender)
    assert (found is False) is legal
    if found:
        assert state in reached(RESULTS[move])
    elif found is None:
        assert state not in reached(RESULTS[move])
    assert told("INITIAL", move, sender) is None


def reached(state: State, seen: set[State] | None = None) -> set[State]:
    """Return a state and where a process can still get to from it."""
    seen = set() if seen is None else seen
    if state not in seen:
        seen.add(state)
        for after in NEXT[state].values():
            reached(after, seen)
    return seen


@pytest.mark.parametrize(("state", "move", "sender"), EVERY)
def test_sending_and_receiving_are_alike(state: State | None, move: Move, sender: Role) -> None:
    """Text and diagram of the transfer agree, so what may be sent is what is accepted."""
    try:
        apply(state, move, sender)
        accepted = True
    except IllegalMove:
        accepted = False
    assert may_send(state, move, sender) is accepted
    assert (move in allowed(state, sender)) is accepted


def test_it_is_over_when_completed_or_terminated() -> None:
    """The final states are those of the text, and nothing may be done in them."""
    assert {State.COMPLETED, State.TERMINATED} == FINAL
    assert not [move for state in FINAL for role in Role for move in allowed(state, role)]


@pytest.mark.parametrize("document", examples.MESSAGES, ids=lambda found: found["@type"])
def test_each_message_is_one_move(document: dict[str, object]) -> None:
    """A message does what its name says."""
    words = {
        "TransferRequestMessage": Move.REQUEST,
        "TransferStartMessage": Move.START,
        "TransferSuspensionMessage": Move.SUSPEND,
        "TransferCompletionMessage": Move.COMPLETE,
        "TransferTerminationMessage": Move.TERMINATE,
    }
    kind = str(document["@type"])
    if kind in words:
        assert move_of(load(document)) is words[kind]  # type: ignore[arg-type]  # the table picks the right ones


def test_the_states_are_those_of_the_acknowledgement() -> None:
    """The state of an acknowledgement is a state here, and the other way round."""
    assert set(schema.TRANSFER_STATES) == set(State)
