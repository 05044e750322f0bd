"""A peer that takes messages without a word is asked later whether it has them: some forget what comes too early."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col

from connector.capabilities.processes import LOOKS
from connector.standards.dsp import messages
from connector.storage.tables import Dataset, Negotiation, OutboxRow, Transfer
from tests.builders import OPERATOR, Answer, Heard, Puppet, Still, acknowledge, error
from tests.capabilities.conftest import US
from tests.capabilities.negotiating import agreed, agreement_for, crawled, opened, requested, verification

pytestmark = pytest.mark.usefixtures("fresh_peer")

Ours = Negotiation | Transfer


@pytest.fixture(autouse=True)
def quiet(house: Still) -> Iterator[None]:
    """Leave nothing for the next test to deliver."""
    yield
    with house.connector.database.begin(US) as work:
        for row in work.select(OutboxRow, col(OutboxRow.event) != "EvidenceRecorded"):
            work.delete(row)


def silent(ours: Ours, *states: Answer | str) -> Callable[[Heard], Answer]:
    """Return the script of a peer that takes everything without a word and, asked, says one state after the other."""
    left = list(states)
    kind = "ContractNegotiation" if isinstance(ours, Negotiation) else "TransferProcess"

    def answer(heard: Heard) -> Answer:
        if heard.method != "GET":
            return Answer(200)
        said = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(said, Answer):
            return said
        body = {"@type": kind, "consumerPid": "c", "providerPid": "p", "state": said}
        return Answer(200, json.dumps({"@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], **body}).encode())

    return answer


def told(peer: Puppet, part: str) -> list[Heard]:
    """Return what the peer was told under such a path."""
    return [heard for heard in peer.heard if heard.method == "POST" and heard.path.endswith(part)]


def looks(peer: Puppet) -> list[Heard]:
    """Return how the peer was asked for its state."""
    return [heard for heard in peer.heard if heard.method == "GET"]


def wait(house: Still, seconds: float = 1.0, times: int = 1) -> None:
    """Let time pass, and deliver what is due."""
    for _ in range(times):
        house.clock.move(seconds=seconds)
        house.drain()


def test_an_agreement_that_was_forgotten_is_sent_again(house: Still, peer: Puppet) -> None:
    """The peer took it, answered nothing, and says a second later that it has none: the same message comes again."""
    ours = opened(house, peer)
    peer.script = silent(ours, "REQUESTED", "AGREED")
    house.drain()
    assert (len(told(peer, "/agreement")), looks(peer)) == (1, [])
    wait(house)
    first, second = told(peer, "/agreement")
    assert first.message["@id"] == second.message["@id"]
    (look,) = looks(peer)
    assert look.path == f"/dsp/negotiations/{ours.peer_pid}"
    wait(house, 4.0)
    assert (len(looks(peer)), len(told(peer, "/agreement"))) == (2, 2)
    assert house.outbox(ours.pid) == []
    assert house.kinds(ours.pid).count("negotiation.agree") == 1


def test_who_says_its_state_is_never_asked(house: Still, peer: Puppet) -> None:
    """An answer that holds the state is proof enough: no second look, and nothing that waits."""
    ours = opened(house, peer)
    peer.script = acknowledge
    house.drain()
    wait(house, 100.0)
    assert (looks(peer), house.outbox(ours.pid)) == ([], [])


def test_what_went_on_meanwhile_is_not_asked_about(house: Still, peer: Puppet) -> None:
    """The peer's next message shows that it had ours."""
    ours = opened(house, peer)
    peer.script = silent(ours, "REQUESTED")
    house.drain()
    house.connector.negotiations.receive(ours.pid, verification(house, house.negotiation(ours.pid)), peer.principal())
    peer.script = acknowledge
    house.drain()
    wait(house, 100.0)
    assert (looks(peer), house.outbox(ours.pid)) == ([], [])


