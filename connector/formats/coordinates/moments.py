"""Times written as text in the columns of tables: what may be read from them, and what may not.

A day written 03/04/2020 is the third of April for one half of the world; unless a value of the column says which it
is, the period stays open. Numbers that count from somewhere (days, seconds, serial dates) are not guessed either.
"""

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from connector.formats.coordinates.periods import spacing
from connector.formats.description import Period, short

Precision = Literal["year", "month", "day", "time"]

KEPT: Final = 200_000
FEW: Final = 3  # distances need as many time stamps before they can be called regular
WRONG: Final = 0.1  # share of values that may be no times
MISSING: Final = frozenset({"", "na", "n/a", "nan", "nat", "null", "none", "-", "--", "?"})
CLOCK: Final = r"(?:[T ]\s*(?P<clock>\d{1,2}:?\d\d(?::?\d\d(?:[.,]\d+)?)?)\s*(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?)?)?"
DASHED: Final = re.compile(r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?:(?P=s)(?P<d>\d{1,2})" + CLOCK + ")?")
DOTTED: Final = re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})" + CLOCK)
SLASHED: Final = re.compile(r"(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>\d{4})" + CLOCK)
# Seconds since 1970 have ten digits, too: years that they could begin with are not taken for one.
COMPACT: Final = re.compile(
    r"(?P<y>(?:18[5-9]|19\d|2[01]\d)\d)(?P<m>\d\d)(?P<d>\d\d)(?:T?(?P<clock>\d\d(?:\d\d){0,2})(?P<zone>Z)?)?"
)
YEAR: Final = re.compile(r"(?P<y>[12]\d{3})")
TIME_OF_DAY: Final = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?\s*(?:Z|UTC|[+-]\d\d(?::?\d\d)?)?")
AMBIGUOUS: Final = (
    "The days in column {!r} may be read as day/month or as month/day: state by hand what time the data are about."
)


class Moment(NamedTuple):
    """A time and how exactly it is given; in UTC where it is exact enough for a zone to matter."""

    begin: datetime
    precision: Precision

    def written(self) -> str:
        """Return it as ISO 8601, as exactly as it was given and without a zone."""
        if self.precision == "time":
            return self.begin.isoformat(timespec="milliseconds").removesuffix(".000")
        return self.begin.date().isoformat()[: {"year": 4, "month": 7, "day": 10}[self.precision]]

    def first(self) -> str:
        """Return when it begins, as `xsd:date` or `xsd:dateTime`."""
        return self.written() if self.precision == "time" else self.begin.date().isoformat()

    def last(self) -> str:
        """Return when it ends, as `xsd:date` or `xsd:dateTime`."""
        if self.precision == "time":
            return self.written()
        year, month, day = self.begin.year, self.begin.month, self.begin.day
        if self.precision == "year":
            month, day = 12, 31
        elif self.precision == "month":
            day = monthrange(year, month)[1]
        return date(year, month, day).isoformat()


