"""Two connectors over a wire that loses, repeats, delays and overtakes: in the end both hold the same to be true."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlmodel import col

from connector import app
from connector.errors import PeerFailed, Refusal
from connector.network import Egress, Network, Response
from connector.standards.odrl import templates
from connector.standards.vc import tokens
from connector.storage.tables import Agreement, Dataset, Negotiation, OutboxRow, Transfer
from tests.builders import NOON, OPERATOR, Still, still
from tests.fixtures import Clock

PROVIDER, CONSUMER = "did:web:provider.example", "did:web:consumer.example"

Fate = str
FATES = st.lists(
    st.sampled_from(["arrives", "lost", "answer lost", "twice", "late", "busy", "killed", "killed after"]), max_size=6
)


class Killed(BaseException):
    """The sender's process ends here, in the middle of what it does."""


SCRIPT = [
    {"on": "REQUESTED", "do": "offer", "after": 3},
    {"on": "ACCEPTED", "do": "agree", "after": 3},
    {"on": "VERIFIED", "do": "finalize"},
]


class Wire(Network):
    """The network between two connectors of this process; `fates` says what becomes of the next messages.

    Whatever arrives goes through the receiver's whole web application, its guard and its refusals.
    """

    def __init__(self) -> None:
        super().__init__(Egress(allow_http=True, allow_loopback=True))
        self.doors: dict[int, Any] = {}
        self.fates: list[Fate] = []
        self.late: list[tuple[str, str, Mapping[str, str], bytes]] = []

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int | None = None,  # noqa: ARG002 - as the real one
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - as the real one
        redirects: int = 0,  # noqa: ARG002 - as the real one
    ) -> Response:
        """Deliver a message, or do not."""
        fate = self.fates.pop(0) if self.fates else "arrives"
        letter = (method, url, headers or {}, body or b"")
        match fate:
            case "lost":
                raise PeerFailed("The message was lost.")
            case "late":
                self.late.append(letter)
                raise PeerFailed("The message is on its way for too long.")
            case "busy":
                return Response(status=503, headers={}, body=b"", url=url)
            case "killed":
                raise Killed
        answer = await self.deliver(letter)
        if fate == "twice":
            await self.deliver(letter)
        if fate == "answer lost":
            raise PeerFailed("The answer was lost.")
        if fate == "killed after":
            raise Killed
        return answer

    async def deliver(self, letter: tuple[str, str, Mapping[str, str], bytes]) -> Response:
        """Hand a message in at the receiver's door."""
        method, url, headers, body = letter
        transport = httpx2.ASGITransport(app=self.doors[httpx2.URL(url).port or 0])
        async with httpx2.AsyncClient(transport=transport) as client:
            answer = await client.request(method, url, headers=dict(headers), content=body)
        return Response(status=answer.status_code, headers=answer.headers, body=answer.content, url=url)


class Pair:
    """A provider, a consumer, and the wire between them."""

    def __init__(self, provider: Still, consumer: Still, wire: Wire, clock: Clock, runner: asyncio.Runner) -> None:
        self.provider, self.consumer, self.wire, self.clock, self.runner = provider, consumer, wire, clock, runner
        self.offers: dict[str, tuple[str, str]] = {}
        provider.trust(consumer)
        consumer.trust(provider)
        for name, template, automation, values in (
            ("accept", "open", "accept", {}),
            ("approve", "open", "approve", {}),
            ("counted", "counted", "accept", {"uses": "2"}),
            ("refuse", "research-only", "accept", {}),
            ("script", "open", SCRIPT, {}),
        ):
            dataset = provider.shelve()
            rule, script = ("scripted", automation) if isinstance(automation, list) else (automation, [])
            terms = templates.fill(template, **values)
            offer = provider.connector.offers.make(dataset, terms, rule, OPERATOR, script)  # type: ignore[arg-type]
            copy: dict[str, Any] = {
                "title": "Rain",
                "profile": "",
                "record": b"",
                "fingerprint": "f",
                "created": NOON,
                "updated": NOON,
            }
            consumer.add(Dataset(participant=CONSUMER, origin=PROVIDER, id=dataset, offers=[offer.policy], **copy))
            self.offers[name] = dataset, offer.id

    def side(self, provider: bool) -> Still:
        """Return one of the two."""
        return self.provider if provider else self.consumer

    def drain(self, provider: bool) -> None:
        """Let one side say what it has to say; if it is killed over it, it comes up again from its disk."""
        house = self.side(provider)
        try:
            house.drain()
        except Killed:
            house.die()
            self.wire.doors[1001 if provider else 1002] = app.web(house.connector)

    def settle(self) -> None:
        """Mend the wire, bring what is still on its way, and let time pass until nothing moves."""
        self.wire.fates.clear()
        while self.wire.late:
            self.runner.run(self.wire.deliver(self.wire.late.pop()))
        for _ in range(60):
            moved = self.provider.drain() + self.consumer.drain()
            waiting = [
                row
                for house in (self.provider, self.consumer)
                for row in house.rows(OutboxRow, col(OutboxRow.state) == "waiting")
            ]
            if not moved and not waiting:
                return
            self.clock.move(minutes=11)
        raise AssertionError("The two do not come to rest.")


