"""Synthetic GeoDCAT-AP records of 55 triples, every tenth with one fault, the same ones on every run."""

from typing import Final

PREFIXES: Final = """\
@prefix adms: <http://www.w3.org/ns/adms#> .
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix geodcatap: <http://data.europa.eu/930/> .
@prefix geo: <http://www.opengis.net/ont/geosparql#> .
@prefix prov: <http://www.w3.org/ns/prov#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix spdx: <http://spdx.org/rdf/terms#> .
@prefix topic: <http://inspire.ec.europa.eu/metadata-codelist/TopicCategory/> .
@prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
_RECORD: Final = """\
<https://data.example/{n}> a dcat:Dataset ;
    dct:title "Daily rainfall, region {n}"@en , "Niederschlag, Region {n}"@de ;
    dct:description "Rainfall at 40 stations of region {n}."@en ;
    dct:identifier "https://data.example/{n}" ;
    dcat:keyword "rain"@en , "precipitation"@en , "climate"@en ;
    dcat:theme <http://publications.europa.eu/resource/authority/data-theme/ENVI> ;
    dct:accessRights <http://publications.europa.eu/resource/authority/access-right/PUBLIC> ;
    dct:accrualPeriodicity <http://publications.europa.eu/resource/authority/frequency/DAILY> ;
    dct:language <http://publications.europa.eu/resource/authority/language/ENG> ;
    dct:issued "2024-05-01"^^xsd:date ;
    dct:modified "2024-05-02T06:00:00Z"^^xsd:dateTime ;
    dcat:temporalResolution "P1D"^^xsd:duration ;
    dcat:spatialResolutionInMeters 1000.0 ;
    geodcatap:topicCategory topic:climatologyMeteorologyAtmosphere ;
    dct:publisher <https://data.example/office> ;
    dcat:contactPoint <https://data.example/{n}#contact> ;
    dct:spatial <https://data.example/{n}#area> ;
    dct:temporal <https://data.example/{n}#period> ;
    dct:conformsTo <https://data.example/standard> ;
    dcat:landingPage <https://data.example/{n}/page> ;
    dcat:version "2"@en ;
    dct:provenance <https://data.example/{n}#lineage> ;
    dcat:distribution <https://data.example/{n}/csv> .
<https://data.example/office> a foaf:Agent ; foaf:name "Weather Office"@en .
<https://data.example/{n}/page> a foaf:Document .
<https://data.example/standard> a dct:Standard ; dct:title "A standard"@en .
<https://data.example/{n}#contact> a vcard:Kind ; vcard:fn "Desk"@en ; vcard:hasEmail <mailto:desk@data.example> .
<mailto:desk@data.example> a vcard:Email .
<https://data.example/{n}#area> a dct:Location ;
    dcat:bbox "POLYGON((5 45,11 45,11 48,5 48,5 45))"^^geo:wktLiteral .
<https://data.example/{n}#period> a dct:PeriodOfTime ;
    dcat:startDate "2020-01-01"^^xsd:date ; dcat:endDate "2024-04-30"^^xsd:date .
<https://data.example/{n}#lineage> a dct:ProvenanceStatement ; dct:description "Read from gauges."@en .
<https://data.example/{n}/csv> a dcat:Distribution ;
    dct:title "CSV"@en ;
    dct:description "One row a day."@en ;
    dcat:accessURL <https://data.example/{n}/csv> ;
    dcat:downloadURL <https://data.example/{n}/file.csv> ;
    dct:format <http://publications.europa.eu/resource/authority/file-type/CSV> ;
    dcat:mediaType <https://www.iana.org/assignments/media-types/text/csv> ;
    dct:license <http://publications.europa.eu/resource/authority/licence/CC_BY_4_0> ;
    dcat:byteSize "52000"^^xsd:nonNegativeInteger ;
    spdx:checksum <https://data.example/{n}#sum> .
<https://data.example/{n}#sum> a spdx:Checksum ;
    spdx:algorithm spdx:checksumAlgorithm_sha256 ;
    spdx:checksumValue "ab12"^^xsd:hexBinary .
"""
_FAULTS: Final = (
    ('    dct:description "Rainfall at 40 stations of region {n}."@en ;\n', ""),
    ('foaf:name "Weather Office"@en', "foaf:homepage <https://data.example/>"),
    ("    dcat:accessURL <https://data.example/{n}/csv> ;\n", '    dcat:accessURL "here" ;\n'),
    ('"2024-05-01"^^xsd:date', '"last week"'),
)


def record(number: int, *, faulty: bool = False) -> bytes:
    """Return a record as Turtle."""
    text = _RECORD
    if faulty:
        old, new = _FAULTS[number // 10 % len(_FAULTS)]
        text = text.replace(old, new)
    return (PREFIXES + text.replace("{n}", str(number))).encode()


def records(count: int) -> list[bytes]:
    """Return records as Turtle, every tenth with a fault."""
    return [record(number, faulty=number % 10 == 0) for number in range(count)]
