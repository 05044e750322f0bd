"""Reference of the interfaces: refusals with their statuses and exit codes, and every route."""

import inspect
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.routes import ASGIRoute, HTTPRoute

from connector import app, cli, errors
from connector.client import NegotiationTerminated, TimedOut
from connector.settings import check
from connector.web import data, problems
from connector.web import search as finding
from connector.web.auth import peer_only
from connector.web.catalog import SERVED
from connector.web.linked_data import FORMS, HTML
from connector.web.processes import PROVED_INSIDE
from tests.docs.reference.markdown import code, page, section, summary, table

# --- refusals ---------------------------------------------------------------------------------------------------------


def refusals() -> str:
    """Return the page of all refusals."""
    return page(
        "Refusals",
        """
        A connector that does not do what it is asked says what is wrong, where, and how to mend it. Every refusal is
        one of a small family. The same family is raised by the Python SDK, so a program can catch `Denied` or
        `InvalidInput` from `connector.errors`. [Ten of them](ten-errors.md) are shown as they are printed.
        """,
        section(
            "The family",
            table(["Refusal", "Kind of", "Meaning", "Status", "To peers", "Exit code"], map(_row, _family())),
            """
            Peers take every 4xx as final, so what may pass is a 503 to them, and a process that is not theirs looks
            like one that does not exist. Anything that is not a refusal is a bug: it answers 500 with an incident
            number, and the log has the rest under that number.
            """,
        ),
        section(
            "On our own API",
            "A problem document (RFC 9457) of the media type `application/problem+json`:",
            table(["Field", "Meaning"], _problem_fields()),
        ),
        section(
            "To peers",
            """
            The error object of the protocol for catalogs, negotiations or transfers: `code` is the refusal's name,
            `reason` a list of sentences.
            """,
        ),
        section("Exit codes", table(["Code", "Meaning"], _exit_codes())),
    )


def _family() -> Iterator[type[errors.Refusal]]:
    yield errors.Refusal
    yield from _below(errors.Refusal)


def _below(kind: type[errors.Refusal]) -> Iterator[type[errors.Refusal]]:
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__ or each in {NegotiationTerminated, TimedOut}:
            yield each
            yield from _below(each)


def _row(kind: type[errors.Refusal]) -> list[str]:
    base = "" if kind is errors.Refusal else code(kind.__bases__[0].__name__)
    own, peer = (_status(kind, each) for each in (problems.STATUS, problems.PEER_STATUS))
    exits = next((number for each, number in cli.EXIT if issubclass(kind, each)), cli.FAILED)
    if kind.__module__ != errors.__name__:
        own = peer = "SDK only"
    return [code(kind.__name__), base, summary(kind), own, peer, str(exits)]


def _status(kind: type[errors.Refusal], statuses: Any) -> str:
    return next((str(status) for each, status in statuses.items() if issubclass(kind, each)), "")


def _problem_fields() -> Iterable[list[str]]:
    said = {
        "type": "`urn:greendeal:problem:` and the name of the refusal",
        "title": "The name in words",
        "status": "The HTTP status again",
        "detail": "What is wrong, in one sentence",
        "where": "The field, line or term, if there is one",
        "fix": "How to mend it, if there is a way",
        "reasons": "The single findings, where there are several",
        "differences": "Of a draft that was saved meanwhile: each `field` with what is `stored` and what is `yours`",
    }
    return [[code(name), said[name]] for name in problems.Problem.__struct_fields__]


def _exit_codes() -> list[list[str]]:
    """Return the exit codes as the command's own description has them."""
    text = " ".join(str(cli.__doc__).split())
    (listed,) = re.findall(r"Exit codes: (.*?)\.", text)
    return [each.strip().split(" ", 1) for each in listed.split(",")]


# --- routes -----------------------------------------------------------------------------------------------------------


def routes() -> str:
    """Return the page of all routes."""
    groups: dict[str, list[list[str]]] = {}
    for path, method, handler in _routes():
        row = [method, code(_plain(path)), _who(path, handler), summary(_written(handler))]
        groups.setdefault(_group(path), []).append(row)
    head = ["Method", "Path", "Who may", "What it does"]
    return page(
        "Routes",
        """
        Keys to our own API are sent as `Authorization: Bearer gdc_…` or `X-Api-Key: gdc_…`; `admin` may do everything.
        A running connector describes its API in OpenAPI at `/api/schema`, with pages to read and try it.

        Every write may be repeated: the same request again does nothing twice. The ids of negotiations and transfers
        can be chosen by the caller for that purpose.
        """,
        *(section(group, _about(group), table(head, groups[group])) for group in ORDER if group in groups),
    )


Handler = HTTPRouteHandler | ASGIRouteHandler
ORDER = ("Own API", "Search", "Linked data", "Operation", "Data", "Dataspace Protocol")


def _about(group: str) -> str:
    return {
        "Search": "Open to everyone where the operator set `reading.open`.",
        "Linked data": "The form is chosen by content negotiation: " + ", ".join(map(code, [*FORMS, HTML])) + ".",
        "Data": "The grant is the token in the data address of a running transfer; the agreement is asked each time.",
        "Dataspace Protocol": "For peers, who prove themselves with a signed token that counts once.",
    }.get(group, "")


def _group(path: str) -> str:
    for start, group in (
        ("/api", "Own API"),
        ("/search", "Search"),
        ("/sparql", "Search"),
        ("/catalog", "Linked data"),
        ("/datasets", "Linked data"),
        ("/style", "Linked data"),
        (f"{data.PATH}/", "Data"),
        ("/dsp", "Dataspace Protocol"),
        ("/.well-known", "Dataspace Protocol"),
    ):
        if path.startswith(start):
            return group
    return "Operation"


def _routes() -> list[tuple[str, str, Handler]]:
    """Return every route of the program, without those that the framework adds."""
    values = {"participant": "did:web:reference.example", "name": "Reference"}
    with tempfile.TemporaryDirectory() as folder:
        connector = app.build(check(values, Path(folder), "reference"))
        try:
            listed = app.web(connector).routes
        finally:
            connector.close()
    found: list[tuple[str, str, Handler]] = []
    for route in listed:
        if isinstance(route, ASGIRoute) and SERVED in route.route_handler.opt:
            found += [(route.path, method, route.route_handler) for method in route.route_handler.opt[SERVED]]
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            if _written(handler).__module__.startswith("connector."):
                found += [(route.path, method, handler) for method in sorted(handler.http_methods - {"OPTIONS"})]
    return sorted(found, key=lambda each: (each[0], each[1]))


def _written(handler: Handler) -> Any:
    """Return the function as it stands in our code, without what the framework wraps around it."""
    function: Any = handler.fn
    while (inner := getattr(function, "func", None)) is not None:
        function = inner
    return function


def _plain(path: str) -> str:
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def _who(path: str, handler: Handler) -> str:
    """Return who passes the guards of a route."""
    guards = handler.resolve_guards()
    if peer_only in guards or PROVED_INSIDE in handler.opt:
        return "peers"
    if finding.readers_only in guards:
        return "any key"
    roles = [_roles(guard) for guard in guards if getattr(guard, "__qualname__", "").startswith("needs.")]
    if len(roles) != len(guards):
        raise LookupError(f"{path} has a guard that this page has no words for.")
    if roles:
        return ", ".join(roles[0]) or "any key"
    return "holder of a grant" if path.startswith(f"{data.PATH}/") else "everyone"


def _roles(guard: Any) -> tuple[str, ...]:
    found: tuple[str, ...] = inspect.getclosurevars(guard).nonlocals["roles"]
    return found
