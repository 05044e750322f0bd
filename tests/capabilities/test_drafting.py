"""Drafting: what a file says is in the record, what it does not say is left open, and no file breaks it."""

import string
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import formats
from connector.capabilities.drafting import draft, slug
from connector.errors import NotFound
from connector.formats import Description
from connector.formats.description import BBox, Dimension, Period, Statistics, Variable, clean, short
from connector.standards import rdf
from connector.standards.dcat import graph, model, plain, shacl
from tests.builders import OPERATOR, Still

DATA = Path(__file__).resolve().parents[2] / "connector" / "demo" / "data"
FILES = sorted(path for path in DATA.glob("[!.]*") if path.suffix != ".toml")
HOME = "https://us.example/datasets"


@pytest.fixture(scope="module")
def described() -> dict[str, Description]:
    """Read every file of the demo once; each is read by a process of its own."""
    return {path.name: formats.describe(path, filename=path.name) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_the_draft_of_every_demo_file_meets_the_profile(path: Path, described: dict[str, Description]) -> None:
    """A provider may register it as it is; its size is the file's own."""
    found = described[path.name]
    record = draft(found, path.name, home=HOME, publisher=model.Agent(id="did:web:us.example", name={"en": "Us"}))
    report = shacl.check(graph.write(record))
    assert report.conforms, report.text()
    (file,) = record.distribution
    assert file.byte_size == path.stat().st_size
    assert file.checksum is None, "a file is not read through for its draft"
    assert model.words(file.title) == path.name
    assert {each.name for each in record.variables} == {each.name for each in found.variables}
    assert bool(record.spatial) == (found.bbox is not None)
    assert bool(record.temporal) == (found.period is not None)
    assert_faithful(record, found)


def test_a_draft_through_the_use_case_can_be_registered(house: Still) -> None:
    """Upload, draft, register: the file behind the record is the one that was uploaded."""
    path = DATA / "MLO_CO2_monthly.sdmx2.csv"
    digest, _ = house.connector.objects.put(path)
    made = house.connector.datasets.draft(digest, f"some/folder/{path.name}")
    assert "CSV" in made.kind
    assert made.record.publisher is not None
    assert (made.record.publisher.id, made.record.publisher.name) == ("did:web:us.example", {"en": "A house"})
    assert made.record.id.startswith(f"{house.connector.settings.public_url}/datasets/")
    assert made.record.distribution[0].checksum is not None
    assert made.record.distribution[0].checksum.value == digest
    done = house.connector.datasets.register(plain.to_plain(made.record), "application/json", OPERATOR)
    assert done.files == (path.name,)
    for name in ("0" * 64, "nothing", "../../etc/passwd"):
        with pytest.raises(NotFound):
            house.connector.datasets.draft(name, "x")


def test_what_a_file_does_not_say_is_not_in_its_record() -> None:
    """No licence, place, time, theme, frequency or contact is made up."""
    bare = Description(format="CSV", reader="csv", media_type="text/csv", byte_size=3, sha256="a" * 64)
    record = draft(bare, "x.csv", home=HOME)
    said = set(msgspec.to_builtins(record))
    assert said == {"id", "title", "description", "distribution"}
    assert set(msgspec.to_builtins(record.distribution[0])) == {
        "id", "title", "access_url", "media_type", "byte_size", "checksum"
    }  # fmt: skip
    assert record.description == {"en": "CSV file."}


def test_the_same_file_is_the_same_dataset() -> None:
    """Its address depends on title and content alone, so that drafting again proposes the same record."""
    one = Description(format="CSV", reader="csv", media_type="text/csv", byte_size=3, sha256="a" * 64, title="Rain")
    other = msgspec.structs.replace(one, sha256="b" * 64)
    assert draft(one, "x", home=HOME) == draft(one, "x", home=HOME)
    assert draft(one, "x", home=HOME).id != draft(other, "x", home=HOME).id


@given(st.text())
def test_a_slug_is_the_last_part_of_an_address(text: str) -> None:
    """Whatever a title is, its slug is lower-case ASCII and never empty."""
    made = slug(text)
    assert 0 < len(made) <= 60
    assert set(made) <= set(string.ascii_lowercase + string.digits + "-")
    assert made.strip("-") == made


# --- any file at all --------------------------------------------------------------------------------------------------

# What readers hand on went through `clean` and `short`; these are texts as they leave them.
TEXT = st.text(max_size=60).map(clean).filter(bool)
SHORT = st.text(max_size=40).map(short).filter(bool) | st.sampled_from(
    ["air_temperature", "http://www.opengis.net/def/crs/EPSG/0/4326", "http://a b", "http:", "PT6H", "P", "P1M\n", "é"]
)
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds"))
TIMES = st.dates().map(str) | MOMENTS | MOMENTS.map(lambda text: text + "Z") | SHORT
DEGREES = st.floats(-180, 180, allow_nan=False)


@st.composite
def boxes(draw: st.DrawFn) -> BBox:
    """Return any box on Earth, those across the 180th meridian too."""
    south, north = sorted(draw(st.tuples(st.floats(-90, 90), st.floats(-90, 90))))
    return BBox(west=draw(DEGREES), south=south, east=draw(DEGREES), north=north, basis="bounds")


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a value or none."""
    return st.none() | values


def several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a few values."""
    return st.lists(values, max_size=4).map(tuple)


VARIABLES = st.builds(Variable, name=SHORT, standard_name=maybe(SHORT), long_name=maybe(SHORT), unit=maybe(SHORT))
DESCRIPTIONS = st.builds(
    Description,
    format=SHORT,
    reader=SHORT,
    media_type=st.sampled_from(["text/csv", "application/x-netcdf", "application/vnd.sdmx.data+csv; version=2.0.0"]),
    byte_size=st.integers(0, 2**50),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    file_type=maybe(st.just("http://publications.europa.eu/resource/authority/file-type/CSV")),
    title=maybe(TEXT),
    description=maybe(TEXT),
    licence=maybe(TEXT),
    creator=maybe(TEXT),
    identifier=maybe(SHORT),
    keywords=several(SHORT),
    bbox=maybe(boxes()),
    period=maybe(st.builds(Period, begin=TIMES, end=TIMES, first=TIMES, last=TIMES)),
    crs=maybe(SHORT),
    spatial_resolution_metres=maybe(st.floats(allow_nan=False, allow_infinity=False)),
    temporal_resolution=maybe(SHORT),
    variables=several(VARIABLES),
    dimensions=several(st.builds(Dimension, name=SHORT, role=st.sampled_from(["dimension", "attribute", "time"]))),
    statistics=maybe(st.builds(Statistics, message=SHORT, series=maybe(st.integers(0, 10**6)))),
    notes=several(TEXT),
)


def assert_faithful(record: model.Dataset, found: Description) -> None:
    """Check that a draft survives both of its written forms, and that its record survives the connector's door."""
    assert msgspec.json.decode(msgspec.json.encode(found), type=Description) == found  # it can come over the pipe
    triples = graph.write(record)
    assert graph.read(triples, record.id) == record
    assert plain.from_plain(plain.to_plain(record)) == record
    assert graph.subjects(triples) == [record.id]
    named = rdf.skolemise(triples, record.id)
    canonical = rdf.canonical(named)
    assert rdf.canonical(rdf.parse(canonical, rdf.Format.N_TRIPLES)) == canonical
    assert found.sha256 is None or found.sha256[:8] in record.id


@given(DESCRIPTIONS, st.text(max_size=40).map(short).filter(bool))
def test_no_description_breaks_a_draft(found: Description, filename: str) -> None:
    """Whatever a file says of itself, the draft is a record: it can be written, read back and kept."""
    record = draft(found, filename, home=HOME, publisher=model.Agent(id="did:web:us.example", name={"en": "Us"}))
    assert_faithful(record, found)
    assert record.title
    assert record.description


BEGINNINGS = {
    "2017-01-01": "2017-01-01",
    "2017": "2017",
    "2017-06": "2017-06",
    "2017-01-01T12:00:00": "2017-01-01T12:00:00Z",
    "2017-01-01T12:00:00Z": "2017-01-01T12:00:00Z",
    "2017-01-01T12:00:00+02:00": "2017-01-01T12:00:00+02:00",
    "0000-01-01": None,
    "2017-02-30": None,
    "2017-01-01T25:00:00": None,
    "-0044-03-15": None,
    "once": None,
    "": None,
}


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_a_time_is_a_day_of_the_calendar_or_left_out(begin: str) -> None:
    """Model calendars have days that no other has: a record with one would be refused, one without is only open."""
    found = strange(period=Period(begin=begin, end="2018-01-01", first="1", last="2"))
    record = draft(found, "x.nc", home=HOME)
    assert record.temporal == (model.PeriodOfTime(start=BEGINNINGS[begin], end="2018-01-01"),)
    report = shacl.check(graph.write(record))
    assert report.conforms, report.text()


def strange(**fields: Any) -> Description:
    """Return the description of a file that says strange things."""
    text = "\u202e<b>\"'\\ {}|^`é"
    default: dict[str, Any] = {
        "title": clean(text),
        "creator": clean(text),
        "keywords": (text,),
        "crs": "http://a b",
        "temporal_resolution": "every now and then",
        "period": Period(begin="0000-02-30", end="never", first="1", last="2"),
        "variables": (Variable(name=text, standard_name="not a name", unit=text),),
        "bbox": BBox(west=170, south=-90, east=-170, north=90, basis="points"),
        "spatial_resolution_metres": -1.0,
        "notes": (text,),
    }
    file: dict[str, Any] = {
        "format": "NetCDF",
        "reader": "netcdf",
        "media_type": "application/x-netcdf",
        "byte_size": 0,
    }
    return Description(**file, sha256="c" * 64, **default | fields)


def test_the_draft_of_a_strange_file_meets_the_profile() -> None:
    """What has not the form that a field demands is left out, and the rest is a record."""
    record = draft(strange(), "\u202e.nc", home=HOME)
    report = shacl.check(graph.write(record))
    assert report.conforms, report.text()
    assert (record.crs, record.temporal, record.temporal_resolution) == ((), (), None)
    assert (record.spatial_resolution_in_meters, record.variables[0].standard_name) == ((), None)


def test_variables_have_the_name_that_the_cf_table_has_for_them_today() -> None:
    """An old name is brought up to date; one that is in no table is words, and leads nowhere."""
    for old, known, label in (
        ("air_pressure_at_sea_level", "air_pressure_at_mean_sea_level", {}),
        ("pressure_at_my_house", None, {"en": "pressure at my house"}),
    ):
        file = strange(variables=(Variable(name="p", standard_name=old),))
        (variable,) = draft(file, "a.nc", home=HOME).variables
        assert (variable.standard_name, variable.label) == (known, label)
