"""Where values lie: curvilinear grids, swaths, meshes, tracks, projections, and files that say little."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyproj
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.formats import Facts, Limits
from tests.formats.cffiles import EAST, NORTH, lattice, put, read, sides

CENTRES: Final = "goes through the centres"


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Facts]:
    """Return a function that writes a file and reads it."""
    return lambda fill, **more: read(tmp_path / "x.nc", fill, **more)


def positions(file: Any, lat: Any, lon: Any, axes: tuple[str, ...] = ("y", "x"), **more: Any) -> None:
    """Add two-dimensional latitudes and longitudes, and data on them."""
    put(file, "lat", axes, np.asarray(lat, dtype="f8"), **NORTH, **more)
    put(file, "lon", axes, np.asarray(lon, dtype="f8"), **EAST, **more)
    put(file, "ice", axes, np.zeros(np.shape(lat)), coordinates="lat lon")


def turned(lon: Any) -> Any:
    """Return longitudes in -180..180."""
    return (np.asarray(lon) + 180.0) % 360.0 - 180.0


def test_a_curvilinear_grid_is_that_of_its_centres_and_says_so(described: Callable[..., Facts]) -> None:
    """Without corners of cells the edges cannot be known."""
    found = described(lambda file: positions(file, [[1, 1.5], [2, 2.5]], [[178, 179.5], [178.5, -179]]))
    assert sides(found) == (178.0, 1.0, -179.0, 2.5)
    assert found.bbox is not None
    assert found.bbox.basis == "centres"
    assert any(CENTRES in note for note in found.notes)


def test_corners_of_curvilinear_cells_are_taken(described: Callable[..., Facts]) -> None:
    """With bounds of four corners the box reaches the edges, though some corners are missing."""

    def fill(file: Any) -> None:
        lat, lon = np.meshgrid([10.0, 11.0], [20.0, 21.0, 22.0], indexing="ij")
        positions(file, lat, lon)
        for name, values, turns in (("lat", lat, (-1, -1, 1, 1)), ("lon", lon, (-1, 1, 1, -1))):
            corners = np.stack([values + 0.5 * turn for turn in turns], axis=-1)
            corners[0, 0, 2] = np.nan
            put(file, f"{name}_corners", ("y", "x", "four"), corners)
            file[name].bounds = f"{name}_corners"

    found = described(fill)
    assert sides(found) == (19.5, 9.5, 22.5, 11.5)
    assert found.bbox is not None
    assert (found.bbox.basis, [each.name for each in found.variables]) == ("bounds", ["ice"])


@pytest.mark.parametrize("roll", [0, 7, 100, 180, 359])
def test_a_global_ocean_grid_is_closed(roll: int, described: Callable[..., Facts]) -> None:
    """A grid whose last column neighbours its first leaves no gap, wherever it is cut; it ends before the poles."""
    lat, lon = np.meshgrid(np.arange(-70.0, 71.0), np.arange(73.0, 433.0), indexing="ij")
    found = described(
        lambda file: positions(file, lat + 0.1 * np.sin(np.radians(lon)), np.roll(turned(lon), roll, axis=1))
    )
    assert sides(found) == pytest.approx((-180.0, -70.1, 180.0, 70.1), abs=1e-3)


def test_a_grid_with_rows_around_the_poles_reaches_them(described: Callable[..., Facts]) -> None:
    """A global grid with two-dimensional positions ends half a row from the poles: nothing lies beyond."""
    lat, lon = np.meshgrid(np.arange(-89.0, 90.0, 2.0), np.arange(1.0, 360.0, 2.0), indexing="ij")
    assert sides(described(lambda file: positions(file, lat, lon))) == (-180.0, -90.0, 180.0, 90.0)
    assert sides(described(lambda file: positions(file, lat.T, lon.T))) == (-180.0, -90.0, 180.0, 90.0)


def test_an_ocean_grid_with_two_northern_poles_holds_the_north_pole_only(described: Callable[..., Facts]) -> None:
    """Its border runs around once, half of it in the south: which pole it holds is told by the whole grid."""
    lat, lon = np.meshgrid(np.arange(-78.0, 66.0, 2.0), np.arange(1.0, 361.0, 2.0), indexing="ij")
    # The cap: rows close in on a line between two poles at 66 N, so that the top row runs there and back.
    half = lon.shape[1] // 2
    ahead = np.radians(np.linspace(-89, 89, half))
    cap_lat = 90 - 24 * np.abs(np.sin(ahead))
    cap_lon = np.where(ahead < 0, 1.0, 181.0)
    top = np.concatenate([cap_lat, cap_lat[::-1]]), np.concatenate([cap_lon, cap_lon[::-1]])
    found = described(lambda file: positions(file, np.vstack([lat, top[0]]), np.vstack([lon, top[1]])))
    assert (found.bbox and found.bbox.west, found.bbox and found.bbox.east) == (-180.0, 180.0)
    assert found.bbox is not None
    assert found.bbox.south == -78.0


def test_a_polar_grid_holds_its_pole(described: Callable[..., Facts]) -> None:
    """A grid laid over a pole has all longitudes and reaches 90 degrees, of the south as of the north."""
    x, y = np.meshgrid(np.arange(-9.5, 10.0), np.arange(-9.5, 10.0))
    lat, lon = 90.0 - np.hypot(x, y), np.degrees(np.arctan2(x, -y))
    north, south = (described(lambda file, sign=sign: positions(file, sign * lat, lon)) for sign in (1, -1))
    assert sides(north) == pytest.approx((-180.0, lat.min(), 180.0, 90.0))
    assert sides(south) == pytest.approx((-180.0, -90.0, 180.0, -lat.min()))


def test_a_full_disc_with_positions_is_that_of_its_earth(described: Callable[..., Facts]) -> None:
    """Positions off the disc are missing, the corners first of all."""
    y, x = np.mgrid[-1:1:41j, -1:1:41j]
    off = np.hypot(x, y) > 0.99
    lat, lon = np.where(off, np.nan, 75 * y), np.where(off, np.nan, 10 + 75 * x)
    assert sides(described(lambda file: positions(file, lat, lon))) == pytest.approx((-61.25, -71.25, 81.25, 71.25))


def test_where_the_satellite_was_is_not_where_it_looked(described: Callable[..., Facts]) -> None:
    """Positions of pixels (time, line, pixel) in one group, the track of the satellite (time, line) in another."""

    def fill(file: Any) -> None:
        product = file.createGroup("PRODUCT")
        for name, named, more, values in (
            ("latitude", "latitude", NORTH, [[[10.0, 10.5], [11.0, 11.5]]]),
            ("longitude", "longitude", EAST, [[[20.0, 21.0], [20.0, 21.0]]]),
        ):
            put(product, name, ("time", "scanline", "ground_pixel"), values, standard_name=named, **more)
        put(product, "no2", ("time", "scanline", "ground_pixel"), np.zeros((1, 2, 2)))
        inner = product.createGroup("SUPPORT_DATA").createGroup("GEOLOCATIONS")
        put(inner, "satellite_latitude", ("time", "scanline"), [[-60.0, 60.0]], **NORTH)
        put(inner, "satellite_longitude", ("time", "scanline"), [[0.0, 90.0]], **EAST)

    found = described(fill)
    assert sides(found) == (20.0, 10.0, 21.0, 11.5)
    assert found.bbox is not None
    assert (found.bbox.basis, found.grids[0].kind) == ("centres", "curvilinear")


def test_tracks_are_points_and_not_a_grid(described: Callable[..., Facts]) -> None:
    """Positions along (trajectory, observation) are no grid: a ship around the pole does not hold it."""
    lon = np.linspace(-170, 180, 36).reshape(2, 18)

    def fill(file: Any) -> None:
        positions(file, np.full((2, 18), 70.0), lon, ("trajectory", "obs"))

    found = described(fill, featureType="trajectory")
    assert found.bbox is not None
    assert (found.bbox.basis, found.bbox.north, found.grids[0].kind) == ("points", 70.0, "points")


def test_radians_are_turned_into_degrees(described: Callable[..., Facts]) -> None:
    """Weather models on triangles have centres and corners in radians, along one axis; other points come first."""

    def fill(file: Any) -> None:
        lat, lon = np.radians([10.0, 11.0, 12.0]), np.radians([20.0, 21.0, 22.0])
        put(file, "elat", ("edge",), np.radians(np.linspace(-80, 80, 9)), standard_name="latitude", units="radian")
        put(file, "elon", ("edge",), np.radians(np.linspace(0, 80, 9)), standard_name="longitude", units="radian")
        for name, values in (("clat", lat), ("clon", lon)):
            named = {"clat": "latitude", "clon": "longitude"}[name]
            put(file, name, ("ncells",), values, standard_name=named, units="radian", bounds=f"{name}_vertices")
            shifts = np.radians([-0.5, 0.0, 0.5])
            put(file, f"{name}_vertices", ("ncells", "nv"), values[:, None] + shifts)
        put(file, "t", ("ncells",), np.zeros(3), coordinates="clat clon", CDI_grid_type="unstructured")

    found = described(fill)
    assert sides(found) == pytest.approx((19.5, 9.5, 22.5, 12.5))
    assert found.bbox is not None
    assert (found.bbox.basis, found.grids[0].kind) == ("bounds", "unstructured")


def mesh(file: Any, lat: Any, lon: Any) -> None:
    """Add a mesh after UGRID, with fewer nodes than faces."""
    topology = {"cf_role": "mesh_topology", "topology_dimension": 2, "node_coordinates": "node_x node_y"}
    put(file, "Mesh", (), 0, **topology, face_node_connectivity="face_nodes", face_coordinates="face_x face_y")
    put(file, "node_x", ("node",), lon, **EAST)
    put(file, "node_y", ("node",), lat, **NORTH)
    put(file, "face_x", ("face",), np.tile(np.mean(lon), 2 * len(lon)), **EAST)
    put(file, "face_y", ("face",), np.tile(np.mean(lat), 2 * len(lat)), **NORTH)
    put(file, "face_nodes", ("face", "three"), np.zeros((2 * len(lon), 3), "i4"), cf_role="face_node_connectivity")
    put(file, "depth", ("face",), np.zeros(2 * len(lon)), mesh="Mesh", location="face", coordinates="face_x face_y")


def test_a_mesh_reaches_its_nodes(described: Callable[..., Facts]) -> None:
    """Cells lie between the nodes: their box is exact, and neither connectivity nor topology is a variable."""
    found = described(lambda file: mesh(file, np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 7.0])))
    assert sides(found) == (5.0, 1.0, 7.0, 3.0)
    assert found.bbox is not None
    assert (found.bbox.basis, [each.name for each in found.variables]) == ("bounds", ["depth"])


def test_a_global_mesh_is_closed(described: Callable[..., Facts]) -> None:
    """Thousands of nodes all around leave gaps smaller than a cell: no box across 180 that lacks a sliver."""
    count = 4000
    lat = np.degrees(np.arcsin(np.linspace(-1, 1, count)))
    lon = turned(np.arange(count) * 137.507764)
    assert sides(described(lambda file: mesh(file, lat, lon))) == (-180.0, -90.0, 180.0, 90.0)

    def nodes_only(file: Any) -> None:
        put(file, "lat", ("nod2",), lat, **NORTH)
        put(file, "lon", ("nod2",), lon, **EAST)
        put(file, "sst", ("nod2",), np.zeros(count))

    assert sides(described(nodes_only)) == (-180.0, -90.0, 180.0, 90.0)


@given(st.lists(st.tuples(st.integers(-179, 180), st.integers(-89, 89)), min_size=2, max_size=12, unique=True))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stations_span_the_smallest_arc(described: Callable[..., Facts], places: list[tuple[int, int]]) -> None:
    """The box of stations holds all of them, and its complement is the widest gap between meridians."""

    def fill(file: Any) -> None:
        put(file, "lon", ("station",), [float(each[0]) for each in places], **EAST)
        put(file, "lat", ("station",), [float(each[1]) for each in places], **NORTH)

    west, south, east, north = sides(described(fill, featureType="timeSeries"))
    lon = sorted({each[0] % 360 for each in places})
    gaps = [(after - before) % 360 or 360 for before, after in zip(lon, [*lon[1:], lon[0]], strict=True)]
    assert all((each - west) % 360 <= (east - west) % 360 for each in lon)
    assert (east - west) % 360 == 360 - max(gaps)
    assert (south, north) == (min(each[1] for each in places), max(each[1] for each in places))


@given(st.integers(-180, 179), st.integers(2, 30), st.sampled_from([0.5, 1.0, 2.5]), st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_how_an_axis_is_written_does_not_matter(
    described: Callable[..., Facts], first: int, count: int, step: float, data: st.DataObject
) -> None:
    """Counted 0..360 or -180..180, rolled or reversed: a file of the same cells has the same box."""
    lon = first + step * np.arange(count)

    def box_of(values: Any) -> tuple[float, ...]:
        def fill(file: Any) -> None:
            put(file, "lat", ("lat",), [1.0, 2.0], **NORTH)
            put(file, "lon", ("lon",), values, **EAST)

        return sides(described(fill))

    rolled = np.roll(lon, data.draw(st.integers(0, count - 1))) if count > 3 else lon
    wanted = box_of(lon)
    for written in (lon % 360.0, turned(lon), rolled[::-1], turned(rolled)):
        assert box_of(written) == pytest.approx(wanted, abs=1e-6)


def test_bounds_count_for_each_axis_by_itself(described: Callable[..., Facts]) -> None:
    """A file with bounds of its latitudes only has these taken, and midpoints of the longitudes."""

    def fill(file: Any) -> None:
        lattice(file)
        put(file, "lat_bnds", ("lat", "two"), [[39.0, 40.5], [40.5, 41.5], [41.5, 43.0]])
        file["lat"].bounds = "lat_bnds"

    found = described(fill)
    assert sides(found) == (4.5, 39.0, 8.5, 43.0)
    assert found.bbox is not None
    assert found.bbox.basis == "midpoints"


def test_a_model_that_repeats_its_positions_in_time_has_one_grid(described: Callable[..., Facts]) -> None:
    """Three-dimensional positions that do not change are those of one grid, over the pole here."""
    x, y = np.meshgrid(np.arange(-9.5, 10.0), np.arange(-9.5, 10.0))
    lat, lon = (np.stack([each] * 3) for each in (90.0 - np.hypot(x, y), np.degrees(np.arctan2(x, -y))))

    def fill(file: Any) -> None:
        positions(file, lat, lon, ("Time", "south_north", "west_east"))

    assert sides(described(fill))[3] == 90.0


UTM: Final = {"grid_mapping_name": "transverse_mercator", "crs_wkt": "EPSG:32632", "spatial_ref": "EPSG:32632"}


@pytest.mark.parametrize("named", ["crs", "crs: x y", "/crs"])
def test_axes_without_standard_names_are_found_by_what_they_are_called(
    named: str, described: Callable[..., Facts]
) -> None:
    """With a grid mapping, x and y are the axes of the projection; the long form of the attribute names them, too."""

    def fill(file: Any) -> None:
        put(file, "x", ("x",), [499_000.0, 500_000.0, 501_000.0], units="m")
        put(file, "y", ("y",), [5_001_000.0, 5_000_000.0, 4_999_000.0], units="m")
        put(file, "crs", (), 0, **UTM)
        put(file, "z", ("y", "x"), np.zeros((3, 3)), grid_mapping=named)

    found = described(fill)
    assert sides(found) == pytest.approx((8.98096, 45.14003, 9.01904, 45.16706), abs=1e-4)
    assert (found.epsg, [each.name for each in found.variables]) == (32632, ["z"])


@pytest.mark.parametrize(
    "mapping",
    [
        {"grid_mapping_name": "lambert_conformal_conic", "standard_parallel": [33.0, 45.0]}
        | {"longitude_of_central_meridian": -97.0, "latitude_of_projection_origin": 39.0},
        {"grid_mapping_name": "polar_stereographic", "standard_parallel": 70.0}
        | {"straight_vertical_longitude_from_pole": -45.0, "latitude_of_projection_origin": 90.0},
        {"grid_mapping_name": "lambert_azimuthal_equal_area"}
        | {"longitude_of_projection_origin": 10.0, "latitude_of_projection_origin": 52.0},
        {"grid_mapping_name": "mercator", "standard_parallel": 20.0, "longitude_of_projection_origin": 180.0},
        {"grid_mapping_name": "sinusoidal", "longitude_of_projection_origin": 0.0},
        {"grid_mapping_name": "albers_conical_equal_area", "standard_parallel": [29.5, 45.5]}
        | {"longitude_of_central_meridian": -96.0, "latitude_of_projection_origin": 23.0},
    ],
    ids=lambda mapping: mapping["grid_mapping_name"],
)
def test_a_projected_grid_holds_all_its_cells(mapping: dict[str, Any], described: Callable[..., Facts]) -> None:
    """Every corner of every cell lies in the box, to a hair, and the box touches them on all sides."""
    x, y = np.arange(-9.5, 10.0) * 100_000 + 300_000, np.arange(-7.5, 8.0) * 100_000

    def fill(file: Any) -> None:
        put(file, "x", ("x",), x, standard_name="projection_x_coordinate", units="m")
        put(file, "y", ("y",), y, standard_name="projection_y_coordinate", units="m")
        put(file, "crs", (), 0, **mapping)
        put(file, "z", ("y", "x"), np.zeros((y.size, x.size)), grid_mapping="crs")

    west, south, east, north = sides(described(fill))
    transformer = pyproj.Transformer.from_crs(pyproj.CRS.from_cf(mapping), "OGC:CRS84", always_xy=True)
    corners = np.meshgrid(np.append(x - 50_000, x[-1] + 50_000), np.append(y - 50_000, y[-1] + 50_000))
    lon, lat = (np.asarray(each).ravel() for each in transformer.transform(*corners))
    hair = 0.02  # the edges of cells bulge between the points that are transformed
    assert (south <= lat.min() + hair, north >= lat.max() - hair) == (True, True)
    if (west, east) == (-180.0, 180.0):
        assert mapping["grid_mapping_name"] == "polar_stereographic"
        return
    assert ((lon - west + hair) % 360 <= (east - west) % 360 + 2 * hair).all()
    assert lat.max() >= north - 2 * hair
    assert lat.min() <= south + 2 * hair


def test_a_projection_that_is_not_known_leaves_the_place_open(described: Callable[..., Facts]) -> None:
    """Axes of a projection without a grid mapping, or with one of no known name."""

    def fill(file: Any, **mapping: Any) -> None:
        put(file, "x", ("x",), [0.0, 1.0], standard_name="projection_x_coordinate", units="m")
        put(file, "y", ("y",), [0.0, 1.0], standard_name="projection_y_coordinate", units="m")
        put(file, "z", ("y", "x"), np.zeros((2, 2)), **({"grid_mapping": "crs"} if mapping else {}))
        if mapping:
            put(file, "crs", (), 0, **mapping)

    for made in (fill, lambda file: fill(file, grid_mapping_name="of_my_own")):
        found = described(made)
        assert found.bbox is None
        assert any("projection of the grid is not known" in note for note in found.notes)


def test_names_alone_are_taken_and_told(described: Callable[..., Facts]) -> None:
    """Variables that are only called lat and lon are the place, with a sentence; values that cannot be are not."""

    def fill(file: Any, factor: float = 1.0) -> None:
        put(file, "lat", ("lat",), np.array([40.0, 41.0, 42.0]) * factor)
        put(file, "lon", ("lon",), np.array([5.0, 6.0, 7.0, 8.0]) * factor)
        put(file, "t", ("lat", "lon"), np.zeros((3, 4)))

    found = described(fill)
    assert sides(found) == (4.5, 39.5, 8.5, 42.5)
    assert any("by the names or axes 'lat' and 'lon' only" in note for note in found.notes)
    assert [each.name for each in found.variables] == ["t"]
    assert described(lambda file: fill(file, 1000.0)).bbox is None


def test_degrees_along_axes_are_taken_and_told(described: Callable[..., Facts]) -> None:
    """An axis Y in plain degrees is taken for a latitude when nothing else is, with a sentence; metres are not."""

    def fill(file: Any, units: str = "degrees") -> None:
        put(file, "north", ("north",), [40.0, 41.0, 42.0], axis="Y", units=units)
        put(file, "east", ("east",), [5.0, 6.0, 7.0, 8.0], axis="X", units=units)
        put(file, "t", ("north", "east"), np.zeros((3, 4)))

    found = described(fill)
    assert sides(found) == (4.5, 39.5, 8.5, 42.5)
    assert any("'north' and 'east' only" in note for note in found.notes)
    assert described(lambda file: fill(file, "m")).bbox is None


def test_a_sphere_is_not_called_wgs_84(described: Callable[..., Facts]) -> None:
    """Degrees on the sphere of a model have words of their own; those of WGS 84 have its code."""

    def fill(file: Any, **mapping: Any) -> None:
        lattice(file)
        put(file, "crs", (), 0, grid_mapping_name="latitude_longitude", **mapping)
        file["tas"].grid_mapping = "crs"

    found = described(lambda file: fill(file, earth_radius=6_371_229.0))
    assert (found.crs, found.epsg) == ("geographic coordinates on a sphere of 6371229 m", None)
    plain = described(lambda file: fill(file, crs_wkt=pyproj.CRS(4326).to_wkt()))
    assert (plain.epsg, sides(plain)) == (4326, sides(found))


def test_positions_that_are_all_zero_are_no_place(described: Callable[..., Facts]) -> None:
    """Arrays that were made and never filled hold zeros; the sea off Africa is not where the data are."""
    found = described(lambda file: positions(file, np.zeros((2, 3)), np.zeros((2, 3))))
    assert found.bbox is None
    assert any("not filled in" in note for note in found.notes)


def test_many_positions_are_sampled(described: Callable[..., Facts]) -> None:
    """More positions than are read whole are sampled, both ends among them, and the box says so."""
    limits = Limits(coordinate_values=1000)

    def track(file: Any) -> None:
        put(file, "lat", ("obs",), np.linspace(-10, 10, 700_000), **NORTH)
        put(file, "lon", ("obs",), np.linspace(20, 40, 700_000), **EAST)

    def swath(file: Any) -> None:
        lat, lon = np.meshgrid(np.linspace(-10, 10, 900), np.linspace(20, 40, 800), indexing="ij")
        positions(file, lat, lon)

    for fill in (track, swath):
        found = described(fill, limits=limits)
        assert sides(found) == (20.0, -10.0, 40.0, 10.0)
        assert found.bbox is not None
        assert (found.bbox.basis, found.bbox.approximate) == ("sampled", True)
        assert any("sample" in note for note in found.notes)
