"""How long a negotiation takes at a provider, how many it does at once, and what each costs it in processor time.

A negotiation is four messages over HTTP: request, agreement, verification, FINALIZED. One neutral client says and
hears them; the providers take turns, round by round, so that whatever else the machine does hits all of them.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import msgspec

from connector.capabilities.identity import new_key
from connector.standards.vc.keys import Key, private_jwk
from tests.bench.negotiation.load import Done, Target, Task
from tests.bench.negotiation.systems import SYSTEMS, System, opened
from tests.bench.running import program, show

WARM: Final = 100
AT_ONCE: Final = 32


@dataclass
class Figures:
    """What was seen of one provider over all rounds."""

    alone: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    again: int = 0
    failed: list[str] = field(default_factory=list)


class Client:
    """The load client's process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def run(self, task: Task) -> Done:
        """Let it do a task and return what came of it."""
        self.tell(task)
        assert self._process.stdout is not None
        return msgspec.json.decode(self._process.stdout.readline(), type=Done)

    def tell(self, what: object) -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(what) + b"\n")
        self._process.stdin.flush()


@contextmanager
def client(targets: dict[str, Target], key: Key) -> Iterator[Client]:
    """Run the load client until the block ends."""
    command = [sys.executable, "-m", "tests.bench.negotiation.load"]
    process = subprocess.Popen(command, env=program(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        one = Client(process)
        one.tell({"targets": targets, "key": private_jwk(key)})
        yield one
    finally:
        process.terminate()
        process.wait(15)


def round_of(one: Client, name: str, system: System, figures: Figures, wanted: argparse.Namespace) -> None:
    """Measure one provider once: negotiations one after the other, then many at once."""
    # A provider whose state machines look every so often takes as long as that: fewer will do, and pauses of random
    # length keep the client out of step with it.
    part, pause = (4, 1.0) if name == "edc" else (2, 0.1) if name == "edc-tuned" else (1, wanted.pause)
    alone = one.run(Task(name, max(10, wanted.alone // part), 1, pause))
    before = system.cpu()
    many = one.run(Task(name, max(AT_ONCE * 2, wanted.count // part), AT_ONCE, pause / AT_ONCE))
    figures.cpu.append((system.cpu() - before) / max(1, len(many.seconds)))
    figures.alone += alone.seconds
    figures.together += many.seconds
    figures.rates.append(len(many.seconds) / many.whole)
    figures.again += alone.again + many.again
    figures.failed += [*alone.failed, *many.failed]


def main() -> None:
    """Measure and print."""
    wanted = _arguments()
    key = new_key()
    with opened(wanted.systems, key) as systems:
        figures = {name: Figures() for name in systems}
        with client({name: system.target for name, system in systems.items()}, key) as one:
            for name in systems:
                warm = one.run(Task(name, wanted.warm, 8, wanted.pause))
                assert warm.seconds, f"{name}: {warm.failed[:3]}"
            for _ in range(wanted.rounds):
                for name, system in systems.items():
                    round_of(one, name, system, figures[name], wanted)
    show([row for name, seen in figures.items() for row in _rows(name, seen)])


def _rows(name: str, seen: Figures) -> Iterator[tuple[str, str]]:
    alone, together = _spread(seen.alone), _spread(seen.together)
    yield f"{name}: one negotiation alone, p50 and p95", f"{alone[0]:.1f} and {alone[1]:.1f} ms"
    yield f"{name}: {AT_ONCE} at once, p50 and p95", f"{together[0]:.1f} and {together[1]:.1f} ms"
    yield f"{name}: {AT_ONCE} at once, finished", f"{statistics.median(seen.rates):.1f} a second"
    yield f"{name}: processor time of a negotiation", f"{statistics.median(seen.cpu) * 1000:.2f} ms"
    yield f"{name}: said again, lost", f"{seen.again}, {len(seen.failed)} {json.dumps(seen.failed[:2])}"


def _spread(seconds: list[float]) -> tuple[float, float]:
    parts = statistics.quantiles(seconds, n=20)
    return parts[9] * 1000, parts[18] * 1000


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("systems", nargs="*", default=["bare", "sqlite", "postgresql"], help=", ".join(SYSTEMS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", type=int, default=40, help="negotiations one after the other in a round")
    parser.add_argument("--count", type=int, default=600, help="negotiations many at once in a round")
    parser.add_argument("--warm", type=int, default=WARM, help="negotiations before the first round")
    parser.add_argument("--pause", type=float, default=0.0, help="longest random pause before each, in seconds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
