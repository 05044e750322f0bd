"""Small worlds of policies, as wire documents and as typed values, and the facts they are judged by."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from connector.standards.odrl import terms
from connector.standards.odrl.decide import Facts
from connector.standards.odrl.operands import OPERANDS
from connector.standards.odrl.policy import (
    Condition,
    Constraint,
    Day,
    Junction,
    Kind,
    Logical,
    Operator,
    Policy,
    Rule,
    Value,
)

DPV = "https://w3id.org/dpv#"
COUNTRY = "http://publications.europa.eu/resource/authority/country/"
CONTINENT = "http://publications.europa.eu/resource/authority/continent/"

PURPOSES = (
    "Purpose ResearchAndDevelopment AcademicResearch CommercialResearch CommercialPurpose Marketing Advertising".split()  # noqa: SIM905
)
PLACES = [COUNTRY + "DEU", COUNTRY + "CHN", COUNTRY + "TUR", COUNTRY + "EUR", CONTINENT + "EUROPE", CONTINENT + "ASIA"]
PEOPLE = ["did:web:weather.example", "did:web:energy.example", "did:web:city.example"]
DATES = ["2026-03-01", "2026-03-02", "2026-12-31"]
ACTIONS = ["use", "odrl:read", "odrl:play", "odrl:display", "odrl:distribute", "odrl:transfer", "odrl:sell"]
OWED = ["odrl:compensate", "odrl:delete"]
START = datetime(2026, 3, 1, tzinfo=UTC)
MOMENTS = [START - timedelta(microseconds=1), START, START + timedelta(hours=30), datetime(2027, 1, 1, tzinfo=UTC)]

ORDER = ["eq", "neq", "lt", "lteq", "gt", "gteq"]


def one(values: list[str], write: Callable[[str], Any]) -> st.SearchStrategy[Any]:
    """Return one value in wire form."""
    return st.sampled_from(values).map(write)


@cache  # building a strategy costs more than drawing from it
def atoms() -> st.SearchStrategy[dict[str, Any]]:
    """Return atomic constraints in wire form, over every operand and operator."""
    purposes = [DPV + name for name in PURPOSES]

    def listed(values: list[str]) -> st.SearchStrategy[Any]:
        return st.lists(st.sampled_from(values).map(lambda iri: {"@id": iri}), min_size=1, max_size=3)

    def made(left: str, operators: list[str], right: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
        names = st.sampled_from(operators)
        return st.builds(lambda op, value: {"leftOperand": left, "operator": op, "rightOperand": value}, names, right)

    return st.one_of(
        made("odrl:purpose", ["eq", "neq", "isA"], one(purposes, lambda iri: {"@id": iri})),
        made("odrl:purpose", ["isAnyOf", "isNoneOf"], listed(purposes)),
        made("odrl:spatial", ["eq", "neq", "isA", "isPartOf"], one(PLACES, lambda iri: {"@id": iri})),
        made("odrl:spatial", ["isAnyOf", "isNoneOf"], listed(PLACES)),
        made("odrl:recipient", ["eq", "neq"], one(PEOPLE, lambda iri: {"@id": iri})),
        made("odrl:recipient", ["isAnyOf", "isNoneOf"], listed(PEOPLE)),
        made("odrl:count", ORDER, one(["0", "1", "3"], lambda text: {"@value": text, "@type": "xsd:integer"})),
        made("odrl:dateTime", ORDER, one(DATES, lambda text: {"@value": text, "@type": "xsd:date"})),
        made(
            "odrl:dateTime",
            ORDER,
            one([moment.isoformat() for moment in MOMENTS], lambda text: {"@value": text, "@type": "xsd:dateTime"}),
        ),
    )


@cache
def conditions() -> st.SearchStrategy[dict[str, Any]]:
    """Return atomic and logical constraints in wire form, nested three deep at most."""

    def join(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        junctions = st.sampled_from(["and", "or", "xone", "andSequence"])
        return st.builds(lambda name, parts: {name: parts}, junctions, st.lists(inner, min_size=1, max_size=3))

    return st.one_of(atoms(), join(st.one_of(atoms(), join(atoms()))))


@cache
def lists(items: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[list[Any]]:
    """Return lists of `items`, `most` long at most."""
    return st.lists(items, max_size=most)


@st.composite
def wire_rules(draw: st.DrawFn, actions: list[str], *, duties: bool = False) -> dict[str, Any]:
    """Return one rule in wire form."""
    rule: dict[str, Any] = {"action": draw(st.sampled_from(actions))}
    if parts := draw(lists(conditions(), 3)):
        rule["constraint"] = parts
    if duties and (owed := draw(lists(DUTIES, 2))):
        rule["duty"] = owed
    return rule


DUTIES = wire_rules(OWED)
FORBIDDEN = wire_rules(ACTIONS)
PERMITTED = st.lists(wire_rules(ACTIONS, duties=True), min_size=1, max_size=3)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return a policy in wire form with at least one permission."""
    document: dict[str, Any] = {"@type": "Offer", "@id": "urn:offer:1"}
    document["permission"] = draw(PERMITTED)
    if forbidden := draw(lists(FORBIDDEN, 2)):
        document["prohibition"] = forbidden
    if owed := draw(lists(DUTIES, 1)):
        document["obligation"] = owed
    if draw(st.booleans()):
        document["assignee"] = PEOPLE[0]
    return document


