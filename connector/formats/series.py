"""Several files of one make as one dataset: what they share, what they cover together, and in what they differ."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec

from connector.errors import Refusal
from connector.formats.description import TEXT_LENGTH, BBox, Description, Period, Variable
from connector.formats.summary import NO_PLACE, NO_TIME, covered, rows

TURN: Final = 360.0
NAMED: Final = 5  # names in one sentence
Member = tuple[str, Description]
Value = TypeVar("Value")

SHARED: Final = (
    ("title", "titles"),
    ("description", ""),
    ("publisher", "publishers"),
    ("creator", ""),
    ("identifier", ""),
    ("licence", "licences"),
    ("crs", "reference systems"),
    ("epsg", ""),
    ("spatial_resolution_degrees", "spatial resolutions"),
    ("spatial_resolution_metres", "spatial resolutions"),
    ("temporal_resolution", "temporal resolutions"),
    ("frequency", ""),
    ("conforms_to", "conventions"),
    ("media_type", "media types"),
    ("file_type", ""),
)
"""Facts that a series has where all its members agree, and what they are called where they do not."""


def series(members: Sequence[Member]) -> Description:
    """Return the description of files that belong together, of each its name and description.

    Box and period are the smallest that hold those of all members; variables and dimensions are those that all have.

    Raises:
        ValueError: there are no members.
    """
    if not members:
        raise ValueError("a series has members")
    described = [each for _, each in members]
    notes = [f"The series has {len(members)} files."]
    shared = {name: _shared(members, name, words, notes) for name, words in SHARED}
    formats = Counter(each.format for each in described)
    if len(formats) > 1:
        makes = ", ".join(f"{name} ({count})" for name, count in sorted(formats.items()))
        notes.append(f"The files are of different formats: {makes}.")
    counts = [count for each in described if (count := rows(each)) is not None]
    found: dict[str, Any] = {
        **shared,
        "media_type": shared["media_type"] or "application/octet-stream",
        "format": ", ".join(sorted(formats)),
        "kind": "series",
        "reader": described[0].reader,
        "byte_size": sum(each.byte_size for each in described),
        "rows": sum(counts) if len(counts) == len(members) else None,
        "keywords": tuple(dict.fromkeys(word for each in described for word in each.keywords)),
        "bbox": _together(members, "bounding box", lambda each: each.bbox, _box, notes),
        "period": _together(members, "period", lambda each: each.period, _period, notes),
        "variables": _variables(members, notes),
        "dimensions": _dimensions(described),
        "sources": _sources(described),
    }
    # What only some lack is said above with their names; of the whole it is not true.
    lacking = (*NO_PLACE * any(each.bbox for each in described), *NO_TIME * any(each.period for each in described))
    said = (note for each in described for note in each.notes if not any(words in note for words in lacking))
    found["notes"] = tuple(dict.fromkeys([*notes, *said]))
    return Description(**found)


def _shared(members: Sequence[Member], name: str, words: str, notes: list[str]) -> Any:
    """Return a fact that all members agree on; else None, and a sentence where that matters to people."""
    values = list(dict.fromkeys(getattr(each, name) for _, each in members))
    if len(values) == 1:
        return values[0]
    if words:
        some = ", ".join(repr(value) if value is not None else "none" for value in values[:NAMED])
        sentence = f"The {words} of the files differ: {some}{', …' if len(values) > NAMED else ''}."
        notes.append(sentence[:TEXT_LENGTH])
    return None


def _together(
    members: Sequence[Member],
    words: str,
    part: Callable[[Description], Value | None],
    join: Callable[[list[Value]], Value | None],
    notes: list[str],
) -> Value | None:
    """Return the smallest box or period around those of the members that have one."""
    found = [(name, value) for name, each in members if (value := part(each)) is not None]
    without = sorted({name for name, _ in members} - {name for name, _ in found})
    if found and without:
        notes.append(f"{_some(without)} {'has' if len(without) == 1 else 'have'} no {words}.")
    joined = join([value for _, value in found]) if found else None
    if found and joined is None:
        notes.append(f"The {words}s of the files are in different calendars: state it by hand.")
    return joined


def _box(boxes: list[BBox]) -> BBox:
    west, east = arc([(box.west, box.east) for box in boxes])
    grounds = {box.basis for box in boxes}
    return BBox(
        west=west,
        south=min(box.south for box in boxes),
        east=east,
        north=max(box.north for box in boxes),
        basis=boxes[0].basis if len(grounds) == 1 else "edges",
        approximate=len(grounds) > 1 or any(box.approximate for box in boxes),
    )


def arc(arcs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the smallest arc of longitudes (west, east; west > east across the 180th meridian) around all of `arcs`.

    The largest gap between them is what it leaves out. One that goes all the way round is -180 to 180.
    """
    ordered = sorted((west, (east - west) % TURN or (TURN if east > west else 0.0)) for west, east in arcs)
    # The walk begins a turn early: an arc that starts before the first one may reach beyond it from behind.
    reached, last = max((west + span - TURN, west + span) for west, span in ordered)
    widest, ends = (0.0, 0.0), (-180.0, 180.0)
    for west, span in ordered:
        gap = west - reached
        if (gap, -west) > widest and gap > 0:
            widest, ends = (gap, -west), (west, last)
        if west + span > reached:
            reached, last = west + span, west + span
    west, east = ends
    return west, (east + 180.0) % TURN - 180.0 if east > 180.0 else east  # noqa: PLR2004 - half a turn


