"""What users of other connectors trip over: spellings, repetitions, lateness, and addresses that change."""

import json
from typing import Any

import pytest

from connector.standards import rdf
from connector.standards.dsp import messages
from connector.standards.dsp.schema import CONTEXT
from tests.web.conftest import OTHER, PEER, House
from tests.web.test_protocol import CALLBACK, about, request, say

NS = "https://w3id.org/dspace/2025/1/"


@pytest.fixture
def offer(house: House) -> dict[str, Any]:
    """Give an offer on which a person decides."""
    found: dict[str, Any] = house.running.space.offer(house.dataset, template="attribution", automation="approve")
    return found


def prefixed(message: dict[str, Any]) -> dict[str, Any]:
    """Write the terms of the protocol with their prefix, as some connectors do."""
    terms = {"consumerPid", "providerPid", "callbackAddress", "offer", "code", "reason", "eventType"}
    spelt = {f"dspace:{key}" if key in terms else key: value for key, value in message.items()}
    context = [{"dspace": NS, "odrl": "http://www.w3.org/ns/odrl/2/", "xsd": "http://www.w3.org/2001/XMLSchema#"}]
    return spelt | {"@context": context, "@type": f"dspace:{message['@type']}"}


@pytest.mark.parametrize("form", ["expanded", "expanded list", "another context"])
def test_a_request_in_any_spelling_of_json_ld_opens_a_negotiation(
    house: House, offer: dict[str, Any], form: str
) -> None:
    """The protocol's schema has one form; JSON-LD has many, and a peer that writes another one is understood."""
    message: Any = request(house, offer)
    pid = message["consumerPid"]
    match form:
        case "expanded list":
            message = rdf.expand(message)
        case "expanded":
            (message,) = rdf.expand(message)
        case _:
            message |= {"@context": [CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"]}
    answer = house.running.say("/negotiations/request", json.dumps(message).encode(), house.token())
    assert answer.status_code == 201, answer.text
    assert answer.json()["consumerPid"] == pid
    kept = house.running.connector.negotiations.get(answer.json()["providerPid"])
    assert (kept.offer_id, kept.dataset, kept.state) == (offer["id"], house.dataset, "REQUESTED")


def test_terms_with_a_prefix_are_the_terms(house: House, offer: dict[str, Any]) -> None:
    """`dspace:reason` with the prefix declared in the message is `reason`."""
    opened = say(house, "/negotiations/request", request(house, offer)).json()
    ending = about(opened, "ContractNegotiationTerminationMessage", code="7", reason=["Too dear."])
    answer = say(house, f"/negotiations/{opened['providerPid']}/termination", prefixed(ending))
    assert answer.status_code == 200, answer.text
    kept = house.running.connector.negotiations.get(opened["providerPid"])
    assert (kept.state, kept.code, kept.reason) == ("TERMINATED", "7", ["Too dear."])


def test_a_context_that_nobody_ships_is_refused_by_name(house: House, offer: dict[str, Any]) -> None:
    """Nothing is fetched to understand a message; the refusal names the address."""
    message = request(house, offer) | {
        "@context": ["https://contexts.example/v1.jsonld"],
        "@type": "dspace:ContractRequestMessage",
    }
    answer = say(house, "/negotiations/request", message)
    assert answer.status_code == 400
    assert "https://contexts.example/v1.jsonld" in answer.text


def test_the_callback_address_is_the_first_one(house: House, offer: dict[str, Any]) -> None:
    """Whoever repeats a request with another address moves nothing: answers go where the negotiation began."""
    message = request(house, offer)
    first = say(house, "/negotiations/request", message).json()
    again = say(house, "/negotiations/request", message | {"callbackAddress": "http://127.0.0.1:10/else"}).json()
    assert first == again
    assert house.running.connector.negotiations.get(first["providerPid"]).callback == CALLBACK


def test_a_counter_request_cannot_bring_an_address(house: House, offer: dict[str, Any]) -> None:
    """Only the first message may say where to answer; both at once is no valid message."""
    opened = say(house, "/negotiations/request", request(house, offer)).json()
    counter = request(house, offer) | {"providerPid": opened["providerPid"]}
    answer = say(house, f"/negotiations/{opened['providerPid']}/request", counter)
    assert answer.status_code == 400
    assert "callbackAddress" in answer.text


def test_the_same_consumer_pid_of_two_peers_is_two_negotiations(house: House, offer: dict[str, Any]) -> None:
    """Ids are each participant's own; nobody gets into another's process by guessing its id."""
    message = request(house, offer)
    mine, theirs = (say(house, "/negotiations/request", message, who).json() for who in (PEER, OTHER))
    assert mine["consumerPid"] == theirs["consumerPid"]
    assert mine["providerPid"] != theirs["providerPid"]


def test_what_comes_too_late_is_refused_and_what_comes_again_is_not(house: House, offer: dict[str, Any]) -> None:
    """After the end only a repetition of what was heard is acknowledged."""
    opened = say(house, "/negotiations/request", request(house, offer)).json()
    path = f"/negotiations/{opened['providerPid']}"
    ending = about(opened, "ContractNegotiationTerminationMessage", **{"@id": "urn:uuid:end", "reason": ["No."]})
    late = about(opened, "ContractAgreementVerificationMessage")
    assert say(house, f"{path}/agreement/verification", late).status_code == 400
    assert [say(house, f"{path}/termination", ending).status_code for _ in range(2)] == [200, 200]
    assert say(house, f"{path}/agreement/verification", late).status_code == 400
    assert house.running.connector.negotiations.get(opened["providerPid"]).state == "TERMINATED"


def test_a_message_without_an_id_is_known_by_its_content(house: House, offer: dict[str, Any]) -> None:
    """Peers that give their messages no id may repeat them too."""
    opened = say(house, "/negotiations/request", request(house, offer)).json()
    path = f"/negotiations/{opened['providerPid']}/termination"
    ending = about(opened, "ContractNegotiationTerminationMessage", reason=["Enough."])
    assert [say(house, path, ending).status_code for _ in range(2)] == [200, 200]
    assert say(house, path, ending | {"reason": ["Quite enough."]}).status_code == 400


def test_the_timeline_is_there_for_whoever_may_look(house: House, offer: dict[str, Any]) -> None:
    """Over HTTP the timeline has a line for each step, with the message's own id."""
    message = request(house, offer)
    opened = say(house, "/negotiations/request", message).json()
    told = house.running.call("GET", f"/api/negotiations/{opened['providerPid']}/timeline").json()
    assert (told[0]["who"], told[0]["what"], told[0]["state"]) == (PEER, "request", "REQUESTED")
    assert told[0]["message"] == message["@id"]
    assert house.running.call("GET", "/api/negotiations/urn:uuid:none/timeline").status_code == 404


def test_an_offer_that_opens_is_acknowledged_like_a_request(house: House) -> None:
    """A provider's first message is answered 201 with both ids (clause 8.3.7), and needs an address to answer to."""
    terms = {
        "@id": "urn:offer:theirs",
        "@type": "Offer",
        "target": "urn:dataset:theirs",
        "permission": [{"action": "use"}],
    }
    message = messages.dump(
        messages.ContractOfferMessage(
            id="urn:uuid:opening", provider_pid="urn:uuid:theirs", callback_address=CALLBACK, offer=terms
        )
    )
    answer = say(house, "/negotiations/offers", message)
    assert (answer.status_code, answer.json()["state"]) == (201, "OFFERED")
    assert answer.json()["providerPid"] == "urn:uuid:theirs"
    assert say(house, "/negotiations/offers", message).json() == answer.json()
    without = {**message, "consumerPid": "urn:uuid:x", "@id": "urn:uuid:2"}
    del without["callbackAddress"]
    assert say(house, "/negotiations/offers", without).status_code == 400
