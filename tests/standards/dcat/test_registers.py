"""The registers that ship as tables: what they say is found by the keys that files carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import library
from connector.standards.dcat import registers
from connector.standards.dcat.geometry import check_box
from connector.standards.dcat.vocabulary import entries, vocabulary
from tests.conftest import references

TABLES = {
    "cf-standard-names": "cf-standard-names.tsv.gz",
    "cf-standard-name-aliases": "cf-standard-name-aliases.tsv",
    "eccodes-parameters": "eccodes-parameters.tsv",
    "nuts": "nuts-levels-0-2.tsv",
    "sdmx-codes": "sdmx-global-codelists.tsv",
    "country-boxes": "country-bbox.tsv",
    "file-type-media-types": "eu-file-type-media-type.tsv",
    "media-type-extensions": "media-type-extension.tsv",
}


def test_a_cf_name_is_found_under_its_old_name_too() -> None:
    """Files keep the names of the year they were made."""
    new = registers.standard_name("air_pressure_at_mean_sea_level")
    assert new is not None
    assert new.unit == "Pa"
    assert registers.standard_name("air_pressure_at_sea_level") == new
    assert registers.standard_name("air_pressure_at_my_house") is None
    assert len(registers.standard_names()) == 5023


def test_a_slip_in_a_cf_name_leads_to_the_name() -> None:
    """Spaces and letters that are off are forgiven; nonsense finds nothing."""
    assert registers.nearest_standard_names("Air temprature")[0] == "air_temperature"
    assert registers.nearest_standard_names("xyz") == []


@given(st.text(max_size=120))
def test_any_word_gives_names_of_the_table(word: str) -> None:
    """Whatever is asked, what comes is in the table."""
    assert all(name in registers.standard_names() for name in registers.nearest_standard_names(word))


def test_every_parameter_has_a_current_cf_name_or_none() -> None:
    """No CF name is guessed, and old ones are brought up to date; a few of ecCodes are in no table."""
    found = registers.parameters()
    assert len(found) == 377
    named = [each.standard_name for each in found.values() if each.standard_name is not None]
    assert len(named) == 282
    assert sum(name in registers.standard_names() for name in named) / len(named) > 0.9
    assert sum(each.grib2 is not None for each in found.values()) > 200


def test_a_parameter_is_found_by_id_and_by_short_name() -> None:
    """As GRIB messages name them."""
    temperature = registers.parameter(167)
    assert temperature is not None
    assert temperature == registers.parameter("2t")
    assert (temperature.unit, temperature.standard_name, temperature.grib2) == ("K", "air_temperature", (0, 0, 0))
    assert registers.parameter("2T") is registers.parameter(-1) is None


def test_a_country_is_found_by_each_of_its_codes() -> None:
    """Greece has three of them."""
    greece = registers.country("GRC")
    assert greece is not None
    assert greece == registers.country("gr") == registers.country("EL")
    assert registers.country("XX") is None


def test_boxes_of_countries_are_boxes() -> None:
    """In degrees, and those of Europe lie there; France is larger than its European part."""
    codes = [term.code for term in vocabulary("country").terms.values()]
    found = [country for code in codes if (country := registers.country(code)) is not None]
    assert len(found) > 220
    for country in found:
        assert check_box(country.box) is None, country.name
        if country.europe is not None:
            assert country.nuts
            assert -32 <= country.europe[0] <= country.europe[2] <= 50
            assert 26 <= country.europe[1] <= country.europe[3] <= 83
    france = registers.country("FR")
    assert france is not None
    assert france.europe is not None
    assert france.box[1] < france.europe[1]


def test_sdmx_codes_have_their_urn() -> None:
    """List, version and code make the name in the registry."""
    assert len(registers.code_lists()) == 12
    annual = registers.code_lists()["CL_FREQ"]["A"]
    assert (annual.name, annual.urn) == ("Annual", "urn:sdmx:org.sdmx.infomodel.codelist.Code=SDMX:CL_FREQ(2.1).A")


@pytest.mark.parametrize(
    ("media_type", "extension", "code"),
    [
        ("text/csv", None, "CSV"),
        ("text/csv; charset=utf-8", ".xml", "CSV"),
        (None, ".NC", "NETCDF"),
        ("application/geo+json", None, "GEOJSON"),
        ("application/x-grib", ".grib", None),
    ],
)
def test_a_file_type_is_found_by_media_type_or_extension(
    media_type: str | None, extension: str | None, code: str | None
) -> None:
    """The media type comes first; what the table lacks stays unknown."""
    found = registers.file_type(media_type, extension=extension)
    assert found == (f"http://publications.europa.eu/resource/authority/file-type/{code}" if code else None)


def test_every_file_type_of_the_table_is_in_the_vocabulary() -> None:
    """No IRI that the list of file types does not have."""
    listed = vocabulary("file-type").terms
    assert all(registers.file_type(extension=each) in listed for each in (".csv", ".nc", ".tif", ".gpkg", ".json"))
    assert registers.media_type(".geojson") == "application/geo+json"
    assert registers.media_type(".nowhere") is None


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_those_of_the_source(name: str) -> None:
    """Byte for byte."""
    assert library.read("vocab", entries()[name].file) == (references() / "vocab" / TABLES[name]).read_bytes()
