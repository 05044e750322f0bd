"""How fast the data worker sends a file of 1 GiB, whole and in parts of 1 MiB, beside nginx with the same file.

Both send to one client that takes turns between them, round by round, so that whatever else the machine does hits
both. Both get the same requests; the connector checks a grant and an agreement with each, nginx nothing.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.bench.bytes import taker
from tests.bench.bytes.servers import NGINX, House, certificate, house, nginx, worker
from tests.bench.bytes.taker import MIB, Source
from tests.bench.running import Served, folder, show

HANDS = 4


@dataclass
class Figures:
    """What was seen of one server over all rounds: bytes a second, and processor seconds per GiB."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mib", type=int, default=1024, help="size of the file")
    parser.add_argument("--parts", type=int, default=512, help="parts of 1 MiB in each round")
    given = parser.parse_args()
    if not NGINX:
        sys.stdout.write("nginx is not installed here: the data worker is measured alone.\n")
    with folder() as place:
        certificate(place)
        with house(place, given.mib * MIB) as made:
            rows: list[tuple[str, str]] = []
            for tls in (False, True):
                with made.served(place, tls=tls) as served, nginx_beside(place, made.object()) as other:
                    rows += measured(given, made, served, other, tls=tls)
                    if tls:
                        seconds = taker.until_broken(_ours(made), made.end)
                        rows.append(("after the end of its transfer a download breaks off within", f"{seconds:.2f} s"))
            show(rows)


class nginx_beside:  # noqa: N801 - reads as what it does
    """nginx where there is one, else nothing."""

    def __init__(self, place: Path, file: Path) -> None:
        self._inner = nginx(place, file) if NGINX else None

    def __enter__(self) -> tuple[psutil.Process, str, str] | None:
        return self._inner.__enter__() if self._inner else None

    def __exit__(self, *error: object) -> None:
        if self._inner:
            self._inner.__exit__(None, None, None)


def measured(
    given: argparse.Namespace,
    made: House,
    served: Served,
    other: tuple[psutil.Process, str, str] | None,
    *,
    tls: bool,
) -> list[tuple[str, str]]:
    """Return the figures in the clear or under TLS."""
    file, size = made.object(), made.object().stat().st_size
    process = worker(served)
    systems: dict[str, tuple[psutil.Process, Callable[[], Source]]] = {"worker": (process, lambda: _ours(made))}
    if other is not None:
        process, plain, secured = other
        theirs = Source("nginx", secured if tls else plain)
        systems["nginx"] = (process, lambda: theirs)
    before = served.resident()
    for _, source in systems.values():
        with file.open("rb") as opened:
            taker.check(source(), size, lambda start, count, opened=opened: (opened.seek(start), opened.read(count))[1])  # type: ignore[misc]
    works: dict[str, tuple[int, Callable[[Source], float]]] = {
        "1 GiB whole" if size > 1000 * MIB else "whole file": (size, lambda source: taker.whole(source, size)),
        "parts of 1 MiB": (given.parts * MIB, lambda source: taker.parts(source, size, given.parts, HANDS)),
    }
    rows, most = [], before
    for work, (count, take) in works.items():
        figures = {name: Figures() for name in systems}
        for number in range(given.rounds + 1):
            for name in sorted(systems, reverse=bool(number % 2)):
                _round(systems[name], take, count, figures[name], counts=number > 0)
                most = max(most, served.resident())
        rows += _rows(f"{work}, {'TLS' if tls else 'in the clear'}", figures)
    rows.append(
        (
            f"memory of the connector before and at most, {'TLS' if tls else 'in the clear'}",
            f"{before:.0f} and {most:.0f} MiB",
        )
    )
    return rows


def _round(
    system: tuple[psutil.Process, Callable[[], Source]],
    take: Callable[[Source], float],
    count: int,
    figures: Figures,
    *,
    counts: bool,
) -> None:
    """Let one server send once; the first round only warms up."""
    process, source = system
    wanted = source()
    begun = _seconds(process)
    seconds = take(wanted)
    if counts:
        figures.rates.append(count / seconds)
        figures.costs.append((_seconds(process) - begun) / (count / 2**30))


def _rows(work: str, figures: dict[str, Figures]) -> list[tuple[str, str]]:
    rows = [
        (
            f"{work}, {name}",
            f"{_span(each.rates)}, {statistics.median(each.costs):.2f} CPU s/GiB",
        )
        for name, each in figures.items()
    ]
    if "nginx" in figures:
        # Round by round, since both of a round met the same machine.
        pairs = zip(figures["worker"].rates, figures["nginx"].rates, strict=True)
        middle = statistics.median(ours / theirs for ours, theirs in pairs)
        medians = statistics.median(figures["worker"].rates) / statistics.median(figures["nginx"].rates)
        cost = statistics.median(figures["worker"].costs) / statistics.median(figures["nginx"].costs)
        rows.append(
            (f"{work}, worker to nginx", f"{middle:.2f} round by round, {medians:.2f} of medians, CPU {cost:.2f}")
        )
    return rows


def _span(rates: list[float]) -> str:
    return f"{statistics.median(rates) / 1e6:.0f} MB/s (from {min(rates) / 1e6:.0f} to {max(rates) / 1e6:.0f})"


def _ours(made: House) -> Source:
    url, grant = made.transfer._access()
    return Source("worker", url, grant)


def _seconds(process: psutil.Process) -> float:
    """Return the processor seconds that a process and its children have used."""
    family = [process, *process.children(recursive=True)]
    return sum(times.user + times.system for times in (each.cpu_times() for each in family))


if __name__ == "__main__":
    main()
