"""The readers of SDMX-ML data messages, one for each form that the standard has had. Runs in the child.

- `Generic` (2.0 and 2.1): keys and attributes are Value elements; nothing has to be inferred.
- `Specific` (2.1 and 3.0; Compact in 2.0): codes are XML attributes of series, groups and observations.
- `Utility` (2.0): keys are elements, attributes are XML attributes.
- `CrossSectional` (2.0): each measure is an element of its own within sections; time stands above them.
"""

from typing import Final

from connector.formats.containers.xmlstream import Element, local, namespace
from connector.formats.statistics.sdmx_model import TIME, TIMES, VALUE, Gathered, inferred_role

KEYS: Final = frozenset({"SeriesKey", "ObsKey", "GroupKey"})
OWN: Final = frozenset({"DataSet", "Annotations", "Annotation"})
# What the schemas themselves put on a data set without a namespace; all else there is an attribute of the data.
RESERVED: Final = frozenset(
    {
        *(
            "keyFamilyURI",
            "datasetID",
            "dataProviderSchemeAgencyId",
            "dataProviderID",
            "dataflowAgencyID",
            "dataflowID",
        ),
        *("action", "reportingBeginDate", "reportingEndDate", "validFromDate", "validToDate", "publicationYear"),
        *("publicationPeriod", "structureRef", "dataScope", "setID"),
    }
)
URN: Final = "urn:sdmx"
XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"


class Base:
    """What the readers share: the gathered facts and the dimension that observations run along."""

    def __init__(self, seen: Gathered) -> None:
        self.seen = seen
        self.across = TIME
        self.structure: str | None = None

    def begin(self, across: str) -> None:
        """Learn along which dimension the observations run."""
        self.across = across

    def _code(self, name: str, value: str, *, key: bool | None = None) -> None:
        """Note a code. `key`: whether it is part of a key, None when its name must tell."""
        if name in TIMES:
            self.seen.time(value, name)
        elif key is None:
            role = inferred_role(name)
            self.seen.note(name, role, value, inferred=role == "dimension")
        else:
            self.seen.note(name, "dimension" if key else "attribute", value)

    def _data_set(self, element: Element) -> None:
        """Take the attributes of the data set, and what its namespace or they say of the structure."""
        if namespace(element).startswith(URN):
            self.structure = self.structure or namespace(element)
        for name, value in element.attrib.items():
            plain = str(name)
            if not plain.startswith("{") and plain not in RESERVED:
                self._code(plain, str(value))


class Generic(Base):
    """Generic data: the key of a series, a group or an observation, and attributes, as Value elements."""

    def __init__(self, seen: Gathered) -> None:
        super().__init__(seen)
        self.inside = ""
        self.value: str | None = None
        self.series: list[str] = []
        self.flat: list[str] = []

    def take(self, event: str, element: Element, tag: str) -> None:
        """Take the start or end of an element."""
        if event == "start":
            if tag in KEYS or tag == "Attributes":
                self.inside = tag
            elif tag == "Obs":
                self.value = None
                self.flat = []
            elif tag == "Series":
                self.series = []
        elif tag == "Value" and self.inside:
            self._value(element.get("id") or element.get("concept") or "", element.get("value", ""))
        elif tag == self.inside:
            self.inside = ""
        elif tag == "Series":
            self.seen.series += 1
        else:
            self._observation(element, tag)

    def _observation(self, element: Element, tag: str) -> None:
        if tag == "ObsDimension":
            name = element.get("id") or self.across
            self._code(name, element.get("value", ""), key=True)
            if name not in TIMES:
                self.flat.append(element.get("value", ""))
        elif tag == "Time":
            self._code(TIME, (element.text or "").strip(), key=True)
        elif tag == "ObsValue":
            self.value = element.get("value", "")
        elif tag == "Obs":
            self.seen.observation(self.value if self.value is not None else "")
            if self.flat:
                self.seen.key((*self.series, *self.flat))
        elif tag == "KeyFamilyRef":
            self.structure = self.structure or element.text

    def _value(self, name: str, value: str) -> None:
        if not name or (name == VALUE and self.inside != "Attributes"):
            return
        if self.inside == "Attributes":
            self.seen.note(name, "attribute", value)
            return
        self._code(name, value, key=True)
        if name not in TIMES and self.inside != "GroupKey":
            (self.flat if self.inside == "ObsKey" else self.series).append(value)


