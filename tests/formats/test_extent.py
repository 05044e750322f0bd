"""Boxes from coordinates: angles against brute force, one meridian at a time."""

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from connector.formats.coordinates.extent import (
    GLOBE,
    Arc,
    arc,
    curvilinear_box,
    degrees_apart,
    latitude_span,
    longitude_arc,
    normalise,
    points_box,
    rim,
    ring_box,
    smallest_arc,
    union,
)
from connector.formats.description import BBox

# Whole and half degrees, in any of five turns: exact in floating point, so the oracle may compare without tolerance.
HALVES = st.integers(-1800, 1800).map(lambda n: n / 2)
ARCS = st.tuples(st.integers(-180, 179), st.integers(1, 359)).map(lambda pair: arc(pair[0], sum(pair)))


def holds(around: Arc, meridian: float) -> bool:
    """Whether an arc holds a meridian: walked eastwards from its west end."""
    west, east = around
    if around == GLOBE:
        return True
    return (meridian - west) % 360.0 <= (east - west) % 360.0 + 1e-9


def length(around: Arc) -> float:
    """Return the length of an arc."""
    return 360.0 if around == GLOBE else (around[1] - around[0]) % 360.0


@given(HALVES)
def test_a_normal_longitude_is_the_same_meridian(longitude: float) -> None:
    """Turns are taken off, the meridian stays, and 180 has one name."""
    found = normalise(longitude)
    assert -180.0 <= found < 180.0
    assert (found - longitude) % 360.0 == 0.0


@given(st.floats(-1e4, 1e4))
def test_a_normal_longitude_is_in_range(longitude: float) -> None:
    """No rounding of the modulo leads out of the range, close to a full turn neither."""
    assert -180.0 <= normalise(longitude) < 180.0


@given(st.lists(HALVES, min_size=1, max_size=8))
def test_the_smallest_arc_holds_all_and_is_the_smallest(longitudes: list[float]) -> None:
    """Brute force: of all arcs from one of the meridians to another that hold every one, none is shorter."""
    west, span = smallest_arc(np.array(longitudes))
    found = arc(west, west + span)
    assert all(holds(found, each) for each in longitudes)
    others = [
        (end - start) % 360.0
        for start in longitudes
        for end in longitudes
        if all((each - start) % 360.0 <= (end - start) % 360.0 for each in longitudes)
    ]
    assert span == min(others)
    event(f"crosses: {found[0] > found[1]}")