@pytest.mark.parametrize("answer", [Answer(404), Answer(501), Answer(503), Answer(200, b"<html>")])
def test_a_peer_that_does_not_say_is_asked_a_few_times(house: Still, peer: Puppet, answer: Answer) -> None:
    """Not every consumer shows its negotiations: it is asked ever more seldom, then left alone; nothing comes again."""
    ours = opened(house, peer)
    peer.script = silent(ours, answer)
    house.drain()
    for look in range(LOOKS):
        assert len(looks(peer)) == look
        wait(house, 4.0**look)
    wait(house, 1000.0, 3)
    assert (len(looks(peer)), len(told(peer, "/agreement"))) == (LOOKS, 1)
    assert (house.outbox(ours.pid), house.negotiation(ours.pid).state) == ([], "AGREED")


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_message_that_is_refused_the_second_time_ends_nothing(house: Still, peer: Puppet, status: int) -> None:
    """The peer may have found it between our look and our message."""
    ours = opened(house, peer)
    forgetful = silent(ours, "REQUESTED")
    peer.script = forgetful
    house.drain()
    peer.script = lambda heard: forgetful(heard) if heard.method == "GET" else error(status, "No.")
    wait(house)
    assert len(told(peer, "/agreement")) == 2
    assert house.negotiation(ours.pid).state == "AGREED"


def test_the_end_of_a_negotiation_is_looked_after_too(house: Still, peer: Puppet) -> None:
    """FINALIZED is the provider's last word; a consumer that forgot it would wait for ever."""
    ours = opened(house, peer)
    house.drain()
    house.connector.negotiations.receive(ours.pid, verification(house, house.negotiation(ours.pid)), peer.principal())
    peer.script = silent(ours, "AGREED", "VERIFIED", "FINALIZED")
    house.drain()
    wait(house)
    assert len(told(peer, "/events")) == 1  # it has not even heard our answer to its own last message
    wait(house, 4.0)
    assert [heard.message["eventType"] for heard in told(peer, "/events")] == ["FINALIZED"] * 2
    wait(house, 100.0, 3)
    assert len(told(peer, "/events")) == 2


def test_a_verification_and_a_termination_are_looked_after_as_consumer(house: Still, peer: Puppet) -> None:
    """What a provider forgot is sent again: our yes, and our no."""
    copy: Dataset = crawled(house)
    ours = requested(house, copy)
    house.drain()
    agreed(house, peer, ours, agreement_for(house, house.negotiation(ours.pid)))
    peer.script = silent(ours, "AGREED", "VERIFIED")
    house.drain()
    wait(house)
    assert len(told(peer, "/verification")) == 2
    house.connector.negotiations.terminate(requested(house, copy).pid, "No.", OPERATOR)


def test_a_start_that_was_forgotten_is_sent_again_with_a_fresh_token(house: Still, peer: Puppet) -> None:
    """A transfer that runs here and waits there gets its address a second time."""
    negotiation = opened(house, peer)
    house.drain()
    negotiations = house.connector.negotiations
    negotiations.receive(negotiation.pid, verification(house, house.negotiation(negotiation.pid)), peer.principal())
    house.drain()
    number = next(house.numbers)
    values: dict[str, Any] = {"agreement_id": house.negotiation(negotiation.pid).agreement_id}
    asked = messages.TransferRequestMessage(
        id=f"urn:message:{number}",
        consumer_pid=f"urn:theirs:{number}",
        format="HttpData-PULL",
        callback_address=peer.address,
        **values,
    )
    ours = house.connector.transfers.open(asked, peer.principal())
    peer.script = silent(ours, "REQUESTED", "STARTED")
    house.drain()
    wait(house)
    first, second = told(peer, "/start")
    assert first.message["@id"] == second.message["@id"]
    wait(house, 100.0, 3)
    assert len(told(peer, "/start")) == 2
    assert house.outbox(ours.pid) == []


def test_a_race_on_the_way_to_a_second_look_is_one(house: Still, peer: Puppet) -> None:
    """409 to the message that is sent again is tried again soon, as for the first."""
    ours = opened(house, peer)
    forgetful = silent(ours, "REQUESTED", "REQUESTED", "AGREED")
    peer.script = forgetful
    house.drain()
    peer.script = lambda heard: forgetful(heard) if heard.method == "GET" else error(409, "Busy.")
    wait(house)
    assert len(told(peer, "/agreement")) == 2
    peer.script = forgetful
    wait(house, timedelta(milliseconds=300).total_seconds())
    assert len(told(peer, "/agreement")) == 3
    assert house.negotiation(ours.pid).state == "AGREED"
