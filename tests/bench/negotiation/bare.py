"""A provider that keeps nothing, checks nothing and signs nothing: the floor under every figure.

It says its two messages of a negotiation as soon as it hears the consumer's, on the server of the connector's stack.
"""

import asyncio
import json
import sys
from typing import Any
from uuid import uuid4

import uvicorn

from connector.standards.dsp.schema import CONTEXT
from tests.bench.negotiation.wire import Caller

OPENED: dict[str, tuple[str, Caller]] = {}
"""By our id of a negotiation: the consumer's id and address."""
CALLERS: dict[str, Caller] = {}
TASKS: set[asyncio.Task[None]] = set()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer a message and say the next one."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        part = await receive()
        body, more = body + part.get("body", b""), part.get("more_body", False)
    status, answer = 200, b"{}"
    if body:
        status, answer = _heard(scope["path"], json.loads(body))
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": answer})


def _heard(path: str, message: dict[str, Any]) -> tuple[int, bytes]:
    if path.endswith("/request"):
        address, theirs, mine = message["callbackAddress"], message["consumerPid"], f"urn:uuid:{uuid4()}"
        OPENED[mine] = (theirs, CALLERS.setdefault(address, Caller(address)))
        told = {"@type": "Agreement", "@id": f"urn:uuid:{uuid4()}", "target": message["offer"].get("target")}
        _say(mine, "agreement", "ContractAgreementMessage", agreement=message["offer"] | told)
        return 201, _message("ContractNegotiation", mine, theirs, state="REQUESTED")
    mine = message["providerPid"]
    _say(mine, "events", "ContractNegotiationEventMessage", eventType="FINALIZED")
    return 200, _message("ContractNegotiation", mine, message["consumerPid"], state="VERIFIED")


def _say(mine: str, what: str, kind: str, **fields: object) -> None:
    theirs, caller = OPENED[mine] if what == "agreement" else OPENED.pop(mine)

    async def post() -> None:
        await caller.post(f"/negotiations/{theirs}/{what}", _message(kind, mine, theirs, **fields), "none")

    task = asyncio.create_task(post())
    TASKS.add(task)
    task.add_done_callback(TASKS.discard)


def _message(kind: str, mine: str, theirs: str, **fields: object) -> bytes:
    said = {"@context": [CONTEXT], "@type": kind, "providerPid": mine, "consumerPid": theirs, **fields}
    return json.dumps(said).encode()


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", lifespan="off")