class Specific(Base):
    """Structure-specific and compact data: codes are XML attributes; which of them are keys is inferred."""

    def __init__(self, seen: Gathered) -> None:
        super().__init__(seen)
        self.depth = 0
        self.in_series = False
        self.series: tuple[str, ...] = ()
        self.component = ""

    def take(self, event: str, element: Element, tag: str) -> None:
        """Take the start or end of an element."""
        if event == "end":
            self._end(element, tag)
            return
        if tag == "DataSet":
            self._data_set(element)
        elif tag == "Series":
            self.seen.series += 1
            self.in_series = True
            self.series = tuple(self._codes(element))
        elif tag == "Obs":
            self._observation(element)
        elif tag == "Comp":
            self.component = element.get("id", "")
        elif tag == "Atts" or self._is_group(element):
            self._codes(element)

    def _end(self, element: Element, tag: str) -> None:
        if tag == "Series":
            self.in_series = False
        elif tag == "Value" and self.component:
            self.seen.note(self.component, "attribute", (element.text or "").strip())
        elif tag == "Comp":
            self.component = ""

    @staticmethod
    def _is_group(element: Element) -> bool:
        """Whether it is a group: in version 2.0 those carry the name that the structure gives them."""
        parent = element.getparent()
        return local(element) not in OWN and parent is not None and local(parent) == "DataSet"

    def _codes(self, element: Element) -> list[str]:
        """Note the codes on a series or group; returns those that seem to be part of its key, but for time."""
        key = []
        for name, value in element.attrib.items():
            plain = str(name)
            if plain.startswith("{") or plain == VALUE:
                continue
            self._code(plain, str(value))
            if inferred_role(plain) == "dimension":
                key.append(str(value))
        return key

    def _observation(self, element: Element) -> None:
        value = element.get(VALUE)
        self.seen.observation(value)
        key = []
        for name, code in element.attrib.items():
            plain, text = str(name), str(code)
            if plain.startswith("{") or plain == VALUE:
                continue
            if self.in_series and plain != self.across and plain not in TIMES:
                # Along its own dimension an observation has one key; whatever else stands there is attached to it.
                self.seen.note(plain, "attribute", text)
                continue
            self._code(plain, text)
            if inferred_role(plain) == "dimension":
                key.append(text)
        measure = element.get(XSI_TYPE)
        if measure and self.across not in TIMES and self.across not in element.attrib:
            # A measure for each code of a dimension: the type of the observation names the code.
            key.append(measure.rpartition(":")[2])
            self.seen.note(self.across, "dimension", key[-1])
        if not self.in_series or self.across not in TIMES:
            self.seen.key((*(self.series if self.in_series else ()), *key))


class Utility(Base):
    """Utility data of version 2.0: the key of a series and time and value of an observation are elements."""

    def take(self, event: str, element: Element, tag: str) -> None:
        """Take the start or end of an element."""
        parent = element.getparent()
        within = "" if parent is None else local(parent)
        if event == "start":
            if tag == "DataSet":
                self._data_set(element)
            else:
                self._attached(element)
            return
        text = (element.text or "").strip()
        if within == "Key":
            self._code(tag, text, key=True)
        elif within == "Obs" and tag in TIMES:
            self.seen.time(text, tag)
        elif within == "Obs":
            self.seen.observation(text, tag)
        elif tag == "Series":
            self.seen.series += 1

    def _attached(self, element: Element) -> None:
        for name, value in element.attrib.items():
            if not str(name).startswith("{"):
                self.seen.note(str(name), "attribute", str(value))


class CrossSectional(Base):
    """Cross-sectional data of version 2.0: within a section each element is an observation, called by its measure."""

    def __init__(self, seen: Gathered) -> None:
        super().__init__(seen)
        self.above: dict[str, list[str]] = {}

    def take(self, event: str, element: Element, tag: str) -> None:
        """Take the start of an element; its end only closes what stands above."""
        if event == "end":
            self.above.pop(tag, None)
            return
        parent = element.getparent()
        if tag == "DataSet":
            self._data_set(element)
        elif tag in {"Group", "Section"}:
            self.above[tag] = self._codes(element)
        elif parent is not None and local(parent) == "Section" and tag not in OWN:
            self.seen.observation(element.get("value", ""), tag)
            own = self._codes(element)
            self.seen.key((tag, *(code for part in self.above.values() for code in part), *own))

    def _codes(self, element: Element) -> list[str]:
        """Note the codes on an element; returns those that seem to be part of a key, but for time."""
        key = []
        for name, value in element.attrib.items():
            plain = str(name)
            if plain.startswith("{") or plain == "value":
                continue
            self._code(plain, str(value))
            if inferred_role(plain) == "dimension":
                key.append(str(value))
        return key


Form = type[Generic] | type[Specific] | type[Utility] | type[CrossSectional]


class AnyOf(Base):
    """A group of messages of version 2.0: the namespace of the first data set says which form all of them have."""

    def __init__(self, seen: Gathered) -> None:
        super().__init__(seen)
        self.chosen: Generic | Specific | Utility | CrossSectional | None = None

    def take(self, event: str, element: Element, tag: str) -> None:
        """Pass what is taken on to the reader of the form."""
        if self.chosen is None and tag == "DataSet":
            form = namespace(element).lower()
            kinds: dict[str, Form] = {"generic": Generic, "utility": Utility, "cross": CrossSectional}
            kind: Form = next((each for word, each in kinds.items() if word in form), Specific)
            self.chosen = kind(self.seen)
            self.chosen.begin(self.across)
        if self.chosen is not None:
            self.chosen.take(event, element, tag)
            self.structure = self.chosen.structure


__all__ = ["AnyOf", "CrossSectional", "Generic", "Specific", "Utility"]
