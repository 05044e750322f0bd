"""What happens by itself: scripts step by step, counter-offers, offers unasked, transfers that wait, timelines."""

from typing import Any

import pytest
from sqlmodel import col

from connector.capabilities.notices import NegotiationStepDue
from connector.capabilities.processes import timeline
from connector.errors import Conflict, Denied, IllegalMove, InvalidInput, NotFound
from connector.standards.dsp import messages
from connector.standards.odrl import templates
from connector.storage.tables import Agreement, Dataset, Negotiation, Transfer
from tests.builders import NOON, OPERATOR, RESEARCH, Answer, Heard, Puppet, Still, error
from tests.capabilities.conftest import PEER, US
from tests.capabilities.negotiating import agreement_for, asking, crawled, opened, requested, verification

pytestmark = pytest.mark.usefixtures("fresh_peer")


def scripted(house: Still, peer: Puppet, *script: dict[str, Any], template: str = "open") -> Negotiation:
    """Let the peer open a negotiation for an offer with this script."""
    offer = house.connector.offers.make(
        house.shelve(), templates.fill(template), "scripted", OPERATOR, script=list(script)
    )
    return house.connector.negotiations.open(asking(house, peer, offer), peer.principal())


def say(house: Still, peer: Puppet, ours: Negotiation, kind: Any, **fields: Any) -> Negotiation:
    """Let the peer say something in a negotiation."""
    mine, theirs = ours.pid, house.negotiation(ours.pid).peer_pid or f"urn:theirs:{ours.pid}"
    consumer, provider = (mine, theirs) if ours.role == "consumer" else (theirs, mine)
    message = kind(
        id=f"urn:message:{next(house.numbers)}", **{"consumer_pid": consumer, "provider_pid": provider} | fields
    )
    return house.connector.negotiations.receive(ours.pid, message, peer.principal())


def told(peer: Puppet, ours: Negotiation | Transfer) -> list[Heard]:
    """Return what the peer was told of one process: the house tells it of others' leftovers too."""
    return [heard for heard in peer.heard if ours.pid in heard.body.decode()]


def event(kind: str) -> dict[str, Any]:
    """Return the fields of an event message."""
    return {"kind": messages.ContractNegotiationEventMessage, "event_type": kind}


def test_a_script_goes_its_whole_way(house: Still, peer: Puppet) -> None:
    """Offer, agreement and end come in order, each when the consumer has brought the negotiation there."""
    ours = scripted(
        house,
        peer,
        {"on": "REQUESTED", "do": "offer"},
        {"on": "ACCEPTED", "do": "agree"},
        {"on": "VERIFIED", "do": "finalize"},
    )
    house.drain()
    assert (house.negotiation(ours.pid).state, house.negotiation(ours.pid).step) == ("OFFERED", 1)
    sent = messages.decode(told(peer, ours)[-1].body, messages.ContractOfferMessage)
    assert (sent.consumer_pid, sent.callback_address, sent.offer["target"]) == (ours.peer_pid, None, ours.dataset)
    say(house, peer, ours, **event("ACCEPTED"))
    house.drain()
    assert house.negotiation(ours.pid).state == "AGREED"
    house.connector.negotiations.receive(ours.pid, verification(house, ours), peer.principal())
    house.drain()
    assert house.negotiation(ours.pid).state == "FINALIZED"
    assert house.row(Agreement, house.negotiation(ours.pid).agreement_id).state == "active"


def test_a_delay_is_kept_and_survives_a_restart(house: Still, peer: Puppet) -> None:
    """A step waits in the outbox: not a moment early, and not lost with the process."""
    ours = scripted(house, peer, {"on": "REQUESTED", "do": "terminate", "after": 60, "reason": "Too late."})
    house.drain()
    house.clock.move(seconds=59)
    house.drain()
    assert (house.negotiation(ours.pid).state, told(peer, ours)) == ("REQUESTED", [])
    house.clock.move(seconds=1)
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.code, ours.reason) == ("TERMINATED", "scripted", ["Too late."])
    assert told(peer, ours)[-1].message["reason"] == ["Too late."]


