"""Files over HTTP: exactly the bytes asked for, under headers that say which, as a second reading of the RFC finds."""

import base64
import hashlib
import re

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from connector.standards.ranges import File, Reply, Span, etag, reply, repr_digest, span

CONTENT = bytes(range(200))
FILE = File(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "text/csv", "rain.csv")
EMPTY = File(hashlib.sha256(b"").hexdigest(), 0, "text/csv", "none.csv")
OWN = etag(FILE.digest)
NUMBERS = st.integers(0, 250) | st.sampled_from([10**17, 10**18, 10**19, 10**25])


def get(file: File = FILE, **asked: str) -> Reply:
    """Return the answer to a GET with these headers."""
    return reply(file, "GET", {name.replace("_", "-"): value for name, value in asked.items()})


def oracle(first: int | None, last: int | None, size: int) -> set[int] | None:
    """Return the places of the bytes that one range names, byte by byte; None where it is malformed (§14.1.1)."""
    if first is None:
        return {place for place in range(size) if place >= size - (last or 0)}
    if last is not None and last < first:
        return None
    return {place for place in range(size) if first <= place and (last is None or place <= last)}


@given(st.none() | NUMBERS, st.none() | NUMBERS, st.integers(0, 220))
@example(10**25, 10**19, 0)
def test_a_range_is_the_bytes_that_counting_finds(first: int | None, last: int | None, size: int) -> None:
    """Open, closed, from the end, too long and outside: the answer is what counting byte by byte gives."""
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    found = span(header, size)
    wanted = None if first is last is None else oracle(first, last, size)
    event("ignored" if found is None else "part" if found.start < found.end else "outside")
    if wanted is None or (first is None and last and size == 0):
        assert found is None
    else:
        assert found is not None
        assert set(range(found.start, found.end)) == wanted
        assert 0 <= found.start <= found.end <= size


@given(st.text('bytesBYTES=,-0123456789 \t;W/*"x', max_size=40), st.integers(0, 220))
def test_no_text_breaks_a_range(text: str, size: int) -> None:
    """Whatever is sent, the answer lies within the file."""
    for header in (text, f"bytes={text}"):
        found = span(header, size)
        assert found is None or 0 <= found.start <= found.end <= size


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=1 - 2", "bytes=0x1-2", "bytes=1-2-3",
     "bytes=+1-2", "bytes=1-2,x", "bytes=1-2, bytes=3-4", "items=1-2", "bytes:1-2", "bytes=\u0661-\u0662",
     "bytes=1-2;q=1", "bytes=9-3,1-2"],
)  # fmt: skip
def test_a_malformed_range_is_ignored(header: str) -> None:
    """What is no range of bytes brings the whole file, as if it had not been sent (§14.2)."""
    answer = get(range=header)
    assert (answer.status, answer.start, answer.end) == (200, 0, 200)
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize(
    "header", ["bytes=0-1,3-4", "bytes=0-0,-1", "bytes=0-,0-,0-", "bytes=1-2, ,4-5", "bytes=0-9,999-"]
)
def test_several_ranges_are_refused(header: str) -> None:
    """One answer carries one range; several are neither sent nor turned into the whole file."""
    answer = get(range=header)
    assert (answer.status, answer.headers["Content-Range"], answer.headers["Content-Length"]) == (
        416,
        "bytes */200",
        "0",
    )
    assert answer.start == answer.end


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", "bytes 0-0/200"),
        ("bytes=0-", "bytes 0-199/200"),
        ("bytes=199-", "bytes 199-199/200"),
        ("bytes=-1", "bytes 199-199/200"),
        ("bytes=-1000", "bytes 0-199/200"),
        ("bytes=190-1000", "bytes 190-199/200"),
        ("bytes=007-0008", "bytes 7-8/200"),
        ("BYTES=7-8", "bytes 7-8/200"),
        (" bytes=\t7-8 ,", "bytes 7-8/200"),
        ("bytes=200-", None),
        ("bytes=200-300", None),
        ("bytes=-0", None),
        (f"bytes={'9' * 5000}-", None),
    ],
)
def test_a_part_is_said_to_be_one(header: str, expected: str | None) -> None:
    """206 with the range, its length and the whole file's; outside, 416 with the size alone."""
    answer = get(range=header)
    assert answer.status == (206 if expected else 416)
    assert answer.headers["Content-Range"] == (expected or "bytes */200")
    assert int(answer.headers["Content-Length"]) == answer.end - answer.start


