"""GRIB1 and GRIB2: what the fields are, where and when they hold. Runs in the child.

Multi-field messages are taken apart: without that, wind components vanish.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

import eccodes

from connector.errors import InvalidInput
from connector.formats.coordinates.extent import box, union
from connector.formats.coordinates.periods import spacing
from connector.formats.description import BBox, Facts, Grid, Limits, Messages, Period, Variable, short
from connector.formats.weather import gribgrid, gribscan
from connector.formats.weather.gribgrid import Placed, key

UNKNOWN: Final = frozenset({"unknown", "unk", "~", ""})
NO_YEARS: Final = frozenset({0, 255})  # climatologies carry these for "any year"
LEVELS_SHOWN: Final = 12


@dataclass(slots=True)
class Quantity:
    """A parameter and the levels it was met on."""

    variable: Variable
    levels: dict[tuple[str, int], None] = field(default_factory=dict)

    def described(self) -> Variable:
        """Return the variable with its levels in words."""
        kinds: dict[str, list[int]] = {}
        for kind, level in self.levels:
            kinds.setdefault(kind, []).append(level)
        words = []
        for kind, levels in kinds.items():
            ordered = [str(level) for level in sorted(levels)]
            shown = ", ".join(ordered[:LEVELS_SHOWN]) + (" and more" if len(ordered) > LEVELS_SHOWN else "")
            words.append(f"{kind} {shown}")
        whole = self.variable
        return Variable(
            name=whole.name,
            standard_name=whole.standard_name,
            long_name=whole.long_name,
            unit=whole.unit,
            shape=whole.shape,
            level=short("; ".join(words)),
        )


@dataclass(slots=True)
class Collected:
    """What has been gathered from the fields so far; dictionaries keep the order of the file."""

    fields: int = 0
    editions: set[int] = field(default_factory=set)
    centres: dict[str, str | None] = field(default_factory=dict)
    quantities: dict[str, Quantity] = field(default_factory=dict)
    grids: dict[str, Placed] = field(default_factory=dict)
    valid: set[datetime] = field(default_factory=set)
    reference: set[datetime] = field(default_factory=set)
    kinds: dict[str, None] = field(default_factory=dict)
    members: set[int] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)


def read(path: Path, limits: Limits) -> Facts:
    """Describe the GRIB file at `path`.

    Raises:
        InvalidInput: the file is cut off or damaged, or ecCodes cannot decode a message.
    """
    messages = gribscan.scan(path)
    seen = Collected()
    if left := gribscan.rest(path, messages):
        seen.notes[left] = None
    for handle in _fields(path):
        if seen.fields >= limits.messages:
            seen.notes[f"The description rests on the first {limits.messages} fields; the file holds more."] = None
            break
        seen.fields += 1
        try:
            _collect(handle, seen, limits)
        except eccodes.CodesInternalError as error:
            raise InvalidInput(f"Field {seen.fields} of the file cannot be decoded.") from error
    return _facts(seen)


def _fields(path: Path) -> Iterator[int]:
    """Yield a handle per field; each is released before the next is made."""
    eccodes.codes_grib_multi_support_on()
    with path.open("rb") as file:
        while True:
            try:
                handle = eccodes.codes_grib_new_from_file(file)
            except eccodes.CodesInternalError as error:
                raise InvalidInput("The file is cut off or damaged: a message cannot be loaded.") from error
            if handle is None:
                return
            with _released(handle):
                yield handle


@contextmanager
def _released(handle: int) -> Iterator[None]:
    try:
        yield
    finally:
        eccodes.codes_release(handle)


def _known(value: object) -> str | None:
    text = short(value)
    return None if text is None or text in UNKNOWN else text


def _collect(handle: int, seen: Collected, limits: Limits) -> None:
    seen.editions.add(int(key(handle, "edition")))
    centre = _known(key(handle, "centre", str))
    if centre:
        seen.centres.setdefault(centre, _known(key(handle, "centreDescription", str)))
    if kind := _known(key(handle, "dataType", str)):
        seen.kinds[kind] = None
    member = key(handle, "perturbationNumber", int)
    if member is not None:
        seen.members.add(member)
    _collect_quantity(handle, seen)
    _collect_times(handle, seen)
    section = str(key(handle, "md5GridSection", str) or key(handle, "gridType", str))
    if section not in seen.grids:
        seen.grids[section] = _grid(handle, seen, limits)


def _collect_quantity(handle: int, seen: Collected) -> None:
    name = _known(key(handle, "shortName", str))
    if name is None:
        codes = [key(handle, name, int) for name in ("discipline", "parameterCategory", "parameterNumber")]
        number = ".".join(str(code) for code in codes) if None not in codes else key(handle, "paramId", str)
        name = f"parameter {number}"
        seen.notes[f"The file holds {name}, which the parameter tables do not know: name it by hand."] = None
    if name not in seen.quantities:
        size = [key(handle, name, int) for name in ("Nj", "Ni")]
        variable = Variable(
            name=name,
            standard_name=_known(key(handle, "cfName", str)),
            long_name=_known(key(handle, "name", str)),
            unit=_known(key(handle, "units", str)),
            shape=tuple(n for n in size if n is not None and 0 < n < eccodes.CODES_MISSING_LONG),
        )
        seen.quantities[name] = Quantity(variable)
    level = str(key(handle, "typeOfLevel", str)), int(key(handle, "level", int) or 0)
    seen.quantities[name].levels[level] = None


def _collect_times(handle: int, seen: Collected) -> None:
    """Take the analysis time and the time the field is valid at: for an accumulation, the end of its interval."""
    for keys, moments in ((("validityDate", "validityTime"), seen.valid), (("dataDate", "dataTime"), seen.reference)):
        moment = _moment(*(key(handle, name, int) for name in keys))
        if moment is None:
            seen.notes["Some fields are of no particular year (a climatology); they give no period."] = None
        else:
            moments.add(moment)


def _moment(day: int | None, clock: int | None) -> datetime | None:
    """Return yyyymmdd and hhmm as a time in UTC (GRIB has no other), None when it is none."""
    if day is None or clock is None or day // 10_000 in NO_YEARS:
        return None
    try:
        return datetime(day // 10_000, day // 100 % 100, day % 100, clock // 100, clock % 100)  # noqa: DTZ001 - written without a zone, as CF times are
    except ValueError:
        return None


def _grid(handle: int, seen: Collected, limits: Limits) -> Placed:
    found = gribgrid.place(handle, limits)
    if found.note:
        seen.notes[found.note] = None
    return found


def _facts(seen: Collected) -> Facts:
    placed = tuple(seen.grids.values())
    grids = tuple(each.grid for each in placed)
    found = _around(grids)
    metres = [each.metres for each in placed if each.metres]
    steps = [max(each.grid.resolution) for each in placed if each.grid.resolution and not each.metres]
    systems = {each.crs for each in placed}
    ordered = sorted(seen.valid)
    moments = [moment.isoformat() for moment in ordered]
    steps_apart = [(later - earlier).total_seconds() for earlier, later in pairwise(ordered)]
    return Facts(
        format=" and ".join(f"GRIB{edition}" for edition in sorted(seen.editions)),
        publisher=next((each for each in seen.centres.values() if each), None),
        conforms_to=f"WMO FM 92 GRIB edition {max(seen.editions)}",
        bbox=found,
        period=Period(begin=moments[0], end=moments[-1], first=moments[0], last=moments[-1], count=len(moments))
        if moments
        else None,
        crs=next(iter(systems)) if len(systems) == 1 else None,
        spatial_resolution_degrees=max(steps) if steps and len(steps) == len(grids) else None,
        spatial_resolution_metres=max(metres) if len(metres) == len(grids) else None,
        temporal_resolution=spacing(steps_apart),
        variables=tuple(each.described() for each in seen.quantities.values()),
        grids=grids,
        messages=_messages(seen),
        notes=tuple(seen.notes),
    )


def _messages(seen: Collected) -> Messages:
    reference = sorted(seen.reference)
    return Messages(
        count=seen.fields,
        edition=tuple(sorted(seen.editions)),
        centres=tuple(seen.centres),
        reference=(reference[0].isoformat(), reference[-1].isoformat()) if reference else None,
        kinds=tuple(seen.kinds),
        members=len(seen.members),
    )


def _around(grids: tuple[Grid, ...]) -> BBox | None:
    """Return the box around all grids."""
    boxes = [grid.bbox for grid in grids if grid.bbox]
    if not boxes:
        return None
    if len(boxes) == 1:
        return boxes[0]
    south, north = min(each.south for each in boxes), max(each.north for each in boxes)
    return box(union([(each.west, each.east) for each in boxes]), (south, north), boxes[0].basis)
