"""Tables as text: dialects, places, times, units, and what is asked when the table does not say."""

import csv
import io
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import InvalidInput, TooLarge
from connector.formats import Facts, Limits, describe
from connector.formats.coordinates.footprint import CRS84_IRI
from connector.formats.tabular import csv_table
from connector.formats.tabular.tables import unit_of
from tests.formats.vectors import sides


def table(path: Path, text: str | bytes, **more: Any) -> Facts:
    """Return what the reader finds in a table."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return csv_table.read(path, Limits(**more))


def test_a_table_with_coordinates_has_a_place_and_a_period(tmp_path: Path) -> None:
    """Latitude, longitude and time columns are found by name and checked by value."""
    found = table(
        tmp_path / "x", "id,Latitude,Longitude,time,t2m_K\n1,47.5,6.0,2020-01-01,280\n2,55.0,14.9,2020-01-03,281\n"
    )
    assert found.bbox is not None
    assert sides(found.bbox) == [6, 47.5, 14.9, 55]
    assert found.crs == CRS84_IRI
    assert found.period is not None
    assert (found.period.begin, found.period.end, found.period.variable) == ("2020-01-01", "2020-01-03", "time")
    assert [(each.name, each.standard_name, each.unit) for each in found.variables] == [
        ("id", None, None),
        ("Latitude", "latitude", None),
        ("Longitude", "longitude", None),
        ("time", "time", None),
        ("t2m_K", None, "K"),
    ]
    assert [(each.name, each.role) for each in found.dimensions] == [
        ("time", "time"),
        ("Latitude", "dimension"),
        ("Longitude", "dimension"),
    ]
    assert found.rows == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.floats(-90, 90), st.floats(-60, 60), st.text(max_size=8)), min_size=1, max_size=30),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
)
def test_any_dialect_gives_the_same_rows_and_place(
    tmp_path: Path,
    rows: list[tuple[float, float, str]],
    delimiter: str,
    ending: str,
    quoting: Any,
    encoding: str,
    comma: bool,
) -> None:
    """What the csv module writes, in whatever dialect, has the rows and the extent that were written."""
    clean = [(lat, lon, "".join(each for each in text if each.isprintable())) for lat, lon, text in rows]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerow(["name", "lat", "lon"])
    comma = comma and delimiter != ","
    for lat, lon, text in clean:
        numbers = [f"{each:.6f}".replace(".", "," if comma else ".") for each in (lat, lon)]
        writer.writerow([text, *numbers])
    path = tmp_path / "x"
    path.write_bytes(out.getvalue().encode(encoding))
    found = csv_table.read(path, Limits())
    assert found.rows == len(rows)
    assert found.bbox is not None
    lats, lons = [lat for lat, _, _ in rows], [lon for _, lon, _ in rows]
    assert found.bbox.south == pytest.approx(min(lats), abs=2e-6)
    assert found.bbox.north == pytest.approx(max(lats), abs=2e-6)
    assert found.bbox.west == pytest.approx(min(lons), abs=2e-6)
    assert found.bbox.east == pytest.approx(max(lons), abs=2e-6)


@pytest.mark.parametrize(
    ("header", "rows", "asks"),
    [
        ("lat,lon", ["47,8", "-9999,8"], "holds -9999"),
        ("lat,lon", ["47,8", "48,361"], "holds 361"),
        ("lat,lon", ["47,8", "north,8"], "holds 'north'"),
        ("lat,lon", ["inf,8"], "holds inf"),
        ("lat,latitude,lon", ["47,48,8"], "Several columns may be the latitude"),
        ("easting,northing", ["3500000,5400000"], "projected system"),
        ("x,y", ["8,47"], "projected system"),
        ("lat,name", ["47,a"], "no columns of latitude and longitude"),
        ("lat,lon", ["NA,NA", ",", "nan,nan"], "are empty"),
    ],
)
def test_what_is_not_certain_is_asked(tmp_path: Path, header: str, rows: list[str], asks: str) -> None:
    """A column that is no latitude, two that could be, and metres give no box, no system, and a note."""
    found = table(tmp_path / "x", "\n".join([header, *rows, ""]))
    assert found.bbox is None
    assert found.crs is None
    assert any(asks in note and "by hand" in note for note in found.notes)


def test_positions_across_180_degrees_give_the_small_box(tmp_path: Path) -> None:
    """Stations in Fiji and Samoa: the box crosses the meridian, whichever way longitudes are counted."""
    for samoa in ("-171.8", "188.2"):
        found = table(tmp_path / "x", f"lat,lon\n-17.8,178.4\n-13.8,{samoa}\n")
        assert found.bbox is not None
        assert sides(found.bbox) == [178.4, -17.8, -171.8, -13.8]


@pytest.mark.parametrize(
    ("header", "row", "begin", "end", "names"),
    [
        ("year,value", "2001,5", "2001-01-01", "2001-12-31", "year"),
        ("year,month,value", "2001,2,5", "2001-02-01", "2001-02-28", "year month"),
        ("YEAR,MO,DAY,value", "2001,2,3,5", "2001-02-03", "2001-02-03", "YEAR MO DAY"),
        ("date,time,value", "2001-02-03,09:30,5", "2001-02-03T09:30:00", "2001-02-03T09:30:00", "date time"),
        ("Datum;Uhrzeit;Wert", "03.02.2001;09:30;5", "2001-02-03T09:30:00", "2001-02-03T09:30:00", "Datum Uhrzeit"),
        ("date,time,value", "ignored,2001-02-03T09:30Z,5", "2001-02-03T09:30:00", "2001-02-03T09:30:00", "time"),
    ],
)
def test_times_of_several_columns_are_read_together(
    tmp_path: Path, header: str, row: str, begin: str, end: str, names: str
) -> None:
    """Year, month and day, or day and clock, are one time."""
    found = table(tmp_path / "x", f"{header}\n{row}\n")
    assert found.period is not None
    assert (found.period.begin, found.period.end, found.period.variable) == (begin, end, names)


def test_the_spacing_of_days_is_the_resolution(tmp_path: Path) -> None:
    """Daily rows of two stations: a day."""
    days = [(date(2020, 1, 1) + timedelta(days=each)).isoformat() for each in range(40)] * 2
    found = table(tmp_path / "x", "date,value\n" + "".join(f"{day},1\n" for day in days))
    assert found.temporal_resolution == "P1D"
    assert found.rows == 80


def test_text_in_latin_1_is_read_and_said(tmp_path: Path) -> None:
    """A table that is not UTF-8, if only far behind its beginning, is read as Latin-1, with a note."""
    rows = "".join(f"Ort {each},47,8\n" for each in range(30_000))
    found = table(tmp_path / "x", f"name,lat,lon\n{rows}München,48,11.5\n".encode("latin-1"))
    assert found.rows == 30_001
    assert found.bbox is not None
    assert sides(found.bbox) == [8, 47, 11.5, 48]
    assert any("not UTF-8" in note for note in found.notes)


def test_comments_before_the_header_are_passed_over(tmp_path: Path) -> None:
    """Lines that begin with # come before the names."""
    found = table(tmp_path / "x", "# station data\n#\nlat;lon;temp [°C]\n47,5;8,5;1,5\n")
    assert [(each.name, each.unit, each.dtype) for each in found.variables][2] == ("temp [°C]", "degC", "number")
    assert found.bbox is not None
    assert found.bbox.south == 47.5


