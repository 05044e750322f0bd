"""Files that attack whoever opens them. Each is refused or harmless: no byte of another file, no visit to a server."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import eccodes
import msgspec
import pytest
import rasterio

from connector.errors import InvalidInput, NotFound, Refusal
from connector.formats import Limits, describe, registry
from tests.formats import hostile, safe_products

DEMO: Final = Path(__file__).resolve().parents[2] / "connector" / "demo" / "data"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file of the machine that no foreign file may read."""
    path = tmp_path / "passwd"
    path.write_text(hostile.CONFIDENTIAL)
    return path


def said(path: Path, **more: Any) -> str:
    """Return everything that describing the file says, refusal or not."""
    try:
        return msgspec.json.encode(describe(path, **more)).decode()
    except Refusal as no:
        return str(no)


def unguarded(code: str, path: Path) -> str:
    """Open a file in a fresh process as a careless program does."""
    environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
    return done.stdout


GDAL: Final = tuple(int(part) for part in rasterio.__gdal_version__.split(".")[:2])
READ_RASTER: Final = "import sys, rasterio; print(bytes(rasterio.open(sys.argv[1]).read(1).ravel()))"
READ_HDF5: Final = "import sys, h5py; print(bytes(h5py.File(sys.argv[1])['air'][:]))"


@pytest.mark.parametrize("make", [lambda url: hostile.vrt(f"/vsicurl/{url}/a.tif"), hostile.wms], ids=["vrt", "wms"])
def test_a_text_called_tif_fetches_nothing(make: Callable[[str], str], tmp_path: Path) -> None:
    """Threat: server-side request forgery. A virtual raster or map service named .tif makes GDAL call any address."""
    path = tmp_path / "scene.tif"
    with hostile.counting_server() as (url, hits):
        path.write_text(make(url))
        unguarded(READ_RASTER, path)
        assert hits, "the attack does not work even on a careless reader: this test would prove nothing"
        hits.clear()
        with pytest.raises(InvalidInput, match="does not begin as one"):
            describe(path)
        assert hits == []


def test_a_text_called_tif_reads_no_other_file(tmp_path: Path, secret: Path) -> None:
    """Threat: reading any file of the machine as pixels of a raw virtual raster."""
    path = tmp_path / "scene.tif"
    path.write_text(hostile.raw_vrt(secret))
    # From version 3.12 on GDAL refuses this by itself; before, a careless reader gives the file away.
    assert (hostile.CONFIDENTIAL[:16] in unguarded(READ_RASTER, path)) == (GDAL < (3, 12))
    assert hostile.CONFIDENTIAL[:8] not in said(path)


def test_side_files_of_a_raster_are_not_opened(tmp_path: Path) -> None:
    """Threat: an honest GeoTIFF with an overview or metadata file beside it that is a virtual raster with a source."""
    path = hostile.geotiff(tmp_path / "scene.tif")
    with hostile.counting_server() as (url, hits):
        (tmp_path / "scene.tif.ovr").write_text(hostile.vrt(f"/vsicurl/{url}/o.tif"))
        (tmp_path / "scene.tif.aux.xml").write_text(
            f"<PAMDataset><Metadata domain='OVERVIEWS'><MDI key='OVERVIEW_FILE'>/vsicurl/{url}/p.tif</MDI></Metadata>"
            "</PAMDataset>"
        )
        found = describe(path)
        assert hits == []
    assert found.raster is not None
    assert found.raster.overviews == ()


@pytest.mark.parametrize("name", ["http://127.0.0.1:9/air.nc", "/vsicurl/http://127.0.0.1:9/a.tif", "/vsizip/a.zip"])
def test_an_address_is_no_file(name: str) -> None:
    """Threat: a name that a library takes for an address or an archive instead of a file."""
    with pytest.raises(NotFound):
        describe(Path(name))


@pytest.mark.parametrize("name", ["http://127.0.0.1:9/a.nc", "air.nc#mode=bytes", "../../x.nc", "/vsicurl/http://x"])
def test_the_name_a_provider_gives_is_only_a_name(name: str) -> None:
    """Threat: the original file name reaches a library that interprets it. It is used to choose a format, no more."""
    found = describe(DEMO / "ncep_air_temperature_small.nc", filename=name)
    assert found.variables[0].name == "air"


