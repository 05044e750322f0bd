"""What the steps of the walk share: who takes part, and what earlier steps found."""

import hashlib
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx2

from tests.conformance.edc.peer import Edc, Party
from tests.running import Running

LOG: Final = "ours.log"
"""What our connector says, in the world's folder."""


class Needed(Exception):  # noqa: N818 - it says what is needed
    """An earlier step did not find what this one needs."""


@dataclass
class World:
    """One EDC, one connector of ours, and what was found so far."""

    folder: Path
    edc: Edc
    ours: Running
    us: Party
    """Ours, as EDC is told of it."""
    row: int
    """Negotiations in a row, in each role."""
    found: dict[str, Any] = field(default_factory=dict)

    def need(self, name: str) -> Any:
        """Return what an earlier step found."""
        if name not in self.found:
            raise Needed(f"An earlier step did not find the {name}.")
        return self.found[name]


Act = Callable[[World], str | None]


class Step(NamedTuple):
    """One step: what it shows when it goes well, and what it does; it returns a note for people."""

    id: str
    shows: str
    act: Act


def step(steps: list[Step], number: str) -> Callable[[Act], Act]:
    """Add a function to `steps`; the first line of its docstring says what it shows."""

    def add(act: Act) -> Act:
        steps.append(Step(number, (act.__doc__ or "").strip().splitlines()[0], act))
        return act

    return add


def until(look: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Return what `look` sees once that is something.

    Raises:
        AssertionError: it was nothing for that long.
    """
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(0.01)
    return seen


def fetch(endpoint: str, authorization: str, **headers: str) -> httpx2.Response:
    """Fetch data as a user of a data address does, who sends the token as it was given."""
    return httpx2.get(endpoint, headers={"Authorization": authorization, **headers}, timeout=30, trust_env=False)


def same(found: bytes, expected: bytes) -> None:
    """Compare bytes by digest, so that a difference does not print them."""
    assert len(found) == len(expected), f"{len(found)} bytes in place of {len(expected)}"
    assert hashlib.sha256(found).digest() == hashlib.sha256(expected).digest(), "the bytes differ"


def in_a_row(world: World, negotiate: Callable[[], object]) -> str:
    """Negotiate many times, one after the other, and return how long each took; the first that is lost fails."""
    took: list[float] = []
    count, before = world.row, _races(world)
    for number in range(count):
        begun = time.perf_counter()
        try:
            negotiate()
        except Exception as why:
            raise AssertionError(f"The negotiation {number + 1} of {count} was lost: {why}") from why
        took.append((time.perf_counter() - begun) * 1000)
    early, looks = (now - then for now, then in zip(_races(world), before, strict=True))
    return f"{_spread(took)}; {early} came too early, {looks} looks whether EDC has it"


def _races(world: World) -> tuple[int, int]:
    """Return how often EDC answered 409 so far, and how often it was asked for its state."""
    log = (world.folder / LOG).read_text(encoding="utf-8")
    return log.count("status=409"), log.count("method=GET")


def _spread(took: Sequence[float]) -> str:
    ordered = sorted(took)
    last = ordered[max(int(len(ordered) * 0.95) - 1, 0)]
    return f"each {statistics.median(ordered):.0f} ms (95 %: {last:.0f}, longest {ordered[-1]:.0f})"
