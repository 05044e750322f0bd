"""NetCDF-3 and NetCDF-4: what the file says of itself, and what its coordinates say of it.

Runs in the child, in one thread: the netCDF library crashes when two threads open files.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import netCDF4
import numpy as np

from connector.errors import InvalidInput, TooLarge
from connector.formats import cf, cf_time, classic, hdf5
from connector.formats.cf import NcVariable, Variables, text_of
from connector.formats.description import BBox, Dimension, Facts, Limits, Period, Variable, clean, short
from connector.formats.extent import degrees_apart, finite, normalise

MODELS: Final = {
    "NETCDF4": "NetCDF-4",
    "NETCDF4_CLASSIC": "NetCDF-4 classic",
    "NETCDF3_CLASSIC": "NetCDF-3",
    "NETCDF3_64BIT": "NetCDF-3",
    "NETCDF3_64BIT_OFFSET": "NetCDF-3",
    "NETCDF3_64BIT_DATA": "NetCDF-3 (64-bit data)",
}
LISTED: Final = 300  # variables and dimensions in a description
CLAIMED: Final = ("geospatial_lon_min", "geospatial_lat_min", "geospatial_lon_max", "geospatial_lat_max")
DAY_TEXT: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def read(path: Path, limits: Limits) -> Facts:
    """Describe the NetCDF file at `path`.

    Raises:
        InvalidInput: the file is cut off, is no NetCDF, or refers to other files.
        TooLarge: it has more objects than allowed.
    """
    _whole(path, limits)
    try:
        dataset = netCDF4.Dataset(path, "r")
    except OSError as error:
        raise InvalidInput(
            "The file is no NetCDF file that can be opened; it may be damaged or cut off.",
            fix="Fetch or write the file again, and compare its size with the original's.",
        ) from error
    with dataset:
        variables = Variables(list(_variables(dataset, limits)), limits)
        return _facts(dataset, variables)


def _whole(path: Path, limits: Limits) -> None:
    """Refuse a file that lacks its end or reaches beyond it, before the library looks at the values."""
    with path.open("rb") as file:
        head = file.read(8)
    if head[:4] in classic.MAGIC:
        needed, has = classic.required_size(path), path.stat().st_size
        if needed > has:
            raise InvalidInput(f"The file is cut off: its header announces {needed} bytes, it has {has}.")
        return
    try:
        hdf5.keep_inside(path, limits.objects)
    except OSError as error:
        raise InvalidInput(
            "The file is no HDF5 file that can be opened; it may be damaged or cut off.",
            fix="Fetch or write the file again, and compare its size with the original's.",
        ) from error


def _variables(dataset: netCDF4.Dataset, limits: Limits) -> Iterator[NcVariable]:
    """Yield the variables of all groups, the root's first."""
    waiting: list[Any] = [dataset]
    count = 0
    while waiting:
        group = waiting.pop(0)
        for variable in group.variables.values():
            count += 1
            if count > limits.objects:
                raise TooLarge(f"The file has more than {limits.objects} variables.")
            yield variable
        waiting += group.groups.values()


def _facts(dataset: netCDF4.Dataset, variables: Variables) -> Facts:
    found = cf.place(variables)
    axis = _time_axis(variables)
    period, notes, spacing = _period(variables, axis, dataset)
    measured = [each for each in variables.all if variables.is_data(each) and each.name != (axis and axis.name)]
    degrees = found.grid.resolution if found.grid and found.metres is None else None
    claims = [*_extent_claim(dataset, found.bbox, max(degrees or (0.0,))), *_period_claim(dataset, period)]
    if len(measured) > LISTED:
        notes.append(f"The file has {len(measured)} variables; the first {LISTED} are listed.")
    return Facts(
        format=MODELS.get(dataset.data_model, "NetCDF"),
        title=_attribute(dataset, "title"),
        description=_attribute(dataset, "summary", "comment", "description"),
        licence=_attribute(dataset, "license", "licence"),
        creator=_attribute(dataset, "creator_name", "contact", "author"),
        publisher=_attribute(dataset, "publisher_name", "institution"),
        identifier=short(_attribute(dataset, "identifier_product_doi", "doi", "id", "tracking_id")),
        modified=short(_attribute(dataset, "date_modified", "date_created", "creation_date")),
        frequency=short(_attribute(dataset, "frequency")),
        conforms_to=short(_attribute(dataset, "Conventions")),
        keywords=_keywords(dataset),
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
        notes=(*found.notes, *notes, *claims),
    )


def _attribute(dataset: netCDF4.Dataset, *names: str) -> str | None:
    """Return the first of these global attributes that says something."""
    return next((text for name in names if (text := clean(text_of(dataset, name)))), None)


def _keywords(dataset: netCDF4.Dataset) -> tuple[str, ...]:
    words = re.split(r"[,;]", text_of(dataset, "keywords"))
    return tuple(dict.fromkeys(text for word in words if (text := short(word))))[:LISTED]


