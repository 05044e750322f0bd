"""Which format a file is of, and what is said when it is of none or its reader is not installed."""

import re
import sys
from pathlib import Path
from typing import Final

import pytest

from connector import library
from connector.errors import InvalidInput
from connector.formats import Limits, detect, registry
from connector.formats.registry import BUILT_IN, BuiltIn

SDMX: Final = (
    b'<?xml version="1.0"?><m:GenericData xmlns:m="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/message">'
)


@pytest.mark.parametrize(
    ("head", "filename", "name"),
    [
        (b"CDF\x01....", "x.bin", "netcdf"),
        (b"CDF\x05....", "", "netcdf"),
        (b"\x89HDF\r\n\x1a\n", "x.tif", "netcdf"),
        (b"GRIB\0\0\0\2", "x", "grib"),
        (b"\x01\r\r\n123\r\r\nHTXX01 ECMF 010000\r\r\nGRIB\0\0\0\1", "x", "grib"),
        (b"BUFR\0\0\0\4", "x", "bufr"),
        (b"0000564200\x01\r\r\n336\r\r\nISMD10 EDZW 161200\r\r\nBUFR\0\0\0\3", "x", "bufr"),
        (b"II*\0", "x", "geotiff"),
        (b"MM\0+", "x", "geotiff"),
        (SDMX, "x.txt", "sdmx-ml"),
        (SDMX.decode().encode("utf-16"), "x.txt", "sdmx-ml"),
        (b"\xef\xbb\xbfDATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\r\n", "x", "sdmx-csv"),
        (b'"STRUCTURE";"STRUCTURE_ID";"ACTION"\n', "x", "sdmx-csv"),
        (SDMX.replace(b"sdmx.org", b"SDMX.org").replace(b"2_1", b"2_0"), "x", "sdmx-ml"),
        (b'{"type": "Feature", "stac_version": "1.0.0"', "x.geojson", "stac"),
        (b'{"data": {"dataSets": [{', "x.json", "sdmx-json"),
        (b"something else", "run.GRIB2", "grib"),
        (b"something else", "air.nc", "netcdf"),
        (b'{"type": "FeatureCollection", "features": [', "x.csv", "geojson"),
        (b"SQLite format 3\0" + bytes(52) + b"GPKG", "x", "geopackage"),
        (b"\0\0\x27\x0a" + bytes(96), "x", "shapefile"),
        (b"PK\x03\x04", "x.csv", "zip"),
        (b"PAR1", "x.csv", "parquet"),
        (b"date,temp\n2020,1\n", "x.csv", "csv"),
        (b"date\ttemp\n", "x.TSV", "csv"),
        (b"# from the station\ndate;temp\n2020;1,5\n", "x.txt", "csv"),
    ],
)
def test_content_decides_before_the_name(head: bytes, filename: str, name: str) -> None:
    """Magic bytes win over the suffix; the suffix decides only where they are silent."""
    assert detect(head, filename).name == name


@pytest.mark.parametrize(
    ("head", "filename"),
    [
        (b"<?xml version='1.0'?><rdf:RDF/>", "x.xml"),
        (b"DATAFLOWER,x\n", "x"),
        (b"date,temp\n2020,1\n", "x"),
        (b"Dear all, this is the file.\nBest wishes", "x.txt"),
        (b"SQLite format 3\0" + bytes(60), "x.db"),
        (b"x" * 300 + b"GRIB", "x"),
        (b"GRIB and BUFR are formats of the WMO.", "x"),
        (b"CDF\x07", "x"),
        (b"", ""),
    ],
)
def test_an_unknown_file_is_told_what_is_known(head: bytes, filename: str) -> None:
    """A refusal lists every format that can be read."""
    with pytest.raises(InvalidInput) as no:
        detect(head, filename)
    assert all(each.title in str(no.value) for each in BUILT_IN)


def test_file_types_are_terms_of_the_eu_table() -> None:
    """Every file type code is an entry of the shipped table."""
    table = library.read("vocab", "file-type.ttl").decode()
    codes = {each.file_type for each in BUILT_IN} - {None}
    assert codes >= {"NETCDF", "GEOTIFF", "SDMX", "CSV", "JSON", "GEOJSON", "GPKG", "SHP", "ZIP"}
    assert [code for code in codes if not re.search(rf"^c:{code} a skos:Concept", table, re.MULTILINE)] == []


def test_media_types_are_registered_or_of_the_community() -> None:
    """A media type is in the shipped IANA list, but for those that nobody registered."""
    table = library.read("vocab", "media-type.ttl").decode()
    bare = {each.media_type.partition(";")[0] for each in BUILT_IN}
    unregistered = {kind for kind in bare if not re.search(rf"media-types/{re.escape(kind)}>|:{kind}\b", table)}
    assert unregistered <= {"application/x-netcdf", "application/x-grib", "application/x-bufr", "application/vnd+zarr"}


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ecCodes a GRIB file gives the name of the extra to install, not a traceback."""
    monkeypatch.setitem(sys.modules, "eccodes", None)
    monkeypatch.delitem(sys.modules, "connector.formats.weather.grib", raising=False)
    with pytest.raises(InvalidInput, match="Install the `meteo` extra to read GRIB") as no:
        registry.by_name("grib").describe(tmp_path / "x", Limits())
    assert no.value.fix == "pip install 'greendeal-connector[meteo]'"


def test_a_fault_of_our_own_is_not_called_a_missing_extra(tmp_path: Path) -> None:
    """A module that is missing for another reason is a bug and stays one."""
    grib = registry.by_name("grib")
    assert isinstance(grib, BuiltIn)
    broken = BuiltIn(
        **{name: getattr(grib, name) for name in BuiltIn.__slots__ if name != "reader"}, reader="connector.formats.nope"
    )
    with pytest.raises(ModuleNotFoundError):
        broken.describe(tmp_path / "x", Limits())


def test_names_are_unique() -> None:
    """Two formats of one name would make the child read with the wrong one."""
    assert len({each.name for each in BUILT_IN}) == len(BUILT_IN)
    with pytest.raises(LookupError):
        registry.by_name("nothing")
