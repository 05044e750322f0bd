"""Boxes of geometries that stream by: the smallest arc, poles, other systems, and what is no place."""

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.formats.coordinates import footprint
from connector.formats.coordinates.footprint import Arcs, Footprint, joined
from tests.formats.vectors import sides, square

CRS84 = pyproj.CRS.from_user_input("OGC:CRS84")
LAEA = pyproj.CRS.from_epsg(3035)
POLAR = pyproj.CRS.from_epsg(3995)

arcs = st.lists(
    st.tuples(st.integers(-180, 180), st.integers(0, 360)).map(lambda each: (float(each[0]), float(each[1]))),
    min_size=1,
    max_size=12,
)


def covered(parts: list[tuple[float, float]]) -> set[float]:
    """Return the half degrees that the arcs hold, by trying each."""
    return {at / 2 for at in range(-360, 360) for west, span in parts if (at / 2 - west) % 360 <= span or span >= 360}


@given(arcs)
def test_the_smallest_arc_holds_all_and_no_other_is_smaller(parts: list[tuple[float, float]]) -> None:
    """Against every half degree of the circle: nothing is left out, and the widest gap is what is outside."""
    found = Arcs()
    for west, span in parts:
        found.add(np.array([west]), np.array([span]))
    west, east = found.smallest()
    span = 360.0 if (west, east) == (-180.0, 180.0) else (east - west) % 360
    inside = covered(parts)
    assert all((at - west) % 360 <= span or (at - west) % 360 > 360 - 1e-9 for at in inside)
    ordered = sorted(inside)
    gaps = [(two - one) % 360 for one, two in zip(ordered, [*ordered[1:], ordered[0] + 360], strict=True)]
    widest = max(gaps) if len(ordered) > 1 else 360.0
    assert span == pytest.approx(0 if len(ordered) == 1 else 360 - widest if widest > 0.5 else 360, abs=1e-9)


@given(arcs, st.integers(1, 5))
def test_the_order_and_the_number_of_steps_do_not_matter(parts: list[tuple[float, float]], size: int) -> None:
    """Arcs one by one, in groups and backwards are the same arc."""
    whole, grouped = Arcs(), Arcs()
    whole.add(*(np.array(each) for each in zip(*parts, strict=True)))
    backwards = parts[::-1]
    for at in range(0, len(parts), size):
        grouped.add(*(np.array(each) for each in zip(*backwards[at : at + size], strict=True)))
    assert whole.smallest() == grouped.smallest()


