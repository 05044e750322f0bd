"""A record as schema.org Dataset and as Croissant 1.0, in JSON-LD, for search engines and tools of machine learning."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connector.standards.crosswalks import values as v
from connector.standards.crosswalks.values import Row, Written
from connector.standards.dcat import model

ROWS: Final = (
    Row("@id, url", "id, landing_page"),
    Row("name, description, keywords", "title, description, keyword", "in one language"),
    Row("identifier, sameAs", "identifier, other_identifier"),
    Row("creator, publisher", "creator, publisher"),
    Row("contactPoint", "contact_point", "of the publisher, where there is one"),
    Row("datePublished, dateModified, dateCreated, version", "issued, modified, created, version"),
    Row("inLanguage", "language"),
    Row("license, conditionsOfAccess, isAccessibleForFree", "distribution.licence, rights, access_rights"),
    Row("spatialCoverage", "spatial", "a box across 180 degrees becomes two"),
    Row("temporalCoverage", "temporal", "an open end is written `..`"),
    Row("variableMeasured", "variables"),
    Row("about", "theme"),
    Row("isBasedOn, citation", "source, is_referenced_by"),
    Row("distribution (DataDownload, cr:FileObject)", "distribution", "services are lost"),
    Row("cr:recordSet", None, "how the files are laid out is not known to the record"),
)
CROISSANT: Final = "http://mlcommons.org/croissant/1.0"
_PUBLIC: Final = "http://publications.europa.eu/resource/authority/access-right/PUBLIC"
_CARRIED: Final = frozenset(
    {
        "id",
        "title",
        "description",
        "keyword",
        "theme",
        "identifier",
        "other_identifier",
        "publisher",
        "creator",
        "contact_point",
        "spatial",
        "temporal",
        "created",
        "modified",
        "issued",
        "version",
        "rights",
        "access_rights",
        "landing_page",
        "source",
        "is_referenced_by",
        "variables",
        "language",
        "distribution",
    }
)
_CONTEXT: Final[Mapping[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "conformsTo": "dct:conformsTo",
    "md5": "cr:md5",
    "sha256": "sc:sha256",
}
"""The part of Croissant's context that is used here."""


def write(record: model.Dataset) -> Written:
    """Return the record as a schema.org Dataset."""
    return Written(
        document={"@context": "https://schema.org/", **_dataset(record, _download)}, lost=tuple(_lost(record))
    )


def write_croissant(record: model.Dataset) -> Written:
    """Return the record as a Croissant 1.0 dataset: its files, not how they are laid out."""
    language = _language(record)
    document = {
        "@context": {**_CONTEXT, "@language": language},
        **_dataset(record, _file_object),
        "conformsTo": CROISSANT,
    }
    document["@type"] = "sc:Dataset"
    document.setdefault("url", record.id)
    return Written(document=document, lost=(*_lost(record), "recordSet: how the files are laid out is not known"))


def _lost(record: model.Dataset) -> Iterator[str]:
    for name in record.__struct_fields__:
        if name not in _CARRIED and v.says(record, name):
            yield name
    if len(record.title) > 1:
        yield "title (other languages)"
    for number, each in enumerate(record.distribution):
        if each.access_service:
            yield f"distribution[{number}].access_service"


def _language(record: model.Dataset) -> str:
    return "en" if "en" in record.title or not record.title else next(iter(record.title)) or "en"


