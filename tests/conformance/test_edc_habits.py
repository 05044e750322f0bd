"""With a counterparty that behaves as Eclipse EDC does: every habit that users of other connectors trip over."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connector.client import Hit, NegotiationTerminated
from connector.errors import Busy, PeerFailed
from connector.standards.dsp.messages import Family
from connector.web.problems import refused_to_peer
from tests.builders import Answer, Heard
from tests.conformance.edc.identity import MockJson, header
from tests.conformance.edc.steps import until
from tests.conformance.edc_like import CONTEXT, EDC, NS, EdcLike, edc_like, message, refusal
from tests.journeys.conftest import FILE
from tests.running import Running, running

OURS = "did:web:ours.example"
STRANGER = "did:web:stranger.example"
ID = f"{NS}id"
RULES = [
    {"action": "use", "constraint": [{"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "9"}]},
    {
        "action": "use",
        "constraint": [{"leftOperand": "odrl:dateTime", "operator": "lteq", "rightOperand": "2099-01-01"}],
    },
]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Serve a connector that believes EDC's mock identity."""
    with running(tmp_path_factory.mktemp("ours"), OURS, "Ours", authenticators=(MockJson(),)) as made:
        yield made


@pytest.fixture(scope="module")
def shelf(ours: Running) -> list[str]:
    """Publish three datasets: open, for research, and one with two rules in a certain order."""
    draft = ours.space.draft(FILE).record
    keys = []
    for name in ("a-open", "b-research", "c-rules"):
        key = f"{draft['id']}-{name}"
        file = {**draft["distribution"][0], "id": f"{key}#file"}
        ours.space.register({**draft, "id": key, "title": {"en": name}, "distribution": [file]})
        keys.append(key)
    ours.space.offer(keys[0], template="open", automation="accept")
    ours.space.offer(keys[1], template="research-only", automation="accept")
    ours.space.offer(keys[2], policy={"@type": "Offer", "permission": RULES}, automation="accept")
    return keys


@pytest.fixture
def edc(ours: Running) -> Iterator[EdcLike]:
    """Give the counterparty, fresh for each test."""
    with edc_like(ours) as made:
        yield made


def offer_of(ours: Running, dataset: str) -> dict[str, Any]:
    """Return our offer for a dataset, as the catalog has it."""
    found = ours.space.connection.get("/api/offers", dataset=dataset)
    return dict(found[0]["policy"])


def process(ours: Running, theirs: str) -> dict[str, Any]:
    """Return our negotiation with EDC's id `theirs`."""
    (found,) = [each for each in ours.space.connection.get("/api/negotiations") if each["peer_pid"] == theirs]
    return dict(found)


def reaches(ours: Running, theirs: str, state: str) -> dict[str, Any]:
    """Return our negotiation once it is in `state`."""
    until(lambda: process(ours, theirs)["state"] == state, f"the negotiation is {state}")
    return process(ours, theirs)


def told(edc: EdcLike, part: str) -> list[dict[str, Any]]:
    """Return the messages that EDC was sent under such a path."""
    return [heard.message for heard in edc.puppet.heard if part in heard.path and heard.method == "POST"]


def crawled(ours: Running, edc: EdcLike, *keys: str, **terms: Any) -> list[Hit]:
    """Let EDC offer datasets, crawl them, and return them."""
    edc.datasets = [edc.dataset(key, **terms) for key in keys]
    ours.space.crawl(EDC)
    return [Hit(ours.space.connection, EDC, key, key) for key in keys]


# --- identity ---------------------------------------------------------------------------------------------------------


def test_the_mock_identity_is_bare_json_both_ways(ours: Running, edc: EdcLike) -> None:
    """EDC answers 500 to anything but JSON with a region, and proves itself with the same."""
    crawled(ours, edc, "asset-1")
    shown = json.loads(edc.puppet.heard[0].authorization)
    assert (shown["clientId"], shown["audience"], bool(shown["region"])) == (OURS, EDC, True)
    assert edc.say("/catalog/request", message("CatalogRequestMessage")).status_code == 200


@pytest.mark.parametrize(
    "proof",
    [None, "Bearer abc", "{", "{}", "[]", "null", '{"clientId": 5}', '{"clientId": "did:web:unknown.example"}'],
)
def test_who_is_nobody_we_know_gets_an_error_object(edc: EdcLike, proof: str | None) -> None:
    """Whatever is wrong with the header, the answer is 401 in the protocol's words."""
    answer = edc.say("/catalog/request", message("CatalogRequestMessage"), authorization=proof)
    assert (answer.status_code, answer.json()["@type"]) == (401, "CatalogError")


