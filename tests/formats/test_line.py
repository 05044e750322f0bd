"""The printed line of a file, seen by one who does not know the readers: each thing once, and a mend for all."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import zarr

from connector.errors import InvalidInput, NotFound, Refusal
from connector.formats import describe
from connector.formats.sandbox.gather import gather
from connector.formats.series import series
from connector.formats.summary import refused, summary
from tests.formats import vectors
from tests.formats.cffiles import lattice, put, write
from tests.formats.hostile import geotiff

SYSTEM = "reference system"


def line(path: Path) -> dict[str, Any]:
    """Return what is printed of a file."""
    return summary(path.name, describe(path))


def telling(found: dict[str, Any], *words: str) -> list[str]:
    """Return the warnings that have one of these words."""
    return [each for each in found["warnings"] if any(word in each for word in words)]


def test_what_is_missing_is_said_once(tmp_path: Path) -> None:
    """A reader's own sentence stands alone; where no reader says it, the line does."""
    (tmp_path / "a.csv").write_text("name,value\nx,1\n")
    files = (tmp_path / "a.csv", geotiff(tmp_path / "b.tif", crs=None), write(tmp_path / "c.nc", lambda _: None))
    for path in files:
        found = line(path)
        assert found["bbox"] is found["temporal"] is None
        assert len(telling(found, "place by hand", "bounding box is open")) == 1, found
        assert len(telling(found, "period by hand", "by hand what time", "period is open")) == 1, found
    shapes = line(vectors.shapes(tmp_path / "d.shp", [[vectors.square(5, 50, 1)]]))
    assert telling(shapes, "period is open") == ["No time was found in the file: the period is open."]


def test_an_sdmx_structure_is_said_to_have_no_data_once(tmp_path: Path) -> None:
    """The reader says so; the sentence for all files without data is not added."""
    message = "http://www.sdmx.org/resources/sdmxml/schemas/v2_1/message"
    (tmp_path / "s.xml").write_text(f'<m:Structure xmlns:m="{message}"><m:Structures/></m:Structure>')
    found = line(tmp_path / "s.xml")
    assert found["kind"] == "structure"
    assert len(telling(found, "holds no data", "none of its own")) == 1


def test_tables_without_geometries_are_in_no_system(tmp_path: Path) -> None:
    """A GeoPackage with a layer and a table of codes has the system of the layer."""
    path = vectors.geopackage(
        tmp_path / "a.gpkg",
        [vectors.wkb_point(5, 50)],
        statements=(
            "CREATE TABLE codes (fid INTEGER PRIMARY KEY, code TEXT)",
            "INSERT INTO codes (code) VALUES ('x')",
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('codes', 'attributes', 'codes')",
        ),
    )
    found = line(path)
    assert (found["crs"], found["bbox"], found["rows"]) == ("EPSG:4326", [5.0, 50.0, 5.0, 50.0], 2)


def test_layers_in_several_systems_are_told_by_name(tmp_path: Path) -> None:
    """No system holds for all of them, and nobody says that the file does not name its system."""
    blob = vectors.gpkg_blob(vectors.wkb_point(1e6, 1e6), 3857).hex()
    path = vectors.geopackage(
        tmp_path / "a.gpkg",
        [vectors.wkb_point(5, 50)],
        statements=(
            "INSERT INTO gpkg_spatial_ref_sys VALUES ('m', 3857, 'EPSG', 3857, '', '')",
            "CREATE TABLE other (fid INTEGER PRIMARY KEY, geom BLOB)",
            f"INSERT INTO other (geom) VALUES (x'{blob}')",  # noqa: S608 - ours
            "INSERT INTO gpkg_contents (table_name, data_type, srs_id) VALUES ('other', 'features', 3857)",
            "INSERT INTO gpkg_geometry_columns VALUES ('other', 'geom', 'POINT', 3857, 0, 0)",
        ),
    )
    found = line(path)
    assert found["crs"] is None
    (said,) = telling(found, SYSTEM)
    assert "EPSG/0/3857" in said
    assert "EPSG/0/4326" in said
    assert found["bbox"] == pytest.approx([5.0, 8.946574, 8.983153, 50.0], abs=1e-5)


@pytest.mark.parametrize(
    "unit", ["days since 2005-01-01", "hours since 2004-12-31 12:00", "nanoseconds since 1970-01-01"]
)
def test_time_bounds_in_units_of_their_own_are_read_in_them(tmp_path: Path, unit: str) -> None:
    """Writers that encode bounds apart give them another start: the period is still that of the bounds."""

    def fill(file: netCDF4.Dataset) -> None:
        lattice(file)
        edges = np.array([["2005-01-01", "2005-02-01"], ["2005-02-01", "2005-03-01"]], "datetime64[s]")
        word, _, start = unit.partition(" since ")
        step = np.timedelta64({"days": 86_400_000_000_000, "hours": 3_600_000_000_000}.get(word, 1), "ns")
        put(file, "time", ("time",), [0, 31], units="days since 2005-01-16", bounds="time_bnds")
        numbers = (edges - np.datetime64(start.replace(" ", "T"))) / step
        put(file, "time_bnds", ("time", "bnds"), numbers, units=unit)

    found = line(write(tmp_path / "a.nc", fill))
    assert found["temporal"] == {"start": "2005-01-01T00:00:00", "end": "2005-03-01T00:00:00"}


