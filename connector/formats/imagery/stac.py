"""STAC 1.0 and 1.1: items, collections, catalogues, and feature collections of items. Runs in the child; JSON only.

An item is metadata: the data it describes lie where its assets point to. A collection is a series. Places and times
are those of the document itself; where an item has a geometry, its positions go before its `bbox`.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from connector.errors import InvalidInput
from connector.formats.containers.jsonfile import listing, load, mapping, objects, text
from connector.formats.coordinates import rings
from connector.formats.description import BBox, Facts, Limits, Period, clean, short
from connector.formats.imagery import stac_fields as fields
from connector.formats.imagery.stac_fields import Object
from connector.formats.registry import file_type_iri

OGC_EPSG: Final = "http://www.opengis.net/def/crs/EPSG/0/"
VERSION: Final = re.compile(r"1\.[01]\.\d+(?:[-.].+)?")
MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})")
MICROSECONDS: Final = 6
ITEM, COLLECTION, CATALOG, ITEMS = "Item", "Collection", "Catalog", "ItemCollection"
CATALOGUE: Final = "This is a STAC catalogue: it only links to collections and items. Describe those instead."
OLDER: Final = "The document is of STAC {}, not 1.0 or 1.1: it was read as far as it is alike."


def read(path: Path, limits: Limits) -> Facts:
    """Describe the STAC document at `path`.

    Raises:
        TooLarge: it is larger than can be read at once.
        InvalidInput: it is no well-formed JSON, or no STAC document.
    """
    document = load(path, limits, fix="Describe its items one by one, or their collection.")
    kind = _kind(document)
    if kind == ITEM:
        return _item(document)
    if kind == ITEMS:
        return _items(document)
    return _collection(document) if kind == COLLECTION else _catalogue(document)


def _kind(document: Object) -> str:
    """Return what a document is.

    Raises:
        InvalidInput: it is no STAC document.
    """
    kind = text(document.get("type"))
    if kind == "Feature" and text(document.get("stac_version")):
        return ITEM
    features = objects(document.get("features"))
    if kind == "FeatureCollection" and any(text(each.get("stac_version")) for each in features):
        return ITEMS
    if not text(document.get("stac_version")):
        raise InvalidInput("The document is no STAC: it has no `stac_version`.")
    if kind == COLLECTION or (kind is None and "extent" in document):  # before 1.0 collections had no type
        return COLLECTION
    if kind in {CATALOG, None}:
        return CATALOG
    raise InvalidInput(f"The document is of the type {short(kind)!r}, which STAC does not have.")


def _item(item: Object) -> Facts:
    properties = mapping(item.get("properties"))
    found, place_notes = _place(item)
    period, time_notes = _time(properties)
    licence, licence_notes = fields.licence(item)
    publisher, creator = fields.providers(item)
    system, system_notes = _system(fields.systems(item))
    assets = fields.assets(item)
    version = text(item.get("stac_version")) or ""
    return Facts(
        format=f"STAC {ITEM} {short(version)}",
        kind="metadata",
        title=clean(text(properties.get("title"))) or clean(text(item.get("id"))),
        description=clean(text(properties.get("description"))),
        licence=licence,
        publisher=publisher,
        creator=creator,
        identifier=short(text(item.get("id"))),
        modified=short(text(properties.get("updated")) or text(properties.get("created"))),
        conforms_to=f"STAC {short(version)}",
        keywords=fields.keywords(item),
        bbox=found,
        period=period,
        crs=_iri(system),
        epsg=fields.epsg(system),
        spatial_resolution_metres=fields.resolution(item),
        temporal_resolution=fields.step(item),
        variables=fields.variables(item),
        dimensions=fields.dimensions(item),
        scene=fields.scene(item),
        assets=assets,
        notes=(
            _elsewhere(item, "item"),
            *_version_notes([version]),
            *place_notes,
            *time_notes,
            *licence_notes,
            *system_notes,
        ),
    )


def _elsewhere(document: Object, what: str) -> str:
    """Say where the data lie that a document describes."""
    every = mapping(document.get("assets"))
    if not every:
        return f"The {what} names no file: where its data lie has to be said by hand."
    hosts = {urlsplit(href).netloc for each in every.values() if (href := text(mapping(each).get("href")))} - {""}
    count = f"{len(every)} files that lie" if len(every) > 1 else "a file that lies"
    if not hosts:
        return f"The {what} describes {count} beside it: publish them together."
    named = ", ".join(sorted(hosts)[:3])
    return f"The {what} describes {count} elsewhere ({clean(named)})."


def _collection(collection: Object) -> Facts:
    extent = mapping(collection.get("extent"))
    found, place_notes = _extent(listing(mapping(extent.get("spatial")).get("bbox")))
    period, time_notes = _interval(listing(mapping(extent.get("temporal")).get("interval")))
    licence, licence_notes = fields.licence(collection)
    publisher, creator = fields.providers(collection)
    system, system_notes = _system(fields.systems(collection))
    version = text(collection.get("stac_version")) or ""
    return Facts(
        format=f"STAC {COLLECTION}",
        kind="series",
        media_type="application/json",
        file_type=file_type_iri("JSON"),
        title=clean(text(collection.get("title"))) or clean(text(collection.get("id"))),
        description=clean(text(collection.get("description"))),
        licence=licence,
        publisher=publisher,
        creator=creator,
        identifier=short(text(collection.get("id"))),
        modified=short(text(collection.get("updated"))),
        conforms_to=f"STAC {short(version)}",
        keywords=fields.keywords(collection),
        bbox=found,
        period=period,
        crs=_iri(system),
        epsg=fields.epsg(system),
        spatial_resolution_metres=fields.resolution(collection),
        temporal_resolution=fields.step(collection),
        variables=fields.variables(collection),
        dimensions=fields.dimensions(collection),
        scene=fields.scene(collection),
        assets=fields.assets(collection),
        notes=(
            "The collection describes data that lie elsewhere, in the files of its items.",
            *_version_notes([version]),
            *place_notes,
            *time_notes,
            *licence_notes,
            *system_notes,
        ),
    )


def _catalogue(catalogue: Object) -> Facts:
    version = text(catalogue.get("stac_version")) or ""
    return Facts(
        format=f"STAC {CATALOG}",
        kind="metadata",
        media_type="application/json",
        file_type=file_type_iri("JSON"),
        title=clean(text(catalogue.get("title"))) or clean(text(catalogue.get("id"))),
        description=clean(text(catalogue.get("description"))),
        identifier=short(text(catalogue.get("id"))),
        conforms_to=f"STAC {short(version)}",
        notes=(CATALOGUE, *_version_notes([version])),
    )


def _items(document: Object) -> Facts:
    """Describe a feature collection of items by what holds for all of them."""
    items = [each for each in objects(document.get("features")) if text(each.get("stac_version"))]
    others = len(listing(document.get("features"))) - len(items)
    places = [_place(each) for each in items]
    times = [_time(mapping(each.get("properties"))) for each in items]
    system, notes = _system(set().union(*(fields.systems(each) for each in items)))
    licences = {fields.licence(each)[0] for each in items}
    boxes = [rings.Span(b.west, _width(b), b.south, b.north) for b, _ in places if b is not None]
    named = {text(each.get("collection")) for each in items}
    versions = {text(each.get("stac_version")) or "" for each in items}
    if others:
        notes.append(f"{others} of the features are no STAC items and were left out.")
    resolutions = [size for each in items if (size := fields.resolution(each))]
    return Facts(
        format=f"STAC {ITEMS}",
        kind="series",
        identifier=short(named.pop()) if len(named) == 1 else None,
        licence=licences.pop() if len(licences) == 1 else None,
        conforms_to=f"STAC {short(max(versions))}",
        bbox=rings.box(boxes, "points" if all(b is None or b.basis == "points" for b, _ in places) else "attribute"),
        period=_whole(period for period, _ in times),
        crs=_iri(system),
        epsg=fields.epsg(system),
        spatial_resolution_metres=min(resolutions, default=None),
        rows=len(items),
        variables=fields.merged(fields.variables(each) for each in items),
        notes=tuple(
            dict.fromkeys(
                [
                    f"The {len(items)} items describe data that lie elsewhere, in the files that they name.",
                    *_version_notes(versions),
                    *(note for _, several in (*places[:10], *times[:10]) for note in several),
                    *notes,
                ]
            )
        ),
    )


def _width(box: BBox) -> float:
    return box.east - box.west + (rings.TURN if box.west > box.east else 0.0)


def _version_notes(versions: Iterable[str]) -> list[str]:
    return [
        OLDER.format(short(each) or "an unknown version") for each in sorted(versions) if not VERSION.fullmatch(each)
    ]


def _place(item: Object) -> tuple[BBox | None, list[str]]:
    """Return the box of an item: of its geometry, else the one it declares; a difference is told."""
    said = rings.declared(item.get("bbox"))
    geometry = item.get("geometry")
    crossing = said is not None and said.crosses_antimeridian
    shape = rings.of_geometry(geometry, short_way=crossing)
    if shape is None:
        broken = item.get("bbox") is not None and said is None
        return said, ["The `bbox` of the item is none on Earth and was left out."] if broken else []
    notes = []
    if said is not None and rings.apart(said, shape):
        notes.append(
            f"The `bbox` of the item is {rings.words(said)}; its geometry covers {rings.words(shape)}. "
            "The geometry was taken."
        )
    if not crossing and rings.long_steps(geometry):
        notes.append(
            "The geometry has sides of more than 180 degrees: if it crosses the 180th meridian it has to be cut there."
        )
    return shape, notes


def _extent(boxes: list[Any]) -> tuple[BBox | None, list[str]]:
    """Return the first box of a collection, which is that of all of it."""
    found = rings.declared(boxes[0]) if boxes else None
    if found is None:
        return None, ["The collection has no spatial extent that is a place on Earth."]
    return found, []


def _time(properties: Object) -> tuple[Period | None, list[str]]:
    """Return the time of an item: its start and end, else its moment."""
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    if start is None or end is None:
        start = end = properties.get("datetime")
    if start is None:
        return None, ["The item names no time: neither `datetime` nor a start and an end."]
    return _period(start, end, "item")


def _interval(intervals: list[Any]) -> tuple[Period | None, list[str]]:
    """Return the first interval of a collection, which is that of all of it; null at an end means open."""
    first = listing(intervals[0]) if intervals else []
    if len(first) != 2 or first == [None, None]:  # noqa: PLR2004 - a start and an end
        return None, ["The collection has no temporal extent."]
    return _period(first[0], first[1], "collection")


def _period(start: Any, end: Any, what: str) -> tuple[Period | None, list[str]]:
    first, last = ("" if each is None else _moment(each) for each in (start, end))
    if first is None or last is None or (first and last and last < first):
        return None, [f"The time of the {what} cannot be read: {short(start)} to {short(end)}."]
    return Period(begin=first, end=last, first=first, last=last, basis="attribute"), []


def _moment(value: Any) -> str | None:
    """Return an RFC 3339 moment in UTC without offset and without zeros at the end of its fraction."""
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return None
    whole, dot, rest = value.upper().replace(" ", "T").partition(".")
    if dot:  # more digits than microseconds are cut off
        digits = re.match(r"\d+", rest)
        kept = digits[0] if digits else ""
        whole = f"{whole}.{kept[:MICROSECONDS].ljust(MICROSECONDS, '0')}{rest[len(kept) :]}"
    try:
        found = datetime.fromisoformat(whole).astimezone(UTC).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError):  # no such day, or before the year 1 in UTC
        return None
    return found.rstrip("0") if "." in found else found


def _whole(periods: Iterable[Period | None]) -> Period | None:
    known = [each for each in periods if each is not None]
    if not known:
        return None
    first, last = min(each.begin for each in known), max(each.end for each in known)
    return Period(
        begin=first, end=last, first=first, last=last, count=len({each.begin for each in known}), basis="attribute"
    )


def _system(systems: set[str]) -> tuple[str | None, list[str]]:
    """Return the one reference system of the data, and a note where there are several."""
    if len(systems) > 1:
        named = ", ".join(sorted(systems)[:5])
        return None, [f"The data are in {len(systems)} reference systems: {clean(named)}."]
    return next(iter(systems), None), []


def _iri(system: str | None) -> str | None:
    code = fields.epsg(system)
    return system if code is None else f"{OGC_EPSG}{code}"
