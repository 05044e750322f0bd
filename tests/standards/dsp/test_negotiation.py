"""The negotiation machine against the specification's text, not against its own tables."""

from itertools import product
from typing import Final

import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.errors import IllegalMove
from connector.standards.dsp import schema
from connector.standards.dsp.messages import load
from connector.standards.dsp.negotiation import (
    FINAL,
    NEXT,
    RESULTS,
    Move,
    Role,
    State,
    allowed,
    apply,
    may_send,
    move_of,
    told,
)
from tests.standards.dsp import examples

EVERY: Final = list(product([None, *State], Move, Role))
# The state that each message leads to, in the words of chapter 8: "the negotiation is OFFERED" after an offer, …
NAMES: Final = dict(zip(Move, State, strict=True))


def text_allows(heard: list[Move], move: Move, sender: Role) -> bool:
    """Tell what the text says of a message after those that were acknowledged.

    A consumer asks first or answers an offer; a provider offers first or answers a request; an offer alone can be
    accepted; a request or an acceptance can be agreed to; what is agreed is verified and then finalized, each by the
    other side; either side may end it while it is not over.
    """
    last = heard[-1] if heard else None
    if last in {Move.FINALIZE, Move.TERMINATE}:
        return False
    answers: dict[Move, tuple[Role | None, set[Move | None]]] = {
        Move.REQUEST: (Role.CONSUMER, {None, Move.OFFER}),
        Move.OFFER: (Role.PROVIDER, {None, Move.REQUEST}),
        Move.ACCEPT: (Role.CONSUMER, {Move.OFFER}),
        Move.AGREE: (Role.PROVIDER, {Move.REQUEST, Move.ACCEPT}),
        Move.VERIFY: (Role.CONSUMER, {Move.AGREE}),
        Move.FINALIZE: (Role.PROVIDER, {Move.VERIFY}),
        Move.TERMINATE: (None, set(Move)),
    }
    speaker, after = answers[move]
    return speaker in {None, sender} and last in after


