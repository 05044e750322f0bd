"""Rectangles in projected and rotated systems, against closed formulas."""

import math
from functools import cache

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.formats.coordinates.crs import (
    Rectangle,
    epsg,
    extent,
    from_cf,
    from_wkt,
    metres_per_unit,
    name,
    on_earth,
)

POLE_LATITUDE = st.sampled_from([20.0, 37.5, 80.0])


@cache
def rotated(pole: float) -> pyproj.CRS:
    """Return a rotated pole grid whose pole lies on 180 degrees, so that its zero meridian is ours."""
    found = from_cf(
        {
            "grid_mapping_name": "rotated_latitude_longitude",
            "grid_north_pole_latitude": pole,
            "grid_north_pole_longitude": 180.0,
            "earth_radius": 6371229.0,
        }
    )
    assert found is not None
    return found


@settings(max_examples=40)
@given(POLE_LATITUDE, st.integers(-60, 0), st.integers(5, 30), st.integers(1, 25), st.integers(5, 40))
def test_a_rotated_grid_reaches_as_far_north_as_the_formula_says(
    pole: float, south: int, height: int, left: int, right: int
) -> None:
    """sin(lat) = sin(y) sin(p) + cos(y) cos(p) cos(x): the highest point of the upper edge is on the zero meridian."""
    top = south + height
    found = extent(rotated(pole), Rectangle(-left, south, right, top))
    assert found is not None
    x, y = np.radians(np.linspace(-left, right, 20_001)), np.radians([[south], [top]])
    p = np.radians(pole)
    latitudes = np.degrees(np.arcsin(np.clip(np.sin(y) * np.sin(p) + np.cos(y) * np.cos(p) * np.cos(x), -1, 1)))
    wanted = 90.0 if south < pole < top else latitudes.max()
    assert found.north == pytest.approx(wanted, abs=1e-3)


@settings(max_examples=40)
@given(st.integers(0, 59), st.integers(-75, 75))
def test_a_mercator_rectangle_is_the_box_it_was_made_from(west: int, south: int) -> None:
    """A cylindrical projection keeps rectangles: there and back gives the same box, across 180 degrees too."""
    crs = pyproj.CRS.from_proj4("+proj=merc +lon_0=150 +ellps=WGS84")
    project = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    left, bottom = project.transform(150 + west - 30, south)
    right, top = project.transform(150 + west, south + 5)
    found = extent(crs, Rectangle(left, bottom, right, top))
    assert found is not None
    sides = (
        (found.west - (120 + west)) % 360,
        found.south - south,
        (found.east - (150 + west)) % 360,
        found.north - south,
    )
    assert np.minimum(sides[::2], 360 - np.array(sides[::2])) == pytest.approx([0, 0], abs=1e-5)
    assert sides[1::2] == pytest.approx((0, 5), abs=1e-5)


def test_systems_are_named_by_their_registered_code() -> None:
    """EPSG code and OGC address where there are any, the name else, nothing for what has no name."""
    utm = pyproj.CRS.from_epsg(32632)
    assert (epsg(utm), name(utm)) == (32632, "http://www.opengis.net/def/crs/EPSG/0/32632")
    own = pyproj.CRS.from_proj4("+proj=laea +lat_0=33 +lon_0=4 +R=6371229")
    assert (epsg(own), name(own)) == (None, None)
    assert metres_per_unit(utm) == 1.0
    assert metres_per_unit(pyproj.CRS.from_epsg(2263)) == pytest.approx(0.3048006)
    assert metres_per_unit(pyproj.CRS.from_epsg(4326)) is None


def test_other_bodies_are_not_the_earth() -> None:
    """Mars has no place in a catalogue of the Earth; model spheres of the Earth have."""
    assert not on_earth(pyproj.CRS.from_proj4("+proj=longlat +R=3396190"))
    assert extent(pyproj.CRS.from_proj4("+proj=longlat +R=3396190"), Rectangle(0, 0, 1, 1)) is None
    assert on_earth(pyproj.CRS.from_proj4("+proj=longlat +R=6367470"))


def test_what_is_no_system_is_none() -> None:
    """Unreadable text or a mapping without its parameters is not an exception."""
    assert from_wkt("nonsense") is None
    assert from_cf({"grid_mapping_name": "made_up"}) is None
    assert from_cf({}) is None


def test_heights_do_not_matter() -> None:
    """A compound system has the box of its horizontal part."""
    flat = extent(pyproj.CRS.from_epsg(4326), Rectangle(6, 0, 7, 1))
    assert flat is not None
    found = extent(pyproj.CRS.from_epsg(9518), Rectangle(6, 0, 7, 1))
    assert found is not None
    assert (found.west, found.south, found.east, found.north) == pytest.approx((6, 0, 7, 1), abs=1e-6)
    assert (flat.west, flat.south, flat.east, flat.north) == (6, 0, 7, 1)


def test_degrees_elsewhere_than_greenwich() -> None:
    """A system that counts from Paris is shifted, not taken as it is."""
    found = extent(pyproj.CRS.from_epsg(4807), Rectangle(0, 50, 1, 51))
    assert found is not None
    assert found.west == pytest.approx(2.336, abs=0.01)


def mollweide(y: float) -> float:
    """Return the latitude of a line in the map of Mollweide on the ellipsoid's equatorial sphere."""
    angle = math.asin(y / (math.sqrt(2.0) * 6_378_137.0))
    return math.degrees(math.asin((2 * angle + math.sin(2 * angle)) / math.pi))


@pytest.mark.parametrize(
    ("text", "rectangle", "sides"),
    [
        ("ESRI:54009", (-18_041_000, -9_000_000, 18_041_000, 9_000_000), (-180, -mollweide(9e6), 180, mollweide(9e6))),
        ("ESRI:54009", (-18_041_000, 0, 18_041_000, 9_020_048), (-180, 0, 180, 90)),
        ("ESRI:54009", (0, 1e6, 18_041_000, 2e6), (0, mollweide(1e6), 180, mollweide(2e6))),
        ("+proj=moll +lon_0=180", (-18_041_000, -1e6, 18_041_000, 1e6), (-180, -mollweide(1e6), 180, mollweide(1e6))),
        ("+proj=sinu", (-20_037_509, -10_018_755, 20_037_509, 10_018_755), (-180, -90, 180, 90)),
        ("+proj=ortho +lat_0=90", (-6_378_137, -6_378_137, 6_378_137, 6_378_137), (-180, 0, 180, 90)),
    ],
)
def test_a_map_of_the_whole_globe_is_the_whole_globe(
    text: str, rectangle: tuple[float, ...], sides: tuple[float, ...]
) -> None:
    """Most of the rectangle's border is no place on Earth: the map's own edge decides, and the box says so."""
    found = extent(pyproj.CRS.from_user_input(text), Rectangle(*rectangle))
    assert found is not None
    assert found.approximate
    assert (found.west, found.south, found.east, found.north) == pytest.approx(sides, abs=1e-3)
