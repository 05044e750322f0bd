"""When the values of a CF file hold: time coordinates, their bounds, and calendars other than ours.

The coordinates decide. Monthly means are stamped mid-month, so bounds widen the period where the file has them. RDF
knows one calendar, the proleptic Gregorian one: what has no date in it (30 February) is clamped to the last day of
the month, and what is no year of our era (climatologies in year 0 or 1) gets no period at all.
"""

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal

import cftime
import numpy as np

from connector.formats.coordinates.extent import Floats
from connector.formats.coordinates.periods import spacing
from connector.formats.description import Period, short

SINCE: Final = re.compile(r"\s*(\w+)\s+since\s+\S", re.IGNORECASE)
NANOSECONDS: Final = re.compile(r"\s*(nanoseconds?|nsecs?|ns)(?=\s+since\s)", re.IGNORECASE)
SHORT_ZONE: Final = re.compile(r"(?<=\s)([+-])(\d)(:\d{2})?\s*$")  # CF's own example is `... 15:15:42.5 -6:00`
AS_DATES: Final = re.compile(r"\s*days?\s+as\s+%Y%m%d\.%f\s*", re.IGNORECASE)  # the absolute times of climate tools
NOT_THE_TIME: Final = frozenset({"forecast_reference_time", "forecast_period"})
AVERAGED: Final = r"\b(time|{name})\s*:\s*(mean|sum|minimum|maximum|mid_range|variance|standard_deviation|mode|median)"
WRITTEN: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T_ ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)Z?)?")
WRITTEN_LENGTH: Final = 32
REFORM: Final = (1582, 10, 15)
ROUNDING: Final = 1e-6  # relative: bounds and stamps may be of different precision
MOST_DATES: Final = 10_000
FIRST_YEAR: Final = 2  # years 0 and 1 stand for "any year" in climatologies
CALENDARS: Final = {"gregorian": "standard", "none": "standard", "": "standard"}


class TimeAxis:
    """A time coordinate that can be decoded."""

    def __init__(self, name: str, units: str, calendar: str, values: Floats, bounds: Floats | None) -> None:
        self.name = name
        self.units = SHORT_ZONE.sub(r"\g<1>0\2\3", units)  # cftime passes over a zone of one digit
        self.written = calendar
        self.calendar = CALENDARS.get(calendar.lower(), calendar.lower())
        self.values = values
        self.bounds = bounds
        if NANOSECONDS.match(units):  # finer than the calendars count
            self.units = NANOSECONDS.sub("microseconds", self.units)
            self.values = values / 1000.0
            self.bounds = None if bounds is None else bounds / 1000.0

    def decode(self, value: float) -> cftime.datetime:
        """Return the date of one number, rounded to milliseconds.

        Raises:
            ValueError: the units, the calendar or the number make no date.
        """
        if AS_DATES.fullmatch(self.units):
            day, part = divmod(value, 1.0)
            found = cftime.datetime(
                int(day) // 10_000, int(day) // 100 % 100, int(day) % 100, calendar=self.calendar
            ) + timedelta(days=part)
        else:
            found = cftime.num2date(value, self.units, self.calendar, only_use_cftime_datetimes=True)
        return found + timedelta(microseconds=-found.microsecond + round(found.microsecond, -3))

    def spacing(self) -> str | None:
        """Return the regular distance of the time stamps as ISO 8601, None without one."""
        ordered = np.unique(self.values)
        if ordered.size < 2:  # noqa: PLR2004 - a distance has two ends
            return None
        if AS_DATES.fullmatch(self.units):
            moments = [self.decode(float(value)) for value in ordered[:MOST_DATES]]
            return spacing([(later - sooner).total_seconds() for sooner, later in pairwise(moments)])
        unit = (self.decode(ordered[0] + 1) - self.decode(ordered[0])).total_seconds()
        return spacing([float(step) for step in np.diff(ordered) * unit])


def in_units_of(values: Floats, written: str, units: str, calendar: str) -> Floats | None:
    """Return times written in other units in `units` of the same calendar; None when one of them is no measure."""
    theirs, ours = (TimeAxis("", each, calendar, values, None) for each in (written, units))
    low, high = float(np.min(theirs.values)), float(np.max(theirs.values))
    try:
        ends = [cftime.date2num(theirs.decode(each), ours.units, ours.calendar) for each in (low, high)]
    except (ValueError, OverflowError, TypeError):
        return None
    finer = 1000.0 if NANOSECONDS.match(units) else 1.0
    return np.asarray(np.interp(theirs.values, (low, high), ends) * finer, dtype=np.float64)


def iso(value: cftime.datetime) -> str:
    """Return the date in its own calendar, without a fraction of zero."""
    text = str(value.isoformat(timespec="milliseconds"))
    return text.removesuffix(".000")


