"""A data space as seen through one's own connector: search it, negotiate in it, publish into it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, Self
from uuid import uuid4

from connector.client.agreements import Agreement
from connector.client.connection import Connection, NegotiationTerminated
from connector.client.opening import library
from connector.client.records import Records
from connector.errors import InvalidInput, NotFound, PeerFailed

Accept = Literal["any"] | Sequence[Mapping[str, Any]]
TURTLE: Final = "text/turtle"
OVER: Final = frozenset({"FINALIZED", "TERMINATED"})


def connect(url: str, api_key: str | None = None, *, patience: float = 30.0) -> "Space":
    """Return the data space behind the connector at `url`; see `Connection` for the arguments."""
    return Space(Connection(url, api_key, patience=patience))


@dataclass(frozen=True)
class Draft:
    """A record drafted from a file: complete it and register it.

    `draft` has the facts of the file as `greendeal dataset draft` prints them, with where each was found.
    """

    record: dict[str, Any]
    kind: str
    notes: tuple[str, ...]
    draft: dict[str, Any]

    def with_(self, **fields: Any) -> dict[str, Any]:
        """Return the record with these fields in place of its own."""
        return {**self.record, **fields}


@dataclass(frozen=True)
class Hit:
    """A dataset that was found: ours, or one of another participant."""

    connection: Connection
    participant: str
    id: str
    title: str
    description: str = ""

    @property
    def offers(self) -> list[dict[str, Any]]:
        """The terms under which it can be had: `id`, `policy`, and the `sentence` that says them."""
        found: list[dict[str, Any]] = self.connection.get(
            "/api/negotiations/offers", participant=self.participant, dataset=self.id
        )
        return found

    def negotiate(
        self, *, accept: Accept, purpose: str | None = None, offer: str | None = None, timeout: float = 60.0
    ) -> Agreement:
        """Negotiate a contract and return the agreement once both sides have signed it.

        Args:
            accept: `"any"`, or the policies that we are willing to agree to.
            purpose: IRI of what the data is for; an offer that restricts the purpose needs it.
            offer: id of the offer to take; needed where there are several.
            timeout: seconds to wait; an offer that a person approves takes longer.

        Raises:
            NotFound: the dataset is not offered.
            Denied: the terms are not among those in `accept`.
            NegotiationTerminated: the other side, or our connector, said no; the reasons are in it.
            TimedOut: it is not decided yet.
        """
        wanted = {
            "peer": self.participant,
            "dataset": self.id,
            "offer": offer or self._only_offer(),
            "accept": accept if isinstance(accept, str) else [dict(policy) for policy in accept],
            "purpose": purpose,
            "id": f"urn:uuid:{uuid4()}",
        }
        pid = self.connection.post("/api/negotiations", wanted)["pid"]
        seen = self.connection.wait(
            lambda: self.connection.get(f"/api/negotiations/{pid}"),
            lambda state: state["state"] in OVER,
            timeout,
            "The negotiation",
        )
        if seen["state"] == "TERMINATED":
            raise NegotiationTerminated(
                "The negotiation was terminated.", reasons=[str(each) for each in seen["reason"]]
            )
        return Agreement(self.connection, seen["agreement_id"])

    def _only_offer(self) -> str:
        found = self.offers
        if not found:
            raise NotFound("offer", f"for {self.id}")
        if len(found) > 1:
            raise InvalidInput(
                "There are several offers.",
                where="offer",
                reasons=[f"{each['id']}: {each['sentence']}" for each in found],
                fix="Name one of them.",
            )
        return str(found[0]["id"])


class Hits(Iterable[Hit]):
    """The answer to a search, fetched page by page while it is walked through."""

    def __init__(self, connection: Connection, query: Mapping[str, Any], max_items: int | None) -> None:
        self._connection = connection
        self._query = dict(query)
        self._max_items = max_items

    def __iter__(self) -> Iterator[Hit]:
        """Yield the hits in the connector's order."""
        return islice(self._all(), self._max_items)

    @property
    def total(self) -> int:
        """How many datasets match, over all pages."""
        return int(self._connection.get("/search", **{**self._query, "limit": 1})["total"])

    def first(self) -> Hit:
        """Return the first hit.

        Raises:
            NotFound: nothing matches.
        """
        for hit in self:
            return hit
        raise NotFound("dataset", f"that matches {self._query}")

    def to_dataframe(self) -> Any:
        """Return the hits as a `pandas.DataFrame`."""
        rows = [{"title": hit.title, "participant": hit.participant, "id": hit.id} for hit in self]
        return library("pandas").DataFrame(rows, columns=["title", "participant", "id"])

    def _all(self) -> Iterator[Hit]:
        after: str | None = None
        while True:
            page = self._connection.get("/search", **self._query, after=after)
            for hit in page["hits"]:
                yield Hit(self._connection, hit["origin"], hit["id"], hit["title"], hit.get("description", ""))
            after = page["next"]
            if after is None:
                return


