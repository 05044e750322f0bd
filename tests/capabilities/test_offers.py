"""Offers: the same terms are the same offer, and terms that nobody could enforce are none."""

import json
from typing import Any

import pytest
from sqlmodel import col

from connector.errors import InvalidInput, NotFound
from connector.standards.odrl import intake, templates
from connector.storage.tables import Offer
from tests.builders import OPERATOR, RESEARCH, Still
from tests.capabilities.conftest import US

ODRL = "http://www.w3.org/ns/odrl/2/"
PURPOSE = {"leftOperand": "odrl:purpose", "operator": "odrl:eq", "rightOperand": {"@id": RESEARCH}}
TIME = {
    "leftOperand": "odrl:dateTime",
    "operator": "odrl:lteq",
    "rightOperand": {"@value": "2027-12-31", "@type": "xsd:date"},
}


def policy(*constraints: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a policy with one permission."""
    return {"permission": [{"action": "odrl:use", "constraint": list(constraints)}], **more}


def test_an_offer_is_kept_recorded_and_announced(house: Still) -> None:
    """What is kept is what the catalog shows: with an id, a type, and us as the one who assigns."""
    dataset = house.shelve()
    made = house.connector.offers.make(dataset, policy(PURPOSE), "approve", OPERATOR)
    kept = house.row(Offer, made.id)
    assert (kept.dataset, kept.state, kept.automation) == (dataset, "open", "approve")
    assert (kept.policy["@id"], kept.policy["@type"], kept.policy["assigner"]) == (made.id, "Offer", US)
    assert "target" not in kept.policy
    assert intake.same(kept.policy, policy(PURPOSE))
    (evidence,) = house.evidence(made.id)
    assert (evidence.kind, evidence.actor, evidence.body["answer"]) == ("offer.made", "operator", "approve")
    assert evidence.body["policy"] == kept.policy
    assert [row.event for row in house.outbox(dataset)] == ["OfferMade"]


@pytest.mark.parametrize(
    "same",
    [
        policy(TIME, PURPOSE),
        policy(PURPOSE, TIME, **{"@id": "urn:x", "@type": "Set", "assigner": "urn:y", "target": "urn:z"}),
        json.loads(json.dumps(policy(PURPOSE, TIME)).replace("odrl:", ODRL)),
        json.loads(json.dumps(policy(PURPOSE, TIME)).replace("odrl:", "")),
        policy({"and": [TIME, PURPOSE]}),
        {"permission": {"action": "use", "constraint": [TIME, {**PURPOSE, "rightOperand": RESEARCH}]}},
    ],
    ids=["order", "names", "absolute", "bare", "and", "single"],
)
def test_the_same_terms_are_the_same_offer(house: Still, same: dict[str, Any]) -> None:
    """In another order or spelling, asked for again: one offer, one trace."""
    dataset = house.shelve()
    first = house.connector.offers.make(dataset, policy(PURPOSE, TIME), "accept", OPERATOR)
    second = house.connector.offers.make(dataset, same, "accept", OPERATOR)
    assert first.id == second.id
    assert len(house.connector.offers.all(dataset)) == 1
    assert house.kinds(first.id) == ["offer.made"]


def test_other_terms_and_other_datasets_are_other_offers(house: Still) -> None:
    """The id says dataset and terms, and both count."""
    one, other = house.shelve(), house.shelve()
    made = {
        house.connector.offers.make(dataset, terms, "accept", OPERATOR).id
        for dataset in (one, other)
        for terms in (policy(PURPOSE), policy(TIME), policy(PURPOSE, TIME), policy())
    }
    assert len(made) == 8
    assert len(house.connector.offers.all(one)) == 4
    assert {row.dataset for row in house.connector.offers.all()} >= {one, other}


UNKNOWN = [
    policy({**TIME, "leftOperand": "odrl:phaseOfTheMoon"}),
    policy({**TIME, "operator": "odrl:roughly"}),
    policy({**TIME, "rightOperand": "someday"}),
    {"permission": [{"action": "odrl:admire"}]},
    policy(TIME, prohibition=[{"action": "urn:x:sell"}]),
    policy(TIME, obligation=[{"action": "odrl:dance"}]),
    {"permission": []},
    {},
    {"permission": [{}]},
]


@pytest.mark.parametrize("terms", UNKNOWN)
def test_t22_terms_that_are_not_understood_are_refused(house: Still, terms: dict[str, Any]) -> None:
    """What could not be enforced is not offered, and nothing is kept."""
    dataset = house.shelve()
    with pytest.raises(InvalidInput):
        house.connector.offers.make(dataset, terms, "accept", OPERATOR)
    assert house.connector.offers.all(dataset) == []
    assert house.outbox(dataset) == []


def test_the_refusal_names_the_term(house: Still) -> None:
    """The provider is told which term it is and where it stands."""
    with pytest.raises(InvalidInput) as refused:
        house.connector.offers.make(house.shelve(), UNKNOWN[0], "accept", OPERATOR)
    assert "phaseOfTheMoon" in str(refused.value)


def test_a_closed_offer_is_opened_by_offering_again(house: Still) -> None:
    """Closing twice is closing once; the offer that comes back is the same one, with the answer asked for now."""
    dataset = house.shelve()
    offers = house.connector.offers
    made = offers.make(dataset, policy(PURPOSE), "accept", OPERATOR)
    for _ in range(2):
        assert offers.close(made.id, OPERATOR).state == "closed"
    assert house.kinds(made.id) == ["offer.made", "offer.closed"]
    assert [row.event for row in house.outbox(dataset)] == ["OfferMade", "OfferClosed"]
    again = offers.make(dataset, policy(PURPOSE), "approve", OPERATOR)
    assert (again.id, again.state, again.automation) == (made.id, "open", "approve")
    assert house.kinds(made.id) == ["offer.made", "offer.closed", "offer.made"]
    assert offers.make(dataset, policy(PURPOSE), "none", OPERATOR).automation == "none"
    assert house.row(Offer, made.id).automation == "none"
    with pytest.raises(NotFound):
        offers.close("urn:none", OPERATOR)


def test_an_offer_needs_a_dataset_of_ours_in_the_catalog(house: Still) -> None:
    """Nothing is offered of what is not there, not ours, or withdrawn."""
    gone = house.shelve(state="withdrawn")
    theirs = house.shelve(origin="did:web:peer.example")
    for dataset in ("urn:none", gone, theirs):
        with pytest.raises(NotFound):
            house.connector.offers.make(dataset, policy(), "accept", OPERATOR)
    assert house.rows(Offer, col(Offer.dataset).in_([gone, theirs])) == []


@pytest.mark.parametrize("template", [each.name for each in templates.templates()])
def test_every_template_can_be_offered(house: Still, template: str) -> None:
    """What ships is understood by the connector it ships with."""
    found = next(each for each in templates.templates() if each.name == template)
    values = {key: parameter.example for key, parameter in found.parameters.items()}
    made = house.connector.offers.from_template(house.shelve(), template, values, "accept", OPERATOR)
    assert intake.same(made.policy, templates.fill(template, **values))
