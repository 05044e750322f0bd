"""Zarr stores of both versions, as folders and archives: honest ones, cut ones, and ones that reach outside."""

import json
import shutil
import stat
import warnings
import zipfile
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pytest
import zarr as library
from zarr.codecs import GzipCodec

from connector.errors import InvalidInput, Refusal, TooLarge
from connector.formats import Description, Facts, Limits, describe
from connector.formats.gridded import zarr
from tests.formats import hostile

Version = Literal[2, 3]
VERSIONS: Final[tuple[Version, ...]] = (2, 3)
NORTH: Final = {"units": "degrees_north", "standard_name": "latitude"}
EAST: Final = {"units": "degrees_east", "standard_name": "longitude"}
HOURS: Final = {"units": "hours since 2020-01-01", "standard_name": "time", "calendar": "standard"}


def put(group: Any, name: str, axes: tuple[str, ...], values: Any, **more: Any) -> Any:
    """Add an array with named axes; what is no setting of the library is an attribute."""
    values = np.asarray(values)
    settings = {
        key: more.pop(key) for key in ("chunks", "compressors", "fill_value", "shards", "filters") if key in more
    }
    version = group.metadata.zarr_format
    names = {"dimension_names": axes} if version == 3 else {}
    array = group.create_array(name, shape=values.shape, dtype=values.dtype, **names, **settings)
    array.attrs.update(more | ({"_ARRAY_DIMENSIONS": list(axes)} if version == 2 else {}))
    array[...] = values
    return array


def lattice(group: Any) -> None:
    """Add a small grid in space and time."""
    put(group, "time", ("time",), np.arange(4, dtype="i4") * 6 + 6, **HOURS)
    put(group, "lat", ("lat",), np.array([40.0, 41.0, 42.0]), **NORTH)
    put(group, "lon", ("lon",), np.array([5.0, 6.0, 7.0, 8.0]), **EAST)
    values = np.arange(48, dtype="f4").reshape(4, 3, 4)
    put(group, "t2m", ("time", "lat", "lon"), values, chunks=(2, 3, 4), units="K", standard_name="air_temperature")


