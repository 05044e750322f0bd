"""Negotiations in both roles: who is told what, what is decided when, and on which terms."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlmodel import col

from connector.capabilities.agreements import SIGNATURE
from connector.capabilities.identity import new_key
from connector.capabilities.notices import PURPOSE
from connector.errors import Conflict, Denied, IllegalMove, InvalidInput, NotFound
from connector.standards.dsp import messages
from connector.standards.odrl import explain, intake, templates
from connector.standards.vc import keys, tokens
from connector.storage.tables import Agreement, Dataset, Negotiation, OutboxRow
from tests.builders import (
    CHINA,
    GERMANY,
    MARKETING,
    OPERATOR,
    RESEARCH,
    Puppet,
    Still,
    puppet,
)
from tests.capabilities.conftest import PEER, US
from tests.capabilities.negotiating import agreed, agreement_for, asking, crawled, opened, requested, verification

THIRD = "did:web:third.example"
pytestmark = pytest.mark.usefixtures("fresh_peer")


@pytest.fixture
def copy(house: Still) -> Dataset:
    """Give our copy of a dataset of the peer with one offer."""
    return crawled(house)


def test_an_offer_that_accepts_by_itself_is_agreed_to_at_once(house: Still, peer: Puppet) -> None:
    """The agreement has the rules that were asked for, both parties, and a signature that holds."""
    ours = opened(house, peer)
    assert (ours.state, house.kinds(ours.pid)) == ("REQUESTED", ["negotiation.request.received"])
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.pending) == ("AGREED", None)
    assert house.kinds(ours.pid) == ["negotiation.request.received", "policy.decided", "negotiation.agree"]
    assert peer.paths() == [f"/negotiations/{ours.peer_pid}/agreement"]
    sent = messages.decode(peer.heard[0].body, messages.ContractAgreementMessage)
    assert (sent.consumer_pid, sent.provider_pid) == (ours.peer_pid, ours.pid)
    terms = sent.agreement
    assert (terms["target"], terms["assigner"], terms["assignee"]) == (ours.dataset, US, PEER)
    assert (terms["@type"], terms["timestamp"]) == ("Agreement", f"{house.clock():%Y-%m-%dT%H:%M:%SZ}")
    assert terms["permission"] == ours.policy["permission"]
    tokens.verify_document(terms, sent.extra[SIGNATURE], house.connector.identity.public_keys())
    assert house.row(Agreement, terms["@id"]).state == "pending"
    assert house.outbox(ours.pid) == []


def test_a_verified_agreement_comes_into_force(house: Still, peer: Puppet) -> None:
    """With the consumer's signature both are kept as evidence, and FINALIZED is said."""
    ours = opened(house, peer)
    house.drain()
    ours = house.negotiation(ours.pid)
    agreement = house.row(Agreement, ours.agreement_id)
    signed = {SIGNATURE: peer.sign(agreement.policy)}
    house.connector.negotiations.receive(ours.pid, verification(house, ours, extra=signed), peer.principal())
    assert house.row(Agreement, ours.agreement_id).state == "pending"
    house.drain()
    assert house.negotiation(ours.pid).state == "FINALIZED"
    agreement = house.row(Agreement, ours.agreement_id)
    assert agreement.state == "active"
    assert agreement.signatures.keys() == {US, PEER}
    assert house.kinds(agreement.id) == ["agreement.signed", "agreement.active"]
    assert house.evidence(agreement.id)[0].body["not_signed_by"] == []
    assert peer.heard[-1].path.endswith(f"/negotiations/{ours.peer_pid}/events")
    assert peer.heard[-1].message["eventType"] == "FINALIZED"


def test_an_unsigned_verification_counts_and_is_marked(house: Still, peer: Puppet) -> None:
    """A peer that cannot sign does not wait for anybody; the evidence says who did not sign."""
    ours = opened(house, peer)
    house.drain()
    ours = house.negotiation(ours.pid)
    house.connector.negotiations.receive(ours.pid, verification(house, ours), peer.principal())
    house.drain()
    assert house.negotiation(ours.pid).state == "FINALIZED"
    assert house.evidence(str(ours.agreement_id))[0].body["not_signed_by"] == [PEER]


