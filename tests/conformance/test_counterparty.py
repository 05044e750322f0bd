"""The counterparty of the cases takes nothing that is not right: each demand, broken once."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.standards.dsp.negotiation import Role
from connector.standards.dsp.schema import CONTEXT
from tests.conformance.cases import CASES, Case, offer_from
from tests.conformance.conftest import World
from tests.conformance.counterparty import RULES, Counterparty, Talk, checked

CASE = {case.id: case for case in CASES}
HEADERS = {"Authorization": "secret", "Content-Type": "application/json"}
US, THEM = "did:web:us.example", "did:web:them.example"
Document = dict[str, Any]


@pytest.fixture
def counterparty() -> Iterator[Counterparty]:
    """Give a counterparty to which nobody speaks but the test."""
    made = Counterparty("http://127.0.0.1:9/dsp", US, THEM, "secret", "http://127.0.0.1:9")
    yield made
    made.close()


def opened(counterparty: Counterparty, case: str, state: str) -> Talk:
    """Return a process of a case, in a state."""
    talk = Talk(CASE[case], pid="urn:uuid:ours", theirs="urn:uuid:theirs")
    talk.state = talk.case.machine.State(state)
    counterparty.talks[talk.pid] = talk
    return talk


def document(talk: Talk, kind: str, **more: Any) -> Document:
    """Return a message of the connector about a process."""
    return {"@context": [CONTEXT], "@type": kind, "@id": "urn:uuid:message", **talk.pids, **more}


def agreement(seed: str) -> Document:
    """Return an agreement that is right."""
    parties = {"assigner": THEM, "assignee": US, "timestamp": "2026-01-01T00:00:00Z"}
    return {"@id": "urn:uuid:agreement", "@type": "Agreement", "target": seed, **parties, **copy.deepcopy(RULES)}


def start() -> Document:
    """Return a data address that is right."""
    properties = {"authorization": "token", "authType": "bearer"}
    written = [{"@type": "EndpointProperty", "name": name, "value": value} for name, value in properties.items()]
    kind = {"@type": "DataAddress", "endpointType": "https://w3id.org/idsa/v4.1/HTTP"}
    return {**kind, "endpoint": "https://them.example/data", "endpointProperties": written}


def test_what_is_right_is_taken(counterparty: Counterparty) -> None:
    """A strict counterparty is worth nothing if it refuses what is right."""
    talk = opened(counterparty, "CN:01-04", "REQUESTED")
    message = document(talk, "ContractAgreementMessage", agreement=agreement(talk.case.seed))
    path, body = f"/negotiations/{talk.pid}/agreement", json.dumps(message).encode()
    assert counterparty.hear(path, HEADERS, body) == (200, b"")
    assert (talk.state, talk.heard.get_nowait(), talk.faults) == ("AGREED", "agree", [])
    # The same message again is a repeat, not a second move.
    assert counterparty.hear(path, HEADERS, body)[0] == 200
    assert talk.heard.empty()


def test_who_asks_is_told_the_state(counterparty: Counterparty) -> None:
    """A connector that looks whether its message was taken finds it, and strangers find nothing."""
    talk = opened(counterparty, "CN:01-04", "AGREED")
    status, answer = counterparty.tell(f"/negotiations/{talk.pid}", HEADERS)
    assert (status, checked(answer, "ContractNegotiation")["state"]) == (200, "AGREED")
    assert counterparty.tell(f"/transfers/{talk.pid}", HEADERS)[0] == 404
    assert counterparty.tell(f"/negotiations/{talk.pid}", {"Authorization": "other"})[0] == 404
    assert counterparty.tell("/negotiations/nobody", HEADERS)[0] == 404


BROKEN: dict[str, Callable[[Document], object]] = {
    "bare context": lambda message: message.update({"@context": CONTEXT}),
    "foreign context alone": lambda message: message.update({"@context": ["https://example.org/context"]}),
    "prefixed type": lambda message: message.update({"@type": "dspace:ContractAgreementMessage"}),
    "other type": lambda message: message.update({"@type": "ContractOfferMessage"}),
    "no message id": lambda message: message.pop("@id"),
    "no pid": lambda message: message.pop("consumerPid"),
    "other pid": lambda message: message.update({"providerPid": "urn:uuid:other"}),
    "empty agreement": lambda message: message.update({"agreement": {}}),
    "empty rules": lambda message: message["agreement"].update({"permission": []}),
    "other rules": lambda message: message["agreement"].update({"permission": [{"action": "odrl:read"}]}),
    "other dataset": lambda message: message["agreement"].update({"target": "urn:tck:other"}),
    "other assigner": lambda message: message["agreement"].update({"assigner": US}),
    "other assignee": lambda message: message["agreement"].update({"assignee": THEM}),
    "no timestamp": lambda message: message["agreement"].pop("timestamp"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_not_right_is_refused(counterparty: Counterparty, what: str) -> None:
    """Schema, context, ids and terms of a message count, as for a peer that was written by somebody else."""
    talk = opened(counterparty, "CN:01-04", "REQUESTED")
    message = document(talk, "ContractAgreementMessage", agreement=agreement(talk.case.seed))
    BROKEN[what](message)
    status, _ = counterparty.hear(f"/negotiations/{talk.pid}/agreement", HEADERS, json.dumps(message).encode())
    assert status == 400
    assert talk.faults
    assert talk.state == "REQUESTED"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/negotiations/urn:uuid:nobody/agreement", {}),
        ("/negotiations/urn:uuid:ours/offers", {}),
        ("/negotiations/urn:uuid:ours/elsewhere", {}),
        ("/negotiations/urn:uuid:ours/agreement", {"Authorization": "other"}),
        ("/negotiations/urn:uuid:ours/agreement", {"Content-Type": "text/plain"}),
    ],
)
def test_address_and_proof_count(counterparty: Counterparty, path: str, headers: dict[str, str]) -> None:
    """A message to the wrong address, or from nobody, is none."""
    talk = opened(counterparty, "CN:01-04", "REQUESTED")
    message = document(talk, "ContractAgreementMessage", agreement=agreement(talk.case.seed))
    assert counterparty.hear(path, HEADERS | headers, json.dumps(message).encode())[0] == 400
    assert talk.faults


@pytest.mark.parametrize("state", ["OFFERED", "AGREED", "VERIFIED", "FINALIZED", "TERMINATED"])
def test_an_illegal_move_is_refused(counterparty: Counterparty, state: str) -> None:
    """What the protocol does not allow in this state is a fault of the connector."""
    talk = opened(counterparty, "CN:01-04", state)
    message = document(talk, "ContractAgreementMessage", agreement=agreement(talk.case.seed))
    body = json.dumps(message).encode()
    assert counterparty.hear(f"/negotiations/{talk.pid}/agreement", HEADERS, body)[0] == 400
    assert (talk.state, len(talk.faults)) == (state, 1)


@pytest.mark.parametrize("lost", ["endpoint", "endpointProperties", "authorization", "authType", "dataAddress"])
def test_a_start_says_where_the_data_is(counterparty: Counterparty, lost: str) -> None:
    """A consumer that gets no address and no token has got nothing."""
    talk = opened(counterparty, "TP:02-02", "REQUESTED")
    message = document(talk, "TransferStartMessage", dataAddress=start())
    address = message["dataAddress"]
    if lost in {"authorization", "authType"}:
        address["endpointProperties"] = [each for each in address["endpointProperties"] if each["name"] != lost]
    message.pop(lost, None)
    address.pop(lost, None)
    assert counterparty.hear(f"/transfers/{talk.pid}/start", HEADERS, json.dumps(message).encode())[0] == 400
    assert talk.faults


def test_a_request_opens_what_was_asked_for(counterparty: Counterparty) -> None:
    """The connector asks for the offer that it was told to, and is called back at its endpoints."""
    talk = Talk(CASE["CN_C:01-01"])
    seed = talk.case.seed
    offer = {"@id": offer_from(seed), "@type": "Offer", "target": seed, **RULES}
    message: Document = {
        "@context": [CONTEXT],
        "@type": "ContractRequestMessage",
        "@id": "urn:uuid:message",
        "consumerPid": "urn:uuid:theirs",
        "callbackAddress": "http://127.0.0.1:9/dsp",
        "offer": offer,
    }
    for broken in ({"callbackAddress": "http://127.0.0.1:9"}, {"offer": {**offer, "@id": "other"}}):
        counterparty.awaited[seed] = talk
        body = json.dumps(message | broken).encode()
        assert counterparty.hear("/negotiations/request", HEADERS, body)[0] == 400
    counterparty.awaited[seed] = talk = Talk(CASE["CN_C:01-01"])
    status, answer = counterparty.hear("/negotiations/request", HEADERS, json.dumps(message).encode())
    assert status == 200
    said = checked(answer, "ContractNegotiation")
    assert (said["consumerPid"], said["providerPid"], said["state"]) == ("urn:uuid:theirs", talk.pid, "REQUESTED")


@pytest.mark.parametrize(
    ("id_", "talk"),
    [
        ("CN:02-02", "<request >agree"),  # the connector keeps still
        ("CN:01-03", "<request >agree"),  # it offers
        ("CN:02-03", "<request >offer"),  # it agrees
        ("CN:01-04", "<request >agree <verify"),  # it goes on to finalize
        ("TP:02-05", "<request >start"),  # it keeps still
    ],
)
def test_a_connector_that_does_something_else_fails(
    world: World, monkeypatch: pytest.MonkeyPatch, id_: str, talk: str
) -> None:
    """A case that is played against other behaviour than its own is not passed."""
    monkeypatch.setattr("tests.conformance.counterparty.PATIENCE", 0.3)
    other = Case(id_, talk, "Not what the connector does.")
    assert other.role is Role.PROVIDER

    def play() -> None:
        found = world.counterparty.play(other)
        world.still(found.theirs)
        assert found.heard.empty()
        world.counterparty.look(found, other.states()[-1])

    with pytest.raises(AssertionError):
        play()
