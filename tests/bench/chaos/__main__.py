"""Kill either side with -9 at random moments under load, and count what was lost, doubled or stuck.

Two connectors as processes of their own trade without a pause: several hands at once ask for a contract, fetch under
it and complete the transfer, each step with an id of its own, so that asking again is harmless. Meanwhile one side or
the other is killed and served again on the same folder and port, also while it starts. When all kills are done the
trades that have begun are waited for, and then both books are compared, row by row.

    python -m tests.bench.chaos --kills 300 --db sqlite
    python -m tests.bench.chaos --kills 300 --db postgresql
"""

import argparse
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psutil

from connector.errors import PeerFailed, Refusal
from tests.bench.chaos.books import Books, faults
from tests.bench.running import Member, folder, member, postgresql, program, show, start

HANDS: Final = 12
"""Trades that are under way at once."""

PAUSE: Final = 2.5
"""Mean seconds from one kill to the next."""

PATIENCE: Final = 300.0
"""Seconds a step of a trade may take while connectors come and go."""

SETTLE: Final = 600.0
"""Seconds after the last kill until what has begun has to be over."""


@dataclass
class Trade:
    """One trade as its hand saw it: the ids it chose, and the last thing it was told."""

    negotiation: str = field(default_factory=lambda: f"urn:uuid:{uuid4()}")
    transfer: str = field(default_factory=lambda: f"urn:uuid:{uuid4()}")
    told: str = "begun"