def test_a_table_without_names_is_said_to_have_none(tmp_path: Path) -> None:
    """The first row is data then, and counts."""
    found = table(tmp_path / "x", "1,2\n3,4\n")
    assert found.rows == 2
    assert [each.name for each in found.variables] == ["column 1", "column 2"]
    assert any("no names" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("a,b\n1,2\n3", "damaged or truncated"),
        ("a,b\n1,2\n3,4", "may be truncated"),
        ("a,b\n" + "1,2\n" * 500 + "3\n" + "1,2\n" * 500 + "4,5,6\n1,2\n", "damaged"),
        ("a,b\n", "no row"),
    ],
)
def test_a_damaged_table_is_said_to_be(tmp_path: Path, text: str, note: str) -> None:
    """A row with other cells, a last line without an end: the draft says so."""
    assert any(note in each for each in table(tmp_path / "x", text).notes)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1\n2\n3\n", "another number of cells"),
        ('a,b\n1,"2\n3,4\n', "quotation marks"),
        ("<html>\n<body>\n", "no table"),
        ('{"a": 1}\n', "no table"),
        ("Dear all\nthis is a letter\n", "no table"),
        (b"a,b\n\0\0\n", "no text"),
        ("#\n#\n", "no line but comments"),
        (b"\xff\xfea\0,\0b\0\n\0\xff", "utf-16"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str | bytes, why: str) -> None:
    """Ragged rows, open quotes, pages, letters and bytes."""
    with pytest.raises(InvalidInput, match=why):
        table(tmp_path / "x", text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a,b\n1," + "x" * (2 << 20), "line"),
        ("x" * (2 << 20), "line"),
        ('a,b\n1,"' + "x\n" * (1 << 18) + '"\n', "cell"),
        (",".join(f"c{each}" for each in range(5000)) + "\n", "columns"),
    ],
    ids=["line", "header", "cell", "columns"],
)
def test_what_is_too_large_is_refused(tmp_path: Path, text: str, what: str) -> None:
    """Threat: a line, a cell or a header without an end."""
    with pytest.raises(TooLarge, match=what):
        table(tmp_path / "x", text)