def test_a_step_that_was_overtaken_is_dropped(house: Still, peer: Puppet) -> None:
    """What the other side did meanwhile counts; a late or repeated timer changes nothing."""
    ours = scripted(house, peer, {"on": "REQUESTED", "do": "agree", "after": 5})
    house.drain()
    say(house, peer, ours, messages.ContractNegotiationTerminationMessage, code="bored", reason=("Enough.",))
    house.clock.move(seconds=5)
    house.drain()
    house.connector.negotiations.act(NegotiationStepDue(subject=ours.pid, step=0), US)
    assert (house.negotiation(ours.pid).state, house.negotiation(ours.pid).step) == ("TERMINATED", 0)
    assert told(peer, ours) == []


def test_an_own_step_follows_an_own_step_once_the_peer_knows(house: Still, peer: Puppet) -> None:
    """Two moves of ours in a row: the second is made after the first was acknowledged, not before."""
    ours = scripted(house, peer, {"on": "REQUESTED", "do": "offer"}, {"on": "OFFERED", "do": "terminate"})
    house.drain()
    assert house.negotiation(ours.pid).state == "TERMINATED"
    theirs = f"/negotiations/{ours.peer_pid}"
    assert [heard.path.removeprefix("/dsp") for heard in told(peer, ours)] == [
        f"{theirs}/offers",
        f"{theirs}/termination",
    ]


def test_a_script_without_a_next_step_waits(house: Still, peer: Puppet) -> None:
    """An empty script is silence, and a counter-request after the last step is heard and left unanswered."""
    silent = scripted(house, peer)
    ours = scripted(house, peer, {"on": "REQUESTED", "do": "offer"})
    house.drain()
    assert house.negotiation(silent.pid).state == "REQUESTED"
    say(house, peer, ours, messages.ContractRequestMessage, offer=house.negotiation(ours.pid).policy)
    house.drain()
    assert (house.negotiation(ours.pid).state, len(told(peer, ours))) == ("REQUESTED", 1)
    with pytest.raises(IllegalMove):
        say(house, peer, ours, messages.ContractRequestMessage, offer=house.negotiation(ours.pid).policy)


def test_no_script_overrules_the_policy(house: Still, peer: Puppet) -> None:
    """What the terms forbid ends the negotiation with the reason, whatever the script would do."""
    ours = scripted(house, peer, {"on": "REQUESTED", "do": "agree"}, template="research-only")
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.code, ours.step) == ("TERMINATED", "policy", 0)


def test_a_changed_rule_is_for_what_comes(house: Still, peer: Puppet) -> None:
    """Who has begun under one rule goes on under it; the next request meets the new one."""
    first = opened(house, peer, "none")
    kept = house.connector.offers.automate(first.offer_id, "accept", [], OPERATOR)
    assert (kept.automation, house.kinds(first.offer_id)[-1]) == ("accept", "offer.automated")
    second = house.connector.negotiations.open(asking(house, peer, kept), peer.principal())
    house.drain()
    assert [house.negotiation(each.pid).state for each in (first, second)] == ["REQUESTED", "AGREED"]
    with pytest.raises(InvalidInput):
        house.connector.offers.automate(first.offer_id, "scripted", [{"on": "REQUESTED", "do": "verify"}], OPERATOR)


def test_a_person_answers_what_no_rule_does(house: Still, peer: Puppet) -> None:
    """Under `none` nothing waits visibly, and still a yes can be said by hand."""
    ours = opened(house, peer, "none")
    house.drain()
    assert house.connector.negotiations.approve(ours.pid, OPERATOR).state == "AGREED"


# --- other terms ------------------------------------------------------------------------------------------------------


def test_a_counter_offer_is_put_on_the_table_and_taken(house: Still, peer: Puppet) -> None:
    """The provider answers with other terms; when the consumer accepts, the agreement is on those."""
    ours = opened(house, peer, "approve")
    house.drain()
    ours = house.connector.negotiations.propose(ours.pid, templates.fill("attribution"), OPERATOR)
    assert (ours.state, ours.pending) == ("OFFERED", None)
    house.drain()
    sent = messages.decode(told(peer, ours)[-1].body, messages.ContractOfferMessage)
    assert sent.offer["@id"] != ours.offer_id
    say(house, peer, ours, **event("ACCEPTED"))
    house.drain()
    ours = house.negotiation(ours.pid)
    assert ours.state == "AGREED"
    assert house.row(Agreement, ours.agreement_id).policy["permission"] == sent.offer["permission"]


