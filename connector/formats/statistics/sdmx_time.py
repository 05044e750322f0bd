"""Time periods of SDMX: from any of their forms to the first and the last instant they cover. Pure.

SDMX 2.1 section 6, 4.2: years, months, days, moments, reporting periods (2020-Q3), and ranges that are a start with a
duration. Older messages write half-years with B, and files hold ranges of two dates, too; both are understood.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from connector.formats.coordinates.periods import duration, span

_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})?")
_LENGTH: Final = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?"
    r"(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})(?:\.\d+)?S)?)?"
)
_HALF_YEAR: Final = re.compile(r"(\d{4})-?B([12])")
_FORMS: Final = {"A": "P1Y", "S": "P6M", "T": "P4M", "Q": "P3M", "M": "P1M", "W": "P7D", "D": "P1D"}
_REPORTED: Final = re.compile(r"\d{4}-?([ASTQMWD])\d{1,3}")
_WRITTEN: Final = (
    (re.compile(r"\d{4}"), "P1Y"),
    (re.compile(r"\d{4}-\d{2}"), "P1M"),
    (re.compile(r"\d{4}(-\d{2}){2}"), "P1D"),
)
LAST_MOMENT: Final = time(23, 59, 59, 999_999)


class Covered(NamedTuple):
    """The first and the last instant of a period, both in UTC without an offset; `days` when it is whole days."""

    first: datetime
    last: datetime
    days: bool

    @property
    def begin(self) -> str:
        """The first instant as `xsd:date` or `xsd:dateTime`."""
        return _written(self.first, days=self.days)

    @property
    def end(self) -> str:
        """The last instant, or the last day."""
        return _written(self.last, days=self.days)


def covered(text: str) -> Covered | None:
    """Return what a time period covers, None when it is none; a year, month or day is covered to its end."""
    plain = _HALF_YEAR.sub(r"\1-S\2", text.strip())
    start, slash, end = plain.partition("/")
    try:
        if not slash:
            return _moment(plain) if plain[10:11] == "T" else _days(plain)  # 2020-T1 is a third of a year
        return _range(start, end)
    except (ValueError, OverflowError):  # no such hour, or beyond the year 9999
        return None


def step(text: str) -> str | None:
    """Return the length of a period by its form (2020-Q3: P3M, 2020-08-01/P1M: P1M), None where that tells nothing."""
    plain = _HALF_YEAR.sub(r"\1-S\2", text.strip())
    if "/" in plain:
        length = plain.partition("/")[2]
        return length if _LENGTH.fullmatch(length) and length[-1] not in "PT" else None
    if found := _REPORTED.fullmatch(plain):
        return _FORMS[found[1]]
    return next((length for form, length in _WRITTEN if form.fullmatch(plain)), None)


def spacing(moments: set[str]) -> str | None:
    """Return the ISO 8601 duration between moments that follow each other evenly, None when they do not."""
    times = sorted(found.first for text in moments if (found := covered(text)))
    steps = {(later - sooner).total_seconds() for sooner, later in pairwise(times)}
    return duration(round(steps.pop())) if len(steps) == 1 else None


def _days(text: str) -> Covered | None:
    found = span(text)
    return None if found is None else _whole(found.first, found.last)


def _whole(first: date, last: date) -> Covered:
    return Covered(datetime.combine(first, time.min), datetime.combine(last, LAST_MOMENT), days=True)


def _moment(text: str) -> Covered | None:
    """Return a moment, which begins and ends with itself."""
    if not _MOMENT.fullmatch(text):
        return None
    midnight = text[11:19] == "24:00:00"  # the end of a day, as XML Schema writes it
    found = datetime.fromisoformat(text.replace("T24:", "T00:") if midnight else text) + timedelta(days=midnight)
    if found.tzinfo is not None:
        found = found.astimezone(UTC).replace(tzinfo=None)
    return Covered(found, found, days=False)


def _range(start: str, end: str) -> Covered | None:
    """Return what lies between a start and a duration or another date."""
    begin = covered(start)
    length = _LENGTH.fullmatch(end)
    if begin is None or "/" in end or end[-1:] in {"", "P", "T"}:  # P is a duration of nothing
        return None
    if length is None:
        until = covered(end)
        backwards = until is None or until.last < begin.first
        return None if until is None or backwards else Covered(begin.first, until.last, begin.days and until.days)
    after = _after(begin.first, [int(part or 0) for part in length.groups()])
    if begin.days and "T" not in end:
        return _whole(begin.first.date(), max(begin.first, after - timedelta(days=1)).date())
    return Covered(begin.first, after, days=False)


def _after(start: datetime, parts: list[int]) -> datetime:
    """Return the moment that lies years, months, weeks, days, hours, minutes and seconds after `start`."""
    years, months, weeks, days, hours, minutes, seconds = parts
    whole = start.month - 1 + months + 12 * years
    year, month = start.year + whole // 12, whole % 12 + 1
    last = span(f"{year:04}-{month:02}")
    if last is None:
        raise OverflowError(year)
    moved = start.replace(year=year, month=month, day=min(start.day, last.last.day))
    return moved + timedelta(days=days + 7 * weeks, hours=hours, minutes=minutes, seconds=seconds)


def _written(moment: datetime, *, days: bool) -> str:
    return moment.date().isoformat() if days else moment.isoformat()