# --- races ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 3])
def test_409_to_our_agreement_and_to_the_end_is_a_race(
    ours: Running, shelf: list[str], edc: EdcLike, times: int
) -> None:
    """EDC as consumer is not ready yet: the same message, with the same id, comes again until it is."""
    edc.early.update(agreement=times, events=times)
    asked = edc.request(shelf[0], offer_of(ours, shelf[0]))
    edc.say("/negotiations/request", asked)
    reaches(ours, asked["consumerPid"], "FINALIZED")
    until(lambda: len(told(edc, "/events")) == times + 1, "FINALIZED is said again")
    for part in ("/agreement", "/events"):
        assert len(told(edc, part)) == times + 1
        assert len({each["@id"] for each in told(edc, part)}) == 1


@pytest.mark.parametrize("times", [1, 3])
def test_409_to_our_verification_is_a_race(ours: Running, edc: EdcLike, times: int) -> None:
    """EDC as provider is not ready yet: the same verification comes again until it is."""
    (hit,) = crawled(ours, edc, "asset-1")
    edc.early.update(verification=times)
    assert hit.negotiate(accept="any").state["state"] == "active"
    assert len({each["@id"] for each in told(edc, "/verification")}) == 1
    assert len(told(edc, "/verification")) == times + 1


def test_a_verification_said_again_is_no_fault(ours: Running, shelf: list[str], edc: EdcLike) -> None:
    """EDC now and then forgets that it verified, and says it again as a new message: it must not get a 4xx."""
    asked = edc.request(shelf[0], offer_of(ours, shelf[0]))
    edc.say("/negotiations/request", asked)
    found = reaches(ours, asked["consumerPid"], "FINALIZED")
    pair = {"consumerPid": asked["consumerPid"], "providerPid": found["pid"]}
    path = f"/negotiations/{found['pid']}/agreement/verification"
    again = edc.say(path, message("ContractAgreementVerificationMessage", **pair))
    assert (again.status_code, again.json()["state"]) == (200, "FINALIZED")


# --- policies ---------------------------------------------------------------------------------------------------------


def test_an_agreement_has_the_rules_of_the_request_untouched(ours: Running, shelf: list[str], edc: EdcLike) -> None:
    """EDC compares rules with those it asked for: order, spelling and values made text come back as they came."""
    offer = offer_of(ours, shelf[2])
    terms = {**offer, "permission": [{**rule, "action": "odrl:use"} for rule in reversed(offer["permission"])]}
    asked = edc.request(shelf[2], terms)
    assert edc.say("/negotiations/request", asked).status_code == 201
    until(lambda: told(edc, "/agreement"), "the agreement")
    (said,) = told(edc, "/agreement")
    agreement = said["agreement"]
    assert agreement["permission"] == asked["offer"]["permission"] != offer["permission"]
    assert (agreement["assigner"], agreement["assignee"], agreement["target"]) == (OURS, EDC, shelf[2])
    assert agreement["timestamp"].endswith("Z")
    reaches(ours, asked["consumerPid"], "FINALIZED")


def test_terms_whose_values_became_text_are_ours(ours: Running, shelf: list[str], edc: EdcLike) -> None:
    """A list of purposes comes back from EDC as one text: it is our offer, and what it lacks is the purpose."""
    asked = edc.request(shelf[1], offer_of(ours, shelf[1]))
    assert isinstance(asked["offer"]["permission"][0]["constraint"][0]["rightOperand"], str)
    assert edc.say("/negotiations/request", asked).status_code == 201
    assert "purpose" in reaches(ours, asked["consumerPid"], "TERMINATED")["reason"][0]


def test_an_agreement_whose_terms_edc_rewrote_is_the_one_we_asked_for(ours: Running, edc: EdcLike) -> None:
    """`purpose` of the catalog is `odrl:purpose` in the agreement, and an IRI text of JSON; the rules are the same."""
    research = "https://w3id.org/dpv#AcademicResearch"
    constraint = {"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": [{"@id": research}]}
    (hit,) = crawled(ours, edc, "asset-1", permission=[{"action": "use", "constraint": [constraint]}])
    made = hit.negotiate(accept="any", purpose=research).state
    assert isinstance(made["policy"]["permission"][0]["constraint"][0]["rightOperand"], str)


# --- repeats and refusals ---------------------------------------------------------------------------------------------


