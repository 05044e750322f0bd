"""A GeoDCAT-AP record as a STAC 1.1.0 collection; `stac` has the table of both ways."""

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from connector.standards.crosswalks import values as v
from connector.standards.crosswalks.stac import DOI, MAKERS
from connector.standards.crosswalks.values import Written
from connector.standards.dcat import model


def write(record: model.Dataset) -> Written:
    """Return the record as a STAC 1.1.0 collection."""
    written = _Writer(record)
    document = written.document()
    return Written(document=document, lost=tuple(written.lost()))


class _Writer:
    """Writes one record, in the one language that says most."""

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
            "rights_holder",
            "processor",
            "distributor",
            "spatial",
            "temporal",
            "created",
            "modified",
            "issued",
            "version",
            "rights",
            "page",
            "landing_page",
            "source",
            "is_referenced_by",
            "was_generated_by",
            "crs",
            "spatial_resolution_in_meters",
            "temporal_resolution",
            "variables",
            "distribution",
        }
    )

    def __init__(self, record: model.Dataset) -> None:
        self.record = record
        self.language = "en" if "en" in record.title else next(iter(record.title), "en")
        self.extensions: list[str] = []

    def lost(self) -> Iterator[str]:
        """Yield the fields that a collection has no place for."""
        for name in self.record.__struct_fields__:
            if name not in self._CARRIED and v.says(self.record, name):
                yield name
        if len(self.record.title) > 1:
            yield "title (other languages)"
        dated = {"created": self.record.created, "modified": self.record.modified, "issued": self.record.issued}
        yield from (name for name, each in dated.items() if each and _instant(each, last=False) is None)
        if any(model.words(each.label).partition(": ")[0] not in MAKERS for each in self.record.was_generated_by):
            yield "was_generated_by (other than platforms and instruments)"
        if not any(each.bbox for each in self.record.spatial):
            yield "extent.spatial.bbox: the record names no box and STAC demands one, so the whole Earth stands there"

    def document(self) -> dict[str, Any]:
        """Return the collection."""
        record = self.record
        licence, licence_links = self._licence()
        found: dict[str, Any] = {
            "type": "Collection",
            "stac_version": "1.1.0",
            "id": next((each for each in record.identifier if each.strip()), record.id),
            "title": model.words(record.title),
            "description": model.words(record.description).strip() or model.words(record.title).strip() or record.id,
            "keywords": list(record.keyword.get(self.language, ())),
            "license": licence,
            "providers": self._providers(),
            "extent": {"spatial": {"bbox": self._boxes()}, "temporal": {"interval": [self._interval()]}},
            "summaries": self._summaries(),
            "bands": [_band(each) for each in record.variables],
            "assets": self._assets(),
            "links": [*licence_links, *self._links()],
            **self._step(),
            **self._dates(),
            **self._science(),
            **self._themes(),
        }
        if self.language != "en":
            found["language"] = {"code": self.language}
            self._use("https://stac-extensions.github.io/language/v1.0.0/schema.json")
        if record.version is not None:
            found["version"] = record.version
            self._use("https://stac-extensions.github.io/version/v1.2.0/schema.json")
        kept = {key: value for key, value in found.items() if value not in ([], {}) or key in {"extent", "links"}}
        return {**kept, "stac_extensions": sorted(self.extensions)} if self.extensions else kept

    def _use(self, extension: str) -> None:
        self.extensions = list(dict.fromkeys([*self.extensions, extension]))

    def _licence(self) -> tuple[str, list[dict[str, Any]]]:
        licences = {each.licence for each in self.record.distribution if each.licence}
        links = [{"rel": "license", "href": each.id} for each in self.record.rights if each.id]
        if len(licences) != 1:
            return "other", links
        (licence,) = licences
        if spdx := v.spdx_of(licence):
            return spdx, links
        return "other", [{"rel": "license", "href": licence}, *links]

    def _providers(self) -> list[dict[str, Any]]:
        roles: dict[tuple[str, str | None], list[str]] = {}
        agents: Iterable[tuple[str, model.Agent]] = [
            *(("producer", each) for each in self.record.creator),
            *(("licensor", each) for each in self.record.rights_holder),
            *(("processor", each) for each in self.record.processor),
            *(("host", each) for each in (*self.record.distributor, self.record.publisher) if each is not None),
        ]
        for role, agent in agents:
            key = (model.words(agent.name) or agent.id or "", agent.homepage)
            held = roles.setdefault(key, [])
            if key[0] and role not in held:
                held.append(role)
        found = [{"name": name, "roles": held, "url": url} for (name, url), held in roles.items() if name]
        return [{key: value for key, value in each.items() if value} for each in found]

    def _boxes(self) -> list[list[float]]:
        boxes = [list(each.bbox) for each in self.record.spatial if each.bbox is not None]
        if len(boxes) < 2:  # noqa: PLR2004 - one box needs none around it
            return boxes or [[-180.0, -90.0, 180.0, 90.0]]
        crossing = any(west > east for west, _, east, _ in boxes)
        west, east = (-180.0, 180.0) if crossing else (min(b[0] for b in boxes), max(b[2] for b in boxes))
        return [[west, min(b[1] for b in boxes), east, max(b[3] for b in boxes)], *boxes]

    def _interval(self) -> list[str | None]:
        periods = self.record.temporal
        starts, ends = [each.start for each in periods], [each.end for each in periods]
        begins, finishes = [_instant(each, last=False) for each in starts], [_instant(each, last=True) for each in ends]
        begin = None if None in begins or not begins else min(each for each in begins if each)
        end = None if None in finishes or not finishes else max(each for each in finishes if each)
        return [begin, end]

    def _summaries(self) -> dict[str, Any]:
        record = self.record
        codes = [code for each in record.crs if (code := v.epsg_code(each))]
        if codes:
            self._use("https://stac-extensions.github.io/projection/v2.0.0/schema.json")
        made: dict[str, list[str]] = {}
        for each in record.was_generated_by:
            key, _, word = model.words(each.label).partition(": ")
            if key in MAKERS and word:
                made.setdefault(key, []).append(word)
        found: dict[str, Any] = {"gsd": list(record.spatial_resolution_in_meters), "proj:code": codes, **made}
        return {key: value for key, value in found.items() if value}

    def _assets(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for number, each in enumerate(self.record.distribution):
            href = next(iter((*each.download_url, *each.access_url)), None)
            if href is None or each.access_service:
                continue
            name = (each.id or "").rpartition("#")[2] or f"distribution-{number + 1}"
            asset: dict[str, Any] = {
                "href": href,
                "title": model.words(each.title) or None,
                "description": model.words(each.description) or None,
                "type": v.bare_media_type(each.media_type),
                "roles": ["data"],
                "file:size": each.byte_size,
            }
            if each.checksum and each.checksum.algorithm == v.SHA256 and each.checksum.value:
                asset["file:checksum"] = f"1220{each.checksum.value}"
            if asset["file:size"] is not None or "file:checksum" in asset:
                self._use("https://stac-extensions.github.io/file/v2.1.0/schema.json")
            found[name] = {key: value for key, value in asset.items() if value is not None}
        return found

    def _links(self) -> list[dict[str, Any]]:
        record = self.record
        pairs = [
            *(("about", each) for each in record.landing_page),
            *(("describedby", each) for each in record.page),
            *(("derived_from", each) for each in record.source),
        ]
        for each in record.distribution:
            for service in each.access_service:
                pairs += [("items", url) for url in each.access_url[:1]]
                pairs += [("root", url) for url in service.endpoint_url[:1]]
        return [{"rel": rel, "href": href} for rel, href in pairs]

    def _step(self) -> dict[str, Any]:
        if self.record.temporal_resolution is None:
            return {}
        self._use("https://stac-extensions.github.io/datacube/v2.3.0/schema.json")
        time = {"type": "temporal", "extent": self._interval(), "step": self.record.temporal_resolution}
        return {"cube:dimensions": {"time": time}}

    def _dates(self) -> dict[str, str]:
        record = self.record
        found = {"created": record.created, "updated": record.modified, "published": record.issued}
        if record.issued:
            self._use("https://stac-extensions.github.io/timestamps/v1.1.0/schema.json")
        return {key: said for key, value in found.items() if (said := _instant(value, last=False))}

    def _science(self) -> dict[str, Any]:
        dois = [each.notation for each in self.record.other_identifier if each.scheme == "DOI" and each.notation]
        works = [match[1] for each in self.record.is_referenced_by if (match := DOI.fullmatch(each))]
        found: dict[str, Any] = {"sci:doi": dois[0]} if dois else {}
        if works:
            found["sci:publications"] = [{"doi": each} for each in works]
        if found:
            self._use("https://stac-extensions.github.io/scientific/v1.0.0/schema.json")
        return found

    def _themes(self) -> dict[str, Any]:
        schemes: dict[str, list[dict[str, str]]] = {}
        for theme in self.record.theme:
            scheme, _, key = theme.rpartition("/")
            schemes.setdefault(scheme, []).append({"id": key, "url": theme})
        if schemes:
            self._use("https://stac-extensions.github.io/themes/v1.0.0/schema.json")
        found = [{"scheme": scheme, "concepts": concepts} for scheme, concepts in schemes.items()]
        return {"themes": found} if found else {}


def _band(each: model.Variable) -> dict[str, Any]:
    found = {
        "name": each.name or each.standard_name,
        "description": model.words(each.label) or None,
        "unit": each.unit,
        "standard_name": each.standard_name,
    }
    return {key: value for key, value in found.items() if value}


def _instant(value: str | None, *, last: bool) -> str | None:
    """Return a moment in UTC as RFC 3339 has it, the first or the last second of a day, month or year.

    There is none for a year that has more or fewer than four digits, or for no day of the calendar.
    """
    day, clock, _ = (value or "").partition("T")
    zone = re.search(r"(Z|[+-]\d\d:\d\d)$", value or "")
    parts = (day if clock or zone is None else day.removesuffix(zone[0])).split("-")
    try:
        if clock:
            moment = datetime.fromisoformat(value or "")
        elif last:
            year, month = int(parts[0]), int(parts[1]) if len(parts) > 1 else 12
            number = int(parts[2]) if len(parts) > 2 else monthrange(year, month)[1]  # noqa: PLR2004 - the day
            moment = datetime(year, month, number, 23, 59, 59, tzinfo=UTC)
        else:
            moment = datetime.fromisoformat("-".join([*parts, "01", "01"][:3]))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, IndexError):
        return None
    return moment.isoformat().replace("+00:00", "Z")
