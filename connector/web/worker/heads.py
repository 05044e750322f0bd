"""Heads of HTTP/1.1 messages (RFC 9112): requests read strictly, answers written.

Whatever two programs could read differently (folded lines, bare line feeds, blanks before a colon, two lengths, a
body where none belongs) is refused: the worker may stand behind a proxy, and the two must see the same requests.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

HEAD_BYTES: Final = 32 * 1024
FIELDS: Final = 100

_LINE: Final = re.compile(r"([A-Z]{1,20}) ([\x21-\x7e]{1,8192}) HTTP/1\.([01])", re.ASCII)
_FIELD: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)", re.ASCII)
_ONCE: Final = frozenset({"authorization", "content-length", "host", "transfer-encoding"})


class Refused(Exception):  # noqa: N818 - refusals read as claims, see the house names
    """The request cannot be answered; `status` says why. After it the connection is of no use."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Head(NamedTuple):
    """A request: its method, its path as it came without the query, whether the connection stays, and its fields."""

    method: str
    path: str
    stays: bool
    fields: dict[str, str]


def read(data: bytes) -> Head:
    """Return the request whose head is `data`, without the empty line at its end.

    Raises:
        Refused: it is none, or one with a body.
    """
    first, *lines = data.decode("latin-1").split("\r\n")
    if len(lines) > FIELDS:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    line = _LINE.fullmatch(first)
    if line is None:
        raise Refused(HTTPStatus.BAD_REQUEST)
    fields: dict[str, str] = {}
    for text in lines:
        found = _FIELD.fullmatch(text)
        if found is None:
            raise Refused(HTTPStatus.BAD_REQUEST)
        name, value = found[1].lower(), found[2].strip(" \t")
        if name in _ONCE and name in fields:
            raise Refused(HTTPStatus.BAD_REQUEST)
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    method, target, minor = line.groups()
    if (
        fields.get("content-length", "0") != "0"
        or "transfer-encoding" in fields
        or (minor == "1" and "host" not in fields)
    ):
        raise Refused(HTTPStatus.BAD_REQUEST)
    options = {option.strip().lower() for option in fields.get("connection", "").split(",")}
    return Head(method, _path(target), minor == "1" and "close" not in options, fields)


def place(path: str, prefix: str) -> tuple[str, str] | None:
    """Return the transfer and the file that a path names, the file empty for the only one; None for anything else.

    Args:
        path: as it came.
        prefix: what comes before the transfer, with a slash at its end.
    """
    parts = path.removeprefix(prefix).split("/") if path.startswith(prefix) else []
    try:
        named = [unquote(part, errors="strict") for part in parts]
    except UnicodeDecodeError:
        return None
    match named:
        case [transfer] if transfer:
            return transfer, ""
        case [transfer, "files", name] if transfer and name:
            return transfer, name
    return None


def write(status: int, fields: Mapping[str, str], date: str, *, stays: bool) -> bytes:
    """Return the head of an answer, with the empty line at its end."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Date: {date}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if not stays:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _path(target: str) -> str:
    """Return the path of a request target in origin form or in absolute form (RFC 9112 §3.2)."""
    if target.startswith("/"):
        return target.partition("?")[0]
    try:
        parts = urlsplit(target)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST) from None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise Refused(HTTPStatus.BAD_REQUEST)
    return parts.path or "/"
