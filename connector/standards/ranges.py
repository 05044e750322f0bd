"""Files over HTTP: which bytes of a file answer a request, and under which headers (RFC 9110 §13 and §14, RFC 9530).

House choices where the RFC leaves one:

1. Several ranges are refused with 416. Answering them whole would send gigabytes to somebody who wanted two corners;
   answering each costs a multipart body that few can read and many have abused. Whoever needs several asks often.
2. A `Range` that is malformed, or in another unit than bytes, is ignored, as is one with any method but GET.
3. There is one validator, a strong entity tag made of the file's SHA-256. No `Last-Modified` is sent, since a second
   is too coarse to tell two files apart; so a date in `If-Range` never matches and brings the whole file.
4. The last bytes of an empty file are the empty file (200), since no `Content-Range` can name them.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final, NamedTuple

OK: Final = 200
PARTIAL: Final = 206
NOT_MODIFIED: Final = 304
PRECONDITION_FAILED: Final = 412
NOT_SATISFIABLE: Final = 416

CONDITIONS: Final = ("if-match", "if-none-match", "if-range", "range")
"""The request headers that decide about an answer."""

_UNIT: Final = re.compile(r"\s*bytes\s*=(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_RANGE: Final = re.compile(r"[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*", re.ASCII)
_TAGS: Final = re.compile(r'[ \t]*(?:(W/)?("[\x21\x23-\x7e\x80-\xff]*"))?[ \t]*(?:,|\Z)')
_MEDIA_TYPE: Final = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:;[\x20-\x7e]*)?", re.ASCII)
_DIGITS: Final = 19
"""More digits than any size has; longer numbers are not worth reading."""


class File(NamedTuple):
    """What is known of a file: its SHA-256 (64 hexadecimal digits), its size in bytes, its media type and its name."""

    digest: str
    size: int
    media_type: str
    name: str


class Reply(NamedTuple):
    """An answer without its bytes, which are those of the file from `start` up to and without `end`."""

    status: int
    headers: dict[str, str]
    start: int = 0
    end: int = 0


class Span(NamedTuple):
    """Bytes from `start` up to and without `end`."""

    start: int
    end: int


def reply(file: File, method: str, asked: Mapping[str, str]) -> Reply:
    """Return the answer to a GET or HEAD of `file`.

    HEAD is answered with the headers of a GET without a range, and no bytes.

    Args:
        file: what is asked for.
        method: `GET` or `HEAD`.
        asked: the request's headers, names in lower case; of them `CONDITIONS` are looked at.
    """
    headers = _headers(file)
    if "if-match" in asked:
        if not _matches(asked["if-match"], file, weakly=False):
            return Reply(PRECONDITION_FAILED, headers | {"Content-Length": "0"})
    elif "if-none-match" in asked and _matches(asked["if-none-match"], file, weakly=True):
        return Reply(NOT_MODIFIED, headers)
    wanted = span(asked.get("range"), file.size) if method == "GET" and _may_be_part(asked, file) else None
    if wanted is None:
        whole = headers | {"Content-Length": str(file.size)}
        return Reply(OK, whole, 0, file.size if method == "GET" else 0)
    if wanted.start >= wanted.end:
        return Reply(NOT_SATISFIABLE, headers | {"Content-Range": f"bytes */{file.size}", "Content-Length": "0"})
    headers["Content-Range"] = f"bytes {wanted.start}-{wanted.end - 1}/{file.size}"
    headers["Content-Length"] = str(wanted.end - wanted.start)
    return Reply(PARTIAL, headers, *wanted)


def span(header: str | None, size: int) -> Span | None:
    """Return the bytes that a `Range` header asks for of a file of `size` bytes.

    None stands for the whole file, because nothing was asked or what was asked is to be ignored; an empty span for
    what cannot be had: a range that lies outside, or several of them.
    """
    found = _UNIT.fullmatch(header) if header else None
    parts = [part for part in found[1].split(",") if part.strip(" \t")] if found else []
    ranges = [_RANGE.fullmatch(part) for part in parts]
    if not ranges or not all(ranges) or not all(map(_in_order, ranges)):
        return None
    if len(ranges) > 1 or ranges[0] is None:
        return Span(size, size)
    first, last, suffix = ranges[0].groups()
    if suffix is not None:
        count = _number(suffix)
        return None if count and not size else Span(max(size - count, 0), size)
    start = _number(first)
    return Span(min(start, size), min(_number(last) + 1, size) if last else size)


def repr_digest(digest: str) -> str:
    """Return the `Repr-Digest` (RFC 9530 §3) of a file whose SHA-256 has these hexadecimal digits.

    It is of the whole file, whatever part of it an answer carries.
    """
    return f"sha-256=:{b64encode(bytes.fromhex(digest)).decode()}:"


def etag(digest: str) -> str:
    """Return the entity tag of a file with this SHA-256: a strong one, since other bytes have another."""
    return f'"{digest}"'


def _headers(file: File) -> dict[str, str]:
    fits = _MEDIA_TYPE.fullmatch(file.media_type)
    return {
        "Content-Type": file.media_type if fits else "application/octet-stream",
        "ETag": etag(file.digest),
        "Repr-Digest": repr_digest(file.digest),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="{re.sub(r"[^A-Za-z0-9._-]", "_", file.name)}"',
        "X-Content-Type-Options": "nosniff",
    }


def _may_be_part(asked: Mapping[str, str], file: File) -> bool:
    """Say whether `If-Range` (§13.1.5) leaves room for a part: only the file's own tag does, exactly."""
    return asked.get("if-range", etag(file.digest)).strip() == etag(file.digest)


def _matches(header: str, file: File, *, weakly: bool) -> bool:
    """Say whether a list of entity tags names the file (§8.8.3.2), or is `*`."""
    if header.strip() == "*":
        return True
    at = 0
    while at < len(header) and (found := _TAGS.match(header, at)):
        if found[2] == etag(file.digest) and (weakly or not found[1]):
            return True
        at = found.end()
    return False


def _in_order(found: re.Match[str] | None) -> bool:
    """Say whether a range ends behind its beginning; one that does not is malformed (§14.1.1)."""
    if found is None or not (found[1] and found[2]):
        return found is not None
    first, last = (digits.lstrip("0") for digits in found.group(1, 2))
    return (len(first), first) <= (len(last), last)  # numbers of any length, without reading them


def _number(digits: str) -> int:
    plain = digits.lstrip("0") or "0"
    return int(plain) if len(plain) <= _DIGITS else 10**_DIGITS
