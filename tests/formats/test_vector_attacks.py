"""Vector files that attack their readers, and files that are cut off: refused or harmless, never wrong in silence."""

import json
import random
import sqlite3
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from connector.errors import InvalidInput, Refusal, TooLarge
from connector.formats import Limits, describe
from connector.formats.containers import members
from tests.conftest import references
from tests.formats import hostile, vectors
from tests.formats.vectors import square, wkb_point

SAMPLES: Final = references() / "data"
CUT: Final = sorted(
    name
    for name in json.loads((SAMPLES / "expected.json").read_text("utf-8"))
    if name.startswith("geo/") or (name.startswith("meteo/") and name.endswith((".csv", ".parquet")))
)
SMALL_MEMORY: Final = 400 << 20  # of which the libraries take more than half
SAYS_SO: Final = ("truncated", "damaged", "cut off")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file of the machine that no foreign file may read."""
    path = tmp_path / "passwd"
    path.write_text(f"{hostile.CONFIDENTIAL},lat,lon\n1,2,3\n")
    return path


def said(path: Path, **more: Any) -> str:
    """Return everything that describing the file says, refusal or not."""
    try:
        return msgspec.json.encode(describe(path, **more)).decode()
    except Refusal as no:
        return str(no)


def ogr_vrt(source: str) -> str:
    """Return a GDAL virtual vector layer that takes its features from `source`."""
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource relativeToVRT="0">{source}</SrcDataSource>'
        "<SrcLayer>x</SrcLayer></OGRVRTLayer></OGRVRTDataSource>"
    )


@pytest.mark.parametrize("suffix", [".geojson", ".shp", ".gpkg", ".parquet", ".csv", ".zip", ".txt"])
def test_a_virtual_layer_is_not_followed(tmp_path: Path, secret: Path, suffix: str) -> None:
    """Threat: a virtual layer under any name that draws in a file of the machine or an address."""
    path = tmp_path / f"x{suffix}"
    with hostile.counting_server() as (url, hits):
        for source in (f"CSV:{secret}", f"/vsicurl/{url}/x.csv", f"{url}/x.geojson"):
            path.write_text(ogr_vrt(source))
            with pytest.raises(InvalidInput):
                describe(path)
            assert hostile.CONFIDENTIAL[:8] not in said(path)
        assert hits == []


def test_a_linked_reference_system_is_not_fetched(tmp_path: Path) -> None:
    """Threat: the crs member of GeoJSON as a link. The place stays open."""
    path = tmp_path / "x.geojson"
    with hostile.counting_server() as (url, hits):
        link = {"type": "link", "properties": {"href": f"{url}/crs", "type": "proj4"}}
        point = {"type": "Point", "coordinates": [1, 2]}
        path.write_text(
            json.dumps({"type": "FeatureCollection", "crs": link, "features": [{"type": "Feature", "geometry": point}]})
        )
        assert describe(path).bbox is None
        assert hits == []


@pytest.mark.parametrize("where", ["name", "prj", "gpkg"])
def test_a_reference_system_is_no_address(tmp_path: Path, secret: Path, where: str) -> None:
    """Threat: a definition that is an address, a file or the name of a grid file instead of a system."""
    with hostile.counting_server() as (url, hits):
        for text in (f"{url}/crs", f"@{secret}", str(secret), f"+proj=longlat +nadgrids={url}/x.tif +type=crs"):
            if where == "name":
                path = tmp_path / "x.geojson"
                crs = {"type": "name", "properties": {"name": text}}
                path.write_text(json.dumps({"type": "Point", "coordinates": [1, 2], "crs": crs}))
            elif where == "prj":
                path = vectors.shapes(tmp_path / "x.shp", [[square(1, 2, 1)]])
                path.with_suffix(".prj").write_text(text)
            else:
                path = tmp_path / "x.gpkg"
                path.unlink(missing_ok=True)
                vectors.geopackage(path, [wkb_point(1, 2)])
                with sqlite3.connect(path) as file:
                    file.execute("UPDATE gpkg_spatial_ref_sys SET organization = 'NONE', definition = ?", (text,))
                file.close()
            found = describe(path)
            assert found.bbox is None
            assert hostile.CONFIDENTIAL[:8] not in msgspec.json.encode(found).decode()
        assert hits == []


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("../x.shp", 0),
        ("/etc/x.shp", 0),
        ("a/../../x.shp", 0),
        ("..\\x.shp", 0),
        ("C:\\x.shp", 0),
        ("x.shp", stat.S_IFLNK | 0o777),
        ("/".join(["d"] * 40) + "/x.shp", 0),
        ("x" * 2000 + ".shp", 0),
    ],
)
def test_members_that_lead_out_of_an_archive(tmp_path: Path, name: str, mode: int) -> None:
    """Threat: path traversal, absolute names, links, and names without an end."""
    path = tmp_path / "x.zip"
    path.write_bytes(vectors.zip_of_names([(name, mode)]))
    with pytest.raises(InvalidInput, match="member of the archive"):
        describe(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.zip"]


def test_two_members_of_one_name(tmp_path: Path) -> None:
    """Threat: programs that look at the first member and use the second."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("x.shp", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            out.writestr("x.shp", b"2")
    with pytest.raises(InvalidInput, match="two members"):
        describe(path)


