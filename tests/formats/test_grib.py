"""GRIB fields of every make, and files that end too soon."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import eccodes
import numpy as np
import pytest

from connector.errors import InvalidInput
from connector.formats import Facts, Limits
from connector.formats.weather import grib

Keys = dict[str, Any]


def message(sample: str = "regular_ll_sfc_grib2", **keys: Any) -> bytes:
    """Return one message made from a sample of the library."""
    handle = eccodes.codes_grib_new_from_samples(sample)
    try:
        for key, value in keys.items():
            eccodes.codes_set(handle, key, value)
        return bytes(eccodes.codes_get_message(handle))
    finally:
        eccodes.codes_release(handle)


def corners(first: tuple[float, float], last: tuple[float, float], size: tuple[int, int]) -> Keys:
    """Return the keys of a regular grid from (lat, lon) to (lat, lon) with (Ni, Nj) points."""
    return {
        "Ni": size[0],
        "Nj": size[1],
        "latitudeOfFirstGridPointInDegrees": first[0],
        "longitudeOfFirstGridPointInDegrees": first[1],
        "latitudeOfLastGridPointInDegrees": last[0],
        "longitudeOfLastGridPointInDegrees": last[1],
    }


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Facts]:
    """Return a function that writes messages to a file and reads it."""

    def write_and_read(*messages: bytes, limits: Limits | None = None) -> Facts:
        path = tmp_path / "x.grib"
        path.write_bytes(b"".join(messages))
        return grib.read(path, limits or Limits())

    return write_and_read


def sides(found: Facts) -> tuple[float, float, float, float]:
    """Return the box as W S E N."""
    assert found.bbox is not None
    return found.bbox.west, found.bbox.south, found.bbox.east, found.bbox.north


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        (corners((60, 0), (0, 30), (16, 31)), (-1, -1, 31, 61)),
        (corners((10, 350), (0, 10), (3, 3)), (-15, -2.5, 15, 12.5)),
        (corners((10, 170), (0, 190), (3, 3)), (165, -2.5, -165, 12.5)),
        (corners((90, 0), (-90, 359), (360, 181)), (-180, -90, 180, 90)),
        (corners((0, 0), (60, 30), (16, 31)) | {"jScansPositively": 1}, (-1, -1, 31, 61)),
        (corners((60, 30), (0, 0), (16, 31)) | {"iScansNegatively": 1}, (-1, -1, 31, 61)),
    ],
    ids=["plain", "across-0", "across-180", "globe", "south-up", "east-first"],
)
def test_regular_grids_reach_half_a_step_beyond_their_corners(
    keys: Keys, wanted: tuple[float, ...], described: Callable[..., Facts]
) -> None:
    """The box follows from corners and counts, in every order of scanning and across every meridian."""
    assert sides(described(message(**keys))) == pytest.approx(wanted)


def test_a_wrong_increment_is_not_believed(described: Callable[..., Facts]) -> None:
    """The increment written in a message may contradict its corners; it is not used."""
    keys = corners((60, 0), (0, 30), (16, 31))
    assert sides(described(message(**keys, iDirectionIncrementInDegrees=9.0))) == pytest.approx((-1, -1, 31, 61))


def test_grids_of_one_file_are_joined(described: Callable[..., Facts]) -> None:
    """Two grids on both sides of 180 give one box that crosses it, not the whole circle."""
    east, west = corners((10, 170), (0, 174), (3, 3)), corners((10, 184), (0, 188), (3, 3))
    found = described(message(**east), message(**west))
    assert len(found.grids) == 2
    assert sides(found) == pytest.approx((169, -2.5, -171, 12.5))


def test_reduced_gaussian_grids_are_global(described: Callable[..., Facts]) -> None:
    """Rows of different length: other readers give an empty box or none."""
    assert sides(described(message("reduced_gg_pl_32_grib2"))) == pytest.approx((-180, -90, 180, 90), abs=0.8)


@pytest.mark.parametrize("sample", ["sh_ml_grib2"])
def test_spectral_fields_have_no_place(sample: str, described: Callable[..., Facts]) -> None:
    """A field of wave numbers has no corners; the place stays open and the provider is told."""
    found = described(message(sample))
    assert found.bbox is None
    assert any("name the place by hand" in note for note in found.notes)


def test_polar_grids_hold_their_pole(described: Callable[..., Facts]) -> None:
    """A stereographic grid around the North Pole reaches 90 degrees and all meridians."""
    keys = {
        "gridType": "polar_stereographic",
        "Nx": 41,
        "Ny": 41,
        "latitudeOfFirstGridPointInDegrees": 60.0,
        "longitudeOfFirstGridPointInDegrees": 315.0,
        "orientationOfTheGridInDegrees": 0.0,
        "DxInMetres": 112_000,
        "DyInMetres": 112_000,
        "jScansPositively": 1,
        "numberOfDataPoints": 41 * 41,
        "LaDInDegrees": 60.0,
    }
    west, south, east, north = sides(described(message("polar_stereographic_sfc_grib2", **keys)))
    assert (west, east, north) == (-180, 180, 90)
    assert south == pytest.approx(60, abs=1.5)


# fmt: off
PLANES: Final[dict[str, tuple[str, Keys]]] = {
    "lambert": ("GRIB2", {
        "gridType": "lambert", "Nx": 45, "Ny": 27, "shapeOfTheEarth": 6, "DxInMetres": 60_000, "DyInMetres": 60_000,
        "latitudeOfFirstGridPointInDegrees": 21.138, "longitudeOfFirstGridPointInDegrees": 237.28,
        "LaDInDegrees": 38.5, "LoVInDegrees": 262.5, "Latin1InDegrees": 38.5, "Latin2InDegrees": 38.5,
        "jScansPositively": 1,
    }),
    "mercator": ("GRIB2", {
        "gridType": "mercator", "Ni": 56, "Nj": 40, "shapeOfTheEarth": 6, "LaDInDegrees": 20, "jScansPositively": 1,
        "latitudeOfFirstGridPointInDegrees": 18.0, "longitudeOfFirstGridPointInDegrees": 178.0,
        "latitudeOfLastGridPointInDegrees": 23.1, "longitudeOfLastGridPointInDegrees": 186.0,
        "DiInMetres": 15_000, "DjInMetres": 15_000,
    }),
    "laea": ("GRIB2", {
        "gridType": "lambert_azimuthal_equal_area", "Nx": 40, "Ny": 30, "shapeOfTheEarth": 6,
        "latitudeOfFirstGridPointInDegrees": 66, "longitudeOfFirstGridPointInDegrees": 335,
        "standardParallelInDegrees": 52.0, "centralLongitudeInDegrees": 10.0,
        "xDirectionGridLengthInMillimetres": 50_000_000, "yDirectionGridLengthInMillimetres": 50_000_000,
    }),
    "rotated": ("rotated_ll_sfc_grib2", {
        "Ni": 36, "Nj": 22, "latitudeOfFirstGridPointInDegrees": -11.5, "latitudeOfLastGridPointInDegrees": 9.5,
        "longitudeOfFirstGridPointInDegrees": 350.0, "longitudeOfLastGridPointInDegrees": 25.0,
        "latitudeOfSouthernPoleInDegrees": -37.5, "longitudeOfSouthernPoleInDegrees": 357.5, "jScansPositively": 1,
        "iDirectionIncrementInDegrees": 1.0, "jDirectionIncrementInDegrees": 1.0,
    }),
}
# fmt: on


def plane(name: str, **more: Any) -> bytes:
    """Return a message with a grid of `PLANES`, and as many values as it has points."""
    sample, keys = PLANES[name]
    handle = eccodes.codes_new_from_message(message(sample, **(keys | more)))
    try:
        eccodes.codes_set_values(handle, np.zeros(eccodes.codes_get(handle, "Ni") * eccodes.codes_get(handle, "Nj")))
        return bytes(eccodes.codes_get_message(handle))
    finally:
        eccodes.codes_release(handle)


@pytest.mark.parametrize("name", PLANES)
def test_projected_grids_reach_the_edges_of_their_cells(name: str, described: Callable[..., Facts]) -> None:
    """Every point that the library computes lies in the box, which reaches less than a cell beyond the outer ones."""
    raw = plane(name)
    handle = eccodes.codes_new_from_message(raw)
    lat, lon = (np.asarray(eccodes.codes_get_array(handle, each)) for each in ("latitudes", "longitudes"))
    eccodes.codes_release(handle)
    found = described(raw)
    west, south, east, north = sides(found)
    cell = 1.5
    assert ((lon - west) % 360 <= (east - west) % 360).all()
    assert (south <= lat.min() <= south + cell, north - cell <= lat.max() <= north) == (True, True)
    assert min((lon - west) % 360) < cell * 2
    assert min((east - lon) % 360) < cell * 2
    assert found.bbox is not None
    assert found.bbox.basis == "edges"
    assert found.spatial_resolution_metres == {"lambert": 60_000, "mercator": 15_000, "laea": 50_000}.get(name)
    assert found.notes == ()


def test_a_grid_that_the_library_lays_out_otherwise_is_that_of_its_points(described: Callable[..., Facts]) -> None:
    """Angles of rotation are read in two ways: the points of the library count, and that they are centres is said."""
    found = described(plane("rotated", angleOfRotationInDegrees=20.0))
    assert found.bbox is not None
    assert found.bbox.basis == "centres"
    assert any("through the centres" in note for note in found.notes)


def test_a_wrong_increment_of_a_rotated_grid_is_not_believed(described: Callable[..., Facts]) -> None:
    """The library lays rotated grids out by their increments; the corners and counts say otherwise and are right."""
    assert sides(described(plane("rotated", iDirectionIncrementInDegrees=9.0))) == sides(described(plane("rotated")))


def test_a_grid_that_contradicts_itself_has_no_place(described: Callable[..., Facts]) -> None:
    """Columns times rows is not the number of values: nothing is guessed."""
    sample, keys = PLANES["lambert"]
    found = described(message(sample, **keys))
    assert found.bbox is None
    assert any("name the place by hand" in note for note in found.notes)


def test_rows_of_different_length_around_a_rotated_pole_are_global(described: Callable[..., Facts]) -> None:
    """Scattered points all around the globe, less than a cell apart, leave no gap."""
    keys = {"latitudeOfSouthernPoleInDegrees": -37.5, "longitudeOfSouthernPoleInDegrees": 357.5}
    assert sides(described(message("reduced_rotated_gg_sfc_grib2", **keys))) == (-180, -90, 180, 90)


@pytest.mark.parametrize("kind", ["space_view", "transverse_mercator", "healpix"])
def test_grids_that_cannot_be_laid_out_have_no_place(kind: str, described: Callable[..., Facts]) -> None:
    """A grid that neither the library nor a projection places leaves the box open, with a sentence."""
    found = described(message("GRIB2", gridType=kind))
    assert found.bbox is None
    assert any("name the place by hand" in note for note in found.notes)


def test_times_run_over_all_steps(described: Callable[..., Facts]) -> None:
    """The period is that of validity, as numbers: step 12 comes after step 6, and the analysis time is kept apart."""
    steps = [message(dataDate=20240131, dataTime=1200, stepRange=step) for step in ("6", "12", "0", "18")]
    found = described(*steps)
    assert found.period is not None
    assert (found.period.begin, found.period.end) == ("2024-01-31T12:00:00", "2024-02-01T06:00:00")
    assert found.temporal_resolution == "PT6H"
    assert found.messages is not None
    assert found.messages.reference == ("2024-01-31T12:00:00", "2024-01-31T12:00:00")


def test_a_climatology_has_no_period(described: Callable[..., Facts]) -> None:
    """Year 255 stands for any year."""
    found = described(message(year=255))
    assert found.period is None
    assert any("climatology" in note for note in found.notes)


def test_levels_and_editions_are_gathered(described: Callable[..., Facts]) -> None:
    """One parameter on several levels is one variable that names them; both editions may stand in one file."""
    fields = [message("regular_ll_pl_grib2", shortName="t", level=level) for level in (850, 500, 1000)]
    found = described(*fields, message("regular_ll_sfc_grib1"))
    assert found.variables[0].level == "isobaricInhPa 500, 850, 1000"
    assert found.format == "GRIB1 and GRIB2"
    assert found.messages is not None
    assert found.messages.count == 4


def test_fields_of_a_message_are_all_seen(described: Callable[..., Facts], tmp_path: Path) -> None:
    """A GRIB2 message may hold several fields by repeating sections 4 to 7; none of them is lost."""
    handles = [eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2") for _ in range(2)]
    multi = eccodes.codes_grib_multi_new()
    for handle, name in zip(handles, ("u", "v"), strict=True):
        eccodes.codes_set(handle, "shortName", name)
        eccodes.codes_grib_multi_append(handle, 4, multi)
    with (tmp_path / "multi").open("wb") as out:
        eccodes.codes_grib_multi_write(multi, out)
    eccodes.codes_grib_multi_release(multi)
    for handle in handles:
        eccodes.codes_release(handle)
    eccodes.codes_grib_multi_support_off()  # making one turned it on; a process that reads has it off
    found = described((tmp_path / "multi").read_bytes())
    assert [each.name for each in found.variables] == ["u", "v"]


def test_only_so_many_fields_are_read(described: Callable[..., Facts]) -> None:
    """A file of very many fields is described from the first ones, and says so."""
    found = described(*[message()] * 4, limits=Limits(messages=3))
    assert found.messages is not None
    assert found.messages.count == 3
    assert any("first 3 fields" in note for note in found.notes)


@pytest.mark.parametrize("sample", ["regular_ll_sfc_grib1", "regular_ll_sfc_grib2"])
def test_a_file_cut_off_anywhere_is_refused(sample: str, described: Callable[..., Facts]) -> None:
    """A download that broke off looks like a shorter forecast; the lengths in the messages tell."""
    one = message(sample)
    for cut in (1, 5, len(one) // 2, len(one) - 16):
        with pytest.raises(InvalidInput, match="cut off in message 2"):
            described(one, one[:-cut])
    with pytest.raises(InvalidInput, match=r"cut off|damaged"):
        described(one, one[:12])


def test_a_message_with_a_wrong_end_is_refused(described: Callable[..., Facts]) -> None:
    """A length that leads elsewhere than to 7777 is damage, not a place to go on from."""
    with pytest.raises(InvalidInput, match="damaged"):
        described(message()[:-4] + b"7778")


def test_bulletin_headers_between_messages_are_passed_over(described: Callable[..., Facts]) -> None:
    """Messages from the telecommunication system have lines of text around them."""
    found = described(b"\x01\r\r\n001\r\r\nHTXX01\r\r\n", message(), b"\r\r\n\x03" + b"x" * 70_000, message())
    assert found.messages is not None
    assert found.messages.count == 2
