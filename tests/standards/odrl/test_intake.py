"""Intake: every spelling is read, every unknown term is refused with its place, nothing is dropped."""

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput, TooLarge
from connector.standards.odrl import terms
from connector.standards.odrl.explain import explain
from connector.standards.odrl.intake import fingerprint, notes, read, same, understood, write
from connector.standards.odrl.policy import Constraint, Kind, Logical, Operator, Policy, Rule
from connector.standards.odrl.shape import Limits
from tests.standards.odrl.strategies import DPV, as_edc_writes, documents, policies

ODRL = terms.ODRL
COUNT = {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": {"@value": "3", "@type": "xsd:integer"}}


def offer(*constraints: Any, **more: Any) -> dict[str, Any]:
    """Return an offer that permits use under `constraints`."""
    return {"@type": "Offer", "permission": [{"action": "use", "constraint": list(constraints)}]} | more


def refused(document: Any, **limits: int) -> InvalidInput:
    """Return the refusal of `document`."""
    with pytest.raises(InvalidInput) as caught:
        read(document, limits=Limits(**limits))
    return caught.value


def objects(part: Any) -> Iterator[dict[str, Any]]:
    """Return every object inside `part`, itself included."""
    if isinstance(part, dict):
        yield part
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from objects(child)


@given(policies())
def test_what_is_written_is_read_back(policy: Policy) -> None:
    """The wire form carries everything a policy has, and reading it changes nothing."""
    document = write(policy)
    assert read(document) == policy
    assert write(read(document)) == document


@given(policies())
def test_what_is_written_needs_no_leniency(policy: Policy) -> None:
    """What we send, a strict reader understands as it stands, dates apart: they are days in UTC by our profile."""
    assert [note for note in notes(write(policy)) if "was read as a day in UTC" not in note] == []


@given(documents(), st.data())
def test_an_unknown_term_anywhere_is_found(document: dict[str, Any], data: st.DataObject) -> None:
    """No object of a policy has a corner in which a term could be dropped."""
    data.draw(st.sampled_from(list(objects(document))))["odrl:unit"] = "https://units.example/metre"
    assert any("'odrl:unit'" in finding or "right operand" in finding for finding in understood(document))
    with pytest.raises(InvalidInput):
        read(document)


@given(documents(), st.randoms(use_true_random=False))
def test_spelling_and_order_do_not_matter(document: dict[str, Any], chance: random.Random) -> None:
    """Two documents that state the same rules are the same, however they are spelled and sorted."""
    other = respelled(document, chance)
    assert read(other) is not None
    assert same(document, other)
    assert fingerprint(document) == fingerprint(other)
    assert explain(read(document)) == explain(read(other))


def respelled(part: Any, chance: random.Random, key: str = "") -> Any:
    """Return `part` with shuffled arrays and objects, and names in another spelling."""
    if isinstance(part, dict):
        pairs = [(name, respelled(value, chance, name)) for name, value in part.items()]
        chance.shuffle(pairs)
        return {name if name[0] == "@" else chance.choice(["", "odrl:", ODRL]) + name: value for name, value in pairs}
    if isinstance(part, list):
        parts = [respelled(one, chance, key) for one in part]
        if key != "andSequence":
            chance.shuffle(parts)
        return parts[0] if len(parts) == 1 and chance.random() < 1 / 2 else parts
    if key in {"action", "operator", "leftOperand"}:
        return chance.choice(["", "odrl:", ODRL]) + part.removeprefix("odrl:")
    return part


@given(policies())
def test_values_packed_into_one_text_are_the_same_values(policy: Policy) -> None:
    """Eclipse EDC hands a right operand on as text, arrays and IRIs as JSON in it; the terms are those we wrote."""
    document = write(policy)
    assert same(as_edc_writes(document), document)


@pytest.mark.parametrize(
    "text", ["[", "[]", "{}", "[1.5]", "[[]]", '[{"@id": {}}]', '{"@id": "x", "y": "z"}', "[" * 100_000, '["\\ud800"]']
)
def test_a_text_that_holds_no_values_is_not_understood(text: str) -> None:
    """What looks like packed values and is none is refused in words, like any other text that is no value."""
    refused(offer({"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": text}))


@given(documents(), st.sampled_from(["permission", "prohibition", "obligation"]))
def test_another_rule_is_another_policy(document: dict[str, Any], kind: str) -> None:
    """A rule that is there in one of two policies makes them different."""
    other = copy.deepcopy(document)
    other[kind] = [*other.get(kind, []), {"action": "odrl:watermark"}]
    assert not same(document, other)


KEYS = [
    *("@id", "@type", "@value", "@list", "@context", "permission", "action", "constraint", "or", "duty"),
    *("leftOperand", "operator", "rightOperand", "odrl:permission", "profile", "target", "uid"),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=4) | st.sampled_from(KEYS),
            inner | st.sampled_from(["use", "dateTime", "lteq", "2026-01-01", "Offer"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_read_or_refused(document: Any) -> None:
    """Whatever a peer sends, there is a policy or a refusal, and the two doors agree on which."""
    findings = understood(document)
    try:
        read(document)
    except InvalidInput:
        assert findings
    else:
        assert not findings
        assert same(document, document)


@given(documents(), st.data(), JSON)
def test_damage_anywhere_is_read_or_refused(document: dict[str, Any], data: st.DataObject, junk: Any) -> None:
    """A policy with one value replaced by anything never breaks the reader."""
    place = data.draw(st.sampled_from(list(objects(document))))
    place[data.draw(st.sampled_from(sorted(place)))] = junk
    findings = understood(document)
    try:
        read(document)
    except InvalidInput:
        assert findings
    else:
        assert not findings
    assert same(document, document)


def test_the_protocols_own_example_is_read() -> None:
    """Bare names and a time without seconds, as the Dataspace Protocol prints them, are understood, and noted."""
    bound = {"leftOperand": "dateTime", "operator": "lteq", "rightOperand": "2023-12-31T06:00Z"}
    document = offer(bound, target="urn:uuid:3dd1add8-4d2d-569e-d634-8394a8836a88")
    assert write(read(document))["permission"][0]["constraint"] == [
        {
            "leftOperand": "odrl:dateTime",
            "operator": "lteq",
            "rightOperand": {"@value": "2023-12-31T06:00:00Z", "@type": "xsd:dateTime"},
        }
    ]
    assert notes(document) == (
        (
            "the time 2023-12-31T06:00Z has no seconds and was read as on the minute "
            "(at permission[0].constraint[0].rightOperand)"
        ),
    )


def test_an_expanded_document_is_read() -> None:
    """Absolute keys, id objects and one-element arrays, as a JSON-LD processor leaves them, say the same."""
    document = {
        "@type": [ODRL + "Offer"],
        ODRL + "permission": [
            {
                ODRL + "action": [{"@id": ODRL + "use"}],
                ODRL + "constraint": [
                    {
                        ODRL + "leftOperand": [{"@id": ODRL + "count"}],
                        ODRL + "operator": [{"@id": ODRL + "lteq"}],
                        ODRL + "rightOperand": [{"@value": "3", "@type": terms.XSD + "integer"}],
                    },
                    {
                        ODRL + "or": [
                            {
                                "@list": [
                                    {
                                        ODRL + "leftOperand": [{"@id": ODRL + "purpose"}],
                                        ODRL + "operator": [{"@id": ODRL + "isA"}],
                                        ODRL + "rightOperand": [{"@id": DPV + "Marketing"}],
                                    }
                                ]
                            }
                        ]
                    },
                ],
            }
        ],
    }
    purpose = {"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": ["dpv:Marketing"]}
    assert same(document, offer(COUNT, purpose))


@pytest.mark.parametrize(
    ("document", "where", "term", "allowed"),
    [
        (offer(COUNT | {"leftOperand": "weather"}), "permission[0].constraint[0].leftOperand", "weather", "odrl:count"),
        (
            offer(COUNT | {"leftOperand": "edc:inForce"}),
            "permission[0].constraint[0].leftOperand",
            "edc:inForce",
            "odrl:",
        ),
        (offer(COUNT | {"operator": "isA"}), "permission[0].constraint[0].operator", "isA", "lteq"),
        (offer(COUNT | {"operator": "gte"}), "permission[0].constraint[0].operator", "gte", "gteq"),
        (offer(COUNT | {"unit": "EUR"}), "permission[0].constraint[0].unit", "unit", "rightOperand"),
        ({"permission": [{"action": "odrl:frobnicate"}]}, "permission[0].action", "odrl:frobnicate", "odrl:read"),
        ({"permission": [{"action": "lease"}]}, "permission[0].action", "lease", "odrl:read"),
        (offer(profile="https://other.example/profile"), "profile", "https://other.example/profile", terms.PROFILE),
        (offer(conflict="perm"), "conflict", "conflict", "permission"),
        (offer(inheritFrom="urn:policy:1"), "inheritFrom", "inheritFrom", "permission"),
        ({"@type": "Ticket", "permission": [{"action": "use"}]}, "@type", "Ticket", "Offer"),
        ({"permission": [{"action": "use", "@type": "Duty"}]}, "permission[0].@type", "Duty", "Permission"),
        ({"prohibition": [{"action": "use", "remedy": []}]}, "prohibition[0].remedy", "remedy", "constraint"),
        ({"prohibition": [{"action": "use", "duty": []}]}, "prohibition[0].duty", "duty", "constraint"),
        (
            {"permission": [{"action": {"rdf:value": {"@id": "odrl:print"}, "refinement": []}}]},
            "permission[0].action",
            "rdf:value",
            "",
        ),
    ],
)
def test_an_unknown_term_is_named_with_its_place_and_what_is_allowed(
    document: dict[str, Any], where: str, term: str, allowed: str
) -> None:
    """A refusal lets its reader mend the policy without asking anybody."""
    refusal = refused(document)
    assert repr(term) in refusal.message
    assert refusal.where == where
    assert allowed in (refusal.fix or "")
    assert repr(term) in understood(document)[0]


@pytest.mark.parametrize(
    ("constraint", "says"),
    [
        (COUNT | {"rightOperand": "many"}, "whole number"),
        (COUNT | {"rightOperand": "-1"}, "whole number"),
        (COUNT | {"rightOperand": {"@value": "3", "@type": "xsd:date"}}, "whole number"),
        (COUNT | {"rightOperand": {"@id": "3"}}, "whole number"),
        (COUNT | {"rightOperand": True}, "True is not understood"),
        (COUNT | {"rightOperand": {"@value": "3", "@language": "en"}}, "not understood"),
        (COUNT | {"rightOperand": ["1", "2"]}, "takes one value, and 2 are given"),
        (COUNT | {"rightOperand": []}, "takes one value, and 0 are given"),
        ({"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": []}, "at least one value"),
        ({"leftOperand": "purpose", "operator": "isA", "rightOperand": "Research"}, "Data Privacy Vocabulary"),
        ({"leftOperand": "spatial", "operator": "isA", "rightOperand": "DE"}, "EU authority tables"),
        ({"leftOperand": "recipient", "operator": "eq", "rightOperand": "me"}, "did:web:weather.example"),
        ({"leftOperand": "recipient", "operator": "eq", "rightOperand": "urn:a b"}, "no IRI"),
        ({"leftOperand": "dateTime", "operator": "lt", "rightOperand": "tomorrow"}, "xsd:dateTime"),
        ({"leftOperand": "dateTime", "operator": "lt", "rightOperand": {"@id": "urn:now"}}, "xsd:dateTime"),
        ({"leftOperand": "count", "operator": "lteq"}, "lacks 'rightOperand'"),
        (COUNT | {"or": [COUNT]}, "mixes its forms"),
        ({"or": [COUNT], "and": [COUNT]}, "mixes its forms"),
        ({"or": []}, "joins nothing"),
        ("use", "An object is needed"),
    ],
)
def test_an_ill_typed_value_is_an_error_at_intake(constraint: Any, says: str) -> None:
    """What cannot be compared is refused when it comes in, never when a use is decided."""
    refusal = refused(offer(constraint))
    assert says in str(refusal)
    assert (refusal.where or "").startswith("permission[0].constraint[0]")


def test_all_findings_are_listed_at_once() -> None:
    """The author of a policy mends it in one go."""
    refusal = refused(offer(COUNT | {"operator": "isA"}, conflict="perm"))
    assert len(refusal.reasons) == 1
    assert len(understood(offer(COUNT | {"operator": "isA"}, conflict="perm"))) == 2


@pytest.mark.parametrize("document", [{}, {"@type": "Offer"}, {"obligation": [{"action": "use"}]}])
def test_a_policy_without_permission_or_prohibition_is_refused(document: dict[str, Any]) -> None:
    """An empty policy permits nothing and would compare as contained in everything."""
    assert "no permission and no prohibition" in refused(document).message


def test_one_term_in_two_spellings_is_refused() -> None:
    """Neither of two readings of the same key may win by chance."""
    document = {"permission": [{"action": "use"}], "odrl:permission": [{"action": "odrl:read"}]}
    assert "twice" in refused(document).message


def test_a_party_on_the_rules_is_the_policys_where_they_agree() -> None:
    """ODRL lets each rule name its parties; one that differs would make one document several policies."""
    rules = [{"action": "use", "target": "urn:data:1"}, {"action": "odrl:sell", "target": "urn:data:1"}]
    assert read({"permission": rules[:1], "prohibition": rules[1:]}).target == "urn:data:1"
    assert "different values of 'target'" in refused({"permission": rules, "target": "urn:data:2"}).message
    rules[1]["target"] = "urn:data:2"
    assert refused({"permission": rules}).where == "permission[0].target"
    del rules[1]["target"]
    assert "different values of 'target'" in refused({"permission": rules}).message


def test_several_actions_are_several_rules() -> None:
    """A rule with two actions permits each of them (ODRL 2.2 §2.7.2)."""
    both = {"permission": [{"action": ["odrl:read", "odrl:archive"], "constraint": [COUNT]}]}
    apart = {
        "permission": [
            {"action": "odrl:archive", "constraint": [COUNT]},
            {"action": "odrl:read", "constraint": [COUNT]},
        ]
    }
    assert same(both, apart)


def test_a_deprecated_action_is_read_as_its_successor() -> None:
    """Old offers keep their meaning, and the change is noted."""
    document = {"permission": [{"action": "odrl:copy"}]}
    assert read(document).permissions == (Rule(ODRL + "reproduce"),)
    assert notes(document) == (
        "the deprecated action 'odrl:copy' was read as 'odrl:reproduce' (at permission[0].action)",
    )


def test_metadata_is_kept_and_changes_nothing() -> None:
    """A title on a policy comes back out, and does not make it another policy."""
    document = offer(COUNT) | {"dct:title": {"@value": "Weather", "@language": "en"}}
    assert write(read(document))["dct:title"] == {"@value": "Weather", "@language": "en"}
    assert same(document, offer(COUNT))


def test_a_documents_own_prefixes_are_honoured() -> None:
    """A namespace that the document names is a namespace."""
    purpose = {"leftOperand": "purpose", "operator": "isA", "rightOperand": "purposes:Marketing"}
    document = offer(purpose) | {"@context": ["https://w3id.org/dspace/2025/1/context.jsonld", {"purposes": DPV}]}
    assert same(document, offer(purpose | {"rightOperand": DPV + "Marketing"}))


@pytest.mark.parametrize(
    "context",
    [
        {"odrl": "https://evil.example/"},
        {"@vocab": "https://evil.example/"},
        {"use": "https://evil.example/steal"},
        {"purpose": {"@id": "odrl:count"}},
        [7],
    ],
)
def test_a_context_that_changes_names_is_refused(context: Any) -> None:
    """A document cannot give our names another meaning."""
    assert refused(offer(COUNT) | {"@context": context}).where == "@context"


def test_a_typo_does_not_make_policies_the_same() -> None:
    """Policies that are not understood are compared by structure, so they never equal an understood one."""
    strange = offer(COUNT | {"leftOperand": "weather"})
    assert same(strange, offer({key: (COUNT | {"leftOperand": "odrl:weather"})[key] for key in sorted(COUNT)}))
    assert not same(strange, offer(COUNT))
    assert not same(strange, offer(COUNT | {"leftOperand": "weather", "operator": "lt"}))
    assert not same(strange, strange | {"@context": {"dpv": "https://evil.example/"}})


def test_id_kind_and_parties_do_not_count_for_sameness() -> None:
    """The agreement that answers an offer states the same rules under another name."""
    for constraint in (COUNT, COUNT | {"leftOperand": "weather"}):
        agreement = offer(constraint) | {
            "@id": "urn:agreement:1",
            "@type": "Agreement",
            "target": "urn:data:1",
            "assigner": "did:web:weather.example",
            "odrl:assignee": "did:web:energy.example",
            "timestamp": "2026-03-01T12:00:00Z",
        }
        assert same(agreement, offer(constraint, uid="urn:offer:1"))


def test_equal_bounds_in_other_words_are_the_same() -> None:
    """A bound is the same whether it is a day or an instant, in UTC or not, open or closed."""

    def until(operator: str, right: Any) -> dict[str, Any]:
        return offer({"leftOperand": "dateTime", "operator": operator, "rightOperand": right})

    assert same(until("lteq", "2026-12-31"), until("lt", "2027-01-01T00:00:00Z"))
    assert same(until("lt", "2027-01-01T00:00:00Z"), until("lt", "2027-01-01T01:00:00+01:00"))
    assert same(until("lt", "2027-01-01"), until("lt", "2027-01-01T00:00:00"))
    assert not same(until("lteq", "2026-12-31"), until("lteq", "2027-01-01T00:00:00Z"))
    assert same(offer(COUNT), offer(COUNT | {"operator": "lt", "rightOperand": 4}))


def test_a_repeated_alternative_counts_only_where_exactly_one_is_asked_for() -> None:
    """Saying "or" twice changes nothing; exactly one of two equal conditions never holds."""
    assert same(offer({"or": [COUNT, COUNT]}), offer(COUNT))
    assert same(offer({"and": [COUNT, {"and": [COUNT]}]}), offer(COUNT))
    assert not same(offer({"xone": [COUNT, COUNT]}), offer(COUNT))


def test_the_order_of_a_sequence_counts() -> None:
    """First this and then that is not first that and then this."""
    other = {"leftOperand": "purpose", "operator": "isA", "rightOperand": "dpv:Marketing"}
    assert not same(offer({"andSequence": [COUNT, other]}), offer({"andSequence": [other, COUNT]}))
    assert same(offer({"and": [COUNT, other]}), offer({"and": [other, COUNT]}))


def test_what_is_too_large_is_refused() -> None:
    """No policy costs more to read than its limits allow."""
    nested: dict[str, Any] = COUNT
    for _ in range(7):
        nested = {"or": [nested]}
    deep: Any = "use"
    for _ in range(5000):
        deep = [deep]
    for document, limits in (
        (offer(nested), {}),
        ({"permission": deep}, {}),
        (offer(*[COUNT] * 600), {"values": 10**6}),
        ({"permission": [{"action": "use"}] * 65}, {}),
        (offer(*[COUNT] * 3000), {}),
        (offer(COUNT | {"rightOperand": "9" * 5000}), {}),
        (offer(COUNT), {"conditions": 0}),
    ):
        assert isinstance(refused(document, **limits), TooLarge)
    assert "holds more" in understood({"permission": deep})[0]


@pytest.mark.parametrize(
    "document",
    [None, [], "use", 3, {1: 2}, {"a": float("nan")}, {"a": {1, 2}}, {"a": 2**64}, {"a": "\ud800"}, {"\ud800": 1}],
)
def test_what_is_no_json_object_is_refused(document: Any) -> None:
    """A caller's mistake is a refusal like any other."""
    refused(document)
    assert understood(document)


def test_a_flood_of_findings_is_cut() -> None:
    """Ten thousand mistakes do not make ten thousand sentences."""
    assert len(understood({f"key{number}": 1 for number in range(1000)})) == Limits().findings


def test_the_structs_say_what_the_document_said() -> None:
    """One policy, read by eye."""
    document = {
        "@id": "urn:agreement:1",
        "@type": "Agreement",
        "target": {"@id": "urn:data:1"},
        "assigner": "did:web:weather.example",
        "assignee": "did:web:energy.example",
        "permission": {"action": "use", "constraint": {"or": [COUNT]}, "duty": {"action": "delete"}},
        "prohibition": [],
    }
    assert read(document) == Policy(
        kind=Kind.AGREEMENT,
        id="urn:agreement:1",
        target="urn:data:1",
        assigner="did:web:weather.example",
        assignee="did:web:energy.example",
        permissions=(
            Rule(
                ODRL + "use",
                (Logical("or", (Constraint(ODRL + "count", Operator.LTEQ, (3,)),)),),  # type: ignore[arg-type]
                (Rule(ODRL + "delete"),),
            ),
        ),
    )
