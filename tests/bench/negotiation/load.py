"""The neutral client: a consumer that negotiates over and over with whatever provider it is pointed at.

It is a process of its own, told what to do in JSON lines on standard input and answering in JSON lines. To every
provider it says the same four messages in the same form; only the proof of identity is the provider's own kind. It
has no state but the negotiations under way and checks what it hears only as far as counting needs.
"""

import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import uuid4

import msgspec
import uvloop

from connector.standards.dsp.schema import CONTEXT
from connector.standards.vc import keys, tokens
from connector.standards.vc.keys import Key
from tests.bench.negotiation.wire import Answer, Answerer, Caller

PARTICIPANT: Final = "did:web:load.example"
PATIENCE: Final = 60.0
"""Seconds after which a negotiation counts as lost."""
AGAIN: Final = (0.002, 0.02)
"""Least and longest pause before a message that came too early (409, 5xx) is said again, in seconds."""
RACES: Final = frozenset({409, 429, 500, 502, 503})


class Target(msgspec.Struct):
    """A provider: where it is, who it is, what it offers, and which proof of identity it wants."""

    address: str
    participant: str
    offer: dict[str, Any]
    identity: Literal["signed", "json", "none"]


class Task(msgspec.Struct):
    """What to do next: `count` negotiations, `at_once` at a time, with a random pause of up to `pause` before each."""

    target: str
    count: int
    at_once: int
    pause: float = 0.0


class Done(msgspec.Struct):
    """What came of it: seconds of each finalized negotiation, seconds in all, messages said again, and what failed."""

    seconds: list[float]
    whole: float
    again: int
    failed: list[str]


class Lost(Exception):  # noqa: N818 - it names what happened to a negotiation
    """A negotiation that did not come to its end."""


class Consumer:
    """Negotiates with one target after the other; hears of all of them at one callback address."""

    def __init__(self, targets: dict[str, Target], key: Key) -> None:
        self._targets = targets
        self._callers = {name: Caller(target.address) for name, target in targets.items()}
        self._key = key
        self._callback = ""
        self._waiting: dict[tuple[str, str], asyncio.Future[dict[str, Any]]] = {}
        self._again = 0

    async def listen(self) -> None:
        """Open the callback address."""
        server = await asyncio.get_running_loop().create_server(lambda: Answerer(self._hear), "127.0.0.1", 0)
        self._callback = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def proofs(self, target: Target, count: int) -> Callable[[], str]:
        """Return what gives a fresh proof each time; `count` of them are made now, before anything is timed."""
        if target.identity == "none":
            return lambda: "none"
        if target.identity == "json":
            said = {"region": "eu", "audience": target.address, "clientId": PARTICIPANT}
            return lambda: json.dumps(said)
        made = [self._token(target.participant) for _ in range(count)]
        return lambda: made.pop() if made else self._token(target.participant)

    async def run(self, task: Task) -> Done:
        """Do a task."""
        target, self._again = self._targets[task.target], 0
        proof = self.proofs(target, 2 * task.count)
        numbers, seconds, failed = iter(range(task.count)), list[float](), list[str]()

        async def one_after_the_other() -> None:
            for _ in numbers:
                if task.pause:
                    await asyncio.sleep(random.uniform(0, task.pause))  # noqa: S311 - keeps clients out of step
                try:
                    seconds.append(await self._negotiate(task.target, target, proof))
                except (Lost, TimeoutError, OSError) as fate:
                    failed.append(f"{type(fate).__name__}: {fate}")

        begun = time.perf_counter()
        await asyncio.gather(*(one_after_the_other() for _ in range(task.at_once)))
        return Done(seconds, time.perf_counter() - begun, self._again, failed)

    async def _negotiate(self, name: str, target: Target, proof: Callable[[], str]) -> float:
        """Negotiate once and return the seconds from the request until FINALIZED was heard."""
        caller, mine = self._callers[name], f"urn:uuid:{uuid4()}"
        agreement, finalized = self._expect(mine, "agreement"), self._expect(mine, "events")
        asked = {"consumerPid": mine, "offer": target.offer, "callbackAddress": self._callback}
        request = _message("ContractRequestMessage", **asked)
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._say(caller, "/negotiations/request", request, proof)
                theirs = answer["providerPid"]
                await agreement
                verified = _message("ContractAgreementVerificationMessage", consumerPid=mine, providerPid=theirs)
                await self._say(caller, f"/negotiations/{theirs}/agreement/verification", verified, proof)
                if (await finalized)["eventType"] not in {"FINALIZED", "dspace:FINALIZED"}:
                    raise Lost("the event is not FINALIZED")
        finally:
            self._waiting.pop((mine, "agreement"), None)
            self._waiting.pop((mine, "events"), None)
        return time.perf_counter() - begun

    async def _say(self, caller: Caller, path: str, message: bytes, proof: Callable[[], str]) -> dict[str, Any]:
        for _ in itertools.repeat(None):
            status, body = await caller.post(path, message, proof())
            if status in {200, 201}:
                return json.loads(body) if body else {}
            if status not in RACES:
                raise Lost(f"{status} to {path.rpartition('/')[2]}: {body[:200]!r}")
            self._again += 1
            await asyncio.sleep(random.uniform(*AGAIN))  # noqa: S311 - as above
        raise AssertionError("unreachable")

    def _expect(self, pid: str, what: str) -> asyncio.Future[dict[str, Any]]:
        expected = asyncio.get_running_loop().create_future()
        self._waiting[pid, what] = expected
        return expected

    def _hear(self, path: str, body: bytes) -> Answer:
        """Take a message of a provider: `…/negotiations/<our pid>/<what>`."""
        _, pid, what = path.rsplit("/", 2)
        message = json.loads(body)
        if what == "termination":
            for kind in ("agreement", "events"):
                if (expected := self._waiting.get((pid, kind))) is not None and not expected.done():
                    expected.set_exception(Lost(f"terminated: {message.get('reason')}"))
        elif (expected := self._waiting.get((pid, what))) is not None and not expected.done():
            expected.set_result(message)
        state = {"agreement": "AGREED", "events": "FINALIZED"}.get(what, "TERMINATED")
        return 200, _message("ContractNegotiation", consumerPid=pid, providerPid=message["providerPid"], state=state)

    def _token(self, audience: str) -> str:
        now = datetime.now(UTC)
        claims = tokens.Claims(
            issuer=PARTICIPANT, audience=audience, issued=now, expires=now + timedelta(minutes=5), id=str(uuid4())
        )
        return "Bearer " + tokens.sign(claims, self._key, keys.key_id(PARTICIPANT, self._key))


def _message(kind: str, **fields: object) -> bytes:
    return json.dumps({"@context": [CONTEXT], "@type": kind, "@id": f"urn:uuid:{uuid4()}", **fields}).encode()


async def _work(lines: Iterable[str]) -> None:
    told = iter(lines)
    setting = json.loads(next(told))
    consumer = Consumer(msgspec.convert(setting["targets"], dict[str, Target]), keys.private_key(setting["key"]))
    await consumer.listen()
    for line in told:
        done = await consumer.run(msgspec.json.decode(line, type=Task))
        sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_work(sys.stdin))