def test_when_the_time_is_over_what_was_read_is_said(tmp_path: Path) -> None:
    """Without time only the first rows are read: the box is sampled, the rows are not counted, and a note says so."""
    rows = "".join(f"{47 + each / 1e5:.5f},8\n" for each in range(50_000))
    found = table(tmp_path / "x", f"lat,lon\n{rows}", cpu_seconds=0)
    assert found.rows is None
    assert found.bbox is not None
    assert found.bbox.basis == "sampled"
    assert any("first 20000 rows" in note for note in found.notes)


def test_tabs_make_another_format(tmp_path: Path) -> None:
    """The media type of a table with tabs is its own."""
    path = tmp_path / "x.tsv"
    path.write_text("a\tb\n1\t2\n")
    found = describe(path)
    assert (found.reader, found.format, found.media_type) == ("csv", "TSV", "text/tab-separated-values")
    assert found.file_type == "http://publications.europa.eu/resource/authority/file-type/TSV"


def test_sdmx_stays_with_its_own_reader(tmp_path: Path) -> None:
    """A table that begins as SDMX-CSV is read as that, whatever its name."""
    path = tmp_path / "x.csv"
    path.write_text("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\nA:B(1.0),A,2020,1\n")
    assert describe(path).reader == "sdmx-csv"


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        *(("air_temperature_K", "K"), ("wind_dir_deg", "degree"), ("elevation_m", "m"), ("msl_pressure_Pa", "Pa")),
        *(("wind_speed_ms", None), ("gdp_md_est", None), ("runtime_m", None), ("K", None), ("population", None)),
        *(("temp [degC]", "degC"), ("speed (m/s)", "m s-1"), ("load (kWh)", "kWh"), ("name (short)", None)),
        *(("pm10_ug_m3", "ug m-3"), ("rain_mm", "mm"), ("humidity_percent", "percent"), ("a_k", None)),
    ],
)
def test_units_come_from_names_that_can_mean_nothing_else(name: str, unit: str | None) -> None:
    """`_ms` may be milliseconds or metres per second: no unit then."""
    assert unit_of(name) == unit


def test_what_spreadsheets_write(tmp_path: Path) -> None:
    """A first line that names the delimiter, and decimal commas in quotes."""
    found = table(tmp_path / "x", 'sep=,\nlat,lon\n"47,5","8,25"\n"48,5","9,25"\n')
    assert found.bbox is not None
    assert sides(found.bbox) == [8.25, 47.5, 9.25, 48.5]


def test_a_long_cell_among_numbers_takes_no_room_of_the_others(tmp_path: Path) -> None:
    """Threat: one cell of 200 kB in a column of numbers must not make as much room for each of them."""
    rows = "47,8\n" * 20_000
    found = table(tmp_path / "x", f"lat,lon\n{rows}{'1' * 200_000},8\n")
    assert found.bbox is None
