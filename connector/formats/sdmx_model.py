"""What SDMX-ML and SDMX-CSV have in common: gathering components, series, observations and periods as they stream by.

Without the data structure definition a message does not say which of its columns are dimensions. Where the form of the
message tells (a generic key, an attribute at an observation) that is taken; else it is inferred and said to be.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from connector.formats.description import Dimension, Period, short
from connector.formats.periods import FREQUENCIES, Span, span

Role = Literal["dimension", "time", "attribute", "measure"]

TIME: Final = "TIME_PERIOD"
VALUE: Final = "OBS_VALUE"
FREQUENCY: Final = "FREQ"
VALUES_KEPT: Final = 200
TIMES_KEPT: Final = 200_000
COMPONENTS: Final = 500
INFERRED: Final = (
    "The message does not say which of its components are dimensions: they were inferred from its form and from the "
    "names that SDMX gives to attributes. Check them against the data structure definition."
)
# Concepts of the SDMX cross-domain list that data structures attach as attributes, not as dimensions.
ATTRIBUTES: Final = frozenset(
    {
        "OBS_STATUS",
        "OBS_FLAG",
        "OBS_CONF",
        "CONF_STATUS",
        "OBS_PRE_BREAK",
        "OBS_COM",
        "COMMENT_OBS",
        "COMMENT_TS",
        "DECIMALS",
        "UNIT_MULT",
        "UNIT_MEASURE",
        "TITLE",
        "TITLE_COMPL",
        "COLL_METHOD",
        "COLLECTION",
        "COMPILATION",
        "COVERAGE",
        "SOURCE_AGENCY",
        "TIME_FORMAT",
        "PRE_BREAK_VALUE",
        "EMBARGO_TIME",
        "LAST_UPDATE",
        "CONTACT",
        "UNIT",
        "BREAKS",
        "AVAILABILITY",
        "DOM_SER_IDS",
        "PUBL_PUBLIC",
        "PUBL_ECB",
        "PUBL_MU",
    }
)


@dataclass(slots=True)
class Component:
    """One column of the data and the distinct codes met in it (up to 200, then only counted as many)."""

    name: str
    role: Role
    inferred: bool = False
    values: dict[str, None] = field(default_factory=dict)
    more: bool = False

    def add(self, value: str) -> None:
        """Note a code."""
        if value in self.values or self.more:
            return
        if len(self.values) >= VALUES_KEPT:
            self.more = True
            return
        self.values[value] = None

    def described(self) -> Dimension:
        """Return the component; without a size when there are more codes than are kept."""
        codes = (text for value in sorted(self.values) if (text := short(value)))
        return Dimension(
            name=short(self.name) or "unnamed",
            role=self.role,
            size=None if self.more or not self.values else len(self.values),
            values=tuple(dict.fromkeys(codes)),
            inferred=self.inferred,
        )


@dataclass(slots=True)
class Gathered:
    """What has streamed by so far."""

    series: int = 0
    observations: int = 0
    missing: int = 0
    components: dict[str, Component] = field(default_factory=dict)
    first: tuple[Span, str] | None = None
    last: tuple[Span, str] | None = None
    times: set[str] = field(default_factory=set)
    odd_time: str | None = None
    _seen_time: str | None = None

    def component(self, name: str, role: Role, *, inferred: bool = False) -> Component | None:
        """Return the component called `name`, entered now when it is new; None beyond 500 of them."""
        found = self.components.get(name)
        if found is None and len(self.components) < COMPONENTS:
            found = self.components[name] = Component(name, role, inferred)
        return found

    def note(self, name: str, role: Role, value: str, *, inferred: bool = False) -> None:
        """Note a code of a component."""
        found = self.component(name, role, inferred=inferred)
        if found is not None:
            found.add(value)

    def time(self, text: str, name: str = TIME) -> None:
        """Note a time period."""
        if text == self._seen_time:
            return
        self._seen_time = text
        self.component(name, "time")
        days = span(text)
        if days is None:
            self.odd_time = self.odd_time or text
            return
        if len(self.times) <= TIMES_KEPT:
            self.times.add(text)
        if self.first is None or days.first < self.first[0].first:
            self.first = days, text
        if self.last is None or days.last > self.last[0].last:
            self.last = days, text

    def period(self) -> Period | None:
        """Return the days from the start of the first to the end of the last period."""
        if self.first is None or self.last is None:
            return None
        return Period(
            begin=self.first[0].first.isoformat(),
            end=self.last[0].last.isoformat(),
            first=short(self.first[1]) or "",
            last=short(self.last[1]) or "",
            count=len(self.times) if len(self.times) <= TIMES_KEPT else None,
            variable=next((each.name for each in self.components.values() if each.role == "time"), TIME),
        )

    def dimensions(self) -> tuple[Dimension, ...]:
        """Return the components, dimensions first, then time, then the others, each in the order of the file."""
        order = {"dimension": 0, "time": 1, "measure": 2, "attribute": 3}
        ranked = sorted(self.components.values(), key=lambda each: order[each.role])
        return tuple(each.described() for each in ranked)

    def spacing(self) -> str | None:
        """Return the one frequency of the data as ISO 8601, None when there are several or none."""
        codes = next((set(each.values) for each in self.components.values() if each.name.upper() == FREQUENCY), set())
        return FREQUENCIES.get(codes.pop()) if len(codes) == 1 else None

    def notes(self) -> list[str]:
        """Return what the provider should know."""
        found = []
        if any(each.inferred for each in self.components.values()):
            found.append(INFERRED)
        if self.odd_time is not None:
            found.append(
                f"Some time periods cannot be read, for instance {short(self.odd_time)!r}; they were left out."
            )
        if self.missing:
            found.append(f"{self.missing} of {self.observations} observations have no value.")
        return found


def inferred_role(name: str) -> Role:
    """Return the likely role of a component that a message does not explain."""
    if name == TIME:
        return "time"
    if name == VALUE:
        return "measure"
    return "attribute" if name in ATTRIBUTES else "dimension"