class Table(list[dict[str, str]]):
    """The rows of a SPARQL SELECT, each a mapping from variable to the value's text."""

    def to_dataframe(self) -> Any:
        """Return the rows as a `pandas.DataFrame`."""
        return library("pandas").DataFrame(list(self))


class Space(Records):
    """A data space, seen through one connector; as a context manager it closes its connections at the end."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.connection.close()

    # --- find and use -------------------------------------------------------------------------------------------

    def search(  # noqa: D417 - each argument is a facet of the search page
        self,
        q: str = "",
        *,
        bbox: tuple[float, float, float, float] | None = None,
        begin: str | None = None,
        end: str | None = None,
        theme: str | None = None,
        format: str | None = None,  # noqa: A002 - the facet's name
        participant: str | None = None,
        publisher: str | None = None,
        max_items: int | None = None,
        page_size: int | None = None,
    ) -> Hits:
        """Search own and crawled datasets.

        Args:
            q: words, all of which must occur.
            bbox: west, south, east, north in degrees.
            begin: first moment of a period that the data must touch, ISO 8601 with time zone.
            end: last moment of that period.
            max_items: stop after so many hits.
            page_size: hits fetched at a time.
        """
        query = {
            "q": q or None,
            "bbox": ",".join(map(str, bbox)) if bbox else None,
            "begin": begin,
            "end": end,
            "theme": theme,
            "format": format,
            "participant": participant,
            "publisher": publisher,
            "limit": page_size,
        }
        return Hits(self.connection, {key: value for key, value in query.items() if value is not None}, max_items)

    def sparql(self, query: str) -> Table:
        """Return the rows of a SELECT over own and crawled records, one named graph for each participant."""
        headers = {"Accept": "application/sparql-results+json", "Content-Type": "application/sparql-query"}
        answer = self.connection.send("POST", "/sparql", content=query.encode(), headers=headers).json()
        rows = answer["results"]["bindings"]
        return Table({name: term["value"] for name, term in row.items()} for row in rows)

    def agreement(self, key: str) -> Agreement:
        """Return an agreement by its id."""
        return Agreement(self.connection, key)

    # --- publish ------------------------------------------------------------------------------------------------

    def draft(self, path: str | Path) -> Draft:
        """Upload a file and return the record that it supports."""
        path = Path(path)
        return _draft(self.connection.upload("/api/drafts", path, filename=path.name))

    def draft_there(self, path: str) -> Draft:
        """Return the record that a file or folder on the connector's own machine supports; nothing is uploaded.

        Args:
            path: below a folder that the operator opened (setting `drafting.folders`).
        """
        return _draft(self.connection.post("/api/drafts", {"path": path}))

    def validate(self, record: Mapping[str, Any] | str | bytes, profile: str = "dcat-ap") -> dict[str, Any]:
        """Check a record (plain, or Turtle) and return the report; nothing is stored."""
        found: dict[str, Any] = self._send_record("/api/validate", record, profile)
        return found

    def register(self, record: Mapping[str, Any] | str | bytes, profile: str = "dcat-ap") -> dict[str, Any]:
        """Publish a record (plain, or Turtle) and return its id and version.

        Raises:
            InvalidInput: it does not conform; the reasons are the findings.
        """
        found: dict[str, Any] = self._send_record("/api/datasets", record, profile)
        return found

    def datasets(self) -> list[dict[str, Any]]:
        """Return the records that we publish."""
        found: list[dict[str, Any]] = self.connection.get("/api/datasets")
        return found

    def templates(self) -> list[dict[str, Any]]:
        """Return the policy templates: `name`, `title`, the `sentence` that says what it allows, `parameters`."""
        found: list[dict[str, Any]] = self.connection.get("/api/templates")
        return found

    def offer(
        self,
        dataset: str,
        *,
        template: str | None = None,
        values: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
        automation: Literal["accept", "approve", "none", "scripted"] = "approve",
        script: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Offer a dataset under a policy template or a policy of one's own, and return the offer.

        Args:
            dataset: the dataset's IRI.
            template: a policy template's name, filled with `values`.
            values: the template's parameters.
            policy: an ODRL policy instead of a template.
            automation: how requests are answered: `accept` at once, `approve` by a person, `none`, or `scripted`.
            script: the steps of a scripted rule: `on` (state), `do` (move), `after` (seconds), `reason`.
        """
        wanted: dict[str, Any] = {
            "dataset": dataset,
            "automation": automation,
            "script": [dict(step) for step in script],
        }
        wanted |= {"template": template, "values": dict(values or {})} if template else {"policy": dict(policy or {})}
        found: dict[str, Any] = self.connection.post("/api/offers", wanted)
        return found

    # --- run ----------------------------------------------------------------------------------------------------

    def identity(self) -> dict[str, Any]:
        """Return who the connector is: participant, address and public keys, as peers need them."""
        found: dict[str, Any] = self.connection.get("/api/identity")
        return found

    def trust(self, identity: Mapping[str, Any], name: str, country: str | None = None) -> None:
        """Trust a peer, whose identity came over a way that can be relied on."""
        self.connection.post("/api/peers", {**identity, "name": name, "country": country})

    def crawl(self, peer: str, *, timeout: float = 60.0) -> dict[str, Any]:
        """Renew the copy of a peer's catalog and return the peer's state once it can be searched.

        Raises:
            PeerFailed: the crawl was given up, with the reason.
            TimedOut: it is not done yet; the last copy stays meanwhile.
        """
        self.connection.post("/api/peers/crawl", {"id": peer})
        seen = self.connection.wait(
            lambda: self._peer(peer),
            lambda seen: seen["crawl_state"] not in {"waiting", "unreachable"},
            timeout,
            f"The crawl of {peer}",
        )
        if seen["crawl_state"] != "fresh":
            raise PeerFailed(f"The catalog of {peer} could not be crawled: {seen['crawl_error']}", retryable=False)
        self._await_projection(timeout)
        return seen

    def evidence(self, subject: str) -> list[dict[str, Any]]:
        """Return everything our connector recorded about one thing, in order; `subject` is its id."""
        found: list[dict[str, Any]] = self.connection.get("/api/evidence", subject=subject)
        return found

    def ledger(self) -> dict[str, Any]:
        """Check the chain of evidence and return the report."""
        found: dict[str, Any] = self.connection.get("/api/ledger")
        return found

    def _await_projection(self, timeout: float) -> None:
        """Wait until what is written by now can be searched."""

        def projecting() -> set[int]:
            waiting = self.connection.get("/api/waiting")
            return {row["id"] for row in waiting if row["subscriber"] == "search.project"}

        if written := projecting():
            self.connection.wait(lambda: written & projecting(), lambda left: not left, timeout, "The search index")

    def _peer(self, peer: str) -> dict[str, Any]:
        for each in self.connection.get("/api/peers"):
            if each["id"] == peer:
                return dict(each)
        raise NotFound("peer", peer)

    def _send_record(self, path: str, record: Mapping[str, Any] | str | bytes, profile: str) -> Any:
        if isinstance(record, Mapping):
            return self.connection.send("POST", path, params={"profile": profile}, json=dict(record)).json()
        content = record.encode() if isinstance(record, str) else record
        headers = {"Content-Type": TURTLE}
        return self.connection.send("POST", path, params={"profile": profile}, content=content, headers=headers).json()


def _draft(answer: Mapping[str, Any]) -> Draft:
    return Draft(answer["record"], answer["kind"], tuple(answer["notes"]), answer["draft"])
