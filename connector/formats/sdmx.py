"""SDMX-ML 2.1 and 3.0: data messages, generic and structure-specific, and structure messages. Runs in the child.

The file streams through lxml and every finished element is thrown away, so its size does not matter. Document type
declarations are refused, whatever they declare: SDMX has no use for one, and every XML bomb does.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from lxml import etree

from connector.errors import InvalidInput
from connector.formats.description import Dimension, Facts, Limits, Statistics, clean, short
from connector.formats.sdmx_model import TIME, VALUE, Gathered, inferred_role

NAMESPACE: Final = "http://www.sdmx.org/resources/sdmxml/schemas/"
VERSIONS: Final = {"v2_1": "2.1", "v3_0": "3.0"}
GENERIC: Final = frozenset({"GenericData", "GenericTimeSeriesData"})
SPECIFIC: Final = frozenset({"StructureSpecificData", "StructureSpecificTimeSeriesData"})
STRUCTURE: Final = "Structure"
ENGLISH: Final = "en"
LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
LISTED: Final = 300
PROLOGUE: Final = frozenset({"DataSet", "Structures"})  # the header is complete when one of these begins
NO_DATA: Final = (
    "This is a structure message: it says how data are laid out and holds no data. Publish it beside the data."
)
Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type


class Header:
    """What the header of a message says."""

    def __init__(self) -> None:
        self.sender: str | None = None
        self.prepared: str | None = None
        self.name: str | None = None
        self.structure: str | None = None
        self.across = TIME

    def end(self, element: Element, tag: str) -> None:
        """Take an element of the header that is complete."""
        if tag == "Sender":
            named = element.get("id", "")
            self.sender = None if named.lower() == "unknown" else named
        elif tag == "Prepared":
            self.prepared = element.text
        elif tag == "Name" and (self.name is None or element.get(LANGUAGE) == ENGLISH):
            self.name = element.text
        elif tag in {"Ref", "URN"}:
            self.structure = self.structure or _reference(element)
        elif tag == "Structure" and element.get("dimensionAtObservation"):
            self.across = element.get("dimensionAtObservation", TIME)
            self.structure = self.structure or element.get("namespace")


def _reference(element: Element) -> str | None:
    """Return `agency:id(version)` of a reference, or the URN it is written as."""
    if element.get("id") is None:
        return element.text
    return f"{element.get('agencyID', '')}:{element.get('id')}({element.get('version', '1.0')})"


def read(path: Path, limits: Limits) -> Facts:  # noqa: ARG001 - the message streams; time is what limits it
    """Describe the SDMX-ML message at `path`.

    Raises:
        InvalidInput: it is not well-formed, has a document type declaration, or is a message that describes nothing.
    """
    try:
        with path.open("rb") as file:
            return _facts(_events(file))
    except etree.XMLSyntaxError as error:
        line = error.lineno
        raise InvalidInput("The file is not well-formed XML; it may be cut off.", where=f"line {line}") from error


def _facts(events: Iterator[tuple[str, Element, str]]) -> Facts:
    message, version = _message(next(events)[1])
    reader = _Structures() if message == STRUCTURE else _Data(message)
    header = Header()
    in_header = True
    for event, element, tag in events:
        if in_header and tag in PROLOGUE:
            in_header = False
            reader.begin(header)
        if in_header and event == "end":
            header.end(element, tag)
        elif not in_header:
            reader.take(event, element, tag)
    return reader.facts(header, version)


def _events(file: IO[bytes]) -> Iterator[tuple[str, Element, str]]:
    """Yield (start or end, element, local name); an element is emptied after its end, unless a key still needs it."""
    walk = etree.iterparse(
        file,
        events=("start", "end"),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    first = True
    for event, element in walk:
        if first:
            first = False
            if element.getroottree().docinfo.doctype:
                raise InvalidInput(
                    "The file has a document type declaration, which SDMX does not use.", fix="Remove it."
                )
        yield event, element, etree.QName(element).localname
        if event == "end":
            # Nothing is read from an ended element later. Its empty shell would still count, so the older siblings go.
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]


def _message(root: Element) -> tuple[str, str]:
    """Return the kind of message and the SDMX version."""
    name = etree.QName(root)
    version = VERSIONS.get((name.namespace or "").removeprefix(NAMESPACE).partition("/")[0])
    if version is None:
        raise InvalidInput("This SDMX-ML version cannot be read.", fix="Write the message as SDMX-ML 2.1 or 3.0.")
    if name.localname not in GENERIC | SPECIFIC | {STRUCTURE}:
        raise InvalidInput(f"A message of kind {short(name.localname)!r} holds neither data nor structures.")
    return name.localname, version


class _Data:
    """Reads data messages: generic ones by their Value elements, structure-specific ones by their XML attributes."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.seen = Gathered()
        self.across = TIME
        self.inside = ""
        self.has_value = False
        self.at_observation: str | None = None
        self.take: Callable[[str, Element, str], None] = self._generic if message in GENERIC else self._specific

    def begin(self, header: Header) -> None:
        """Learn which dimension the observations run along."""
        self.across = header.across

    def _generic(self, event: str, element: Element, tag: str) -> None:
        if event == "start":
            if tag in {"SeriesKey", "ObsKey", "GroupKey", "Attributes"}:
                self.inside = tag
            elif tag == "Obs":
                self.has_value = False
            return
        if tag == "Series":
            self.seen.series += 1
        elif tag == "Obs":
            self.seen.observations += 1
            self.seen.missing += not self.has_value
        elif tag == "ObsDimension":
            self._key(element.get("id") or self.across, element.get("value", ""))
        elif tag == "ObsValue":
            self.has_value = bool(element.get("value"))
        elif tag == "Value" and element.get("id"):
            self._value(element.get("id", ""), element.get("value", ""))
        elif tag == self.inside:
            self.inside = ""

    def _value(self, name: str, value: str) -> None:
        if self.inside == "Attributes":
            self.seen.note(name, "attribute", value)
        elif name != VALUE:
            self._key(name, value)

    def _key(self, name: str, value: str) -> None:
        if name == TIME:
            self.seen.time(value)
        else:
            self.seen.note(name, "dimension", value)

    def _specific(self, event: str, element: Element, tag: str) -> None:
        if event == "end" or tag not in {"Series", "Obs", "Group"}:
            return
        self.seen.series += tag == "Series"
        if tag == "Obs":
            self.seen.observations += 1
            self.seen.missing += not element.get(VALUE)
        for name, value in element.attrib.items():
            plain = str(name)
            if plain.startswith("{") or plain == VALUE:
                continue
            if plain == TIME:
                self.seen.time(str(value))
                continue
            # Along its own dimension an observation has one key; whatever else stands there is attached to it.
            along = tag == "Obs" and self.seen.series > 0 and plain != self.across
            role = "attribute" if along else inferred_role(plain)
            self.seen.note(plain, role, str(value), inferred=role == "dimension")

    def facts(self, header: Header, version: str) -> Facts:
        """Return the description of the data."""
        if not self.seen.observations:
            raise InvalidInput("The SDMX data message holds no observation.")
        return Facts(
            format="SDMX-ML",
            title=clean(header.name),
            publisher=clean(header.sender),
            modified=short(header.prepared),
            identifier=short(header.structure),
            conforms_to=f"SDMX-ML {version}",
            period=self.seen.period(),
            temporal_resolution=self.seen.spacing(),
            dimensions=self.seen.dimensions(),
            statistics=Statistics(
                message=self.message,
                dataflow=short(header.structure),
                series=self.seen.series,
                observations=self.seen.observations,
            ),
            notes=tuple(self.seen.notes()),
        )


