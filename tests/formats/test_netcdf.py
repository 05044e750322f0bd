"""What a NetCDF file says of place and time, in the ways files really say it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest

from connector.errors import InvalidInput
from connector.formats import Facts, Limits, describe
from connector.formats.gridded import classic, netcdf
from tests.formats.cffiles import EAST, NORTH, Model, lattice, put, read, sides, write


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Facts]:
    """Return a function that writes a file and reads it."""
    return lambda fill, model="NETCDF4", **attributes: read(tmp_path / "x.nc", fill, model, **attributes)


def test_a_grid_across_the_antimeridian_crosses_it(described: Callable[..., Facts]) -> None:
    """West is greater than east, and the box is not the whole globe."""

    def fill(file: Any) -> None:
        put(file, "lat", ("lat",), [-20.0, -15.0], **NORTH)
        put(file, "lon", ("lon",), [170.0, 175.0, 180.0, 185.0, 190.0], **EAST)

    assert sides(described(fill)) == (167.5, -22.5, -167.5, -12.5)


def test_a_swath_is_the_box_of_its_positions(described: Callable[..., Facts]) -> None:
    """Two-dimensional positions, some missing, across 180 degrees; sub-points of the satellite are not positions."""

    def fill(file: Any) -> None:
        lon = np.array([[178.0, 179.0, -179.0], [178.5, 179.5, np.nan]])
        put(file, "latitude", ("y", "x"), [[1.0, 1.5, 2.0], [2.0, 2.5, np.nan]], **NORTH)
        put(file, "longitude", ("y", "x"), lon, **EAST)
        put(file, "subpoint_lat", (), 0.0, standard_name="latitude", units="degrees_north")
        put(file, "subpoint_lon", (), 75.0, standard_name="longitude", units="degrees_east")

    found = described(fill)
    assert sides(found) == (178.0, 1.0, -179.0, 2.5)
    assert found.grids[0].kind == "curvilinear"


def test_coordinates_in_groups_are_found(described: Callable[..., Facts]) -> None:
    """Satellite products hide everything in groups; names of variables then carry their group."""

    def fill(file: Any) -> None:
        lattice(file.createGroup("PRODUCT"))

    found = described(fill)
    assert sides(found) == (4.5, 39.5, 8.5, 42.5)
    assert [each.name for each in found.variables] == ["PRODUCT/tas"]


def test_stations_are_points(described: Callable[..., Facts]) -> None:
    """Latitude and longitude along one dimension are positions, not the axes of a grid: no half cells are added."""

    def fill(file: Any) -> None:
        put(file, "lat", ("station",), [50.0, 10.0], **NORTH)
        put(file, "lon", ("station",), [10.0, 20.0], **EAST)

    assert sides(described(fill)) == (10.0, 10.0, 20.0, 50.0)


@pytest.mark.parametrize("named", [True, False])
def test_a_single_position_counts_when_data_refer_to_it(named: bool, described: Callable[..., Facts]) -> None:
    """A scalar position is that of a station when data name it, else it may be anything, and the place stays open."""

    def fill(file: Any) -> None:
        put(file, "lat", (), 47.0, **NORTH)
        put(file, "lon", (), 11.0, **EAST)
        put(file, "t2m", ("time",), [1.0, 2.0], **({"coordinates": "lat lon"} if named else {}))

    found = described(fill)
    if named:
        assert sides(found) == (11.0, 47.0, 11.0, 47.0)
    else:
        assert found.bbox is None


def test_a_projected_grid_is_transformed_at_its_cell_edges(described: Callable[..., Facts]) -> None:
    """A UTM grid in kilometres without positions gets a box, its EPSG code and its resolution in metres."""

    def fill(file: Any) -> None:
        put(file, "x", ("x",), [499.0, 500.0, 501.0], standard_name="projection_x_coordinate", units="km")
        put(file, "y", ("y",), [5001.0, 5000.0, 4999.0], standard_name="projection_y_coordinate", units="km")
        put(file, "crs", (), 0, grid_mapping_name="transverse_mercator", spatial_ref="EPSG:32632", crs_wkt="EPSG:32632")
        put(file, "z", ("y", "x"), np.zeros((3, 3)), grid_mapping="crs")

    found = described(fill)
    assert sides(found) == pytest.approx((8.98096, 45.14003, 9.01904, 45.16706), abs=1e-4)
    assert (found.epsg, found.spatial_resolution_metres) == (32632, 1000.0)
    assert found.bbox is not None
    assert found.bbox.basis == "edges"


def test_geostationary_angles_become_degrees(described: Callable[..., Facts]) -> None:
    """The full disc of a geostationary satellite: most of its border is space, so the box is from within and marked."""

    def fill(file: Any) -> None:
        angles = np.linspace(-0.151, 0.151, 101)
        names = "projection_x_coordinate", "projection_y_coordinate"
        for axis, name in zip("xy", names, strict=True):
            put(file, axis, (axis,), angles, standard_name=name, units="rad")
        mapping = {
            "grid_mapping_name": "geostationary",
            "perspective_point_height": 35_786_023.0,
            "semi_major_axis": 6378137.0,
            "semi_minor_axis": 6356752.31414,
            "longitude_of_projection_origin": -75.0,
            "sweep_angle_axis": "x",
        }
        put(file, "goes", (), 0, **mapping)
        put(file, "rad", ("y", "x"), np.zeros((101, 101), "f4"), grid_mapping="goes")

    found = described(fill)
    assert found.bbox is not None
    assert found.bbox.approximate
    assert sides(found) == pytest.approx((-156.0, -81.0, 6.0, 81.0), abs=3.0)


def test_missing_coordinates_leave_the_place_open(described: Callable[..., Facts]) -> None:
    """No coordinates, no box: the provider is asked, attributes are not believed."""
    found = described(lambda file: put(file, "a", ("n",), [1.0]), geospatial_lat_min=0.0)
    assert (found.bbox, found.period) == (None, None)
    assert any("name the place by hand" in note for note in found.notes)
    assert any("state the period by hand" in note for note in found.notes)


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ((4.5, 39.5, 8.5, 42.5), None),
        ((5.0, 40.0, 8.0, 42.0), None),
        ((-180.0, -90.0, 180.0, 90.0), "claim longitudes -180 to 180"),
        ((364.5, 39.5, 368.5, 42.5), None),
        ((5.0, 42.0, 8.0, 40.0), "no place on Earth"),
        ((0.0, 0.0, 0.0, 0.0), "claim longitudes 0 to 0"),
    ],
)
def test_claimed_extents_are_compared(
    claim: tuple[float, ...], said: str | None, described: Callable[..., Facts]
) -> None:
    """Centres or edges are both honest; anything else is told, and the coordinates are taken in every case."""
    names = ("geospatial_lon_min", "geospatial_lat_min", "geospatial_lon_max", "geospatial_lat_max")
    found = described(lattice, **dict(zip(names, claim, strict=True)))
    assert sides(found) == (4.5, 39.5, 8.5, 42.5)
    claims = [note for note in found.notes if "global attributes" in note]
    assert bool(claims) == (said is not None)
    assert said is None or said in claims[0]


def test_a_claimed_period_is_used_only_without_a_coordinate(described: Callable[..., Facts]) -> None:
    """Without a time coordinate the attributes stand in, marked; with one they are compared."""
    claim = {"time_coverage_start": "2019-01-01T00:00:00Z", "time_coverage_end": "2019-12-31T00:00:00Z"}
    found = described(lattice, **claim)
    assert found.period is not None
    assert (found.period.begin, found.period.end, found.period.basis) == ("2019-01-01", "2019-12-31", "attribute")

    def with_time(file: Any) -> None:
        lattice(file)
        put(file, "time", ("time",), [0, 1, 2], units="days since 2020-01-01", standard_name="time")

    found = described(with_time, **claim)
    assert found.period is not None
    assert found.period.basis == "coordinate"
    assert any("claim the period 2019-01-01" in note for note in found.notes)


@pytest.mark.parametrize(
    ("axis", "wanted"),
    [
        (([0, 6, 12], "standard", ""), ("2000-01-01T00:00:00", "2000-01-01T12:00:00", "coordinate")),
        (([12, 36, 60], "standard", "time: mean"), ("2000-01-01T00:00:00", "2000-01-04T00:00:00", "derived")),
        (([360, 1080, 1800], "360_day", "time: mean"), ("2000-01-01T00:00:00", "2000-04-01T00:00:00", "derived")),
        (([0, 24 * 59], "360_day", ""), ("2000-01-01T00:00:00", "2000-02-29T00:00:00", "coordinate")),
    ],
    ids=["instants", "daily-means", "monthly-means", "30-february"],
)
def test_periods_fit_the_calendar_and_the_cells(
    axis: tuple[list[int], str, str], wanted: tuple[str, str, str], described: Callable[..., Facts]
) -> None:
    """Instants stay, means are widened to their step, months to whole months, 30 February becomes the 29th."""
    values, calendar, methods = axis

    def fill(file: Any) -> None:
        put(file, "time", ("time",), values, units="hours since 2000-01-01", calendar=calendar)
        put(file, "a", ("time",), np.zeros(len(values)), cell_methods=methods)

    period = described(fill).period
    assert period is not None
    assert (period.begin, period.end, period.basis) == wanted


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ("days since 0001-01-01", "climatology"),
        ("fortnights since 2000-01-01", "cannot be read"),
        ("days since the flood", "cannot be read"),
        ("days since 2000-13-45", "cannot be read"),
    ],
)
def test_times_of_no_year_give_no_period(units: str, said: str, described: Callable[..., Facts]) -> None:
    """Climatologies in year 1 and units that are none leave the period open, and say why."""
    found = described(lambda file: put(file, "time", ("time",), [0.0, 30.0], units=units))
    assert found.period is None
    assert any(said in note for note in found.notes)


def test_julian_dates_are_turned_into_ours(described: Callable[..., Facts]) -> None:
    """The standard calendar is Julian before October 1582; RDF is not."""
    found = described(lambda file: put(file, "time", ("time",), [0.0], units="days since 1500-01-01"))
    assert found.period is not None
    assert (found.period.first, found.period.begin) == ("1500-01-01T00:00:00", "1500-01-10T00:00:00")


@pytest.mark.parametrize("model", ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"])
def test_a_classic_file_without_its_end_is_refused(model: Model, tmp_path: Path) -> None:
    """The library reads zeros beyond the end; the sizes in the header tell. Whole files pass, with records too."""
    path = tmp_path / "x.nc"
    with netCDF4.Dataset(path, "w", format=model) as file:
        file.createDimension("time", None)
        put(file, "short", ("time",), np.zeros(3, "i2"))
        put(file, "b", ("time", "x"), np.zeros((3, 5), "i1"), note="x")
        put(file, "fixed", ("y",), np.arange(100.0))
    assert netcdf.read(path, Limits()).format.startswith("NetCDF-3")
    whole = path.read_bytes()
    for cut in (len(whole) - 5, len(whole) - 100, len(whole) // 2, 40, 9):
        path.write_bytes(whole[:cut])
        with pytest.raises(InvalidInput, match=r"cut off|ends within|broken"):
            netcdf.read(path, Limits())


def test_one_record_variable_is_not_padded(tmp_path: Path) -> None:
    """The exception in the classic format: a single record variable of small values has no padding between records."""
    path = tmp_path / "x.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("time", None)
        put(file, "only", ("time", "x"), np.ones((4, 3), "i1"))
    assert netcdf.read(path, Limits()).variables[0].shape == (4, 3)


def test_an_hdf5_file_without_its_end_is_refused(tmp_path: Path) -> None:
    """A cut-off NetCDF-4 file is called that."""
    path = tmp_path / "x.nc"
    with netCDF4.Dataset(path, "w") as file:
        lattice(file)
    whole = path.read_bytes()
    for cut in (len(whole) - 100, len(whole) // 2, 64, 8):
        path.write_bytes(whole[:cut])
        with pytest.raises(InvalidInput, match="cut off"):
            netcdf.read(path, Limits())


def test_packed_values_and_attributes_come_out(described: Callable[..., Facts]) -> None:
    """Titles, licence, creator and keywords are hints for the record; packing changes neither name nor unit."""
    found = described(
        lattice,
        title="A\n  title\x00",
        summary="What it is",
        license="CC BY 4.0",
        creator_name="Ada",
        institution="The Institute",
        keywords="EARTH SCIENCE > ATMOSPHERE, wind; rain",
        Conventions="CF-1.9",
    )
    assert found.title == "A title"
    assert (found.description, found.licence, found.creator) == ("What it is", "CC BY 4.0", "Ada")
    assert (found.publisher, found.conforms_to) == ("The Institute", "CF-1.9")
    assert found.keywords == ("EARTH SCIENCE > ATMOSPHERE", "wind", "rain")
    assert [(each.name, each.unit, each.shape) for each in found.variables] == [("tas", "K", (3, 4))]


def test_ten_gigabytes_of_a_classic_file_are_read_in_the_time_of_their_header(tmp_path: Path) -> None:
    """A file with a huge variable, most of it a hole, is described by its header and coordinates."""
    path = tmp_path / "x.nc"

    def fill(file: Any) -> None:
        lattice(file)
        file.set_fill_off()
        file.createDimension("n", 1 << 31)
        file.createVariable("huge", "f8", ("n",))

    write(path, fill, "NETCDF3_64BIT_DATA")
    with path.open("r+b") as file:
        file.truncate(classic.required_size(path))
    assert path.stat().st_size > 16 << 30
    found = describe(path, limits=Limits(cpu_seconds=2, memory_bytes=1 << 30, bytes_per_second=1 << 40))
    assert sides(found) == (4.5, 39.5, 8.5, 42.5)
    assert {each.name: each.shape for each in found.variables}["huge"] == (1 << 31,)