def test_a_counter_request_waits_for_a_person(house: Still, peer: Puppet) -> None:
    """`accept` is a yes to the offer's own terms, not to whatever a consumer writes into them."""
    ours = scripted(house, peer, {"on": "REQUESTED", "do": "offer"})
    house.drain()
    with house.connector.database.begin(US) as work:
        work.need(Negotiation, ours.pid, lock=True).automation = "accept"
    terms = {**templates.fill("attribution"), "@id": ours.offer_id, "@type": "Offer", "target": ours.dataset}
    say(house, peer, ours, messages.ContractRequestMessage, offer=terms)
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.pending, ours.agreement_id) == ("REQUESTED", "approval", None)
    assert house.connector.negotiations.approve(ours.pid, OPERATOR).state == "AGREED"


def test_other_terms_that_forbid_the_use_end_it(house: Still, peer: Puppet) -> None:
    """A consumer that writes a purpose into the terms and states none is refused by its own terms."""
    ours = scripted(house, peer, {"on": "REQUESTED", "do": "offer"})
    house.drain()
    terms = {**templates.fill("research-only"), "@id": ours.offer_id, "@type": "Offer", "target": ours.dataset}
    say(house, peer, ours, messages.ContractRequestMessage, offer=terms)
    house.drain()
    assert (house.negotiation(ours.pid).state, house.negotiation(ours.pid).code) == ("TERMINATED", "policy")


def test_an_old_timer_does_not_make_a_later_step(house: Still, peer: Puppet) -> None:
    """A state that came back has its own step with its own delay; the timer of the first one is over."""
    first, second = {"on": "REQUESTED", "do": "offer", "after": 1}, {"on": "REQUESTED", "do": "terminate", "after": 60}
    ours = scripted(house, peer, first, second)
    house.drain()
    house.clock.move(seconds=1)
    house.drain()
    say(house, peer, ours, messages.ContractRequestMessage, offer=house.negotiation(ours.pid).policy)
    house.drain()
    house.connector.negotiations.act(NegotiationStepDue(subject=ours.pid, step=0), US)
    assert (house.negotiation(ours.pid).state, house.negotiation(ours.pid).step) == ("REQUESTED", 1)
    house.clock.move(seconds=60)
    house.drain()
    assert house.negotiation(ours.pid).state == "TERMINATED"


def test_terms_that_are_not_understood_or_for_another_dataset_are_refused(house: Still, peer: Puppet) -> None:
    """Nobody is held to what we cannot read; the negotiation stays where it was."""
    ours = scripted(house, peer, {"on": "REQUESTED", "do": "offer"})
    house.drain()
    good = house.negotiation(ours.pid).policy
    odd = {
        "permission": [
            {"action": "use", "constraint": [{"leftOperand": "urn:x", "operator": "eq", "rightOperand": "1"}]}
        ]
    }
    for terms, words in (({**good, **odd}, "urn:x"), ({**good, "target": "urn:another"}, "urn:another")):
        with pytest.raises(InvalidInput, match=words):
            say(house, peer, ours, messages.ContractRequestMessage, offer=terms)
    assert house.negotiation(ours.pid).state == "OFFERED"
    with pytest.raises(InvalidInput):
        house.connector.negotiations.propose(ours.pid, odd, OPERATOR)


def test_it_is_not_our_turn_to_propose(house: Still, peer: Puppet) -> None:
    """Nobody proposes twice in a row."""
    ours = opened(house, peer, "approve")
    house.drain()
    house.connector.negotiations.propose(ours.pid, templates.fill("attribution"), OPERATOR)
    with pytest.raises(IllegalMove):
        house.connector.negotiations.propose(ours.pid, templates.fill("open"), OPERATOR)


@pytest.mark.parametrize("rule", ["accept", "approve", "none"])
@pytest.mark.parametrize("known", [True, False])
def test_a_consumer_takes_by_itself_only_what_it_said_it_would(
    house: Still, peer: Puppet, rule: Any, known: bool
) -> None:
    """Other terms are accepted at once when they are among those named beforehand; else a person decides, or nobody."""
    copy = crawled(house)
    accept = [copy.offers[0], templates.fill("attribution")]
    ours = requested(house, copy, accept=accept, rule=rule)
    house.drain()
    terms = templates.fill("attribution") if known else templates.fill("no-redistribution")
    offer = {**terms, "@id": "urn:other", "@type": "Offer", "target": copy.id}
    say(house, peer, ours, messages.ContractOfferMessage, offer=offer)
    house.drain()
    ours = house.negotiation(ours.pid)
    expected = {"accept": ("ACCEPTED", None) if known else ("OFFERED", "approval"), "approve": ("OFFERED", "approval")}
    assert (ours.state, ours.pending) == expected.get(rule, ("OFFERED", None))
    assert house.connector.negotiations.get(ours.pid).policy["permission"] == offer["permission"]


