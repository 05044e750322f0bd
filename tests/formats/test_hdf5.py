"""HDF5 files that are no NetCDF, or hardly: still a draft with variables, and a sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from connector.formats import Description, Limits, describe

PLAIN = "not written after the NetCDF model"


def made(path: Path, fill: Callable[[Any], None]) -> Description:
    """Write an HDF5 file and describe it."""
    with h5py.File(path, "w") as file:
        fill(file)
    return describe(path)


def test_a_file_without_any_attribute_is_a_draft(tmp_path: Path) -> None:
    """No marks of NetCDF, no scales, no attributes: variables and shapes, a place by names, and what to check."""

    def fill(file: Any) -> None:
        file["lat"] = np.array([40.0, 41.0, 42.0])
        file["lon"] = np.array([5.0, 6.0, 7.0, 8.0])
        file["t"] = np.zeros((3, 4), "f4")
        file["deep/er/x"] = np.zeros(7)

    found = made(tmp_path / "x.nc", fill)
    assert [(each.name, each.unit, each.shape) for each in found.variables] == [
        ("t", None, (3, 4)),
        ("deep/er/x", None, (7,)),
    ]
    assert (found.format, found.media_type, found.dimensions) == ("HDF5", "application/x-hdf", ())
    assert found.bbox is not None
    assert (found.bbox.west, found.bbox.south, found.bbox.east, found.bbox.north) == (4.5, 39.5, 8.5, 42.5)
    assert any(PLAIN in note for note in found.notes)
    assert any("by the names or axes 'lat' and 'lon' only" in note for note in found.notes)


def test_a_file_without_coordinates_is_a_draft(tmp_path: Path) -> None:
    """Variables only: the place and the period stay open, and the provider is asked."""
    found = made(tmp_path / "x.h5", lambda file: file.create_dataset("counts", data=np.zeros((5, 6), "i4")))
    assert [each.name for each in found.variables] == ["counts"]
    assert (found.bbox, found.period) == (None, None)
    assert any("name the place by hand" in note for note in found.notes)


def test_scales_that_are_attached_by_half_do_not_matter(tmp_path: Path) -> None:
    """A file on which the netCDF library stumbles (one of two axes has a scale) is read all the same."""

    def fill(file: Any) -> None:
        file["lat"], file["lon"] = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0, 7.0])
        file["t"] = np.zeros((3, 4))
        file["lat"].attrs["units"], file["lon"].attrs["units"] = "degrees_north", "degrees_east"
        file["lat"].make_scale()
        file["t"].dims[0].attach_scale(file["lat"])
        file["t"].dims[1].label = "lon"

    found = made(tmp_path / "x.nc", fill)
    assert found.bbox is not None
    assert (found.bbox.west, found.bbox.north) == (3.5, 3.5)
    assert [each.name for each in found.variables] == ["t"]
    assert {each.name for each in found.dimensions} == {"lat", "lon"}


@pytest.mark.parametrize(
    "strange",
    [
        lambda file: file.create_dataset("s", data=h5py.Empty("f4")),
        lambda file: file.create_dataset("s", data=np.array([True, False])),
        lambda file: file.create_dataset("s", data=np.zeros(2, [("a", "f4"), ("b", "i8")])),
        lambda file: file.create_dataset("s", data=np.zeros(2, "c16")),
        lambda file: file.create_dataset("s", data=[b"ab", b"cd"]),
        lambda file: file.create_dataset("s", data="text"),
        lambda file: file.create_dataset("s", data=np.void(b"opaque")),
        lambda file: file.create_dataset("s", (2,), dtype=h5py.vlen_dtype("i4")),
        lambda file: file.create_dataset("s", (1,), dtype=h5py.ref_dtype),
        lambda file: file.create_dataset("s", (0, 3), maxshape=(None, 3), dtype="f4"),
        lambda file: file["air"].attrs.update(flag=True, nothing=h5py.Empty("f4"), many=np.zeros((2, 2))),
        lambda file: file["air"].attrs.create("to", file["air"].ref, dtype=h5py.ref_dtype),
        lambda file: file.attrs.update(title=np.array([b"bytes"]), history=np.float32(1)),
        lambda file: file.__setitem__("kind", np.dtype([("a", "f4")])),
        lambda file: file.__setitem__("soft", h5py.SoftLink("/nowhere")),
        lambda file: file.__setitem__("same", file["air"]),
        lambda file: file.create_group("empty"),
        lambda file: file.create_dataset("a b/ü/c", data=np.zeros(2)),
    ],
)
def test_whatever_else_is_in_a_file_it_is_a_draft(strange: Callable[[Any], Any], tmp_path: Path) -> None:
    """Types and attributes that NetCDF does not know are passed over; the variable beside them is found."""

    def fill(file: Any) -> None:
        file["air"] = np.zeros((2, 3), "f4")
        file["air"].attrs["units"] = "K"
        strange(file)

    found = made(tmp_path / "x.h5", fill)
    assert ("air", "K") in [(each.name, each.unit) for each in found.variables]


def test_packed_coordinates_are_unpacked(tmp_path: Path) -> None:
    """Scale, offset and missing values count in HDF5 that the netCDF library does not read, too."""

    def fill(file: Any) -> None:
        for name, units, values in (("y", "degrees_north", [10, 20, -1]), ("x", "degrees_east", [30, 50, -1])):
            file[name] = np.array(values, "i2")
            file[name].attrs.update(units=units, scale_factor=0.1, _FillValue=np.int16(-1))

    found = made(tmp_path / "x.h5", fill)
    assert found.bbox is not None
    assert (found.bbox.west, found.bbox.south, found.bbox.east, found.bbox.north) == pytest.approx((3, 1, 5, 2))


def test_a_file_behind_a_block_of_the_user_is_found(tmp_path: Path) -> None:
    """HDF5 may begin after 512 bytes of anything, a power of two more often."""
    with h5py.File(tmp_path / "x.dat", "w", userblock_size=1024) as file:
        file["air"] = np.zeros(3)
    assert describe(tmp_path / "x.dat").variables[0].name == "air"


def test_ten_gigabytes_are_read_in_the_time_of_their_header(tmp_path: Path) -> None:
    """A huge variable costs nothing: only coordinates are read. The file has holes, so it costs the disk nothing."""
    path = tmp_path / "x.nc"
    with h5py.File(path, "w") as file:
        for name, units, values in (("lat", "degrees_north", [1.0, 2.0]), ("lon", "degrees_east", [3.0, 4.0])):
            file[name] = np.array(values)
            file[name].attrs["units"] = units
            file[name].make_scale(name)
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((700_000_000, 2, 2))
        h5py.h5d.create(file.id, b"air", h5py.h5t.IEEE_F32LE, space, dcpl=properties)
    assert path.stat().st_size > 10 << 30
    found = describe(path, limits=Limits(cpu_seconds=2, memory_bytes=1 << 30, bytes_per_second=1 << 40))
    assert found.bbox is not None
    assert (found.bbox.west, found.bbox.north) == (2.5, 2.5)
    assert found.variables[0].shape == (700_000_000, 2, 2)


def test_a_chunk_larger_than_memory_is_not_decoded(tmp_path: Path) -> None:
    """Threat: a coordinate of three values in a chunk of billions, which a read would unpack whole."""

    def fill(file: Any) -> None:
        for name, units in (("lat", "degrees_north"), ("lon", "degrees_east")):
            file.create_dataset(name, (3,), "f8", maxshape=(None,), chunks=(1 << 28,), compression="gzip")
            file[name].attrs["units"] = units
            file[name].make_scale(name)

    found = made(tmp_path / "x.nc", fill)
    assert found.bbox is None
    assert any("too many to read" in note for note in found.notes)


@pytest.mark.parametrize("chunk", [1_000, 1_000_000, 10_000_000])
def test_billions_of_positions_cost_a_sample(chunk: int, tmp_path: Path) -> None:
    """Threat: a track of any announced length in a file of kilobytes; the pieces that are read cost whole chunks."""

    def fill(file: Any) -> None:
        for name, units in (("lat", "degrees_north"), ("lon", "degrees_east")):
            track = file.create_dataset(
                name, (3_600_000_000,), "f8", chunks=(chunk,), compression="gzip", fillvalue=np.nan
            )
            track.attrs["units"] = units
            track.dims[0].label = "obs"
            track[:3] = [10.0, 11.0, 12.0]

    with h5py.File(tmp_path / "x.nc", "w") as file:
        fill(file)
    found = describe(tmp_path / "x.nc", limits=Limits(cpu_seconds=10, memory_bytes=2 << 30))
    assert found.bbox is not None
    assert (found.bbox.west, found.bbox.east, found.bbox.basis) == (10.0, 12.0, "sampled")