def test_an_empty_file_has_no_parts() -> None:
    """Nothing can be asked of it but all of it."""
    assert get(EMPTY).headers["Content-Length"] == "0"
    assert get(EMPTY, range="bytes=-5").status == 200
    for header in ("bytes=0-", "bytes=0-0", "bytes=-0", "bytes=5-"):
        assert get(EMPTY, range=header).headers["Content-Range"] == "bytes */0"


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        (OWN, 206),
        (f" {OWN} ", 206),
        (f"W/{OWN}", 200),
        ('"other"', 200),
        (OWN.strip('"'), 200),
        ("Sun, 01 Mar 2026 12:00:00 GMT", 200),
        ("", 200),
        ("*", 200),
    ],
)
def test_a_part_is_of_the_file_that_is_meant(tag: str, status: int) -> None:
    """Bytes are only joined to those of the same file: another tag, a weak one or a date brings it whole (§13.1.5)."""
    assert get(range="bytes=1-2", if_range=tag).status == status
    assert get(if_range=tag).status == 200


def test_a_range_outside_another_file_is_no_error() -> None:
    """Whoever goes on with a file that was replaced by a shorter one gets the new one whole, not 416."""
    assert get(range="bytes=5000-", if_range='"old"').status == 200


@pytest.mark.parametrize("header", [None, "bytes=1-2", "bytes=1000-", "bytes=0-1,2-3"])
@pytest.mark.parametrize("file", [FILE, EMPTY])
def test_head_has_the_headers_of_get(file: File, header: str | None) -> None:
    """HEAD tells what GET would bring, whatever range is asked with it, and carries no bytes (§9.3.2)."""
    answer = reply(file, "HEAD", {"range": header} if header else {})
    assert answer == get(file)._replace(start=0, end=0)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"if-none-match": OWN}, 304),
        ({"if-none-match": f'"x", W/{OWN}'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"', "range": "bytes=1-2"}, 206),
        ({"if-none-match": "nonsense"}, 200),
        ({"if-match": OWN, "range": "bytes=1-2"}, 206),
        ({"if-match": f'"x",{OWN}'}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": f"W/{OWN}"}, 412),
        ({"if-match": '"x"', "if-none-match": OWN}, 412),
    ],
)
def test_conditions_come_before_ranges(asked: dict[str, str], status: int) -> None:
    """What the asker has already is not sent again, and what it does not mean is not sent at all (§13.2.2)."""
    answer = reply(FILE, "GET", asked)
    assert answer.status == status
    assert (answer.end > answer.start) == (status in {200, 206})


def test_the_digest_is_of_the_whole_file() -> None:
    """Whoever joins parts can check what came out: each answer names the SHA-256 of all bytes (RFC 9530 §3)."""
    for answer in (get(), get(range="bytes=1-2"), reply(FILE, "HEAD", {})):
        told = re.fullmatch(r"sha-256=:([A-Za-z0-9+/=]+):", answer.headers["Repr-Digest"])
        assert told
        assert base64.b64decode(told[1]) == hashlib.sha256(CONTENT).digest()
    assert repr_digest(EMPTY.digest) == "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_name_or_type_breaks_a_header(name: str, media_type: str) -> None:
    """A record's words end in headers: none of them can end a line or open another."""
    for value in reply(FILE._replace(name=name, media_type=media_type), "GET", {}).headers.values():
        assert re.fullmatch(r"[\x20-\x7e]*", value)


def test_a_span_of_nothing_asked_is_everything() -> None:
    """Without a range the whole file is meant; with one, its bytes."""
    assert span(None, 5) is None
    assert span("bytes=1-3", 5) == Span(1, 4)
