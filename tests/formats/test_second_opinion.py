"""What another program makes of the same file: xarray, where it reads it, and the points of ecCodes."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import xarray

from connector.formats import Description, describe
from tests.conftest import REFERENCES

DEMO: Final = Path(__file__).resolve().parents[2] / "connector" / "demo" / "data"
CLIMATE: Final = REFERENCES / "data" / "climate"
FILES: Final = sorted(
    each
    for folder in (DEMO, CLIMATE)
    if folder.is_dir()
    for each in folder.iterdir()
    if each.suffix in {".nc", ".zarr"}
)

# Grids of a projection only are not transformed by xarray.
DEGREES: Final = [each for each in FILES if each.name != "rotated_pole.nc"]


def opened(path: Path) -> Any:
    """Open a file with xarray, times left as numbers: calendars are not what is compared."""
    engine: Any = "zarr" if path.suffix == ".zarr" else "netcdf4"
    return xarray.open_dataset(path, engine=engine, decode_times=False, chunks=None)


def described(path: Path) -> tuple[Description, Any]:
    """Return what we and xarray say of a file."""
    return describe(path), opened(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_variables_and_dimensions_are_those_of_xarray(path: Path) -> None:
    """Names, shapes, units and standard names of data; every dimension with its size."""
    found, other = described(path)
    with other:
        ours = {each.name: (each.shape, each.standard_name, each.unit) for each in found.variables}
        for name, (shape, standard_name, unit) in ours.items():
            theirs = other[name]
            assert theirs.shape == shape
            assert (theirs.attrs.get("standard_name"), theirs.attrs.get("units")) == (standard_name, unit)
        mapped = {each.attrs.get("grid_mapping") for each in other.variables.values()}
        bounds = {each.attrs.get("bounds") for each in other.variables.values()}
        numbers = {name for name, each in other.data_vars.items() if each.dtype.kind in "iuf"}
        assert set(ours) == {name for name in numbers - mapped - bounds if "grid_mapping_name" not in other[name].attrs}
        assert {each.name: each.size for each in found.dimensions} == dict(other.sizes)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", DEGREES, ids=lambda path: path.name)
def test_the_box_holds_the_coordinates_that_xarray_reads(path: Path) -> None:
    """Every latitude and longitude lies in the box, which reaches a step beyond them at most."""
    found, other = described(path)
    with other:
        named = {each.attrs.get("standard_name"): each for each in other.variables.values()}
        if "latitude" not in named:
            named = {"latitude": other.variables.get("lat"), "longitude": other.variables.get("lon")}
        lat, lon = (np.asarray(named[name].values, dtype=float) for name in ("latitude", "longitude"))
    box = found.bbox
    assert box is not None
    step = 2 * max(found.grids[0].resolution or (1.0,))
    assert box.south <= lat.min() <= box.south + step
    assert box.north - step <= lat.max() <= box.north
    if (box.west, box.east) != (-180.0, 180.0):
        assert ((lon - box.west + 1e-4) % 360 <= (box.east - box.west) % 360 + 2e-4).all()
        assert min((lon - box.west + 1e-4) % 360) <= step
        assert min((box.east - lon + 1e-4) % 360) <= step


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_times_are_those_of_xarray(path: Path) -> None:
    """First and last time stamps and their number, decoded by xarray in the file's calendar."""
    found = describe(path)
    coder = xarray.coders.CFDatetimeCoder(use_cftime=True)
    engine: Any = "zarr" if path.suffix == ".zarr" else "netcdf4"
    with xarray.open_dataset(path, engine=engine, decode_times=coder, chunks=None) as other:
        assert found.period is not None
        times = np.atleast_1d(other[found.period.variable or "time"].values)
        assert (str(times.min().isoformat()), str(times.max().isoformat())) == (found.period.first, found.period.last)
        assert times.size == found.period.count
