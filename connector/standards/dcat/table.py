"""The one table between the model and the graph: which field is which property, and what its values look like.

Sources: DCAT-AP 3.0.1, GeoDCAT-AP 3.1.0 (geodcatap), DCAT-AP HVD 3.0.0 (hvdCategory), StatDCAT-AP 3.0.0 draft (stat)
and the vocabularies they build on. `graph` writes and reads by it; nothing else knows a property of a record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from connector.standards.dcat import model as m
from connector.standards.rdf import full


class Form(Enum):
    """What the values of a property look like in RDF."""

    TEXT = auto()  # one literal per language
    TEXTS = auto()  # several literals per language
    IRI = auto()
    STRING = auto()  # a literal without language
    TIME = auto()  # xsd:gYear, gYearMonth, date or dateTime, by the look of it
    DURATION = auto()
    DECIMAL = auto()
    COUNT = auto()  # xsd:nonNegativeInteger
    HEX = auto()
    BOX = auto()
    POINT = auto()
    WKT = auto()
    MAILTO = auto()
    TEL = auto()
    CF_NAME = auto()  # the IRI that the NERC vocabulary server gives a CF standard name
    NODE = auto()


@dataclass(frozen=True, slots=True)
class Property:
    """One row: `field` of a model class is `iri`; nodes are of class `node` and carry the type `type`."""

    field: str
    iri: str
    form: Form
    node: type[m.Node] | None = None
    type: str | None = None


def _row(field: str, name: str, form: Form) -> Property:
    return Property(field, full(name), form)


def _node(field: str, name: str, node: type[m.Node], kind: str) -> Property:
    return Property(field, full(name), Form.NODE, node, full(kind))


def _agents(*pairs: tuple[str, str]) -> tuple[Property, ...]:
    return tuple(_node(field, name, m.Agent, "foaf:Agent") for field, name in pairs)


_TITLES: Final = (_row("title", "dct:title", Form.TEXT), _row("description", "dct:description", Form.TEXT))
_DATES: Final = (_row("issued", "dct:issued", Form.TIME), _row("modified", "dct:modified", Form.TIME))
_SUBJECTS: Final = (_row("keyword", "dcat:keyword", Form.TEXTS), _row("theme", "dcat:theme", Form.IRI))
_LAW: Final = _row("applicable_legislation", "dcatap:applicableLegislation", Form.IRI)
_HVD: Final = _row("hvd_category", "dcatap:hvdCategory", Form.IRI)
_PAGE: Final = _row("page", "foaf:page", Form.IRI)
_LANDING: Final = _row("landing_page", "dcat:landingPage", Form.IRI)
_LANGUAGE: Final = _row("language", "dct:language", Form.IRI)
_LICENCE: Final = _row("licence", "dct:license", Form.IRI)
_ACCESS: Final = _row("access_rights", "dct:accessRights", Form.IRI)
_PUBLISHER: Final = _node("publisher", "dct:publisher", m.Agent, "foaf:Agent")
_CONTACT: Final = _node("contact_point", "dcat:contactPoint", m.ContactPoint, "vcard:Kind")
_STANDARDS: Final = _node("conforms_to", "dct:conformsTo", m.Standard, "dct:Standard")
_RIGHTS: Final = _node("rights", "dct:rights", m.Statement, "dct:RightsStatement")
_METRES: Final = _row("spatial_resolution_in_meters", "dcat:spatialResolutionInMeters", Form.DECIMAL)
_STEP: Final = _row("temporal_resolution", "dcat:temporalResolution", Form.DURATION)

_DATASET: Final = (
    *_TITLES,
    *_SUBJECTS,
    *_DATES,
    _row("created", "dct:created", Form.TIME),
    _row("identifier", "dct:identifier", Form.STRING),
    _node("other_identifier", "adms:identifier", m.Identifier, "adms:Identifier"),
    _PUBLISHER,
    *_agents(
        ("creator", "dct:creator"),
        ("rights_holder", "dct:rightsHolder"),
        ("originator", "geodcatap:originator"),
        ("processor", "geodcatap:processor"),
        ("distributor", "geodcatap:distributor"),
        ("custodian", "geodcatap:custodian"),
    ),
    _node("qualified_attribution", "prov:qualifiedAttribution", m.Attribution, "prov:Attribution"),
    _CONTACT,
    _node("spatial", "dct:spatial", m.Location, "dct:Location"),
    _node("temporal", "dct:temporal", m.PeriodOfTime, "dct:PeriodOfTime"),
    _row("frequency", "dct:accrualPeriodicity", Form.IRI),
    _ACCESS,
    _RIGHTS,
    _LANGUAGE,
    _row("type", "dct:type", Form.IRI),
    _row("version", "dcat:version", Form.STRING),
    _row("version_notes", "adms:versionNotes", Form.TEXT),
    _LANDING,
    _PAGE,
    _STANDARDS,
    _LAW,
    _HVD,
    _node("provenance", "dct:provenance", m.Statement, "dct:ProvenanceStatement"),
    _node("was_generated_by", "prov:wasGeneratedBy", m.Activity, "prov:Activity"),
    _row("source", "dct:source", Form.IRI),
    _row("relation", "dct:relation", Form.IRI),
    _row("is_referenced_by", "dct:isReferencedBy", Form.IRI),
    _row("has_version", "dcat:hasVersion", Form.IRI),
    _row("has_current_version", "dcat:hasCurrentVersion", Form.IRI),
    _row("is_version_of", "dcat:isVersionOf", Form.IRI),
    _row("previous_version", "dcat:previousVersion", Form.IRI),
    _row("in_series", "dcat:inSeries", Form.IRI),
    _row("first", "dcat:first", Form.IRI),
    _row("last", "dcat:last", Form.IRI),
    _row("prev", "dcat:prev", Form.IRI),
    _row("next", "dcat:next", Form.IRI),
    _row("topic_category", "geodcatap:topicCategory", Form.IRI),
    _row("crs", "geodcatap:referenceSystem", Form.IRI),
    _METRES,
    _row("spatial_resolution_as_text", "geodcatap:spatialResolutionAsText", Form.TEXT),
    _STEP,
    _node("variables", "stat:measure", m.Variable, "qb:MeasureProperty"),
    _node("dimensions", "stat:dimension", m.Component, "qb:DimensionProperty"),
    _node("attributes", "stat:attribute", m.Component, "qb:AttributeProperty"),
    _row("data_structure", "stat:dataStructureDefinition", Form.IRI),
    _row("num_series", "stat:numSeries", Form.COUNT),
    _row("unit_measure", "stat:statUnitMeasure", Form.IRI),
    _node("quality_note", "dqv:hasQualityAnnotation", m.QualityNote, "dqv:QualityAnnotation"),
    _node("quality_measurement", "dqv:hasQualityMeasurement", m.QualityMeasurement, "dqv:QualityMeasurement"),
    _node("distribution", "dcat:distribution", m.Distribution, "dcat:Distribution"),
)

_DISTRIBUTION: Final = (
    *_TITLES,
    *_DATES,
    _row("access_url", "dcat:accessURL", Form.IRI),
    _row("download_url", "dcat:downloadURL", Form.IRI),
    _node("access_service", "dcat:accessService", m.DataService, "dcat:DataService"),
    _row("format", "dct:format", Form.IRI),
    _row("media_type", "dcat:mediaType", Form.IRI),
    _row("compress_format", "dcat:compressFormat", Form.IRI),
    _row("package_format", "dcat:packageFormat", Form.IRI),
    _row("byte_size", "dcat:byteSize", Form.COUNT),
    _node("checksum", "spdx:checksum", m.Checksum, "spdx:Checksum"),
    _LICENCE,
    _RIGHTS,
    _STANDARDS,
    _LANGUAGE,
    _row("status", "adms:status", Form.IRI),
    _row("availability", "dcatap:availability", Form.IRI),
    _PAGE,
    _METRES,
    _STEP,
    _row("representation_technique", "adms:representationTechnique", Form.IRI),
    Property("character_encoding", "http://www.w3.org/2011/content#characterEncoding", Form.STRING),
    _LAW,
)

_SERVICE: Final = (
    *_TITLES,
    *_SUBJECTS,
    _row("endpoint_url", "dcat:endpointURL", Form.IRI),
    _row("endpoint_description", "dcat:endpointDescription", Form.IRI),
    _row("serves_dataset", "dcat:servesDataset", Form.IRI),
    _STANDARDS,
    _PUBLISHER,
    _CONTACT,
    _LICENCE,
    _ACCESS,
    _PAGE,
    _LANDING,
    _LAW,
    _HVD,
)

TABLE: Final[Mapping[type[m.Node], tuple[Property, ...]]] = {
    m.Dataset: _DATASET,
    m.Distribution: _DISTRIBUTION,
    m.DataService: _SERVICE,
    m.Agent: (
        _row("name", "foaf:name", Form.TEXT),
        _row("type", "dct:type", Form.IRI),
        _row("homepage", "foaf:homepage", Form.IRI),
        _row("email", "foaf:mbox", Form.MAILTO),
    ),
    m.ContactPoint: (
        _row("name", "vcard:fn", Form.TEXT),
        _row("organization", "vcard:organization-name", Form.TEXT),
        _row("email", "vcard:hasEmail", Form.MAILTO),
        _row("url", "vcard:hasURL", Form.IRI),
        _row("telephone", "vcard:hasTelephone", Form.TEL),
    ),
    m.PeriodOfTime: (_row("start", "dcat:startDate", Form.TIME), _row("end", "dcat:endDate", Form.TIME)),
    m.Location: (
        _row("label", "skos:prefLabel", Form.TEXT),
        _row("bbox", "dcat:bbox", Form.BOX),
        _row("centroid", "dcat:centroid", Form.POINT),
        _row("geometry", "locn:geometry", Form.WKT),
    ),
    m.Checksum: (_row("algorithm", "spdx:algorithm", Form.IRI), _row("value", "spdx:checksumValue", Form.HEX)),
    m.Standard: (_row("title", "dct:title", Form.TEXT), _row("version", "owl:versionInfo", Form.STRING)),
    m.Statement: (_row("description", "dct:description", Form.TEXT),),
    m.Identifier: (
        _row("notation", "skos:notation", Form.STRING),
        _row("scheme", "adms:schemaAgency", Form.STRING),
    ),
    m.Activity: (_row("label", "rdfs:label", Form.TEXT),),
    m.Attribution: (
        _node("agent", "prov:agent", m.Agent, "foaf:Agent"),
        _row("role", "dcat:hadRole", Form.IRI),
    ),
    m.Variable: (
        _row("name", "skos:notation", Form.STRING),
        _row("standard_name", "qb:concept", Form.CF_NAME),
        _row("label", "rdfs:label", Form.TEXT),
        _row("unit", "schema:unitText", Form.STRING),
    ),
    m.Component: (_row("name", "skos:notation", Form.STRING), _row("label", "rdfs:label", Form.TEXT)),
    m.QualityNote: (_row("text", "oa:bodyValue", Form.STRING), _row("page", "oa:hasBody", Form.IRI)),
    m.QualityMeasurement: (
        _row("metric", "dqv:isMeasurementOf", Form.IRI),
        _row("value", "dqv:value", Form.DECIMAL),
        _row("unit", "sdmx-attribute:unitMeasure", Form.IRI),
    ),
}
"""Each model class and its rows."""
