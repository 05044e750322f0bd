"""GeoTIFFs: where their pixels lie, where that must not be guessed, and whether all of them are there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC

from connector.errors import InvalidInput
from connector.formats import Facts, Limits
from connector.formats.imagery import cog, tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
assert issubclass(NotGeoreferencedWarning, UserWarning)


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Facts]:
    """Return a function that writes a raster and reads its header."""

    def write_and_read(
        place: tuple[float, ...] | None = None, size: tuple[int, int] = (20, 30), **profile: Any
    ) -> Facts:
        path = tmp_path / "x.tif"
        path.unlink(missing_ok=True)
        profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", **profile}
        if place is not None:
            profile["transform"] = rasterio.Affine(*place)
        with rasterio.open(str(path), "w", height=size[0], width=size[1], **profile) as out:
            out.write(np.zeros((profile["count"], *size), profile["dtype"]))
        return cog.read(path, Limits())

    return write_and_read


def sides(found: Facts) -> tuple[float, float, float, float]:
    """Return the box as W S E N."""
    assert found.bbox is not None
    return found.bbox.west, found.bbox.south, found.bbox.east, found.bbox.north


def test_degrees_are_taken_as_they_are(described: Callable[..., Facts]) -> None:
    """A raster in WGS 84 has the box of its corners, and across 180 one that crosses."""
    assert sides(described((1, 0, 5, 0, -1, 50), crs="EPSG:4326")) == (5, 30, 35, 50)
    assert sides(described((1, 0, 170, 0, -1, 50), crs="EPSG:4326")) == (170, 30, -160, 50)
    assert sides(described((12, 0, 0, 0, -9, 90), crs="EPSG:4326")) == (-180, -90, 180, 90)


def test_a_raster_written_south_up_has_the_same_box(described: Callable[..., Facts]) -> None:
    """Rows from south to north change nothing about the place."""
    north_up = described((1000, 0, 400_000, 0, -1000, 5_200_000), crs="EPSG:32632")
    south_up = described((1000, 0, 400_000, 0, 1000, 5_180_000), crs="EPSG:32632")
    assert sides(south_up) == sides(north_up)


def test_a_scene_bulges_beyond_its_corners(described: Callable[..., Facts]) -> None:
    """The northern edge of a UTM scene at high latitude lies above both of its corners: corners are not enough."""
    found = described((20_000, 0, 200_000, 0, -20_000, 8_300_000), crs="EPSG:32621")
    corner = described((1, 0, 200_000, 0, -1, 8_300_000), size=(1, 1), crs="EPSG:32621")
    assert sides(found)[3] > sides(corner)[3] + 0.2


def test_a_polar_scene_holds_its_pole(described: Callable[..., Facts]) -> None:
    """A square around the South Pole: all meridians, down to the pole, up to its corners."""
    west, south, east, north = sides(
        described((100_000, 0, -1_000_000, 0, -100_000, 1_000_000), (20, 20), crs="EPSG:3031")
    )
    assert (west, south, east) == (-180, -90, 180)
    assert north == pytest.approx(-77.1, abs=0.3)


def test_a_rotated_raster_is_followed_along_its_sides(described: Callable[..., Facts]) -> None:
    """A turned raster has the box of its turned outline."""
    half = 0.5**0.5
    found = described((half, -half, 10, half, half, 40), size=(10, 10), crs="EPSG:4326")
    assert sides(found) == pytest.approx((10 - 10 * half, 40, 10 + 10 * half, 40 + 20 * half))
    assert found.raster is not None
    assert found.raster.resolution == pytest.approx((1, 1))


EASE = (36032.22, 0, -17367530.45, 0, -36032.22, 7314540.83)
ARBITRARY = 'LOCAL_CS["arbitrary",UNIT["metre",1]]'


@pytest.mark.parametrize(
    ("place", "crs", "said"),
    [
        ((1, 0, 5, 0, -1, 50), None, "names no coordinate reference system"),
        ((0.7, -0.7, 10, 0.7, 0.7, 40), None, "names no coordinate reference system"),
        (None, "EPSG:4326", "no georeference of its own"),
        ((1, 0, 5, 0, -1, 50), "+proj=longlat +R=3396190 +no_defs", "not one of the Earth"),
        ((1, 0, 5, 0, -1, 50), "+proj=eqc +R=1560800 +units=m +no_defs", "not one of the Earth"),
        ((1, 0, 5, 0, -1, 50), ARBITRARY, "arbitrary, is not one of places on Earth"),
        ((1, 0, 5, 0, -1, 50), "EPSG:4978", "is not one of places on Earth"),
        ((0, 0, 5, 0, 0, 50), "EPSG:4326", "its pixels have no size"),
        ((float("nan"), 0, 5, 0, -1, 50), "EPSG:4326", "its pixels have no size"),
        ((1, 0, 5, 0, -9, 50), "EPSG:4326", "at no place on Earth"),
        ((20, 0, 0, 0, -1, 50), "EPSG:4326", "at no place on Earth"),
        ((1, 0, 200_000, 0, -1, 1e9), "EPSG:32632", "at no place on Earth"),
    ],
    ids=[
        *("no-crs", "turned-no-crs", "identity", "mars", "europa", "local", "geocentric", "no-size", "nan"),
        *("beyond-the-pole", "twice-around", "far-out"),
    ],
)
def test_a_place_is_not_guessed(
    place: tuple[float, ...] | None, crs: str | None, said: str, described: Callable[..., Facts]
) -> None:
    """Pixels without a system, without a place, or on another planet give no box but a note."""
    found = described(place, **({"crs": crs} if crs else {}))
    assert found.bbox is None
    assert any(said in note for note in found.notes)


def test_control_points_give_an_approximate_box(tmp_path: Path) -> None:
    """A raster that only has ground control points is placed by them, and marked."""
    path = tmp_path / "x.tif"
    points = [GroundControlPoint(row, col, x, y) for row, col, x, y in ((0, 0, 9, 51), (0, 9, 11, 51), (9, 9, 11, 49))]
    with rasterio.open(
        str(path), "w", driver="GTiff", width=9, height=9, count=1, dtype="uint8", gcps=points, crs="EPSG:4326"
    ) as out:
        out.write(np.zeros((1, 9, 9), "uint8"))
    found = cog.read(path, Limits())
    assert sides(found) == (9, 49, 11, 51)
    assert found.bbox is not None
    assert (found.bbox.approximate, found.bbox.basis) == (True, "hull")
    assert any("3 ground control points" in note for note in found.notes)


def test_coefficients_are_no_place(tmp_path: Path) -> None:
    """A raster that only has rational polynomial coefficients lies where the terrain puts it: the box is left open."""
    path = tmp_path / "x.tif"
    with rasterio.open(str(path), "w", driver="GTiff", width=9, height=9, count=1, dtype="uint8") as out:
        some, none = [1.0] + [0.0] * 19, [0.0] * 20
        out.rpcs = RPC(0.0, 1.0, 47.0, 0.1, some, none, 10.0, 10.0, 8.0, 0.1, some, none, 15.0, 15.0)
        out.write(np.zeros((1, 9, 9), "uint8"))
    found = cog.read(path, Limits())
    assert found.bbox is None
    assert any("coefficients (RPC)" in note for note in found.notes)


@pytest.mark.parametrize(
    ("place", "size", "crs", "box"),
    [
        ((12, 0, -180, 0, -9, 90), (20, 30), "EPSG:4269", (-180, -90, 180, 90)),
        (
            (36032.22, 0, -17367530.45, 0, -36032.22, 7314540.83),
            (406, 964),
            "EPSG:6933",
            (-180, -85.0446, 180, 85.0446),
        ),
        (
            (36032.22, 0, -17367530.45, 0, -36032.22, 7314540.83),
            (406, 900),
            "EPSG:6933",
            (-180, -85.0446, 156.0996, 85.0446),
        ),
        ((10_000, 0, 600_000, 0, -10_000, 8_000_000), (20, 30), "EPSG:32760", (177.945, -19.8937, -179.1818, -18.0517)),
        ((-1, 0, 30, 0, -1, 50), (20, 30), "EPSG:4326", (0, 30, 30, 50)),
        ((100, 0, 6_000_000, 0, -100, 2_000_000), (20, 30), "EPSG:2229", (-119.8637, 34.4683, -119.8536, 34.4739)),
    ],
    ids=["other-datum", "ease", "ease-short", "across-180", "mirrored", "feet"],
)
def test_systems_of_all_kinds(
    place: tuple[float, ...], size: tuple[int, int], crs: str, box: tuple[float, ...], described: Callable[..., Facts]
) -> None:
    """Other datums, the globe in metres, both sides of 180 degrees, columns from east to west, feet."""
    assert sides(described(place, size, crs=crs)) == pytest.approx(box, abs=1e-3)


def test_packed_bands_say_how_and_further_images_are_told(described: Callable[..., Facts], tmp_path: Path) -> None:
    """Scale and offset of a band are passed on; more bands than are listed, or more images in the file, are told."""
    described((1, 0, 5, 0, -1, 50), crs="EPSG:4326", count=2)
    path = tmp_path / "x.tif"
    with rasterio.open(str(path), "r+") as raster:
        raster.scales, raster.offsets = (0.01, 1.0), (273.15, 0.0)
    found = cog.read(path, Limits())
    assert [(each.scale, each.offset) for each in found.variables] == [(0.01, 273.15), (None, None)]
    many = described((1, 0, 5, 0, -1, 50), (2, 2), crs="EPSG:4326", count=301)
    assert any("301 bands; the first 300" in note for note in many.notes)
    profile = {"driver": "GTiff", "width": 9, "height": 9, "count": 1, "dtype": "uint8"}
    for append in ("NO", "YES"):
        with rasterio.open(str(tmp_path / "pages.tif"), "w", APPEND_SUBDATASET=append, **profile) as out:
            out.write(np.zeros((1, 9, 9), "uint8"))
    assert any("holds 2 images" in note for note in cog.read(tmp_path / "pages.tif", Limits()).notes)


def test_the_make_of_a_cloud_optimised_geotiff_is_seen(described: Callable[..., Facts]) -> None:
    """The COG driver's layout gives its media type; an ordinary tiled file does not."""
    place = (0.001, 0, 5, 0, -0.001, 50)
    made = described(place, size=(600, 600), driver="COG", crs="EPSG:4326", blocksize=128)
    assert made.raster is not None
    assert made.raster.cloud_optimised
    assert made.media_type == "image/tiff; application=geotiff; profile=cloud-optimized"
    plain = described(place, size=(600, 600), tiled=True, blockxsize=128, blockysize=128, crs="EPSG:4326")
    assert plain.raster is not None
    assert not plain.raster.cloud_optimised
    assert plain.media_type is None