def test_external_storage_is_refused(tmp_path: Path, secret: Path) -> None:
    """Threat: HDF5 external storage, which makes another file's bytes the values of a dataset."""
    path = hostile.external_storage(tmp_path / "air.nc", secret)
    assert hostile.CONFIDENTIAL[:16] in unguarded(READ_HDF5, path)
    with pytest.raises(InvalidInput, match="values in another file") as no:
        describe(path)
    assert hostile.CONFIDENTIAL[:8] not in str(no.value)


def test_a_virtual_dataset_is_refused(tmp_path: Path) -> None:
    """Threat: an HDF5 virtual dataset, deep in the groups, that maps another file."""
    with pytest.raises(InvalidInput, match="values in another file"):
        describe(hostile.virtual_dataset(tmp_path / "air.nc", tmp_path / "other.h5"))


def test_an_external_link_is_refused(tmp_path: Path) -> None:
    """Threat: an HDF5 external link, through which a group of another file appears in this one."""
    with pytest.raises(InvalidInput, match="links to another file"):
        describe(hostile.external_link(tmp_path / "air.nc", tmp_path / "other.h5"))


def test_groups_that_contain_each_other_are_refused(tmp_path: Path) -> None:
    """Threat: a circle of hard links, on which the netCDF library recurses until its stack is full."""
    with pytest.raises(InvalidInput, match="lies in two places"):
        describe(hostile.endless_links(tmp_path / "air.nc"), limits=Limits(cpu_seconds=10))


def test_an_announced_size_is_not_read(tmp_path: Path) -> None:
    """Threat: a file of kilobytes that announces 28.8 GB of coordinates; they are not read, the place stays open."""
    path = hostile.lying_netcdf(tmp_path / "air.nc")
    assert path.stat().st_size < 100_000
    found = describe(path, limits=Limits(cpu_seconds=10))
    assert found.bbox is None
    assert any("too many to read" in note for note in found.notes)


def test_a_huge_grid_is_not_unfolded(tmp_path: Path) -> None:
    """Threat: a GRIB message of a few hundred bytes with millions of points, whose positions cost memory and time."""
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    for key, value in (
        ("gridType", "lambert"),
        ("Nx", 60_000),
        ("Ny", 60_000),
        ("numberOfDataPoints", 3_600_000_000),
    ):
        eccodes.codes_set(handle, key, value)
    path = tmp_path / "wide.grib2"
    with path.open("wb") as out:
        eccodes.codes_write(handle, out)
    eccodes.codes_release(handle)
    found = describe(path, limits=Limits(cpu_seconds=10))
    assert found.bbox is None
    assert any("too many to read" in note for note in found.notes)


def sdmx(body: str, doctype: str) -> str:
    """Return an SDMX message with a document type declaration."""
    return f"""<?xml version="1.0"?>{doctype}<m:StructureSpecificData
xmlns:m="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/message"><m:Header><m:ID>{body}</m:ID></m:Header>
<m:DataSet><Series FREQ="A"><Obs TIME_PERIOD="2020" OBS_VALUE="1" NOTE="{body}"/></Series></m:DataSet>
</m:StructureSpecificData>"""


LAUGHS: Final = "<!DOCTYPE x [<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 11)
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_of_an_xml_file_are_refused(encoding: str, tmp_path: Path, secret: Path) -> None:
    """Threat: an XML external entity (a file or an address), in any encoding; the declaration alone is refused."""
    path = tmp_path / "data.xml"
    with hostile.counting_server() as (url, hits):
        for target in (secret.as_uri(), f"{url}/evil.dtd"):
            text = sdmx("&e;", f'<!DOCTYPE m [<!ENTITY e SYSTEM "{target}">]>').replace('NOTE="&e;"', "")
            path.write_text(text.replace('"1.0"?', f'"1.0" encoding="{encoding}"?'), encoding=encoding)
            with pytest.raises(InvalidInput, match="document type declaration") as no:
                describe(path)
            assert hostile.CONFIDENTIAL[:8] not in str(no.value)
        assert hits == []