class Killer(threading.Thread):
    """Kills one of the two again and again, and serves it again at once."""

    def __init__(self, members: list[Member], place: Path, kills: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.done = 0
        self._members, self._place, self._kills = members, place, kills
        self._roll = random.Random(seed)  # noqa: S311 - a dice, not a secret

    def run(self) -> None:
        """Kill."""
        while self.done < self._kills:
            time.sleep(self._roll.expovariate(1 / PAUSE))
            victim = self._roll.choice(self._members)
            family = [victim.served.process, *victim.served.process.children(recursive=True)]
            for each in family:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            psutil.wait_procs(family, timeout=10)
            victim.served.process = self._serve(victim)
            self.done += 1
            if self.done % 10 == 0:
                sys.stderr.write(f"{self.done} kills\n")

    def _serve(self, victim: Member) -> psutil.Popen:
        name = victim.participant.removeprefix("did:web:").removesuffix(".example")
        command = [sys.executable, "-m", "connector", "serve", "--data", str(self._place / name)]
        quiet = subprocess.DEVNULL
        return psutil.Popen(command, env=program(), stdout=quiet, stderr=quiet)


class Hand:
    """Does one trade after the other until it is told to stop."""

    def __init__(self, consumer: Member, provider: str, dataset: str, offer: str, stop: threading.Event) -> None:
        self._api = consumer.space.connection
        self._wanted = {"peer": provider, "dataset": dataset, "offer": offer, "accept": "any"}
        self._stop = stop
        self.trades: list[Trade] = []

    def work(self) -> None:
        """Trade."""
        while not self._stop.is_set():
            trade = Trade()
            self.trades.append(trade)
            try:
                self._trade(trade)
            except Refusal as refusal:
                trade.told = f"refused: {refusal}"

    def _trade(self, trade: Trade) -> None:
        self._patiently(lambda: self._api.post("/api/negotiations", {**self._wanted, "id": trade.negotiation}))
        trade.told = "requested"
        state = self._until(f"/api/negotiations/{trade.negotiation}", {"FINALIZED", "TERMINATED"})
        trade.told = f"negotiation {state['state']} {state['reason']}"
        if state["state"] != "FINALIZED":
            return
        asked = {"agreement": state["agreement_id"], "id": trade.transfer}
        self._patiently(lambda: self._api.post("/api/transfers", asked))
        seen = self._until(f"/api/transfers/{trade.transfer}", {"STARTED", "TERMINATED"})
        trade.told = f"transfer {seen['state']} {seen['reason']}"
        if seen["state"] == "STARTED":
            self._patiently(lambda: self._api.post(f"/api/transfers/{trade.transfer}/complete"))
            trade.told = "completed"

    def _until(self, path: str, states: set[str]) -> Mapping[str, Any]:
        end = time.monotonic() + PATIENCE
        while True:
            seen: Mapping[str, Any] = self._patiently(lambda: self._api.get(path))
            if seen["state"] in states or time.monotonic() > end:
                return seen
            time.sleep(0.05)

    def _patiently(self, act: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return act()
            except PeerFailed:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)


@contextmanager
def pair(place: Path, database: str) -> Iterator[list[Member]]:
    """Serve a provider and a consumer that trust each other."""
    with ExitStack() as stack:
        urls = stack.enter_context(postgresql("provider", "consumer")) if database == "postgresql" else ["", ""]
        both = [
            stack.enter_context(member(place, name, url))
            for name, url in zip(("provider", "consumer"), urls, strict=True)
        ]
        for one, other in (both, reversed(both)):
            one.space.trust(other.space.identity(), "The other")
        yield both


def offered(provider: Member, consumer: Member) -> tuple[str, str]:
    """Publish a file under open terms and return the dataset and the offer as the consumer's copy has them."""
    source = Path(__file__).parents[3] / "connector" / "demo" / "data" / "ncep_air_temperature_small.nc"
    draft = provider.space.draft(source)
    record = draft.with_(title={"en": "Air temperature"}, description={"en": "Air temperature over North America."})
    dataset = provider.space.register(record)["id"]
    offer = provider.space.offer(dataset, template="open", automation="accept")["id"]
    consumer.space.crawl(provider.participant)
    return dataset, offer


def run(kills: int, database: str, seed: int, hands: int) -> int:
    """Do it all, print the figures, and return the exit status."""
    with folder() as place, pair(place, database) as (provider, consumer):
        dataset, offer = offered(provider, consumer)
        stop, begun = threading.Event(), time.monotonic()
        workers = [Hand(consumer, provider.participant, dataset, offer, stop) for _ in range(hands)]
        killer = Killer([provider, consumer], place, kills, seed)
        with ThreadPoolExecutor(hands) as pool:
            working = [pool.submit(hand.work) for hand in workers]
            killer.start()
            killer.join()
            stop.set()
            for hand in working:
                hand.result()
        for each in (provider, consumer):
            each.served.process = _again(each, place)
        trades = [trade for hand in workers for trade in hand.trades]
        books = [Books(each.space.connection) for each in (provider, consumer)]
        found = settled(trades, *books)
        told = Counter(trade.told.split(" [")[0] for trade in trades)
        show(
            [
                ("database", database),
                ("kills", str(killer.done)),
                ("seconds", f"{time.monotonic() - begun:.0f}"),
                ("trades", f"{len(trades)} ({', '.join(f'{count} {what}' for what, count in told.most_common())})"),
                *((kind, str(len(lines))) for kind, lines in found.items()),
            ]
        )
        for kind, lines in found.items():
            for line in lines[:20]:
                sys.stdout.write(f"{kind}: {line}\n")
        return 1 if any(found.values()) else 0


def _again(each: Member, place: Path) -> psutil.Popen:
    """Serve a member once more after the last kill and wait until it answers."""
    each.served.stop()
    name = each.participant.removeprefix("did:web:").removesuffix(".example")
    command = [sys.executable, "-m", "connector", "serve", "--data", str(place / name)]
    return start(command, f"{each.served.url}/readyz", program()).process


def settled(trades: list[Trade], provider: Books, consumer: Books) -> dict[str, list[str]]:
    """Wait until nothing moves any more, or for as long as that may take, and return what is wrong then."""
    end = time.monotonic() + SETTLE
    while True:
        provider.look()
        consumer.look()
        found = faults([(trade.negotiation, trade.transfer, trade.told) for trade in trades], provider, consumer)
        if not found["stuck"] or time.monotonic() > end:
            return found
        time.sleep(2)


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--db", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hands", type=int, default=HANDS)
    given = parser.parse_args()
    return run(given.kills, given.db, given.seed, given.hands)


if __name__ == "__main__":
    raise SystemExit(main())