@pytest.mark.parametrize(
    "more", [{}, {"BIGTIFF": "YES"}, {"tiled": True}, {"ENDIANNESS": "BIG"}, {"compress": "deflate"}]
)
def test_a_raster_without_its_end_is_refused(
    more: dict[str, Any], described: Callable[..., Facts], tmp_path: Path
) -> None:
    """GDAL opens a cut-off raster; the offsets in its directories tell. Sparse files, which leave out tiles, pass."""
    assert described((0.1, 0, 5, 0, -0.1, 50), size=(256, 256), crs="EPSG:4326", **more).bbox is not None
    path = tmp_path / "x.tif"
    whole = path.read_bytes()
    for cut in (len(whole) - 1, len(whole) * 2 // 3, 60, 12):
        path.write_bytes(whole[:cut])
        with pytest.raises(InvalidInput, match="cut off"):
            cog.read(path, Limits())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_cog_cut_anywhere_is_refused(described: Callable[..., Facts], tmp_path: Path, data: st.DataObject) -> None:
    """The pixels come last, so whatever is missing at the end is missing of them, or more."""
    described((0.001, 0, 5, 0, -0.001, 50), size=(300, 300), driver="COG", crs="EPSG:4326", blocksize=128)
    path = tmp_path / "x.tif"
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(8, len(whole) - 5))])  # the last 4 bytes repeat a tile's own length
    with pytest.raises(InvalidInput, match="cut off"):
        cog.read(path, Limits())