def test_a_consumer_asks_again_with_other_terms(house: Still, peer: Puppet) -> None:
    """A counter-request names the process and carries no callback address, and the offer keeps its id."""
    copy = crawled(house)
    ours = requested(house, copy)
    house.drain()
    offer = {**templates.fill("attribution"), "@id": "urn:other", "@type": "Offer", "target": copy.id}
    say(house, peer, ours, messages.ContractOfferMessage, offer=offer)
    house.drain()
    house.connector.negotiations.propose(ours.pid, templates.fill("open"), OPERATOR)
    house.drain()
    sent = messages.decode(told(peer, ours)[-1].body, messages.ContractRequestMessage)
    assert (sent.callback_address, sent.provider_pid) == (None, f"urn:theirs:{ours.pid}")
    assert sent.offer["@id"] == ours.offer_id
    assert told(peer, ours)[-1].path.removeprefix("/dsp") == f"/negotiations/urn:theirs:{ours.pid}/request"


def test_the_first_request_stays_the_first_request_on_every_try(house: Still, peer: Puppet) -> None:
    """A provider whose answer got lost and who already made an offer gets the same request again, not a new one."""
    copy = crawled(house)
    ours = requested(house, copy)
    peer.script = lambda _: error(503, "Later.")
    house.drain()
    offer = {**templates.fill("attribution"), "@id": "urn:other", "@type": "Offer", "target": copy.id}
    say(house, peer, ours, messages.ContractOfferMessage, offer=offer)
    house.clock.move(minutes=1)
    house.drain()
    bodies = [heard.message for heard in told(peer, ours) if heard.path.endswith("/negotiations/request")]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


# --- offers nobody asked for ------------------------------------------------------------------------------------------


def test_a_provider_opens_with_an_offer(house: Still, peer: Puppet) -> None:
    """The message says where to answer, and the consumer's id is learnt from its acknowledgement."""
    offer = house.offer(house.shelve(), "open", "accept")
    ours = house.connector.negotiations.offer(PEER, offer.id, OPERATOR, "urn:uuid:mine")
    assert house.connector.negotiations.offer(PEER, offer.id, OPERATOR, "urn:uuid:mine").pid == ours.pid
    peer.script = answering(ours.pid)
    house.drain()
    ours = house.negotiation(ours.pid)
    assert (ours.state, ours.peer_pid) == ("OFFERED", "urn:theirs")
    sent = messages.decode(told(peer, ours)[0].body, messages.ContractOfferMessage)
    assert (told(peer, ours)[0].path.removeprefix("/dsp"), sent.callback_address) == (
        "/negotiations/offers",
        house.connector.address,
    )
    say(house, peer, ours, **event("ACCEPTED"))
    house.drain()
    assert house.negotiation(ours.pid).state == "AGREED"
    with pytest.raises(NotFound):
        house.connector.negotiations.offer(PEER, "urn:none", OPERATOR)


def answering(pid: str) -> Any:
    """Return a consumer's answer to an offer that opens a negotiation."""
    body = messages.encode(messages.ContractNegotiation(consumer_pid="urn:theirs", provider_pid=pid, state="OFFERED"))
    return lambda _: Answer(201, body)


