"""Boundaries: until the next one the clock changes no decision, and where one does, a boundary lies."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from connector.standards.odrl.boundary import next_boundary, next_boundary_of
from connector.standards.odrl.decide import Facts, decide
from connector.standards.odrl.intake import read
from connector.standards.odrl.operands import OPERANDS
from connector.standards.odrl.policy import Policy
from tests.standards.odrl.strategies import ACTIONS, MOMENTS, documents, facts, policies

TICK = timedelta.resolution
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEAR = st.builds(
    lambda moment, shift: moment + shift,
    st.sampled_from([*MOMENTS, datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)]),
    st.sampled_from([-TICK, timedelta(), TICK, timedelta(hours=7)]),
)
LATER = st.timedeltas(timedelta(), timedelta(days=400)) | st.sampled_from([timedelta(), TICK, timedelta(days=1)])


def limited(operator: str, bound: str, kind: str = "xsd:dateTime") -> dict[str, Any]:
    """Return an offer with one limit of time."""
    right = {"@value": bound, "@type": kind}
    constraint = [{"leftOperand": "odrl:dateTime", "operator": operator, "rightOperand": right}]
    return {"@type": "Offer", "permission": [{"action": "use", "constraint": constraint}]}


@given(documents(), st.sampled_from(ACTIONS), facts(), NEAR, LATER)
def test_before_the_boundary_nothing_changes(
    document: dict[str, Any], action: str, known: Facts, now: datetime, later: timedelta
) -> None:
    """Whatever is decided now holds until the boundary: a token that lives no longer never outlives a permission."""
    policy = read(document)
    boundary = next_boundary(policy, now)
    moments = {now, now + later, *([boundary - TICK] if boundary else [])}
    answers = {
        (decision.truth, decision.permitted)
        for moment in moments
        if boundary is None or moment < boundary
        for decision in [decide(policy, action, msgspec.structs.replace(known, now=moment))]
    }
    event(f"boundary {boundary is not None}")
    assert len(answers) == 1


@given(policies(), NEAR)
def test_a_boundary_lies_ahead_or_is_none(policy: Policy, now: datetime) -> None:
    """It is never now or in the past, at the ends of the calendar either."""
    boundary = next_boundary(policy, now)
    assert boundary is None or boundary > now
    assert next_boundary(policy, datetime.max.replace(tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (limited("lt", "2026-03-01T13:00:00Z"), NOON + timedelta(hours=1)),
        (limited("lteq", "2026-03-01T13:00:00Z"), NOON + timedelta(hours=1) + TICK),
        (limited("gteq", "2026-03-01T13:00:00Z"), NOON + timedelta(hours=1)),
        (limited("eq", "2026-03-01T12:00:00Z"), NOON + TICK),
        (limited("lteq", "2026-03-01", "xsd:date"), NOON + timedelta(hours=12)),
        (limited("eq", "2026-03-02", "xsd:date"), NOON + timedelta(hours=12)),
        (limited("lteq", "2026-03-01T11:00:00Z"), None),
        ({"@type": "Offer", "permission": [{"action": "use"}]}, None),
        ({"@type": "Offer", "permission": "nonsense"}, None),
    ],
)
def test_the_boundary_is_where_the_words_say(document: dict[str, Any], expected: datetime | None) -> None:
    """Each kind of limit, and none where there is no limit or no policy that could be read."""
    assert next_boundary_of(document, NOON) == expected


def test_the_nearest_of_several_is_taken_wherever_it_stands() -> None:
    """In a nested condition, in a prohibition, in a duty: each could turn the answer."""
    early, late = limited("lt", "2026-03-01T13:00:00Z"), limited("lt", "2026-06-01T00:00:00Z")
    (bound,) = early["permission"][0]["constraint"]
    nested = {"or": [{"and": [bound]}]}
    for place in (
        {"permission": [{"action": "use", "constraint": [nested]}]},
        {"prohibition": [{"action": "sell", "constraint": [bound]}]},
        {"obligation": [{"action": "delete", "constraint": [bound]}]},
        {"permission": [{"action": "use", "duty": [{"action": "delete", "constraint": [bound]}]}]},
    ):
        assert next_boundary_of(late | place, NOON) == NOON + timedelta(hours=1)


def test_an_operand_without_a_clock_has_no_instants() -> None:
    """Only what follows the clock can set a boundary."""
    timeless = [operand for operand in OPERANDS.values() if not operand.is_time]
    assert timeless
    for operand in timeless:
        assert operand.instants(operand.operators[0], ()) == ()
