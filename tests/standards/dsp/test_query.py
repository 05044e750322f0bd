"""The filter of a catalog request: understood in every spelling, refused as a whole where a part is not."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput, TooLarge
from connector.standards import rdf
from connector.standards.dsp import messages, query
from connector.standards.dsp.query import Criterion, Query, Value
from connector.standards.dsp.schema import CONTEXT

EDC: Final = query.EDC
SUBJECT: Final = "https://example.org/d"
RECORD: Final = f"""
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
<{SUBJECT}> a dcat:Dataset ; dct:title "Rain"@en, "Regen"@de ; dcat:keyword "a", "b" ;
  dct:issued "2024-05"^^xsd:gYearMonth ; dct:modified "2024-05-06T10:00:00+02:00"^^xsd:dateTime ;
  dcat:spatialResolutionInMeters "5.50"^^xsd:decimal ; dct:publisher <https://example.org/a> ;
  <https://example.org/own> "x" ; dcat:distribution <https://example.org/f> .
<https://example.org/a> foaf:name "Wetterdienst"@de .
<https://example.org/f> dct:format <http://example.org/CSV> ; dcat:mediaType <http://example.org/text/csv> .
"""


def spec(**terms: Any) -> list[Any]:
    """Return a filter with one query."""
    return [{"@type": "QuerySpec", **terms}]


def criterion(left: Any = "id", operator: Any = "=", right: Any = "x") -> dict[str, Any]:
    """Return a criterion in short terms."""
    return {"operandLeft": left, "operator": operator, "operandRight": right}


def test_what_edc_sends_is_understood() -> None:
    """The request of Eclipse EDC as it comes: its defaults, its types, its namespaces."""
    sent = spec(offset=0, limit=50, sortOrder="ASC", sortField=f"{EDC}id")
    sent[0]["filterExpression"] = [{"@type": "Criterion", **criterion(f"{EDC}id", "=", "asset-1")}]
    assert query.read(sent) == Query(0, 50, "id", False, (Criterion("id", "=", "asset-1"),))  # noqa: FBT003 - as on the wire
    assert query.read(spec()) == Query(0, 50)
    assert query.read(()) is None


@pytest.mark.parametrize(
    ("operand", "meant"),
    [
        *((name, meant) for name, meant in query.NAMES.items()),
        *((f"edc:{name}", meant) for name, meant in query.NAMES.items()),
        *((EDC + name, meant) for name, meant in query.NAMES.items()),
        ("http://purl.org/dc/terms/title", "dct:title"),
        ("dct:title", "dct:title"),
        ("http://purl.org/dc/terms/publisher", "dct:publisher"),
        ("https://example.org/own", "https://example.org/own"),
        ([{"@value": "dct:title"}], "dct:title"),
        ({"@id": "dct:title"}, "dct:title"),
    ],
)
def test_operands_by_name_prefix_and_iri(operand: Any, meant: str) -> None:
    """Each spelling of a property is the same property."""
    found = query.read(spec(filterExpression=criterion(operand)))
    assert found is not None
    assert found.criteria == (Criterion(meant, "=", "x"),)


@pytest.mark.parametrize(
    "operand", ["", "colour", "ex:title", f"{EDC}colour", "title ", 5, None, ["a", "b"], "http://a b/"]
)
def test_an_operand_that_is_not_known_is_refused_with_those_that_are(operand: Any) -> None:
    """A typing error finds nothing, which would look like a catalog without such datasets."""
    with pytest.raises(InvalidInput) as refused:
        query.read(spec(filterExpression=[criterion(operand)]))
    assert "keyword" in str(refused.value.fix)


@pytest.mark.parametrize(
    ("right", "meant"),
    [
        ("x", "x"),
        (5, 5.0),
        (5.5, 5.5),
        (True, "true"),
        (False, "false"),
        ({"@value": "x"}, "x"),
        ([{"@value": 5}], 5.0),
        ({"@value": "2024", "@type": "xsd:gYear"}, "2024"),
    ],
)
def test_right_operands(right: Any, meant: Any) -> None:
    """Texts, numbers and truth values, bare or as JSON-LD wraps them."""
    found = query.read(spec(filterExpression=criterion(right=right)))
    assert found is not None
    assert found.criteria[0].right == meant
    several = query.read(spec(filterExpression=criterion("id", "in", {"@list": [right, "y"]})))
    assert several is not None
    assert several.criteria[0].right == (meant, "y")


@pytest.mark.parametrize("right", [None, {}, {"a": 1}, [], ["a", "b"], "\x00", "\ud800", 10**400, 1e301])
def test_right_operands_that_cannot_be_compared_are_refused(right: Any) -> None:
    """What no value of a record can be is told, not searched for."""
    with pytest.raises(InvalidInput):
        query.read(spec(filterExpression=criterion(right=right)))


def test_limits() -> None:
    """Criteria, choices and characters are bounded."""
    for terms in (
        {"filterExpression": [criterion()] * (query.CRITERIA + 1)},
        {"filterExpression": criterion("id", "in", ["x"] * (query.CHOICES + 1))},
        {"filterExpression": criterion(right="x" * (query.CHARACTERS + 1))},
    ):
        with pytest.raises(TooLarge):
            query.read(spec(**terms))


TERMS: Final = st.sampled_from(["offset", "limit", "sortOrder", "sortField", "filterExpression", "@type"])


@given(TERMS.flatmap(lambda term: st.text(max_size=3).map(lambda more: f"{term}{more}")) | st.text(max_size=10))
def test_every_unknown_term_is_refused(term: str) -> None:
    """No term is read over, however like a known one it is."""
    short = term.removeprefix(EDC).removeprefix("edc:")
    if short in {"offset", "limit", "sortOrder", "sortField", "filterExpression", "@type"}:
        return
    for given_filter in (spec(**{term: 1}), spec(filterExpression={**criterion(), term: 1})):
        if short in {"operandLeft", "operator", "operandRight"}:
            continue
        with pytest.raises(InvalidInput):
            query.read(given_filter)


@given(st.sampled_from(["", "edc:", EDC]), st.integers(0, 100), st.integers(1, 100), st.sampled_from(["ASC", "desc"]))
def test_every_spelling_is_the_same_query(prefix: str, offset: int, limit: int, order: str) -> None:
    """Short, prefixed and full terms, bare and wrapped values, through messages in plain and in prefixed form."""
    sent = {
        "@type": f"{prefix}QuerySpec",
        f"{prefix}offset": [{"@value": offset}],
        f"{prefix}limit": limit,
        f"{prefix}sortOrder": order,
        f"{prefix}filterExpression": {f"{prefix}{name}": value for name, value in criterion().items()},
    }
    wanted = Query(offset, limit, "id", order == "desc", (Criterion("id", "=", "x"),))
    for kind in ("CatalogRequestMessage", "dspace:CatalogRequestMessage"):
        message = {"@context": [CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"], "@type": kind, "filter": [sent]}
        decoded = messages.decode(json.dumps(message).encode(), messages.CatalogRequestMessage)
        assert query.read(decoded.filter) == wanted


def test_values_are_what_a_record_says() -> None:
    """Every property of the dataset, in all languages, with numbers and moments; and what is gathered further in."""
    found = query.values(rdf.parse(RECORD.encode(), rdf.Format.TURTLE), SUBJECT, ["HttpData-PULL"])
    assert {name: {value.text for value in held} for name, held in found.items()} == {
        "id": {SUBJECT},
        "rdf:type": {"http://www.w3.org/ns/dcat#Dataset"},
        "dct:title": {"Rain", "Regen"},
        "dcat:keyword": {"a", "b"},
        "dct:issued": {"2024-05"},
        "dct:modified": {"2024-05-06T10:00:00+02:00"},
        "dcat:spatialResolutionInMeters": {"5.50"},
        "dct:publisher": {"https://example.org/a"},
        "publisher": {"https://example.org/a", "Wetterdienst"},
        "https://example.org/own": {"x"},
        "dcat:distribution": {"https://example.org/f"},
        "format": {"HttpData-PULL", "http://example.org/CSV", "http://example.org/text/csv"},
    }
    assert found["dcat:spatialResolutionInMeters"] == (Value("5.50", number=5.5),)
    assert found["dct:issued"] == (Value("2024-05", moment=query.moment("2024-05-01T00:00:00Z")),)
    assert found["dct:modified"][0].moment == query.moment("2024-05-06T08:00:00Z")


@pytest.mark.parametrize(
    "text", ["", "24", "2024-13", "2024-02-30", "2024-5-1", "rain", "2024-05-06T25:00:00Z", "٢٠٢٤"]
)
def test_what_is_no_date(text: str) -> None:
    """Text that only looks like a date is text."""
    assert query.moment(text) is None


@given(st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 - the offset is the other value
def test_moments_count_from_1970(naive: datetime, offset: int) -> None:
    """In microseconds, whatever the offset."""
    at = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert query.moment(at.isoformat()) == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
