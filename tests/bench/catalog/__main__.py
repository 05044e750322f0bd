"""What a catalog costs: whole, by the page, filtered to one, known already and packed; ours beside a real Eclipse EDC.

One neutral client sends both the same requests in turn, round by round, so that whatever else the machine does hits
both. Processor time is the server's own. After that ours alone: as many requests as it takes, and a growing catalog.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

from backports import zstd

from tests.bench.catalog.ask import EDC, Answer, Door, Times, criterion, message
from tests.bench.catalog.providers import Ours, Provider, edc, ours
from tests.bench.running import median, show
from tests.conformance import java

AT_ONCE: Final = 16
A_WORD: Final = criterion("keyword", "=", "k7")
Row = tuple[str, str]


def questions(provider: Provider, datasets: int) -> dict[str, tuple[bytes, str]]:
    """Return what every provider is asked, and in which coding."""
    one = [criterion(f"{EDC}id", "=", provider.name(datasets // 2))]
    whole = message(offset=0, limit=datasets)
    return {
        "whole, as it is": (whole, "identity"),
        "whole, packed if the provider can": (whole, "zstd, gzip"),
        "page of 50": (message(offset=datasets // 2, limit=50), "identity"),
        "filtered to one": (message(offset=0, limit=50, filterExpression=one), "identity"),
    }


def compare(providers: dict[str, Provider], datasets: int, rounds: int, repeats: int) -> Iterator[Row]:
    """Ask all providers in turn, alone, and yield medians and the ratio to ours."""
    seen: dict[tuple[str, str], list[float]] = {}
    used: dict[tuple[str, str], list[float]] = {}
    sizes: dict[tuple[str, str], int] = {}
    for turn in range(rounds + 1):
        for name, provider in providers.items():
            for way, door in provider.doors.items():
                for question, (body, coding) in questions(provider, datasets).items():
                    before = provider.cpu()
                    times = door.ask([body] * repeats, Accept_Encoding=coding)
                    sizes[question, f"{name}, {way} identity"] = len(_last(times).body)
                    _check(_last(times), {"page of 50": 50, "filtered to one": 1}.get(question, datasets))
                    if turn:  # the first round warms
                        seen.setdefault((question, f"{name}, {way} identity"), []).extend(times.each)
                        used.setdefault((question, f"{name}, {way} identity"), []).append(provider.cpu() - before)
    for (question, who), times_of in seen.items():
        cpu = sum(used[question, who]) / len(times_of)
        figures = f"{median(times_of):.2f} ms, {cpu * 1000:.2f} ms, {sizes[question, who]:,} bytes"
        yield f"{question}, {who}: median, processor, size", figures
    for question in questions(next(iter(providers.values())), datasets):
        theirs = seen.get((question, "EDC, bare identity"))
        for way in ("bare", "signed") if theirs else ():
            ratio = statistics.median(theirs or ()) / statistics.median(seen[question, f"ours, {way} identity"])
            yield f"{question}: EDC to ours, {way} identity", f"{ratio:.0f} to 1"


def _check(answer: Answer, datasets: int) -> None:
    """Make sure that the question was understood: a quick answer to another one is worth nothing."""
    coding = answer.headers.get("content-encoding")
    found = json.loads(zstd.decompress(answer.body) if coding == "zstd" else answer.body)["dataset"]
    found = found if isinstance(found, list) else [found]
    if coding not in {None, "zstd"} or len(found) != datasets:
        raise RuntimeError(f"There are {len(found)} datasets in the answer, not {datasets}.")


def load(provider: Ours, datasets: int, count: int) -> Iterator[Row]:
    """Ask ours for the whole catalog over many connections."""
    body = message(offset=0, limit=datasets)
    tag = _last(provider.doors["bare"].ask([body])).headers["etag"]
    kinds: dict[str, dict[str, str]] = {
        "304": {"If_None_Match": tag},
        "zstd": {"Accept_Encoding": "zstd"},
        "gzip": {"Accept_Encoding": "gzip"},
        "as it is": {"Accept_Encoding": "identity"},
    }
    for way, door in provider.doors.items():
        for kind, headers in kinds.items():
            door.ask([body] * 20, at_once=4, **headers)
            before = provider.cpu()
            times = door.ask([body] * count, at_once=AT_ONCE, **headers)
            cpu = (provider.cpu() - before) / count
            size = len(_last(times).body)
            yield (
                f"whole, {kind}, {way} identity, {AT_ONCE} at once ({size:,} bytes)",
                f"{times.rate:.0f} a second; processor {cpu * 1e6:.0f} µs, so {1 / cpu:.0f} a second at most",
            )


def fresh(provider: Ours, size: int, rounds: int) -> Iterator[Row]:
    """Measure from a committed change of one dataset until it is in the answer."""
    door, body = provider.doors["bare"], message(offset=0, limit=size)
    seen = []
    for number in range(rounds):
        before = _last(door.ask([body])).headers["etag"]
        provider.tell(f"change {number}")
        times = door.ask([body], Accept_Encoding="zstd")
        assert _last(times).headers["etag"] != before
        seen += times.each
    yield f"{size:,} datasets in one answer, one of them just changed: the new answer", f"{median(seen):.1f} ms"


def growth(provider: Ours, sizes: Sequence[int], rounds: int) -> Iterator[Row]:
    """Ask a growing catalog for pages that were not asked for before."""
    have, door = sizes[0], provider.doors["bare"]
    for size in sizes:
        if size > have:
            begun = time.perf_counter()
            provider.tell(f"more {size - have}")
            yield f"{size - have:,} datasets more, on the shelf after", f"{time.perf_counter() - begun:.1f} s"
            have = size
        made: dict[str, Callable[[int], bytes]] = {
            "first page of 50": lambda turn: message(offset=turn, limit=50),
            "page of 50 from the middle": partial(_middle, size),
            "filtered to one": partial(_to_one, provider, size),
            "filtered by a word": lambda turn: message(offset=turn, limit=50, filterExpression=[A_WORD]),
        }
        door.ask([message(limit=1, sortOrder="DESC")])
        for name, body in made.items():
            times = door.ask([body(turn + 1) for turn in range(rounds)])
            again = door.ask([body(1)] * rounds)
            yield (
                f"{name} of {size:,} datasets: never asked before, asked before",
                f"{median(times.each):.2f} ms, {median(again.each):.2f} ms",
            )
        if following := _follow(door, rounds):
            yield f"page of 50 by its link, of {size:,} datasets", f"{median(following):.2f} ms"
        yield f"memory with {size:,} datasets", f"{provider.resident():.0f} MiB"


def _middle(size: int, turn: int) -> bytes:
    return message(offset=size // 2 + turn, limit=50)


def _to_one(provider: Provider, size: int, turn: int) -> bytes:
    one = criterion(f"{EDC}id", "=", provider.name(size // 2 - turn))
    return message(offset=0, limit=50, filterExpression=[one])


def _follow(door: Door, count: int) -> list[float]:
    """Follow links from the first page on, each to a page that was not asked for before."""
    body, seen = message(offset=0, limit=50), list[float]()
    answer = _last(door.ask([body]))
    while len(seen) < count and 'rel="next"' in (link := answer.headers.get("link", "")):
        times = door.ask([body], link=link.split('rel="next"')[0].rpartition("<")[2].partition(">")[0])
        answer = _last(times)
        seen += times.each
    return seen


def _last(times: Times) -> Answer:
    assert times.last is not None
    return times.last


def main() -> None:
    """Measure, and print."""
    wanted = _arguments()
    with ExitStack() as stack:
        us = stack.enter_context(ours(wanted.datasets, kind="plain"))
        providers: dict[str, Provider] = {"ours": us}
        if java.missing() or wanted.alone:
            sys.stdout.write("Without Eclipse EDC: Java and Maven are not installed, or not wanted.\n")
        else:
            providers["EDC"] = stack.enter_context(edc(wanted.datasets))
        rows = [*compare(providers, wanted.datasets, wanted.rounds, wanted.repeats)]
        rows += [(f"memory after that, {name}", f"{each.resident():.0f} MiB") for name, each in providers.items()]
    show(rows)
    if wanted.beside:
        return
    with ours(wanted.datasets) as us:
        show([*load(us, wanted.datasets, wanted.count), *fresh(us, wanted.datasets, wanted.rounds)])
    with ours(min(wanted.sizes)) as us:
        show(growth(us, sorted(wanted.sizes), wanted.rounds * 4))


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5, help="requests one after the other in a round")
    parser.add_argument("--count", type=int, default=1000, help="requests over many connections")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--beside", action="store_true", help="only what stands beside Eclipse EDC")
    parser.add_argument("--alone", action="store_true", help="without Eclipse EDC")
    return parser.parse_args()


if __name__ == "__main__":
    main()
