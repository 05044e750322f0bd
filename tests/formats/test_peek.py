"""Telling JSON documents and archives apart by their first bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.formats.peek import json_keys, json_kind, zip_name


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"type": "Feature", "stac_version": "1.0.0"', "stac"),
        ('\ufeff {"id": "x", "links": [{"a": "}"}], "stac_version": "1.1.0", "type": "Catalog"}', "stac"),
        ('{"type": "FeatureCollection", "features": [{"stac_version": "1.0.0"', "stac"),
        ('{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2', "geojson"),
        ('{"geometry": {"type": "Polygon", "coordinates": [[[1,2],[', "geojson"),
        ('{"features": [{"type": "Feature", "properties": {"stac_version": "1.0.0"}}]', "geojson"),
        ('{"type": "Polygon", "coordinates": [[[', "geojson"),
        ('{"meta": {"schema": "https://json.sdmx.org/1.0.0/sdmx-json-data-schema.json"}, "data": {', "sdmx"),
        ('{"header": {"id": "1"}, "dataSets": [{"action": "Information"', "sdmx"),
        ('{"data": {"codelists": [{"id": "CL_FREQ"', "sdmx"),
        ('{"type": "Topology", "objects": {}}', None),
        ('{"version": 1, "refs": {"stac_version": ["a", 1, 2]}}', None),
        ('{"properties": {"stac_version": "1.0.0"}}', None),
        ('["stac_version"]', None),
        ('{"note": "\\"stac_version\\": "}', None),
        ("", None),
        ("}", None),
    ],
)
def test_a_json_document_is_told_by_its_keys(text: str, kind: str | None) -> None:
    """Own keys decide, not words in its values or in objects deeper down; a text cut off is judged by what it shows."""
    assert json_kind(text.encode()) == kind


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(alphabet='abc{}[]"\\:,', min_size=1, max_size=4), values, max_size=4), st.integers(0, 60)
)
def test_the_outer_keys_are_those_that_a_parser_finds(document: dict[str, object], cut: int) -> None:
    """Every key of the document is seen, with its text; of a document cut off, no key that it does not have."""
    text = json.dumps(document, ensure_ascii=False)
    found = json_keys(text.encode())
    for key, value in document.items():
        written = json.dumps(key, ensure_ascii=False)[1:-1]
        assert found[written] == (json.dumps(value, ensure_ascii=False)[1:-1] if isinstance(value, str) else "")
    assert json_keys(text[:cut].encode()).keys() <= found.keys()


def test_the_first_name_of_an_archive_is_seen() -> None:
    """The name of the first member stands in the first bytes; what is no archive has none."""
    name = b"S2A.SAFE/manifest.safe"
    assert zip_name(b"PK\x03\x04" + bytes(22) + len(name).to_bytes(2, "little") + bytes(2) + name) == name.decode()
    assert zip_name(b"GRIB") is None


def test_a_text_that_is_cut_inside_a_key_has_no_key_of_its_end() -> None:
    """A string without its colon is not the value of a key that is over."""
    text = b'{"a": {"b": [1, "x"], "c": false}, "d\\""'
    assert json_keys(text) == {"a": "", "a.b": "", "a.c": ""}
