"""EDC as provider: we crawl its catalog, negotiate, start a transfer and pull the bytes."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from connector.client import Hit, NegotiationTerminated
from connector.client.agreements import Transfer
from connector.errors import Conflict
from tests.conformance.edc.peer import criterion
from tests.conformance.edc.steps import Step, World, fetch, in_a_row, same, step, until

STEPS: Final[list[Step]] = []
ASSETS: Final = 120
CONTENT: Final = bytes(range(256)) * 2_000
PURPOSE: Final = "https://w3id.org/dpv#AcademicResearch"


class _File(BaseHTTPRequestHandler):
    """The source of every asset: one file, whole or a range of it."""

    def do_GET(self) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        last = int(asked[2]) if asked and asked[2] else len(CONTENT) - 1
        part = CONTENT[first : last + 1]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def source() -> Iterator[str]:
    """Serve the file until the block ends; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _File)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/file"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def hit(world: World, key: str) -> Hit:
    """Return a dataset of EDC's as our users have it."""
    return Hit(world.ours.space.connection, world.edc.participant, key, key)


def state(transfer: Transfer) -> str:
    """Return where a transfer is, as we see it."""
    return str(transfer.state["state"])


def access(transfer: Transfer) -> tuple[str, str]:
    """Return endpoint and token of a running transfer, as our users get them."""
    found = transfer.connection.post(f"/api/transfers/{transfer.id}/access")
    named = {each["name"]: each["value"] for each in found["endpointProperties"]}
    assert named["authType"] == "bearer"
    return found["endpoint"], named["authorization"]


def theirs(transfer: Transfer) -> str:
    """Return the path of EDC's side of a transfer."""
    return f"/transferprocesses/{transfer.state['peer_pid']}"


@step(STEPS, "EDC-P:01")
def crawl(world: World) -> str:
    """We crawl EDC's catalog whole, over its pages of 50, and show its metadata."""
    for number in range(ASSETS):
        world.edc.add(f"asset-{number:03}", world.need("source"))
    world.edc.allow("everything", [criterion("id", "like", "asset-%")])
    world.ours.space.crawl(world.edc.participant)
    found = {each.id for each in world.ours.space.search(participant=world.edc.participant)}
    assert found >= {f"asset-{number:03}" for number in range(ASSETS)}, f"{len(found)} found"
    return f"{len(found)} datasets"


@step(STEPS, "EDC-P:02")
def negotiate(world: World) -> None:
    """A negotiation reaches FINALIZED; both sides hold the agreement."""
    made = hit(world, "asset-000").negotiate(accept="any")
    assert made.state["state"] == "active"
    process = world.ours.space.connection.get(f"/api/negotiations/{made.state['negotiation']}")
    world.edc.wait(f"/contractnegotiations/{process['peer_pid']}", "FINALIZED")
    theirs = world.edc.shared(process["peer_pid"])
    assert (theirs["assetId"], theirs["agreementId"]) == ("asset-000", made.id)
    world.found["their agreement"] = made


@step(STEPS, "EDC-P:03")
def start(world: World) -> None:
    """A transfer reaches STARTED, and our users find endpoint and token under the protocol's names."""
    transfer = world.need("their agreement").transfer()
    assert access(transfer)[0].startswith("http://127.0.0.1:")
    world.found["running"] = transfer


@step(STEPS, "EDC-P:04")
def pull(world: World) -> str:
    """The bytes that our client fetches are those of EDC's source."""
    path: Path = world.need("running").fetch(world.folder)
    same(path.read_bytes(), CONTENT)
    return f"{len(CONTENT):,} bytes"


@step(STEPS, "EDC-P:05")
def pull_ranges(world: World) -> None:
    """Two ranges through EDC are the parts that they say, and together the file."""
    endpoint, token = access(world.need("running"))
    parts = [fetch(endpoint, token, Range=f"bytes={each}") for each in ("0-999", "1000-")]
    assert [part.status_code for part in parts] == [206, 206]
    same(parts[0].content + parts[1].content, CONTENT)


