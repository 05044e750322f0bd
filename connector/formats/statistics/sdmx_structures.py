"""The reader of SDMX-ML structure messages of all versions: flows, structures, code lists, and the first components.

Version 2.0 calls a data structure a key family and names components by their concept; since 2.1 they have ids of their
own, which may be left out when they are those of their concept.
"""

from typing import Final

from connector.formats.containers.xmlstream import Element
from connector.formats.description import Dimension, Facts, Statistics, clean, short
from connector.formats.statistics.sdmx_model import About, Role

LISTED: Final = 300
LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
ENGLISH: Final = "en"
FLOWS, STRUCTURES, CODELISTS = "Dataflow", "DataStructure", "Codelist"
# Element and the element it stands in: what it counts as.
NAMED: Final = {
    ("Dataflow", "Dataflows"): FLOWS,
    ("DataStructure", "DataStructures"): STRUCTURES,
    ("KeyFamily", "KeyFamilies"): STRUCTURES,
    ("Codelist", "Codelists"): CODELISTS,
    ("CodeList", "CodeLists"): CODELISTS,
}
LISTS: Final = frozenset({"DimensionList", "AttributeList", "MeasureList", "Components"})
ROLES: Final[dict[str, Role]] = {
    "Dimension": "dimension",
    "MeasureDimension": "dimension",
    "TimeDimension": "time",
    "PrimaryMeasure": "measure",
    "CrossSectionalMeasure": "measure",
    "Measure": "measure",
    "Attribute": "attribute",
}
ORDER: Final[dict[Role, int]] = {"dimension": 0, "time": 1, "measure": 2, "attribute": 3}
SEVERAL: Final = "The message holds several data structures; the dimensions are those of the first one."
EMPTY: Final = "The message names no flow, no data structure and no code list."


class Structures:
    """Reads structure messages: the names of flows, structures and codelists, and the components of the first one."""

    def __init__(self) -> None:
        self.named: dict[str, dict[str, None]] = {FLOWS: {}, STRUCTURES: {}, CODELISTS: {}}
        self.path: list[str] = []
        self.components: dict[str, Dimension] = {}
        self.titles: dict[str, str | None] = {}
        self.description: str | None = None
        self.structures = 0
        self.waiting: Role | None = None  # a component without an id of its own: that of its concept will be it

    def begin(self, across: str) -> None:
        """Nothing in the header changes how structures are read."""

    def take(self, event: str, element: Element, tag: str) -> None:
        """Take the start or end of an element."""
        if event == "start":
            self._start(element, tag)
            self.path.append(tag)
            return
        if self.path:
            self.path.pop()
        if tag in {"Name", "Description"} and len(self.path) > 1:
            kind = NAMED.get((self.path[-1], self.path[-2]))
            if kind in {FLOWS, STRUCTURES}:
                self._words(element, tag, kind or "")

    def _start(self, element: Element, tag: str) -> None:
        name = short(element.get("id"))
        parent = self.path[-1] if self.path else ""
        kind = NAMED.get((tag, parent))
        if kind is not None and name and len(self.named[kind]) < LISTED:
            self.named[kind][name] = None
        self.structures += kind == STRUCTURES
        if self.structures != 1 or not {"DataStructure", "KeyFamily"} & set(self.path):
            return
        if tag in ROLES and parent in LISTS:
            self.waiting = ROLES[tag]
            self._component(name or short(element.get("conceptRef")))
        elif tag == "Ref" and parent == "ConceptIdentity":
            self._component(name)

    def _component(self, name: str | None) -> None:
        if name and self.waiting:
            self.components.setdefault(name, Dimension(name=name, role=self.waiting))
            self.waiting = None

    def _words(self, element: Element, tag: str, kind: str) -> None:
        """Keep the English name and description of the first flow and structure, or else the first in any language."""
        if len(self.named[kind]) > 1:
            return
        if tag == "Name":
            if self.titles.get(kind) is None or element.get(LANGUAGE) == ENGLISH:
                self.titles[kind] = clean(element.text)
        elif kind == FLOWS and (self.description is None or element.get(LANGUAGE) == ENGLISH):
            self.description = clean(element.text)

    def facts(self, about: About, note: str) -> Facts:
        """Return the description of the structures; `note` says that they are no data."""
        flows, structures, codelists = (tuple(self.named[kind]) for kind in (FLOWS, STRUCTURES, CODELISTS))
        notes = [note, *about.notes]
        if self.structures > 1:
            notes.append(SEVERAL)
        if not (flows or structures or codelists):
            notes.append(EMPTY)
        return Facts(
            format=about.format,
            kind="structure",
            title=self.titles.get(FLOWS) or self.titles.get(STRUCTURES) or clean(about.title),
            description=self.description,
            publisher=clean(about.publisher),
            modified=short(about.modified),
            conforms_to=about.conforms_to,
            dimensions=tuple(sorted(self.components.values(), key=lambda each: ORDER[each.role])),
            statistics=Statistics(
                message=about.message,
                series=0,
                dataflow=flows[0] if flows else None,
                dataflows=flows,
                data_structures=structures,
                codelists=codelists,
            ),
            notes=tuple(notes),
        )
