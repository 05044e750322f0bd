"""The names of RDF here: our namespace, the prefixes, the formats and how much of each is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from pyoxigraph import RdfFormat, Triple

from connector.errors import InvalidInput

Triples: TypeAlias = tuple[Triple, ...]

GD: Final = "urn:greendeal:ns:"
"""Namespace of the connector's own terms."""

PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "adms": "http://www.w3.org/ns/adms#",
        "dcat": "http://www.w3.org/ns/dcat#",
        "dcatap": "http://data.europa.eu/r5r/",
        "dct": "http://purl.org/dc/terms/",
        "dqv": "http://www.w3.org/ns/dqv#",
        "dspace": "https://w3id.org/dspace/2025/1/",
        "eli": "http://data.europa.eu/eli/ontology#",
        "foaf": "http://xmlns.com/foaf/0.1/",
        "gd": GD,
        "geodcatap": "http://data.europa.eu/930/",
        "geo": "http://www.opengis.net/ont/geosparql#",
        "locn": "http://www.w3.org/ns/locn#",
        "oa": "http://www.w3.org/ns/oa#",
        "odrl": "http://www.w3.org/ns/odrl/2/",
        "owl": "http://www.w3.org/2002/07/owl#",
        "prov": "http://www.w3.org/ns/prov#",
        "qb": "http://purl.org/linked-data/cube#",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "schema": "http://schema.org/",
        "sdmx-attribute": "http://purl.org/linked-data/sdmx/2009/attribute#",
        "sh": "http://www.w3.org/ns/shacl#",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "spdx": "http://spdx.org/rdf/terms#",
        "stat": "http://data.europa.eu/s1n/",
        "time": "http://www.w3.org/2006/time#",
        "vcard": "http://www.w3.org/2006/vcard/ns#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    }
)
"""Prefix to namespace, as written into what the connector serialises."""


def full(name: str) -> str:
    """Return the IRI of the prefixed `name`, such as `dct:title`; the prefix is one of `PREFIXES`."""
    prefix, _, local = name.partition(":")
    return PREFIXES[prefix] + local


def compact(iri: str) -> str:
    """Return `iri` with a known prefix where one fits, else unchanged."""
    for prefix, namespace in PREFIXES.items():
        if iri.startswith(namespace) and len(iri) > len(namespace):
            return f"{prefix}:{iri[len(namespace) :]}"
    return iri


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a foreign document is read.

    Attributes:
        bytes: size of the document.
        triples: statements in it.
        nesting: brackets or elements within one another (deep JSON-LD brings the parser's process down).
        contexts: JSON-LD contexts in one document, wherever they stand.
        terms: terms that one inline JSON-LD context may define.
    """

    bytes: int = 20 * 1024 * 1024
    triples: int = 500_000
    nesting: int = 64
    contexts: int = 32
    terms: int = 1_000


LIMITS: Final = Limits()


class Format(StrEnum):
    """A way to write RDF down."""

    TURTLE = "turtle"
    JSON_LD = "json-ld"
    RDF_XML = "rdf-xml"
    N_TRIPLES = "n-triples"
    TRIG = "trig"
    N_QUADS = "n-quads"

    @property
    def media_type(self) -> str:
        """The registered media type."""
        return _MEDIA_TYPES[self][0]

    @property
    def label(self) -> str:
        """The name people use."""
        return _LABELS[self]

    @property
    def extensions(self) -> tuple[str, ...]:
        """File name endings with their dot, the usual one first."""
        return _EXTENSIONS[self]

    @classmethod
    def of(cls, name: str) -> "Format":
        """Return the format that a media type (parameters are ignored), a file name or a short name tells.

        Raises:
            InvalidInput: the name tells none of the formats.
        """
        plain = name.partition(";")[0].strip().lower()
        for candidate in cls:
            if plain == candidate.value or plain in _MEDIA_TYPES[candidate] or plain.endswith(_EXTENSIONS[candidate]):
                return candidate
        known = ", ".join(f"{each.media_type} ({each.extensions[0]})" for each in cls)
        raise InvalidInput(f"{name!r} is not an RDF format that can be read.", fix=f"Use one of: {known}.")


_LABELS: Final[Mapping[Format, str]] = {
    Format.TURTLE: "Turtle",
    Format.JSON_LD: "JSON-LD",
    Format.RDF_XML: "RDF/XML",
    Format.N_TRIPLES: "N-Triples",
    Format.TRIG: "TriG",
    Format.N_QUADS: "N-Quads",
}

_MEDIA_TYPES: Final[Mapping[Format, tuple[str, ...]]] = {
    Format.TURTLE: ("text/turtle", "application/x-turtle", "text/n3"),
    Format.JSON_LD: ("application/ld+json", "application/json"),
    Format.RDF_XML: ("application/rdf+xml", "application/xml", "text/xml"),
    Format.N_TRIPLES: ("application/n-triples",),
    Format.TRIG: ("application/trig", "application/x-trig"),
    Format.N_QUADS: ("application/n-quads",),
}

_EXTENSIONS: Final[Mapping[Format, tuple[str, ...]]] = {
    Format.TURTLE: (".ttl", ".turtle"),
    Format.JSON_LD: (".jsonld", ".json"),
    Format.RDF_XML: (".rdf", ".owl", ".xml"),
    Format.N_TRIPLES: (".nt",),
    Format.TRIG: (".trig",),
    Format.N_QUADS: (".nq",),
}

ENGINE_FORMATS: Final[Mapping[Format, RdfFormat]] = {
    Format.TURTLE: RdfFormat.TURTLE,
    Format.JSON_LD: RdfFormat.JSON_LD,
    Format.RDF_XML: RdfFormat.RDF_XML,
    Format.N_TRIPLES: RdfFormat.N_TRIPLES,
    Format.TRIG: RdfFormat.TRIG,
    Format.N_QUADS: RdfFormat.N_QUADS,
}
"""The name that pyoxigraph has for each format."""