def test_axes_of_a_zarr_store_are_in_the_order_of_its_data(tmp_path: Path) -> None:
    """Arrays are listed by name, so `lat` comes before `time`; the order of the data is another."""
    store = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    for name, shape, axes in (("lat", (2,), ["lat"]), ("time", (3,), ["time"]), ("z", (3, 2), ["time", "lat"])):
        store.create_array(name, shape=shape, dtype="f4", dimension_names=axes)
    assert line(tmp_path / "a.zarr")["dimensions"] == ["time", "lat"]


def test_every_refusal_says_where_and_how_to_mend(tmp_path: Path) -> None:
    """Where is the name that was given, not the last part of it; a mend stands even where the reader knows none."""
    (tmp_path / "empty.nc").touch()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.nc").symlink_to("empty.nc")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1abc")
    wanted = {
        "empty.nc": "empty",
        "pipe.csv": "regular",
        "link.nc": "link",
        "cut.parquet": "cut off",
        "no.nc": "no file",
    }
    for name, word in wanted.items():
        path = tmp_path / name
        with pytest.raises(Refusal) as no:
            describe(path)
        error = refused(str(path), no.value)["error"]
        assert word in error["what"], error
        assert error["where"] == str(path)
        assert error["fix"]
    with pytest.raises(NotFound) as missing:
        describe(tmp_path / "no.nc")
    assert "id" not in str(missing.value.fix).split()


@pytest.mark.parametrize("name", ["", "x" * 300, "x" * 5000, "a" * 300 + "*.nc"])
def test_a_name_that_nothing_can_have_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an empty name nor one that is too long for the system ends the run."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput) as no:
        gather(name)
    assert json.dumps(refused(name, no.value))


def test_names_are_names_and_not_patterns_where_there_is_such_a_file(tmp_path: Path) -> None:
    """Brackets, stars, quotes and line breaks in the name of a file that is there are part of its name."""
    for name in ("[a].csv", "star*.csv", "new\nline.csv", "quo'te\".csv", "-dash.csv", "ünï.csv"):
        (tmp_path / name).write_text("year,value\n1990,1\n2000,2\n")
        ((group),) = gather(str(tmp_path / name))
        assert group.paths == (tmp_path / name,)
        assert summary(group.name, describe(group.paths[0]))["rows"] == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="Only the superuser may read what its owner may not.")
def test_a_file_that_its_owner_may_not_read_is_read_by_one_who_may(tmp_path: Path) -> None:
    """The child keeps no right but its owner's: it is given a copy."""
    path = tmp_path / "a.csv"
    path.write_text("year,value\n1990,1\n")
    path.chmod(0)
    assert line(path)["rows"] == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0


def test_a_folder_or_pattern_of_one_file_keeps_the_name_it_was_given(tmp_path: Path) -> None:
    """Whoever asks for a folder finds its line by that name; the file in it is read."""
    (tmp_path / "a.csv").write_text("year,value\n1990,1\n")
    for named in (str(tmp_path), str(tmp_path / "*.csv")):
        ((name, paths, several),) = gather(named)
        assert (name, paths, several) == (named, (tmp_path / "a.csv",), False)
    ((name, *_),) = gather(str(tmp_path), each=True)
    assert name == str(tmp_path / "a.csv")


@pytest.mark.parametrize(("full", "code"), [(False, 0), (True, 1)])
def test_lines_are_utf8_and_a_full_disk_is_said(full: bool, code: int, tmp_path: Path) -> None:
    """JSON is UTF-8 whatever the terminal speaks; what cannot be written is said in a sentence."""
    (tmp_path / "grün.csv").write_text("year,Höhe [°]\n1990,1\n", "utf-8")
    with Path("/dev/full" if full else tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "connector", "dataset", "draft", "grün.csv"],
            cwd=tmp_path, stdout=out, stderr=subprocess.PIPE, text=True, check=False,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONIOENCODING": "ascii"},
        )  # fmt: skip
    assert done.returncode == code
    if full:
        assert done.stderr.strip() == "The output cannot be written: No space left on device."
    else:
        assert json.loads((tmp_path / "out").read_text("utf-8"))["variables"][1]["name"] == "Höhe [°]"


def test_what_some_files_of_a_series_lack_is_not_said_of_the_whole(tmp_path: Path) -> None:
    """The series has a place and a time; the files without are named, and their own sentences stay with them."""
    (tmp_path / "a.csv").write_text("lat,lon,time\n1,2,2020-01-01\n")
    (tmp_path / "b.csv").write_text("name,value\nx,1\n")
    members = [(name, describe(tmp_path / name)) for name in ("a.csv", "b.csv")]
    found = summary("x", series(members))
    assert found["bbox"] == [2.0, 1.0, 2.0, 1.0]
    assert found["temporal"]
    assert telling(found, "by hand", "is open") == []
    assert telling(found, "b.csv has") == ["b.csv has no bounding box.", "b.csv has no period."]
    assert len(telling(summary("x", series([members[1]] * 2)), "place by hand")) == 1
