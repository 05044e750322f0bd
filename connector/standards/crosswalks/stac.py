"""STAC 1.0 and 1.1 collections and items, to a GeoDCAT-AP record and back.

A collection or an item becomes one dataset, its assets become distributions; the items of a collection stay where they
are and are reached through its API (GeoDCAT-AP has no place for a hundred thousand scenes). Common metadata, and the
extensions projection, file, scientific, version, language, themes, timestamps, datacube, eo and raster, as far as
GeoDCAT-AP 3.1.0 has a property of the same meaning.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connector.errors import InvalidInput
from connector.standards.crosswalks import values as v
from connector.standards.crosswalks.values import Crossed, Row, Said
from connector.standards.dcat import model

ROWS: Final = (
    Row("id", "identifier"),
    Row("links[rel=self, describedby], assets with the role metadata or thumbnail", "page"),
    Row("title, description, keywords", "title, description, keyword", "in the language of the language extension"),
    Row("themes (extension)", "theme", "only concepts with an IRI"),
    Row("license, links[rel=license]", "distribution.licence, rights", "`other`, `proprietary`: the link or the word"),
    Row(
        "providers",
        "creator, rights_holder, processor, publisher, distributor",
        "the description of a provider is lost",
    ),
    Row("extent.spatial.bbox, bbox", "spatial.bbox", "heights are lost"),
    Row("geometry", None, "of an item: the box stands for it"),
    Row("extent.temporal.interval, datetime, start_datetime, end_datetime", "temporal"),
    Row("gsd", "spatial_resolution_in_meters", "the smallest"),
    Row("proj:code, proj:epsg", "crs", "codes of EPSG"),
    Row("platform, constellation, mission, instruments", "was_generated_by", "as words: `platform: sentinel-2a`"),
    Row("cube:variables, bands, eo:bands", "variables", "name, description, unit; wavelengths are lost"),
    Row("cube:dimensions[type=temporal].step", "temporal_resolution"),
    Row("assets", "distribution", "with an absolute address; roles are lost"),
    Row("item_assets", None, "says how assets of items look"),
    Row("links[rel=items], links[rel=root]", "distribution.access_service"),
    Row("sci:doi, links[rel=cite-as]", "other_identifier"),
    Row("sci:publications", "is_referenced_by"),
    Row("sci:citation", None),
    Row("links[rel=derived_from, via]", "source"),
    Row("links[rel=about]", "landing_page"),
    Row("version, created, updated, published", "version, created, modified, issued"),
    Row("summaries", None, "all but the ones above"),
)
MAKERS: Final = ("platform", "constellation", "mission", "instruments")
_API: Final = "https://api.stacspec.org/v1.0.0/core"
_ITEM_FIELDS: Final = ("type", "stac_version", "stac_extensions")
_PAGES: Final = frozenset({"thumbnail", "metadata", "overview", "iso-19115"})
_DATA: Final = frozenset({"data", "visual", "reflectance", "source"})
_UNKNOWN_LICENCE: Final = frozenset({"other", "proprietary", "various"})
DOI: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_SHA256: Final = re.compile(r"1220([0-9a-f]{64})")


def read(document: Mapping[str, Any], *, home: str) -> Crossed:
    """Return the record of a collection or an item.

    Args:
        document: the JSON.
        home: address under which the record is minted, without a slash at the end.

    Raises:
        InvalidInput: it is no STAC collection or item.
    """
    said = Said(document)
    kind = said.text("type")
    if kind not in {"Collection", "Feature"} or "stac_version" not in document:
        raise InvalidInput(
            "This is no STAC collection or item.", where="type", fix="Give a Collection or a Feature with stac_version."
        )
    said.ignore(*_ITEM_FIELDS, "conformsTo")
    reader = _Reader(said, home)
    record = reader.collection() if kind == "Collection" else reader.item()
    return Crossed(record=record, lost=tuple(said.left()))


class _Reader:
    """Reads one document; `fields` is where the common metadata stand: the properties of an item, else the top."""

    def __init__(self, said: Said, home: str) -> None:
        self.said = said
        self.key = said.text("id") or ""
        if not self.key:
            raise InvalidInput("The document has no id.", where="id")
        self.iri = f"{home}/{v.slug(self.key)}"
        self.fields = said
        self.summaries = Said({})
        self.links: dict[str, list[Said]] = {}
        for link in said.each("links"):
            self.links.setdefault(link.text("rel") or "", []).append(link)
        for rel in ("items", "root", "self", "parent", "collection", "item", "child", "data", "queryables"):
            for link in self.links.get(rel, ()):
                link.ignore("href", "type", "title", "method")

    def collection(self) -> model.Dataset:
        self.summaries = self.said.inner("summaries")
        extent = self.said.inner("extent")
        boxes = extent.inner("spatial").take("bbox", list) or []
        # The first box is around all others, where there are others.
        spatial = tuple(place for box in (boxes[1:] or boxes) if (place := _place(box)) is not None)
        intervals = extent.inner("temporal").take("interval", list) or []
        return self._record(spatial, tuple(each for pair in intervals[:1] if (each := _period(pair)) is not None))

    def item(self) -> model.Dataset:
        self.fields = self.said.inner("properties")
        place = _place(self.said.take("bbox", list))
        self.said.ignore("collection")
        when = self.fields.text("datetime")
        pair = [self.fields.text("start_datetime") or when, self.fields.text("end_datetime") or when]
        period = _period(pair)
        return self._record((place,) if place else (), (period,) if period else ())

    def _record(self, spatial: Sequence[model.Location], temporal: Sequence[model.PeriodOfTime]) -> model.Dataset:
        language = self.fields.inner("language").text("code") or "en"
        title = self.fields.text("title") or self.key
        licence, rights = self._licence(language)
        step, variables = self._cube(language)
        return model.Dataset(
            id=self.iri,
            title={language: title},
            description={language: self.fields.text("description") or title},
            keyword={language: words} if (words := self.fields.texts("keywords")) else {},
            theme=self._themes(),
            identifier=(self.key,),
            other_identifier=self._dois(),
            **self._agents(language),
            spatial=tuple(spatial),
            temporal=tuple(temporal),
            created=v.moment(self.fields.text("created")),
            modified=v.moment(self.fields.text("updated")),
            issued=v.moment(self.fields.text("published")),
            version=self.fields.text("version"),
            rights=rights,
            page=self._hrefs("self", "describedby") + self._pages(),
            landing_page=self._hrefs("about"),
            source=self._hrefs("derived_from", "via"),
            is_referenced_by=self._publications(),
            was_generated_by=tuple(model.Activity(label={language: word}) for word in self._made_by()),
            crs=self._systems(),
            spatial_resolution_in_meters=self._metres(),
            temporal_resolution=step,
            variables=variables or self._bands(language),
            distribution=(*self._assets(language, licence), *self._service(language, licence)),
        )

    # --- who, what, where ---------------------------------------------------------------------------------------------

    def _agents(self, language: str) -> dict[str, Any]:
        found: dict[str, list[model.Agent]] = {}
        for provider in self.fields.each("providers"):
            name = provider.text("name")
            agent = model.Agent(name=v.texts(name, language), homepage=v.iri(provider.text("url")))
            for role in provider.texts("roles"):
                found.setdefault(role, []).append(agent)
        hosts = found.get("host", [])
        return {
            "creator": tuple(found.get("producer", ())),
            "rights_holder": tuple(found.get("licensor", ())),
            "processor": tuple(found.get("processor", ())),
            "publisher": hosts[0] if hosts else None,
            "distributor": tuple(hosts),
        }

    def _licence(self, language: str) -> tuple[str | None, tuple[model.Statement, ...]]:
        """Return the licence, if it is one of the EU table, else what the document says about rights."""
        name, links = self.fields.text("license") or self.said.text("license"), self._hrefs("license")
        known = next((found for each in (name, *links) if each and (found := v.licence_of(each))), None)
        if known:
            return known, ()
        word = name if name and name not in _UNKNOWN_LICENCE else None
        statements = [model.Statement(id=link) for link in links]
        if word and not statements:
            statements.append(model.Statement(description={language: f"Licence: {word} (SPDX)"}))
        return None, tuple(statements)

    def _themes(self) -> tuple[str, ...]:
        found = []
        for theme in self.fields.each("themes"):
            scheme = theme.text("scheme") or ""
            for concept in theme.each("concepts"):
                key, url = concept.text("id"), concept.text("url")
                found.append(url or key or "")
                if v.iri(found[-1]) is None and v.iri(f"{scheme.rstrip('/')}/{key}"):
                    found[-1] = f"{scheme.rstrip('/')}/{key}"
        return v.iris(found)

    def _made_by(self) -> list[str]:
        places = (self.fields, self.summaries)
        return list(dict.fromkeys(f"{key}: {word}" for key in MAKERS for place in places for word in place.texts(key)))

    def _systems(self) -> tuple[str, ...]:
        codes: list[object] = [self.fields.text("proj:code"), self.fields.number("proj:epsg")]
        codes += [*(self.summaries.take("proj:code", list) or ()), *(self.summaries.take("proj:epsg", list) or ())]
        whole = (int(code) if isinstance(code, float) else code for code in codes if code is not None)
        return tuple(dict.fromkeys(found for code in whole if (found := v.epsg(code))))

    def _metres(self) -> tuple[float, ...]:
        found = [self.fields.number("gsd"), *(self.summaries.take("gsd", list) or ())]
        metres = [float(each) for each in found if isinstance(each, int | float) and each > 0]
        return (min(metres),) if metres else ()

    def _cube(self, language: str) -> tuple[str | None, tuple[model.Variable, ...]]:
        step = None
        for each in self.fields.named("cube:dimensions").values():
            if each.text("type") == "temporal":
                told = each.text("step")
                step = told if told and v.fits(told, model.Duration) else step
        found = []
        for name, each in self.fields.named("cube:variables").items():
            each.ignore("type", "dimensions")
            found.append(_variable(name, each, language))
        return step, tuple(found)

    def _bands(self, language: str) -> tuple[model.Variable, ...]:
        found: dict[str, model.Variable] = {}
        for place in (self.fields, self.summaries, *self.said.named("assets").values()):
            for key in ("bands", "eo:bands"):
                for band in place.each(key):
                    if name := band.text("name") or band.text("eo:common_name") or band.text("common_name"):
                        found.setdefault(name, _variable(name, band, language))
        return tuple(found.values())

    # --- where to get it ----------------------------------------------------------------------------------------------

    def _assets(self, language: str, licence: str | None) -> Iterator[model.Distribution]:
        for name, asset in self.said.named("assets").items():
            if set(roles := asset.texts("roles")) & _PAGES and not set(roles) & _DATA:
                continue
            href = asset.address("href")
            if href is None:
                continue  # a relative one leads nowhere once the document has left its place
            kind = asset.text("type")
            size = asset.number("file:size")
            digest = _SHA256.fullmatch(asset.text("file:checksum") or "")
            yield model.Distribution(
                id=f"{self.iri}#{v.slug(name)}",
                title={language: asset.text("title") or name},
                description=v.texts(asset.text("description"), language),
                access_url=(href,),
                download_url=(href,),
                format=v.file_type(kind) if kind else None,
                media_type=v.media_type(kind),
                byte_size=int(size) if size is not None and size >= 0 else None,
                checksum=model.Checksum(algorithm=v.SHA256, value=digest[1]) if digest else None,
                licence=licence,
            )

    def _pages(self) -> tuple[str, ...]:
        pages = []
        for asset in self.said.named("assets").values():
            if set(roles := asset.texts("roles")) & _PAGES and not set(roles) & _DATA:
                asset.ignore("title", "type", "description")
                pages.append(asset.address("href"))
        return v.iris(pages)

    def _service(self, language: str, licence: str | None) -> Iterator[model.Distribution]:
        items, roots = self._hrefs("items"), self._hrefs("root")
        if not items or not roots:
            return
        service = model.DataService(
            id=roots[0],
            title={language: "STAC API"},
            endpoint_url=roots[:1],
            conforms_to=(model.Standard(id=_API),),
            serves_dataset=(self.iri,),
        )
        yield model.Distribution(
            id=f"{self.iri}#items",
            title={language: "Items"},
            access_url=items[:1],
            media_type=v.media_type("application/geo+json"),
            format=v.file_type("application/geo+json"),
            access_service=(service,),
            licence=licence,
        )

    # --- links --------------------------------------------------------------------------------------------------------

    def _hrefs(self, *rels: str) -> tuple[str, ...]:
        found = []
        for link in (each for rel in rels for each in self.links.get(rel, ())):
            link.ignore("type", "title")
            found.append(link.address("href"))
        return v.iris(dict.fromkeys(found))

    def _dois(self) -> tuple[model.Identifier, ...]:
        told = [self.fields.text("sci:doi") or self.said.text("sci:doi"), *self._hrefs("cite-as")]
        found = dict.fromkeys(match[1] for each in told if each and (match := DOI.fullmatch(each)))
        return tuple(model.Identifier(notation=doi, scheme="DOI") for doi in found)

    def _publications(self) -> tuple[str, ...]:
        found = (DOI.fullmatch(each.text("doi") or "") for each in self.fields.each("sci:publications"))
        return tuple(f"https://doi.org/{match[1]}" for match in found if match)


def _variable(name: str, said: Said, language: str) -> model.Variable:
    standard = said.text("standard_name") or said.text("cf:standard_name")
    said.ignore("name")
    return model.Variable(
        name=name,
        standard_name=standard if standard and v.fits(standard, model.StandardName) else None,
        label=v.texts(said.text("description"), language),
        unit=said.text("unit"),
    )


def _place(box: Any) -> model.Location | None:
    if not isinstance(box, list) or len(box) not in {4, 6}:
        return None
    half = len(box) // 2
    corners = (box[0], box[1], box[half], box[half + 1])
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in corners):
        return None
    west, south, east, north = corners
    try:
        return model.Location(bbox=(west, south, east, north))
    except ValueError:
        return None


def _period(pair: Any) -> model.PeriodOfTime | None:
    if not isinstance(pair, list) or len(pair) != 2:  # noqa: PLR2004 - a beginning and an end
        return None
    start, end = (v.moment(each) if isinstance(each, str) else None for each in pair)
    return model.PeriodOfTime(start=start, end=end) if start or end else None