def test_a_false_countersignature_is_refused_and_changes_nothing(house: Still, peer: Puppet) -> None:
    """A signature that is there has to hold: over this agreement, with the consumer's key."""
    ours = opened(house, peer)
    house.drain()
    ours = house.negotiation(ours.pid)
    policy = house.row(Agreement, ours.agreement_id).policy
    foreign = new_key()
    for wrong in (
        peer.sign({**policy, "target": "urn:another"}),
        tokens.sign_document(policy, foreign, keys.key_id(PEER, foreign)),
        "no.signature.atall",
    ):
        with pytest.raises(InvalidInput, match="does not hold"):
            house.connector.negotiations.receive(
                ours.pid, verification(house, ours, extra={SIGNATURE: wrong}), peer.principal()
            )
    assert house.negotiation(ours.pid).state == "AGREED"
    assert house.row(Agreement, ours.agreement_id).signatures.keys() == {US}
    assert house.kinds(ours.pid)[-1] == "negotiation.agree"


def test_a_person_is_asked_where_the_offer_says_so(house: Still, peer: Puppet) -> None:
    """Until somebody approves nothing is said; then the agreement goes out, and nothing waits any more."""
    ours = opened(house, peer, "approve")
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.pending, peer.heard) == ("REQUESTED", "approval", [])
    assert house.connector.negotiations.approve(ours.pid, OPERATOR).state == "AGREED"
    house.drain()
    assert peer.paths() == [f"/negotiations/{ours.peer_pid}/agreement"]
    assert house.evidence(ours.pid)[-1].actor == "operator"
    with pytest.raises(Conflict):
        house.connector.negotiations.approve(ours.pid, OPERATOR)


def test_an_offer_without_automation_does_nothing(house: Still, peer: Puppet) -> None:
    """`none` leaves a request as it is until somebody speaks; ending it is possible without anything having waited."""
    ours = opened(house, peer, "none")
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.pending, peer.heard) == ("REQUESTED", None, [])
    house.connector.negotiations.terminate(ours.pid, "Not now.", OPERATOR)
    assert house.connector.negotiations.terminate(ours.pid, "Not now.", OPERATOR).state == "TERMINATED"
    house.drain()
    assert [heard.message["reason"] for heard in peer.heard] == [["Not now."]]


@pytest.mark.parametrize(
    ("template", "values", "purpose", "country", "said"),
    [
        ("research-only", {}, MARKETING, GERMANY, "'Marketing' is not allowed"),
        ("research-only", {}, None, GERMANY, "urpose"),
        ("eu-only", {}, None, CHINA, "China"),
        ("eu-only", {}, None, None, "place"),
        ("time-limited", {"until": "2026-02-28"}, None, GERMANY, "2026"),
        ("recipients-only", {"recipients": [THIRD]}, None, GERMANY, THIRD),
    ],
)
def test_a_policy_that_does_not_permit_ends_it_with_its_sentences(
    house: Still, template: str, values: dict[str, str], purpose: str | None, country: str | None, said: str
) -> None:
    """What is decided on is the purpose, the peer's country as we know it, and the moment; the peer hears why."""
    with puppet("did:web:refused.example") as peer:
        house.trust(peer, country)
        ours = opened(house, peer, template=template, **values, **({"purpose": purpose} if purpose else {}))
        house.drain()
        ours = house.negotiation(ours.pid)
        assert (ours.state, ours.code) == ("TERMINATED", "policy")
        (sent,) = peer.heard
        assert sent.path.endswith("/termination")
        assert sent.message["reason"] == ours.reason
        assert said in " ".join(ours.reason)
        decided = next(row.body for row in house.evidence(ours.pid) if row.kind == "policy.decided")
        assert decided == {"permitted": False, "reasons": ours.reason}
        assert house.rows(Agreement, col(Agreement.negotiation) == ours.pid) == []


@pytest.mark.parametrize(
    ("template", "values", "purpose"),
    [
        ("research-only", {}, RESEARCH),
        ("eu-only", {}, None),
        ("time-limited", {"until": "2036-12-31"}, None),
        ("counted", {"uses": "1"}, None),
        ("recipients-only", {"recipients": [PEER]}, None),
    ],
)
def test_a_policy_that_permits_is_agreed_to(
    house: Still, peer: Puppet, template: str, values: dict[str, str], purpose: str | None
) -> None:
    """The same offers, asked for by somebody they are for."""
    ours = opened(house, peer, template=template, **values, **({"purpose": purpose} if purpose else {}))
    house.drain()
    assert house.negotiation(ours.pid).state == "AGREED"