def test_many_arcs_take_no_more_memory_than_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of gaps the small ones are closed; the wide one stays outside."""
    monkeypatch.setattr(footprint, "ARCS_KEPT", 8)
    found = Arcs()
    for west in range(-100, 100):
        found.add(np.array([float(west)]), np.array([0.5]))
        assert found._low.size <= 8
    assert found.smallest() == (-100.0, 99.5)


def test_parts_cut_at_180_degrees_give_a_box_that_crosses() -> None:
    """Fiji as RFC 7946 wants it: two polygons that meet at the meridian."""
    found = Footprint(CRS84)
    for west in (177.0, -180.0):
        ring = np.array(square(west, -18, 3 if west > 0 else 1))
        found.add(ring[:, 0], ring[:, 1])
    box = found.box()
    assert box is not None
    assert sides(box) == [177, -18, -179, -15]
    assert box.crosses_antimeridian
    assert found.bounds() == (-180, -18, 180, -15)
    assert found.notes() == []


@pytest.mark.parametrize(
    ("short_way", "expected", "noted"), [(False, [-170, 0, 170, 10], True), (True, [170, 0, -170, 10], False)]
)
def test_a_line_that_jumps_is_what_it_says(short_way: bool, expected: list[float], noted: bool) -> None:
    """RFC 7946 3.1.1: a line is straight in its numbers. Only a file that says so is taken across 180 degrees."""
    found = Footprint(CRS84, short_way=short_way)
    found.add(np.array([170.0, -170.0]), np.array([0.0, 10.0]))
    box = found.box()
    assert box is not None
    assert sides(box) == expected
    assert any("cross 180" in note for note in found.notes()) == noted


def test_a_ring_around_a_pole_opens_the_circle() -> None:
    """In a polar system a ring around the origin holds the pole and every meridian."""
    found = Footprint(POLAR)
    ring = np.array(square(-1e6, -1e6, 2e6))
    found.add(ring[:, 0], ring[:, 1])
    box = found.box()
    assert box is not None
    assert (box.west, box.east, box.north) == (-180, 180, 90)
    assert 76 < box.south < 78


def test_long_edges_are_bent_in_degrees() -> None:
    """The northern edge of a wide rectangle in LAEA bulges beyond its corners, as its transformed border does."""
    ring = np.array([(2e6, 3e6), (7e6, 3e6), (7e6, 5e6), (2e6, 5e6), (2e6, 3e6)])
    found = Footprint(LAEA)
    found.add(ring[:, 0], ring[:, 1])
    box = found.box()
    to_degrees = pyproj.Transformer.from_crs(LAEA, CRS84, always_xy=True)
    north = to_degrees.transform(np.linspace(2e6, 7e6, 20_001), np.full(20_001, 5e6))[1].max()
    corners = to_degrees.transform(ring[:, 0], ring[:, 1])[1].max()
    assert box is not None
    assert box.north == pytest.approx(north, abs=1e-3)
    assert north > corners + 1


def test_batches_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that arrive over many batches give the same box as all at once."""
    random = np.random.default_rng(3)
    parts = [random.uniform((-20, 40), (10, 60), (size, 2)) for size in random.integers(1, 9, 300)]
    whole, small = Footprint(LAEA), Footprint(LAEA)
    to_metres = pyproj.Transformer.from_crs(CRS84, LAEA, always_xy=True)
    for part in parts:
        whole.add(*(np.asarray(each) for each in to_metres.transform(part[:, 0], part[:, 1])))
    expected = whole.box()
    monkeypatch.setattr(footprint, "BATCH", 7)
    for part in parts:
        small.add(*(np.asarray(each) for each in to_metres.transform(part[:, 0], part[:, 1])))
    assert small.box() == expected
    assert small.bounds() == whole.bounds()


def test_what_is_no_number_is_left_out_and_said() -> None:
    """NaN and infinity are no place; the parts around them keep their beginnings."""
    found = Footprint(CRS84)
    found.add(np.array([np.nan, 1.0, 2.0, np.inf, 5.0]), np.array([0.0, 1.0, 2.0, 3.0, 4.0]), [0, 2, 3])
    box = found.box()
    assert box is not None
    assert sides(box) == [1, 1, 5, 4]
    assert found.notes() == ["2 positions are not numbers; they were left out."]


def test_metres_called_degrees_are_no_place() -> None:
    """Numbers that cannot be degrees give no box and a note that asks."""
    found = Footprint(CRS84)
    found.add(np.array([4_321_000.0]), np.array([3_210_000.0]))
    assert found.box() is None
    assert "no degrees" in found.notes()[0]


def test_a_planet_that_is_not_the_earth_has_no_box() -> None:
    """Coordinates on Mars are kept as bounds, and are no place on Earth."""
    mars = pyproj.CRS.from_proj4("+proj=longlat +a=3396190 +b=3376200 +no_defs")
    found = Footprint(mars)
    found.add(np.array([1.0]), np.array([1.0]))
    assert found.box() is None
    assert found.bounds() == (1, 1, 1, 1)


def test_boxes_of_layers_are_joined_on_the_circle() -> None:
    """Two layers on both sides of 180 degrees are one box that crosses it."""
    boxes = []
    for west in (170.0, -175.0):
        layer = Footprint(CRS84)
        layer.add(np.array([west, west + 2]), np.array([0.0, 1.0]), [0, 1])
        box = layer.box()
        assert box is not None
        boxes.append(box)
    both = joined(boxes)
    assert both is not None
    assert sides(both) == [170, 0, -173, 1]
    assert joined([]) is None
