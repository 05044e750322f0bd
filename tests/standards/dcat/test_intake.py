"""What is read to be checked, and where what cannot be read is at fault."""

import pytest

from connector.errors import InvalidInput
from connector.standards.dcat.shacl import intake

SAID = '<urn:d> <urn:p> "ü" .'
XML = (
    '<?xml version="1.0" encoding="{}"?>\n<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:u="urn:"><rdf:Description rdf:about="urn:d"><u:p>ü</u:p></rdf:Description></rdf:RDF>'
)


def encoded(name: str) -> bytes:
    """Return the same statement in RDF/XML, in an encoding."""
    return XML.format(name.removesuffix("-sig")).encode(name)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "iso-8859-1", "windows-1252"])
def test_rdf_xml_is_read_in_the_encoding_that_it_declares(encoding: str) -> None:
    """XML may be written in several."""
    assert [str(each) for each in intake.read(encoded(encoding), "a.rdf")] == [SAID.removesuffix(" .")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("record", SAID),
        ("record.txt", f"@prefix u: <urn:> .\n{SAID}"),
        ("record.xml.bak", XML.format("utf-8")),
        ("record", '{"@id": "urn:d", "urn:p": "ü"}'),
        ("record.json", '{"@id": "urn:d", "urn:p": {"@value": "ü"}}'),
    ],
)
def test_a_name_that_tells_nothing_is_no_hindrance(name: str, text: str) -> None:
    """The beginning of the text tells what it is."""
    assert [str(each) for each in intake.read(text.encode(), name)] == [SAID.removesuffix(" .")]


def test_json_ld_without_keywords_is_json_ld() -> None:
    """Keys that are IRIs are not fields of the plain form."""
    assert len(intake.read(b'{"urn:p": "a"}', "a.jsonld")) == 1


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("a.rdf", b"", "line 1"),
        ("a.rdf", XML.format("utf-8").replace("rdf:about", "rdf:ID").replace("urn:d", "1 2").encode(), "line 2"),
        ("a.rdf", XML.format("us-ascii").encode(), "line 1"),
        ("a.jsonld", b'"text"', "line 1"),
        ("a.json", b"5", "line 1"),
        ("a.jsonld", b'{\n"@context": {"@import": "urn:x"}, "@id": "urn:d"}', "line 2"),
        ("a.jsonld", b'{"a":' * 99, "line 1"),
        ("a.ttl", SAID.encode("utf-16"), "line 1"),
        ("a.ttl", b"( " * 99, "line 1"),
        ("a.csv", b"a,b\n", "line 1"),
        ("a", b"<!doctype html>", "line 1"),
    ],
)
def test_what_cannot_be_read_has_its_line(name: str, data: bytes, place: str) -> None:
    """Whatever the reason is."""
    with pytest.raises(InvalidInput) as refused:
        intake.read(data, name)
    assert place in intake.told(refused.value)


def test_what_is_said_of_a_text_has_no_control_characters() -> None:
    """A terminal would obey them."""
    with pytest.raises(InvalidInput) as refused:
        intake.read(b"<urn:a> \x1b[31m", "a.ttl")
    assert intake.told(refused.value).isprintable()
