"""SDMX-ML 2.0, 2.1 and 3.0: data, structures, metadata sets and footers. Runs in the child.

The file streams through lxml and every finished element is thrown away, so its size does not matter. What kind of
message it is says its root; `sdmx_data` and `sdmx_structures` hold the readers of the kinds.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from connector.errors import InvalidInput
from connector.formats.containers.xmlstream import Element, events, local, namespace
from connector.formats.description import Facts, Limits, Statistics, clean, short
from connector.formats.statistics import sdmx_data, sdmx_structures
from connector.formats.statistics.sdmx_model import TIME, About, Gathered, data_facts

SCHEMAS: Final = "http://www.sdmx.org/resources/sdmxml/schemas/"  # version 2.0 writes SDMX and SDMXML in capitals
VERSIONS: Final = {"v2_0": "2.0", "v2_1": "2.1", "v3_0": "3.0"}
STRUCTURE: Final = "Structure"
ERROR: Final = "Error"
GROUP: Final = "MessageGroup"
DATA: Final[dict[str, Callable[[Gathered], "Reader"]]] = {
    "GenericData": sdmx_data.Generic,
    "GenericTimeSeriesData": sdmx_data.Generic,
    "StructureSpecificData": sdmx_data.Specific,
    "StructureSpecificTimeSeriesData": sdmx_data.Specific,
    "CompactData": sdmx_data.Specific,
    "UtilityData": sdmx_data.Utility,
    "CrossSectionalData": sdmx_data.CrossSectional,
    GROUP: sdmx_data.AnyOf,
}
METADATA: Final = frozenset(
    {"GenericMetadata", "StructureSpecificMetadata", "MetadataReport", "Metadata", "MetadataSet"}
)
LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
ENGLISH: Final = "en"
URN: Final = "urn:"
REFERENCES: Final = frozenset({"Structure", "StructureUsage", "ProvisionAgreement", "ProvisionAgrement"})
FOOTER_TEXTS: Final = 20
NO_DATA: Final = (
    "This is a structure message: it says how data are laid out and holds no data. Publish it beside the data."
)
NO_OBSERVATIONS: Final = "The SDMX data message holds no observation."
ONLY_METADATA: Final = (
    "This is a set of reference metadata: it describes data that lie elsewhere. Publish it beside the data."
)
ONLY_FOOTER: Final = "The message has a footer instead of data: there is nothing in it to publish."
TEST: Final = "The message says of itself that it is a test."
TRUNCATED: Final = "The message says of itself that it is truncated: some of the observations were left out."


class Reader(Protocol):
    """Takes the elements of a message outside its header, one after the other."""

    def begin(self, across: str) -> None:
        """Learn along which dimension the observations run."""

    def take(self, event: str, element: Element, tag: str) -> None:
        """Take the start or end of an element."""


class Header:
    """What the header of a message says."""

    def __init__(self) -> None:
        self.sender: str | None = None
        self.prepared: str | None = None
        self.name: str | None = None
        self.structure: str | None = None
        self.across = TIME
        self.notes: list[str] = []

    def end(self, element: Element, tag: str) -> None:
        """Take an element of the header that is complete."""
        parent = element.getparent()
        within = "" if parent is None else local(parent)
        text = (element.text or "").strip()
        if tag == "Sender":
            named = element.get("id", "")
            self.sender = self.sender or (None if named.lower() == "unknown" else named)
        elif tag == "Prepared":
            self.prepared = text
        elif tag == "Name" and within == "Sender":
            self.sender = self.sender or text
        elif tag == "Name" and within == "Header" and (self.name is None or element.get(LANGUAGE) == ENGLISH):
            self.name = text
        elif tag in {"Ref", "URN"}:
            self.structure = self.structure or _reference(element)
        elif tag in REFERENCES and text.startswith(URN):
            self.structure = self.structure or text
        elif tag in {"Test", "Truncated"} and text in {"true", "1"}:
            self.notes.append(TEST if tag == "Test" else TRUNCATED)
        if tag == "Structure" and element.get("dimensionAtObservation"):
            self.across = element.get("dimensionAtObservation", TIME)
            self.structure = self.structure or element.get("namespace")


class Footer:
    """What a service adds below the data: that it cut the answer short, where the rest can be had, what went wrong."""

    def __init__(self, *, inside: bool) -> None:
        self.texts: list[str] = []
        self.inside = inside  # an error message is nothing but the footer of an answer that never came

    def take(self, event: str, element: Element, tag: str) -> bool:
        """Take an element of the footer; returns whether it is one."""
        if tag == "Footer":
            self.inside = event == "start"
            return True
        if self.inside and event == "end" and tag in {"Text", "ErrorMessage"} and len(self.texts) < FOOTER_TEXTS:
            text = clean(element.text)
            if text:
                self.texts.append(text)
        return self.inside

    def notes(self) -> list[str]:
        """Return what the footer says as sentences."""
        return [f"The footer of the message says: {text}" for text in self.texts]


def read(path: Path, limits: Limits) -> Facts:  # noqa: ARG001 - the message streams; time is what limits it
    """Describe the SDMX-ML message at `path`.

    Raises:
        InvalidInput: it is not well-formed, has a document type declaration, or is a message that describes nothing.
    """
    with path.open("rb") as file:
        return _facts(events(file))


def _facts(stream: Iterator[tuple[str, Element, str]]) -> Facts:
    root = next(stream)[1]
    message, version = _message(root)
    seen = Gathered()
    structures = sdmx_structures.Structures()
    reader: Reader = structures if message == STRUCTURE else DATA.get(message, sdmx_data.Generic)(seen)
    header, footer = Header(), Footer(inside=message == ERROR)
    in_header = False
    for event, element, tag in stream:
        if in_header:
            in_header = tag != "Header"
            if event == "end" and in_header:
                header.end(element, tag)
            if not in_header:
                reader.begin(header.across)
        elif tag == "Header":
            in_header = True
        elif not footer.take(event, element, tag):
            reader.take(event, element, tag)
    about = _about(message, version, header, footer)
    if message == STRUCTURE:
        return structures.facts(about, NO_DATA)
    if message in METADATA:
        return _nothing(about, "metadata", ONLY_METADATA)
    return _data(message, about, seen, reader, footer)


def _about(message: str, version: str, header: Header, footer: Footer) -> About:
    return About(
        format="SDMX-ML",
        conforms_to=f"SDMX-ML {version}",
        message=message,
        title=header.name,
        publisher=header.sender,
        modified=header.prepared,
        identifier=header.structure,
        dataflow=header.structure,
        notes=[*header.notes, *footer.notes()],
    )


def _data(message: str, about: About, seen: Gathered, reader: Reader, footer: Footer) -> Facts:
    """Return the facts of a data message, or of what stands in its place.

    Raises:
        InvalidInput: there is neither an observation nor a footer, or it is the error message of a service.
    """
    if message == ERROR:
        raise InvalidInput(f"This is the error message of an SDMX service: {'; '.join(footer.texts) or 'no reason'}.")
    if not seen.observations and footer.texts:
        return _nothing(about, "footer", ONLY_FOOTER)
    if not seen.observations:
        raise InvalidInput(NO_OBSERVATIONS)
    found = getattr(reader, "structure", None)
    about.identifier, about.dataflow = about.identifier or found, about.dataflow or found
    return data_facts(seen, about)


def _nothing(about: About, kind: str, note: str) -> Facts:
    """Return the facts of a message without data."""
    return Facts(
        format=about.format,
        kind="metadata" if kind == "metadata" else "footer",
        title=clean(about.title),
        publisher=clean(about.publisher),
        modified=short(about.modified),
        identifier=short(about.identifier),
        conforms_to=about.conforms_to,
        statistics=Statistics(message=about.message, dataflow=short(about.dataflow), series=0),
        notes=(note, *about.notes),
    )


def _reference(element: Element) -> str | None:
    """Return `agency:id(version)` of a reference, or the URN it is written as."""
    if element.get("id") is None:
        return element.text
    return f"{element.get('agencyID', '')}:{element.get('id')}({element.get('version', '1.0')})"


def _message(root: Element) -> tuple[str, str]:
    """Return the kind of message and the SDMX version."""
    schema = namespace(root).lower()
    version = VERSIONS.get(schema.removeprefix(SCHEMAS).partition("/")[0]) if schema.startswith(SCHEMAS) else None
    if version is None:
        raise InvalidInput("This SDMX-ML version cannot be read.", fix="Write the message as SDMX-ML 2.0, 2.1 or 3.0.")
    name = local(root)
    if name not in DATA.keys() | METADATA | {STRUCTURE, ERROR}:
        raise InvalidInput(f"A message of kind {short(name)!r} holds neither data nor structures.")
    return name, version
