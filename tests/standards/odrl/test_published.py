"""What we ship and write, held against the published schema, vocabulary and tables; without them, one skip."""

import re
from pathlib import Path

import jsonschema_rs
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connector.standards.odrl import terms
from connector.standards.odrl.concepts import taxonomy
from connector.standards.odrl.intake import write
from connector.standards.odrl.policy import Kind, Policy
from connector.standards.odrl.templates import fill, templates
from tests.conftest import references
from tests.standards.odrl.strategies import policies

SHARED: Path = references()


def validator(name: str) -> jsonschema_rs.Validator:
    """Return the Dataspace Protocol's own schema of an Offer, a MessageOffer or an Agreement."""
    schema = SHARED / "standards/dsp-2025-1/negotiation/contract-schema.json"
    definitions = msgspec.json.decode(schema.read_bytes())["definitions"]
    return jsonschema_rs.validator_for({"$ref": f"#/definitions/{name}", "definitions": definitions})


def test_filled_templates_are_valid_on_the_wire() -> None:
    """With an id, as in a catalog, every template is an offer under the protocol's schema."""
    listed, sent = validator("Offer"), validator("MessageOffer")
    for template in templates():
        examples = {key: parameter.example for key, parameter in template.parameters.items()}
        offer = fill(template.name, **examples) | {"@id": "urn:offer:1"}
        listed.validate(offer)
        sent.validate(offer | {"target": "urn:data:1"})


def test_every_policy_we_write_is_valid_on_the_wire() -> None:
    """Any offer or agreement that can be stated passes the schema: arrays, strings, value objects."""
    checks = {Kind.OFFER: validator("MessageOffer"), Kind.AGREEMENT: validator("Agreement")}

    @given(policies(), st.sampled_from(sorted(checks)))
    def valid(policy: Policy, kind: Kind) -> None:
        named = {key: getattr(policy, key) or "urn:name:1" for key in ("id", "target", "assigner", "assignee")}
        checks[kind].validate(write(msgspec.structs.replace(policy, kind=kind, **named)))

    valid()


def test_the_shipped_vocabularies_are_what_their_sources_say() -> None:
    """Every IRI and label is the source's own, word for word."""
    for source, file in (("dpv-purposes", "purposes"), ("eu-country", "countries"), ("eu-continent", "countries")):
        given = (SHARED / "vocab" / f"{source}.ttl").read_text()
        prefix = re.search(r"@prefix c: <([^>]+)>", given)
        assert prefix is not None
        labels = {
            prefix[1] + code: label
            for code, label in re.findall(
                r'^c:(\w+) a skos:Concept .*skos:prefLabel [^.]*?"([^"]*)"@en', given, re.MULTILINE
            )
        }
        ours = {iri: label for iri, label in taxonomy(f"{file}.ttl").labels.items() if iri.startswith(prefix[1])}
        assert ours
        assert ours.items() <= labels.items()


def test_the_actions_are_those_of_the_vocabulary() -> None:
    """Actions, what they lie in and what replaced the deprecated ones are those of ODRL 2.2, neither more nor less."""
    text = (SHARED / "standards/odrl-examples/odrl22-vocabulary.ttl").read_text()
    blocks = re.findall(r"^(:\w+|cc:\w+)\n\ta :Action(.*?)\s\.\n", text, re.MULTILINE | re.DOTALL)

    def iri(name: str) -> str:
        return terms.CC + name[3:] if name.startswith("cc:") else terms.ODRL + name.rpartition(":")[2]

    actions: dict[str, tuple[str | None, str]] = {}
    successors: dict[str, str] = {}
    for name, body in blocks:
        parent = re.search(r":includedIn (\w*:\w+)", body)
        label = re.search(r'rdfs:label "([^"]*)"', body)
        match = re.search(r"skos:exactMatch (:\w+)", body)
        assert label is not None
        if "owl:deprecated true" in body:
            successors |= {iri(name): iri(match[1])} if match else {}
        else:
            actions[iri(name)] = (iri(parent[1]) if parent else None, label[1])
    assert {name: (action.parent, action.label) for name, action in terms.ACTIONS.items()} == actions
    assert dict(terms.SUCCESSORS) == successors
