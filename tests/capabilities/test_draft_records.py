"""Drafted records: what becomes of licences, reference systems, resolutions, series and files elsewhere."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from connector.capabilities.drafting import draft, draft_series
from connector.formats import Asset, BBox, Description, Period, Variable, describe
from connector.formats.series import series
from connector.standards.dcat import graph, shacl
from tests.conftest import REFERENCES
from tests.formats.printed import known

HOME: Final = "https://us.example/datasets"
SAMPLES: Final = REFERENCES / "data"
LISTED: Final = sorted(json.loads((SAMPLES / "expected.json").read_text("utf-8"))) if SAMPLES.is_dir() else []
NAMES: Final = [name for name in LISTED if known(SAMPLES / name)]
LICENCES: Final = "http://publications.europa.eu/resource/authority/licence/"


def described(**facts: Any) -> Description:
    """Return the description of a small file."""
    file: dict[str, Any] = {"format": "NetCDF-4", "reader": "netcdf", "media_type": "application/x-netcdf"}
    file["byte_size"] = 5
    return Description(**file | facts)


def conforms(found: Description) -> None:
    """Check that the draft meets the structure of DCAT-AP."""
    report = shacl.check(graph.write(draft(found, "x.nc", home=HOME)))
    assert report.accepted, report.text()


@pytest.mark.skipif(not NAMES, reason="The references do not lie beside the checkout.")
@pytest.mark.parametrize("name", NAMES)
def test_the_draft_of_every_sample_meets_the_profile(name: str) -> None:
    """A provider may register it as it is."""
    conforms(describe(SAMPLES / name))


@pytest.mark.parametrize("kind", ["Catalog", "Collection"])
def test_a_document_about_a_collection_is_a_record_without_findings(kind: str, tmp_path: Path) -> None:
    """It names no member, so it is no series of DCAT; its own file is what is distributed."""
    extent = {"spatial": {"bbox": [[0, 0, 1, 1]]}, "temporal": {"interval": [["2020-01-01T00:00:00Z", None]]}}
    said = {"type": kind, "stac_version": "1.0.0", "id": "a", "description": "A.", "links": [], "extent": extent}
    (tmp_path / "a.json").write_text(json.dumps(said | {"license": "CC-BY-4.0"}))
    record = draft(describe(tmp_path / "a.json"), "a.json", home=HOME)
    assert (record.kind, record.title, len(record.distribution)) == ("dataset", {"en": "a"}, 1)
    report = shacl.check(graph.write(record))
    assert report.conforms, report.text()


@pytest.mark.parametrize(
    ("said", "iri", "kept"),
    [
        ("CC-BY 4.0", "CC_BY_4_0", False),
        ("Free for research", None, True),
        ("Creative Commons Attribution 4.0 International License. Consult the terms of use before you use the data.",
         "CC_BY_4_0", True),
        (None, None, False),
    ],
)  # fmt: skip
def test_a_licence_is_named_or_its_words_are_kept(said: str | None, iri: str | None, kept: bool) -> None:
    """A known licence is a term of the EU table; other words, and longer ones, stand as a statement of rights."""
    (file,) = draft(described(licence=said), "x.nc", home=HOME).distribution
    assert file.licence == (LICENCES + iri if iri else None)
    assert [statement.description["en"] for statement in file.rights] == ([said] if kept else [])
    conforms(described(licence=said))


@pytest.mark.parametrize(
    ("facts", "iri"),
    [
        ({"epsg": 3035}, "http://www.opengis.net/def/crs/EPSG/0/3035"),
        ({"crs": "http://www.opengis.net/def/crs/EPSG/0/25832"}, "http://www.opengis.net/def/crs/EPSG/0/25832"),
        ({"crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}, "http://www.opengis.net/def/crs/OGC/1.3/CRS84"),
        ({"crs": "rotated_latitude_longitude"}, None),
    ],
)
def test_a_registered_reference_system_has_its_address(facts: dict[str, Any], iri: str | None) -> None:
    """One that the file only names is left to its provider."""
    assert draft(described(**facts), "x.nc", home=HOME).crs == ((iri,) if iri else ())
    conforms(described(**facts))


def test_a_resolution_in_degrees_is_a_measurement() -> None:
    """GeoDCAT-AP has a metric for it; metres have a property of their own."""
    (found,) = draft(described(spatial_resolution_degrees=0.25), "x.nc", home=HOME).quality_measurement
    assert (found.metric, found.value) == ("http://data.europa.eu/930/spatialResolutionAsAngularDistance", 0.25)
    metres = draft(described(spatial_resolution_metres=10.0, spatial_resolution_degrees=0.1), "x.nc", home=HOME)
    assert (metres.spatial_resolution_in_meters, metres.quality_measurement) == ((10.0,), ())
    conforms(described(spatial_resolution_degrees=0.25))


def test_the_name_of_a_file_alone_is_no_title() -> None:
    """The words for the main variable and the house stand in; without them, the format stands before the name."""
    variables = (Variable(name="a"), Variable(name="t", long_name="Air temperature", shape=(2, 2)))
    worded = draft(described(variables=variables, publisher="NCEP"), "x.nc", home=HOME)
    assert worded.title == {"en": "Air temperature, NCEP"}
    assert draft(described(), "x.nc", home=HOME).title == {"en": "NetCDF-4 x.nc"}


def test_a_series_is_one_record() -> None:
    """A series has the place and time of its members and no file of its own."""
    members = [
        (
            f"{year}.nc",
            described(
                title="Rain",
                bbox=BBox(west=west, south=0, east=west + 10, north=10, basis="bounds"),
                period=Period(begin=f"{year}-01-01", end=f"{year}-12-31", first=str(year), last=str(year)),
            ),
        )
        for year, west in ((2001, 160), (2002, 170), (2003, -180))
    ]
    record = draft(series(members), "rain", home=HOME)
    assert (record.kind, record.distribution, record.title) == ("series", (), {"en": "Rain"})
    assert record.spatial[0].bbox == (160, 0, -170, 10)
    assert (record.temporal[0].start, record.temporal[0].end) == ("2001-01-01", "2003-12-31")
    conforms(series(members))
    whole, *parts = draft_series(series(members), members, "rain", home=HOME)
    assert whole == record
    assert [(each.kind, each.in_series) for each in parts] == [("dataset", (record.id,))] * 3
    assert len({each.id for each in parts}) == 3
    report = shacl.check(tuple(triple for each in (whole, *parts) for triple in graph.write(each)))
    assert report.conforms, report.text()


def test_files_of_data_elsewhere_are_distributions() -> None:
    """A metadata document's assets of data are told from thumbnails, and only addresses of the web are passed on."""
    assets = (
        Asset(key="B02", href="https://eo.example/B02.tif", roles=("data",), media_type="image/tiff; x=y", byte_size=7),
        Asset(key="thumb", href="https://eo.example/t.png", roles=("thumbnail",)),
        Asset(key="local", href="./B03.tif", roles=("data",)),
        Asset(key="plain", href="https://eo.example/plain"),
    )
    found = {each.title["en"]: each for each in draft(described(assets=assets), "item.json", home=HOME).distribution}
    assert set(found) == {"item.json", "B02", "plain"}
    assert found["B02"].access_url == ("https://eo.example/B02.tif",)
    assert found["B02"].media_type == "https://www.iana.org/assignments/media-types/image/tiff"
    conforms(described(assets=assets))