def test_t22_a_late_approval_is_held_to_the_policy_too(house: Still, peer: Puppet) -> None:
    """What was permitted when it was asked for, and is no longer when a person says yes, is not agreed to."""
    until = f"{house.clock():%Y-%m-%d}"
    ours = opened(house, peer, "approve", "time-limited", until=until)
    house.drain()
    assert house.negotiation(ours.pid).pending == "approval"
    house.clock.move(days=2)
    with pytest.raises(Denied):
        house.connector.negotiations.approve(ours.pid, OPERATOR)
    assert house.rows(Agreement, col(Agreement.negotiation) == ours.pid) == []


def test_t22_only_an_open_offer_as_it_stands_can_be_asked_for(house: Still, peer: Puppet) -> None:
    """Other rules, another dataset, a closed or unknown offer: refused, and nothing is kept."""
    offer = house.offer(house.shelve(), "research-only")
    other = house.shelve()
    terms = {**offer.policy, "target": offer.dataset}
    laxer = {**terms, "permission": [{"action": "odrl:use"}]}
    more = {**terms, "permission": [*terms["permission"], {"action": "odrl:use"}]}
    for wrong, refusal in (
        (laxer, InvalidInput),
        (more, InvalidInput),
        ({**terms, "target": other}, NotFound),
        ({**terms, "@id": "urn:none"}, NotFound),
    ):
        with pytest.raises(refusal):
            house.connector.negotiations.open(asking(house, peer, offer, offer=wrong), peer.principal())
    house.connector.offers.close(offer.id, OPERATOR)
    with pytest.raises(NotFound):
        house.connector.negotiations.open(asking(house, peer, offer), peer.principal())
    assert house.rows(Negotiation, col(Negotiation.offer_id) == offer.id) == []


def test_the_rules_may_be_written_differently(house: Still, peer: Puppet) -> None:
    """Order and spelling are the consumer's own: the same terms are the same terms."""
    offer = house.offer(house.shelve(), "research-only")
    spelled = json.loads(
        json.dumps({**offer.policy, "target": offer.dataset}).replace("odrl:", "http://www.w3.org/ns/odrl/2/")
    )
    ours = house.connector.negotiations.open(asking(house, peer, offer, offer=spelled), peer.principal())
    assert ours.state == "REQUESTED"


def test_nothing_new_is_agreed_on_a_withdrawn_dataset(house: Still, peer: Puppet) -> None:
    """A dataset that left the catalog cannot be asked for, though its offer was never closed."""
    offer = house.offer(house.shelve())
    house.connector.datasets.withdraw(offer.dataset, OPERATOR)
    with pytest.raises(NotFound):
        house.connector.negotiations.open(asking(house, peer, offer), peer.principal())


def test_t01_a_callback_that_must_not_be_called_opens_nothing(house: Still, peer: Puppet) -> None:
    """The address is judged before anything is kept."""
    offer = house.offer(house.shelve())
    for address in ("http://10.0.0.1/dsp", "file:///etc/passwd", "", None):
        with pytest.raises(InvalidInput):
            house.connector.negotiations.open(asking(house, peer, offer, callback_address=address), peer.principal())


@pytest.mark.parametrize("times", [8])
def test_a_request_that_comes_many_times_at_once_opens_one_negotiation(each_house: Still, times: int) -> None:
    """A consumer that lost our answer asks again, perhaps while the first is still being worked on."""
    with puppet(PEER) as peer:
        each_house.trust(peer)
        message = asking(each_house, peer, each_house.offer(each_house.shelve()))
        start = threading.Barrier(times)

        def ask(_: int) -> str:
            start.wait()
            return each_house.connector.negotiations.open(message, peer.principal()).pid

        with ThreadPoolExecutor(times) as pool:
            pids = set(pool.map(ask, range(times)))
        assert len(pids) == 1
        assert len(each_house.rows(Negotiation)) == 1
        each_house.drain()
        assert len(each_house.rows(Agreement)) == 1


def test_the_pids_of_two_peers_do_not_meet(house: Still, peer: Puppet) -> None:
    """Two consumers that chose the same id have a negotiation each."""
    with puppet(THIRD) as third:
        house.trust(third)
        offer = house.offer(house.shelve())
        message = asking(house, peer, offer)
        first = house.connector.negotiations.open(message, peer.principal())
        second = house.connector.negotiations.open(message, third.principal())
        assert first.pid != second.pid
        with pytest.raises(NotFound):
            house.connector.negotiations.receive(first.pid, verification(house, first), third.principal())


