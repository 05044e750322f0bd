"""The next page of a catalog, and the version of the protocol that two connectors have in common."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.standards.dsp.paging import link, next_link
from connector.standards.dsp.versions import VERSION, VERSIONS, common_path, version_document

ADDRESSES: Final = st.text('abc/?&=,;"%.:-', min_size=1).map(lambda path: "https://p.example/" + path)


@given(ADDRESSES, st.none() | ADDRESSES)
def test_what_we_write_is_read_back(following: str, previous: str | None) -> None:
    """The address of the next page survives the header, whatever commas and quotes are in it."""
    assert next_link(link(next=following, previous=previous)) == following
    assert next_link(link(previous=previous)) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ('<https://p.example/2>; rel="next"', "https://p.example/2"),
        ("<https://p.example/2>;rel=next", "https://p.example/2"),
        ('<https://p.example/2> ; REL = "NEXT"', "https://p.example/2"),
        ('<https://p.example/1>; rel="prev", <https://p.example/3>; rel="next"', "https://p.example/3"),
        ('<https://p.example/2>; title="x, <y>; rel=\\"prev\\""; rel="next last"', "https://p.example/2"),
        ('<https://p.example/2>; rel="prev"; rel="next"', None),
        ('<https://p.example/2>; rel="nextish"', None),
        ("<https://p.example/2>", None),
        ("https://p.example/2; rel=next", None),
        ('<?token=2>; rel="next"', "https://p.example/catalog/request?token=2"),
        ('</a,b>; rel="next"', "https://p.example/a,b"),
    ],
)
def test_link_headers_of_others_are_read(header: str | None, expected: str | None) -> None:
    """Quoting, case, several relations, several links and relative addresses are as RFC 8288 has them."""
    assert next_link(header, "https://p.example/catalog/request?token=1") == expected


@given(st.text('<>;,="\\ relnxt'))
def test_any_header_is_read(header: str) -> None:
    """A broken header means no next page, never a crash."""
    assert next_link(header) is None or "<" in header


def test_one_page_needs_no_header() -> None:
    """Without neighbours there is nothing to link to."""
    assert link() is None


def test_our_version_document_is_valid_and_read_back() -> None:
    """A peer of our own kind finds our path."""
    document = version_document(
        "/dsp", service_id="s", identifier_type="did:web", auth={"protocol": "DCP", "version": "1.0"}
    )
    assert next(VERSIONS(document, "$"), None) is None
    assert common_path(json.dumps(document).encode()) == "/dsp"
    assert version_document("") == {"protocolVersions": [{"version": VERSION, "path": "", "binding": "HTTPS"}]}


def test_the_common_version_is_found_among_others() -> None:
    """Older versions and entries that are not as they should be do not hide the common one."""
    entries = [
        {"version": "v0.8", "path": "/", "binding": "HTTPS"},
        {"version": "2025-1", "path": "/other", "binding": "CARRIER PIGEON"},
        5,
        {"version": "2025-1", "path": "/2025-1", "binding": "HTTPS"},
    ]
    assert common_path(json.dumps({"protocolVersions": entries}).encode()) == "/2025-1"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "protocolVersions"),
        ({"protocolVersions": []}, "empty"),
        ({"protocolVersions": [{"version": "2024-1", "path": "/", "binding": "HTTPS"}]}, "2024-1"),
        ({"protocolVersions": [{}]}, "none"),
        ([], "object"),
    ],
)
def test_without_a_common_version_there_is_no_talking(document: Any, words: str) -> None:
    """A peer that speaks other versions only is refused, and the refusal names them."""
    with pytest.raises(InvalidInput, match=words):
        common_path(json.dumps(document).encode())
