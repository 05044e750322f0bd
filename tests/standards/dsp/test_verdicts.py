"""The official JSON schemas and we give the same verdict, on the official examples and on broken copies of them."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import jsonschema_rs
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from connector import library
from connector.errors import InvalidInput
from connector.standards.dsp import linked, schema
from connector.standards.dsp.messages import TYPES, decode, encode
from connector.standards.dsp.versions import VERSIONS
from tests.conftest import references
from tests.standards.dsp import examples, official

FOLDER: Final = references() / "standards" / "dsp-2025-1"
BASE: Final = "https://w3id.org/dspace/2025/1/"

# Where we decide otherwise than the schemas, and why. Each entry tells from the document whether it applies.
DEVIATIONS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "a rule has a target of its own": (
        "The text forbids it and the schemas forget it; reading over it would bind the rule to the wrong dataset.",
        lambda document: any(
            isinstance(rule, dict) and "target" in rule
            for node in objects(document)
            for key in ("permission", "prohibition", "obligation")
            if isinstance(node.get(key), list)
            for rule in node[key]
        ),
    ),
    "it is JSON-LD in another form": (
        "A bare context, a prefixed or an expanded form says the same; it has to pass the schema once compacted.",
        lambda document: not linked.is_plain(document, TYPES),
    ),
}
OWN_TARGET, OTHER_FORM = (applies for _, applies in DEVIATIONS.values())


def objects(value: Any) -> list[dict[str, Any]]:
    """Return every object in a document."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return ([value] if isinstance(value, dict) else []) + [found for each in inner for found in objects(each)]