# --- what we say as consumer ------------------------------------------------------------------------------------------


def test_a_request_says_what_the_catalog_says(house: Still, peer: Puppet, copy: Dataset) -> None:
    """The offer goes out as it was crawled, with its target, our purpose and where to answer."""
    ours = requested(house, copy)
    assert (ours.state, ours.peer_pid) == ("REQUESTED", None)
    house.drain()
    (heard,) = peer.heard
    sent = messages.decode(heard.body, messages.ContractRequestMessage)
    assert heard.path == "/dsp/negotiations/request"
    assert sent.offer == {**copy.offers[0], "target": copy.id}
    assert (sent.consumer_pid, sent.callback_address) == (ours.pid, house.connector.address)
    assert sent.extra[PURPOSE] == RESEARCH
    assert heard.authorization.startswith("Bearer ")
    assert house.negotiation(ours.pid).peer_pid == f"urn:theirs:{ours.pid}"


def test_asking_twice_with_one_id_is_asking_once(house: Still, peer: Puppet, copy: Dataset) -> None:
    """A caller that does not know whether it was heard may ask again; another request under that id is refused."""
    first, second = (requested(house, copy, pid="urn:mine:1") for _ in range(2))
    assert first == second
    house.drain()
    assert len(peer.heard) == 1
    with pytest.raises(Conflict):
        requested(house, copy, pid="urn:mine:1", claims={})


def test_terms_that_we_do_not_accept_are_not_asked_for(house: Still, peer: Puppet, copy: Dataset) -> None:
    """The refusal shows the terms; the same terms in another spelling are accepted."""
    with pytest.raises(Denied) as refused:
        requested(house, copy, accept=[templates.fill("open")])
    assert refused.value.reasons == (explain.explain(intake.read(copy.offers[0])),)
    with pytest.raises(Denied):
        requested(house, copy, accept=[])
    for unknown in ("urn:no-offer",):
        with pytest.raises(NotFound):
            house.connector.negotiations.request(PEER, copy.id, unknown, {}, "any", OPERATOR)
    house.drain()
    assert peer.heard == []
    assert requested(house, copy, accept=[templates.fill("open"), templates.fill("research-only")]).state == "REQUESTED"


def test_an_agreement_as_requested_is_verified_and_signed(house: Still, peer: Puppet, copy: Dataset) -> None:
    """Our signature over the very agreement goes with the verification; FINALIZED puts it into force."""
    ours = requested(house, copy)
    house.drain()
    terms = agreement_for(house, ours)
    agreed(house, peer, ours, terms)
    house.drain()
    assert house.negotiation(ours.pid).state == "VERIFIED"
    sent = messages.decode(peer.heard[-1].body, messages.ContractAgreementVerificationMessage)
    tokens.verify_document(terms, sent.extra[SIGNATURE], house.connector.identity.public_keys())
    agreement = house.row(Agreement, terms["@id"])
    assert (agreement.state, agreement.policy, set(agreement.signatures)) == ("pending", terms, {US, PEER})
    event = messages.ContractNegotiationEventMessage(
        id=f"urn:message:{next(house.numbers)}",
        consumer_pid=ours.pid,
        provider_pid=f"urn:theirs:{ours.pid}",
        event_type="FINALIZED",
    )
    house.connector.negotiations.receive(ours.pid, event, peer.principal())
    assert house.row(Agreement, terms["@id"]).state == "active"
    assert house.kinds(terms["@id"]) == ["agreement.signed", "agreement.active"]


def test_an_agreement_without_a_signature_is_verified_and_marked(house: Still, peer: Puppet, copy: Dataset) -> None:
    """A connector of another kind does not sign; nothing waits for it, and the evidence says so."""
    ours = requested(house, copy)
    house.drain()
    terms = agreement_for(house, ours)
    agreed(house, peer, ours, terms, signature=None)
    house.drain()
    assert house.negotiation(ours.pid).state == "VERIFIED"
    assert house.evidence(terms["@id"])[0].body["not_signed_by"] == [PEER]