@cache
def facts() -> st.SearchStrategy[Facts]:
    """Return what may be known about a use; anything but the time may be missing."""
    return st.builds(
        Facts,
        now=st.sampled_from(MOMENTS),
        purpose=st.sampled_from([None, "urn:purpose:of-my-own", *(DPV + name for name in PURPOSES)]),
        recipient=st.sampled_from([None, *PEOPLE]),
        spatial=st.sampled_from([None, *PLACES]),
        count=st.sampled_from([None, 1, 2, 3, 4]),
        fulfilled=st.frozensets(st.sampled_from(OWED)),
    )


@cache
def instants() -> st.SearchStrategy[datetime]:
    """Return UTC instants."""
    return st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@cache
def _right(left: str) -> st.SearchStrategy[Value]:
    if left == terms.ODRL + "dateTime":
        minutes = st.integers(-14 * 60, 14 * 60).map(lambda shift: timedelta(minutes=shift))
        midnights = instants().map(lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0))
        return st.one_of(instants(), st.builds(lambda start, shift: Day(start + shift), midnights, minutes))
    if left == terms.ODRL + "count":
        return st.integers(0, 10**12 - 1)
    if left == terms.ODRL + "purpose":
        return st.sampled_from([DPV + name for name in PURPOSES])
    return st.sampled_from(PLACES if left == terms.ODRL + "spatial" else PEOPLE)


NAMES = st.none() | st.sampled_from(["urn:uuid:1", "https://provider.example/offers/7", "did:web:weather.example"])


@st.composite
def constraints(draw: st.DrawFn) -> Constraint:
    """Return a typed constraint that intake could have read."""
    operand = draw(st.sampled_from(list(OPERANDS.values())))
    operator = draw(st.sampled_from(operand.operators))
    most = 3 if operator.takes_many else 1
    right = draw(st.lists(_right(operand.iri), min_size=1, max_size=most))
    return Constraint(operand.iri, Operator(operator), tuple(right), draw(NAMES))


@cache
def typed_conditions() -> st.SearchStrategy[Condition]:
    """Return typed conditions, nested three deep at most."""

    def join(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Logical]:
        members = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.builds(Logical, st.sampled_from(Junction), members, NAMES)

    return st.one_of(constraints(), join(st.one_of(constraints(), join(constraints()))))


@cache
def _rules(*, duties: bool) -> st.SearchStrategy[Rule]:
    owed: st.SearchStrategy[tuple[Rule, ...]] = st.just(())
    if duties:
        owed = st.lists(_rules(duties=False), max_size=2).map(tuple)
    parts = st.lists(typed_conditions(), max_size=3).map(tuple)
    return st.builds(Rule, st.sampled_from(list(terms.ACTIONS)), parts, owed, NAMES)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return a typed policy that intake could have read."""
    plain = st.lists(_rules(duties=False), max_size=2).map(tuple)
    return Policy(
        kind=draw(st.sampled_from(Kind)),
        id=draw(NAMES),
        target=draw(NAMES),
        assigner=draw(NAMES),
        assignee=draw(NAMES),
        permissions=draw(st.lists(_rules(duties=True), min_size=1, max_size=3).map(tuple)),
        prohibitions=draw(plain),
        obligations=draw(plain),
        profile=draw(st.lists(st.sampled_from(terms.PROFILES), unique=True).map(tuple)),
        timestamp=draw(st.none() | st.just("2026-03-01T12:00:00Z")),
        remarks=draw(st.sampled_from([(), ((terms.DCT + "title", '"Weather"'),)])),
    )


def as_edc_writes(part: Any) -> Any:
    """Return a policy as Eclipse EDC gives it back: right operands are text, an array or an IRI is JSON in it."""
    if isinstance(part, list):
        return [as_edc_writes(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {key: _packed(value) if key == "rightOperand" else as_edc_writes(value) for key, value in part.items()}


def _packed(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, dict) and "@value" in value:
        value = value["@value"]
    return value if isinstance(value, str) else json.dumps(value)
