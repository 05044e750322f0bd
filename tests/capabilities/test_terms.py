"""Licence and offer agree: an open licence is not offered closed, and what is of high value is not restricted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.capabilities import terms
from connector.errors import InvalidInput
from connector.standards import rdf
from connector.standards.dcat import openness
from connector.standards.odrl import templates
from connector.storage.tables import Offer
from tests.builders import NOON, OPERATOR, Still
from tests.capabilities.conftest import US
from tests.capabilities.test_datasets import record

LICENCE = openness.LICENCES
OPEN = {"open": templates.fill("open"), "attribution": templates.fill("attribution")}
CLOSED = {name: templates.fill(name) for name in ("research-only", "non-commercial", "eu-only", "no-redistribution")}


def dataset(licence: str = "", more: str = "", file: str = "") -> rdf.Triples:
    """Return a record with one distribution under a licence."""
    given = f" ; dct:license <{licence}>" if licence else ""
    text = f"""@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
    @prefix dcatap: <http://data.europa.eu/r5r/> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
    <urn:x:d> a dcat:Dataset ; dcat:distribution <urn:x:f>{more} . <urn:x:f> a dcat:Distribution{given}{file} ."""
    return rdf.parse(text.encode(), rdf.Format.TURTLE)


def said(record: rdf.Triples, *policies: dict[str, Any]) -> list[str]:
    """Return the contradictions of a record and its offers."""
    return terms.contradictions(record, "urn:x:d", {f"urn:o:{n}": each for n, each in enumerate(policies)}, NOON)


@pytest.mark.parametrize("code", ["CC0", "CC_BY_4_0", "CC_BYSA_4_0", "ODC_BL", "CC_PDM_1_0"])
@pytest.mark.parametrize("name", [*OPEN, *CLOSED])
def test_an_open_licence_and_a_closed_offer_contradict_each_other(code: str, name: str) -> None:
    """The finding names the licence, says why it is open, names the offer and says what closes it."""
    found = said(dataset(LICENCE + code), {**OPEN, **CLOSED}[name])
    assert bool(found) == (name in CLOSED)
    if found:
        (sentence,) = found
        assert LICENCE + code in sentence
        assert "urn:o:0" in sentence
        assert sentence.count(".") >= 3


@pytest.mark.parametrize("iri", ["", LICENCE + "CC_BYNC_4_0", LICENCE + "CC_BYND_4_0", "https://own.example/licence"])
def test_another_licence_or_none_may_be_offered_closed(iri: str) -> None:
    """A licence that restricts, one that nothing is known of, and none: the offer says what holds."""
    assert said(dataset(iri), *CLOSED.values()) == []


def test_one_closed_offer_among_open_ones_is_found() -> None:
    """Each offer is judged by itself."""
    assert len(said(dataset(LICENCE + "CC0"), OPEN["open"], CLOSED["eu-only"])) == 1
    elsewhere = dataset(more=f" ; dct:license <{LICENCE}CC0>")
    assert len(said(elsewhere, CLOSED["eu-only"])) == 1


HIGH = [
    f" ; dcatap:applicableLegislation <{openness.HIGH_VALUE}>",
    " ; dcatap:hvdCategory <http://data.europa.eu/bna/c_164e0bf5>",
]


@pytest.mark.parametrize("high", HIGH)
def test_what_is_of_high_value_may_not_be_restricted(high: str) -> None:
    """Not by access rights, not by its licence, not by an offer; each is a finding of its own."""
    fine = dataset(LICENCE + "CC_BY_4_0", high + f" ; dct:accessRights <{openness.ACCESS}PUBLIC>")
    assert said(fine, *OPEN.values()) == []
    assert len(said(fine, CLOSED["research-only"])) == 1
    restricted = dataset(LICENCE + "CC_BY_4_0", high + f" ; dct:accessRights <{openness.ACCESS}RESTRICTED>")
    assert "RESTRICTED" in said(restricted)[0]
    for code in ("CC_BYSA_4_0", "CC_BYNC_4_0", "CC_BYND_4_0"):
        (finding,) = said(dataset(LICENCE + code, high))
        assert code in finding
    (unknown,) = said(dataset("https://own.example/licence", high))
    assert "skos:exactMatch" in unknown
    assert said(dataset("", high)) == []
    assert len(said(dataset(LICENCE + "CC_BYNC_4_0", high + f" ; dct:accessRights <{openness.ACCESS}SENSITIVE>"))) == 2


def test_a_licence_of_ones_own_may_say_which_one_it_is() -> None:
    """By skos:exactMatch, as DCAT-AP for high-value datasets has it."""
    same = f" . <https://own.example/l> skos:exactMatch <{LICENCE}CC_BY_4_0>"
    assert said(dataset("https://own.example/l", HIGH[0], same)) == []
    assert len(said(dataset("https://own.example/l", "", same), CLOSED["eu-only"])) == 1


@given(
    st.sampled_from(["", "CC0", "CC_BY_4_0", "CC_BYNC_4_0", "CC_BYSA_4_0"]),
    st.sets(st.sampled_from([*OPEN, *CLOSED]), max_size=3),
    st.booleans(),
)
def test_what_agrees_still_agrees_with_less(code: str, names: set[str], high: bool) -> None:
    """Taking an offer away makes no new contradiction, and open offers make none at all."""
    triples = dataset(LICENCE + code if code else "", HIGH[0] if high else "")
    policies = {**OPEN, **CLOSED}
    whole = said(triples, *(policies[name] for name in sorted(names)))
    alone = [said(triples, policies[name]) for name in sorted(names)]
    own = said(triples)
    assert len(whole) == len(own) + sum(len(each) - len(own) for each in alone)
    assert said(triples, *OPEN.values()) == own
    closed = [name for name in names if name in CLOSED]
    assert len(whole) - len(own) == (len(closed) if high or code in {"CC0", "CC_BY_4_0", "CC_BYSA_4_0"} else 0)


# --- where it is asked ------------------------------------------------------------------------------------------------


def licensed(house: Still, code: str, **changes: Any) -> dict[str, Any]:
    """Return a record with a distribution under a licence."""
    found = record(house, **changes)
    found["distribution"] = [{"id": f"{found['id']}#file", "access_url": [found["id"]], "licence": LICENCE + code}]
    return found


def register(house: Still, document: dict[str, Any]) -> int:
    """Publish a record and return its version."""
    return house.connector.datasets.register(json.dumps(document).encode(), "application/json", OPERATOR).version


def test_a_closed_offer_for_open_data_is_refused(house: Still) -> None:
    """With the reasons and what to do; nothing is offered."""
    document = licensed(house, "CC_BY_4_0")
    register(house, document)
    with pytest.raises(InvalidInput) as refused:
        house.connector.offers.from_template(document["id"], "research-only", {}, "accept", OPERATOR)
    assert "CC_BY_4_0" in refused.value.reasons[0]
    assert refused.value.fix == terms.FIX
    assert house.connector.offers.all(document["id"]) == []
    assert house.connector.offers.from_template(document["id"], "attribution", {}, "accept", OPERATOR).state == "open"


def test_a_record_that_becomes_open_is_refused_while_it_is_offered_closed(house: Still) -> None:
    """The version before stays; once the offer is closed the record is taken."""
    document = licensed(house, "CC_BYNC_4_0")
    register(house, document)
    offer = house.connector.offers.from_template(document["id"], "non-commercial", {}, "accept", OPERATOR)
    opened = {**document, "distribution": [{**document["distribution"][0], "licence": LICENCE + "CC0"}]}
    with pytest.raises(InvalidInput, match="contradict"):
        register(house, opened)
    assert [each.number for each in house.connector.datasets.versions(document["id"])] == [1]
    house.connector.offers.close(offer.id, OPERATOR)
    assert register(house, opened) == 2
    assert house.row(Offer, offer.id).state == "closed"


def test_a_restricted_record_of_high_value_is_refused(house: Still) -> None:
    """Whoever says that a dataset is of high value says that it is open."""
    high = {"applicable_legislation": [openness.HIGH_VALUE], "access_rights": f"{openness.ACCESS}RESTRICTED"}
    with pytest.raises(InvalidInput, match="contradict"):
        register(house, licensed(house, "CC_BY_4_0", **high))
    assert register(house, licensed(house, "CC_BY_4_0", **{**high, "access_rights": f"{openness.ACCESS}PUBLIC"})) == 1
    assert house.participant == US