def _variable(variable: NcVariable) -> Variable:
    path = variable.group().path.strip("/")
    return Variable(
        name=short(f"{path}/{variable.name}" if path else variable.name) or "unnamed",
        standard_name=short(text_of(variable, "standard_name")),
        long_name=short(text_of(variable, "long_name")),
        unit=short(text_of(variable, "units")),
        dtype=short(variable.dtype),
        shape=tuple(variable.shape),
    )


def _dimensions(variables: Variables, axis: cf_time.TimeAxis | None) -> tuple[Dimension, ...]:
    """Return the axes that measured variables have, in their order."""
    sizes: dict[str, int] = {}
    for variable in filter(variables.is_data, variables.all):
        sizes.update(zip(variable.dimensions, variable.shape, strict=True))
    return tuple(
        Dimension(name=short(name) or "unnamed", size=size, role="time" if axis and name == axis.name else "dimension")
        for name, size in list(sizes.items())[:LISTED]
    )


def _is_time(variable: NcVariable) -> bool:
    named = text_of(variable, "standard_name")
    return named not in cf_time.NOT_THE_TIME and bool(cf_time.SINCE.match(text_of(variable, "units")))


def _time_axis(variables: Variables) -> cf_time.TimeAxis | None:
    """Return the time coordinate of the data: one along its own dimension before others, `time` before unnamed ones."""

    def rank(each: NcVariable) -> tuple[bool, bool, int]:
        return each.dimensions == (each.name,), text_of(each, "standard_name") == "time", each.size

    for variable in sorted(variables.candidates(_is_time), key=rank, reverse=True):
        values = variables.values(variable)
        if values is not None:
            return cf_time.TimeAxis(
                variable.name,
                text_of(variable, "units"),
                text_of(variable, "calendar"),
                finite(values),
                variables.bounds_of(variable),
            )
    return None


def _period(
    variables: Variables, axis: cf_time.TimeAxis | None, dataset: netCDF4.Dataset
) -> tuple[Period | None, list[str], str | None]:
    """Return the period, notes and the spacing; global attributes stand in only when there is no time coordinate."""
    if axis is None:
        claimed = _claimed_period(dataset)
        if claimed is None:
            return None, ["The file has no time coordinate: state the period by hand, or that there is none."], None
        note = "The file has no time coordinate; the period is the one its global attributes claim."
        return claimed, [note], None
    methods = [text_of(each, "cell_methods") for each in variables.all]
    climatology = any(text_of(each, "climatology") for each in variables.all if each.name == axis.name)
    period, notes = cf_time.period(axis, methods, climatology=climatology)
    return period, notes, axis.spacing() if period else None


def _claimed_period(dataset: netCDF4.Dataset) -> Period | None:
    begin, end = (short(text_of(dataset, f"time_coverage_{side}")) for side in ("start", "end"))
    if not begin or not end or not DAY_TEXT.match(begin) or not DAY_TEXT.match(end) or end < begin:
        return None
    return Period(begin=begin[:10], end=end[:10], first=begin, last=end, basis="attribute")


def _extent_claim(dataset: netCDF4.Dataset, found: BBox | None, cell: float) -> list[str]:
    """Tell the provider when the extent in the global attributes is not that of the coordinates."""
    if not set(CLAIMED) <= set(dataset.ncattrs()):
        return []
    try:
        west, south, east, north = (float(np.asarray(dataset.getncattr(name)).ravel()[0]) for name in CLAIMED)
        wide = east - west >= 360.0 - 1e-6
        claim = BBox(
            west=-180.0 if wide else normalise(west),
            south=south,
            east=180.0 if wide or normalise(east) == -180.0 else normalise(east),  # noqa: PLR2004 - the antimeridian
            north=north,
            basis="points",
        )
    except (ValueError, IndexError, TypeError):
        return ["The extent in the global attributes (geospatial_lat_min and so on) is no place on Earth."]
    if found is None or degrees_apart(found, claim) <= cell / 2 + 0.01:
        return []
    note = (
        f"The global attributes claim longitudes {west:g} to {east:g} and latitudes {south:g} to {north:g}; the "
        f"coordinates hold {found.west:g} to {found.east:g} and {found.south:g} to {found.north:g}. "
        "The coordinates were taken."
    )
    return [note]


def _period_claim(dataset: netCDF4.Dataset, found: Period | None) -> list[str]:
    """Tell the provider when the period in the global attributes is not that of the time coordinate."""
    claim = _claimed_period(dataset)
    if claim is None or found is None or found.basis == "attribute":
        return []
    begins = claim.begin in {found.begin[:10], found.first[:10]}
    ends = claim.end in {found.end[:10], found.last[:10]} or (found.last[:10] <= claim.end <= found.end[:10])
    if begins and ends:
        return []
    note = (
        f"The global attributes claim the period {claim.begin} to {claim.end}; the time coordinate holds "
        f"{found.first} to {found.last}. The coordinate was taken."
    )
    return [note]
