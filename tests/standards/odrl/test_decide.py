"""Decisions: three-valued, failing closed, and the same as a second opinion."""

import copy
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from connector.standards.odrl import normal
from connector.standards.odrl.decide import Decision, Facts, decide, join, judge, use_limit
from connector.standards.odrl.intake import read
from connector.standards.odrl.operands import OPERANDS
from connector.standards.odrl.policy import Junction, Truth
from connector.standards.odrl.templates import fill
from tests.standards.odrl import oracle
from tests.standards.odrl.strategies import ACTIONS, CONTINENT, COUNTRY, DPV, conditions, documents, facts, wire_rules

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRUTHS = {True: Truth.TRUE, False: Truth.FALSE, None: Truth.UNKNOWN}
ASKED = st.sampled_from(ACTIONS)


def judged(document: dict[str, Any], action: str = "use", **known: Any) -> Decision:
    """Return the decision on a wire document at noon."""
    return decide(read(document), action, Facts(**({"now": NOON} | known)))


def offer(*constraints: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return an offer that permits use under `constraints`."""
    rule: dict[str, Any] = {"action": "use"} | ({"constraint": list(constraints)} if constraints else {})
    return {"@type": "Offer", "permission": [rule | more]}


@given(documents(), ASKED, facts())
def test_a_decision_is_what_brute_force_finds(document: dict[str, Any], action: str, known: Facts) -> None:
    """No operator, nesting, prohibition or duty is read otherwise than the standard's words say."""
    expected = oracle.truth_of(document, action, known)
    decision = decide(read(document), action, known)
    event(f"truth {expected}")
    assert decision.truth is TRUTHS[expected]
    assert decision.permitted is (expected is True)
    assert all(reason.endswith(".") and reason[0].isupper() for reason in decision.reasons)
    assert decision.reasons


@given(conditions(), facts())
def test_a_condition_is_what_brute_force_finds(condition: dict[str, Any], known: Facts) -> None:
    """Each comparison and junction, on its own, where no other rule can hide a mistake in it."""
    expected = oracle.truth_of(offer(condition), "use", known)
    event(f"truth {expected}")
    assert decide(read(offer(condition)), "use", known).truth is TRUTHS[expected]


@given(st.lists(wire_rules(["use"]), max_size=2), facts())
def test_a_prohibition_is_what_brute_force_finds(forbidden: list[dict[str, Any]], known: Facts) -> None:
    """What is forbidden is decided alone, beside a permission of everything."""
    document = offer() | ({"prohibition": forbidden} if forbidden else {})
    expected = oracle.truth_of(document, "use", known)
    event(f"truth {expected}")
    assert decide(read(document), "use", known).truth is TRUTHS[expected]


@given(documents(), ASKED, facts(), st.data())
def test_a_permitted_request_stays_permitted_without_a_constraint(
    document: dict[str, Any], action: str, known: Facts, data: st.DataObject
) -> None:
    """Constraints only ever narrow a permission."""
    constrained = [rule for rule in document["permission"] if "constraint" in rule]
    if not constrained or not decide(read(document), action, known).permitted:
        return
    event("a constraint was removed")
    rule = data.draw(st.sampled_from(constrained))
    rule["constraint"].pop(data.draw(st.integers(0, len(rule["constraint"]) - 1)))
    assert decide(read(document), action, known).permitted


@given(documents(), wire_rules(ACTIONS), ASKED, facts())
def test_another_prohibition_never_permits_more(
    document: dict[str, Any], forbidden: dict[str, Any], action: str, known: Facts
) -> None:
    """Prohibitions override, whatever they say and wherever they stand."""
    before = decide(read(document), action, known)
    document["prohibition"] = [*document.get("prohibition", []), forbidden]
    assert decide(read(document), action, known).truth <= before.truth


@given(documents(), ASKED, facts(), st.sampled_from(["purpose", "recipient", "spatial", "count"]))
def test_a_fact_that_is_learned_never_overturns_an_answer(
    document: dict[str, Any], action: str, known: Facts, name: str
) -> None:
    """Not knowing never permits what knowing would deny: a sure answer without a fact stays with it."""
    without = decide(read(document), action, msgspec.structs.replace(known, **{name: None}))
    if without.truth is not Truth.UNKNOWN:
        assert decide(read(document), action, known).truth is without.truth


@given(documents(), ASKED, facts())
def test_the_normal_form_decides_alike(document: dict[str, Any], action: str, known: Facts) -> None:
    """Sorting, flattening and simplifying change no answer, so that equal fingerprints mean equal rights."""
    policy = read(document)
    assert decide(normal.tidy(policy, OPERANDS), action, known).truth is decide(policy, action, known).truth


@given(documents(), ASKED, facts(), st.data())
def test_a_policy_with_an_unknown_term_permits_nothing(
    document: dict[str, Any], action: str, known: Facts, data: st.DataObject
) -> None:
    """A stranger's offer is judged, and the unknown term is named, wherever it stands."""
    rule = data.draw(st.sampled_from(document["permission"]))
    rule["odrl:refinement"] = [data.draw(conditions())]
    decision = judge(document, action, known)
    assert not decision.permitted
    assert decision.truth is Truth.UNKNOWN
    assert any("'odrl:refinement' is not understood" in reason for reason in decision.reasons)


@given(documents(), ASKED, facts())
def test_judging_a_document_is_deciding_what_it_says(document: dict[str, Any], action: str, known: Facts) -> None:
    """The lenient door differs from the strict one only for what is not understood."""
    assert judge(document, action, known) == decide(read(document), action, known)


@given(documents(), ASKED, facts())
def test_the_use_limit_is_the_first_use_that_is_refused(document: dict[str, Any], action: str, known: Facts) -> None:
    """A ledger that stops at the limit spends exactly the uses that the policy permits."""
    policy = read(document)

    def permits(number: int) -> bool:
        return decide(policy, action, msgspec.structs.replace(known, count=number)).permitted

    first = next((number for number in range(1, 20) if not permits(number)), None)
    assert use_limit(policy, action, known) == (None if first is None else first - 1)


def test_the_use_limit_is_a_number_where_the_policy_counts() -> None:
    """Three uses are three, forbidding what comes after the second is two, and an open offer has no limit."""
    after_two = {"leftOperand": "count", "operator": "gt", "rightOperand": "2"}
    forbidding = offer() | {"prohibition": [{"action": "use", "constraint": [after_two]}]}
    known = Facts(now=NOON, count=99)
    assert use_limit(read(fill("counted", uses=3)), "use", known) == 3
    assert use_limit(read(forbidding), "use", known) == 2
    assert use_limit(read(fill("open")), "use", known) is None
    assert use_limit(read(fill("eu-only")), "use", known) == 0


@given(st.sampled_from(Junction), st.lists(st.sampled_from(Truth), min_size=1, max_size=4))
def test_truths_are_joined_by_kleene(junction: Junction, truths: list[Truth]) -> None:
    """Each junction is known exactly when no way of filling in the unknowns changes it."""
    how = {Junction.OR: any, Junction.XONE: oracle.exactly_one}.get(junction, all)
    plain = [{Truth.TRUE: True, Truth.FALSE: False}.get(truth) for truth in truths]
    assert join(junction, truths) is TRUTHS[oracle.combine(how, plain)]


def test_a_purpose_that_is_not_allowed_is_named_with_those_that_are() -> None:
    """The asker reads labels, not IRIs, and learns what would be allowed."""
    decision = judged(fill("purpose-limited", purposes=[DPV + "AcademicResearch"]), purpose=DPV + "Marketing")
    assert decision.reasons == ("The purpose 'Marketing' is not allowed: the offer allows only 'Academic Research'.",)
    assert decision.truth is Truth.FALSE


def test_a_missing_fact_is_asked_for() -> None:
    """A use without a stated purpose is refused for lack of it, and the operand is named for the form that asks."""
    decision = judged(fill("purpose-limited", purposes=[DPV + "AcademicResearch", DPV + "ScientificResearch"]))
    assert decision.reasons == (
        "No purpose was stated: the offer allows only 'Academic Research' or 'Scientific Research'.",
    )
    assert decision.missing == ("http://www.w3.org/ns/odrl/2/purpose",)
    assert decision.truth is Truth.UNKNOWN


@pytest.mark.parametrize(
    ("template", "params", "known", "reason"),
    [
        (
            "counted",
            {"uses": 3},
            {"count": 4},
            "Use number 4 is not allowed: the offer allows at most 3 uses.",
        ),
        (
            "counted",
            {"uses": 1},
            {},
            "The uses so far were not counted: the offer allows at most 1 use.",
        ),
        (
            "time-limited",
            {"until": "2026-02-28"},
            {},
            (
                "Use at 1 March 2026, 12:00 UTC is not allowed: "
                "the offer allows use only until the end of 28 February 2026 (UTC)."
            ),
        ),
        (
            "embargoed",
            {"start": "2026-03-01T12:00:01Z"},
            {},
            (
                "Use at 1 March 2026, 12:00 UTC is not allowed: "
                "the offer allows use only from 1 March 2026, 12:00:01 UTC on."
            ),
        ),
        (
            "eu-only",
            {},
            {"spatial": COUNTRY + "CHN"},
            "Use in 'China' is not allowed: the offer allows use only in 'European Union'.",
        ),
        (
            "place-limited",
            {"places": [CONTINENT + "EUROPE"]},
            {"spatial": COUNTRY + "TUR"},
            "Use in 'Türkiye' is not surely allowed: the offer allows use only in 'Europe'.",
        ),
        (
            "recipients-only",
            {"recipients": ["did:web:energy.example"]},
            {"recipient": "did:web:city.example"},
            "The recipient 'did:web:city.example' is not allowed: the offer allows only 'did:web:energy.example'.",
        ),
    ],
)
def test_every_operand_words_its_refusal(
    template: str, params: dict[str, Any], known: dict[str, Any], reason: str
) -> None:
    """Each refusal is one whole sentence that says what was asked and what is allowed."""
    assert judged(fill(template, **params), **known).reasons == (reason,)


@pytest.mark.parametrize(("count", "permitted"), [(1, True), (3, True), (4, False)])
def test_the_count_includes_the_use_that_is_asked_for(count: int, *, permitted: bool) -> None:
    """With at most three uses the third is permitted and the fourth is not."""
    assert judged(fill("counted", uses=3), count=count).permitted is permitted


@pytest.mark.parametrize(
    ("now", "permitted"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), True),
        (datetime(2027, 1, 1, tzinfo=UTC), False),
    ],
)
def test_a_date_as_upper_bound_lasts_to_its_end(now: datetime, *, permitted: bool) -> None:
    """Until 31 December means the whole of 31 December, in UTC."""
    assert judged(fill("time-limited", until="2026-12-31"), now=now).permitted is permitted


