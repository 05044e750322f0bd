"""Files become the objects people work with, or a sentence that says what is missing."""

import importlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from connector.client import connect, open_file
from connector.client.spaces import Table
from connector.demo.cast import ARCHIVE, CLIMATE, STATISTICS, WEATHER
from connector.errors import InvalidInput


def test_grib_and_netcdf_are_xarray_datasets(tmp_path: Path) -> None:
    """Both open as xarray.Dataset with their values, and no index file appears beside the data."""
    copied = tmp_path / "air.grib2"
    copied.write_bytes(WEATHER.path.read_bytes())
    assert open_file(copied)["t2m"].shape == (31, 16)
    assert open_file(CLIMATE.path)["air"].attrs["units"] == "degK"
    assert [each.name for each in tmp_path.iterdir()] == ["air.grib2"]


def test_geotiff_is_a_rasterio_dataset() -> None:
    """A GeoTIFF opens with its place on earth."""
    with open_file(ARCHIVE.path) as image:
        assert (image.count, image.width, image.height) == (3, 485, 373)
        assert image.crs.to_epsg() == 4326


def test_tables_are_data_frames(tmp_path: Path) -> None:
    """SDMX-CSV keeps its periods as text; Parquet keeps its types."""
    table = open_file(STATISTICS.path)
    assert table["TIME_PERIOD"].map(type).eq(str).all()
    assert table["OBS_VALUE"].sum() == 864452
    path = tmp_path / "values.parquet"
    pd.DataFrame({"value": [1.5, 2.5]}).to_parquet(path)
    assert open_file(path)["value"].sum() == 4


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02,", b'{"a": 1, "b": 2}', b"<html>,", b"%PDF-1.7"])
def test_what_is_of_no_known_kind_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    """Nothing is guessed: a file of another kind stays a file."""
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="no kind that is opened here") as refused:
        open_file(path)
    assert "download" in str(refused.value.fix)


@pytest.mark.parametrize(
    ("path", "library"),
    [(WEATHER.path, "cfgrib"), (CLIMATE.path, "xarray"), (ARCHIVE.path, "rasterio"), (STATISTICS.path, "pandas")],
    ids=["grib", "netcdf", "geotiff", "csv"],
)
def test_a_missing_library_is_named_with_its_extra(path: Path, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who installed the bare package reads what to install, not a traceback."""
    there = importlib.import_module

    def absent(name: str, package: str | None = None) -> Any:
        if name == library:
            raise ImportError(name)
        return there(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(InvalidInput, match=f"{library} is not installed") as refused:
        open_file(path)
    assert "greendeal-connector[client]" in str(refused.value.fix)


def test_frames_of_answers_need_pandas_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a query are a frame with pandas, and a sentence without."""
    rows = Table([{"title": "Air"}])
    assert list(rows.to_dataframe()["title"]) == ["Air"]
    monkeypatch.setattr(importlib, "import_module", _nothing)
    with pytest.raises(InvalidInput, match="pandas is not installed"):
        rows.to_dataframe()


def _nothing(name: str, _: str | None = None) -> Any:
    raise ImportError(name)


def test_a_space_says_where_it_is_and_not_its_key() -> None:
    """What a notebook shows of a connection is its address."""
    assert repr(connect("http://127.0.0.1:9/", "gdc_secret").connection) == "Connection('http://127.0.0.1:9')"