class Trading(RuleBasedStateMachine):
    """What people on both sides and the wire between them do, in any order."""

    pair: ClassVar[Pair]

    @initialize(kind=st.sampled_from(["", "accept", "counted"]))
    def begin(self, kind: str) -> None:
        """Start from a wire that works, with nothing under way and perhaps an agreement in force."""
        self.pair.settle()
        self.clear()
        self.pids: list[str] = []
        if kind:
            self.request(kind)
            self.pair.settle()

    def clear(self) -> None:
        """Dismiss what an earlier history left behind."""
        for house in (self.pair.provider, self.pair.consumer):
            with house.connector.database.begin(house.participant) as work:
                for row in work.select(OutboxRow):
                    work.delete(row)

    # --- people -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.pids) < 3)
    @rule(kind=st.sampled_from(["accept", "accept", "approve", "counted", "refuse", "script"]))
    def request(self, kind: str) -> None:
        """The consumer asks for a contract."""
        dataset, offer = self.pair.offers[kind]
        negotiations = self.pair.consumer.connector.negotiations
        self.pids.append(negotiations.request(PROVIDER, dataset, offer, {}, "any", OPERATOR).pid)

    @rule(provider=st.booleans())
    def approve(self, provider: bool) -> None:
        """One side says yes to what waits for it."""
        house = self.pair.side(provider)
        for each in house.rows(Negotiation, col(Negotiation.pending) == "approval"):
            house.connector.negotiations.approve(each.pid, OPERATOR)

    @precondition(lambda self: self.pids)
    @rule(data=st.data(), provider=st.booleans(), template=st.sampled_from(["open", "attribution"]))
    def propose(self, data: st.DataObject, provider: bool, template: str) -> None:
        """One side puts other terms on the table; where it is not its turn, nothing happens."""
        house = self.pair.side(provider)
        mine = [each.pid for each in self.negotiations(house)]
        if mine:
            terms = templates.fill(template)
            with contextlib.suppress(Refusal):
                house.connector.negotiations.propose(data.draw(st.sampled_from(mine)), terms, OPERATOR)

    @precondition(lambda self: self.pids)
    @rule(data=st.data(), provider=st.booleans())
    def pause(self, data: st.DataObject, provider: bool) -> None:
        """One side suspends a transfer that runs, or goes on with one that is suspended."""
        house = self.pair.side(provider)
        mine = {each.pid: each.state for each in self.transfers(house)}
        if mine:
            pid = data.draw(st.sampled_from(sorted(mine)))
            with contextlib.suppress(Refusal):
                if mine[pid] == "SUSPENDED":
                    house.connector.transfers.start(pid, OPERATOR)
                else:
                    house.connector.transfers.suspend(pid, "A pause.", OPERATOR)

    @precondition(lambda self: self.pids)
    @rule(data=st.data(), provider=st.booleans())
    def walk_out(self, data: st.DataObject, provider: bool) -> None:
        """One side ends a negotiation; where that is not allowed, nothing happens."""
        house = self.pair.side(provider)
        mine = [each.pid for each in self.negotiations(house)]
        if mine:
            with contextlib.suppress(Refusal):
                house.connector.negotiations.terminate(data.draw(st.sampled_from(mine)), "Changed our mind.", OPERATOR)

    @precondition(lambda self: self.pids)
    @rule(data=st.data())
    def fetch(self, data: st.DataObject) -> None:
        """The consumer asks for the data of an agreement that it holds to be in force."""
        ready = [each.id for each in self.agreements(self.pair.consumer) if each.state == "active"]
        if ready:
            self.pair.consumer.connector.transfers.request(data.draw(st.sampled_from(ready)), OPERATOR)

    @precondition(lambda self: self.pids)
    @rule(data=st.data(), provider=st.booleans(), how=st.sampled_from(["complete", "terminate"]))
    def end_transfer(self, data: st.DataObject, provider: bool, how: str) -> None:
        """One side ends a transfer."""
        house = self.pair.side(provider)
        mine = [each.pid for each in self.transfers(house)]
        if not mine:
            return
        pid = data.draw(st.sampled_from(mine))
        with contextlib.suppress(Refusal):
            if how == "complete":
                house.connector.transfers.complete(pid, OPERATOR)
            else:
                house.connector.transfers.terminate(pid, "No more.", OPERATOR)

    @precondition(lambda self: self.pids)
    @rule(data=st.data(), provider=st.booleans())
    def recall(self, data: st.DataObject, provider: bool) -> None:
        """One side ends an agreement."""
        house = self.pair.side(provider)
        mine = [each.id for each in self.agreements(house) if each.state == "active"]
        if mine:
            house.connector.agreements.terminate(data.draw(st.sampled_from(mine)), "Recalled.", OPERATOR)

    # --- the wire ---------------------------------------------------------------------------------------------------

    @rule(fates=FATES, provider=st.booleans())
    def post(self, fates: Sequence[Fate], provider: bool) -> None:
        """What one side has to say goes out, each message to its fate."""
        self.pair.wire.fates = list(fates)
        self.pair.drain(provider)

    @precondition(lambda self: self.pids)
    @rule(fates=FATES, turns=st.integers(2, 5))
    def converse(self, fates: Sequence[Fate], turns: int) -> None:
        """The two speak by turns."""
        self.pair.wire.fates = list(fates)
        for turn in range(turns):
            self.pair.drain(bool(turn % 2))

    @rule(seconds=st.sampled_from([1, 5, 30, 200]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.pair.clock.move(seconds=seconds)

    @precondition(lambda self: self.pair.wire.late)
    @rule(first=st.booleans())
    def straggle(self, first: bool) -> None:
        """A message that was held up arrives after all, perhaps after younger ones."""
        self.pair.runner.run(self.pair.wire.deliver(self.pair.wire.late.pop(0 if first else -1)))

    # --- what must hold ---------------------------------------------------------------------------------------------

    def negotiations(self, house: Still) -> list[Negotiation]:
        """Return the negotiations of this history as one side sees them."""
        key = Negotiation.peer_pid if house is self.pair.provider else Negotiation.pid
        return house.rows(Negotiation, col(key).in_(self.pids))

    def agreements(self, house: Still) -> list[Agreement]:
        """Return the agreements of this history."""
        pids = [each.pid for each in self.negotiations(house)]
        return house.rows(Agreement, col(Agreement.negotiation).in_(pids))

    def transfers(self, house: Still) -> list[Transfer]:
        """Return the transfers of this history."""
        return house.rows(Transfer, col(Transfer.agreement).in_([each.id for each in self.agreements(house)]))

    def teardown(self) -> None:
        """When all has been said, both sides agree."""
        if not hasattr(self, "pids"):
            return
        self.pair.settle()
        self.agree_on_negotiations()
        self.agree_on_agreements()
        self.agree_on_transfers()
        for house in (self.pair.provider, self.pair.consumer):
            assert [(row.subscriber, row.error) for row in house.connector.health.failures()] == []
            report = house.connector.evidence.verify()
            assert (report.ok, report.unsealed) == (True, 0), report.reason

    def agree_on_negotiations(self) -> None:
        """Each process exists once on each side, in the same state; it may only wait for a person or a script."""
        theirs = self.negotiations(self.pair.provider)
        assert len({each.peer_pid for each in theirs}) == len(theirs)
        states = {each.peer_pid: each.state for each in theirs}
        for ours in self.negotiations(self.pair.consumer):
            assert ours.state == states.get(ours.pid, "TERMINATED"), (ours, theirs)
            both = [ours, *(each for each in theirs if each.peer_pid == ours.pid)]
            waiting = any(each.pending == "approval" for each in both)
            silent = any(each.automation == "scripted" and each.step > 0 for each in both)
            assert ours.state in {"FINALIZED", "TERMINATED"} or waiting or silent, both
            assert not (waiting and ours.state in {"FINALIZED", "TERMINATED"}), both

    def agree_on_agreements(self) -> None:
        """A finalized negotiation has exactly one agreement, the same on both sides, signed by both."""
        both = (self.pair.provider, self.pair.consumer)
        provided, consumed = ({each.id: each for each in self.agreements(house)} for house in both)
        for house, found in zip(both, (provided, consumed), strict=True):
            for ours in self.negotiations(house):
                mine = [each for each in found.values() if each.negotiation == ours.pid]
                assert len(mine) == (1 if ours.state == "FINALIZED" else len(mine)) <= 1
        for ours in self.negotiations(self.pair.consumer):
            if ours.state == "FINALIZED":
                one, other = consumed[str(ours.agreement_id)], provided[str(ours.agreement_id)]
                assert (one.policy, one.signatures) == (other.policy, other.signatures)
                assert {one.state, other.state} <= {"active", "terminated"}
                for house in both:
                    keys = house.connector.identity.public_keys()
                    tokens.verify_document(one.policy, one.signatures[house.participant], keys)

    def agree_on_transfers(self) -> None:
        """Transfers are the same on both sides; each that was started cost one use, and no limit was passed."""
        theirs = {each.peer_pid: each for each in self.transfers(self.pair.provider)}
        assert len(theirs) == len(self.transfers(self.pair.provider))
        for ours in self.transfers(self.pair.consumer):
            told = theirs[ours.pid].state if ours.pid in theirs else "TERMINATED"
            # Two ends that cross on the wire are each refused by the other side, which is over already: both are over.
            assert ours.state == told or {ours.state, told} == {"COMPLETED", "TERMINATED"}, (ours, theirs)
            assert ours.state != "REQUESTED"
        for agreement in self.agreements(self.pair.provider):
            mine = [each for each in theirs.values() if each.agreement == agreement.id]
            started = [each for each in mine if "transfer.start" in self.pair.provider.kinds(each.pid)]
            assert agreement.uses == len(started)
            if agreement.dataset == self.pair.offers["counted"][0]:
                assert agreement.uses <= 2


@pytest.fixture
def pair(sqlite_template: Path, tmp_path: Path) -> Iterator[Pair]:
    """Give two connectors on one clock."""
    clock, wire = Clock(NOON), Wire()
    with asyncio.Runner() as runner:
        common: dict[str, Any] = {"template": sqlite_template, "network": wire, "runner": runner}
        with (
            still(tmp_path / "p", PROVIDER, clock, port=1001, **common) as provider,
            still(tmp_path / "c", CONSUMER, clock, port=1002, **common) as consumer,
        ):
            wire.doors = {1001: app.web(provider.connector), 1002: app.web(consumer.connector)}
            yield Pair(provider, consumer, wire, clock, runner)


def test_whatever_the_wire_does_both_sides_agree_in_the_end(pair: Pair) -> None:
    """After any history and all retries: one state, one agreement, exact uses, and two ledgers that hold."""
    Trading.pair = pair
    # A history is shown as it was found: making it shorter takes minutes, and it has forty steps at most.
    phases = (Phase.explicit, Phase.generate)
    # The same histories in every run: a new one is found by changing the numbers, not by somebody else's run.
    chosen = settings(max_examples=30, stateful_step_count=40, phases=phases, derandomize=True, database=None)
    run_state_machine_as_test(Trading, settings=chosen)