@pytest.mark.parametrize(
    ("purpose", "truth"),
    [
        ("Advertising", Truth.FALSE),
        ("Marketing", Truth.FALSE),
        ("Purpose", Truth.UNKNOWN),
        ("AcademicResearch", Truth.TRUE),
    ],
)
def test_what_is_ruled_out_takes_its_subclasses_along(purpose: str, truth: Truth) -> None:
    """None of marketing is none of advertising either, and a purpose that could be either is not surely allowed."""
    document = offer({"leftOperand": "purpose", "operator": "isNoneOf", "rightOperand": ["dpv:Marketing"]})
    assert judged(document, purpose=DPV + purpose).truth is truth


def test_a_subclass_of_an_allowed_purpose_is_allowed() -> None:
    """Academic research is research."""
    document = fill("purpose-limited", purposes=[DPV + "ResearchAndDevelopment"])
    assert judged(document, purpose="dpv:AcademicResearch").permitted


def test_permitting_use_permits_its_parts_but_not_the_transfer_of_ownership() -> None:
    """ODRL includes reading in using, and selling in transferring."""
    assert judged(fill("open"), "odrl:display").permitted
    decision = judged(fill("open"), "sell")
    assert decision.reasons == ("The offer does not permit 'Sell': it permits only 'Use'.",)