def _period(periods: list[Period]) -> Period | None:
    if len({each.calendar for each in periods}) > 1:
        return None
    spans = [covered(each) for each in periods]
    open_end = any(not end for _, end in spans)
    counts = [each.count for each in periods if each.count is not None]
    grounds = {each.basis for each in periods}
    basis: Literal["bounds", "coordinate", "derived", "attribute"] = periods[0].basis
    return Period(
        begin=min(each.begin for each in periods),
        end="" if open_end else max(each.end for each in periods),
        first=min(each.first for each in periods),
        last=max(each.last for each in periods),
        covers=(min(start for start, _ in spans), "" if open_end else max(end for _, end in spans)),
        count=sum(counts) if len(counts) == len(periods) else None,
        calendar=periods[0].calendar,
        basis=basis if len(grounds) == 1 else "coordinate",
    )


def _variables(members: Sequence[Member], notes: list[str]) -> tuple[Variable, ...]:
    """Return the variables that all members have, as the first has them."""
    held = Counter(name for _, each in members for name in {variable.name for variable in each.variables})
    partly = sorted(name for name, count in held.items() if count < len(members))
    if partly:
        notes.append(f"Not all files have the variable{'s' if len(partly) > 1 else ''} {_some(partly)}.")
    return tuple(each for each in members[0][1].variables if held[each.name] == len(members))


def _dimensions(described: Sequence[Description]) -> tuple[Any, ...]:
    held = Counter(name for each in described for name in {dimension.name for dimension in each.dimensions})
    return tuple(each for each in described[0].dimensions if held[each.name] == len(described))


def _sources(described: Sequence[Description]) -> dict[str, Any]:
    first = described[0].sources
    return {name: source for name, source in first.items() if all(e.sources.get(name) == source for e in described)}


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def gathered(members: Sequence[tuple[str, Description | Refusal]]) -> tuple[Description | Refusal, list[Member]]:
    """Return the series of those files that could be read, with a sentence for each of the others, and its members.

    When none could, the refusal of the first is returned. Files that only describe data are no members.
    """
    read = [(name, each) for name, each in members if isinstance(each, Description)]
    if not read:
        return next(each for _, each in members if isinstance(each, Refusal)), []
    data = [(name, each) for name, each in read if each.kind in {"dataset", "series"}] or read
    whole = series(data) if len(data) > 1 else data[0][1]
    taken = {name for name, _ in data}
    left = [f"{name} is not a part of it: {each.message}" for name, each in members if isinstance(each, Refusal)]
    left += [f"{name} is not a part of it: it has no data of its own." for name, _ in read if name not in taken]
    notes = (*whole.notes, *(sentence[:TEXT_LENGTH] for sentence in left))
    return msgspec.structs.replace(whole, notes=notes), data