def test_a_sparse_raster_is_whole(tmp_path: Path) -> None:
    """Tiles that were never written have no offset; they are no damage, and 1 TB of them is no reading."""
    path = tmp_path / "x.tif"
    profile = {"width": 800_000, "height": 800_000, "count": 1, "dtype": "uint8", "SPARSE_OK": "TRUE"}
    with rasterio.open(
        str(path), "w", driver="GTiff", tiled=True, blockxsize=4096, blockysize=4096, BIGTIFF="YES", **profile
    ):
        pass
    found = cog.read(path, Limits())
    assert found.raster is not None
    assert (found.raster.width, path.stat().st_size < 1_000_000) == (800_000, True)


def test_directories_in_circles_end(tmp_path: Path) -> None:
    """A directory that names itself as the next one is refused."""
    path = tmp_path / "x.tif"
    path.write_bytes(b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0")
    with pytest.raises(InvalidInput, match="circles"):
        tiff.layout(path)


def test_offsets_that_overflow_are_beyond_the_end(tmp_path: Path) -> None:
    """Two 64-bit numbers whose sum wraps around to a small one are found out."""
    entry = b"".join(
        tag.to_bytes(2, "little") + (16).to_bytes(2, "little") + (1).to_bytes(8, "little") + value.to_bytes(8, "little")
        for tag, value in ((273, 2**64 - 8), (279, 16))
    )
    path = tmp_path / "x.tif"
    path.write_bytes(b"II+\0\x08\0\0\0" + (16).to_bytes(8, "little") + (2).to_bytes(8, "little") + entry + bytes(8))
    with pytest.raises(InvalidInput, match="cut off"):
        tiff.layout(path)


def test_the_stamp_of_a_tiff_is_no_acquisition_time(described: Callable[..., Facts], tmp_path: Path) -> None:
    """TIFFTAG_DATETIME says when the file was written; the period stays open."""
    described((1, 0, 5, 0, -1, 50), crs="EPSG:4326")
    path = tmp_path / "x.tif"
    with rasterio.open(str(path), "r+") as raster:
        raster.update_tags(TIFFTAG_DATETIME="2024:05:06 07:08:09", TIFFTAG_COPYRIGHT="CC0", TIFFTAG_ARTIST="Ada")
        raster.set_band_description(1, "height")
        raster.set_band_unit(1, "m")
    found = cog.read(path, Limits())
    assert found.period is None
    assert found.raster is not None
    assert (found.raster.stamp, found.licence, found.creator) == ("2024-05-06 07:08:09", "CC0", "Ada")
    assert any("when it was written" in note for note in found.notes)
    assert (found.variables[0].name, found.variables[0].unit) == ("height", "m")