def test_an_unknown_action_is_not_permitted() -> None:
    """What nobody knows, nothing permits."""
    assert judged(fill("open"), "frobnicate").reasons == (
        "The action 'frobnicate' is not known, so nothing can permit it.",
    )


def test_an_unconditional_prohibition_blocks_and_leaves_the_rest() -> None:
    """Permitting use and forbidding to pass on, the commonest policy, permits use and says what it leaves out."""
    use, onward = (judged(fill("no-redistribution"), action) for action in ("use", "distribute"))
    assert use.permitted
    assert use.reasons[1:] == ("You must not pass the data on to third parties.",)
    assert onward.reasons == ("The offer prohibits this: you must not pass the data on to third parties.",)


def test_unknown_in_a_prohibition_blocks() -> None:
    """Where commerce is forbidden, an unstated purpose could be commerce."""
    document = offer() | {
        "prohibition": [
            {
                "action": "use",
                "constraint": [
                    {"leftOperand": "purpose", "operator": "isA", "rightOperand": DPV + "CommercialPurpose"},
                ],
            }
        ]
    }
    rule = "you must not use the data if the purpose is 'Commercial Purpose'"
    assert judged(document).reasons == (f"The offer may prohibit this: {rule}; no purpose was stated.",)
    wide = judged(document, purpose=DPV + "Purpose")
    assert wide.reasons == (f"The offer may prohibit this: {rule}; the purpose 'Purpose' does not rule it out.",)
    assert judged(document, purpose=DPV + "AcademicResearch").permitted


