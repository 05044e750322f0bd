"""The policies that ship: each can be filled, is valid on the wire, and says what its sentence says."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from pyld import jsonld

from connector import library
from connector.errors import InvalidInput, NotFound
from connector.standards.odrl import terms
from connector.standards.odrl.explain import explain
from connector.standards.odrl.intake import read, understood, write
from connector.standards.odrl.templates import Template, fill, templates
from tests.standards.odrl.strategies import DPV

NAMES = [template.name for template in templates()]


def example(template: Template) -> dict[str, Any]:
    """Return the offer that the template's own examples make."""
    return fill(template.name, **{key: parameter.example for key, parameter in template.parameters.items()})


@pytest.mark.parametrize("template", templates(), ids=NAMES)
def test_a_filled_template_is_understood(template: Template) -> None:
    """What we offer, we understand ourselves, and write as we would read it."""
    offer = example(template)
    assert understood(offer) == ()
    assert write(read(offer)) == offer
    assert template.title
    assert template.sentence.endswith(".")


def test_every_template_file_is_listed() -> None:
    """A file that is not in the manifest would never be offered."""
    files = {entry.name for entry in library.shelf("policies").iterdir()} - {"manifest.toml"}
    assert files == {f"{name}.toml" for name in NAMES}
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("open", {}, "You may use the data."),
        ("attribution", {}, "You may use the data. Afterwards you must name the source of the data."),
        (
            "research-only",
            {},
            (
                "You may use the data if the purpose is "
                "'Academic Research', 'Non-Commercial Research' or 'Scientific Research'."
            ),
        ),
        (
            "purpose-limited",
            {"purposes": "dpv:CombatClimateChange"},
            "You may use the data if the purpose is 'Combat Climate Change'.",
        ),
        ("non-commercial", {}, "You may use the data if the purpose is 'Non-commercial Purpose'."),
        (
            "recipients-only",
            {"recipients": ["did:web:b.example", "did:web:a.example"]},
            "You may use the data if the recipient is 'did:web:a.example' or 'did:web:b.example'.",
        ),
        (
            "time-limited",
            {"until": date(2026, 12, 31)},
            "You may use the data if the use takes place until the end of 31 December 2026 (UTC).",
        ),
        (
            "time-limited",
            {"until": datetime(2026, 12, 31, 12, tzinfo=UTC)},
            "You may use the data if the use takes place until 31 December 2026, 12:00 UTC.",
        ),
        (
            "embargoed",
            {"start": "2027-01-01"},
            "You may use the data if the use takes place from 1 January 2027 (UTC) on.",
        ),
        ("counted", {"uses": 3}, "You may use the data if it is one of the first 3 uses."),
        ("counted", {"uses": "1"}, "You may use the data if it is the first use."),
        ("eu-only", {}, "You may use the data if the place of use lies in 'European Union'."),
        ("no-redistribution", {}, "You may use the data.\nYou must not pass the data on to third parties."),
    ],
)
def test_a_template_reads_in_plain_english(name: str, params: dict[str, Any], text: str) -> None:
    """The words of a filled template are what its reader agrees to."""
    assert explain(read(fill(name, **params))) == f"{text}\nNothing else is permitted."


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("open", {"until": "2026-12-31"}, "takes no parameters"),
        ("counted", {}, "'uses' is missing"),
        ("counted", {"uses": 3, "places": []}, "'places' is not one of them"),
        ("counted", {"uses": "many"}, "whole number"),
        ("counted", {"uses": [1, 2]}, "takes one value"),
        ("counted", {"uses": None}, "neither a text"),
        ("recipients-only", {"recipients": []}, "at least one value"),
        ("purpose-limited", {"purposes": [DPV + "Fun"]}, "https://w3id.org/dpv#AcademicResearch"),
        ("place-limited", {"places": ["DE"]}, "authority/country/DEU"),
        ("time-limited", {"until": "soon"}, "xsd:date"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, params: dict[str, Any], says: str) -> None:
    """The author of an offer learns which blank is wrong and what goes there."""
    with pytest.raises(InvalidInput) as caught:
        fill(name, **params)
    assert says in str(caught.value)
    assert caught.value.fix
    assert caught.value.where in {*params, "uses"}


def test_a_template_that_is_not_there_is_not_found() -> None:
    """A misspelt name is told apart from wrong parameters."""
    with pytest.raises(NotFound, match="policy template"):
        fill("opne")


def test_templates_mean_the_same_to_a_linked_data_reader() -> None:
    """Under the protocol's context every name expands to ODRL's own, whatever the reader's base."""
    contexts = (
        library.read("vocab", "contexts/dspace-2025-1.jsonld"),
        library.read("vocab", "contexts/dspace-2025-1-odrl-profile.jsonld"),
    )
    known = {
        "https://w3id.org/dspace/2025/1/context.jsonld": contexts[0],
        "https://w3id.org/dspace/2025/1/odrl-profile.jsonld": contexts[1],
    }

    def load(url: str, _options: object) -> dict[str, Any]:
        return {"contextUrl": None, "documentUrl": url, "document": msgspec.json.decode(known[url])}

    for template in templates():
        offer = example(template)
        message = {
            "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
            "@type": "ContractOfferMessage",
            "offer": offer | {"@id": "urn:offer:1", "target": "urn:data:1"},
        }
        expanded = jsonld.expand(message, {"documentLoader": load, "base": "https://reader.example/somewhere/"})
        (inner,) = expanded[0][terms.DSPACE + "offer"]
        assert read(inner) == msgspec.structs.replace(read(offer), id="urn:offer:1", target="urn:data:1")
