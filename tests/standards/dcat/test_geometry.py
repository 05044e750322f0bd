"""Boxes and points: WKT out and in, GML and GeoJSON in."""

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from connector.standards.dcat import geometry
from connector.standards.dcat.geometry import Box
from connector.standards.dcat.table import Form
from tests.standards.dcat.records import COORDINATE, LATITUDE, SINGLE

EPSG = "http://www.opengis.net/def/crs/EPSG/0/4326"
BOXES: st.SearchStrategy[Box] = SINGLE[Form.BOX]


@given(BOXES)
def test_a_written_box_reads_back(box: Box) -> None:
    """To the last digit, also across the 180th meridian."""
    event("across" if box[0] > box[2] else "plain")
    assert geometry.box_of(geometry.box_wkt(box)) == box


@given(COORDINATE, LATITUDE)
def test_a_written_point_reads_back(longitude: float, latitude: float) -> None:
    """To the last digit."""
    assert geometry.point_of(geometry.point_wkt((longitude, latitude))) == (longitude, latitude)


@pytest.mark.parametrize(
    ("text", "datatype", "expected"),
    [
        ("POLYGON((5 45, 11 45, 11 48, 5 48, 5 45))", geometry.WKT, (5, 45, 11, 48)),
        ("polygon ((5 45 0, 11 45 0, 11 48 0, 5 45 0))", geometry.WKT, (5, 45, 11, 48)),
        ("<http://www.opengis.net/def/crs/OGC/1.3/CRS84> POINT(5 45)", geometry.WKT, (5, 45, 5, 45)),
        ("<http://www.opengis.net/def/crs/EPSG/0/4326> POINT(45 5)", geometry.WKT, (5, 45, 5, 45)),
        ("<http://www.opengis.net/def/crs/EPSG/0/3035> POINT(45 5)", geometry.WKT, None),
        ("ENVELOPE(5, 11, 48, 45)", geometry.WKT, (5, 45, 11, 48)),
        ("POLYGON EMPTY", geometry.WKT, None),
        ("POLYGON((500 45,1 2,3 4))", geometry.WKT, None),
        ("somewhere", geometry.WKT, None),
        ("", geometry.WKT, None),
        (
            f'<gml:Envelope srsName="{EPSG}"><gml:lowerCorner>45 5</lowerCorner><upperCorner>48 11</upperCorner>',
            geometry.GML,
            (5, 45, 11, 48),
        ),
        (
            "<Envelope><lowerCorner>5 45</lowerCorner><upperCorner>11 48</upperCorner></Envelope>",
            geometry.GML,
            (5, 45, 11, 48),
        ),
        (
            "<gml:Polygon><gml:posList>5 45 11 45 11 48 5 48 5 45</gml:posList></gml:Polygon>",
            geometry.GML,
            (5, 45, 11, 48),
        ),
        ('{"type":"Polygon","coordinates":[[[5,45],[11,45],[11,48],[5,45]]]}', geometry.GEOJSON, (5, 45, 11, 48)),
        ('{"type":"Feature","geometry":{"type":"Point","coordinates":[5,45]}}', geometry.GEOJSON, (5, 45, 5, 45)),
        ('{"type":"Polygon","coordinates":"x"}', geometry.GEOJSON, None),
        ("[" * 50_000, geometry.GEOJSON, None),
        ("POLYGON((" + "1 1," * 50_000, geometry.WKT, None),
    ],
)
def test_foreign_geometries_give_their_box(text: str, datatype: str, expected: Box | None) -> None:
    """Axis order follows the CRS that is named; what is not in degrees or not readable gives nothing."""
    assert geometry.box_of(text, datatype) == expected


@given(
    st.text(alphabet='POINTLYGMU(), 0123456789.-+eE<>{}[]":', max_size=40),
    st.sampled_from([geometry.WKT, geometry.GML, geometry.GEOJSON]),
)
def test_any_text_gives_a_box_or_nothing(text: str, datatype: str) -> None:
    """Foreign literals never raise, and a box that is given is in degrees."""
    for start in ("", "POLYGON((", "MULTIPOLYGON(((", '{"coordinates":['):
        box = geometry.box_of(start + text, datatype)
        assert box is None or geometry.check_box(box) is None
