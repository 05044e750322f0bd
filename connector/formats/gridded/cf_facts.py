"""From arrays with attributes to facts: what NetCDF, HDF5 and Zarr files have in common."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from connector.formats.coordinates.extent import Floats, finite
from connector.formats.description import Dimension, Facts, Period, Source, Variable, short
from connector.formats.gridded import acdd, cf_place, cf_time
from connector.formats.gridded.acdd import Attributes
from connector.formats.gridded.cf import Array, Variables

LISTED: Final = 300  # variables and dimensions in a description
FROM_COORDINATES: Final = (
    *("bbox", "period", "spatial_resolution_degrees", "spatial_resolution_metres", "temporal_resolution"),
)
FROM_ATTRIBUTES: Final = (*acdd.TEXTS, "keywords", "crs", "epsg", "variables", "dimensions")


def facts(variables: Variables, attributes: Mapping[str, Any], kind: str) -> Facts:
    """Describe a file of `variables` with these global attributes; `kind` is its format with the version."""
    said = Attributes(attributes)
    found = cf_place.place(variables, attributes)
    axis = time_axis(variables)
    period, notes, spacing = _period(variables, axis, said)
    measured = [each for each in variables.all if variables.is_data(each) and not _is_time(each)]
    degrees = found.grid.resolution if found.grid and found.metres is None else None
    notes += [*acdd.extent_notes(said, found.bbox, max(degrees or (0.0,))), *acdd.period_notes(said, period)]
    if len(measured) > LISTED:
        notes.append(f"The file has {len(measured)} variables; the first {LISTED} are listed.")
    if not measured:
        notes.append("The file holds no variable with data of its own.")
    whole = Facts(
        format=kind,
        **said.texts(),
        keywords=said.keywords(),
        bbox=found.bbox,
        period=period,
        crs=found.crs,
        epsg=found.epsg,
        spatial_resolution_degrees=max(degrees) if degrees else None,
        spatial_resolution_metres=found.metres,
        temporal_resolution=spacing,
        variables=tuple(_variable(each) for each in measured[:LISTED]),
        dimensions=_dimensions(variables, axis),
        grids=(found.grid,) if found.grid else (),
        notes=(*found.notes, *notes),
    )
    return _with_sources(whole)


def _with_sources(whole: Facts) -> Facts:
    """Say of every field that was found where it was found."""
    sources: dict[str, Source] = {}
    for names, source in ((FROM_COORDINATES, "coordinate"), (FROM_ATTRIBUTES, "attribute")):
        sources.update({name: source for name in names if getattr(whole, name) not in {None, ()}})  # type: ignore[misc]
    if whole.period is not None and whole.period.basis == "attribute":
        sources["period"] = "attribute"
    fields = {name: getattr(whole, name) for name in whole.__struct_fields__}
    return Facts(**{**fields, "sources": sources})


def _variable(variable: Array) -> Variable:
    return Variable(
        name=short(variable.path) or "unnamed",
        standard_name=short(variable.text("standard_name")),
        long_name=short(variable.text("long_name")),
        unit=short(variable.text("units")),
        dtype=short(variable.kind),
        shape=variable.shape,
        chunks=variable.chunks,
    )


def _dimensions(variables: Variables, axis: cf_time.TimeAxis | None) -> tuple[Dimension, ...]:
    """Return the dimensions of the file in its order."""
    return tuple(
        Dimension(
            name=short(name) or "unnamed",
            size=size,
            role="time" if axis and name.rpartition("/")[2] == axis.name else "dimension",
        )
        for name, size in list(variables.dimensions.items())[:LISTED]
    )


def _is_time(variable: Array) -> bool:
    named, units = variable.text("standard_name"), variable.text("units")
    if named in cf_time.NOT_THE_TIME:
        return False
    return bool(cf_time.SINCE.match(units) or cf_time.AS_DATES.fullmatch(units))


def time_axis(variables: Variables) -> cf_time.TimeAxis | None:
    """Return the time coordinate of the data: one along its own dimension before others, `time` before unnamed ones.

    Coordinates of the same name and units in several groups count as one.
    """

    def rank(each: Array) -> tuple[bool, bool, int]:
        return each.along_itself, each.text("standard_name") == "time", each.size

    ordered = sorted(variables.candidates(_is_time), key=rank, reverse=True)
    for variable in ordered:
        found = variables.some(variable)
        if found is None:
            continue
        values, bounds = [finite(found.values)], [_time_bounds(variables, variable)]
        for other in ordered:
            alike = other.name == variable.name and other is not variable
            if alike and all(other.text(key) == variable.text(key) for key in ("units", "calendar")):
                more = variables.some(other)
                values += [] if more is None else [finite(more.values)]
                bounds.append(_time_bounds(variables, other))
        edges = [each.ravel() for each in bounds if each is not None]
        return cf_time.TimeAxis(
            variable.name,
            variable.text("units"),
            variable.text("calendar"),
            np.concatenate(values),
            np.concatenate(edges) if len(edges) == len(values) else None,
        )
    return None


def _time_bounds(variables: Variables, variable: Array) -> Floats | None:
    """Return the bounds of a time coordinate in its units; bounds may be written in units of their own."""
    edges = variables.bounds_of(variable)
    name = variable.text("bounds") or variable.text("climatology")
    theirs = variables.lookup(name, variable.group) if name else None
    written = theirs.text("units") if theirs is not None else ""
    if edges is None or not written or written == variable.text("units"):
        return edges
    return cf_time.in_units_of(edges, written, variable.text("units"), variable.text("calendar"))


def _written_times(variables: Variables) -> Period | None:
    """Return the period of times that are written out as texts, as weather models do (`2020-01-01_06:00:00`)."""
    for variable in variables.all:
        called = variable.text("standard_name") == "time" or variable.name.lower() in {"time", "times"}
        text = variable.kind == "string" or (variable.dtype is not None and variable.dtype.kind == "S")
        if called and text and 0 < variable.size <= cf_time.MOST_DATES * cf_time.WRITTEN_LENGTH:
            raw = np.ma.filled(np.ma.asarray(variable.read((slice(None),) * variable.ndim)), "")
            characters = variable.kind != "string" and variable.ndim > 1
            rows = raw.reshape(-1, raw.shape[-1]) if characters else raw.reshape(-1, 1)
            found = cf_time.written(["".join(map(_plain, row)) for row in rows.tolist()], variable.name)
            if found is not None:
                return found
    return None


def _plain(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _period(
    variables: Variables, axis: cf_time.TimeAxis | None, said: Attributes
) -> tuple[Period | None, list[str], str | None]:
    """Return the period, notes and the spacing; global attributes stand in only when there is no time coordinate."""
    if axis is None and (written := _written_times(variables)) is not None:
        return written, [], None
    if axis is None:
        claimed = said.period()
        if claimed is None:
            return None, ["The file has no time coordinate: state the period by hand, or that there is none."], None
        note = "The file has no time coordinate; the period is the one its global attributes claim."
        return claimed, [note], None
    methods = [each.text("cell_methods") for each in variables.all]
    climatology = any(each.text("climatology") for each in variables.all if each.name == axis.name)
    period, notes = cf_time.period(axis, methods, climatology=climatology)
    return period, notes, axis.spacing() if period else None