class Conversation(RuleBasedStateMachine):
    """Two participants who each keep their own state and hear everything the other says, right or wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Move] = []
        self.states: dict[Role, State | None] = dict.fromkeys(Role)

    @rule(move=st.sampled_from(Move), sender=st.sampled_from(Role))
    def anything(self, move: Move, sender: Role) -> None:
        """Either side says anything at all."""
        self.say(move, sender)

    @precondition(lambda self: not {Move.FINALIZE, Move.TERMINATE} & set(self.heard))
    @rule(data=st.data())
    def something_sensible(self, data: st.DataObject) -> None:
        """A side does what the text allows, but does not give up, so that long conversations come about."""
        keen = [pair for pair in product(Move, Role) if text_allows(self.heard, *pair) and Move.TERMINATE not in pair]
        self.say(*data.draw(st.sampled_from(keen)))

    def say(self, move: Move, sender: Role) -> None:
        """Let both sides apply a message, each to its own state."""
        if text_allows(self.heard, move, sender):
            self.states = {role: apply(state, move, sender) for role, state in self.states.items()}
            self.heard.append(move)
            return
        for state in self.states.values():
            with pytest.raises(IllegalMove):
                apply(state, move, sender)

    @invariant()
    def both_sides_agree(self) -> None:
        """The two states are one, and it has the name of the last message."""
        assert set(self.states.values()) == {NAMES[self.heard[-1]] if self.heard else None}

    @invariant()
    def what_is_final_was_signed(self) -> None:
        """Nothing is finalized without agreement and verification right before."""
        if State.FINALIZED in self.states.values():
            event("finalized")
            assert self.heard[-3:] == [Move.AGREE, Move.VERIFY, Move.FINALIZE]


test_conversations_follow_the_text = Conversation.TestCase


def histories(longest: int) -> list[list[Move]]:
    """Return every conversation that the text allows, up to a number of messages."""
    found: list[list[Move]] = [[]]
    for heard in found:
        if len(heard) < longest:
            found += [[*heard, move] for move in Move if any(text_allows(heard, move, role) for role in Role)]
    return found


def test_every_conversation_of_up_to_eight_messages_follows_the_text() -> None:
    """After each conversation that the text allows, each message of each side is taken or refused as the text says."""
    for heard in histories(8):
        state = NAMES[heard[-1]] if heard else None
        for move, sender in product(Move, Role):
            if text_allows(heard, move, sender):
                assert apply(state, move, sender) is NAMES[move]
            else:
                with pytest.raises(IllegalMove):
                    apply(state, move, sender)


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
def test_what_is_sent_is_always_accepted_by_a_peer_like_us(state: State | None, move: Move, sender: Role) -> None:
    """Sending is at most as free as receiving, and differs only where the diagram names who may terminate."""
    try:
        apply(state, move, sender)
        accepted = True
    except IllegalMove:
        accepted = False
    forbidden = {(State.ACCEPTED, Role.CONSUMER), (State.AGREED, Role.PROVIDER), (State.VERIFIED, Role.CONSUMER)}
    expected = accepted and not (move is Move.TERMINATE and (state, sender) in forbidden)
    assert may_send(state, move, sender) is expected
    assert (move in allowed(state, sender)) is expected


@pytest.mark.parametrize("state", [state for state in State if state not in FINAL])
def test_while_it_is_not_over_somebody_can_end_it(state: State) -> None:
    """No negotiation gets stuck: one side may always send a termination, and either may be heard with one."""
    assert any(Move.TERMINATE in allowed(state, role) for role in Role)
    assert {apply(state, Move.TERMINATE, role) for role in Role} == {State.TERMINATED}


def test_it_is_over_when_finalized_or_terminated() -> None:
    """The final states are those of the text, and nothing may be done in them."""
    assert {State.FINALIZED, State.TERMINATED} == FINAL
    assert not [move for state in FINAL for role in Role for move in allowed(state, role)]


@pytest.mark.parametrize("document", examples.MESSAGES, ids=lambda found: found["@type"])
def test_each_message_is_one_move(document: dict[str, object]) -> None:
    """A message does what its name says; an event does what its type says."""
    words = {
        "ContractRequestMessage": Move.REQUEST,
        "ContractOfferMessage": Move.OFFER,
        "ContractAgreementMessage": Move.AGREE,
        "ContractAgreementVerificationMessage": Move.VERIFY,
        "ContractNegotiationTerminationMessage": Move.TERMINATE,
        "ACCEPTED": Move.ACCEPT,
        "FINALIZED": Move.FINALIZE,
    }
    kind = str(document.get("eventType", document["@type"]))
    if kind in words:
        assert move_of(load(document)) is words[kind]  # type: ignore[arg-type]  # the table picks the right ones


def test_the_states_are_those_of_the_acknowledgement() -> None:
    """The state of an acknowledgement is a state here, and the other way round."""
    assert set(schema.NEGOTIATION_STATES) == set(State)


@pytest.mark.parametrize(("state", "move", "sender"), [entry for entry in EVERY if not may_send(*entry)])
def test_a_refusal_says_what_may_be_done(state: State | None, move: Move, sender: Role) -> None:
    """A peer that is refused learns which moves it has, or that there are none."""
    if move is Move.TERMINATE and state not in FINAL | {None}:
        return  # heard though not to be sent
    with pytest.raises(IllegalMove) as refusal:
        apply(state, move, sender)
    assert f"The {sender} may not {move}" in refusal.value.message
    offered: set[str] = set(allowed(state, sender)) | ({Move.TERMINATE} if state not in FINAL | {None} else set())
    named = str(refusal.value.fix).rpartition(": ")[2].removesuffix(".").split(", ")
    assert set(named) == (offered or {"nothing"})


def test_roles_are_each_others_other() -> None:
    """There are two sides, and each is the other's counterparty."""
    assert Role.CONSUMER.other is Role.PROVIDER
    assert Role.PROVIDER.other is Role.CONSUMER
