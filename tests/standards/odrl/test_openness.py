"""Open and closed policies, by the templates that ship and by what a stranger would be refused."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.standards.odrl import intake, openness, templates
from connector.standards.odrl.decide import decide
from connector.standards.odrl.operands import Facts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
USE = {"action": "use"}
VALUES: dict[str, dict[str, Any]] = {
    "purpose-limited": {"purposes": "https://w3id.org/dpv#AcademicResearch"},
    "recipients-only": {"recipients": "did:web:you.example"},
    "time-limited": {"until": "2027-01-01T00:00:00Z"},
    "embargoed": {"opens": "2026-06-01T00:00:00Z"},
    "counted": {"uses": 3},
    "place-limited": {"place": "http://publications.europa.eu/resource/authority/country/DEU"},
    "research-until": {"until": "2027-01-01T00:00:00Z"},
}


def when(operator: str, moment: str) -> dict[str, Any]:
    """Return a permission that depends on the time."""
    return {**USE, "constraint": [{"leftOperand": "dateTime", "operator": operator, "rightOperand": moment}]}


def closings(document: dict[str, Any]) -> tuple[str, ...]:
    """Return what closes a policy."""
    return openness.closings(intake.read(document), NOW)


@pytest.mark.parametrize("name", [each.name for each in templates.templates()])
def test_of_the_templates_two_are_open(name: str) -> None:
    """Open, and open with the source named; each of the others says what closes it."""
    template = next(each for each in templates.templates() if each.name == name)
    values = dict(zip(template.parameters, VALUES.get(name, {}).values(), strict=True)) if template.parameters else {}
    found = closings(templates.fill(name, **values))
    assert (found == ()) == (name in {"open", "attribution"})
    assert all(each.endswith(".") for each in found)


@pytest.mark.parametrize(
    "policy",
    [
        {"permission": [{"action": "odrl:read"}]},
        {"permission": [USE], "prohibition": [{"action": "odrl:distribute"}]},
        {"permission": [USE], "prohibition": [{"action": "cc:CommercialUse"}]},
        {"permission": [{**USE, "duty": [{"action": "odrl:compensate"}]}]},
        {"permission": [{**USE, "duty": [{"action": "odrl:obtainConsent"}]}]},
        {"permission": [USE], "assignee": "did:web:you.example"},
        {"permission": [USE], "obligation": [{"action": "odrl:inform"}]},
        {"permission": [when("gteq", "2026-06-01T00:00:00Z")]},
        {"permission": [when("lt", "2036-06-01T00:00:00Z")]},
    ],
)
def test_who_what_when_and_what_comes_first_closes(policy: dict[str, Any]) -> None:
    """A narrower action, a prohibition, a payment, a party, a beginning or an end: each closes."""
    assert closings(policy)


@pytest.mark.parametrize(
    "policy",
    [
        {"permission": [USE]},
        {"permission": [USE, {"action": "odrl:read"}]},
        {"permission": [{**USE, "duty": [{"action": "odrl:attribute"}]}]},
        {"permission": [{**USE, "duty": [{"action": "cc:ShareAlike"}]}]},
        {"permission": [when("gteq", "2020-01-01T00:00:00Z")]},
    ],
)
def test_what_is_owed_with_the_use_does_not_close(policy: dict[str, Any]) -> None:
    """Naming the source, the same licence onward, a beginning that has passed: everybody may."""
    assert closings(policy) == ()


@given(
    st.lists(st.sampled_from(["use", "odrl:read", "odrl:distribute", "cc:CommercialUse"]), min_size=1, max_size=3),
    st.lists(st.sampled_from(["odrl:distribute", "odrl:derive", "odrl:sell"]), max_size=2),
)
def test_an_open_policy_permits_every_freedom_to_a_stranger(permitted: list[str], forbidden: list[str]) -> None:
    """No reasons means that the engine says yes to somebody unknown, for each of the freedoms; and the other way."""
    document = {
        "permission": [{"action": each} for each in permitted],
        "prohibition": [{"action": each} for each in forbidden],
    }
    policy = intake.read(document)
    all_free = all(decide(policy, each, Facts(now=NOW)).permitted for each in openness.FREEDOMS)
    assert (openness.closings(policy, NOW) == ()) == all_free