def in_our_calendar(value: cftime.datetime) -> str | None:
    """Return the date as `xsd:dateTime` text; None when it is no year of our era."""
    julian = value.calendar in {"standard", "gregorian", "julian"}
    if julian and (value.calendar == "julian" or (value.year, value.month, value.day) < REFORM):
        value = value.change_calendar("proleptic_gregorian")
    if not FIRST_YEAR <= value.year <= 9999:  # noqa: PLR2004 - xsd:dateTime years of four digits
        return None
    day = min(value.day, monthrange(value.year, value.month)[1])
    moment = datetime(value.year, value.month, day, value.hour, value.minute, value.second, value.microsecond)  # noqa: DTZ001 - model time has no zone
    return moment.isoformat(timespec="milliseconds").removesuffix(".000")


def written(texts: Sequence[str], name: str) -> Period | None:
    """Return the period of times written as ISO 8601 or with `_` between day and time; None unless all are times."""
    moments = []
    for text in texts:
        found = WRITTEN.fullmatch(text.strip(" \0"))
        try:
            moments.append(datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}") if found else None)
        except ValueError:
            return None
    known = [each for each in moments if each is not None]
    if not known or len(known) < len(moments):
        return None
    first, last = (each.isoformat(timespec="milliseconds").removesuffix(".000") for each in (min(known), max(known)))
    return Period(begin=first, end=last, first=first, last=last, count=len(known), variable=short(name))


def period(axis: TimeAxis, cell_methods: Sequence[str], *, climatology: bool) -> tuple[Period | None, list[str]]:
    """Return the period of a time axis and notes for the provider."""
    if not axis.values.size:
        return None, [f"The time coordinate {axis.name!r} holds no values."]
    notes = []
    if axis.bounds is not None and not _holds(axis.bounds, axis.values):
        axis.bounds = None
        notes.append(
            f"The bounds of the time coordinate {axis.name!r} do not hold its time stamps: they were left out."
        )
    try:
        first, last = axis.decode(float(np.min(axis.values))), axis.decode(float(np.max(axis.values)))
        begin, end, basis = _outer(axis, first, last, cell_methods)
        # What the file does not state itself, the half steps around means, is left out here.
        covers = (iso(begin), iso(end)) if basis == "bounds" else (iso(first), iso(last))
    except (ValueError, OverflowError, TypeError):
        return None, [f"The time coordinate {axis.name!r} cannot be read: units {short(axis.units)!r} do not fit."]
    begins, ends = in_our_calendar(begin), in_our_calendar(end)
    if climatology or begins is None or ends is None:
        return None, ["The time coordinate is that of a climatology: no period was taken from it."]
    if axis.calendar not in {"standard", "proleptic_gregorian"}:
        notes.append(
            f"The times are in the calendar {axis.written!r}; the period of a record is in the Gregorian calendar."
        )
    if basis == "derived":
        notes.append(
            "The values are means over time, but the file has no time bounds: in a record half a step is added at "
            "both ends."
        )
    found = Period(
        begin=begins,
        end=max(begins, ends),
        first=iso(first),
        last=iso(last),
        covers=covers,
        count=int(axis.values.size),
        calendar=short(axis.written) or "standard",
        variable=short(axis.name),
        basis=basis,
    )
    return found, notes


def _holds(bounds: Floats, values: Floats) -> bool:
    """Whether bounds reach from the first value to the last, but for rounding."""
    usable = bounds[np.isfinite(bounds)]
    if not usable.size:
        return False
    low, high = float(np.min(values)), float(np.max(values))
    slack = ROUNDING * max(1.0, abs(low), abs(high))
    return bool(np.min(usable) <= low + slack and np.max(usable) >= high - slack)


def _outer(
    axis: TimeAxis, first: cftime.datetime, last: cftime.datetime, cell_methods: Sequence[str]
) -> tuple[Any, Any, Literal["bounds", "coordinate", "derived"]]:
    """Return the begin and the end of the outer time steps and what they rest on."""
    if axis.bounds is not None and axis.bounds.size:
        return axis.decode(float(np.nanmin(axis.bounds))), axis.decode(float(np.nanmax(axis.bounds))), "bounds"
    step = axis.spacing()
    averaged = re.compile(AVERAGED.format(name=re.escape(axis.name)))
    if step is None or not any(averaged.search(text) for text in cell_methods):
        return first, last, "coordinate"
    if step in {"P1M", "P1Y"}:
        month = 1 if step == "P1Y" else first.month
        return first.replace(month=month, day=1, hour=0, minute=0, second=0), _next(last, step), "derived"
    ordered = np.unique(axis.values)
    half = float(np.median(np.diff(ordered))) / 2
    return axis.decode(float(ordered[0]) - half), axis.decode(float(ordered[-1]) + half), "derived"


def _next(value: cftime.datetime, step: str) -> cftime.datetime:
    """Return the start of the month or year after `value`."""
    month = 13 if step == "P1Y" else value.month + 1
    year, month = value.year + (month - 1) // 12, (month - 1) % 12 + 1
    return value.replace(year=year, month=month, day=1, hour=0, minute=0, second=0)
