"""The providers that are measured side by side, each as the processes its operator would run."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from connector.standards.vc.keys import Key, public_jwk
from tests.bench.negotiation.load import PARTICIPANT, Target
from tests.bench.running import folder, free_port, member, postgresql, program, start
from tests.conformance.edc.peer import Party, started

FILE: Final = Path(__file__).resolve().parents[3] / "connector" / "demo" / "data" / "IOWA_NETGEN_annual.sdmx1.csv"
WARM_JAVA: Final = ("-Xmx1g",)
TERMS: Final = "time-limited"
UNTIL: Final = {"until": "2099-12-31"}
"""The terms on offer: with something to decide."""


@dataclass
class System:
    """A provider under measurement: how to speak to it, and the processes that do its work."""

    target: Target
    processes: list[psutil.Process]

    def cpu(self) -> float:
        """Return the seconds of processor time that its processes have used so far, those that ended among them."""
        used = 0.0
        for each in self._family():
            with suppress(psutil.NoSuchProcess):
                used += sum(each.cpu_times()[:4])
        return used

    def _family(self) -> Iterator[psutil.Process]:
        for process in self.processes:
            yield process
            yield from process.children(recursive=True)


Opened = AbstractContextManager[System]


@contextmanager
def sqlite(key: Key) -> Iterator[System]:
    """Our connector on SQLite."""
    with folder() as place:
        yield from _ours(place, key, "")


@contextmanager
def postgres(key: Key) -> Iterator[System]:
    """Our connector on PostgreSQL, whose server's processes count as its own."""
    others = _servers()
    with folder() as place, postgresql("provider") as urls:
        for system in _ours(place, key, urls[0]):
            yield System(system.target, [*system.processes, *(_servers() - others)])


@contextmanager
def bare(key: Key) -> Iterator[System]:  # noqa: ARG001 - it checks nobody's key
    """A provider with nothing behind its messages."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.negotiation.bare", str(port)]
    served = start(command, f"http://127.0.0.1:{port}", program())
    try:
        yield System(Target(served.url, "bare", _offer("urn:bare", "urn:bare"), "none"), [served.process])
    finally:
        served.stop()


@contextmanager
def edc(key: Key, *, tuned: bool = False) -> Iterator[System]:  # noqa: ARG001 - it believes whoever says who they are
    """Eclipse EDC as it comes: everything in memory, a look of its state machines every second."""
    before = set(psutil.Process().children())
    with folder() as place, started("did:web:edc.example", place, tuned=tuned, options=WARM_JAVA) as one:
        (process,) = set(psutil.Process().children()) - before
        one.offer("rain", "http://127.0.0.1:9/nothing")
        entry = one.dataset(Party(one.participant, one.address), "rain")
        offers = entry["hasPolicy"]
        key_of_offer = (offers[0] if isinstance(offers, list) else offers)["@id"]
        yield System(Target(one.address, one.participant, _offer(key_of_offer, "rain"), "json"), [process])


@contextmanager
def edc_tuned(key: Key) -> Iterator[System]:
    """Eclipse EDC with a look of its state machines every 50 ms, as its own tests have it."""
    with edc(key, tuned=True) as system:
        yield system


SYSTEMS: Final[dict[str, Callable[[Key], Opened]]] = {
    "bare": bare,
    "sqlite": sqlite,
    "postgresql": postgres,
    "edc": edc,
    "edc-tuned": edc_tuned,
}


@contextmanager
def opened(names: list[str], key: Key) -> Iterator[dict[str, System]]:
    """Run all of them at once."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(SYSTEMS[name](key)) for name in names}


def _ours(place: Path, key: Key, database: str) -> Iterator[System]:
    with member(place, "provider", database) as one:
        keys = {"keys": [public_jwk(PARTICIPANT, key)]}
        one.space.trust({"participant": PARTICIPANT, "address": "http://127.0.0.1:1/dsp", "keys": keys}, "load")
        dataset = one.space.register(one.space.draft(FILE).record)["id"]
        offer = one.space.offer(dataset, template=TERMS, values=UNTIL, automation="accept")["policy"]
        address = one.space.identity()["address"]
        yield System(Target(address, one.participant, {**offer, "target": dataset}, "signed"), [one.served.process])


def _offer(key: str, dataset: str) -> dict[str, Any]:
    return {"@type": "Offer", "@id": key, "target": dataset, "permission": [{"action": "use"}]}


def _servers() -> set[psutil.Process]:
    """Return the first process of every PostgreSQL server on this machine."""
    found = {each for each in psutil.process_iter() if each.name() == "postgres"}
    return {each for each in found if each.parent() not in found}