SCHEMAS: Final = official.schemas(FOLDER)
REGISTRY: Final = official.registry(SCHEMAS)
BY_TITLE: Final = official.validators(SCHEMAS)
ADDRESS: Final = jsonschema_rs.Draft201909Validator(SCHEMAS["transfer/data-address-schema.json"], registry=REGISTRY)
PUBLISHED: Final = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*/example/*.json"))]
MESSAGES: Final = [found for found in PUBLISHED if found.get("@type") in TYPES] + examples.MESSAGES
OTHERS: Final[list[tuple[str, schema.Check, Any]]] = [
    *(("Catalog", schema.ROOT_CATALOG, found) for found in PUBLISHED if found.get("@type") == "Catalog"),
    *(("Dataset", schema.ROOT_DATASET, found) for found in PUBLISHED if found.get("@type") == "Dataset"),
    *(("Version", VERSIONS, found) for found in PUBLISHED if "protocolVersions" in found),
    ("Catalog", schema.ROOT_CATALOG, examples.CATALOG),
    ("Dataset", schema.ROOT_DATASET, {"@context": [examples.CONTEXT], **examples.DATASET}),
]

# Words of the protocol and values of every kind: what a broken document is broken with.
KEYS: Final = sorted({key for found in [*MESSAGES, examples.CATALOG] for node in objects(found) for key in node})
WORDS: Final = sorted(
    {text for found in MESSAGES for node in objects(found) for text in node.values() if isinstance(text, str)}
)
values = st.one_of(
    st.sampled_from([None, True, False, 0, 5, 1.5, "", "x", [], {}, [[]], ["x"], [{}], {"@id": "x"}, {"@value": 5}]),
    st.sampled_from(WORDS),
    st.sampled_from(examples.CONSTRAINTS),
    st.sampled_from([[examples.CONTEXT], [examples.CONTEXT, "urn:other"], ["urn:other"], examples.CONTEXT]),
    st.sampled_from(
        [[examples.CONTEXT, {}], [examples.CONTEXT, 5], [{"action": "use"}], [{"action": "use", "target": "x"}]]
    ),
    st.sampled_from([examples.OFFER, examples.ADDRESS, examples.RULES["permission"], examples.SERVICE]),
).map(copy.deepcopy)


def change(draw: st.DrawFn, document: Any) -> None:
    """Break a document in one place, or try to."""
    nodes: list[Any] = [document]
    for node in nodes:
        nodes.extend(
            each for each in (node.values() if isinstance(node, dict) else node) if isinstance(each, dict | list)
        )
    node = draw(st.sampled_from(nodes))
    how = draw(st.sampled_from(["remove", "replace", "replace", "add", "rename", "wrap"]))
    if isinstance(node, list):
        if how == "add" or not node:
            node.append(draw(values))
        else:
            index = draw(st.integers(0, len(node) - 1))
            if how == "remove":
                del node[index]
            else:
                node[index] = draw(values)
        return
    if how == "add" or not node:
        node[draw(st.sampled_from(KEYS))] = draw(values)
        return
    key = draw(st.sampled_from(sorted(node)))
    old = node.pop(key)
    if how == "replace":
        node[key] = draw(values)
    elif how == "rename":
        node[draw(st.sampled_from(KEYS))] = old
    elif how == "wrap":
        node[key] = [old]


@st.composite
def broken(draw: st.DrawFn, documents: list[Any]) -> Any:
    """One of the documents with one to four changes."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 4))):
        change(draw, document)
    return document


def ours(document: Any, kind: str) -> bool:
    """Tell whether we accept a document as a message of a type, and that what we read goes out valid."""
    try:
        message = decode(json.dumps(document).encode(), TYPES[kind])
    except InvalidInput:
        return False
    assert BY_TITLE[kind].is_valid(json.loads(encode(message)))
    return True


@pytest.mark.parametrize("document", MESSAGES, ids=lambda found: found["@type"])
def test_every_example_is_accepted(document: Any) -> None:
    """What the specification prints as a message is one for us, and goes out as it came in."""
    assert BY_TITLE[document["@type"]].is_valid(document)
    assert ours(document, document["@type"])
    again = json.loads(encode(decode(json.dumps(document).encode())))
    assert again == {key: value for key, value in document.items() if value != []}


ODD: Final[list[Any]] = [
    *(None, True, 5, 1.5, "", "x", [], {}, [[]], ["x"], [{}], {"@id": "x"}, "Offer", "FINALIZED", "STARTED"),
    *([examples.CONTEXT], [examples.CONTEXT, "urn:other"], [examples.CONTEXT, 5], ["urn:other"], examples.CONTEXT),
    *([{"action": "use"}], [{"action": 5}], [{}, {"action": "use"}], [5]),
]


def alterations(document: Any) -> Iterator[Any]:
    """Yield a copy of a document with each key or item in turn taken out, or replaced by something odd."""
    document = copy.deepcopy(document)
    nodes: list[Any] = [document]
    for node in nodes:
        nodes.extend(
            each for each in (node.values() if isinstance(node, dict) else node) if isinstance(each, dict | list)
        )
    for node in nodes:
        before = copy.copy(node)
        for key in before if isinstance(before, dict) else range(len(before)):
            del node[key]
            yield document
            if isinstance(node, list):
                node[:] = before
            for odd in ODD:
                node[key] = odd
                yield document
            if isinstance(node, list):
                node[:] = before
            else:
                node.clear()
                node.update(before)


@pytest.mark.parametrize("document", MESSAGES, ids=lambda found: found["@type"])
def test_one_alteration_anywhere_gets_the_schemas_verdict(document: Any) -> None:
    """Each place of each example, taken out or filled with each kind of value, is judged as the schemas judge it."""
    kind = document["@type"]
    for altered in alterations(document):
        if OTHER_FORM(altered):
            assert not BY_TITLE[kind].is_valid(altered)
        else:
            assert ours(altered, kind) is BY_TITLE[kind].is_valid(altered), altered


@pytest.mark.parametrize("entry", OTHERS, ids=lambda entry: entry[0])
def test_one_alteration_of_a_catalog_or_version_document_gets_the_schemas_verdict(entry: Any) -> None:
    """The same for catalogs, datasets and version documents."""
    title, check, document = entry
    for altered in alterations(document):
        assert (next(check(altered, "$"), None) is None) is BY_TITLE[title].is_valid(altered), altered


ATOM: Final = {"leftOperand": "odrl:count", "operator": "eq", "rightOperand": "5"}
TIMES: Final = [
    *("2026-03-01T12:00:00Z", "2026-03-01T12:00:00", "on 2026-03-01T12:00:00Z.", "2026-03-01T24:00:00", "x"),
    *("2026-03-01", "2026-13-01T12:00:00Z", "-20260-03-01T12:00:00.123+13:59", "2026-03-01t12:00:00Z", ""),
    *("٢٠٢٦-03-01T12:00:00Z", "2026-03-01T12:00:00Z\n", "2026-03-01T25:00:00Z"),
]
CONSTRAINTS: Final[list[Any]] = [
    *({"and": [ATOM], **ATOM}, {"and": [ATOM], "or": [ATOM]}, {"and": [ATOM], "or": [ATOM], **ATOM}),
    *({"and": 5, **ATOM}, {"and": [5], **ATOM}, {"and": [ATOM], **ATOM, "operator": "unheard"}),
    *({"and": [ATOM], "or": 5}, {"and": []}, {"xone": [{"andSequence": [ATOM]}]}, {"or": [{"and": [ATOM], **ATOM}]}),
    *({**ATOM, "operator": operator} for operator in [*schema.OPERATORS, "term-lteq", "odrl:eq", "EQ", "", None]),
    *({**ATOM, "rightOperand": value} for value in [5, 1.5, True, None, "", [], [5], {}, {"@value": 5}]),
    *({key: value for key, value in ATOM.items() if key != left_out} for left_out in ATOM),
]


def policies() -> list[dict[str, Any]]:
    """Return messages whose policies try what is easy to get wrong."""
    offer = next(found for found in examples.MESSAGES if found["@type"] == "ContractOfferMessage")
    agreed = next(found for found in examples.MESSAGES if found["@type"] == "ContractAgreementMessage")
    rules = [{"permission": [{"action": "use", "constraint": [each]}]} for each in CONSTRAINTS]
    rules += [{"prohibition": [{"action": "use"}]}, {"obligation": [{"action": "use"}]}, {}]
    return [
        *({**offer, "offer": {"@id": "o", "@type": "Offer", "target": "t", **each}} for each in rules),
        *({**agreed, "agreement": {**agreed["agreement"], "timestamp": each}} for each in TIMES),
        *({**offer, "offer": {**offer["offer"], "profile": each}} for each in ["x", [], ["x"], [5], 5, {}]),
        *(
            {**found, key: "x"}
            for found in examples.MESSAGES
            for key in ("providerPid", "consumerPid", "callbackAddress")
        ),
    ]


@pytest.mark.parametrize("document", policies(), ids=lambda found: found["@type"])
def test_what_is_easy_to_get_wrong_gets_the_schemas_verdict(document: Any) -> None:
    """Mixed constraints, operators, operands, timestamps and combinations of pids are judged as the schemas do."""
    assert ours(document, document["@type"]) is BY_TITLE[document["@type"]].is_valid(document)


@settings(max_examples=400)
@given(broken(MESSAGES), st.sampled_from(sorted(TYPES)), st.booleans())
def test_a_broken_message_gets_the_schemas_verdict(document: Any, other: str, keep: bool) -> None:
    """No message passes here that the schemas refuse, nor the reverse, but for the deviations in the table."""
    named = document.get("@type")
    kind = named if keep and isinstance(named, str) and named in TYPES else other
    verdict = BY_TITLE[kind].is_valid(document)
    if OTHER_FORM(document):
        event("another form")
        assert not verdict
        ours(document, kind)  # asserts that what it makes of the document is valid
    elif OWN_TARGET(document):
        event("rule with a target")
        assert not ours(document, kind) or verdict
    else:
        event(f"plain, {'valid' if verdict else 'invalid'}")
        assert ours(document, kind) is verdict


@settings(max_examples=400)
@given(st.data())
def test_a_broken_catalog_dataset_or_version_document_gets_the_schemas_verdict(data: st.DataObject) -> None:
    """The checks of the catalog and version documents are those of the schemas, with the same deviation."""
    title, check, example = data.draw(st.sampled_from(OTHERS))
    document = data.draw(broken([example]))
    verdict = BY_TITLE[title].is_valid(document)
    found = next(check(document, "$"), None)
    event(f"{title}, {'valid' if verdict else 'invalid'}")
    assert (found is None) is verdict or (verdict and OWN_TARGET(document))


@settings(max_examples=200)
@given(broken([examples.ADDRESS]))
def test_a_broken_data_address_gets_the_schemas_verdict(document: Any) -> None:
    """A data address is checked as the schema has it, wherever it stands."""
    assert (next(schema.DATA_ADDRESS(document, "$"), None) is None) is ADDRESS.is_valid(document)


def test_every_official_example_and_deviation_is_known() -> None:
    """A new file among the references does not go unseen, and each deviation says why."""
    kinds = {found.get("@type", found.get("type", "versions")) for found in PUBLISHED}
    assert kinds - set(TYPES) == {"Catalog", "Dataset", "versions", "CatalogService", "DataService"}
    assert all(reason for reason, _ in DEVIATIONS.values())
    assert set(TYPES) <= set(BY_TITLE)


@pytest.mark.parametrize(
    ("shipped", "published"),
    [("dspace-2025-1.jsonld", "dspace.jsonld"), ("dspace-2025-1-odrl-profile.jsonld", "odrl.jsonld")],
)
def test_the_shipped_contexts_are_the_published_ones(shipped: str, published: str) -> None:
    """The context files are the published bytes: a changed one would give messages another meaning."""
    assert library.read("vocab", f"contexts/{shipped}") == (FOLDER / "context" / published).read_bytes()
