"""What must hold at the end, also after chaos: nothing is lost, nothing is there twice, nothing is stuck."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from connector.client import Space
from connector.demo.cast import BUSINESS, CAST, PROVIDERS, Provider
from connector.demo.fleet import Failed, Fleet

SETTLE_SECONDS: Final = 60.0
"""How long what is still to be delivered may take, with connectors that were killed a moment ago."""

PROCESSES: Final = ("negotiations", "transfers")

EXPECTED: Final[Mapping[str, Mapping[str, int]]] = {
    "did:web:weather.example": {"negotiations": 2, "agreements": 1, "transfers": 1, "uses": 1},
    "did:web:archive.example": {"negotiations": 1, "agreements": 1, "transfers": 1, "uses": 1},
    "did:web:climate.example": {"negotiations": 1, "agreements": 1, "transfers": 2, "uses": 1},
    "did:web:statistics.example": {"negotiations": 1, "agreements": 1, "transfers": 1, "uses": 1},
    "did:web:business.example": {"negotiations": 5, "agreements": 4, "transfers": 6},
}
"""How many of each there are when every act of the story happened once."""


def audit(fleet: Fleet) -> None:
    """Look at every connector from both sides.

    Raises:
        Failed: something is lost, there twice, or stuck; says what and where.
    """
    faults: dict[str, list[str]] = {}
    seen = _settled(fleet)
    for actor in CAST:
        space, found = fleet[actor].space, seen[actor.participant]
        faults[actor.name] = [
            *_stuck(found),
            *_ledger(space),
            *_counts(actor.participant, found),
            *_twice(space, found),
        ]
    for provider in PROVIDERS:
        theirs, ours = seen[provider.participant], seen[BUSINESS.participant]
        faults[provider.name] += [*_catalog(fleet[BUSINESS].space, provider), *_sides(provider, theirs, ours)]
    said = [f"{name}: {fault}" for name, found in faults.items() for fault in found]
    if said:
        of = [actor.participant for actor in CAST if faults[actor.name]]
        raise Failed("Not everything is as it must be:\n" + "\n".join(said), of=of)


Found = Mapping[str, list[dict[str, Any]]]


def _look(space: Space) -> Found:
    kinds = ("waiting", "failures", "datasets", "offers", "negotiations", "agreements", "transfers")
    return {kind: space.connection.get(f"/api/{kind}") for kind in kinds}


def _settled(fleet: Fleet) -> Mapping[str, Found]:
    """Return what every connector has by its participant, once nothing moves any more, or what it has after a while.

    Two looks in a row have to show the same and nothing that waits: a message may pass from one that was not yet
    looked at to one that was.
    """
    limit, before = time.monotonic() + SETTLE_SECONDS, None
    while True:
        seen = {actor.participant: _look(fleet[actor].space) for actor in CAST}
        calm = not any(found["waiting"] for found in seen.values())
        if (calm and seen == before) or time.monotonic() > limit:
            return seen
        before = seen
        time.sleep(0.1)


def _stuck(found: Found) -> Iterator[str]:
    for kind, words in (("waiting", "still waits"), ("failures", "was given up")):
        for row in found[kind]:
            yield f"{row['event']} for {row['subscriber']} {words}: {row['error']}"


def _ledger(space: Space) -> Iterator[str]:
    report = space.ledger()
    if not report["ok"]:
        yield f"the ledger does not hold: {report['reason']}"
    if report["unsealed"]:
        yield f"{report['unsealed']} rows of evidence are not sealed"


def _counts(participant: str, found: Found) -> Iterator[str]:
    counted = {kind: len(found[kind]) for kind in (*PROCESSES, "agreements")}
    counted["uses"] = sum(each["uses"] for each in found["agreements"])
    for kind, number in EXPECTED[participant].items():
        if counted[kind] != number:
            yield f"{counted[kind]} {kind} instead of {number}"
    shared = 0 if participant == BUSINESS.participant else 1
    for kind in ("datasets", "offers"):
        if len(found[kind]) != shared:
            yield f"{len(found[kind])} {kind} instead of {shared}"


def _twice(space: Space, found: Found) -> Iterator[str]:
    """Every act on a process, an agreement or a dataset is in the evidence once."""
    subjects = [each["pid"] for kind in PROCESSES for each in found[kind]]
    subjects += [each["id"] for kind in ("agreements", "offers", "datasets") for each in found[kind]]
    for subject in subjects:
        kinds = Counter(row["kind"] for row in space.evidence(subject))
        yield from (f"{kind} is recorded {number} times" for kind, number in kinds.items() if number > 1)
        if not kinds:
            yield "there is no evidence of a process"


def _catalog(space: Space, provider: Provider) -> Iterator[str]:
    hits = [hit.id for hit in space.search(participant=provider.participant)]
    if len(hits) != 1:
        yield f"the business finds {len(hits)} of its datasets instead of 1"


def _sides(provider: Provider, theirs: Found, ours: Found) -> Iterator[str]:
    """Both sides of every process are in the same state, and both hold the same agreement with the same signatures."""
    for kind in PROCESSES:
        here = {each["pid"]: each for each in ours[kind] if each["peer"] == provider.participant}
        for there in theirs[kind]:
            mine = here.pop(there["peer_pid"], None)
            if mine is None:
                yield f"the business knows nothing of one of the {kind}"
            elif mine["state"] != there["state"] or mine["peer_pid"] != there["pid"]:
                yield f"one of the {kind} is {there['state']} here and {mine['state']} at the business"
        # The provider keeps no transfer that it refused at once; whatever else the business has, it has too.
        yield from (f"one of the {kind} is unknown here" for each in here.values() if each["state"] != "TERMINATED")
    for there in theirs["agreements"]:
        same = [each for each in ours["agreements"] if each["id"] == there["id"]]
        if not same or (same[0]["policy"], same[0]["signatures"]) != (there["policy"], there["signatures"]):
            yield "the business holds another agreement"
        elif len(there["signatures"]) != len({provider.participant, BUSINESS.participant}):
            yield "an agreement is not signed by both"