def test_a_duty_that_comes_first_is_asked_for_and_then_enough() -> None:
    """The refusal is an instruction; once the duty is fulfilled the use is permitted."""
    document = offer(duty=[{"action": "odrl:compensate"}, {"action": "odrl:delete"}])
    assert judged(document).reasons == (
        "First you must pay the agreed compensation: the offer asks for it before any use.",
    )
    paid = judged(document, fulfilled=frozenset({"odrl:pay"}))
    assert paid.permitted
    assert paid.duties == ("Afterwards you must delete the data.",)


def test_a_deadline_gone_by_lifts_no_duty() -> None:
    """A duty to pay until yesterday is still owed today."""
    deadline = {"leftOperand": "dateTime", "operator": "lteq", "rightOperand": "2026-02-28"}
    assert not judged(offer(duty=[{"action": "odrl:compensate", "constraint": [deadline]}])).permitted


def test_a_policy_for_one_party_serves_no_other() -> None:
    """An agreement speaks for its assignee alone."""
    document = {**fill("open"), "@type": "Agreement", "assignee": "did:web:energy.example"}
    assert judged(document, recipient="did:web:energy.example").permitted
    assert judged(document, recipient="did:web:city.example").reasons == (
        "The recipient 'did:web:city.example' is not allowed: the agreement is for 'did:web:energy.example' only.",
    )
    assert judged(document).missing == ("http://www.w3.org/ns/odrl/2/recipient",)


def test_the_nearest_permission_is_the_one_explained() -> None:
    """Of two alternatives, the asker hears of the one that lacks less."""
    near = {"leftOperand": "count", "operator": "lteq", "rightOperand": "3"}
    far = {"leftOperand": "purpose", "operator": "isA", "rightOperand": "dpv:Marketing"}
    rules = [{"action": "use", "constraint": [near, far]}, {"action": "use", "constraint": [near]}]
    for permission in (rules, rules[::-1]):
        decision = judged({"@type": "Offer", "permission": permission}, count=4, purpose="dpv:AcademicResearch")
        assert decision.reasons == ("Use number 4 is not allowed: the offer allows at most 3 uses.",)


def test_a_failed_alternative_says_what_is_wanted_and_what_is_known() -> None:
    """A logical constraint is refused in one sentence, with the facts it was weighed against."""
    either = {
        "or": [
            {"leftOperand": "spatial", "operator": "isPartOf", "rightOperand": COUNTRY + "EUR"},
            {"leftOperand": "count", "operator": "lteq", "rightOperand": "3"},
        ]
    }
    assert judged(offer(either), count=4).reasons == (
        (
            "The offer asks that the place of use lies in 'European Union' or it is one of the first 3 uses; "
            "known here: no place of use was stated; use number 4."
        ),
    )


def test_each_premise_names_its_place() -> None:
    """A reader of the report finds every condition in the document."""
    document = fill("research-until", until="2026-12-31")
    places = [(premise.where, premise.truth) for premise in judged(document, purpose="dpv:Marketing").premises]
    assert places == [("permission[0].constraint[0]", Truth.FALSE), ("permission[0].constraint[1]", Truth.TRUE)]


def test_a_clock_without_a_zone_is_refused() -> None:
    """A time that names no instant can decide nothing."""
    with pytest.raises(ValueError, match="no time zone"):
        Facts(now=datetime(2026, 3, 1))  # noqa: DTZ001 - the point of the test


def test_deciding_leaves_the_document_alone() -> None:
    """Judging is free of side effects on what it is given."""
    document = fill("research-until", until="2026-12-31")
    before = copy.deepcopy(document)
    judge(document, "use", Facts(now=NOON))
    assert document == before