def _dataset(record: model.Dataset, file: Any) -> dict[str, Any]:
    licences = [each.licence for each in record.distribution if each.licence]
    pages = [each.id for each in record.rights if each.id]
    said = [model.words(each.description) for each in record.rights if each.description]
    creators = [_agent(each) for each in record.creator]
    found = {
        "@type": "Dataset",
        "@id": record.id,
        "name": model.words(record.title),
        "description": model.words(record.description) or model.words(record.title),
        "url": next(iter(record.landing_page), record.id),
        "identifier": list(record.identifier),
        "sameAs": [f"https://doi.org/{each.notation}" for each in record.other_identifier if each.scheme == "DOI"],
        "keywords": list(record.keyword.get(_language(record), ())),
        "about": [{"@id": each, "@type": "DefinedTerm"} for each in record.theme],
        "creator": creators,
        "publisher": _publisher(record),
        "datePublished": record.issued,
        "dateModified": record.modified,
        "dateCreated": record.created,
        "version": record.version,
        "inLanguage": [tag for each in record.language if (tag := v.language_tag(each))],
        "license": list(dict.fromkeys([*licences, *pages])),
        "conditionsOfAccess": "; ".join(said),
        "isAccessibleForFree": True if record.access_rights == _PUBLIC else None,
        "spatialCoverage": list(_places(record)),
        "temporalCoverage": [_coverage(each) for each in record.temporal],
        "variableMeasured": [_variable(each) for each in record.variables],
        "isBasedOn": list(record.source),
        "citation": list(record.is_referenced_by),
        "distribution": [written for each in record.distribution if (written := file(each)) is not None],
    }
    return _said(found)


def _said(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says something, a list of one as the one."""
    kept = {key: value for key, value in found.items() if value not in (None, "", [], {})}
    return {
        key: value[0] if isinstance(value, list) and len(value) == 1 and key != "distribution" else value
        for key, value in kept.items()
    }


def _agent(agent: model.Agent) -> dict[str, Any]:
    name = model.words(agent.name)
    return _said({"@type": "Organization", "@id": agent.id, "name": name, "url": agent.homepage, "email": agent.email})


def _publisher(record: model.Dataset) -> dict[str, Any] | None:
    contacts = [
        _said(
            {
                "@type": "ContactPoint",
                "name": model.words(each.name),
                "email": each.email,
                "url": each.url,
                "telephone": each.telephone,
            }
        )
        for each in record.contact_point
    ]
    if record.publisher is None:
        return _said({"@type": "Organization", "contactPoint": contacts}) if contacts else None
    return _said({**_agent(record.publisher), "contactPoint": contacts})


def _places(record: model.Dataset) -> Iterator[dict[str, Any]]:
    for place in record.spatial:
        name = model.words(place.label) or None
        if place.bbox is None:
            point = place.centroid
            geo = {"@type": "GeoCoordinates", "longitude": point[0], "latitude": point[1]} if point else None
            yield _said({"@type": "Place", "@id": place.id, "name": name, "geo": geo})
            continue
        west, south, east, north = place.bbox
        # schema.org has no box across 180 degrees, and writes latitude first.
        for left, right in [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]:
            shape = {"@type": "GeoShape", "box": f"{south:g} {left:g} {north:g} {right:g}"}
            yield _said({"@type": "Place", "name": name, "geo": shape})


def _coverage(period: model.PeriodOfTime) -> str:
    return f"{period.start or '..'}/{period.end or '..'}"


def _variable(each: model.Variable) -> dict[str, Any]:
    name = each.name or each.standard_name
    standard = f"http://vocab.nerc.ac.uk/standard_name/{each.standard_name}" if each.standard_name else None
    words = model.words(each.label) or None
    return _said(
        {"@type": "PropertyValue", "name": name, "description": words, "propertyID": standard, "unitText": each.unit}
    )


def _download(each: model.Distribution) -> dict[str, Any] | None:
    address = next(iter((*each.download_url, *each.access_url)), None)
    if address is None:
        return None
    return _said(
        {
            "@type": "DataDownload",
            "@id": each.id,
            "name": model.words(each.title),
            "description": model.words(each.description),
            "contentUrl": address,
            "encodingFormat": v.bare_media_type(each.media_type),
            "contentSize": f"{each.byte_size} B" if each.byte_size is not None else None,
            "license": each.licence,
            "sha256": _digest(each, "sha256"),
        }
    )


def _file_object(each: model.Distribution) -> dict[str, Any] | None:
    found = _download(each)
    if found is None or each.access_service:
        return None
    return {**found, "@type": "cr:FileObject", **_said({"md5": _digest(each, "md5")})}


def _digest(each: model.Distribution, algorithm: str) -> str | None:
    stated = each.checksum
    return stated.value if stated and (stated.algorithm or "").endswith(f"_{algorithm}") else None