UNKNOWN = {"leftOperand": "urn:example:moon", "operator": "eq", "rightOperand": "full"}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("laxer", {"permission": [{"action": "odrl:use"}]}, "rules"),
    ("a prohibition more", {"prohibition": [{"action": "odrl:distribute"}]}, "rules"),
    ("a duty more", {"obligation": [{"action": "odrl:attribute"}]}, "rules"),
    ("a rule nobody understands", {"permission": [{"action": "odrl:use", "constraint": [UNKNOWN]}]}, "rules"),
    ("target", {"target": "urn:another"}, "target"),
    ("assignee", {"assignee": THIRD}, "assignee"),
    ("assigner", {"assigner": THIRD}, "assigner"),
]


@pytest.mark.parametrize(("changes", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_t22_an_agreement_that_is_not_what_was_asked_for_is_refused(
    house: Still, peer: Puppet, copy: Dataset, changes: dict[str, Any], said: str
) -> None:
    """However it was changed, and signed: we do not sign, we leave, and the provider is told why."""
    ours = requested(house, copy)
    house.drain()
    terms = agreement_for(house, ours, **changes)
    agreed(house, peer, ours, terms)
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.code) == ("TERMINATED", "agreement-refused")
    assert said in " ".join(ours.reason)
    assert peer.heard[-1].path.endswith("/termination")
    assert peer.heard[-1].message["reason"] == ours.reason
    agreement = house.row(Agreement, terms["@id"])
    assert (agreement.state, set(agreement.signatures)) == ("pending", {PEER})
    assert [row for row in house.outbox() if row.state == "failed"] == []


@pytest.mark.parametrize("how", ["other terms", "another key", "no signature"])
def test_a_false_signature_is_worse_than_none(house: Still, peer: Puppet, copy: Dataset, how: str) -> None:
    """A signature over other terms, or by another key, ends it."""
    ours = requested(house, copy)
    house.drain()
    terms = agreement_for(house, ours)
    match how:
        case "other terms":
            signature = peer.sign({**terms, "target": "urn:another"})
        case "another key":
            foreign = new_key()
            signature = tokens.sign_document(terms, foreign, keys.key_id(PEER, foreign))
        case _:
            signature = "rubbish"
    agreed(house, peer, ours, terms, signature=signature)
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.code) == ("TERMINATED", "agreement-refused")
    assert "signature" in ours.reason[0]


def test_nobody_walks_out_while_the_other_may_be_a_step_ahead(house: Still, peer: Puppet, copy: Dataset) -> None:
    """Who has verified cannot leave: the provider may hold the agreement to be in force already."""
    ours = requested(house, copy)
    house.drain()
    agreed(house, peer, ours, agreement_for(house, ours))
    house.drain()
    with pytest.raises(IllegalMove, match="VERIFIED"):
        house.connector.negotiations.terminate(ours.pid, "Changed my mind.", OPERATOR)
    assert house.negotiation(ours.pid).state == "VERIFIED"
    given = opened(house, peer)
    house.drain()
    with pytest.raises(IllegalMove, match="AGREED"):
        house.connector.negotiations.terminate(given.pid, "Changed my mind.", OPERATOR)


def test_changed_terms_wait_for_a_person(house: Still, peer: Puppet, copy: Dataset) -> None:
    """A counter-offer is never accepted by itself; accepted, the agreement has to be of the new terms."""
    ours = requested(house, copy)
    house.drain()
    other = {**templates.fill("open"), "@id": "urn:counter", "@type": "Offer", "target": ours.dataset}
    message = messages.ContractOfferMessage(
        id=f"urn:message:{next(house.numbers)}",
        consumer_pid=ours.pid,
        provider_pid=f"urn:theirs:{ours.pid}",
        offer=other,
    )
    house.connector.negotiations.receive(ours.pid, message, peer.principal())
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.pending, len(peer.heard)) == ("OFFERED", "approval", 1)
    house.connector.negotiations.approve(ours.pid, OPERATOR)
    house.drain()
    assert house.negotiation(ours.pid).state == "ACCEPTED"
    assert peer.heard[-1].message["eventType"] == "ACCEPTED"
    old = agreement_for(house, ours, permission=copy.offers[0]["permission"])
    new = agreement_for(house, ours, permission=other["permission"])
    assert not intake.same(old, new)
    agreed(house, peer, ours, new)
    house.drain()
    assert house.negotiation(ours.pid).state == "VERIFIED"


@pytest.fixture(autouse=True)
def quiet(house: Still) -> Iterator[None]:
    """Leave nothing for the next test to deliver."""
    yield
    with house.connector.database.begin(US) as work:
        for row in work.select(OutboxRow, col(OutboxRow.event) != "EvidenceRecorded"):
            work.delete(row)
