"""Signatures of the S3 interface, held to those that Amazon publishes, and what is made of a store's answers."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.standards import s3
from connector.standards.s3 import Bucket

# The credentials and signatures of the examples in Amazon's own description of Signature Version 4.
EXAMPLE = Bucket(
    name="examplebucket",
    region="us-east-1",
    key_id="AKIAIOSFODNN7EXAMPLE",
    secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # noqa: S106 - published for this purpose
)
STAMP, HOST = "20130524T000000Z", {"host": "examplebucket.s3.amazonaws.com"}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOCAL = Bucket(name="rain", region="eu-1", key_id="k", secret="s", endpoint="http://127.0.0.1:9000")  # noqa: S106 - of nobody


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "payload", "signature"),
    [
        (
            "GET",
            "/test.txt",
            "",
            HOST | {"range": "bytes=0-9", "x-amz-content-sha256": s3.EMPTY, "x-amz-date": STAMP},
            s3.EMPTY,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "GET",
            "/",
            "lifecycle=",
            HOST | {"x-amz-content-sha256": s3.EMPTY, "x-amz-date": STAMP},
            s3.EMPTY,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/",
            "max-keys=2&prefix=J",
            HOST | {"x-amz-content-sha256": s3.EMPTY, "x-amz-date": STAMP},
            s3.EMPTY,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_a_signature_is_the_published_one(
    method: str, path: str, query: str, headers: dict[str, str], payload: str, signature: str
) -> None:
    """One wrong byte in the canonical form, and every store refuses everything."""
    assert s3._signature(EXAMPLE, STAMP, method, path, query, headers, payload) == signature


def test_a_presigned_address_is_the_published_one() -> None:
    """Whoever has the address needs nothing else; it must be signed exactly."""
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    )
    found = s3._signature(EXAMPLE, STAMP, "GET", "/test.txt", query, HOST, s3.UNSIGNED)
    assert found == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    made = urlsplit(s3.presign(EXAMPLE, "GET", "a b/ü.csv", datetime(2013, 5, 24, tzinfo=UTC), 60))
    assert (made.netloc, made.path) == ("examplebucket.s3.us-east-1.amazonaws.com", "/a%20b/%C3%BC.csv")
    assert parse_qs(made.query)["X-Amz-Expires"] == ["60"]


@given(st.text(min_size=1, max_size=40), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3))
def test_names_survive_the_address(key: str, query: dict[str, str]) -> None:
    """Whatever an object is called, the store reads the same name, and one part of it stays one."""
    try:
        key.encode()
        "".join([*query, *query.values()]).encode()
    except UnicodeEncodeError:
        return
    signed = s3.sign(LOCAL, "PUT", key, NOW, query=query)
    parts = urlsplit(signed.url)
    assert unquote(parts.path) == f"/rain/{key}"
    assert {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()} == query
    assert "host" not in signed.headers
    assert "SignedHeaders=host;x-amz-content-sha256;x-amz-date," in signed.headers["authorization"]


def test_a_session_token_is_signed_with_the_rest() -> None:
    """A key for an hour comes with a token, which must be part of what is signed."""
    bucket = Bucket(name="rain", region="eu-1", key_id="k", secret="s", token="t")  # noqa: S106 - of nobody
    assert s3.sign(bucket, "GET", "x", NOW).headers["x-amz-security-token"] == "t"
    assert "X-Amz-Security-Token=t" in s3.presign(bucket, "GET", "x", NOW, 60)


def test_a_bucket_is_shown_without_its_key() -> None:
    """A log line about it opens nothing."""
    assert repr(EXAMPLE) == "Bucket('examplebucket')"


@pytest.mark.parametrize(
    "changes",
    [{"name": ""}, {"name": "Rain"}, {"name": "a/../b"}, {"region": "eu 1"}, {"region": ""}, {"key_id": ""},
     {"secret": ""}, {"endpoint": "https://a.example/path"}],
)  # fmt: skip
def test_what_is_no_bucket_is_known_as_none(changes: dict[str, str]) -> None:
    """Name and region become part of an address: only what S3 itself allows may."""
    values = {"name": "rain", "region": "eu-1", "key_id": "k", "secret": "s"}
    assert Bucket(**values).is_sound
    assert not Bucket(**(values | changes)).is_sound


def test_answers_are_read() -> None:
    """The number of an upload, the words of an error, and nothing out of nonsense."""
    begun = b"<Result><Bucket>b</Bucket><UploadId>a&amp;b</UploadId></Result>"
    assert s3.upload_id(begun) == "a&b"
    assert s3.upload_id(b"\xff\x00") is None
    assert s3.refusal(b"<?xml?><Error><Code>SlowDown</Code><Message>Later.</Message></Error>") == "SlowDown: Later."
    assert s3.refusal(b"<Error></Error>") == "an error"
    assert s3.refusal(begun) is None


def test_parts_are_joined_in_their_order() -> None:
    """With their tags as the store gave them, and large files in parts that are few enough."""
    assert s3.completion(['"a"', "b&c"]) == (
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>"
        b"<Part><PartNumber>2</PartNumber><ETag>b&amp;c</ETag></Part></CompleteMultipartUpload>"
    )
    assert s3.part_size(5) == s3.PART_BYTES
    assert s3.part_size(5 * 2**40) * s3.PARTS >= 5 * 2**40
