"""Operands, times and the shipped vocabularies."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import library
from connector.errors import Conflict
from connector.standards.odrl import terms, times
from connector.standards.odrl.concepts import taxonomy
from connector.standards.odrl.decide import Facts, decide
from connector.standards.odrl.explain import explain
from connector.standards.odrl.intake import fingerprint, read, understood
from connector.standards.odrl.operands import OPERANDS, Note, Operand, Purpose, Simple, Term, table
from connector.standards.odrl.policy import Day, Operator, Truth, Value
from tests.standards.odrl.strategies import CONTINENT, COUNTRY, instants

LEVEL = "https://levels.example/securityLevel"
MEMBERS = {
    *("AUT", "BEL", "BGR", "CYP", "CZE", "DEU", "DNK", "ESP", "EST", "FIN", "FRA", "GRC", "HRV", "HUN"),
    *("IRL", "ITA", "LTU", "LUX", "LVA", "MLT", "NLD", "POL", "PRT", "ROU", "SVK", "SVN", "SWE"),
}


class Level(Operand):
    """A plugged-in operand: a security level from 0 up."""

    iri = LEVEL
    name = "security level"
    operators = (Operator.GTEQ,)

    def parse(self, term: Term, prefixes: object, note: Note) -> Value:  # noqa: ARG002 - see Operand
        """Return the level."""
        return int(term.text)

    def fact(self, facts: Facts) -> Value | None:
        """Return the stated level."""
        return facts.others.get(self.iri)

    def simplify(self, operator: Operator, right: tuple[Value, ...]) -> Simple:
        """Return the comparison as it is."""
        return operator, right

    def holds(self, operator: Operator, right: tuple[Value, ...], fact: Value) -> Truth:  # noqa: ARG002 - one operator
        """Compare the levels."""
        return Truth.TRUE if int(str(fact)) >= int(str(right[0])) else Truth.FALSE

    def only(self, operator: Operator, right: tuple[Value, ...]) -> str:  # noqa: ARG002 - one operator
        """Word it."""
        return f"asks for level {right[0]}"

    def condition(self, operator: Operator, right: tuple[Value, ...]) -> str:  # noqa: ARG002 - one operator
        """Word it."""
        return f"the security level is at least {right[0]}"

    def stated(self, fact: Value) -> str:
        """Word it."""
        return f"The security level {fact}"


def secured() -> dict[str, Any]:
    """Return an offer that asks for a security level."""
    level = {"leftOperand": LEVEL, "operator": "gteq", "rightOperand": "2"}
    return {"@type": "Offer", "permission": [{"action": "use", "constraint": [level]}]}


def test_an_operand_can_be_plugged_in() -> None:
    """A policy on a plugged-in operand is read, decided, compared and worded like any other."""
    operands = table(Level())
    policy = read(secured(), operands)

    def use(**others: int) -> bool:
        facts = Facts(now=datetime(2026, 3, 1, tzinfo=UTC), others={LEVEL: others["level"]} if others else {})
        return decide(policy, "use", facts, operands).permitted

    assert (use(level=2), use(level=1), use()) == (True, False, False)
    assert "the security level is at least 2" in explain(policy, operands)
    assert fingerprint(secured(), operands) != fingerprint(secured())


def test_without_the_plug_in_its_term_is_unknown() -> None:
    """What is not installed is not understood, and says so."""
    assert understood(secured(), table(Level())) == ()
    assert LEVEL in understood(secured())[0]


def test_two_operands_of_one_name_are_refused() -> None:
    """A plug-in cannot take the place of an operand that others rely on."""
    with pytest.raises(Conflict, match=re.escape(terms.ODRL + "purpose")):
        table(Purpose())


def test_the_table_holds_the_operands_of_the_profile() -> None:
    """Each operand that the templates and the portal rely on is there."""
    names = {iri.removeprefix(terms.ODRL) for iri in OPERANDS}
    assert names == {"dateTime", "purpose", "recipient", "count", "spatial"}


@given(instants(), st.integers(-14 * 60, 14 * 60))
def test_an_instant_is_the_same_in_every_zone(moment: datetime, minutes: int) -> None:
    """The zone a time is written in changes nothing, and what we write has one."""
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    notes: list[str] = []
    shifted = times.moment(
        moment.isoformat().replace("+00:00", f"{sign}{hours:02}:{rest:02}"), "dateTime", notes.append
    )
    assert isinstance(shifted, datetime)
    assert (moment - shifted).total_seconds() == minutes * 60
    assert times.moment(times.text_of(shifted), None, notes.append) == shifted
    assert notes == []


@given(st.dates(datetime(1000, 1, 2).date(), datetime(9999, 12, 30).date()), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_a_day_of_any_zone_is_written_and_read(day: Any, minutes: int) -> None:
    """A day keeps its first instant through the wire form."""
    hours, rest = divmod(abs(minutes), 60)
    found = times.moment(f"{day}{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}", "date", print)
    assert isinstance(found, Day)
    assert times.moment(times.text_of(found), "date", lambda _: None) == found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2026-02-30", "date"),
        ("2026-12-31", "dateTime"),
        ("2026-12-31T12:00:00Z", "date"),
        ("2026-12-31T25:00:00Z", None),
        ("2026-12-31T24:00:01Z", None),
        ("2026-12-31T12:00:00+15:00", None),
        ("2026-12-31T12:00:00+01:60", None),
        ("0000-01-01", None),
        ("0001-01-01+01:00", None),
        ("9999-12-31", None),
        ("\uff19999-12-30", None),
        ("2026-12-31 12:00:00Z", None),
        ("20261231", None),
        ("", None),
    ],
)
def test_a_time_that_is_none_is_refused(text: str, kind: str | None) -> None:
    """A bound that nobody can compare with is no bound."""
    with pytest.raises(ValueError, match="is no time"):
        times.moment(text, kind, print)


@pytest.mark.parametrize(
    ("text", "expected", "noted"),
    [
        ("2026-12-31T24:00:00Z", datetime(2027, 1, 1, tzinfo=UTC), ""),
        ("2026-12-31T12:00:00", datetime(2026, 12, 31, 12, tzinfo=UTC), "no zone"),
        ("2026-12-31T12:00Z", datetime(2026, 12, 31, 12, tzinfo=UTC), "no seconds"),
        ("2026-12-31T12:00:00.1234567Z", datetime(2026, 12, 31, 12, 0, 0, 123456, tzinfo=UTC), "cut"),
        ("2026-12-31T12:00:00.1200000Z", datetime(2026, 12, 31, 12, 0, 0, 120000, tzinfo=UTC), ""),
        ("2026-12-31", Day(datetime(2026, 12, 31, tzinfo=UTC)), "no zone"),
        ("2026-12-31Z", Day(datetime(2026, 12, 31, tzinfo=UTC)), ""),
    ],
)
def test_leniency_about_time_is_noted(text: str, expected: datetime | Day, noted: str) -> None:
    """What had to be assumed is said, and nothing else is."""
    notes: list[str] = []
    assert times.moment(text, None, notes.append) == expected
    assert noted in "".join(notes)
    assert bool(notes) is bool(noted)


def test_days_in_other_zones_are_worded_by_their_first_instant() -> None:
    """A reader is not told a date that is another one elsewhere."""
    assert times.day_words(Day(datetime(2026, 12, 31, tzinfo=UTC))) == "31 December 2026 (UTC)"
    words = times.day_words(Day(datetime(2026, 12, 30, 23, tzinfo=UTC)))
    assert words == "the day that starts at 30 December 2026, 23:00 UTC"


def test_the_european_union_has_its_members() -> None:
    """27 countries, and the territories that the treaty counts in; none of its neighbours."""
    places = taxonomy("countries.ttl")
    inside = {one.removeprefix(COUNTRY) for one in places.below[COUNTRY + "EUR"]}
    assert len(MEMBERS) == 27
    assert inside == {"EUR", *MEMBERS, "GLP", "GUF", "MTQ", "MYT", "REU", "MAF", "ALA"}
    assert places.within(COUNTRY + "CHE", COUNTRY + "EUR") is Truth.FALSE
    assert places.within(COUNTRY + "CHE", CONTINENT + "EUROPE") is Truth.TRUE


def test_a_country_in_two_continents_is_surely_in_neither() -> None:
    """Where the table cannot tell, the answer is unknown, which permits nothing and blocks a prohibition."""
    places = taxonomy("countries.ttl")
    for continent in ("EUROPE", "ASIA"):
        assert places.within(COUNTRY + "TUR", CONTINENT + continent) is Truth.UNKNOWN
        assert places.within(CONTINENT + continent, COUNTRY + "TUR") is Truth.UNKNOWN
    assert places.within(COUNTRY + "TUR", CONTINENT + "AFRICA") is Truth.FALSE


@pytest.mark.parametrize("file", ["countries.ttl", "purposes.ttl"])
def test_a_taxonomy_is_whole(file: str) -> None:
    """Every concept has a label, lies in listed concepts only, and no two lie in each other."""
    found = taxonomy(file)
    for concept, above in found.above.items():
        assert above <= found.labels.keys()
        assert [whole for whole in above - {concept} if concept in found.above[whole]] == []
        assert found.labels[concept].strip()


def test_all_purposes_are_purposes() -> None:
    """The taxonomy has one root."""
    found = taxonomy("purposes.ttl")
    assert found.below[terms.DPV + "Purpose"] == found.labels.keys()


def test_vocabularies_carry_their_licence() -> None:
    """What ships from others says so."""
    manifest = library.read("vocab", "manifest.toml").decode()
    for file in ("purposes.ttl", "countries.ttl", "licences/W3C-2023.txt", "licences/MIT-countries-list.txt"):
        assert file in manifest
    assert b"Data Privacy Vocabulary" in library.read("vocab", "licences/W3C-2023.txt")
