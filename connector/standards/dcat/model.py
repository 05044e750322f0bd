"""The plain form of a DCAT-AP record: what a JSON client posts, what drafts yield and what pages show.

The names are those of DCAT 3 in snake case. Where the record in RDF says more than this form can hold, its triples are
the truth and this is a view.

Rule 1: RDF has no order, so lists are kept sorted and without repeats; two equal records compare equal.
Rule 2: a text is a mapping of language tag (lower case; `""` for none) to words.
Rule 3: a node with nothing but its `id` is a reference to something described elsewhere.
Rule 4: IRIs are absolute; dates are `2024`, `2024-05`, `2024-05-01` or `2024-05-01T06:00:00Z`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from connector.standards.dcat import geometry
from connector.standards.dcat.geometry import Box, Point

_END: Final = r"$(?!\n)"  # Python's $ also matches before a last line break
_IRI: Final = r"^[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20<>\"{}|\\^`]*" + _END
_LANGUAGE: Final = r"^([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*)?" + _END
_TIME: Final = (
    r"^-?[0-9]{4,}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?)?)?)?(Z|[+\-][0-9]{2}:[0-9]{2})?" + _END
)
_DURATION: Final = r"^-?P(?=.)([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]+)?S)?)?" + _END
_EMAIL: Final = r"^[A-Za-z0-9.!#$&'*+/=?^_~\-]+@[A-Za-z0-9.\-]+" + _END
_TELEPHONE: Final = r"^[+0-9()\-.]+" + _END

Iri: TypeAlias = Annotated[str, Meta(pattern=_IRI, description="an absolute IRI such as https://data.example/rain")]
Language: TypeAlias = Annotated[str, Meta(pattern=_LANGUAGE, description="a language tag such as en or de-at")]
Time: TypeAlias = Annotated[
    str, Meta(pattern=_TIME, description="a date such as 2024, 2024-05, 2024-05-01 or 2024-05-01T06:00:00Z")
]
Duration: TypeAlias = Annotated[str, Meta(pattern=_DURATION, description="a duration such as PT1H or P1M")]
Email: TypeAlias = Annotated[str, Meta(pattern=_EMAIL, description="an e-mail address")]
Telephone: TypeAlias = Annotated[str, Meta(pattern=_TELEPHONE, description="a telephone number without spaces")]
StandardName: TypeAlias = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_]+" + _END, description="a CF standard name such as air_temperature")
]
Hexadecimal: TypeAlias = Annotated[
    str, Meta(pattern=r"^([0-9a-f]{2})+" + _END, description="an even number of lower-case hexadecimal digits")
]
Size: TypeAlias = Annotated[int, Meta(ge=0)]
Metres: TypeAlias = Annotated[float, Meta(gt=0)]

PATTERNS: Final[Mapping[str, str]] = {
    meta.pattern: meta.description
    for kind in (Iri, Language, Time, Duration, Email, Telephone, StandardName, Hexadecimal)
    for meta in get_args(kind)[1:]
}
"""What each pattern asks for, in words."""

LangString: TypeAlias = dict[Language, str]
LangStrings: TypeAlias = dict[Language, tuple[str, ...]]


class Node(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something with properties; `id` is its IRI, None for a node that needs none."""

    id: Iri | None = None

    def __post_init__(self) -> None:
        """Put lists and texts into their one order (Rule 1)."""
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if isinstance(value, list | tuple) and field not in {"bbox", "centroid"}:
                force_setattr(self, field, tuple(_ordered(value)))
            elif isinstance(value, dict):
                force_setattr(self, field, _tidied(value))

    @property
    def is_reference(self) -> bool:
        """Say whether nothing but the `id` is known (Rule 3)."""
        return self.id is not None and self == type(self)(id=self.id)


def _ordered(values: Any) -> list[Any]:
    unique = {msgspec.json.encode(value): value for value in values}
    return [unique[key] for key in sorted(unique)]


def _tidied(texts: dict[str, Any]) -> dict[str, Any]:
    """Lower the language tags, order the texts, and leave out languages that say nothing."""
    tidy: dict[str, Any] = {}
    for language in sorted(texts):
        value = texts[language]
        if not isinstance(value, str):
            value = tuple(sorted({*value, *tidy.get(language.lower(), ())}))
        if isinstance(value, str) or value:
            tidy[language.lower()] = value
    return tidy


class Agent(Node, frozen=True):
    """foaf:Agent: who publishes, creates or holds rights."""

    name: LangString = {}
    type: Iri | None = None
    homepage: Iri | None = None
    email: Email | None = None


class ContactPoint(Node, frozen=True):
    """vcard:Kind: whom to ask."""

    name: LangString = {}
    organization: LangString = {}
    email: Email | None = None
    url: Iri | None = None
    telephone: Telephone | None = None