def make(path: Path, version: Version, fill: Any = lattice, *, consolidated: bool = False) -> Path:
    """Write a store."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = library.open_group(path, mode="w", zarr_format=version)
        root.attrs.update({"title": "A small grid", "license": "CC-BY-4.0"})
        fill(root)
        if consolidated:
            library.consolidate_metadata(path)
    return path


def packed(store: Path, path: Path, *, below: str = "") -> Path:
    """Pack a store into an archive, in a folder of it when `below` is given."""
    with zipfile.ZipFile(path, "w") as archive:
        for each in sorted(store.rglob("*")):
            if each.is_file():
                archive.write(each, f"{below}{each.relative_to(store)}")
    return path


def sides(found: Facts | Description) -> tuple[float, float, float, float]:
    """Return the box as W S E N."""
    assert found.bbox is not None
    return found.bbox.west, found.bbox.south, found.bbox.east, found.bbox.north


@pytest.mark.parametrize("consolidated", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_is_described(version: Version, consolidated: bool, tmp_path: Path) -> None:
    """Place, period, variables, chunks, dimensions and licence, with and without consolidated metadata."""
    found = describe(make(tmp_path / "x.zarr", version, consolidated=consolidated))
    assert sides(found) == (4.5, 39.5, 8.5, 42.5)
    assert found.period is not None
    assert (found.period.first, found.period.last, found.period.count) == (
        "2020-01-01T06:00:00",
        "2020-01-02T00:00:00",
        4,
    )
    assert [(each.name, each.unit, each.shape, each.chunks) for each in found.variables] == [
        ("t2m", "K", (4, 3, 4), (2, 3, 4))
    ]
    assert {each.name: each.size for each in found.dimensions} == {"time": 4, "lat": 3, "lon": 4}
    assert (found.title, found.licence, found.format) == ("A small grid", "CC-BY-4.0", f"Zarr v{version}")
    assert found.store is not None
    assert (found.store.arrays, found.store.consolidated) == (4, consolidated)
    assert (found.temporal_resolution, found.notes) == ("PT6H", ())
    assert (found.sources["licence"], found.sources["bbox"]) == ("attribute", "coordinate")


@pytest.mark.parametrize("below", ["", "x.zarr/"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_in_an_archive_is_the_same_store(version: Version, below: str, tmp_path: Path) -> None:
    """A zip file with the store at its top or in a folder gives the same facts."""
    store = make(tmp_path / "x.zarr", version)
    one, other = describe(store), describe(packed(store, tmp_path / "x.zip", below=below))
    assert (one.bbox, one.period, one.variables, one.store) == (other.bbox, other.period, other.variables, other.store)


def test_an_archive_that_begins_with_chunks_is_a_store_all_the_same(tmp_path: Path) -> None:
    """Its metadata stand behind more bytes than are looked at to choose a format."""
    store = make(tmp_path / "x.zarr", 2)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("aaa/0", bytes(200_000))
        plain = {"shape": [25_000], "chunks": [25_000], "compressor": None}
        archive.writestr("aaa/.zarray", json.dumps(json.loads((store / "lat" / ".zarray").read_text()) | plain))
        for each in sorted(store.rglob("*"), reverse=True):
            if each.is_file():
                archive.write(each, each.relative_to(store))
    found = describe(tmp_path / "x.zip")
    assert (found.format, found.media_type, sides(found)) == ("Zarr v2", "application/vnd+zarr", (4.5, 39.5, 8.5, 42.5))


@pytest.mark.parametrize("consolidated", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_groups_are_in_the_names(version: Version, consolidated: bool, tmp_path: Path) -> None:
    """A variable of a group is called by its path; coordinates of the groups are joined."""

    def fill(root: Any) -> None:
        lattice(root.create_group("west"))
        east = root.create_group("deep").create_group("east")
        put(east, "lat", ("lat",), np.array([40.0, 41.0]), **NORTH)
        put(east, "lon", ("lon",), np.array([20.0, 21.0]), **EAST)
        put(east, "rain", ("lat", "lon"), np.zeros((2, 2)))

    found = describe(make(tmp_path / "x.zarr", version, fill, consolidated=consolidated))
    assert {each.name for each in found.variables} == {"west/t2m", "deep/east/rain"}
    assert sides(found) == (4.5, 39.5, 21.5, 42.5)
    assert any("joins those of 2 groups" in note for note in found.notes)


@pytest.mark.parametrize("version", VERSIONS)
def test_packed_and_missing_coordinates_are_unpacked(version: Version, tmp_path: Path) -> None:
    """Scale, offset and marks of missing values count, unsigned numbers too; the library does none of that itself."""

    def fill(root: Any) -> None:
        lat = np.array([4000, 4100, -9999], dtype="i2")
        put(root, "lat", ("n",), lat, scale_factor=0.01, _FillValue=-9999, **NORTH)
        lon = np.array([50, 60, -1], dtype="i1")
        put(root, "lon", ("n",), lon, scale_factor=1.0, add_offset=-50.0, _Unsigned="true", **EAST)

    assert sides(zarr.read(make(tmp_path / "x.zarr", version, fill), Limits())) == (0.0, 40.0, 10.0, 41.0)


def test_a_fill_value_written_as_base64_marks_missing_values(tmp_path: Path) -> None:
    """Version 3 has floating fill values in attributes as base64 of their eight bytes."""

    def fill(root: Any) -> None:
        put(root, "lat", ("n",), np.array([1.0, 2.0, 88.0]), _FillValue="AAAAAAAAVkA=", **NORTH)  # 88.0
        put(root, "lon", ("n",), np.array([1.0, 2.0, 3.0]), **EAST)

    assert sides(zarr.read(make(tmp_path / "x.zarr", 3, fill), Limits())) == (1.0, 1.0, 2.0, 2.0)


def test_shards_and_codecs_are_read(tmp_path: Path) -> None:
    """Coordinates in shards, packed with several codecs, are read piece by piece."""

    def fill(root: Any) -> None:
        lat, lon = np.linspace(-10, 10, 64), np.linspace(0, 20, 64)
        put(root, "lat", ("n",), lat, chunks=(8,), shards=(32,), **NORTH)
        put(root, "lon", ("n",), lon, chunks=(8,), compressors=GzipCodec(), **EAST)

    assert sides(zarr.read(make(tmp_path / "x.zarr", 3, fill), Limits())) == (0.0, -10.0, 20.0, 10.0)


@pytest.mark.parametrize("version", VERSIONS)
def test_missing_chunks_are_legal_and_told(version: Version, tmp_path: Path) -> None:
    """A chunk of data that is not stored is no damage; of a coordinate its values count as missing, which is said."""
    path = make(tmp_path / "x.zarr", version)
    (next(each for each in (path / "t2m").rglob("*") if each.is_file() and each.name.startswith(("0", "1")))).unlink()
    assert describe(path).notes == ()
    shutil.rmtree(path / "lat" / "c") if version == 3 else (path / "lat" / "0").unlink()
    found = describe(path)
    assert found.bbox is None
    assert any("Parts of the coordinate 'lat' are not stored" in note for note in found.notes)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("where", ["lat", "t2m", "deep"])
def test_missing_metadata_are_damage(version: Version, where: str, tmp_path: Path) -> None:
    """An array or a group whose metadata were lost on the way is not passed over."""

    def fill(root: Any) -> None:
        lattice(root)
        put(root.create_group("deep"), "x", ("n",), np.zeros(3))

    path = make(tmp_path / "x.zarr", version, fill)
    for name in (".zarray", ".zgroup", "zarr.json"):
        (path / where / name).unlink(missing_ok=True)
    with pytest.raises(InvalidInput, match=r"missing|damaged"):
        describe(path)


def test_a_folder_without_any_metadata_is_not_read(tmp_path: Path) -> None:
    """A folder that is only called .zarr says what it lacks."""
    path = make(tmp_path / "x.zarr", 2)
    (path / ".zgroup").unlink()
    (path / ".zattrs").unlink()
    with pytest.raises(InvalidInput, match=r"neither \.zarray nor \.zgroup nor zarr\.json"):
        describe(path)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cut_chunk_is_refused(version: Version, tmp_path: Path) -> None:
    """A chunk of a coordinate or of data that ends too soon is damage, wherever it is cut."""
    path = make(tmp_path / "x.zarr", version)
    for array in ("lat", "t2m"):
        chunk = max(each for each in (path / array).rglob("*") if each.is_file() and each.name[0] in "012")
        whole = chunk.read_bytes()
        for cut in (0, 1, len(whole) // 2, len(whole) - 1):
            chunk.write_bytes(whole[:cut])
            with pytest.raises(InvalidInput, match="damaged or cut off"):
                zarr.read(path, Limits())
        chunk.write_bytes(whole)
    assert sides(zarr.read(path, Limits())) == (4.5, 39.5, 8.5, 42.5)


@pytest.mark.parametrize("version", VERSIONS)
def test_cut_metadata_are_refused(version: Version, tmp_path: Path) -> None:
    """Half a JSON text, another version, no JSON object, nested beyond measure."""
    path = make(tmp_path / "x.zarr", version)
    text = path / "t2m" / (".zarray" if version == 2 else "zarr.json")
    whole = text.read_bytes()
    for changed in (
        whole[: len(whole) // 2],
        b"",
        b"[1]",
        b'{"a":' * 100_000,
        whole.replace(b": %d" % version, b": 7"),
    ):
        text.write_bytes(changed)
        with pytest.raises(InvalidInput, match=r"damaged|version"):
            zarr.read(path, Limits())


@pytest.mark.parametrize(
    "shape", ["[-1]", "[1e3]", '["a"]', "7", "[" + ",".join(["1"] * 40) + "]", "[99999999999999999999]"]
)
def test_shapes_that_are_none_are_refused(shape: str, tmp_path: Path) -> None:
    """Threat: sizes that overflow or are no numbers."""
    path = make(tmp_path / "x.zarr", 2)
    text = path / "lat" / ".zarray"
    text.write_text(json.dumps(json.loads(text.read_text()) | {"shape": json.loads(shape)}))
    with pytest.raises(InvalidInput, match="no list of sizes"):
        zarr.read(path, Limits())


def test_a_chunk_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """Threat: a chunk that is a link to another file of this machine, by itself or through a folder."""
    path, secret = make(tmp_path / "x.zarr", 2), tmp_path / "passwd"
    secret.write_text(hostile.CONFIDENTIAL)
    chunk = path / "lat" / "0"
    chunk.unlink()
    chunk.symlink_to(secret)
    with pytest.raises(InvalidInput, match="link") as no:
        describe(path)
    assert hostile.CONFIDENTIAL[:8] not in str(no.value)
    # The reader itself follows none either, should one be put in after the folder was looked through.
    with pytest.raises(InvalidInput, match=r"link|damaged"):
        zarr.read(path, Limits())


@pytest.mark.parametrize(
    "key", ["../passwd/.zarray", "/etc/passwd/.zarray", "a//.zarray", "a/./.zarray", "a\\b/.zarray"]
)
def test_names_in_consolidated_metadata_stay_inside(key: str, tmp_path: Path) -> None:
    """Threat: consolidated metadata that name an array outside of the store, whose chunks would be any file."""
    path = make(tmp_path / "x.zarr", 2, consolidated=True)
    whole = json.loads((path / ".zmetadata").read_text())
    whole["metadata"][key] = whole["metadata"]["lat/.zarray"]
    (path / ".zmetadata").write_text(json.dumps(whole))
    with pytest.raises(InvalidInput, match="leads outside"):
        describe(path)


def test_codecs_that_run_code_are_not_used(tmp_path: Path) -> None:
    """Threat: the pickle codec, which executes what a chunk holds, on a coordinate and on data."""
    for array in ("lat", "t2m"):
        path = make(tmp_path / f"{array}.zarr", 2)
        mark = tmp_path / f"{array}.ran"
        text = path / array / ".zarray"
        text.write_text(json.dumps(json.loads(text.read_text()) | {"compressor": None, "filters": [{"id": "pickle"}]}))
        for chunk in (path / array).glob("0*"):
            chunk.write_bytes(f"cos\nmkdir\n(S'{mark}'\ntR.".encode())
        if array == "lat":
            with pytest.raises(InvalidInput, match="packed in a way that is not read"):
                zarr.read(path, Limits())
        else:
            assert sides(zarr.read(path, Limits())) == (4.5, 39.5, 8.5, 42.5)
        assert not mark.exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_announced_size_is_not_read(version: Version, tmp_path: Path) -> None:
    """Threat: arrays and chunks of any announced size in a store of kilobytes; a data array of them costs nothing."""

    def fill(root: Any) -> None:
        lattice(root)
        for name, shape, chunks in (("huge", (1 << 40, 1 << 20), (1, 1)), ("chunk", (1 << 36,), (1 << 36,))):
            names = {"dimension_names": tuple(f"{name}{n}" for n in range(len(shape)))} if version == 3 else {}
            root.create_array(name, shape=shape, chunks=chunks, dtype="f8", **names)

    found = describe(make(tmp_path / "x.zarr", version, fill), limits=Limits(cpu_seconds=5, memory_bytes=1 << 30))
    assert sides(found) == (4.5, 39.5, 8.5, 42.5)
    assert {each.name: each.shape for each in found.variables}["huge"] == (1 << 40, 1 << 20)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_coordinate_of_any_announced_size_is_not_read(version: Version, tmp_path: Path) -> None:
    """Threat: an axis of billions of values, in one chunk or in many."""
    for chunks in ((1 << 36,), (1 << 10,)):

        def fill(root: Any, chunks: tuple[int, ...] = chunks) -> None:
            put(root, "lat", ("lat",), np.array([40.0, 41.0]), **NORTH)
            names = {"dimension_names": ("lon",)} if version == 3 else {}
            lon = root.create_array("lon", shape=(1 << 36,), chunks=chunks, dtype="f8", **names)
            lon.attrs.update(EAST | ({"_ARRAY_DIMENSIONS": ["lon"]} if version == 2 else {}))

        path = make(tmp_path / f"{chunks[0]}.zarr", version, fill)
        found = describe(path, limits=Limits(cpu_seconds=5, memory_bytes=1 << 30))
        assert found.bbox is None
        assert any("too many to read" in note for note in found.notes)


def test_a_bomb_of_a_chunk_is_refused(tmp_path: Path) -> None:
    """Threat: a chunk of kilobytes that unpacks to gigabytes."""
    path = make(tmp_path / "x.zarr", 2)
    text = path / "lat" / ".zarray"
    text.write_text(json.dumps(json.loads(text.read_text()) | {"compressor": {"id": "zlib", "level": 1}}))
    import zlib  # noqa: PLC0415 - only here

    (path / "lat" / "0").write_bytes(zlib.compress(bytes(64 << 20)))
    with pytest.raises(Refusal):
        describe(path, limits=Limits(memory_bytes=512 << 20, cpu_seconds=10))


def test_names_in_an_archive_stay_inside(tmp_path: Path) -> None:
    """Threat: members that lead outside, links, members that grow beyond measure, encrypted ones."""
    store = make(tmp_path / "x.zarr", 2)
    link = zipfile.ZipInfo("x.zarr/lat/9")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    link.create_system = 3
    for name, member, content, kind in (
        ("up.zip", "../../passwd", b"x", InvalidInput),
        ("root.zip", "/etc/passwd", b"x", InvalidInput),
        ("link.zip", link, b"/etc/passwd", InvalidInput),
        ("bomb.zip", "x.zarr/bomb/0", bytes(32 << 20), TooLarge),
    ):
        packed(store, tmp_path / name, below="x.zarr/")
        with zipfile.ZipFile(tmp_path / name, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, content)
        with pytest.raises(kind, match=r"outside|link|grows"):
            describe(tmp_path / name)


def test_an_archive_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    """The list of members stands at the end of an archive: without it nothing is read."""
    whole = packed(make(tmp_path / "x.zarr", 3), tmp_path / "x.zip").read_bytes()
    for cut in range(100, len(whole), len(whole) // 12):
        (tmp_path / "cut.zip").write_bytes(whole[:cut])
        with pytest.raises(InvalidInput, match="cut off"):
            describe(tmp_path / "cut.zip")


def test_times_of_the_type_of_numpy_are_times(tmp_path: Path) -> None:
    """A coordinate stored as datetime64 has neither units nor calendar, and needs none."""

    def fill(root: Any) -> None:
        lattice(root)
        del root["time"]
        times = np.array(["2021-05-01T00", "2021-05-01T12"], dtype="M8[ns]")
        put(root, "time", ("time",), times)

    found = zarr.read(make(tmp_path / "x.zarr", 2, fill), Limits())
    assert found.period is not None
    assert (found.period.first, found.period.last) == ("2021-05-01T00:00:00", "2021-05-01T12:00:00")


def test_a_time_that_equals_the_fill_value_is_a_time(tmp_path: Path) -> None:
    """The library does not store a chunk of fill values: the one time step 0 is not stored, and still holds."""

    def fill(root: Any) -> None:
        put(root, "time", ("time",), np.array([0], dtype="i8"), **HOURS)
        put(root, "x", ("time",), np.array([1.0]))

    path = make(tmp_path / "x.zarr", 3, fill)
    found = zarr.read(path, Limits())
    assert found.period is not None
    assert found.period.first == "2020-01-01T00:00:00"
    assert any("is not stored" in note for note in found.notes) == (not (path / "time" / "c").exists())


def test_links_between_names_of_other_libraries_are_read(tmp_path: Path) -> None:
    """The netCDF library names the axes in a key of its own."""
    path = make(tmp_path / "x.zarr", 2)
    for array, axes in (("lat", ["/lat"]), ("lon", ["/lon"]), ("time", ["/time"]), ("t2m", ["/time", "/lat", "/lon"])):
        text = path / array / ".zattrs"
        attributes = json.loads(text.read_text())
        del attributes["_ARRAY_DIMENSIONS"]
        text.write_text(json.dumps(attributes | {"_nczarr_array": {"dimrefs": axes}}))
    assert sides(zarr.read(path, Limits())) == (4.5, 39.5, 8.5, 42.5)


def test_a_store_of_one_array_is_described(tmp_path: Path) -> None:
    """The root may be an array; it has no name, and no place."""
    path = tmp_path / "x.zarr"
    library.create_array(path, shape=(3,), dtype="f4", zarr_format=2)
    found = describe(path)
    assert [each.name for each in found.variables] == ["unnamed"]
    assert found.bbox is None


def test_ten_gigabytes_are_read_in_the_time_of_their_header(tmp_path: Path) -> None:
    """The size of a store does not matter: chunks of data are not read, but for a few that are small."""

    def fill(root: Any) -> None:
        lattice(root)
        root.create_array("big", shape=(10, 1 << 27), chunks=(1, 1 << 27), dtype="f8", compressors=None)

    path = make(tmp_path / "x.zarr", 2, fill)
    for number in range(10):
        with (path / "big" / f"{number}.0").open("wb") as chunk:
            chunk.truncate(1 << 30)
    found = describe(path, limits=Limits(cpu_seconds=3, memory_bytes=1 << 30))
    assert found.byte_size > 10 << 30
    assert sides(found) == (4.5, 39.5, 8.5, 42.5)


def test_only_so_many_nodes_are_read(tmp_path: Path) -> None:
    """Threat: a store of very many arrays."""
    with pytest.raises(TooLarge, match="more than 3"):
        zarr.read(make(tmp_path / "x.zarr", 3), Limits(objects=3))
    with pytest.raises(TooLarge, match="more than 3"):
        zarr.read(make(tmp_path / "y.zarr", 2, consolidated=True), Limits(objects=3))