def test_too_many_members(tmp_path: Path) -> None:
    """Threat: ten thousand and one names."""
    path = tmp_path / "x.zip"
    path.write_bytes(vectors.zip_of_names((f"{number}", 0) for number in range(members.MEMBERS + 1)))
    with pytest.raises(TooLarge, match="10001 members"):
        describe(path)


def test_a_zip_bomb(tmp_path: Path) -> None:
    """Threat: 100 MB of nothing in 100 kB, as a shape or as the table beside it."""
    for name in ("x.shp", "x.dbf", "readme.txt"):
        path = vectors.zipped(tmp_path / "x.zip", {"x.shp": b"\0", name: bytes(100 << 20)})
        assert path.stat().st_size < 1 << 20
        with pytest.raises(TooLarge, match="would unpack"):
            describe(path)


def test_a_member_that_is_longer_than_it_says(tmp_path: Path) -> None:
    """Threat: a directory that announces ten bytes for a member of a hundred thousand."""
    made = tmp_path / "made"
    made.mkdir()
    vectors.shapes(made / "x.shp", [[square(1, 2, 1)]] * 1000)
    path = vectors.zipped(tmp_path / "x.zip", made)
    raw = path.read_bytes()
    size = struct.pack("<I", (made / "x.shp").stat().st_size)
    assert raw.count(size) == 2
    path.write_bytes(raw.replace(size, struct.pack("<I", 200)))
    with pytest.raises(InvalidInput):
        describe(path)


@pytest.mark.parametrize("raw", [b"PK\x03\x04" + bytes(100), b"PK\x05\x06" + bytes(18), b"PK\x05\x06" + b"\xff" * 18])
def test_an_archive_of_nothing(tmp_path: Path, raw: bytes) -> None:
    """Noise with the mark of an archive, and an archive without a member."""
    path = tmp_path / "x.zip"
    path.write_bytes(raw)
    with pytest.raises(InvalidInput, match="zip archive"):
        describe(path)


def test_an_encrypted_archive(tmp_path: Path) -> None:
    """A password is asked of nobody."""
    raw = bytearray(vectors.zip_of_names([("x.shp", 0)]))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path = tmp_path / "x.zip"
    path.write_bytes(raw)
    with pytest.raises(InvalidInput, match="encrypted"):
        describe(path)


def test_siblings_that_are_links_are_not_followed(tmp_path: Path, secret: Path) -> None:
    """Threat: a .prj, .dbf or .cpg beside the shapes that is a link to a file of the machine."""
    for suffix in (".prj", ".dbf", ".cpg"):
        path = vectors.shapes(tmp_path / "x.shp", [[square(1, 2, 1)]])
        path.with_suffix(suffix).unlink(missing_ok=True)
        path.with_suffix(suffix).symlink_to(secret)
        assert hostile.CONFIDENTIAL[:8] not in said(path)
        path.with_suffix(suffix).unlink()


@pytest.mark.parametrize("name", ["x.geojson", "x.csv", "x.gpkg", "x.parquet", "x.zip", "x.shp"])
def test_a_link_is_no_file(tmp_path: Path, secret: Path, name: str) -> None:
    """Threat: the file itself is a link."""
    path = tmp_path / name
    path.symlink_to(secret)
    with pytest.raises(InvalidInput):
        describe(path)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "FeatureCollection", "features": ' + "[" * 200_000,
        '{"type": "FeatureCollection", "features": [' + '{"a":' * 200_000,
        '{"type": "GeometryCollection", "geometries": [' * 5_000,
        '{"type": "Point", "coordinates": ' + "[" * 50_000 + "]" * 50_000 + "}",
    ],
    ids=["arrays", "objects", "collections", "coordinates"],
)
def test_deep_json_ends_in_a_refusal(tmp_path: Path, text: str) -> None:
    """Threat: brackets until the stack ends. The child refuses; it does not crash."""
    path = tmp_path / "x.geojson"
    path.write_text(text)
    with pytest.raises(InvalidInput) as no:
        describe(path)
    assert "crashes" not in str(no.value)


def test_a_line_of_a_gigabyte(tmp_path: Path) -> None:
    """Threat: a table whose first, or second, line does not end. Nothing near its length is taken into memory."""
    for beginning in (b"", b"lat,lon\n1,2\n"):
        path = tmp_path / "x.csv"
        with path.open("wb") as out:
            out.write(beginning + b"x" * (1 << 17))
            for number in range(1, 65):  # mostly holes on the disk; holes are zeros, which is no text either
                out.seek(number << 24)
                out.write(b"y" * (1 << 17))
        with pytest.raises(InvalidInput):
            describe(path, limits=Limits(memory_bytes=1 << 30))
    with path.open("wb") as out:
        out.write(b"lat,lon\n")
        for _ in range(100):
            out.write(b"1" * (1 << 20))
    with pytest.raises(TooLarge, match="line"):
        describe(path, limits=Limits(memory_bytes=1 << 30))