def test_a_first_request_twice_is_one_negotiation(ours: Running, shelf: list[str], edc: EdcLike) -> None:
    """EDC would open two; here the id of its process makes it the same one, also as a new message."""
    edc.flow = False
    asked = edc.request(shelf[0], offer_of(ours, shelf[0]))
    answers = [edc.say("/negotiations/request", each) for each in (asked, asked, {**asked, "@id": "urn:again"})]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["providerPid"] for answer in answers}) == 1


def test_what_is_wrong_is_refused_in_the_protocols_words(ours: Running, shelf: list[str], edc: EdcLike) -> None:
    """Where EDC says 500, 409 or 200, we say what is wrong: no callback, wrong pids, strangers, an illegal message."""
    edc.flow = False
    offer = offer_of(ours, shelf[0])
    without = {key: value for key, value in edc.request(shelf[0], offer).items() if key != "callbackAddress"}
    assert edc.say("/negotiations/request", without).status_code == 400
    asked = edc.request(shelf[0], offer)
    pid = edc.say("/negotiations/request", asked).json()["providerPid"]
    reaches(ours, asked["consumerPid"], "AGREED")
    path, pair = (
        f"/negotiations/{pid}/agreement/verification",
        {"consumerPid": asked["consumerPid"], "providerPid": pid},
    )
    kind = "ContractAgreementVerificationMessage"
    for wrong in ({"consumerPid": "urn:other"}, {"providerPid": "urn:other"}):
        assert edc.say(path, message(kind, **pair | wrong)).status_code == 400
    accepted = message("ContractNegotiationEventMessage", **pair, eventType="ACCEPTED")
    illegal = edc.say(f"/negotiations/{pid}/events", accepted)
    assert (illegal.status_code, illegal.json()["@type"]) == (400, "ContractNegotiationError")
    assert process(ours, asked["consumerPid"])["state"] == "AGREED"
    assert edc.say("/negotiations/urn:none/agreement/verification", message(kind, **pair)).status_code == 404


def test_a_transfer_request_twice_is_one_transfer_and_needs_the_assignee(
    ours: Running, shelf: list[str], edc: EdcLike
) -> None:
    """The same process, whatever the message's id; nobody else's agreement, and no format that is not offered."""
    asked = edc.request(shelf[0], offer_of(ours, shelf[0]))
    edc.say("/negotiations/request", asked)
    agreement = reaches(ours, asked["consumerPid"], "FINALIZED")["agreement_id"]
    fields = {"consumerPid": "urn:t:1", "agreementId": agreement, "format": "HttpData-PULL"}
    fields["callbackAddress"] = edc.puppet.address
    answers = [edc.say("/transfers/request", message("TransferRequestMessage", **fields)) for _ in range(2)]
    assert len({answer.json()["providerPid"] for answer in answers}) == 1
    other = fields | {"format": "Parcel-PULL", "consumerPid": "urn:t:2"}
    unknown = edc.say("/transfers/request", message("TransferRequestMessage", **other))
    assert (unknown.status_code, unknown.json()["@type"]) == (400, "TransferError")
    key = {**edc.puppet.public_keys()["keys"][0], "kid": f"{STRANGER}#key"}
    ours.space.trust({"participant": STRANGER, "address": edc.puppet.address, "keys": {"keys": [key]}}, "Stranger")
    request = message("TransferRequestMessage", **fields)
    assert edc.say("/transfers/request", request, authorization=header(STRANGER, OURS)).status_code == 404
    until(lambda: told(edc, "/start"), "the start")
    names = {each["name"] for each in told(edc, "/start")[0]["dataAddress"]["endpointProperties"]}
    assert names >= {"authorization", "authType", *(NS + name for name in ("endpoint", "authorization", "authType"))}


@pytest.mark.parametrize(
    "refused",
    [
        refusal(400, "Policy in the contract agreement is not equal to the one in the contract offer"),
        refusal(404, "No negotiation with id x found"),
        Answer(404),
        Answer(400, b"<html>"),
    ],
    ids=["400", "404", "empty", "html"],
)
def test_a_refusal_of_edc_is_kept_word_for_word(ours: Running, edc: EdcLike, refused: Answer) -> None:
    """Its error objects have no pids and a status as code; code and reasons reach our people as they are."""
    (hit,) = crawled(ours, edc, "asset-1")
    edc.puppet.script = lambda heard: refused if heard.path.endswith("/request") else edc.answer(heard)
    with pytest.raises(NegotiationTerminated) as ended:
        hit.negotiate(accept="any")
    newest = ours.space.connection.get("/api/negotiations")[0]
    if b"reason" in refused.body:
        said = json.loads(refused.body)
        assert (newest["reason"], newest["code"]) == (said["reason"], said["code"])
    assert list(ended.value.reasons) == newest["reason"] != []