def test_an_offer_nobody_asked_for_waits_for_a_person(house: Still, peer: Puppet) -> None:
    """The same offer again is the same negotiation; the yes is said to the provider's process."""
    terms = {**templates.fill("open"), "@id": "urn:offer:1", "@type": "Offer", "target": "urn:their:dataset"}
    message = messages.ContractOfferMessage(
        id="urn:m:1", provider_pid="urn:theirs:7", callback_address=peer.address, offer=terms
    )
    ours = house.connector.negotiations.offered(message, peer.principal())
    assert house.connector.negotiations.offered(message, peer.principal()).pid == ours.pid
    house.drain()
    assert (house.negotiation(ours.pid).state, house.negotiation(ours.pid).pending) == ("OFFERED", "approval")
    house.connector.negotiations.approve(ours.pid, OPERATOR)
    house.drain()
    assert [heard.path.removeprefix("/dsp") for heard in told(peer, ours)] == ["/negotiations/urn:theirs:7/events"]
    agreement = {**agreement_for(house, ours), "permission": terms["permission"]}
    assert say(house, peer, ours, messages.ContractAgreementMessage, agreement=agreement).state == "AGREED"
    with pytest.raises(InvalidInput):
        house.connector.negotiations.offered(
            messages.ContractOfferMessage(
                provider_pid="urn:theirs:8",
                callback_address=peer.address,
                offer={**terms, "permission": [{"action": "fly"}]},
            ),
            peer.principal(),
        )


# --- transfers --------------------------------------------------------------------------------------------------------


def contract(house: Still, role: str, rule: Any, *script: dict[str, Any]) -> Agreement:
    """Return an agreement in force whose transfers live under a rule."""
    number = next(house.numbers)
    dataset = house.shelve() if role == "provider" else f"https://peer.example/datasets/{number}"
    parties = {"assigner": US, "assignee": PEER} if role == "provider" else {"assigner": PEER, "assignee": US}
    policy = {**templates.fill("open"), "@id": f"urn:agreement:{number}", "@type": "Agreement", "target": dataset}
    pid = f"urn:negotiation:{number}"
    house.add(
        Negotiation(
            participant=US, pid=pid, role=role, peer=PEER, peer_pid=f"urn:p:{number}", callback="http://x",
            state="FINALIZED",             dataset=dataset, offer_id="o", policy=policy, created=NOON, updated=NOON,
        ),
        Agreement(
            participant=US, id=policy["@id"], negotiation=pid, role=role, peer=PEER, dataset=dataset,
            policy={**policy, **parties}, state="active", created=NOON,
        ),
    )  # fmt: skip
    return house.connector.agreements.automate(policy["@id"], rule, list(script), OPERATOR)


def wanted(house: Still, peer: Puppet, under: Agreement) -> Transfer:
    """Let the peer ask for the data of an agreement."""
    number = next(house.numbers)
    message = messages.TransferRequestMessage(
        id=f"urn:message:{number}",
        consumer_pid=f"urn:theirs:{number}",
        agreement_id=under.id,
        format="HttpData-PULL",
        callback_address=peer.address,
    )
    return house.connector.transfers.open(message, peer.principal())


def test_a_transfers_script_goes_its_whole_way(house: Still, peer: Puppet) -> None:
    """Start, pause, start again and end, each after the other was acknowledged; only the first start is a use."""
    under = contract(
        house,
        "provider",
        "scripted",
        {"on": "REQUESTED", "do": "start", "after": 1},
        {"on": "STARTED", "do": "suspend", "after": 1, "reason": "Maintenance."},
        {"on": "SUSPENDED", "do": "start", "after": 1},
        {"on": "STARTED", "do": "complete", "after": 1},
    )
    ours = wanted(house, peer, under)
    for expected in ("REQUESTED", "STARTED", "SUSPENDED", "STARTED", "COMPLETED"):
        house.drain()
        assert house.transfer(ours.pid).state == expected
        house.clock.move(seconds=1)
    assert [heard.path.rpartition("/")[2] for heard in told(peer, ours)] == [
        "start",
        "suspension",
        "start",
        "completion",
    ]
    assert told(peer, ours)[1].message["reason"] == ["Maintenance."]
    assert house.row(Agreement, under.id).uses == 1


def test_a_consumers_script_answers_the_start(house: Still, peer: Puppet) -> None:
    """As consumer a script reacts to what the provider did."""
    under = contract(house, "consumer", "scripted", {"on": "STARTED", "do": "complete"})
    ours = house.connector.transfers.request(under.id, OPERATOR)
    house.drain()
    started = messages.TransferStartMessage(id="urn:s", consumer_pid=ours.pid, provider_pid=f"urn:theirs:{ours.pid}")
    house.connector.transfers.receive(ours.pid, started, peer.principal())
    house.drain()
    assert house.transfer(ours.pid).state == "COMPLETED"


