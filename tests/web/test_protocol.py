"""The Dataspace Protocol at the wire: what a peer may say, to which process, in which order, and what it gets back."""

import json
from typing import Any

import pytest

from connector.capabilities.identity import Principal
from connector.standards.dsp import messages
from connector.standards.dsp.schema import CONTEXT
from tests.web.conftest import OTHER, PEER, House

CALLBACK = "http://127.0.0.1:9/nobody"


@pytest.fixture
def opened(house: House) -> dict[str, Any]:
    """Open a negotiation as the peer and return its acknowledgement; a person decides, so nothing moves by itself."""
    space = house.running.space
    offer = space.offer(house.dataset, template="attribution", automation="approve")
    answer = say(house, "/negotiations/request", request(house, offer))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def request(house: House, offer: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a contract request for an offer."""
    terms = {**offer["policy"], "target": house.dataset}
    message = messages.ContractRequestMessage(
        id=f"urn:uuid:{changes.pop('message', house.running.connector.negotiations.new_id())}",
        consumer_pid=f"urn:uuid:{house.running.connector.negotiations.new_id()}",
        callback_address=CALLBACK,
        offer=terms,
    )
    return messages.dump(message) | changes


def say(house: House, path: str, message: dict[str, Any], who: str = PEER) -> Any:
    """Send a message as a peer, with a fresh proof."""
    return house.running.say(path, json.dumps(message).encode(), house.token(who))


def about(opened: dict[str, Any], kind: str, **more: Any) -> dict[str, Any]:
    """Return a message about an opened negotiation."""
    pids = {"consumerPid": opened["consumerPid"], "providerPid": opened["providerPid"]}
    context = [CONTEXT]
    return {"@context": context, "@type": kind, **pids, **more}


def test_a_request_opens_a_negotiation(opened: dict[str, Any]) -> None:
    """The acknowledgement is 201 with both ids and the state (clause 8.3.3)."""
    assert opened["@type"] == "ContractNegotiation"
    assert opened["state"] == "REQUESTED"
    assert opened["consumerPid"] != opened["providerPid"]


def test_the_same_request_again_is_the_same_negotiation(house: House) -> None:
    """A peer that lost our answer asks again and gets the process it opened."""
    offer = house.running.space.offer(house.dataset, template="attribution", automation="approve")
    message = request(house, offer)
    first, again = (say(house, "/negotiations/request", message).json() for _ in range(2))
    assert first == again


def test_t06_t07_another_peer_sees_what_a_stranger_to_it_sees(house: House, opened: dict[str, Any]) -> None:
    """A process of one peer does not exist for another: the same 404, letter by letter, as for no process at all."""
    theirs = house.running.say(f"/negotiations/{opened['providerPid']}", b"", house.token(OTHER), "GET")
    nobodys = house.running.say("/negotiations/urn:uuid:none", b"", house.token(OTHER), "GET")
    assert theirs.status_code == nobodys.status_code == 404
    blank = {opened["providerPid"]: "…", "urn:uuid:none": "…"}
    texts = [theirs.text, nobodys.text]
    for name, value in blank.items():
        texts = [text.replace(name, value) for text in texts]
    assert texts[0] == texts[1]
    ended = say(
        house,
        f"/negotiations/{opened['providerPid']}/termination",
        about(opened, "ContractNegotiationTerminationMessage"),
        OTHER,
    )
    assert ended.status_code == 404
    assert house.running.connector.negotiations.get(opened["providerPid"]).state == "REQUESTED"


@pytest.mark.parametrize(
    ("path", "kind", "more"),
    [
        ("agreement/verification", "ContractAgreementVerificationMessage", {}),
        ("events", "ContractNegotiationEventMessage", {"eventType": "ACCEPTED"}),
        ("events", "ContractNegotiationEventMessage", {"eventType": "FINALIZED"}),
    ],
)
def test_a_move_out_of_turn_is_400_and_changes_nothing(
    house: House, opened: dict[str, Any], path: str, kind: str, more: dict[str, Any]
) -> None:
    """What the state machine does not allow is refused with both ids, and the state stays."""
    answer = say(house, f"/negotiations/{opened['providerPid']}/{path}", about(opened, kind, **more))
    assert answer.status_code == 400
    error = messages.decode(answer.content, messages.ContractNegotiationError)
    assert (error.consumer_pid, error.provider_pid) == (opened["consumerPid"], opened["providerPid"])
    assert "may not" in error.reason[0]
    assert house.running.connector.negotiations.get(opened["providerPid"]).state == "REQUESTED"


def test_a_repeated_message_is_acknowledged_and_not_applied_again(house: House, opened: dict[str, Any]) -> None:
    """The same `@id` twice is one move, and so are the same words under a new one; other words are out of turn."""
    message = about(opened, "ContractNegotiationTerminationMessage", **{"@id": "urn:uuid:bye", "reason": ["No need."]})
    path = f"/negotiations/{opened['providerPid']}/termination"
    assert [say(house, path, message).status_code for _ in range(2)] == [200, 200]
    assert say(house, path, message | {"@id": "urn:uuid:bye-again"}).status_code == 200
    assert say(house, path, message | {"@id": "urn:uuid:bye-else", "reason": ["Or so."]}).status_code == 400
    assert house.running.connector.negotiations.get(opened["providerPid"]).reason == ["No need."]


def test_ids_that_do_not_fit_the_path_are_refused(house: House, opened: dict[str, Any]) -> None:
    """A message cannot be sent to one process and speak of another."""
    wrong = about(opened, "ContractNegotiationTerminationMessage") | {"providerPid": "urn:uuid:elsewhere"}
    assert say(house, f"/negotiations/{opened['providerPid']}/termination", wrong).status_code == 400


def test_t22_terms_that_were_changed_on_the_way_are_refused(house: House) -> None:
    """The offer is what we published: a request with a weaker rule is told what the offer says."""
    offer = house.running.space.offer(house.dataset, template="research-only", automation="accept")
    loosened = {**offer, "policy": {**offer["policy"], "permission": [{"action": "use"}]}}
    answer = say(house, "/negotiations/request", request(house, loosened))
    assert answer.status_code == 400
    assert "Research" in answer.text


def test_an_unknown_offer_is_404(house: House) -> None:
    """An offer that does not stand cannot be requested, with the protocol's error."""
    unknown = {"policy": {**house.offer["policy"], "@id": "urn:none"}}
    answer = say(house, "/negotiations/request", request(house, unknown))
    assert (answer.status_code, answer.json()["@type"]) == (404, "ContractNegotiationError")


@pytest.mark.parametrize(
    "address",
    [
        "ftp://peer.example/",
        "http://10.0.0.1/dsp",
        "http://user:word@peer.example/",
        "http://169.254.169.254/",
        "nonsense",
    ],
)
def test_t01_a_callback_that_must_not_be_called_is_refused(house: House, address: str) -> None:
    """An address inside our network, or of no web server, is refused when it comes, not when it is called."""
    answer = say(house, "/negotiations/request", request(house, house.offer, callbackAddress=address))
    assert answer.status_code == 400, answer.text


def test_the_catalog_is_read_by_our_own_reader_and_by_its_schema(house: House) -> None:
    """A trusted peer gets the dataset with its offer; a filter is refused, as the specification allows."""
    ask = messages.dump(messages.CatalogRequestMessage())
    answer = say(house, "/catalog/request", ask)
    assert answer.status_code == 200
    (dataset,) = answer.json()["dataset"]
    assert dataset["@id"] == house.dataset
    assert house.offer["id"] in {policy["@id"] for policy in dataset["hasPolicy"]}
    refused = say(house, "/catalog/request", ask | {"filter": ["anything"]})
    assert (refused.status_code, refused.json()["@type"]) == (400, "CatalogError")


def test_one_dataset_by_its_id(house: House) -> None:
    """The dataset endpoint answers for an id as it stands in the catalog, and 404 with a CatalogError otherwise."""
    found = house.running.say(f"/catalog/datasets/{house.dataset}", b"", house.token(), "GET")
    assert (found.status_code, found.json()["@id"]) == (200, house.dataset)
    none = house.running.say("/catalog/datasets/urn:none", b"", house.token(), "GET")
    assert (none.status_code, none.json()["@type"]) == (404, "CatalogError")


def test_a_transfer_needs_an_agreement_with_this_peer(house: House) -> None:
    """No agreement, no transfer: 404 with the protocol's error, as for a stranger's agreement."""
    message = messages.TransferRequestMessage(
        consumer_pid="urn:uuid:t", agreement_id="urn:uuid:none", format="HttpData-PULL", callback_address=CALLBACK
    )
    answer = say(house, "/transfers/request", messages.dump(message))
    assert (answer.status_code, answer.json()["@type"]) == (404, "TransferError")


BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "an array": b"[]",
    "deep": b"[" * 100_000,
    "a long number": b'{"consumerPid":' + b"9" * 5_000 + b"}",
    "not a number": b'{"consumerPid": NaN}',
    "a key twice": b'{"@id":"a","@id":"b"}',
    "half a character": b'{"consumerPid":"\\ud800"}',
    "no text": b"\xff\xfe",
    "NUL": b'{"consumerPid":"\\u0000"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize(
    "path",
    ["/catalog/request", "/negotiations/request", "/negotiations/urn:uuid:x/events", "/transfers/urn:uuid:x/start"],
)
def test_t12_no_body_breaks_a_route(house: House, path: str, body: bytes) -> None:
    """Whatever is sent, the answer is a refusal that says what is wrong, never a bug."""
    answer = house.running.say(path, body, house.token())
    assert answer.status_code in {400, 404}, answer.text
    assert answer.json()["@type"].endswith("Error")


def test_the_version_document_is_open(house: House) -> None:
    """Everyone may learn which versions we speak and where (clause 4.3)."""
    answer = house.running.call("GET", "/.well-known/dspace-version", key="")
    (version,) = answer.json()["protocolVersions"]
    assert house.running.url + version["path"] == house.running.address


def test_a_principal_of_a_peer_has_no_roles(house: House) -> None:
    """A peer that proved itself is a peer and nothing more."""
    found = house.running.connector.identity.authenticate_peer(f"Bearer {house.token()}")
    assert found == Principal(PEER, "peer", frozenset(), "A peer")
