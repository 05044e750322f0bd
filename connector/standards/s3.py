"""The S3 interface as far as a file is put into a bucket: signed requests (Signature Version 4), parts, and answers.

Pure: what is made here is sent by somebody else. Why no library does it: one that opens its own connections calls
addresses that nobody has judged, and forgets with the process how far it had come.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape, unescape
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

PART_BYTES: Final = 8 * 1024 * 1024
PARTS: Final = 10_000
"""The most parts that an object may come in."""

EMPTY: Final = hashlib.sha256(b"").hexdigest()
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_REGION: Final = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket and the key to it; `endpoint` is scheme, host and port, empty for Amazon's own."""

    name: str
    region: str
    key_id: str
    secret: str
    token: str = ""
    endpoint: str = ""

    def __repr__(self) -> str:
        """Say which, without the key."""
        return f"Bucket({self.name!r})"

    @property
    def is_sound(self) -> bool:
        """Whether name and region have the form that S3 gives them, and there is a key."""
        return bool(
            _BUCKET.fullmatch(self.name) and _REGION.fullmatch(self.region) and self.key_id and self.secret
        ) and not urlsplit(self.endpoint).path.strip("/")

    @property
    def base(self) -> str:
        """Address of the bucket, without a slash at the end."""
        if self.endpoint:
            return f"{self.endpoint.rstrip('/')}/{self.name}"
        return f"https://{self.name}.s3.{self.region}.amazonaws.com"


class Signed(NamedTuple):
    """A request that may be sent: its address and its headers."""

    url: str
    headers: dict[str, str]


def part_size(size: int) -> int:
    """Return the bytes of each part, but the last, of an object of `size` bytes."""
    return max(PART_BYTES, -(-size // PARTS))


def sign(
    bucket: Bucket,
    method: str,
    key: str,
    now: datetime,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    payload: str = EMPTY,
) -> Signed:
    """Return a request for the object `key`, signed in its headers.

    Args:
        bucket: where.
        method: in capitals.
        key: the object's name; empty for the bucket itself.
        now: aware; the server refuses a clock that is a quarter of an hour off.
        query: parameters, decoded.
        headers: further headers that are signed too.
        payload: SHA-256 of the body, hexadecimal.
    """
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    url = _url(bucket, key)
    sent = {"host": urlsplit(url).netloc, "x-amz-date": stamp, "x-amz-content-sha256": payload}
    sent |= {name.lower(): value for name, value in (headers or {}).items()}
    if bucket.token:
        sent["x-amz-security-token"] = bucket.token
    asked = _query(query or {})
    names = ";".join(sorted(sent))
    signature = _signature(bucket, stamp, method, urlsplit(url).path, asked, sent, payload)
    scope = f"{bucket.key_id}/{_scope(bucket, stamp)}"
    sent["authorization"] = f"{_ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature={signature}"
    del sent["host"]  # whoever sends it says it
    return Signed(f"{url}?{asked}" if asked else url, sent)


def presign(bucket: Bucket, method: str, key: str, now: datetime, seconds: int) -> str:
    """Return an address at which whoever knows it may do `method` to the object `key` for so many seconds."""
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    url = _url(bucket, key)
    query = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{bucket.key_id}/{_scope(bucket, stamp)}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    } | ({"X-Amz-Security-Token": bucket.token} if bucket.token else {})
    asked = _query(query)
    host = {"host": urlsplit(url).netloc}
    signature = _signature(bucket, stamp, method, urlsplit(url).path, asked, host, UNSIGNED)
    return f"{url}?{asked}&X-Amz-Signature={signature}"


def upload_id(body: bytes) -> str | None:
    """Return the id in the answer to the beginning of an upload in parts."""
    return _element(body, "UploadId")


def refusal(body: bytes) -> str | None:
    """Return code and words of an error document, which S3 sends under 200 too; None where it is none."""
    if b"<Error>" not in body:
        return None
    return ": ".join(filter(None, (_element(body, "Code"), _element(body, "Message")))) or "an error"


def completion(tags: Sequence[str]) -> bytes:
    """Return the document that joins parts, given their entity tags in order."""
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
        for number, tag in enumerate(tags, 1)
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()


def _element(body: bytes, name: str) -> str | None:
    found = re.search(f"<{name}>([^<]{{1,2000}})</{name}>", body.decode("utf-8", "replace"))
    return unescape(found[1]) if found else None


def _url(bucket: Bucket, key: str) -> str:
    return f"{bucket.base}/{quote(key, safe='/-_.~')}" if key else f"{bucket.base}/"


def _query(query: Mapping[str, str]) -> str:
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _scope(bucket: Bucket, stamp: str) -> str:
    return f"{stamp[:8]}/{bucket.region}/s3/aws4_request"


def _signature(
    bucket: Bucket, stamp: str, method: str, path: str, query: str, headers: Mapping[str, str], payload: str
) -> str:
    """Return the signature over the canonical form of a request (Signature Version 4, steps 1 to 3)."""
    names = sorted(headers)
    said = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    canonical = "\n".join((method, path, query, said, ";".join(names), payload))
    text = "\n".join((_ALGORITHM, stamp, _scope(bucket, stamp), hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{bucket.secret}".encode()
    for part in (stamp[:8], bucket.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
