"""Heads of requests: what is one is read in one way, and what two programs could read in two ways is none."""

from contextlib import suppress
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.web.worker.heads import FIELDS, Head, Refused, place, read, write

GET = "GET /data/urn:x HTTP/1.1\r\nHost: a"


def refusal(text: str) -> HTTPStatus:
    """Return the status with which a head is refused."""
    with pytest.raises(Refused) as refused:
        read(text.encode("latin-1"))
    return refused.value.status


def test_a_request_is_read() -> None:
    """Method, path, fields by lower-case names, and whether the connection stays."""
    found = read(b"GET /data/urn:x?a=b HTTP/1.1\r\nHost: a\r\nRange:  bytes=0-1 \t\r\nX-A: 1\r\nx-a: 2")
    assert found == Head("GET", "/data/urn:x", stays=True, fields={"host": "a", "range": "bytes=0-1", "x-a": "1, 2"})
    assert read(b"HEAD https://a.example/data/x HTTP/1.1\r\nHost: a").path == "/data/x"
    assert read(b"GET http://a.example HTTP/1.1\r\nHost: a").path == "/"
    assert read(GET.encode() + b"\r\nContent-Length: 0").stays


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (GET, True),
        (f"{GET}\r\nConnection: keep-alive", True),
        (f"{GET}\r\nConnection: Upgrade, Close", False),
        ("GET / HTTP/1.0", False),
        ("GET / HTTP/1.0\r\nConnection: keep-alive", False),
    ],
)
def test_a_connection_stays_unless_one_side_leaves(text: str, stays: bool) -> None:
    """Who says that this is the last request, or speaks the old version, is answered and left."""
    assert read(text.encode()).stays is stays


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET /",
        "GET  / HTTP/1.1\r\nHost: a",
        "get / HTTP/1.1\r\nHost: a",
        "GET / HTTP/2.0\r\nHost: a",
        "GET / HTTP/1.1",
        "GET a.example/x HTTP/1.1\r\nHost: a",
        "GET ftp://a.example/x HTTP/1.1\r\nHost: a",
        "GET http://[x/ HTTP/1.1\r\nHost: a",
        "GET /\x01 HTTP/1.1\r\nHost: a",
        f"{GET}\r\n folded: line",
        f"{GET}\r\nX : blank before the colon",
        f"{GET}\r\nno colon",
        f"{GET}\r\n: no name",
        f"{GET}\r\nX: a\x00b",
        f"{GET}\r\nX: bare\nHost: b",
        f"{GET}\r\nX: bare\rHost: b",
        f"{GET}\r\nHost: b",
        f"{GET}\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b",
        f"{GET}\r\nContent-Length: 5",
        f"{GET}\r\nContent-Length: 0\r\nContent-Length: 0",
        f"{GET}\r\nContent-Length: +0",
        f"{GET}\r\nTransfer-Encoding: chunked",
        f"{GET}\r\nTransfer-Encoding: identity",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: str) -> None:
    """A proxy in front must not see other requests than the worker: two lengths, bodies, folds and bare ends."""
    assert refusal(text) is HTTPStatus.BAD_REQUEST


def test_there_are_only_so_many_fields() -> None:
    """A head that has no end is not kept in memory."""
    assert read((GET + "\r\nX: y" * (FIELDS - 1)).encode())
    assert refusal(GET + "\r\nX: y" * FIELDS) is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@given(st.binary(max_size=200) | st.text("GET /data:\r\nHost\t\x00 HTTP/1.01;,-_aé", max_size=120).map(str.encode))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """Whatever comes is a request or is refused."""
    with suppress(Refused):
        found = read(data)
        assert found.path.startswith("/")
        assert "\n" not in found.path + "".join(found.fields.values())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/urn:uuid:1", ("urn:uuid:1", "")),
        ("/data/urn%3Auuid%3A1", ("urn:uuid:1", "")),
        ("/data/x/files/a%20b.csv", ("x", "a b.csv")),
        ("/data/x/files/..%2Fkey.json", ("x", "../key.json")),
        ("/data/", None),
        ("/data", None),
        ("/data//files/a", None),
        ("/data/x/files/", None),
        ("/data/x/files/a/b", None),
        ("/data/x/renewal", None),
        ("/data/%ff", None),
        ("/other/x", None),
        ("/", None),
    ],
)
def test_a_path_names_a_transfer_and_perhaps_a_file(path: str, expected: tuple[str, str] | None) -> None:
    """Decoded once; whatever a name says, it is compared with those of the files and never becomes a path."""
    assert place(path, "/data/") == expected


def test_an_answer_is_written() -> None:
    """Status, date, fields, and the end of the connection where it is one."""
    assert (
        write(206, {"ETag": '"x"'}, "now", stays=True)
        == b'HTTP/1.1 206 Partial Content\r\nDate: now\r\nETag: "x"\r\n\r\n'
    )
    assert write(200, {}, "now", stays=False).endswith(b"\r\nConnection: close\r\n\r\n")
