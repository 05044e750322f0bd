"""Time text: SDMX periods to days, spacing to ISO 8601 durations. Pure; no library beyond the standard one."""

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

DAY: Final = 86_400.0
SAME: Final = 0.01  # relative: steps that differ by less are the same step
MONTH_DAYS: Final = (27.9, 31.1)
YEAR_DAYS: Final = (359.9, 366.1)

_MONTHS: Final = {"A": 12, "S": 6, "T": 4, "Q": 3, "M": 1}  # months in a reporting period, SDMX 2.1 section 4.2.6
_REPORTING: Final = re.compile(r"(\d{4})-?([ASTQM])(\d{1,2})")
_WEEK: Final = re.compile(r"(\d{4})-?W(\d{1,2})")
_DAY_OF_YEAR: Final = re.compile(r"(\d{4})-?D(\d{1,3})")
_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2})?)?)?)?Z?")
_DURATION: Final = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T[\dHMS.]+)?")
# H is hourly in the newer code list and half-yearly in the older one, B (business days) is not regular: left out.
FREQUENCIES: Final = {
    "A": "P1Y",
    "S": "P6M",
    "T": "P4M",
    "Q": "P3M",
    "M": "P1M",
    "W": "P7D",
    "D": "P1D",
}


class Span(NamedTuple):
    """The first and the last day of a period, both within it."""

    first: date
    last: date


def span(text: str) -> Span | None:
    """Return the days of an SDMX time period (2020, 2020-Q3, 2020-W05, 2020-08-01/P1M, ...), None when it is none.

    Reporting periods are taken to begin on 1 January, as SDMX does without a reporting year start day.
    """
    try:
        start, slash, end = text.partition("/")
        return _range(start, end) if slash else _single(text)
    except (ValueError, OverflowError):  # a month 13, a day 30 February, a year 0
        return None


def _single(text: str) -> Span | None:
    """Return the days of a period that is not a range.

    Raises:
        ValueError: it is written as a period but there is no such day, week or month.
    """
    if found := _REPORTING.fullmatch(text):
        return _reporting(int(found[1]), _MONTHS[found[2]], int(found[3]))
    if found := _WEEK.fullmatch(text):
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        return Span(monday, monday + timedelta(days=6))
    if found := _DAY_OF_YEAR.fullmatch(text):
        day = date(int(found[1]), 1, 1) + timedelta(days=int(found[2]) - 1)
        return Span(day, day) if day.year == int(found[1]) else None
    if found := _DATE.fullmatch(text):
        return _calendar(*(None if part is None else int(part) for part in found.groups()))
    return None


def _reporting(year: int, months: int, number: int) -> Span:
    # A number too small or too large leads to a month that is none: `date` refuses it.
    last = number * months
    return Span(date(year, last - months + 1, 1), date(year, last, monthrange(year, last)[1]))


def _calendar(year: int | None, month: int | None, day: int | None) -> Span | None:
    if year is None:
        return None
    if month is None:
        return Span(date(year, 1, 1), date(year, 12, 31))
    if day is None:
        return Span(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
    return Span(date(year, month, day), date(year, month, day))


def _range(start: str, end: str) -> Span | None:
    """A start with a duration, or two dates (the standard allows the first form, files hold both)."""
    begin = span(start)
    if begin is None:
        return None
    found = _DURATION.fullmatch(end)
    if found is None:
        until = span(end)
        return None if until is None or until.last < begin.first else Span(begin.first, until.last)
    years, months, weeks, days = (int(part or 0) for part in found.groups())
    month = begin.first.month - 1 + months + 12 * years
    year, month = begin.first.year + month // 12, month % 12 + 1
    after = date(year, month, min(begin.first.day, monthrange(year, month)[1]))
    after += timedelta(days=days + 7 * weeks)
    return Span(begin.first, max(begin.first, after - timedelta(days=1)))


def spacing(seconds: Sequence[float]) -> str | None:
    """Return the ISO 8601 duration of a regular spacing (P1D, PT6H, P1M, P1Y), None when it is not regular."""
    if not seconds or min(seconds) <= 0:
        return None
    low, high = min(seconds), max(seconds)
    if MONTH_DAYS[0] <= low / DAY and high / DAY <= MONTH_DAYS[1]:
        return "P1M"
    if YEAR_DAYS[0] <= low / DAY and high / DAY <= YEAR_DAYS[1]:
        return "P1Y"
    middle = sorted(seconds)[len(seconds) // 2]
    if high - low > SAME * middle:
        return None
    return duration(round(middle))


def duration(seconds: int) -> str | None:
    """Return whole days, hours, minutes or seconds as ISO 8601, the largest unit that fits; None for none."""
    if seconds <= 0:
        return None
    for size, form in ((86_400, "P{}D"), (3_600, "PT{}H"), (60, "PT{}M")):
        if seconds % size == 0:
            return form.format(seconds // size)
    return f"PT{seconds}S"
