"""The books of two connectors, compared: what one side has and the other lacks, what is there twice, what hangs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connector.client import Connection

FINAL = {"FINALIZED", "TERMINATED", "COMPLETED"}
Row = Mapping[str, Any]


class Books:
    """What one connector has recorded, as its own API shows it."""

    def __init__(self, connection: Connection) -> None:
        self._api = connection
        self.negotiations: list[Row] = []
        self.agreements: list[Row] = []
        self.transfers: list[Row] = []
        self.failures: list[Row] = []
        self.waiting: Any = None
        self.ledger: Row = {}

    def look(self) -> None:
        """Read everything anew."""
        self.negotiations = self._api.get("/api/negotiations")
        self.agreements = self._api.get("/api/agreements")
        self.transfers = self._api.get("/api/transfers")
        self.failures = self._api.get("/api/failures")
        self.waiting = self._api.get("/api/waiting")
        self.ledger = self._api.get("/api/ledger")


def faults(trades: Sequence[tuple[str, str, str]], provider: Books, consumer: Books) -> dict[str, list[str]]:
    """Return what is lost, doubled, stuck or different, one line each.

    Args:
        trades: the consumer's negotiation, its transfer, and what their hand was told last.
        provider: the one side's books.
        consumer: the other's.
    """
    return {
        "lost": list(_lost(trades, provider, consumer)),
        "doubled": list(_doubled(provider, consumer)),
        "stuck": list(_stuck(provider, consumer)),
        "different": list(_different(provider, consumer)),
    }


def _lost(trades: Sequence[tuple[str, str, str]], provider: Books, consumer: Books) -> Iterable[str]:
    """Whatever a hand was told once has to be in both books for good."""
    negotiated = {row["pid"]: row["state"] for row in consumer.negotiations}
    moved = {row["pid"]: row["state"] for row in consumer.transfers}
    theirs = {row["peer_pid"]: row["state"] for row in provider.transfers}
    for negotiation, transfer, told in trades:
        if told != "begun" and negotiated.get(negotiation) != "FINALIZED":
            yield f"{negotiation}: told {told}, and it is {negotiated.get(negotiation)}"
        if told == "completed" and (moved.get(transfer), theirs.get(transfer)) != ("COMPLETED", "COMPLETED"):
            yield f"{transfer}: completed, and it is {moved.get(transfer)} here and {theirs.get(transfer)} there"
        if told.startswith(("refused", "transfer TERMINATED")):
            yield f"{negotiation}: {told}"


def _doubled(provider: Books, consumer: Books) -> Iterable[str]:
    """Each process has one counterpart, each negotiation one agreement, each started transfer is one use."""
    for books, rows in ((provider, "negotiations"), (provider, "transfers")):
        counted = Counter(row["peer_pid"] for row in getattr(books, rows))
        yield from (f"{count} {rows} for {pid}" for pid, count in counted.items() if count > 1)
    for books in (provider, consumer):
        per = Counter(row["negotiation"] for row in books.agreements)
        yield from (f"{count} agreements for {pid}" for pid, count in per.items() if count > 1)
    started = Counter(row["agreement"] for row in provider.transfers if row["state"] in {"STARTED", "COMPLETED"})
    for row in provider.agreements:
        if row["uses"] != started.get(row["id"], 0):
            yield f"{row['id']}: {row['uses']} uses for {started.get(row['id'], 0)} transfers"


def _stuck(provider: Books, consumer: Books) -> Iterable[str]:
    """In the end everything is over, and nothing waits or was given up."""
    for name, books in (("provider", provider), ("consumer", consumer)):
        for row in (*books.negotiations, *books.transfers):
            if row["state"] not in FINAL:
                yield f"{name}: {row['pid']} is {row['state']}"
        if books.failures:
            yield f"{name}: given up {books.failures[:3]}"
        if any(books.waiting.values() if isinstance(books.waiting, dict) else [books.waiting]):
            yield f"{name}: waiting {books.waiting}"


def _different(provider: Books, consumer: Books) -> Iterable[str]:
    """Both sides hold the same state, the same agreement under the same signatures, and a ledger that verifies."""
    theirs = {row["peer_pid"]: row for row in (*provider.negotiations, *provider.transfers)}
    for row in (*consumer.negotiations, *consumer.transfers):
        other = theirs.get(row["pid"])
        if other is None or other["state"] != row["state"]:
            yield f"{row['pid']}: {row['state']} here, {other['state'] if other else 'nothing'} there"
    signed = {row["id"]: row for row in provider.agreements}
    for row in consumer.agreements:
        other = signed.get(row["id"])
        if other is None or (other["policy"], other["signatures"]) != (row["policy"], row["signatures"]):
            yield f"{row['id']}: the agreement is not the same on both sides"
        elif row["state"] == "active" and len(row["signatures"]) != len((provider, consumer)):
            yield f"{row['id']}: not signed by both"
    for name, books in (("provider", provider), ("consumer", consumer)):
        if not books.ledger.get("ok"):
            yield f"{name}: {books.ledger}"