def test_one_feature_of_a_hundred_megabytes(tmp_path: Path) -> None:
    """Threat: a string that does not end, within a feature."""
    path = tmp_path / "x.geojson"
    with path.open("wb") as out:
        out.write(
            b'{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": null, "properties": {"a": "'
        )
        for _ in range(100):
            out.write(b"x" * (1 << 20))
    with pytest.raises(TooLarge, match="longer than"):
        describe(path)


def noise(path: Path) -> Path:
    """Return a database whose pages behind the first are noise."""
    vectors.geopackage(path, [wkb_point(number / 10, 5) for number in range(500)])
    raw = bytearray(path.read_bytes())
    raw[4096:] = random.Random(7).randbytes(len(raw) - 4096)  # noqa: S311 - noise
    path.write_bytes(raw)
    return path


def test_a_database_of_noise(tmp_path: Path) -> None:
    """A damaged database is refused as one."""
    with pytest.raises(InvalidInput, match="damaged"):
        describe(noise(tmp_path / "x.gpkg"))


@pytest.mark.parametrize("name", CUT)
def test_a_cut_file_is_refused_or_said_to_be_cut(tmp_path: Path, name: str) -> None:
    """Ten cuts of each sample: a refusal that is none of a crash, or a draft whose notes say that it is not whole."""
    whole = (SAMPLES / name).read_bytes()
    chance = random.Random(name)  # noqa: S311 - the same places every time
    path = tmp_path / Path(name).name
    for cut in sorted({1, len(whole) // 2, len(whole) - 1, *(chance.randrange(1, len(whole)) for _ in range(7))}):
        path.write_bytes(whole[:cut])
        try:
            notes = describe(path).notes
        except InvalidInput as no:
            assert "crashes" not in str(no)  # noqa: PT017 - both ends are right
        else:
            # A table that ends with a line, and a text without its last line break, cannot be told from whole ones.
            at_a_line = name.endswith(".csv") and whole[cut - 1 : cut] == b"\n"
            assert (
                at_a_line or whole[:cut] == whole.rstrip() or any(word in note for note in notes for word in SAYS_SO)
            ), (cut, notes)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", CUT)
def test_a_file_with_flipped_bytes_is_read_or_refused(tmp_path: Path, name: str) -> None:
    """Noise in a sample ends in a draft or in a refusal that a person can act on, never in a fault of the reader."""
    whole = (SAMPLES / name).read_bytes()
    chance = random.Random(name)  # noqa: S311 - the same places every time
    path = tmp_path / Path(name).name
    for number in range(25):
        raw = bytearray(whole)
        beginning = 0 if number % 2 else max(0, len(raw) - 6000)  # directories and footers stand at the end
        for _ in range(chance.choice((1, 3, 20))):
            raw[chance.randrange(beginning, len(raw))] = chance.randrange(256)
        path.write_bytes(raw)
        try:
            describe(path)
        except InvalidInput as no:
            assert "reader" not in str(no)  # noqa: PT017 - both ends are right


def wide_table(path: Path) -> None:
    """Write 60 MB of rows."""
    with path.open("w") as out:
        out.write("lat,lon,time,value\n")
        for number in range(8000):
            out.writelines([f"{number / 100},7.12345,2020-01-01,{'1' * 40}\n"] * 100)


def wide_geojson(path: Path) -> None:
    """Write 60 MB of features."""
    ring = [[round(number / 1000, 3), 50 + number % 7] for number in range(500)]
    text = json.dumps(
        {"type": "Feature", "properties": {"n": 1}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    )
    with path.open("w") as out:
        out.write('{"type": "FeatureCollection", "features": [')
        for number in range(6000):
            out.write(("," if number else "") + text)
        out.write("]}")


def wide_shapes(path: Path) -> None:
    """Write 48 MB of shapes by repeating the record of one."""
    vectors.shapes(path, [[[(number / 1000, 50.0) for number in range(1000)] + [(0.0, 51.0), (0.0, 50.0)]]])
    raw = path.read_bytes()
    record, times = raw[100:], 3000
    head = bytearray(raw[:100])
    head[24:28] = struct.pack(">i", (100 + len(record) * times) // 2)
    path.write_bytes(bytes(head) + record * times)
    path.with_suffix(".dbf").unlink()


@pytest.mark.parametrize(
    ("name", "write", "rows"),
    [("x.csv", wide_table, 800_000), ("x.geojson", wide_geojson, 6000), ("x.shp", wide_shapes, 3000)],
)
def test_large_files_are_read_in_memory_that_does_not_grow(
    tmp_path: Path, name: str, write: Callable[[Path], None], rows: int
) -> None:
    """Every feature is read within the limits of a child that has little more memory than its libraries need."""
    write(tmp_path / name)
    found = describe(tmp_path / name, limits=Limits(memory_bytes=SMALL_MEMORY))
    assert found.rows == rows
    assert found.bbox is not None
