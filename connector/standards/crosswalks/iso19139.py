"""ISO 19139 metadata (ISO 19115:2003 in XML, the INSPIRE profile among them) to a GeoDCAT-AP 3.1.0 record.

The mapping is that of the annex of GeoDCAT-AP. Datasets and series become datasets; metadata of a service have no
place in a record of a dataset and are refused.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from connector.errors import InvalidInput, TooLarge
from connector.standards.crosswalks import values as v
from connector.standards.crosswalks.values import Crossed, Row
from connector.standards.dcat import model

ROWS: Final = (
    Row(
        "citation title, abstract", "title, description", "in the metadata language; other languages of PT_FreeText too"
    ),
    Row("citation date (creation, publication, revision)", "created, issued, modified"),
    Row("citation identifier", "identifier, other_identifier", "codeSpace and code joined; DOIs apart"),
    Row(
        "pointOfContact by role", "contact_point, publisher, creator, rights_holder, …", "positions, addresses are lost"
    ),
    Row("descriptiveKeywords", "keyword, theme", "a theme where the keyword is one of the INSPIRE themes"),
    Row("topicCategory", "topic_category"),
    Row("language, characterSet", "language, distribution.character_encoding"),
    Row("geographic bounding box, description code", "spatial"),
    Row("temporal extent", "temporal"),
    Row(
        "spatial resolution (distance)",
        "spatial_resolution_in_meters",
        "in m or km; scales and other units become text",
    ),
    Row("lineage statement", "provenance", "sources and process steps are lost"),
    Row("conformance result: pass", "conforms_to", "not conformant and not evaluated are lost"),
    Row("use limitation, other constraints", "distribution.licence, rights, access_rights"),
    Row("reference system", "crs", "codes of EPSG"),
    Row("spatial representation type", "distribution.representation_technique"),
    Row("distribution format", "distribution.format"),
    Row("transfer size", "distribution.byte_size", "megabytes of 1 048 576 bytes"),
    Row("maintenance frequency", "frequency"),
    Row("online resources by function", "landing_page, page, distribution"),
    Row(
        "fileIdentifier, dateStamp, contact, metadata standard", None, "say something of the metadata, not of the data"
    ),
    Row("vertical extent, graphic overview, browse graphic", None),
)
_NS: Final = {
    "gmd": "http://www.isotc211.org/2005/gmd",
    "gco": "http://www.isotc211.org/2005/gco",
    "gmx": "http://www.isotc211.org/2005/gmx",
    "srv": "http://www.isotc211.org/2005/srv",
    "gml": "http://www.opengis.net/gml/3.2",
    "gml31": "http://www.opengis.net/gml",
    "xlink": "http://www.w3.org/1999/xlink",
}
_LIMIT: Final = 10 * 1024**2
_MEGABYTE: Final = 1_048_576
_METRES: Final = {"m": 1.0, "meter": 1.0, "metre": 1.0, "km": 1000.0, "kilometer": 1000.0, "kilometre": 1000.0}
_FREQUENCIES: Final = {
    "continual": "CONT",
    "daily": "DAILY",
    "weekly": "WEEKLY",
    "fortnightly": "BIWEEKLY",
    "monthly": "MONTHLY",
    "quarterly": "QUARTERLY",
    "biannually": "ANNUAL_2",
    "annually": "ANNUAL",
    "asNeeded": "AS_NEEDED",
    "irregular": "IRREG",
    "notPlanned": "NOT_PLANNED",
    "unknown": "UNKNOWN",
}
_ROLES: Final = {
    "author": "creator",
    "owner": "rights_holder",
    "originator": "originator",
    "processor": "processor",
    "distributor": "distributor",
    "custodian": "custodian",
}
"""Roles of ISO and the field that is theirs; all others are attributions with the role of the INSPIRE registry."""
_ROLE_IRIS: Final = "http://inspire.ec.europa.eu/metadata-codelist/ResponsiblePartyRole/"
_OTHER_ROLES: Final = frozenset({"resourceProvider", "user", "principalInvestigator"})
_TOPICS: Final = "http://inspire.ec.europa.eu/metadata-codelist/TopicCategory/"
_TECHNIQUES: Final = "http://inspire.ec.europa.eu/metadata-codelist/SpatialRepresentationType/"
_NO_LIMITATIONS: Final = "http://inspire.ec.europa.eu/metadata-codelist/LimitationsOnPublicAccess/noLimitations"
_DOI: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE)


def read(data: bytes, *, home: str) -> Crossed:
    """Return the record of a metadata document, or of the only one in an answer of a catalogue service.

    Raises:
        InvalidInput: it is no XML, or no metadata of a dataset.
        TooLarge: the document has more than 10 MiB.
    """
    if len(data) > _LIMIT:
        raise TooLarge(f"The document has {len(data)} bytes; {_LIMIT} are allowed.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidInput(f"This is no XML: {error.msg}", where=f"line {error.lineno}") from error
    found = root.xpath("descendant-or-self::gmd:MD_Metadata", namespaces=_NS)
    if not isinstance(found, list) or len(found) != 1:
        count = len(found) if isinstance(found, list) else 0
        raise InvalidInput(
            f"The document holds {count} metadata of ISO 19139.", where="gmd:MD_Metadata", fix="Give one at a time."
        )
    reader = _Reader(found[0], home)
    return Crossed(record=reader.record(), lost=tuple(reader.left()))


class _Reader:
    """Reads one document and knows which of its elements were read."""

    def __init__(self, root: "etree._Element", home: str) -> None:
        self.root = root
        self._read: set[etree._Element] = set()
        level = self.code(root, "gmd:hierarchyLevel/*") or "dataset"
        if level == "service":
            raise InvalidInput("The metadata describe a service, not a dataset.", where="gmd:hierarchyLevel")
        self.key = self.text(root, "gmd:fileIdentifier")
        info = self.all(root, "gmd:identificationInfo/*")
        if not info:
            raise InvalidInput("The metadata identify no data.", where="gmd:identificationInfo")
        self.info = info[0]
        self.citation = next(iter(self.all(self.info, "gmd:citation/gmd:CI_Citation")), self.info)
        code = self.code(root, "gmd:language/gmd:LanguageCode") or self.text(root, "gmd:language") or "eng"
        self.tag = v.language_tag(v.language_of(code) or "") or "en"
        identifiers = self._identifiers()
        own = next((each for each in identifiers if v.iri(each) and each.startswith("http")), None)
        minted = v.slug(self.key or (identifiers[0] if identifiers else self.text(self.citation, "gmd:title") or ""))
        self.iri = own or f"{home}/{minted}"
        self.identifiers = identifiers or ([self.key] if self.key else [])

    # --- looking up ---------------------------------------------------------------------------------------------------

    def all(self, node: "etree._Element", path: str) -> "list[etree._Element]":
        """Return the elements at a path."""
        found = node.xpath(path, namespaces=_NS)
        return [each for each in found if isinstance(each, etree._Element)] if isinstance(found, list) else []  # noqa: SLF001 - lxml exports no public name for its elements

    def text(self, node: "etree._Element", path: str) -> str | None:
        """Return the first text at a path, in whatever string element it is."""
        return next(iter(self.texts(node, path)), None)

    def texts(self, node: "etree._Element", path: str) -> list[str]:
        """Return the texts at a path: of character strings, anchors, dates and figures."""
        found = []
        for each in self.all(node, path):
            for leaf in each.iter(etree.Element):
                words = " ".join((leaf.text or "").split())
                if len(leaf) == 0 and words and not _is_translation(leaf, each):
                    self._read.add(leaf)
                    found.append(words)
                    break
        return found

    def code(self, node: "etree._Element", path: str) -> str | None:
        """Return the value of a code list at a path."""
        for each in self.all(node, path):
            self._read.add(each)
            value = each.get("codeListValue") or " ".join((each.text or "").split())
            if value:
                return value
        return None

    def codes(self, node: "etree._Element", path: str) -> list[str]:
        """Return every value of a code list at a path."""
        found = []
        for each in self.all(node, path):
            self._read.add(each)
            found.append(each.get("codeListValue") or " ".join((each.text or "").split()))
        return [each for each in found if each]

    def link(self, node: "etree._Element", path: str) -> str | None:
        """Return the address that an anchor at a path leads to, or that stands there as text."""
        for each in self.all(node, path):
            for leaf in each.iter(etree.Element):
                href = leaf.get(f"{{{_NS['xlink']}}}href") or (leaf.text or "").strip()
                if v.iri(href) and href.startswith("http"):
                    self._read.add(leaf)
                    return href
        return None

    def left(self) -> Iterator[str]:
        """Yield the paths of the elements that hold something and were not read, each path once."""
        seen: dict[str, None] = {}
        for leaf in self.root.iter(etree.Element):
            words = (leaf.text or "").strip() or leaf.get("codeListValue") or ""
            if leaf in self._read or len(leaf) or not words:
                continue
            names = [etree.QName(each).localname for each in (leaf, *leaf.iterancestors()) if each is not self.root]
            # Every second level of ISO 19139 is the type of what the level above it names.
            path = "/".join(name for name in reversed(names) if name[:1].islower())
            seen.setdefault(path)
        yield from seen

    # --- the record ---------------------------------------------------------------------------------------------------

    def record(self) -> model.Dataset:
        """Return the record."""
        dates = self._dates()
        keywords, themes = self._keywords()
        licence, rights, access = self._constraints()
        resolution, resolution_text = self._resolution()
        pages = self._online()
        agents = self._agents()
        dois = [match[1] for each in self.identifiers if (match := _DOI.fullmatch(each))]
        return model.Dataset(
            id=self.iri,
            title=self._words(self.citation, "gmd:title"),
            description=self._words(self.info, "gmd:abstract"),
            keyword={self.tag: tuple(keywords)} if keywords else {},
            theme=tuple(themes),
            identifier=tuple(self.identifiers),
            other_identifier=tuple(model.Identifier(notation=each, scheme="DOI") for each in dois),
            **agents,
            created=dates.get("creation"),
            issued=dates.get("publication"),
            modified=dates.get("revision"),
            topic_category=tuple(_TOPICS + each for each in self.codes(self.info, "gmd:topicCategory/*")),
            language=tuple(
                found for each in self.codes(self.info, "gmd:language/*") if (found := v.language_of(each)) is not None
            ),
            spatial=tuple(self._places()),
            temporal=tuple(self._periods()),
            spatial_resolution_in_meters=resolution,
            spatial_resolution_as_text=resolution_text,
            provenance=tuple(
                model.Statement(description={self.tag: each})
                for each in self.texts(self.root, "gmd:dataQualityInfo/*/gmd:lineage/*/gmd:statement")
            ),
            conforms_to=tuple(self._conformity()),
            crs=self._systems(),
            access_rights=access,
            rights=rights,
            frequency=self._frequency(),
            landing_page=pages.get("landing", ()),
            page=pages.get("page", ()),
            distribution=tuple(self._distributions(pages.get("data", ()), licence)),
        )

    def _words(self, node: "etree._Element", path: str) -> dict[str, str]:
        """Return a text in every language that it is given in."""
        found = v.texts(self.text(node, path), self.tag)
        for each in self.all(node, f"{path}//gmd:LocalisedCharacterString"):
            code = (each.get("locale") or "").lstrip("#")
            tag = v.language_tag(v.language_of(code) or "")
            if tag and (words := " ".join((each.text or "").split())):
                self._read.add(each)
                found.setdefault(tag, words)
        return found

    def _identifiers(self) -> list[str]:
        found = []
        for each in self.all(self.citation, "gmd:identifier/*"):
            code, space = self.text(each, "gmd:code"), self.text(each, "gmd:codeSpace")
            if code and space and not code.startswith(("http", "urn:")):
                code = f"{space.rstrip('/#')}/{code}" if v.iri(space) else f"{space}:{code}"
            found += [code] if code else []
        return found

    def _dates(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in self.all(self.citation, "gmd:date/gmd:CI_Date"):
            kind, told = self.code(each, "gmd:dateType/*"), _moment(self.text(each, "gmd:date"))
            if kind and told:
                found[kind] = max(told, found.get(kind, told))
        return found

    def _agents(self) -> dict[str, Any]:
        contacts: list[model.ContactPoint] = []
        held: dict[str, list[model.Agent]] = {}
        attributed = []
        for party in self.all(self.info, "gmd:pointOfContact/gmd:CI_ResponsibleParty"):
            role = self.code(party, "gmd:role/*") or "pointOfContact"
            name = self.text(party, "gmd:organisationName") or self.text(party, "gmd:individualName")
            address = v.email(self.text(party, "gmd:contactInfo//gmd:electronicMailAddress"))
            page = self.link(party, "gmd:contactInfo//gmd:onlineResource//gmd:linkage")
            agent = model.Agent(name=v.texts(name, self.tag), email=address, homepage=page)
            if role == "pointOfContact":
                contacts.append(model.ContactPoint(name=v.texts(name, self.tag), email=address, url=page))
            elif role in {"publisher", *_ROLES}:
                held.setdefault(_ROLES.get(role, role), []).append(agent)
            elif role in _OTHER_ROLES:
                attributed.append(model.Attribution(agent=agent, role=_ROLE_IRIS + role))
        publishers = held.pop("publisher", [])
        return {
            "contact_point": tuple(contacts),
            "publisher": publishers[0] if publishers else None,
            "qualified_attribution": tuple(attributed),
            **{field: tuple(agents) for field, agents in held.items()},
        }

    def _keywords(self) -> tuple[list[str], list[str]]:
        themes = {label.casefold(): term for term, label in _inspire_themes(self.tag)}
        words, found = [], []
        for group in self.all(self.info, "gmd:descriptiveKeywords/gmd:MD_Keywords"):
            self.code(group, "gmd:type/*")
            for word in self.all(group, "gmd:keyword"):
                link, said = self.link(word, "."), self.text(word, ".")
                if link and "/theme/" in link:
                    found.append(link)
                elif said and said.casefold() in themes:
                    found.append(themes[said.casefold()])
                elif said:
                    words.append(said)
        return list(dict.fromkeys(words)), list(dict.fromkeys(found))

    def _places(self) -> Iterator[model.Location]:
        for extent in self.all(self.info, "gmd:extent//gmd:geographicElement/*"):
            edges = [
                self.text(extent, f"gmd:{side}")
                for side in ("westBoundLongitude", "southBoundLatitude", "eastBoundLongitude", "northBoundLatitude")
            ]
            try:
                west, south, east, north = (float(each) for each in edges if each is not None)
                yield model.Location(bbox=(west, south, east, north))
            except ValueError:
                code = self.text(extent, "gmd:geographicIdentifier/*/gmd:code")
                if code:
                    address = v.iri(code)
                    yield model.Location(id=address) if address else model.Location(label={self.tag: code})

    def _periods(self) -> Iterator[model.PeriodOfTime]:
        for each in self.all(self.info, "gmd:extent//gmd:temporalElement//gmd:extent/*"):
            start, end = (
                _moment(self.text(each, f"{a}:{name}") or self.text(each, f"{a}:{long}//{a}:timePosition"))
                for a in (("gml",) if self.all(each, "self::gml:*") else ("gml31",))
                for name, long in (("beginPosition", "begin"), ("endPosition", "end"))
            )
            if start or end:
                yield model.PeriodOfTime(start=start, end=end)

    def _resolution(self) -> tuple[tuple[float, ...], dict[str, str]]:
        metres, said = [], []
        for each in self.all(self.info, "gmd:spatialResolution/*/gmd:distance/gco:Distance"):
            self._read.add(each)
            unit = (each.get("uom") or "").rpartition("#")[2].rpartition("/")[2].lower()
            told = (each.text or "").strip()
            if unit in _METRES and re.fullmatch(r"\d+(\.\d+)?", told) and float(told) > 0:
                metres.append(float(told) * _METRES[unit])
            elif told:
                said.append(f"{told} {each.get('uom')}")
        said += [
            f"1:{each}"
            for each in self.texts(self.info, "gmd:spatialResolution/*/gmd:equivalentScale/*/gmd:denominator")
        ]
        return tuple(metres), v.texts("; ".join(said), self.tag)

    def _conformity(self) -> Iterator[model.Standard]:
        for each in self.all(self.root, "gmd:dataQualityInfo//gmd:DQ_ConformanceResult"):
            if (self.text(each, "gmd:pass") or "").lower() != "true":
                continue
            title = self.text(each, "gmd:specification/*/gmd:title")
            yield model.Standard(id=self.link(each, "gmd:specification/*/gmd:title"), title=v.texts(title, self.tag))

    def _systems(self) -> tuple[str, ...]:
        paths = "gmd:referenceSystemInfo//gmd:RS_Identifier"
        found = []
        for each in self.all(self.root, paths):
            code, space = self.text(each, "gmd:code"), self.text(each, "gmd:codeSpace")
            linked = self.link(each, "gmd:code")
            told = linked or code
            if told and told.isdigit() and (space or "").upper() != "EPSG":
                continue
            if told and (system := v.epsg(told)):
                found.append(system)
        return tuple(dict.fromkeys(found))

    def _constraints(self) -> tuple[str | None, tuple[model.Statement, ...], str | None]:
        licence, access, statements = None, None, list[model.Statement]()
        for path in ("gmd:resourceConstraints//gmd:useLimitation", "gmd:resourceConstraints//gmd:otherConstraints"):
            for each in self.all(self.info, path):
                link, said = self.link(each, "."), self.text(each, ".")
                if known := (v.licence_of(link) if link else None) or (v.licence_of(said) if said else None):
                    licence = licence or known
                elif link and link.startswith(_NO_LIMITATIONS.rpartition("/")[0]):
                    access = v.by_code("access-right", "PUBLIC" if link == _NO_LIMITATIONS else "RESTRICTED")
                elif link or said:
                    statements.append(
                        model.Statement(id=link, description=v.texts(said, self.tag) if said != link else {})
                    )
        return licence, tuple(statements), access

    def _frequency(self) -> str | None:
        code = self.code(self.info, "gmd:resourceMaintenance//gmd:maintenanceAndUpdateFrequency/*")
        return v.by_code("frequency", _FREQUENCIES.get(code or "", ""))

    def _online(self) -> dict[str, tuple[str, ...]]:
        """Return the addresses by what they are for: of the data, a page about them, or a page to start from."""
        found: dict[str, list[str]] = {}
        for each in self.all(self.root, "gmd:distributionInfo//gmd:onLine/gmd:CI_OnlineResource"):
            address = self.link(each, "gmd:linkage")
            function = self.code(each, "gmd:function/*") or ""
            self.texts(each, "gmd:protocol"), self.texts(each, "gmd:name")
            kind = {"information": "page", "search": "page", "": "landing"}.get(function, "data")
            if address:
                found.setdefault(kind, []).append(address)
        return {kind: tuple(dict.fromkeys(each)) for kind, each in found.items()}

    def _distributions(self, addresses: tuple[str, ...], licence: str | None) -> Iterator[model.Distribution]:
        names = self.texts(self.root, "gmd:distributionInfo//gmd:MD_Format/gmd:name")
        sizes = self.texts(self.root, "gmd:distributionInfo//gmd:transferSize")
        technique = self.code(self.info, "gmd:spatialRepresentationType/*")
        charset = self.code(self.info, "gmd:characterSet/*")
        size = float(sizes[0]) if len(sizes) == 1 and re.fullmatch(r"\d+(\.\d+)?", sizes[0]) else None
        for number, address in enumerate(addresses):
            yield model.Distribution(
                id=f"{self.iri}#distribution-{number + 1}",
                access_url=(address,),
                format=v.file_type(names[0]) if len(names) == 1 else None,
                byte_size=round(size * _MEGABYTE) if size is not None and len(addresses) == 1 else None,
                licence=licence,
                representation_technique=_TECHNIQUES + technique if technique else None,
                character_encoding=({"utf8": "UTF-8"}.get(charset, charset),) if charset else (),
            )


def _is_translation(leaf: "etree._Element", top: "etree._Element") -> bool:
    return leaf is not top and etree.QName(leaf).localname == "LocalisedCharacterString"


def _moment(text: str | None) -> str | None:
    """Return a date of ISO 19139; moments without a zone are UTC."""
    if text and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", text):
        text += "Z"
    return v.moment(text)


def _inspire_themes(tag: str) -> Iterator[tuple[str, str]]:
    """Yield the INSPIRE themes with their names in this language and in English."""
    for term in v.terms("inspire-theme"):
        for language in {tag, "en"}:
            if label := term.labels.get(language):
                yield term.iri, label