def test_a_page_of_html_with_500_passes(ours: Running, edc: EdcLike) -> None:
    """EDC's 500 is a page in Latin-1: nothing ends, and the same message comes again."""
    (hit,) = crawled(ours, edc, "asset-1")
    failures = [1]

    def script(heard: Heard) -> Answer:
        if heard.path.endswith("/negotiations/request") and failures.pop() if failures else False:
            return Answer(500, "<html>Fehler: ü</html>".encode("latin-1"), (("Content-Type", "text/html"),))
        return edc.answer(heard)

    edc.puppet.script = script
    assert hit.negotiate(accept="any").state["state"] == "active"
    first, second = told(edc, "/negotiations/request")
    assert first == second


def test_a_transient_fault_is_never_a_4xx() -> None:
    """EDC ends a process at the first 4xx, so what may pass is told with a 5xx."""
    families: tuple[Family, ...] = ("catalog", "negotiation", "transfer")
    for passing in (Busy("Later."), PeerFailed("Away.", retryable=True)):
        answered = [refused_to_peer(family, passing, b"").status_code or 0 for family in families]
        assert min(answered) >= 500


# --- catalogs ---------------------------------------------------------------------------------------------------------


def query(**terms: Any) -> dict[str, Any]:
    """Return EDC's catalog request, which always has a QuerySpec."""
    spec = {"@type": "QuerySpec", "limit": 50, "offset": 0, "sortOrder": "ASC", "filterExpression": []}
    return message("CatalogRequestMessage", filter=[spec | terms])


def test_edcs_own_query_is_answered_page_by_page(shelf: list[str], edc: EdcLike) -> None:
    """Its crawler pages until a short page comes: offset and limit are kept, and beyond the end is an empty catalog."""
    whole = edc.say("/catalog/request", query()).json()
    assert [each["@id"] for each in whole["dataset"]] == shelf
    pages = [edc.say("/catalog/request", query(offset=at, limit=2)).json().get("dataset", []) for at in (0, 2, 4)]
    assert [[each["@id"] for each in page] for page in pages] == [shelf[:2], shelf[2:], []]
    one = {"@type": "Criterion", "operandLeft": ID, "operator": "=", "operandRight": shelf[1]}
    (found,) = edc.say("/catalog/request", query(filterExpression=[one])).json()["dataset"]
    assert found["@id"] == shelf[1]


def test_what_edc_ignores_in_a_filter_we_refuse(edc: EdcLike) -> None:
    """Half an understood filter would be the answer to another question."""
    answer = edc.say("/catalog/request", query(nonsense=1))
    assert (answer.status_code, answer.json()["@type"]) == (400, "CatalogError")


def test_edcs_catalog_is_crawled_over_its_links(ours: Running, edc: EdcLike) -> None:
    """Pages by POST to `next`, `prev` beside it, a context that does not ship, ids that are no IRIs, base64 offers."""
    keys = [f"asset-{number}" for number in range(5)]
    hits = crawled(ours, edc, *keys)
    found = {each.id: each for each in ours.space.search(participant=EDC)}
    assert set(found) >= set(keys)
    pages = [heard for heard in edc.puppet.heard if heard.path.startswith("/dsp/catalog/request")]
    assert [heard.method for heard in pages] == ["POST"] * 3
    (offer,) = hits[0].offers
    assert offer["id"] == edc.datasets[0]["hasPolicy"][0]["@id"]
    hits[0].negotiate(accept="any")
    (asked,) = told(edc, "/negotiations/request")
    assert (asked["offer"]["@id"], asked["offer"]["target"]) == (offer["id"], "asset-0")


def test_an_empty_catalog_of_edc_leaves_the_key_out(ours: Running, edc: EdcLike) -> None:
    """No `dataset` at all means none, and what we had of it is withdrawn."""
    crawled(ours, edc, "asset-1")
    crawled(ours, edc)
    assert not list(ours.space.search(participant=EDC))


# --- forms ------------------------------------------------------------------------------------------------------------


