"""BUFR: which observations a bulletin holds, of where and when. Runs in the child.

The heads of all messages are read; what they hold has to be unpacked, which costs milliseconds a message. So places and
times are those of the first messages, up to a number of bytes, and the description says so where there are more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import eccodes
import numpy as np

from connector.errors import InvalidInput
from connector.formats.coordinates.extent import Floats, points_box
from connector.formats.description import BBox, Facts, Limits, Messages, Period, Source, Variable, short
from connector.formats.weather import gribscan

UNPACKED_MESSAGES: Final = 1_000
UNPACKED_BYTES: Final = 3 << 20  # takes about ten seconds
TEMPLATES: Final = 12  # kinds of messages whose quantities are listed
LISTED: Final = 300
MEASURED: Final = frozenset({10, 11, 12, 13, 14, 15, 19, 20, 21, 22, 40, 42})  # classes of WMO BUFR table B
NO_UNITS: Final = frozenset({"code table", "flag table", "ccitt ia5", "numeric"})
TURN: Final = 360.0
POLE: Final = 90.0
STATED: Final = "typicalDate/Time"


@dataclass(slots=True)
class Collected:
    """What has been gathered from the messages so far; dictionaries keep the order of the file."""

    messages: int = 0
    unpacked: int = 0
    failed: int = 0
    subsets: int = 0
    editions: set[int] = field(default_factory=set)
    centres: dict[str, str | None] = field(default_factory=dict)
    categories: set[int] = field(default_factory=set)
    stated: set[datetime] = field(default_factory=set)
    observed: set[datetime] = field(default_factory=set)
    untimed: bool = False
    templates: set[tuple[int, ...]] = field(default_factory=set)
    variables: dict[str, Variable] = field(default_factory=dict)
    lat: list[Floats] = field(default_factory=list)
    lon: list[Floats] = field(default_factory=list)


def read(path: Path, limits: Limits) -> Facts:
    """Describe the BUFR file at `path`.

    Raises:
        InvalidInput: the file is cut off or damaged, or a message has no head that ecCodes can read.
    """
    messages = gribscan.scan(path, gribscan.BUFR)
    seen = Collected()
    spent = 0
    with path.open("rb") as file:
        for message in messages[: limits.messages]:
            file.seek(message.offset)
            raw = file.read(message.length)
            seen.messages += 1
            spent += message.length
            with _handle(raw, seen.messages) as handle:
                _collect_head(handle, seen)
                if spent <= UNPACKED_BYTES and seen.messages <= UNPACKED_MESSAGES:
                    _collect_inside(handle, seen)
    left = gribscan.rest(path, messages)
    return _facts(seen, len(messages), [left] if left else [])


@contextmanager
def _handle(raw: bytes, number: int) -> Iterator[int]:
    try:
        handle = eccodes.codes_new_from_message(raw)
    except eccodes.CodesInternalError as error:
        raise InvalidInput(f"Message {number} of the file is damaged.") from error
    try:
        yield handle
    finally:
        eccodes.codes_release(handle)


def _collect_head(handle: int, seen: Collected) -> None:
    """Take what stands in the sections before the data."""
    try:
        seen.editions.add(int(eccodes.codes_get(handle, "edition")))
        seen.subsets += int(eccodes.codes_get(handle, "numberOfSubsets"))
        seen.categories.add(int(eccodes.codes_get(handle, "dataCategory")))
        day, clock = (int(eccodes.codes_get(handle, key)) for key in ("typicalDate", "typicalTime"))
    except (eccodes.CodesInternalError, ValueError) as error:
        raise InvalidInput(f"The head of message {seen.messages} cannot be read.") from error
    centre = short(_optional(handle, "centre"))
    if centre and centre not in seen.centres:
        seen.centres[centre] = _centre_name(handle)
    moment = _moment(day // 10_000, day // 100 % 100, day % 100, clock // 10_000, clock // 100 % 100)
    if moment is not None:
        seen.stated.add(moment)


def _optional(handle: int, key: str) -> str | None:
    try:
        return str(eccodes.codes_get(handle, key, str))
    except eccodes.CodesInternalError:
        return None


def _centre_name(message: int) -> str | None:
    """Return the name of the centre of a message (WMO common code table C-11), which ecCodes tells of GRIB only."""
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    try:
        eccodes.codes_set(handle, "centre", int(eccodes.codes_get(message, "bufrHeaderCentre")))
        name = short(_optional(handle, "centreDescription"))
    except eccodes.CodesInternalError:
        return None
    finally:
        eccodes.codes_release(handle)
    return None if name is None or name.lower() == "unknown" or name.isdigit() else name


def _collect_inside(handle: int, seen: Collected) -> None:
    """Take positions and times of all subsets, and the quantities of a kind of message not met before."""
    try:
        eccodes.codes_set(handle, "unpack", 1)
    except eccodes.CodesInternalError:  # tables of its own, or damage: the head was sound
        seen.failed += 1
        return
    seen.unpacked += 1
    lat, lon = (_values(handle, key) for key in ("latitude", "longitude"))
    if lat.size and lon.size:
        # In compressed messages what is the same in all subsets stands once.
        lat, lon = np.broadcast_arrays(lat, lon) if 1 in {lat.size, lon.size} else (lat, lon)
        if lat.size == lon.size:
            sound = (np.abs(lat) <= POLE) & (np.abs(lon) <= TURN)
            seen.lat.append(lat[sound])
            seen.lon.append(lon[sound])
    observed = _times(handle)
    seen.observed |= observed
    seen.untimed |= not observed
    _collect_quantities(handle, seen)


def _values(handle: int, key: str) -> Floats:
    """Return all values of a key, NaN for missing ones; empty when the message has none."""
    try:
        found = np.asarray(eccodes.codes_get_double_array(handle, key), dtype=np.float64)
    except eccodes.CodesInternalError:
        return np.empty(0)
    return np.where(found == eccodes.CODES_MISSING_DOUBLE, np.nan, found)


def _times(handle: int) -> set[datetime]:
    """Return the times of the observations; none where they are not given in full for each."""
    parts = [_values(handle, key) for key in ("year", "month", "day", "hour", "minute")]
    sizes = {part.size for part in parts} - {1}
    if len(sizes) > 1 or not all(part.size for part in parts):
        return set()
    rows = np.unique(np.stack(np.broadcast_arrays(*parts)), axis=1).T
    rows = rows[np.isfinite(rows).all(axis=1)]
    moments = {_moment(*(int(number) for number in row)) for row in rows}
    return {moment for moment in moments if moment is not None}


def _moment(year: int, month: int, day: int, hour: int, minute: int) -> datetime | None:
    """Return a time in UTC (BUFR has no other), None when it is none."""
    try:
        return datetime(year, month, day, hour, minute)  # noqa: DTZ001 - written without a zone, as CF times are
    except ValueError:
        return None


def _collect_quantities(handle: int, seen: Collected) -> None:
    template = tuple(int(each) for each in eccodes.codes_get_array(handle, "unexpandedDescriptors"))
    if template in seen.templates or len(seen.templates) >= TEMPLATES:
        return
    seen.templates.add(template)
    met: set[str] = set()
    iterator = eccodes.codes_bufr_keys_iterator_new(handle)
    try:
        while eccodes.codes_bufr_keys_iterator_next(iterator) and len(seen.variables) < LISTED:
            key = eccodes.codes_bufr_keys_iterator_get_name(iterator)
            name = key.rpartition("#")[2]
            if name not in met and name not in seen.variables:
                met.add(name)
                _collect_quantity(handle, key, name, seen)
    finally:
        eccodes.codes_bufr_keys_iterator_delete(iterator)


def _collect_quantity(handle: int, key: str, name: str, seen: Collected) -> None:
    """Take an element whose class says that it is measured; identifiers, places, times and marks are not."""
    code = _optional(handle, f"{key}->code") or ""
    # The descriptor is FXXYYY: X is the class of the element (WMO BUFR table B).
    if not code.isdigit() or int(code) // 1_000 % 100 not in MEASURED:
        return
    unit = short(_optional(handle, f"{key}->units"))
    seen.variables[name] = Variable(
        name=short(name) or "unnamed", unit=None if unit is None or unit.lower() in NO_UNITS else unit
    )


def _facts(seen: Collected, messages: int, notes: list[str]) -> Facts:
    found = _box(seen)
    if messages > seen.messages:
        notes.append(f"The description rests on the first {seen.messages} of {messages} messages.")
    if seen.unpacked + seen.failed < seen.messages:
        notes.append(f"The extent is from the first {seen.unpacked + seen.failed} of {messages} messages.")
        found = None if found is None else _sampled(found)
    if seen.failed:
        notes.append(f"{seen.failed} messages are coded by tables that are not known here: they are left out.")
    if found is None:
        notes.append("No message gives a position that can be read: name the place by hand.")
    complete = seen.unpacked == messages and not seen.untimed
    period = _period(sorted(seen.observed if complete else seen.stated), observed=complete)
    if period is not None and not complete:
        notes.append("The period is that of the messages (their typical times), not of each observation.")
    stated = sorted(seen.stated)
    sources: dict[str, Source] = {"publisher": "attribute", "rows": "attribute", "variables": "attribute"}
    if found is not None:
        sources["bbox"] = "coordinate"
    if period is not None:
        sources["period"] = "coordinate" if complete else "attribute"
    return Facts(
        format="BUFR",
        publisher=next((name for name in seen.centres.values() if name), None),
        conforms_to=f"WMO FM 94 BUFR edition {max(seen.editions)}",
        bbox=found,
        period=period,
        rows=seen.subsets,
        variables=tuple(seen.variables.values()),
        messages=Messages(
            count=messages,
            edition=tuple(sorted(seen.editions)),
            centres=tuple(seen.centres),
            reference=(stated[0].isoformat(), stated[-1].isoformat()) if stated else None,
            subsets=seen.subsets,
            categories=tuple(sorted(seen.categories)),
        ),
        sources=sources,
        notes=tuple(notes),
    )


def _box(seen: Collected) -> BBox | None:
    return points_box(np.concatenate(seen.lon), np.concatenate(seen.lat)) if seen.lat else None


def _sampled(found: BBox) -> BBox:
    return BBox(
        west=found.west, south=found.south, east=found.east, north=found.north, basis="sampled", approximate=True
    )


def _period(moments: list[datetime], *, observed: bool) -> Period | None:
    if not moments:
        return None
    begin, end = moments[0].isoformat(), moments[-1].isoformat()
    return Period(
        begin=begin, end=end, first=begin, last=end, count=len(moments), variable="observation" if observed else STATED
    )
