"""Negotiations when the wire is bad and messages come out of turn: losses, refusals, and the table of moves."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlmodel import col

from connector.capabilities.notices import NegotiationMoved
from connector.errors import Conflict, IllegalMove, InvalidInput
from connector.standards.dsp import messages, negotiation
from connector.standards.dsp.negotiation import Move, Role, State
from connector.storage.tables import Agreement, Dataset, Negotiation, OutboxRow
from tests.builders import (
    NOON,
    OPERATOR,
    Answer,
    Puppet,
    Still,
    acknowledge,
    error,
)
from tests.capabilities.conftest import PEER, US
from tests.capabilities.negotiating import agreed, agreement_for, crawled, opened, requested, verification

pytestmark = pytest.mark.usefixtures("fresh_peer")


@pytest.fixture
def copy(house: Still) -> Dataset:
    """Give our copy of a dataset of the peer with one offer."""
    return crawled(house)


# --- lost, late, repeated ---------------------------------------------------------------------------------------------


def test_a_repeated_message_is_acknowledged_and_not_applied_again(house: Still, peer: Puppet) -> None:
    """The same id again changes neither state nor evidence nor outbox; that holds when it was the last one, too."""
    ours = opened(house, peer)
    house.drain()
    ours = house.negotiation(ours.pid)
    message = verification(house, ours)
    negotiations = house.connector.negotiations
    assert negotiations.receive(ours.pid, message, peer.principal()).state == "VERIFIED"
    house.drain()
    before = house.kinds(ours.pid)
    assert negotiations.receive(ours.pid, message, peer.principal()).state == "FINALIZED"
    assert (house.kinds(ours.pid), house.outbox(ours.pid)) == (before, [])


def test_what_was_said_last_may_be_said_again_under_another_id(house: Still, peer: Puppet) -> None:
    """Some peers make a new message for every attempt: it changes nothing, and is no fault; anything else is one."""
    ours = opened(house, peer)
    house.drain()
    ours = house.negotiation(ours.pid)
    negotiations = house.connector.negotiations
    negotiations.receive(ours.pid, verification(house, ours), peer.principal())
    house.drain()
    before = house.kinds(ours.pid)
    for again in (verification(house, ours), verification(house, ours, id=None)):
        assert negotiations.receive(ours.pid, again, peer.principal()).state == "FINALIZED"
    assert (house.kinds(ours.pid), house.outbox(ours.pid)) == (before, [])
    with pytest.raises(IllegalMove):
        negotiations.receive(ours.pid, verification(house, ours, extra={"urn:x": 1}), peer.principal())


@pytest.mark.parametrize("verified", [False, True])
def test_an_agreement_that_was_drawn_up_twice_is_the_second(
    house: Still, peer: Puppet, copy: Dataset, verified: bool
) -> None:
    """Some providers draw it up anew and know that one only: same terms, other id, before it is final; else refused."""
    ours = requested(house, copy)
    house.drain()
    first = agreement_for(house, ours)
    agreed(house, peer, ours, first)
    if verified:
        house.drain()
    for other in ({"permission": [{"action": "use"}]}, {"target": "urn:other"}, {"assignee": "urn:other"}):
        with pytest.raises(IllegalMove):
            agreed(house, peer, ours, agreement_for(house, ours, **other))
    second = agreement_for(house, ours, timestamp="2026-03-01T12:00:09Z")
    if verified:
        with pytest.raises(InvalidInput):
            agreed(house, peer, ours, second, signature="not one")
        assert house.negotiation(ours.pid).agreement_id == first["@id"]
    agreed(house, peer, ours, second)
    house.drain()
    found = house.negotiation(ours.pid)
    assert (found.state, found.agreement_id) == ("VERIFIED", second["@id"])
    assert house.rows(Agreement, col(Agreement.negotiation) == ours.pid) == [house.row(Agreement, second["@id"])]
    assert set(house.row(Agreement, second["@id"]).signatures) == {PEER, US}
    final = messages.ContractNegotiationEventMessage(
        id="urn:m:final", consumer_pid=ours.pid, provider_pid=f"urn:theirs:{ours.pid}", event_type="FINALIZED"
    )
    house.connector.negotiations.receive(ours.pid, final, peer.principal())
    assert house.row(Agreement, second["@id"]).state == "active"
    with pytest.raises(IllegalMove):
        agreed(house, peer, ours, agreement_for(house, ours))


@pytest.mark.parametrize("automation", ["accept", "approve", "none"])
def test_an_event_that_is_heard_twice_or_late_is_harmless(house: Still, peer: Puppet, automation: str) -> None:
    """`react` looks at the state it finds: what the outbox repeats makes no second agreement and no second message."""
    ours = opened(house, peer, automation)
    negotiations = house.connector.negotiations
    for _ in range(3):
        negotiations.react(NegotiationMoved(subject=ours.pid, state=State.REQUESTED), US)
    house.drain()
    if automation == "approve":
        negotiations.approve(ours.pid, OPERATOR)
        house.drain()
    for state in State:
        negotiations.react(NegotiationMoved(subject=ours.pid, state=state), US)
    house.drain()
    told = 0 if automation == "none" else 1
    assert len(peer.heard) == told
    assert len(house.rows(Agreement, col(Agreement.negotiation) == ours.pid)) == told
    if not told:
        return
    ours = house.negotiation(ours.pid)
    negotiations.receive(ours.pid, verification(house, ours), peer.principal())
    for _ in range(2):
        for state in State:
            negotiations.react(NegotiationMoved(subject=ours.pid, state=state), US)
    house.drain()
    assert [heard.path.rpartition("/")[2] for heard in peer.heard] == ["agreement", "events"]
    assert house.kinds(str(ours.agreement_id)).count("agreement.active") == 1


def test_a_refusal_ends_it_with_the_peers_words(house: Still, peer: Puppet, copy: Dataset) -> None:
    """Every 4xx is final, and what the peer says is shown as it said it, texts and objects alike."""
    peer.script = lambda _: error(400, "Solo para España — no.", {"code": 7})
    ours = requested(house, copy)
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.code) == ("TERMINATED", "no")
    assert ours.reason == ["Solo para España — no.", '{"code":7}']
    assert house.kinds(ours.pid)[-1] == "negotiation.refused"
    house.patient(2)
    assert len(peer.heard) == 1


@pytest.mark.parametrize("body", [b"", b"<html>Forbidden</html>", b"[1]", b'{"detail": 4}', b"\xff\xfe"])
def test_a_refusal_in_other_words_ends_it_too(house: Still, peer: Puppet, copy: Dataset, body: bytes) -> None:
    """A proxy in between speaks no protocol: its status is told."""
    peer.script = lambda _: Answer(403, body)
    ours = requested(house, copy)
    house.drain()
    ours = house.negotiation(ours.pid)
    assert ours.state == "TERMINATED"
    assert "answered 403" in ours.reason[0]


@pytest.mark.parametrize("failure", [Answer(500), Answer(503), Answer(429), Answer(0)], ids=["500", "503", "429", "-"])
def test_what_may_pass_is_tried_again_with_the_same_message(
    house: Still, peer: Puppet, copy: Dataset, failure: Answer
) -> None:
    """A fault of the moment ends nothing; the message that is heard at last is the first one, letter by letter."""
    peer.script = lambda heard: failure if len(peer.heard) < 3 else acknowledge(heard)
    ours = requested(house, copy)
    house.drain()
    (waiting,) = house.outbox(ours.pid)
    assert (waiting.state, waiting.attempts) == ("waiting", 1)
    assert waiting.error
    for _ in range(3):
        house.clock.move(seconds=10)
        house.drain()
    assert len(peer.heard) == 3
    assert len({heard.body for heard in peer.heard}) == 1
    assert len({heard.authorization for heard in peer.heard}) == 3
    assert house.negotiation(ours.pid).peer_pid is not None
    assert house.outbox(ours.pid) == []


def test_a_peer_that_is_never_there_ends_it_with_the_reason(house: Still, peer: Puppet, copy: Dataset) -> None:
    """When patience is over, the negotiation says why, and the message stays where an operator sees it."""
    peer.script = lambda _: Answer(502)
    ours = requested(house, copy)
    house.patient()
    ours = house.negotiation(ours.pid)
    assert ours.state == "TERMINATED"
    assert "answered 502" in ours.reason[0]
    (given_up,) = house.outbox(ours.pid)
    assert (given_up.state, given_up.subscriber) == ("failed", "negotiations.send")
    assert given_up in house.connector.health.failures()


@pytest.mark.parametrize("body", [b"", b"<html>welcome</html>", b"{}"])
def test_an_acknowledgement_that_is_none_ends_it(house: Still, peer: Puppet, copy: Dataset, body: bytes) -> None:
    """A server that says yes to everything is no connector: without its id of the process nothing can follow."""
    peer.script = lambda _: Answer(200, body)
    ours = requested(house, copy)
    house.drain()
    assert house.negotiation(ours.pid).state == "TERMINATED"


def test_the_peers_first_message_may_overtake_its_acknowledgement(house: Still, peer: Puppet, copy: Dataset) -> None:
    """The id of its process is learnt from whichever comes first."""
    ours = requested(house, copy)

    def overtaken(heard: Any) -> Answer:
        if heard.path.endswith("/negotiations/request"):
            agreed(house, peer, ours, agreement_for(house, ours))
        return acknowledge(heard)

    peer.script = overtaken
    house.drain()
    assert house.negotiation(ours.pid).state == "VERIFIED"
    assert peer.paths()[-1] == f"/negotiations/urn:theirs:{ours.pid}/agreement/verification"


def test_a_termination_by_the_peer_is_kept_in_its_words(house: Still, peer: Puppet) -> None:
    """What waited for a person waits no longer, and there is nothing left to say."""
    ours = opened(house, peer, "approve")
    house.drain()
    message = messages.ContractNegotiationTerminationMessage(
        id="urn:bye", consumer_pid=ours.peer_pid or "", provider_pid=ours.pid, code="7", reason=("Egal.", {"a": 1})
    )
    house.connector.negotiations.receive(ours.pid, message, peer.principal())
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.code, ours.reason, ours.pending) == ("TERMINATED", "7", ["Egal.", {"a": 1}], None)
    assert peer.heard == []
    for late in (house.connector.negotiations.approve,):
        with pytest.raises(Conflict):
            late(ours.pid, OPERATOR)
    with pytest.raises(IllegalMove):
        house.connector.negotiations.terminate(ours.pid, "Me too.", OPERATOR)


def test_what_was_ended_while_the_peer_was_away_leaves_nothing_open_there(
    house: Still, peer: Puppet, copy: Dataset
) -> None:
    """A request whose negotiation we ended while the peer was away leaves no process open at the peer."""
    peer.script = lambda _: Answer(503)
    ours = requested(house, copy)
    house.drain()
    house.connector.negotiations.terminate(ours.pid, "Took too long.", OPERATOR)
    peer.script = acknowledge
    house.clock.move(minutes=1)
    house.drain()
    house.clock.move(minutes=1)
    house.drain()
    assert house.negotiation(ours.pid).reason == ["Took too long."]
    # Whether the peer had heard the first try cannot be known: it is asked for its id, and then told.
    assert peer.paths()[-1] == f"/negotiations/urn:theirs:{ours.pid}/termination"
    assert house.outbox(ours.pid) == []


# --- the table of moves, at this door ---------------------------------------------------------------------------------


def message_for(move: Move, consumer: str, provider: str, number: int) -> Any:
    """Return a message that makes a move."""
    both: dict[str, Any] = {"id": f"urn:message:matrix:{number}", "consumer_pid": consumer, "provider_pid": provider}
    offer = {"@id": "urn:o", "@type": "Offer", "target": "urn:d", "permission": [{"action": "odrl:use"}]}
    agreement = {**offer, "@id": f"urn:a:{number}", "@type": "Agreement", "assigner": US, "assignee": PEER}
    match move:
        case Move.REQUEST:
            return messages.ContractRequestMessage(**both, offer=offer)
        case Move.OFFER:
            return messages.ContractOfferMessage(**both, offer=offer)
        case Move.AGREE:
            return messages.ContractAgreementMessage(**both, agreement=agreement)
        case Move.VERIFY:
            return messages.ContractAgreementVerificationMessage(**both)
        case Move.TERMINATE:
            return messages.ContractNegotiationTerminationMessage(**both)
        case _:
            kind = "ACCEPTED" if move is Move.ACCEPT else "FINALIZED"
            return messages.ContractNegotiationEventMessage(**both, event_type=kind)


@pytest.fixture
def placed(house: Still) -> Callable[[Role, State], Negotiation]:
    """Return a maker of negotiations in any state."""

    def place(role: Role, state: State) -> Negotiation:
        number = next(house.numbers)
        ours = Negotiation(
            participant=US,
            pid=f"urn:placed:{number}",
            role=role,
            peer=PEER,
            peer_pid=f"urn:theirs:{number}",
            callback="http://127.0.0.1:9/",
            state=state,
            dataset="urn:d",
            offer_id="urn:o",
            policy={"permission": [{"action": "odrl:use"}]},
            created=NOON,
            updated=NOON,
        )
        contract = Agreement(
            participant=US,
            id=f"urn:contract:{number}",
            negotiation=ours.pid,
            role=role,
            peer=PEER,
            dataset="urn:d",
            policy={"permission": [{"action": "odrl:use"}]},
            state="pending",
            created=NOON,
        )
        house.add(ours, contract)
        with house.connector.database.begin(US) as work:
            work.need(Negotiation, ours.pid, lock=True).agreement_id = contract.id
        return house.negotiation(ours.pid)

    return place


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", State)
def test_every_message_in_every_state_does_what_the_table_says(
    house: Still, peer: Puppet, placed: Callable[[Role, State], Negotiation], role: Role, state: State
) -> None:
    """An illegal message changes nothing at all; a legal one changes the state, and is on record with its event."""
    for move in Move:
        ours = placed(role, state)
        mine, theirs = ours.pid, str(ours.peer_pid)
        consumer, provider = (mine, theirs) if role is Role.CONSUMER else (theirs, mine)
        message = message_for(move, consumer, provider, next(house.numbers))
        before = house.negotiation(ours.pid)
        try:
            expected = negotiation.apply(state, move, role.other)
        except IllegalMove:
            with pytest.raises(IllegalMove):
                house.connector.negotiations.receive(ours.pid, message, peer.principal())
            assert house.negotiation(ours.pid) == before
            assert (house.kinds(ours.pid), house.outbox(ours.pid)) == ([], [])
            continue
        assert house.connector.negotiations.receive(ours.pid, message, peer.principal()).state == expected
        assert house.kinds(ours.pid) == [f"negotiation.{move}.received"]
        (row,) = house.outbox(ours.pid)
        assert (row.event, row.body["state"]) == ("NegotiationMoved", expected)
    with house.connector.database.begin(US) as work:
        for row in work.select(OutboxRow, col(OutboxRow.state) == "waiting"):
            work.delete(row)


def test_ids_of_another_process_are_refused(
    house: Still, peer: Puppet, placed: Callable[[Role, State], Negotiation]
) -> None:
    """A message counts for the process in its address only if its ids say the same."""
    for role in Role:
        ours = placed(role, State.REQUESTED)
        for wrong in ((ours.pid, "urn:x"), ("urn:x", ours.pid), ("urn:x", str(ours.peer_pid))):
            consumer, provider = wrong if role is Role.CONSUMER else wrong[::-1]
            with pytest.raises(InvalidInput):
                house.connector.negotiations.receive(
                    ours.pid, message_for(Move.TERMINATE, consumer, provider, next(house.numbers)), peer.principal()
                )
        assert house.negotiation(ours.pid).state == "REQUESTED"


@pytest.fixture(autouse=True)
def quiet(house: Still) -> Iterator[None]:
    """Leave nothing for the next test to deliver."""
    yield
    with house.connector.database.begin(US) as work:
        for row in work.select(OutboxRow, col(OutboxRow.event) != "EvidenceRecorded"):
            work.delete(row)