def test_prefixed_and_expanded_messages_are_understood(ours: Running, shelf: list[str], edc: EdcLike) -> None:
    """A connector that does not compact says the same: prefixed with an inline context, or expanded."""
    edc.flow = False
    offer = offer_of(ours, shelf[0])
    space, odrl = "https://w3id.org/dspace/2025/1/", "http://www.w3.org/ns/odrl/2/"
    prefixed = {
        "@context": {"dspace": space, "odrl": odrl},
        "@type": "dspace:ContractRequestMessage",
        "@id": "urn:m:prefixed",
        "dspace:consumerPid": {"@id": "urn:c:prefixed"},
        "dspace:callbackAddress": edc.puppet.address,
        "dspace:offer": {
            "@id": offer["@id"],
            "@type": "odrl:Offer",
            "odrl:target": {"@id": shelf[0]},
            "odrl:permission": {"odrl:action": {"@id": "odrl:use"}},
        },
    }
    expanded = [
        {
            "@type": [f"{space}ContractRequestMessage"],
            "@id": "urn:m:expanded",
            f"{space}consumerPid": [{"@id": "urn:c:expanded"}],
            f"{space}callbackAddress": [{"@value": edc.puppet.address}],
            f"{space}offer": [
                {
                    "@id": offer["@id"],
                    "@type": [f"{odrl}Offer"],
                    f"{odrl}target": [{"@id": shelf[0]}],
                    f"{odrl}permission": [{f"{odrl}action": [{"@id": f"{odrl}use"}]}],
                }
            ],
        }
    ]
    for form in (prefixed, expanded):
        answer = edc.say("/negotiations/request", json.dumps(form).encode())
        assert answer.status_code == 201, answer.text
    assert CONTEXT[0] in answer.json()["@context"]


@pytest.mark.parametrize("kind", ["application/ld+json", "application/json;charset=utf-8", None])
def test_a_media_type_that_edc_refuses_is_taken(
    ours: Running, shelf: list[str], edc: EdcLike, kind: str | None
) -> None:
    """Derived types, parameters and none at all: it is what the body says that counts."""
    edc.flow = False
    asked = edc.request(shelf[0], offer_of(ours, shelf[0]))
    assert edc.say("/negotiations/request", asked, content_type=kind).status_code == 201


def test_a_context_that_we_do_not_know_beside_the_protocols_is_no_fault(
    ours: Running, shelf: list[str], edc: EdcLike
) -> None:
    """EDC refuses such a message; here it counts for nothing, and nothing is loaded for it."""
    edc.flow = False
    asked = edc.request(shelf[0], offer_of(ours, shelf[0])) | {"@context": [*CONTEXT, "https://context.example/v1"]}
    assert edc.say("/negotiations/request", asked).status_code == 201


def test_answers_come_in_every_form(ours: Running, edc: EdcLike) -> None:
    """200 or 201, without a Content-Type, in chunks, empty: each is a yes."""
    (hit,) = crawled(ours, edc, "asset-1")

    def script(heard: Heard) -> Answer:
        answer = edc.answer(heard)
        if heard.path.endswith("/negotiations/request"):
            return Answer(201, answer.body, chunked=True)
        return Answer(204) if heard.path.endswith("/verification") else answer

    edc.puppet.script = script
    made = hit.negotiate(accept="any")
    assert made.state["state"] == "active"
    transfer = made.transfer()
    access = ours.space.connection.post(f"/api/transfers/{transfer.id}/access")
    named = {each["name"]: each["value"] for each in access["endpointProperties"]}
    assert access["endpoint"] == f"{edc.puppet.address}/public"
    assert (named["authorization"], named["authType"]) == ("eyJ.a.b", "bearer")


def test_a_transfer_ends_and_pauses_in_edcs_words(ours: Running, edc: EdcLike) -> None:
    """Suspension and termination without a code, the reason as one text: kept and shown as they came."""
    (hit,) = crawled(ours, edc, "asset-1")
    transfer = hit.negotiate(accept="any").transfer()
    pair = {"consumerPid": transfer.state["pid"], "providerPid": transfer.state["peer_pid"]}
    for part, kind, state in (
        ("suspension", "TransferSuspensionMessage", "SUSPENDED"),
        ("termination", "TransferTerminationMessage", "TERMINATED"),
    ):
        said = edc.say(f"/transfers/{pair['consumerPid']}/{part}", message(kind, **pair, reason=["Wartung: ü."]))
        assert said.status_code == 200
        assert (transfer.state["state"], transfer.state["reason"]) == (state, ["Wartung: ü."])
    again = edc.say(f"/transfers/{pair['consumerPid']}/termination", message(kind, **pair, reason=["Wartung: ü."]))
    assert again.status_code == 200