class Moments:
    """The times of one column, in memory that does not grow with their number."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._before: frozenset[str] = frozenset()
        self._seen: set[Moment] = set()
        self._slashed: set[tuple[int, int, int, str, str]] = set()
        self._outer: tuple[Moment, Moment] | None = None
        self._parsed = self._wrong = 0
        self._example = ""
        self._zoneless = False
        self._whole = True

    def add(self, texts: Iterable[str]) -> None:
        """Take in values as they are written."""
        batch = frozenset(texts)
        for text in batch - self._before:
            self._text(text.strip())
        self._before = batch

    def take(self, moment: Moment) -> None:
        """Take in a time."""
        self._parsed += 1
        if len(self._seen) <= KEPT:
            self._seen.add(moment)
        low, high = self._outer or (moment, moment)
        self._outer = min(low, moment), max(high, moment)

    def outer_only(self) -> None:
        """Say that what was taken are the outer times only: how many there are and their distance is not known."""
        self._whole = False

    def _text(self, text: str) -> None:
        if text.lower() in MISSING:
            return
        try:
            if found := SLASHED.fullmatch(text):
                if len(self._slashed) <= KEPT:
                    clock, zone = found["clock"] or "", found["zone"] or ""
                    self._slashed.add((int(found["a"]), int(found["b"]), int(found["y"]), clock, zone))
                return
            moment, zoned = _parsed(text)
        except (ValueError, OverflowError):  # the last hour of the year 9999
            self._wrong += 1
            self._example = self._example or text
            return
        self._zoneless = self._zoneless or (moment.precision == "time" and not zoned)
        self.take(moment)

    def _settle(self) -> bool:
        """Read the days written with slashes, when their order is certain; False when it is not."""
        if not self._slashed:
            return True
        day_first = any(one > 12 for one, *_ in self._slashed)  # noqa: PLR2004 - months in a year
        month_first = any(two > 12 for _, two, *_ in self._slashed)  # noqa: PLR2004
        if day_first == month_first or len(self._slashed) > KEPT:
            return False
        for one, two, year, clock, zone in self._slashed:
            day, month = (one, two) if day_first else (two, one)
            try:
                self.take(_moment(year, month, day, clock, zone))
            except (ValueError, OverflowError):
                self._wrong += 1
        self._slashed.clear()
        return True

    def period(self) -> Period | None:
        """Return the time from the first to the last value, None when it is not certain."""
        if not self._settle() or self._outer is None or self._wrong > WRONG * (self._parsed + self._wrong):
            return None
        first, last = self._outer
        return Period(
            begin=first.first(),
            end=last.last(),
            first=first.written(),
            last=last.written(),
            count=len(self._seen) if self._whole and len(self._seen) <= KEPT else None,
            variable=short(self.name),
        )

    def spacing(self) -> str | None:
        """Return the regular distance of the times as ISO 8601, None when there is none or too few to tell."""
        if not self._settle() or not self._whole or not FEW <= len(self._seen) <= KEPT:
            return None
        ordered = sorted({each.begin for each in self._seen})
        return spacing([(two - one).total_seconds() for one, two in pairwise(ordered)])

    def notes(self) -> list[str]:
        """Return what the provider should know."""
        said = []
        if not self._settle():
            said.append(AMBIGUOUS.format(short(self.name)))
        if self._wrong:
            example = short(self._example)
            said.append(f"{self._wrong} different values in column {short(self.name)!r} are no times, as {example!r}.")
        if self._zoneless:
            said.append(f"The times in column {short(self.name)!r} name no time zone; they were taken as UTC.")
        return said


def _parsed(text: str) -> tuple[Moment, bool]:
    """Return the time that a text means, and whether it names its zone.

    Raises:
        ValueError: it means none, or there is no such day.
    """
    if found := YEAR.fullmatch(text):
        return Moment(datetime(int(found["y"]), 1, 1, tzinfo=UTC).replace(tzinfo=None), "year"), False
    found = DASHED.fullmatch(text) or DOTTED.fullmatch(text) or COMPACT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day = found["d"]
    moment = _moment(int(found["y"]), int(found["m"]), int(day) if day else None, found["clock"], found["zone"])
    return moment, found["zone"] is not None


def _moment(year: int, month: int, day: int | None, clock: str | None, zone: str | None) -> Moment:
    if not clock:
        start = datetime(year, month, day or 1, tzinfo=UTC).replace(tzinfo=None)
        return Moment(start, "day" if day else "month")
    main, _, fraction = clock.replace(",", ".").partition(".")
    digits = main.replace(":", "")
    digits = digits if len(digits) % 2 == 0 else f"0{digits}"  # 9:30
    hour, minute, second = int(digits[:2]), int(digits[2:4] or 0), int(digits[4:6] or 0)
    days, hour = (1, 0) if (hour, minute, second) == (24, 0, 0) else (0, hour)
    moment = datetime(year, month, day or 1, hour, minute, second, tzinfo=_zone(zone)) + timedelta(days=days)
    moment += timedelta(seconds=float(f"0.{fraction}" if fraction else 0))
    return Moment(moment.astimezone(UTC).replace(tzinfo=None), "time")


def _zone(text: str | None) -> timezone:
    if text in {None, "", "Z", "UTC"}:
        return UTC
    digits = str(text)[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if str(text)[0] == "-" else offset)