class _Structures:
    """Reads structure messages: the names of flows, structures and codelists, and the dimensions of the first one."""

    def __init__(self) -> None:
        self.named: dict[str, dict[str, None]] = {"Dataflow": {}, "DataStructure": {}, "Codelist": {}}
        self.path: list[str] = []
        self.components: dict[str, Dimension] = {}
        self.title: str | None = None
        self.description: str | None = None
        self.structures = 0
        self.dimension = ""

    def begin(self, header: Header) -> None:
        """Nothing in the header changes how structures are read."""

    def take(self, event: str, element: Element, tag: str) -> None:
        """Take the start or end of an element."""
        if event == "start":
            self._start(element, tag)
            self.path.append(tag)
            return
        if self.path:
            self.path.pop()
        if tag in {"Name", "Description"} and self.path[-1:] == ["Dataflow"]:
            self._words(element, tag)

    def _start(self, element: Element, tag: str) -> None:
        name = short(element.get("id"))
        if tag in self.named and name and self.path[-1:] == [f"{tag}s"] and len(self.named[tag]) < LISTED:
            self.named[tag][name] = None
        self.structures += tag == "DataStructure" and self.path[-1:] == ["DataStructures"]
        if self.structures != 1 or "DataStructure" not in self.path:
            return
        if tag in {"Dimension", "MeasureDimension", "TimeDimension", "Attribute"}:
            self.dimension = name or ""
            if name:
                self._component(name, tag)
        elif tag == "Ref" and not self.dimension and self.path[-1:] == ["ConceptIdentity"] and name:
            self.dimension = name  # the id of a component may be left out: it is then that of its concept
            self._component(name, self.path[-2])

    def _component(self, name: str, tag: str) -> None:
        if tag == "TimeDimension":
            self.components[name] = Dimension(name=name, role="time")
        elif tag in {"Dimension", "MeasureDimension"} and self.path[-1:] != ["DimensionReference"]:
            self.components.setdefault(name, Dimension(name=name))
        elif tag == "Attribute":
            self.components.setdefault(name, Dimension(name=name, role="attribute"))

    def _words(self, element: Element, tag: str) -> None:
        """Keep the English name and description of the first dataflow, or else the first in any language."""
        held = self.title if tag == "Name" else self.description
        if len(self.named["Dataflow"]) > 1 or (held is not None and element.get(LANGUAGE) != ENGLISH):
            return
        if tag == "Name":
            self.title = clean(element.text)
        else:
            self.description = clean(element.text)

    def facts(self, header: Header, version: str) -> Facts:
        """Return the description of the structures."""
        flows, structures, codelists = (tuple(self.named[tag]) for tag in ("Dataflow", "DataStructure", "Codelist"))
        order = {"dimension": 0, "time": 1, "attribute": 2, "measure": 3}
        return Facts(
            format="SDMX-ML",
            title=self.title,
            description=self.description,
            publisher=clean(header.sender),
            modified=short(header.prepared),
            conforms_to=f"SDMX-ML {version}",
            dimensions=tuple(sorted(self.components.values(), key=lambda each: order[each.role])),
            statistics=Statistics(
                message=STRUCTURE,
                series=0,
                dataflow=flows[0] if flows else None,
                dataflows=flows,
                data_structures=structures,
                codelists=codelists,
            ),
            notes=(NO_DATA,),
        )
