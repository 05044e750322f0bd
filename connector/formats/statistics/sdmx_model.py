"""What all SDMX messages have in common: gathering components, series, observations and periods as they stream by.

Without the data structure definition a message does not say which of its columns are dimensions. Where the form of the
message tells (a generic key, an attribute at an observation) that is taken; else it is inferred and said to be.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from connector.formats.coordinates.periods import FREQUENCIES
from connector.formats.description import Dimension, Facts, Period, Statistics, Variable, clean, short
from connector.formats.statistics.sdmx_time import Covered, covered, spacing, step

Role = Literal["dimension", "time", "attribute", "measure"]

TIME: Final = "TIME_PERIOD"
TIMES: Final = frozenset({TIME, "TIME"})  # the second one in messages of version 2.0
VALUE: Final = "OBS_VALUE"
FREQUENCY: Final = "FREQ"
HOURLY_OR_HALF_YEARLY: Final = "H"  # the newer code list and the older one
TIME_FORMAT: Final = "TIME_FORMAT"
UNITS: Final = ("UNIT_MEASURE", "UNIT")
POWER: Final = "UNIT_MULT"
YEAR_START: Final = "REPORTING_YEAR_START_DAY"
FIRST_DAY: Final = "--01-01"
MISSING: Final = frozenset({"", "NaN"})
VALUES_KEPT: Final = 200
TIMES_KEPT: Final = 200_000
MOMENTS_KEPT: Final = 10_000
SERIES_KEPT: Final = 200_000
COMPONENTS: Final = 500
INFERRED: Final = (
    "The message does not say which of its components are dimensions: they were inferred from its form and from the "
    "names that SDMX gives to attributes. Check them against the data structure definition."
)
NO_VALUES: Final = (
    "No component is called OBS_VALUE: which ones are measures is for the data structure definition to say."
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
        YEAR_START,
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

    @property
    def only(self) -> str | None:
        """The one code of the whole message, None when there are several or none."""
        return next(iter(self.values)) if len(self.values) == 1 else None

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
    valued: bool = False
    components: dict[str, Component] = field(default_factory=dict)
    measures: dict[str, None] = field(default_factory=dict)
    first: tuple[Covered, str] | None = None
    last: tuple[Covered, str] | None = None
    times: set[str] = field(default_factory=set)
    moments: set[str] = field(default_factory=set)
    steps: set[str | None] = field(default_factory=set)
    keys: set[int] = field(default_factory=set)
    odd_time: str | None = None

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

    def observation(self, value: str | None, measure: str = VALUE) -> None:
        """Note an observation; its value counts as missing when it is empty or not a number."""
        self.observations += 1
        self.missing += value is None or value.strip() in MISSING
        self.valued = self.valued or value is not None
        if len(self.measures) < COMPONENTS:
            self.measures.setdefault(measure)

    def key(self, codes: tuple[str, ...]) -> None:
        """Note the key of an observation without its time; distinct keys are the series of a flat message."""
        if len(self.keys) <= SERIES_KEPT:
            self.keys.add(hash(codes))

    def time(self, text: str, name: str = TIME) -> None:
        """Note a time period."""
        if text in self.times:
            return
        self.component(name, "time")
        found = covered(text)
        if found is None:
            self.odd_time = self.odd_time or text
            return
        if len(self.times) <= TIMES_KEPT:
            self.times.add(text)
        if found.first == found.last and len(self.moments) <= MOMENTS_KEPT:
            self.moments.add(text)
        self.steps.add(step(text))
        if self.first is None or found.first < self.first[0].first:
            self.first = found, text
        if self.last is None or found.last > self.last[0].last:
            self.last = found, text

    def period(self) -> Period | None:
        """Return the time from the start of the first to the end of the last period."""
        if self.first is None or self.last is None:
            return None
        return Period(
            begin=self.first[0].begin,
            end=self.last[0].end,
            first=short(self.first[1]) or "",
            last=short(self.last[1]) or "",
            covers=(self.first[0].begin, self.last[0].end),
            count=len(self.times) if len(self.times) <= TIMES_KEPT else None,
            variable=next((each.name for each in self.components.values() if each.role == "time"), TIME),
        )

    def dimensions(self) -> tuple[Dimension, ...]:
        """Return the components, dimensions first, then time, then the others, each in the order of the file."""
        order = {"dimension": 0, "time": 1, "measure": 2, "attribute": 3}
        ranked = sorted(self.components.values(), key=lambda each: order[each.role])
        return tuple(each.described() for each in ranked)

    def series_count(self) -> int | None:
        """Return the number of series: the elements of that name, else the distinct keys; None when too many."""
        if not self.keys:
            return self.series
        return len(self.keys) if len(self.keys) <= SERIES_KEPT else None

    def only(self, name: str) -> str | None:
        """Return the one code of the component of that name, however its case; None when there are several or none."""
        return next((each.only for each in self.components.values() if each.name.upper() == name), None)

    def spacing(self) -> str | None:
        """Return the one frequency of the data as ISO 8601, None when there are several or none.

        The frequency is that of the FREQ code, else of TIME_FORMAT, else the length of the periods by their form.
        """
        names = {each.name.upper() for each in self.components.values()}
        if FREQUENCY in names:
            code = self.only(FREQUENCY)
            if code != HOURLY_OR_HALF_YEARLY:
                return FREQUENCIES.get(code or "")
        elif TIME_FORMAT in names and (written := self.only(TIME_FORMAT) or "").startswith("P"):
            return written
        if self.moments:
            return spacing(self.moments) if len(self.moments) <= MOMENTS_KEPT else None
        return next(iter(self.steps)) if len(self.steps) == 1 else None

    def variables(self) -> tuple[Variable, ...]:
        """Return the measures with their unit, where it is one and the same for all observations."""
        unit = next((found for name in UNITS if (found := self.only(name))), None)
        power = self.only(POWER)
        if unit and power and power.strip("0"):
            unit = f"10^{power} {unit}"
        return tuple(Variable(name=text, unit=short(unit)) for name in self.measures if (text := short(name)))

    def notes(self) -> list[str]:
        """Return what the provider should know."""
        found = []
        if any(each.inferred for each in self.components.values()):
            found.append(INFERRED)
        if self.odd_time is not None:
            found.append(
                f"Some time periods cannot be read, for instance {short(self.odd_time)!r}; they were left out."
            )
        if self.observations and self.first is None and self.odd_time is None:
            found.append("The message names no time: state the period by hand.")
        if (self.only(YEAR_START) or FIRST_DAY) != FIRST_DAY:
            found.append(
                f"The reporting years begin on {short(self.only(YEAR_START))}; the period was taken as if they began "
                "on 1 January."
            )
        if self.observations and not self.valued:
            found.append(NO_VALUES)
        elif self.missing:
            found.append(f"{self.missing} of {self.observations} observations have no value.")
        return found


@dataclass(slots=True)
class About:
    """What a message says of itself, whatever it is written in."""

    format: str
    conforms_to: str
    message: str
    title: str | None = None
    publisher: str | None = None
    modified: str | None = None
    identifier: str | None = None
    dataflow: str | None = None
    dataflows: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def data_facts(seen: Gathered, about: About) -> Facts:
    """Return the facts of a data message."""
    return Facts(
        format=about.format,
        title=clean(about.title),
        publisher=clean(about.publisher),
        modified=short(about.modified),
        identifier=short(about.identifier),
        conforms_to=about.conforms_to,
        period=seen.period(),
        temporal_resolution=short(seen.spacing()),
        rows=seen.observations,
        variables=seen.variables(),
        dimensions=seen.dimensions(),
        statistics=Statistics(
            message=about.message,
            dataflow=short(about.dataflow),
            series=seen.series_count(),
            observations=seen.observations,
            dataflows=about.dataflows,
        ),
        notes=(*about.notes, *seen.notes()),
    )


def inferred_role(name: str) -> Role:
    """Return the likely role of a component that a message does not explain."""
    if name in TIMES:
        return "time"
    if name == VALUE:
        return "measure"
    return "attribute" if name in ATTRIBUTES else "dimension"