@step(STEPS, "EDC-P:06")
def suspend(world: World) -> None:
    """EDC suspends with a reason that we show verbatim, and resumes with a new token; the old one is void."""
    transfer: Transfer = world.need("running")
    before = access(transfer)
    world.edc.post(f"{theirs(transfer)}/suspend", {"reason": "Nightly backup."})
    until(lambda: state(transfer) == "SUSPENDED", "our side is SUSPENDED")
    assert transfer.state["reason"] == ["Nightly backup."]
    with pytest.raises(Conflict, match="Nightly backup"):
        access(transfer)
    world.edc.post(f"{theirs(transfer)}/resume", {})
    until(lambda: state(transfer) == "STARTED", "our side is STARTED")
    after = access(transfer)
    assert after != before
    same(fetch(*after).content, CONTENT)
    assert fetch(*before).status_code == 403


@step(STEPS, "EDC-P:07")
def pause(world: World) -> None:
    """We suspend and EDC's token is void; we go on, and EDC replies with a start that brings a new one."""
    transfer: Transfer = world.need("running")
    before = access(transfer)
    path = f"/api/transfers/{transfer.id}"
    transfer.connection.post(f"{path}/suspend", {"reason": "Lunch."})
    world.edc.wait(theirs(transfer), "SUSPENDED")
    assert fetch(*before).status_code == 403
    transfer.connection.post(f"{path}/start")
    world.edc.wait(theirs(transfer), "STARTED")
    after = until(lambda: access(transfer) if access(transfer) != before else None, "a new data address")
    same(fetch(*after).content, CONTENT)


@step(STEPS, "EDC-P:08")
def complete(world: World) -> None:
    """We say that all data was had, and EDC's side is COMPLETED."""
    transfer: Transfer = world.need("running")
    path = theirs(transfer)
    transfer.complete()
    world.edc.wait(path, "COMPLETED", "DEPROVISIONED")


@step(STEPS, "EDC-P:09")
def end(world: World) -> None:
    """EDC ends a transfer: our side ends with its reason verbatim."""
    transfer = world.need("their agreement").transfer()
    reason = "Enough: \u00e4\u00f6\u00fc \u2013 done."
    world.edc.post(f"{theirs(transfer)}/terminate", {"reason": reason})
    until(lambda: state(transfer) == "TERMINATED", "our side is TERMINATED")
    assert transfer.state["reason"] == [reason]


@step(STEPS, "EDC-P:10")
def rewritten(world: World) -> None:
    """EDC writes a constraint's terms otherwise in the agreement than in its catalog; to us they are the same."""
    constraint = {"leftOperand": "purpose", "operator": "eq", "rightOperand": PURPOSE}
    world.edc.offer("research", world.need("source"), {"action": "use", "constraint": [constraint]})
    world.ours.space.crawl(world.edc.participant)
    found = hit(world, "research")
    (offer,) = found.offers
    made = found.negotiate(accept="any", purpose=PURPOSE)
    assert "purpose" in str(offer["policy"])
    assert "purpose" in str(made.state["policy"])


@step(STEPS, "EDC-P:11")
def gone(world: World) -> str:
    """An offer that EDC does not make any more ends our negotiation with EDC's words."""
    world.edc.offer("gone", world.need("source"))
    world.ours.space.crawl(world.edc.participant)
    world.edc.delete("/contractdefinitions/gone")
    with pytest.raises(NegotiationTerminated) as refused:
        hit(world, "gone").negotiate(accept="any")
    assert refused.value.reasons
    return "; ".join(refused.value.reasons)


@step(STEPS, "EDC-P:12")
def row(world: World) -> str:
    """Negotiations in a row, none lost: EDC as provider answers 409 to what comes too early, and we say it again."""
    found = hit(world, "asset-000")
    offer = found.offers[0]["id"]
    return in_a_row(world, lambda: found.negotiate(accept="any", offer=offer))
