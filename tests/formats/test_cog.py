"""GeoTIFFs: where their pixels lie, where that must not be guessed, and whether all of them are there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.errors import NotGeoreferencedWarning

from connector.errors import InvalidInput
from connector.formats import Facts, Limits, cog, tiff

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


@pytest.mark.parametrize(
    ("place", "crs", "said"),
    [
        ((1, 0, 5, 0, -1, 50), None, "names no coordinate reference system"),
        (None, "EPSG:4326", "no georeference of its own"),
        ((1, 0, 5, 0, -1, 50), "+proj=longlat +R=3396190 +no_defs", "not one of the Earth"),
    ],
    ids=["no-crs", "identity", "mars"],
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
    assert found.bbox.approximate


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
    assert described((1, 0, 5, 0, -1, 50), size=(256, 256), crs="EPSG:4326", **more).bbox is not None
    path = tmp_path / "x.tif"
    whole = path.read_bytes()
    for cut in (len(whole) - 1, len(whole) * 2 // 3, 60, 12):
        path.write_bytes(whole[:cut])
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
