"""What both files about negotiations say: the peer's messages as consumer and as provider, and our own requests."""

from typing import Any

from connector.capabilities.agreements import SIGNATURE
from connector.capabilities.notices import PURPOSE
from connector.standards.dsp import messages
from connector.standards.odrl import templates
from connector.storage.tables import Dataset, Negotiation, Offer
from tests.builders import NOON, OPERATOR, RESEARCH, Puppet, Still
from tests.capabilities.conftest import PEER, US

# --- what a peer says as consumer -------------------------------------------------------------------------------------


def asking(house: Still, peer: Puppet, made: Offer, **changes: Any) -> messages.ContractRequestMessage:
    """Return the peer's request for one of our offers."""
    number = next(house.numbers)
    values: dict[str, Any] = {
        "id": f"urn:message:{number}",
        "consumer_pid": f"urn:theirs:{number}",
        "callback_address": peer.address,
        "offer": {**made.policy, "target": made.dataset},
    }
    return messages.ContractRequestMessage(**values | changes)


def opened(
    house: Still, peer: Puppet, automation: str = "accept", template: str = "open", **values: Any
) -> Negotiation:
    """Let the peer open a negotiation for a dataset of its own."""
    extra = {PURPOSE: values.pop("purpose")} if "purpose" in values else {}
    offer = house.offer(house.shelve(), template, automation, **values)
    return house.connector.negotiations.open(asking(house, peer, offer, extra=extra), peer.principal())


def verification(house: Still, ours: Negotiation, **changes: Any) -> messages.ContractAgreementVerificationMessage:
    """Return the peer's verification."""
    both: dict[str, Any] = {"consumer_pid": ours.peer_pid or "", "provider_pid": ours.pid}
    number = next(house.numbers)
    return messages.ContractAgreementVerificationMessage(**both, **{"id": f"urn:message:{number}", **changes})


# --- what we say as consumer ------------------------------------------------------------------------------------------


def crawled(house: Still) -> Dataset:
    """Return our copy of a dataset of the peer with one offer."""
    number = next(house.numbers)
    offer = {**templates.fill("research-only"), "@id": f"urn:offer:{number}", "@type": "Offer", "assigner": PEER}
    row = Dataset(
        participant=US,
        origin=PEER,
        id=f"https://peer.example/datasets/{number}",
        title="Sun",
        profile="",
        record=b"",
        fingerprint="f",
        offers=[offer],
        created=NOON,
        updated=NOON,
    )
    house.add(row)
    return row


def requested(house: Still, copy: Dataset, **changes: Any) -> Negotiation:
    """Ask the peer for its dataset."""
    values: dict[str, Any] = {"claims": {"purpose": RESEARCH}, "accept": "any", "by": OPERATOR}
    return house.connector.negotiations.request(PEER, copy.id, copy.offers[0]["@id"], **values | changes)


def agreement_for(house: Still, ours: Negotiation, **changes: Any) -> dict[str, Any]:
    """Return the agreement that the peer should send."""
    parties = {"assigner": PEER, "assignee": US, "target": ours.dataset, "timestamp": "2026-03-01T12:00:00Z"}
    rules = {key: ours.policy[key] for key in ("permission",)}
    found = {"@id": f"urn:agreement:{next(house.numbers)}", "@type": "Agreement", **parties, **rules, **changes}
    return {key: value for key, value in found.items() if value is not None}


def agreed(house: Still, peer: Puppet, ours: Negotiation, terms: dict[str, Any], signature: Any = ...) -> Negotiation:
    """Let the peer send its agreement, signed unless another signature is given."""
    signed = peer.sign(terms) if signature is ... else signature
    message = messages.ContractAgreementMessage(
        id=f"urn:message:{next(house.numbers)}",
        consumer_pid=ours.pid,
        provider_pid=f"urn:theirs:{ours.pid}",
        agreement=terms,
        extra={SIGNATURE: signed} if signed else {},
    )
    return house.connector.negotiations.receive(ours.pid, message, peer.principal())
