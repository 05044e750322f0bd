"""SDMX structures (SDMX-ML 2.1 and 3.0: a dataflow with its data structure definition) to a StatDCAT-AP record."""

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from connector.errors import InvalidInput, TooLarge
from connector.standards.crosswalks import values as v
from connector.standards.crosswalks.values import Crossed, Row
from connector.standards.dcat import model

ROWS: Final = (
    Row("Dataflow (or DataStructure) agencyID, id, version", "identifier, version", "as its URN"),
    Row("Name, Description", "title, description", "every language"),
    Row("Structure reference", "data_structure", "the URN of the data structure definition"),
    Row("DimensionList", "dimensions", "ids and the names of their concepts, where the concepts are in the message"),
    Row("AttributeList", "attributes", "the same"),
    Row("MeasureList", "variables", "the same"),
    Row("Annotation of a DOI", "other_identifier"),
    Row("Header Prepared", "modified"),
    Row("Codelists, constraints, categories, other annotations", None),
    Row("agency", "publisher", "its id only"),
)
_LIMIT: Final = 64 * 1024**2
_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_DOI: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_REGISTRY: Final = "urn:sdmx:org.sdmx.infomodel.datastructure."


def read(data: bytes, *, home: str) -> Crossed:
    """Return the record of the only dataflow in a structure message, or of its only data structure.

    Raises:
        InvalidInput: it is no SDMX structure message, or describes several dataflows.
        TooLarge: the message has more than 64 MiB.
    """
    if len(data) > _LIMIT:
        raise TooLarge(f"The message has {len(data)} bytes; {_LIMIT} are allowed.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidInput(f"This is no XML: {error.msg}", where=f"line {error.lineno}") from error
    if etree.QName(root).localname != "Structure":
        raise InvalidInput("This is no SDMX structure message.", where=etree.QName(root).localname)
    reader = _Reader(root, home)
    return Crossed(record=reader.record(), lost=tuple(reader.left()))


class _Reader:
    """Reads one structure message; elements are found by local name, which is the same in 2.1 and 3.0."""

    def __init__(self, root: "etree._Element", home: str) -> None:
        self.root = root
        self.home = home
        flows = [each for each in self._all(root, "Dataflow") if each.get("isExternalReference") != "true"]
        structures = list(self._all(root, "DataStructure"))
        if len(flows) > 1 or not (flows or structures):
            raise InvalidInput(
                f"The message describes {len(flows)} dataflows.", where="Dataflows", fix="Give one dataflow at a time."
            )
        self.flow = flows[0] if flows else structures[0]
        self.structure = self._structure_of(flows[0], structures) if flows else structures[0]
        self.concepts = {each.get("id") or "": _names(each, "Name") for each in self._all(root, "Concept")}

    def record(self) -> model.Dataset:
        """Return the record."""
        agency, key, version = _keys(self.flow)
        kind = "Dataflow" if etree.QName(self.flow).localname == "Dataflow" else "DataStructure"
        urn = f"{_REGISTRY}{kind}={agency}:{key}({version})"
        names = _names(self.flow, "Name") or {"en": key}
        return model.Dataset(
            id=f"{self.home}/{v.slug(f'{agency}-{key}')}",
            title=names,
            description=_names(self.flow, "Description") or names,
            identifier=(urn,),
            other_identifier=tuple(model.Identifier(notation=each, scheme="DOI") for each in self._dois()),
            publisher=model.Agent(name={"": agency}),
            version=version,
            modified=self._prepared(),
            data_structure=self._structure_urn(),
            dimensions=tuple(self._components("DimensionList", ("Dimension", "TimeDimension", "MeasureDimension"))),
            attributes=tuple(self._components("AttributeList", ("Attribute",))),
            variables=tuple(
                model.Variable(name=each.name, label=each.label)
                for each in self._components("MeasureList", ("PrimaryMeasure", "Measure"))
            ),
        )

    def left(self) -> Iterator[str]:
        """Yield what the message holds beside the one structure."""
        for name in ("Codelist", "ConceptScheme", "CategoryScheme", "Categorisation", "DataConstraint"):
            if count := sum(1 for _ in self._all(self.root, name)):
                yield f"{name} ({count})"
        if count := sum(1 for each in self._all(self.flow, "Annotation") if not _doi(each)):
            yield f"Annotation ({count})"

    def _all(self, node: "etree._Element", name: str) -> "Iterator[etree._Element]":
        return node.iter(f"{{*}}{name}")

    def _structure_of(self, flow: "etree._Element", structures: "list[etree._Element]") -> "etree._Element | None":
        """Return the data structure that a dataflow refers to, where the message holds it."""
        wanted = self._reference(flow)
        if wanted is None:
            return structures[0] if len(structures) == 1 else None
        return next((each for each in structures if _keys(each)[:2] == wanted[:2]), None)

    def _reference(self, flow: "etree._Element") -> tuple[str, str, str] | None:
        for each in flow.iterfind("{*}Structure"):
            for reference in each.iter("{*}Ref", "Ref"):
                return _keys(reference)
            urn = (each.text or "").strip()
            if found := re.fullmatch(r".*=([^:]+):([^()]+)\(([^()]+)\)", urn):
                return found[1], found[2], found[3]
        return None

    def _structure_urn(self) -> str | None:
        keys = _keys(self.structure) if self.structure is not None else self._reference(self.flow)
        return f"{_REGISTRY}DataStructure={keys[0]}:{keys[1]}({keys[2]})" if keys else None

    def _components(self, place: str, kinds: tuple[str, ...]) -> Iterator[model.Component]:
        if self.structure is None:
            return
        for components in self._all(self.structure, place):
            for each in components:
                if isinstance(each.tag, str) and etree.QName(each).localname in kinds:
                    key = (
                        each.get("id") or self._concept(each) or "OBS_VALUE"
                    )  # the id that 2.1 gives a primary measure
                    yield model.Component(name=key, label=self.concepts.get(self._concept(each) or key, {}))

    def _concept(self, component: "etree._Element") -> str | None:
        for each in component.iterfind("{*}ConceptIdentity"):
            for reference in each.iter("{*}Ref", "Ref"):
                return reference.get("id")
            return (each.text or "").strip().rpartition(".")[2] or None
        return None

    def _dois(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(found for each in self._all(self.flow, "Annotation") if (found := _doi(each))))

    def _prepared(self) -> str | None:
        told = next((each.text for each in self._all(self.root, "Prepared")), None)
        if told and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", told.strip()):
            return v.moment(told.strip() + "Z")
        return v.moment((told or "").strip() or None)


def _keys(element: "etree._Element") -> tuple[str, str, str]:
    return element.get("agencyID") or "", element.get("id") or "", element.get("version") or "1.0"


def _names(element: "etree._Element", name: str) -> dict[str, str]:
    """Return the names that stand directly at an element, by language."""
    found = {}
    for each in element.iterfind(f"{{*}}{name}"):
        words = " ".join((each.text or "").split())
        if words:
            found[(each.get(_LANG) or "en").lower()] = words
    return found


def _doi(annotation: "etree._Element") -> str | None:
    for each in annotation.iter(etree.Element):
        if match := _DOI.fullmatch((each.text or "").strip()):
            return match[1]
    return None