@st.composite
def axes(draw: st.DrawFn) -> tuple[np.ndarray, float]:
    """A regular longitude axis: centres in order from west to east, and its step; now and then the whole circle."""
    step = draw(st.sampled_from([0.5, 1.0, 2.5, 10.0, 30.0]))
    most = int(360 / step)
    count = draw(st.one_of(st.integers(3, max(3, most // 3)), st.just(most)))
    first = draw(HALVES)
    return first + step * np.arange(count), step


@given(axes(), st.data())
def test_where_an_axis_starts_does_not_matter(axis: tuple[np.ndarray, float], data: st.DataObject) -> None:
    """Rolled, reversed, or counted in another turn (0..360 or -180..180), an axis spans the same arc."""
    centres, step = axis
    wanted = arc(centres[0] - step / 2, centres[-1] + step / 2, step)
    event(f"globe: {wanted == GLOBE}, crosses: {wanted[0] > wanted[1]}")
    rolled = np.roll(centres, data.draw(st.integers(0, centres.size)))
    for written in (rolled, rolled[::-1], rolled % 360.0, (rolled + 180.0) % 360.0 - 180.0):
        assert longitude_arc(written) == pytest.approx(wanted, abs=1e-6)


@given(axes())
def test_bounds_that_touch_give_the_arc_of_midpoints(axis: tuple[np.ndarray, float]) -> None:
    """For regular cells it does not matter whether the file has bounds, nor in which order or turn it has them."""
    centres, step = axis
    wanted = arc(centres[0] - step / 2, centres[-1] + step / 2, step)
    bounds = np.stack([centres - step / 2, centres + step / 2], axis=1)
    for written in (bounds, bounds[:, ::-1], bounds % 360.0, (bounds + 180.0) % 360.0 - 180.0):
        assert longitude_arc(centres, written) == pytest.approx(wanted, abs=1e-6)


@given(st.lists(st.tuples(st.integers(-170, 170), st.integers(-80, 80)), min_size=3, max_size=30), st.integers(-2, 2))
def test_points_lie_in_their_box(points: list[tuple[int, int]], turn: int) -> None:
    """Every position is in the box, whatever turn it is written in, and the sides touch a position."""
    lon = np.array([each[0] for each in points], dtype=float) + 360.0 * turn
    lat = np.array([each[1] for each in points], dtype=float)
    found = points_box(lon, lat)
    assert found is not None
    assert all(holds((found.west, found.east), each) for each in lon)
    assert (found.south, found.north) == (lat.min(), lat.max())
    assert {normalise(found.west), normalise(found.east)} <= {normalise(each) for each in lon}


@given(st.lists(ARCS, min_size=1, max_size=6))
def test_a_union_holds_its_arcs_and_is_the_smallest(arcs: list[Arc]) -> None:
    """Brute force over half degrees: the union holds what any arc holds; what is left out is the widest gap."""
    found = union(arcs)
    circle = [n / 2 for n in range(-360, 360)]
    covered = [any(holds(each, meridian) for each in arcs) for meridian in circle]
    assert all(holds(found, meridian) for meridian, inside in zip(circle, covered, strict=True) if inside)
    gap, widest = 0, 0
    for inside in covered * 2:
        gap = 0 if inside else gap + 1
        widest = min(720, max(widest, gap))
    # A gap of n uncovered half degrees lies between two covered ones and is n + 1 halves wide.
    assert 360.0 - length(found) == pytest.approx((widest + 1) / 2 if widest else 0.0)


GRIDS = st.tuples(st.floats(1, 4), st.integers(4, 16), st.integers(4, 16), st.integers(-180, 179))


@given(GRIDS)
def test_a_pole_inside_a_grid_opens_the_circle(grid: tuple[float, int, int, int]) -> None:
    """A grid laid around the pole in a plane is seen to hold it."""
    step, rows, columns, lon_0 = grid
    x, y = np.meshgrid(np.arange(columns) - columns / 2 + 0.4, np.arange(rows) - rows / 2 + 0.3)
    lat = 90.0 - np.hypot(x, y) * step / 2
    found = curvilinear_box(np.degrees(np.arctan2(x, -y)) + lon_0, lat)
    assert found is not None
    assert (found.west, found.east, found.north) == (-180.0, 180.0, 90.0)


@given(GRIDS, st.integers(-85, 85))
def test_a_grid_beside_a_pole_does_not_hold_it(grid: tuple[float, int, int, int], south: int) -> None:
    """The same number of cells on one side of the pole span their own meridians only."""
    step, rows, columns, lon_0 = grid
    lat, lon = np.meshgrid(np.clip(south + step * np.arange(rows) / 4, -88, 88), lon_0 + step * np.arange(columns))
    found = curvilinear_box(lon, lat)
    assert found is not None
    assert found.north == pytest.approx(lat.max(), abs=1e-6)
    assert length((found.west, found.east)) == pytest.approx(step * (columns - 1), abs=1e-5)


def test_the_south_pole_is_told_from_the_north_pole() -> None:
    """A path around a pole belongs to the half of the globe it lies in."""
    lon = np.linspace(-180, 170, 36)
    assert ring_box(lon, np.full(36, -70.0)).south == -90.0
    assert ring_box(lon, np.full(36, 70.0)).north == 90.0


@pytest.mark.parametrize(
    ("centres", "wanted"),
    [
        ([184.875 + 10 * n for n in range(36)], GLOBE),
        ([0.0, 83.333, 166.666, 250.0, 333.333], GLOBE),
        ([170.0, 175.0, 180.0, 185.0], (167.5, -172.5)),
        ([350.0, 355.0, 0.0, 5.0], (-12.5, 7.5)),
        ([-170.0, -165.0, 165.0, 170.0, 175.0], (162.5, -162.5)),
        ([10.0], (10.0, 10.0)),
        ([170.0, 172.0, 174.0, 176.0, 178.0, 179.0 + 1.0], (169.0, -179.0)),
        ([171.0, 173.0, 175.0, 177.0, 179.0], (170.0, 180.0)),
    ],
)
def test_axes_that_have_gone_wrong_elsewhere(centres: list[float], wanted: Arc) -> None:
    """Beyond 360, thinned, across 180, across 0, sorted with the gap in the middle, one column, ending at 180."""
    assert longitude_arc(np.array(centres)) == pytest.approx(wanted)


def test_bounds_of_thinned_cells_are_kept() -> None:
    """Cells that do not touch span from the first one's edge to the last one's, not half a step further."""
    centres = np.array([0.4, 83.7, 167.0, 250.3, 333.75])
    bounds = np.stack([centres - 0.4, centres + 0.42], axis=1)
    assert longitude_arc(centres, bounds) == pytest.approx((0.0, -25.83))


@given(st.integers(-90, 90), st.floats(0.1, 30), st.integers(1, 12))
def test_latitudes_reach_half_a_step_and_stop_at_the_poles(first: int, step: float, count: int) -> None:
    """The outer cells reach half a step beyond their centres, and nothing lies beyond a pole."""
    centres = np.clip(first + step * np.arange(count), -90, 90)[::-1]
    south, north = latitude_span(centres)
    assert -90.0 <= south <= centres.min() <= centres.max() <= north <= 90.0
    if count > 2 and first + step * (count + 0.5) < 90 and first - step > -90:
        assert (north - centres.max(), centres.min() - south) == pytest.approx((step / 2, step / 2))


def test_the_rim_goes_once_around() -> None:
    """Every outer cell comes once, in the order of a walk."""
    grid = np.arange(12.0).reshape(3, 4)
    assert rim(grid).tolist() == [0, 1, 2, 3, 7, 11, 10, 9, 8, 4]


def test_boxes_are_compared_around_the_circle() -> None:
    """Two boxes that differ by a degree across 180 differ by a degree; a band and a part of it by the rest."""

    def box(west: float, east: float) -> BBox:
        return BBox(west=west, south=0, east=east, north=1, basis="points")

    assert degrees_apart(box(170, -179), box(170, 180)) == pytest.approx(1)
    assert degrees_apart(box(-180, 180), box(-180, 121)) == pytest.approx(59)


@pytest.mark.parametrize("sides", [(0, 10, 5, 9), (0, -91, 5, 9), (181, 0, 5, 9), (0, 0, float("nan"), 9)])
def test_a_box_off_the_earth_is_refused(sides: tuple[float, float, float, float]) -> None:
    """South above north, beyond a pole, beyond 180, not a number: no such box leaves the reading process."""
    west, south, east, north = sides
    with pytest.raises(ValueError, match=r"latitude|longitude|number"):
        BBox(west=west, south=south, east=east, north=north, basis="points")