def test_a_transfer_waits_for_a_person(house: Still, peer: Puppet) -> None:
    """Until somebody starts it nothing flows and no use is spent; it can be paused and gone on with."""
    under = contract(house, "provider", "approve")
    ours = wanted(house, peer, under)
    house.drain()
    ours = house.transfer(ours.pid)
    assert (ours.state, ours.pending, told(peer, ours), house.row(Agreement, under.id).uses) == (
        "REQUESTED",
        "approval",
        [],
        0,
    )
    assert house.connector.transfers.start(ours.pid, OPERATOR).pending is None
    house.connector.transfers.suspend(ours.pid, "Storage is full.", OPERATOR)
    assert house.connector.transfers.suspend(ours.pid, "Again.", OPERATOR).reason == ["Storage is full."]
    house.connector.transfers.start(ours.pid, OPERATOR)
    house.drain()
    assert [heard.path.rpartition("/")[2] for heard in told(peer, ours)] == ["start", "suspension", "start"]
    assert (house.transfer(ours.pid).state, house.row(Agreement, under.id).uses) == ("STARTED", 1)
    with pytest.raises(IllegalMove):
        house.connector.transfers.start(ours.pid, OPERATOR)


def test_a_suspended_transfer_of_an_ended_agreement_is_not_taken_up(house: Still, peer: Puppet) -> None:
    """A person cannot start what the agreement does not carry any more."""
    under = contract(house, "provider", "approve")
    ours = wanted(house, peer, under)
    house.drain()
    house.connector.agreements.terminate(under.id, "Over.", OPERATOR)
    with pytest.raises(Denied):
        house.connector.transfers.start(ours.pid, OPERATOR)


# --- what people see --------------------------------------------------------------------------------------------------


def test_the_timeline_tells_who_did_what_when_and_why(house: Still, peer: Puppet) -> None:
    """State, who, when, why and the message's id, and at the end what cannot be delivered."""
    ours = opened(house, peer, "approve")
    house.drain()
    house.clock.move(minutes=2)
    house.connector.negotiations.terminate(ours.pid, "We changed our mind.", OPERATOR)
    peer.script = lambda _: error(503, "Closed for lunch.")
    house.drain()
    story = timeline(house.evidence(ours.pid), house.connector.evidence.waiting(ours.pid))
    assert [(step["what"], step["state"], step["who"]) for step in story] == [
        ("request", "REQUESTED", PEER),
        ("decided", None, US),
        ("terminate", "TERMINATED", "operator"),
        ("waiting", None, "negotiations.send"),
    ]
    assert story[2]["why"] == ["We changed our mind."]
    assert story[2]["message"] == told(peer, ours)[-1].message["@id"]
    assert "Closed for lunch." in story[3]["why"][0]
    assert story[0]["message"].startswith("urn:message:")


def test_the_peers_code_and_reasons_are_kept_as_they_were_said(house: Still, peer: Puppet) -> None:
    """What the other side gave as code and reasons is what is shown, text or not."""
    ours = opened(house, peer, "approve")
    say(house, peer, ours, messages.ContractNegotiationTerminationMessage, code="E-42", reason=("¡No!", {"why": ["x"]}))
    ours = house.negotiation(ours.pid)
    assert (ours.code, ours.reason) == ("E-42", ["¡No!", {"why": ["x"]}])
    assert timeline(house.evidence(ours.pid))[-1]["why"] == ["¡No!", {"why": ["x"]}]


def test_nothing_to_approve_is_said(house: Still, peer: Puppet) -> None:
    """Saying yes where nothing waits is refused, and changes nothing."""
    ours = scripted(house, peer)
    house.drain()
    with pytest.raises(Conflict):
        house.connector.negotiations.approve(ours.pid, OPERATOR)


def test_copies_keep_their_rule(house: Still, peer: Puppet) -> None:
    """A consumer's rule is stored with its request."""
    copy = crawled(house)
    ours = requested(house, copy, rule="scripted", script=[{"on": "OFFERED", "do": "accept"}])
    assert house.rows(Negotiation, col(Negotiation.pid) == ours.pid)[0].script == [{"on": "OFFERED", "do": "accept"}]
    assert isinstance(house.row(Dataset, PEER, copy.id), Dataset)
    assert (ours.claims, ours.callback) == ({"purpose": RESEARCH}, peer.address)
