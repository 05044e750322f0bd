"""Well-known binary: positions as a plain walk over the same nested lists finds them, and counts that lie."""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.formats.coordinates import wkb
from tests.formats.vectors import gpkg_blob, wkb_multi, wkb_point, wkb_polygon

number = st.floats(-1e6, 1e6)
position = st.tuples(number, number)
ring = st.lists(position, min_size=1, max_size=6)
point = st.builds(lambda at: ("point", [[at]], wkb_point(*at)), position)
polygon = st.builds(lambda rings: ("polygon", rings, wkb_polygon(*rings)), st.lists(ring, min_size=1, max_size=3))
geometry = st.recursive(
    point | polygon,
    lambda inner: st.builds(
        lambda members: (
            "collection",
            [each for _, rings, _ in members for each in rings],
            wkb_multi(7, [raw for _, _, raw in members]),
        ),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)


def positions(raw: bytes) -> list[list[tuple[float, float]]]:
    """Return what the reader finds, as plain lists."""
    return [[(float(x), float(y)) for x, y in part] for part in wkb.Geometry(raw).parts()]


@given(geometry)
def test_every_position_is_found_in_its_part(made: tuple[str, list[Any], bytes]) -> None:
    """Points, rings and collections of either byte order are read back as they were written."""
    assert positions(made[2]) == [[tuple(at) for at in part] for part in made[1]]


@given(geometry, st.data())
def test_no_cut_is_read_as_less(made: tuple[str, list[Any], bytes], data: st.DataObject) -> None:
    """A geometry that is cut off anywhere is refused: no shorter geometry is made of it."""
    cut = data.draw(st.integers(0, len(made[2]) - 1))
    with pytest.raises(InvalidInput):
        positions(made[2][:cut])


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Noise ends in positions or in a refusal, in nothing else."""
    try:
        found = positions(raw)
    except InvalidInput:
        return
    assert sum(map(len, found)) * 16 <= len(raw)


@pytest.mark.parametrize(
    ("code", "extra"), [(1001, 1), (2001, 1), (3001, 2), (0x80000001, 1), (0x40000001, 1), (0xC0000001, 2)]
)
def test_heights_and_measures_are_passed_over(code: int, extra: int) -> None:
    """ISO and PostGIS forms with a third and a fourth number give the first two."""
    raw = struct.pack("<BI", 1, code) + struct.pack(f"<{2 + extra}d", 5, 6, *range(extra))
    assert positions(raw) == [[(5, 6)]]


def test_a_reference_system_inside_is_passed_over() -> None:
    """PostGIS writes the id of the system into the geometry."""
    assert positions(struct.pack("<BIIdd", 1, 0x20000001, 4326, 5, 6)) == [[(5, 6)]]


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("<BII", 1, 2, 0xFFFFFFFF),
        struct.pack("<BII", 1, 3, 0xFFFFFFFF),
        struct.pack("<BII", 1, 7, 0xFFFFFFFF),
        struct.pack("<BIII", 1, 3, 1, 0x10000000) + bytes(64),
    ],
    ids=["line", "polygon", "collection", "ring"],
)
def test_huge_counts_are_refused_before_anything_is_made(raw: bytes) -> None:
    """Threat: nine bytes that announce four thousand million positions."""
    with pytest.raises(InvalidInput, match="announces"):
        positions(raw)


def test_a_deep_nest_is_refused() -> None:
    """Threat: collections in collections until the stack ends."""
    raw = wkb_point(1, 2)
    for _ in range(40):
        raw = wkb_multi(7, [raw])
    with pytest.raises(InvalidInput, match="nested"):
        positions(raw)


def test_geopackage_blobs() -> None:
    """Envelopes are passed over by their code, an empty geometry is none, and what does not begin as one is refused."""
    assert wkb.from_geopackage(b"GP\0\x11" + bytes(4) + wkb_point(1, 2)) is None
    for code, size in wkb.ENVELOPES.items():
        found = wkb.from_geopackage(b"GP\0" + bytes([1 | code << 1]) + bytes(4) + bytes(size) + wkb_point(1, 2))
        assert found is not None
        assert [part.tolist() for part in found.parts()] == [[[1, 2]]]
        assert found.name == "Point"
    for blob in (b"", b"GP", b"XX" + bytes(30), b"GP\0\x0b" + bytes(60)):
        with pytest.raises(InvalidInput):
            wkb.from_geopackage(blob)
    assert np.isfinite(next(iter(wkb.Geometry(gpkg_blob(wkb_point(1, 2))[8:]).parts()))).all()


def everything() -> Iterator[int]:
    """Yield the kinds of geometry that are known."""
    yield from wkb.NAMES


def test_unknown_kinds_are_refused() -> None:
    """A kind beyond those of ISO 13249 is no geometry."""
    assert set(everything()) == set(range(1, 18))
    with pytest.raises(InvalidInput):
        wkb.Geometry(struct.pack("<BI", 1, 18) + bytes(40))