def test_an_xml_bomb_is_refused(tmp_path: Path) -> None:
    """Threat: nested entities that grow a kilobyte to gigabytes."""
    path = tmp_path / "data.xml"
    path.write_text(sdmx("&a10;", LAUGHS + "]>"))
    with pytest.raises(InvalidInput):
        describe(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("map.geojson", "<OGRVRTDataSource><OGRVRTLayer><SrcDataSource>CSV:/etc/passwd</SrcDataSource></OGRVRTLayer>"),
        ("cube.json", '{"version": 1, "refs": {"x/0": ["/etc/passwd", 0, 100]}}'),
        ("page.nc.html", "<html><body>Not found</body></html>"),
    ],
    ids=["ogr-vrt", "kerchunk", "html"],
)
def test_files_that_only_refer_to_others_are_not_read(name: str, content: str, tmp_path: Path) -> None:
    """Threat: reference files of other libraries (a vector VRT, a kerchunk index); none of them is a known format."""
    (tmp_path / name).write_text(content)
    with pytest.raises(InvalidInput, match=r"not known|is no GeoJSON") as no:
        describe(tmp_path / name)
    listed = all(each.title in (no.value.fix or "") for each in registry.BUILT_IN)
    assert listed or name.endswith(".geojson")  # its name says what it should be


def test_a_link_is_not_followed(tmp_path: Path, secret: Path) -> None:
    """Threat: a symbolic link in place of the uploaded file."""
    (tmp_path / "air.nc").symlink_to(secret)
    with pytest.raises(InvalidInput, match="cannot be opened"):
        describe(tmp_path / "air.nc")


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """Threat: a pipe that blocks whoever opens it, an empty file, an empty folder."""
    os.mkfifo(tmp_path / "pipe.nc")
    (tmp_path / "empty.nc").touch()
    (tmp_path / "folder.nc").mkdir()
    for name, reason in (("pipe.nc", "regular file"), ("empty.nc", "empty"), ("folder.nc", "holds no file")):
        with pytest.raises(InvalidInput, match=reason):
            describe(tmp_path / name)


@pytest.mark.parametrize(
    "name", sorted(path.name for path in DEMO.iterdir() if path.name not in {"manifest.toml", ".gitattributes"})
)
def test_a_damaged_file_never_harms_the_caller(name: str, tmp_path: Path) -> None:
    """Threat: bytes changed to hit a parser's weak spot. Whatever happens there, here it is a refusal or an answer."""
    raw = bytearray((DEMO / name).read_bytes())
    for at in range(8, min(len(raw), 400), 23):
        raw[at] ^= 0xFF
    path = tmp_path / name
    path.write_bytes(raw)
    assert said(path, limits=Limits(cpu_seconds=10))
    assert list(tmp_path.iterdir()) == [path]


def test_addresses_in_documents_are_not_visited(tmp_path: Path, secret: Path) -> None:
    """Threat: catalogue documents and messages that name addresses and paths: assets, schemas, footers, manifests."""
    with hostile.counting_server() as (url, hits):
        item = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "stac_extensions": [f"{url}/schema.json"],
            "geometry": {"type": "Point", "coordinates": [1, 2], "crs": {"type": "link", "href": f"{url}/crs"}},
            "properties": {"datetime": "2020-01-01T00:00:00Z"},
            "links": [{"rel": "license", "href": f"{url}/terms"}, {"rel": "collection", "href": f"{url}/c.json"}],
            "assets": {"a": {"href": f"{url}/a.tif"}, "b": {"href": secret.as_uri()}},
        }
        (tmp_path / "item.json").write_bytes(msgspec.json.encode(item))
        schema = f'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="urn:x {url}/x.xsd" xmlns:m'
        (tmp_path / "data.xml").write_text(sdmx(url, "").replace("xmlns:m", schema))
        include = '<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{}"/></m:DataSet>'
        (tmp_path / "more.xml").write_text(sdmx("", "").replace("</m:DataSet>", include.format(secret.as_uri())))
        product = safe_products.sentinel1()
        for href in (f"{url}/a.tiff", secret.as_posix()):
            product["manifest.safe"] = product["manifest.safe"].replace(b"./measurement/s1a", href.encode(), 1)
        safe_products.zipped(tmp_path / "a.zip", product)
        for path in sorted(tmp_path.iterdir()):
            if path != secret:
                assert hostile.CONFIDENTIAL[:8] not in said(path)
                describe(path)
        assert hits == []
