"""A score as RDF: the W3C Data Quality Vocabulary with the metrics of data.europa.eu."""

from collections.abc import Iterator
from typing import Final

from pyoxigraph import Literal, NamedNode, Triple

from connector.standards.dcat.geometry import number
from connector.standards.dcat.quality import VOCABULARY, CatalogScore, Rating, Score, definitions
from connector.standards.rdf import Triples, full

_TYPE: Final = NamedNode(full("rdf:type"))
_ON: Final = NamedNode(full("dqv:computedOn"))


def measurements(score: Score, at: str) -> Triples:
    """Return the score of a dataset: one measurement for each indicator that was looked at, the points, and the rating.

    Args:
        score: of one dataset, which an IRI names.
        at: when it was computed, xsd:dateTime.
    """
    dataset = NamedNode(score.id)
    named = score.distribution is not None and not score.distribution.startswith("_:")
    counting = NamedNode(score.distribution) if named and score.distribution else dataset
    kinds = {each.metric: each.on for each in definitions()}
    found: list[Triple] = []
    for each in score.indicators:
        if each.value is not None:
            on = counting if kinds[each.metric] == "distribution" else dataset
            found += _measurement(dataset, each.metric, _literal(each.value), at, on)
    found += _measurement(dataset, "score", _literal(score.points), at, dataset)
    return (*found, *_annotation(dataset, score.rating))


def catalog_measurements(score: CatalogScore, catalog: str, at: str) -> Triples:
    """Return the score of a catalog: the share in percent of what passes each indicator, the points, and the rating.

    Args:
        score: of the whole catalog.
        catalog: its IRI.
        at: when it was computed, xsd:dateTime.
    """
    node = NamedNode(catalog)
    found: list[Triple] = []
    for each in score.indicators:
        if each.population:
            share = _literal(100 * each.passing / each.population)
            found += _measurement(node, each.metric, share, at, node)
    found += _measurement(node, "score", _literal(score.points), at, node)
    return (*found, *(_annotation(node, score.rating) if score.rating else ()))


def _measurement(of: NamedNode, metric: str, value: Literal, at: str, on: NamedNode) -> Iterator[Triple]:
    node = NamedNode(f"{of.value}#quality-{metric}")
    yield Triple(of, NamedNode(full("dqv:hasQualityMeasurement")), node)
    yield Triple(node, _TYPE, NamedNode(full("dqv:QualityMeasurement")))
    yield Triple(node, NamedNode(full("dqv:isMeasurementOf")), NamedNode(VOCABULARY + metric))
    yield Triple(node, _ON, on)
    yield Triple(node, NamedNode(full("dqv:value")), value)
    moment = Literal(at, datatype=NamedNode(full("xsd:dateTime")))
    yield Triple(node, NamedNode(full("prov:generatedAtTime")), moment)


def _annotation(of: NamedNode, rating: Rating) -> Iterator[Triple]:
    note = NamedNode(f"{of.value}#quality-rating")
    concept = NamedNode(VOCABULARY + {"sufficient": "enough"}.get(rating, rating))
    yield Triple(of, NamedNode(full("dqv:hasQualityAnnotation")), note)
    yield Triple(note, _TYPE, NamedNode(full("dqv:QualityAnnotation")))
    yield Triple(note, NamedNode(full("oa:hasTarget")), of)
    yield Triple(note, NamedNode(full("oa:hasBody")), concept)


def _literal(value: bool | float) -> Literal:
    match value:
        case bool():
            return Literal(str(value).lower(), datatype=NamedNode(full("xsd:boolean")))
        case int():
            return Literal(str(value), datatype=NamedNode(full("xsd:integer")))
        case _:
            return Literal(number(round(value, 2)), datatype=NamedNode(full("xsd:decimal")))
