"""Refusals as HTTP, once: problem+json (RFC 9457) on our own API, the protocol's error objects to peers."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.status_codes import HTTP_500_INTERNAL_SERVER_ERROR

from connector import errors
from connector.standards.dsp import messages
from connector.storage.sparql_gate import NotAcceptable

log = structlog.get_logger(__name__)

STATUS: Final[Mapping[type[errors.Refusal], int]] = {
    NotAcceptable: 406,
    errors.TooLarge: 413,
    errors.TooSlow: 408,
    errors.InvalidInput: 422,
    errors.Gone: 410,
    errors.NotFound: 404,
    errors.IllegalMove: 409,
    errors.Conflict: 409,
    errors.Unauthenticated: 401,
    errors.Denied: 403,
    errors.Busy: 503,
    errors.PeerFailed: 502,
}
"""Own API; the narrower kind first."""

PEER_STATUS: Final[Mapping[type[errors.Refusal], int]] = {
    errors.TooSlow: 408,
    errors.InvalidInput: 400,
    errors.NotFound: 404,
    errors.IllegalMove: 400,
    errors.Conflict: 400,
    errors.Unauthenticated: 401,
    errors.Denied: 404,
    errors.Busy: 503,
    errors.PeerFailed: 503,
}
"""To peers, who take every 4xx as final: what may pass is a 503, and a refused process looks like an unknown one."""

PROBLEM: Final = "application/problem+json"
JSON: Final = "application/json"


class Problem(msgspec.Struct, omit_defaults=True):
    """A problem document: `type` names the kind of refusal, `detail` says what, `where` and `fix` help to mend it."""

    type: str
    title: str
    status: int
    detail: str
    where: str = ""
    fix: str = ""
    reasons: tuple[str, ...] = ()
    differences: tuple[Mapping[str, Any], ...] = ()


def status_of(refusal: errors.Refusal, table: Mapping[type[errors.Refusal], int]) -> int:
    """Return the status for a refusal; a kind that the table does not name is answered like its base."""
    return next((status for kind, status in table.items() if isinstance(refusal, kind)), 400)


def problem(refusal: errors.Refusal) -> Problem:
    """Return a refusal as the problem document of our own API."""
    kind = type(refusal).__name__
    title = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind).strip().capitalize()
    return Problem(
        type=f"urn:greendeal:problem:{kind}",
        title=title,
        status=status_of(refusal, STATUS),
        detail=refusal.message,
        where=refusal.where or "",
        fix=refusal.fix or "",
        reasons=refusal.reasons,
        differences=refusal.differences if isinstance(refusal, errors.Stale) else (),
    )


def refused(_: Request[Any, Any, Any], refusal: errors.Refusal) -> Response[bytes]:
    """Answer a refusal on our own API."""
    return answer(refusal)


def answer(refusal: errors.Refusal) -> Response[bytes]:
    """Return a refusal as our own API answers it."""
    body = problem(refusal)
    headers = {}
    if isinstance(refusal, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal, errors.Busy) or (isinstance(refusal, errors.PeerFailed) and refusal.retryable):
        headers["Retry-After"] = "1"
    return Response(msgspec.json.encode(body), status_code=body.status, media_type=PROBLEM, headers=headers)


def refused_by_framework(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework refuses before any of our code runs: no such path, a body that is no JSON."""
    extra = error.extra if isinstance(error.extra, list) else []
    reasons = tuple(_reason(item) for item in extra)
    title = type(error).__name__.removesuffix("Exception")
    body = Problem("about:blank", title, error.status_code, str(error.detail), reasons=reasons)
    return Response(msgspec.json.encode(body), status_code=body.status, media_type=PROBLEM, headers=error.headers or {})


def _reason(item: object) -> str:
    """Return one of the framework's findings with the name of the field it is about."""
    if not isinstance(item, dict):
        return str(item)
    field, said = item.get("key"), item.get("message", item)
    return f"{field}: {said}" if field else str(said)


def failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a bug: nothing of it is told to strangers but the number under which it stands in the log."""
    return bug(error, request.url.path)


def bug(error: Exception, path: str) -> Response[bytes]:
    """Return what strangers are told of a bug, and write it into the log."""
    incident = f"{id(error):x}"
    log.error("incident", incident=incident, path=path, exc_info=error)
    body = Problem(
        "urn:greendeal:problem:Bug",
        "Internal error",
        HTTP_500_INTERNAL_SERVER_ERROR,
        "The connector failed to do this; that is a bug in it, not in what you sent.",
        fix=f"Tell the operator the incident number {incident}.",
    )
    return Response(msgspec.json.encode(body), status_code=body.status, media_type=PROBLEM)


def refused_to_peer(family: messages.Family, refusal: errors.Refusal, body: bytes, pid: str = "") -> Response[bytes]:
    """Answer a refusal to another connector with the error object of the protocol.

    Negotiation and transfer errors carry both ids (clause 8.2.8): those of the message, or the one in the path.
    """
    consumer, provider = _pids(body)
    said = [refusal.message, *refusal.reasons, *([refusal.fix] if refusal.fix else [])]
    error = messages.error(family, type(refusal).__name__, said, consumer, provider or pid)
    headers = {"Retry-After": "1"} if isinstance(refusal, errors.Busy) else {}
    status = status_of(refusal, PEER_STATUS)
    return Response(messages.encode(error), status_code=status, media_type=JSON, headers=headers)


class _Pids(msgspec.Struct, rename="camel"):
    consumer_pid: str = ""
    provider_pid: str = ""


def _pids(body: bytes) -> tuple[str, str]:
    """Return the ids that a message carries, whatever else is wrong with it."""
    try:
        found = msgspec.json.decode(body, type=_Pids)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", ""
    return found.consumer_pid, found.provider_pid
