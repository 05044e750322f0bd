"""A CKAN package (API 3, `package_show`) to a DCAT-AP record."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from connector.errors import InvalidInput
from connector.standards.crosswalks import values as v
from connector.standards.crosswalks.values import Crossed, Row, Said
from connector.standards.dcat import geometry, model

ROWS: Final = (
    Row("uri, name, id", "id, identifier", "the record's IRI is the uri where the package has one"),
    Row("title, notes, tags", "title, description, keyword", "in the language of the extra `language`, else English"),
    Row("groups, extras.theme", "theme", "codes, labels or IRIs of the EU data themes; other groups become keywords"),
    Row("url", "landing_page"),
    Row("version, metadata_created, metadata_modified", "version, issued, modified", "extras win over both dates"),
    Row("organization, extras.publisher_*", "publisher"),
    Row("author, author_email", "creator"),
    Row("maintainer, maintainer_email, extras.contact_*", "contact_point"),
    Row("license_id, license_url", "distribution.licence, distribution.rights"),
    Row("extras.frequency, access_rights, language, conforms_to", "frequency, access_rights, language, conforms_to"),
    Row("extras.provenance, source, has_version", "provenance, source, has_version"),
    Row("extras.spatial, spatial_uri, spatial_text", "spatial", "GeoJSON polygons become their box or WKT"),
    Row("extras.temporal_start, temporal_end, temporal_resolution", "temporal, temporal_resolution"),
    Row("extras.spatial_resolution_in_meters", "spatial_resolution_in_meters"),
    Row(
        "resources", "distribution", "title, description, addresses, format, media type, size, checksum, dates, rights"
    ),
    Row("resources[*].hash without algorithm", None, "what made the checksum is not known"),
    Row("relationships, private, state, extras of other names", None),
)
_SERVICE_FIELDS: Final = (
    *("id", "state", "private", "type", "isopen", "num_resources", "num_tags", "creator_user_id", "owner_org"),
    *("relationships_as_subject", "relationships_as_object", "license_title", "revision_id"),
)
_RESOURCE_FIELDS: Final = (
    *("id", "package_id", "position", "state", "resource_type", "datastore_active", "cache_url", "revision_id"),
    *("cache_last_updated", "mimetype_inner", "url_type", "metadata_modified"),
)


def read(document: Mapping[str, Any], *, home: str) -> Crossed:
    """Return the record of a package, alone or in the envelope of the API's answer.

    Raises:
        InvalidInput: it is no package.
    """
    package = document.get("result", document)
    if not isinstance(package, Mapping) or not isinstance(package.get("resources"), list):
        raise InvalidInput("This is no CKAN package.", where="resources", fix="Give what package_show answers.")
    said = Said(package)
    reader = _Reader(said, home)
    return Crossed(record=reader.record(), lost=(*said.left(), *reader.unread()))


class _Reader:
    """Reads one package; a field is looked for at the top and then among the extras."""

    def __init__(self, said: Said, home: str) -> None:
        self.said = said
        extras: dict[str, Any] = {}
        for each in said.each("extras"):
            key, value = each.text("key"), each.document.get("value")
            each.ignore("value", "id", "package_id", "revision_id", "state")
            if key is not None:
                extras[key] = value
        self.extras = Said(extras, "extras")
        self.name = said.text("name") or said.text("id") or ""
        if not self.name:
            raise InvalidInput("The package has no name.", where="name")
        uri = v.iri(self.text("uri"))
        self.iri = uri or f"{home}/{v.slug(self.name)}"
        said.ignore(*_SERVICE_FIELDS)
        codes = self.many("language")
        self.languages = tuple(found for code in codes if (found := v.language_of(code) or v.iri(code)))
        self.tag = next((tag for each in self.languages if (tag := v.language_tag(each))), "en")

    def unread(self) -> Iterator[str]:
        """Yield the extras that nobody read."""
        yield from self.extras.left()

    def text(self, key: str) -> str | None:
        """Return a text of this name, wherever it stands."""
        return self.said.text(key) or self.extras.text(key)

    def many(self, key: str) -> tuple[str, ...]:
        """Return the texts of a list that may be given as JSON, as CKAN keeps lists in extras."""
        found = self.said.texts(key) or self.extras.texts(key)
        if len(found) == 1 and found[0].startswith("["):
            try:
                inner = json.loads(found[0])
            except ValueError:
                return found
            return tuple(each for each in inner if isinstance(each, str)) if isinstance(inner, list) else found
        return found

    def record(self) -> model.Dataset:
        title = self.said.text("title") or self.name
        themes, words = self._subjects()
        licence, rights = self._licence()
        start, end = v.moment(self.text("temporal_start")), v.moment(self.text("temporal_end"))
        step = self.text("temporal_resolution")
        return model.Dataset(
            id=self.iri,
            title={self.tag: title},
            description={self.tag: self.said.text("notes") or title},
            keyword={self.tag: tuple(words)} if words else {},
            theme=themes,
            identifier=tuple(dict.fromkeys([*self.many("identifier"), self.name])),
            publisher=self._publisher(),
            creator=self._agents("author"),
            contact_point=self._contact(),
            landing_page=v.iris([self.said.text("url")]),
            version=self.text("version") or None,
            issued=v.moment(_whole(self.text("issued") or self.said.text("metadata_created"))),
            modified=v.moment(_whole(self.text("modified") or self.said.text("metadata_modified"))),
            frequency=self._term("frequency", self.text("frequency")),
            access_rights=self._term("access-right", self.text("access_rights")),
            language=self.languages,
            conforms_to=tuple(model.Standard(id=each) for each in v.iris(self.many("conforms_to"))),
            provenance=tuple(
                model.Statement(description={self.tag: each}) for each in (self.text("provenance"),) if each
            ),
            source=v.iris(self.many("source")),
            has_version=v.iris(self.many("has_version")),
            spatial=self._places(),
            temporal=(model.PeriodOfTime(start=start, end=end),) if start or end else (),
            temporal_resolution=step if step and v.fits(step, model.Duration) else None,
            spatial_resolution_in_meters=tuple(
                float(each) for each in self.many("spatial_resolution_in_meters") if re.fullmatch(r"\d+(\.\d+)?", each)
            ),
            distribution=tuple(self._resources(licence, rights)),
        )

    def _term(self, name: str, value: str | None) -> str | None:
        """Return an IRI given as one, or the term of a vocabulary with this code or label."""
        if value is None:
            return None
        return v.iri(value) if "://" in value else v.by_code(name, value.replace("-", "_"))

    def _subjects(self) -> tuple[tuple[str, ...], list[str]]:
        words = [name for tag in self.said.each("tags") if (name := tag.text("display_name") or tag.text("name"))]
        for tag in self.said.each("tags"):
            tag.ignore("id", "state", "vocabulary_id", "name", "display_name")
        themes = [found for each in self.many("theme") if (found := self._term("data-theme", each))]
        for group in self.said.each("groups"):
            group.ignore("id", "image_display_url", "description", "display_name", "state")
            label = group.text("title") or group.text("name") or ""
            group.ignore("name")
            found = self._term("data-theme", group.document.get("name")) if group.document.get("name") else None
            (themes if found else words).append(found or label)
        return tuple(dict.fromkeys(themes)), [each for each in dict.fromkeys(words) if each]

    def _publisher(self) -> model.Agent | None:
        organisation = self.said.inner("organization")
        organisation.ignore("id", "state", "type", "image_url", "is_organization", "approval_status", "created", "name")
        organisation.ignore("revision_id", "description")
        given = self.text("publisher_name")
        name = given or organisation.text("title") or organisation.document.get("name")
        if not isinstance(name, str) or not name:
            return None
        return model.Agent(
            id=v.iri(self.text("publisher_uri")),
            name={self.tag: name},
            email=v.email(self.text("publisher_email")),
            homepage=v.iri(self.text("publisher_url")),
        )

    def _agents(self, who: str) -> tuple[model.Agent, ...]:
        name, address = self.said.text(who), v.email(self.said.text(f"{who}_email"))
        return (model.Agent(name=v.texts(name, self.tag), email=address),) if name or address else ()

    def _contact(self) -> tuple[model.ContactPoint, ...]:
        name = self.text("contact_name") or self.said.text("maintainer")
        address = v.email(self.text("contact_email") or self.said.text("maintainer_email"))
        if not (name or address):
            return ()
        return (model.ContactPoint(name=v.texts(name, self.tag), email=address, url=v.iri(self.text("contact_uri"))),)

    def _licence(self) -> tuple[str | None, tuple[model.Statement, ...]]:
        key, address = self.said.text("license_id"), v.iri(self.said.text("license_url"))
        known = next((found for each in (address, key) if each and (found := v.licence_of(each))), None)
        if known or not (key or address):
            return known, ()
        words = self.said.document.get("license_title") or key
        described = {self.tag: str(words)} if words else {}
        return None, (model.Statement(id=address, description=described),)

    def _places(self) -> tuple[model.Location, ...]:
        found = [model.Location(id=each) for each in v.iris(self.many("spatial_uri"))]
        if words := self.text("spatial_text"):
            found.append(model.Location(label={self.tag: words}))
        told = self.text("spatial")
        box = geometry.box_of(told, geometry.GEOJSON) if told else None
        if box is not None:
            found.append(model.Location(bbox=box))
        return tuple(found)

    def _resources(self, licence: str | None, rights: tuple[model.Statement, ...]) -> Iterator[model.Distribution]:
        for number, each in enumerate(self.said.each("resources")):
            each.ignore(*_RESOURCE_FIELDS)
            access = v.iris([each.text("access_url"), each.text("url")])
            if not access:
                continue
            kind, name = each.text("mimetype"), each.text("format")
            own = each.text("license")
            yield model.Distribution(
                id=v.iri(each.text("uri")) or f"{self.iri}#resource-{number + 1}",
                title=v.texts(each.text("name") or each.text("title"), self.tag),
                description=v.texts(each.text("description"), self.tag),
                access_url=access[:1],
                download_url=v.iris([each.text("download_url")]),
                format=next((found for told in (name, kind) if told and (found := v.file_type(told))), None),
                media_type=v.media_type(kind),
                byte_size=_size(each),
                checksum=_checksum(each),
                licence=(v.licence_of(own) if own else None) or licence,
                rights=rights,
                issued=v.moment(_whole(each.text("issued") or each.text("created"))),
                modified=v.moment(_whole(each.text("modified") or each.text("last_modified"))),
                status=self._term("distribution-status", each.text("status")),
                availability=self._term("planned-availability", each.text("availability")),
                page=v.iris(each.texts("documentation")),
                conforms_to=tuple(model.Standard(id=one) for one in v.iris(each.texts("conforms_to"))),
            )


def _whole(moment: str | None) -> str | None:
    """Return a moment of CKAN, which is UTC and does not say so, with its zone."""
    if moment and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", moment):
        return moment + "Z"
    return moment


def _size(resource: Said) -> int | None:
    """Return the size in bytes, which may be given as a text or with a fraction."""
    told = resource.document.get("size")
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    if not re.fullmatch(r"\d{1,18}(\.0*)?", str(told).strip()):
        return None
    resource.ignore("size")
    return int(float(str(told))) if "." in str(told) else int(told)


def _checksum(resource: Said) -> model.Checksum | None:
    told = resource.document.get("hash")
    named, _, bare = told.rpartition(":") if isinstance(told, str) else ("", "", "")
    stated = named or resource.document.get("hash_algorithm") or ""
    algorithm = re.sub(r"[^a-z0-9]", "", str(stated).rpartition("_")[2].lower())
    found = v.by_code("checksum-algorithm", algorithm)
    if found is None or not v.fits(bare.lower(), model.Hexadecimal):
        return None
    resource.ignore("hash", "hash_algorithm")
    return model.Checksum(algorithm=found, value=bare.lower())