class PeriodOfTime(Node, frozen=True):
    """dct:PeriodOfTime; a missing end is open."""

    start: Time | None = None
    end: Time | None = None


class Location(Node, frozen=True):
    """dct:Location: a place by name, by box (west, south, east, north in degrees), point or WKT geometry.

    A box with west greater than east crosses the 180th meridian; it is written as geometry, so it excludes another.
    """

    label: LangString = {}
    bbox: Box | None = None
    centroid: Point | None = None
    geometry: str | None = None

    def __post_init__(self) -> None:
        """Order the texts and check that the figures are degrees."""
        Node.__post_init__(self)
        if self.bbox is not None:
            force_setattr(self, "bbox", tuple(float(value) + 0.0 for value in self.bbox))
            if wrong := geometry.check_box(self.bbox):
                raise ValueError(f"bbox is (west, south, east, north) in degrees: {wrong}")
            if self.geometry is not None and self.bbox[0] > self.bbox[2]:
                raise ValueError("a bbox across the 180th meridian is itself a geometry: give one of the two")
        if self.centroid is not None:
            force_setattr(self, "centroid", tuple(float(value) + 0.0 for value in self.centroid))
            longitude, latitude = self.centroid
            if wrong := geometry.check_box((longitude, latitude, longitude, latitude)):
                raise ValueError(f"centroid is (longitude, latitude) in degrees: {wrong}")
        if self.geometry is not None and self.bbox is None and (box := geometry.crossing_box(self.geometry)):
            force_setattr(self, "bbox", box)
            force_setattr(self, "geometry", None)


class Checksum(Node, frozen=True):
    """spdx:Checksum; the algorithm is an IRI such as http://spdx.org/rdf/terms#checksumAlgorithm_sha256."""

    algorithm: Iri | None = None
    value: Hexadecimal | None = None


class Standard(Node, frozen=True):
    """dct:Standard: a specification that something conforms to."""

    title: LangString = {}
    version: str | None = None


class Statement(Node, frozen=True):
    """dct:RightsStatement or dct:ProvenanceStatement: words, and perhaps an IRI for them."""

    description: LangString = {}


class Identifier(Node, frozen=True):
    """adms:Identifier: a further identifier such as a DOI, and who gave it."""

    notation: str | None = None
    scheme: str | None = None


class Activity(Node, frozen=True):
    """prov:Activity: what made the data, such as a satellite mission, an instrument or a model run."""

    label: LangString = {}


class Attribution(Node, frozen=True):
    """prov:Attribution: somebody in a role that has no property of its own."""

    agent: Agent | None = None
    role: Iri | None = None


class Variable(Node, frozen=True):
    """A measured or computed quantity, qb:MeasureProperty under stat:measure.

    Attributes:
        name: the short name in the data, such as t2m.
        standard_name: the name in the CF table, such as air_temperature.
        label: the words for people.
        unit: as the data say it, such as K or m s-1.
    """

    name: str | None = None
    standard_name: StandardName | None = None
    label: LangString = {}
    unit: str | None = None


class Component(Node, frozen=True):
    """A dimension or attribute of a statistical cube (stat:dimension, stat:attribute)."""

    name: str | None = None
    label: LangString = {}


class QualityNote(Node, frozen=True):
    """dqv:QualityAnnotation: something to know before use, or a page that says it."""

    text: str | None = None
    page: Iri | None = None


class QualityMeasurement(Node, frozen=True):
    """dqv:QualityMeasurement: a figure for a metric, such as the angular resolution."""

    metric: Iri | None = None
    value: float | None = None
    unit: Iri | None = None


class DataService(Node, frozen=True):
    """dcat:DataService: an API that gives access to data."""

    title: LangString = {}
    description: LangString = {}
    endpoint_url: tuple[Iri, ...] = ()
    endpoint_description: tuple[Iri, ...] = ()
    serves_dataset: tuple[Iri, ...] = ()
    conforms_to: tuple[Standard, ...] = ()
    keyword: LangStrings = {}
    theme: tuple[Iri, ...] = ()
    publisher: Agent | None = None
    contact_point: tuple[ContactPoint, ...] = ()
    licence: Iri | None = None
    access_rights: Iri | None = None
    page: tuple[Iri, ...] = ()
    landing_page: tuple[Iri, ...] = ()
    applicable_legislation: tuple[Iri, ...] = ()
    hvd_category: tuple[Iri, ...] = ()


