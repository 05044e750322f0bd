"""Several files as one: the smallest arc around all, the period of all, and what they do not share."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.formats import BBox, Description, Period, Variable
from connector.formats.sandbox.gather import gather
from connector.formats.series import arc, gathered, series
from connector.formats.summary import summary


def described(**facts: Any) -> Description:
    """Return the description of a small file."""
    file: dict[str, Any] = {"format": "NetCDF-4", "reader": "netcdf", "media_type": "application/x-netcdf"}
    file["byte_size"] = 5
    return Description(**file | facts)


def box(west: float, east: float) -> BBox:
    """Return a box between two meridians."""
    return BBox(west=west, south=0, east=east, north=1, basis="bounds")


WHOLE = st.integers(-180, 180)


def within(degree: float, west: float, east: float) -> bool:
    """Tell whether a meridian lies on an arc."""
    span = (east - west) % 360 or (360 if east > west else 0)
    return (degree - west) % 360 <= span


@given(st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=5), st.integers(0, 359))
def test_the_arc_holds_all_and_is_the_smallest(arcs: list[tuple[int, int]], turn: int) -> None:
    """Every meridian of every arc lies on it, none shorter that starts at one of them does, and turning turns it."""
    west, east = arc(arcs)
    assert -180 <= west <= 180
    assert -180 <= east <= 180
    inside = [degree for degree in range(-180, 180) if any(within(degree, *each) for each in arcs)]
    assert all(within(degree, west, east) for degree in inside)
    span = (east - west) % 360 or (360 if east > west else 0)
    gaps = _gaps(inside)
    assert span >= 360 - max(gaps)
    if max(gaps) > 1:
        assert span == 360 - max(gaps)
    turned = arc([_turned(each, turn) for each in arcs])
    assert ((turned[1] - turned[0]) % 360 or (360 if turned[1] > turned[0] else 0)) == span


def _turned(each: tuple[int, int], turn: int) -> tuple[int, int]:
    span = (each[1] - each[0]) % 360 or (360 if each[1] > each[0] else 0)
    west = (each[0] + turn + 180) % 360 - 180
    return (-180, 180) if span == 360 else (west, (west + span + 180) % 360 - 180)


def _gaps(degrees: list[int]) -> list[int]:
    return [(after - before) % 360 or 360 for before, after in zip(degrees, [*degrees[1:], degrees[0]], strict=True)]


def test_what_members_do_not_share_is_said() -> None:
    """Common facts stay; differing ones are null and a sentence names them; a variable that some lack is not common."""
    one = described(
        title="Rain", crs="a", rows=3, bbox=box(170, 180), licence="CC0",
        variables=(Variable(name="r"), Variable(name="s")),
        period=Period(begin="2001-01-01", end="2001-12-31", first="2001-01-01", last="2001-12-31"),
    )  # fmt: skip
    two = described(
        title="Rain", crs="b", rows=4, bbox=box(-180, -170), variables=(Variable(name="r"),),
        period=Period(begin="2002-01-01", end="2002-12-31", first="2002-01-01", last="2002-12-31"),
    )  # fmt: skip
    line = summary("f", series([("one", one), ("two", two), ("three", described(title="Rain"))]))
    assert (line["kind"], line["title"], line["crs"], line["rows"], line["byteSize"]) == (
        "series",
        "Rain",
        None,
        None,
        15,
    )
    assert line["bbox"] == [170, 0, -170, 1]
    assert line["temporal"] == {"start": "2001-01-01", "end": "2002-12-31"}
    said = " ".join(line["warnings"])
    assert "reference systems of the files differ: 'a', 'b'" in said
    assert "Not all files have the variables r, s" in said
    for part in ("three has no bounding box", "three has no period", "licences of the files differ"):
        assert part in said


def test_calendars_are_not_mixed() -> None:
    """Times of two calendars have no common first and last: the period stays open, and that is said."""
    files = [
        (name, described(period=Period(begin="2001-01-01", end="2001-02-01", first="1", last="2", calendar=name)))
        for name in ("360_day", "standard")
    ]
    line = summary("f", series(files))
    assert line["temporal"] is None
    assert any("different calendars" in each for each in line["warnings"])


def test_what_is_no_data_is_no_member() -> None:
    """A structure beside its data and a file that cannot be read are named; with nothing readable the first is said."""
    no = InvalidInput("It is broken.")
    found, members = gathered([("a", described()), ("b", no), ("c", described(kind="structure"))])
    assert isinstance(found, Description)
    assert found.kind == "dataset"
    assert members == [("a", described())]
    assert {"b is not a part of it: It is broken.", "c is not a part of it: it has no data of its own."} <= set(
        found.notes
    )
    assert gathered([("b", no)]) == (no, [])


def test_a_name_stands_for_what_is_there(tmp_path: Path) -> None:
    """Files below a folder without hidden ones and links; a store is one; a shapefile's parts are not members."""
    for name in ("b.nc", "a/c.nc", ".hidden", "s.zarr/zarr.json", "x.shp", "x.dbf", "x.prj", "y.dbf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "link.nc").symlink_to(tmp_path / "b.nc")
    (group,) = gather(str(tmp_path))
    assert group.several
    assert [str(path.relative_to(tmp_path)) for path in group.paths] == ["a/c.nc", "b.nc", "s.zarr", "x.shp", "y.dbf"]
    assert [each.several for each in gather(str(tmp_path), each=True)] == [False] * 5
    assert gather(str(tmp_path / "s.zarr")) == [(str(tmp_path / "s.zarr"), (tmp_path / "s.zarr",), False)]
    assert gather(str(tmp_path / "b*"))[0][1:] == ((tmp_path / "b.nc",), False)
    assert gather("not there.nc") == [("not there.nc", (Path("not there.nc"),), False)]
    with pytest.raises(InvalidInput):
        gather(str(tmp_path / "z*"))
