"""Thousands of records through the connector's validation, each refusal reported by pySHACL in its limited process.

A module of its own, so that its process has loaded what the connector loads and nothing of the other engines.
"""

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec
import psutil

from connector.capabilities.validation import Validation
from connector.standards.rdf import Format, parse
from connector.storage.judging import Judges
from tests.bench.shacl.records import record

PROFILE = "geodcat-ap"
FAULTY = 10
"""Every so many records one has a fault."""


def judged(count: int) -> dict[str, float]:
    """Check `count` records, two at a time as the command does.

    Returns:
        Seconds by the clock and of processors, MiB at most, and refusals.
    """
    judges = Judges(seconds=60, waiting=600)
    validation = Validation(judges)

    def refuses(number: int) -> bool:
        triples = parse(record(number, faulty=number % FAULTY == 0), Format.TURTLE)
        report = validation.check(triples, PROFILE)
        return bool(not report.conforms and report.results)

    refuses(0)
    children = psutil.Process().children()
    with memory() as peak, ThreadPoolExecutor(2) as threads:
        clock, begun = time.perf_counter(), _used(children)
        refused = sum(threads.map(refuses, range(count)))
        used, took = _used(children) - begun, time.perf_counter() - clock
    found = validation.counts()
    validation.close()
    assert found["judged"] == refused + 1
    assert found["differences"] == found["unjudged"] == 0
    return {"clock": took, "cpu": used, "mib": max(peak), "refused": refused}


def _used(children: list[psutil.Process]) -> float:
    return time.process_time() + sum(sum(each.cpu_times()[:2]) for each in children)


@contextmanager
def memory() -> Iterator[list[float]]:
    """Watch the memory of this process and its children in MiB, while the block runs."""
    found, over, me = [0.0], threading.Event(), psutil.Process()

    def watch() -> None:
        while not over.wait(0.2):
            found.append(sum(each.memory_info().rss for each in (me, *me.children())) / 2**20)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(judged(int(sys.argv[1]))).decode())