class Distribution(Node, frozen=True):
    """dcat:Distribution: one form in which the data can be had."""

    title: LangString = {}
    description: LangString = {}
    access_url: tuple[Iri, ...] = ()
    download_url: tuple[Iri, ...] = ()
    access_service: tuple[DataService, ...] = ()
    format: Iri | None = None
    media_type: Iri | None = None
    compress_format: Iri | None = None
    package_format: Iri | None = None
    byte_size: Size | None = None
    checksum: Checksum | None = None
    licence: Iri | None = None
    rights: tuple[Statement, ...] = ()
    conforms_to: tuple[Standard, ...] = ()
    language: tuple[Iri, ...] = ()
    issued: Time | None = None
    modified: Time | None = None
    status: Iri | None = None
    availability: Iri | None = None
    page: tuple[Iri, ...] = ()
    spatial_resolution_in_meters: Metres | None = None
    temporal_resolution: Duration | None = None
    representation_technique: Iri | None = None
    character_encoding: tuple[str, ...] = ()
    applicable_legislation: tuple[Iri, ...] = ()


class Dataset(Node, frozen=True):
    """dcat:Dataset with what earth observation, meteorology, climate and statistics add to DCAT-AP.

    Attributes:
        kind: whether it is a dataset, or a series of datasets (dcat:DatasetSeries).
        frequency: dct:accrualPeriodicity, how often it is updated.
        crs: IRIs of coordinate reference systems (geodcatap:referenceSystem); see also `reference_systems`.
        variables: measured or computed quantities (stat:measure).
        dimensions: dimensions of a statistical cube (stat:dimension).
        attributes: attributes of a statistical cube (stat:attribute).
        data_structure: IRI of the SDMX data structure definition.
        num_series: number of series in the cube that are not empty.
        unit_measure: IRIs of the units of the cube.
    """

    id: Iri
    kind: Literal["dataset", "series"] = "dataset"
    title: LangString = {}
    description: LangString = {}
    keyword: LangStrings = {}
    theme: tuple[Iri, ...] = ()
    identifier: tuple[str, ...] = ()
    other_identifier: tuple[Identifier, ...] = ()
    publisher: Agent | None = None
    creator: tuple[Agent, ...] = ()
    rights_holder: tuple[Agent, ...] = ()
    originator: tuple[Agent, ...] = ()
    processor: tuple[Agent, ...] = ()
    distributor: tuple[Agent, ...] = ()
    custodian: tuple[Agent, ...] = ()
    qualified_attribution: tuple[Attribution, ...] = ()
    contact_point: tuple[ContactPoint, ...] = ()
    spatial: tuple[Location, ...] = ()
    temporal: tuple[PeriodOfTime, ...] = ()
    issued: Time | None = None
    modified: Time | None = None
    created: Time | None = None
    frequency: Iri | None = None
    access_rights: Iri | None = None
    rights: tuple[Statement, ...] = ()
    language: tuple[Iri, ...] = ()
    type: tuple[Iri, ...] = ()
    version: str | None = None
    version_notes: LangString = {}
    landing_page: tuple[Iri, ...] = ()
    page: tuple[Iri, ...] = ()
    conforms_to: tuple[Standard, ...] = ()
    applicable_legislation: tuple[Iri, ...] = ()
    hvd_category: tuple[Iri, ...] = ()
    provenance: tuple[Statement, ...] = ()
    was_generated_by: tuple[Activity, ...] = ()
    source: tuple[Iri, ...] = ()
    relation: tuple[Iri, ...] = ()
    is_referenced_by: tuple[Iri, ...] = ()
    has_version: tuple[Iri, ...] = ()
    has_current_version: Iri | None = None
    is_version_of: Iri | None = None
    previous_version: Iri | None = None
    in_series: tuple[Iri, ...] = ()
    first: Iri | None = None
    last: Iri | None = None
    prev: Iri | None = None
    next: Iri | None = None
    topic_category: tuple[Iri, ...] = ()
    crs: tuple[Iri, ...] = ()
    spatial_resolution_in_meters: tuple[Metres, ...] = ()
    spatial_resolution_as_text: LangString = {}
    temporal_resolution: Duration | None = None
    variables: tuple[Variable, ...] = ()
    dimensions: tuple[Component, ...] = ()
    attributes: tuple[Component, ...] = ()
    data_structure: Iri | None = None
    num_series: Size | None = None
    unit_measure: tuple[Iri, ...] = ()
    quality_note: tuple[QualityNote, ...] = ()
    quality_measurement: tuple[QualityMeasurement, ...] = ()
    distribution: tuple[Distribution, ...] = ()

    @property
    def reference_systems(self) -> tuple[str, ...]:
        """The `crs`, and those that older profiles put under dct:conformsTo (GeoDCAT-AP 2)."""
        older = (each.id for each in self.conforms_to if each.id is not None and "/def/crs/" in each.id)
        return tuple(dict.fromkeys((*self.crs, *older)))


def words(texts: LangString, *languages: str) -> str:
    """Return the text in the first of `languages` that there is, else in English, untagged, or any."""
    for language in (*languages, "en", ""):
        if language in texts:
            return texts[language]
    return next(iter(texts.values()), "")
