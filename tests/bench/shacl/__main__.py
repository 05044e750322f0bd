"""What it costs to check records: one, and thousands of which every tenth is faulty; ours beside pySHACL and Rust.

Processor time, in turns, so that whatever else the machine does hits all of them. The thousands run in processes of
their own, so that each has its memory to itself; slow engines check a part and are scaled. Ours reports every refused
record from pySHACL, in its limited process, as the connector does.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator

from connector.standards.dcat import shacl
from connector.standards.rdf import Format, parse
from tests.bench.running import show
from tests.bench.shacl.engines import ENGINES, PROFILE, structure
from tests.bench.shacl.judged import memory
from tests.bench.shacl.records import record, records

ROUNDS = 5
ENOUGH = 0.3
"""Seconds of processor time that one round takes at least."""
SCALED = {"pySHACL, two texts": 30, "pySHACL, best arranged": 200}
"""Records that the slow ones check of the thousands."""
WITH_JUDGE = "ours, every refusal from pySHACL"


def one_record() -> dict[str, float]:
    """Return the processor time of one accepted record in milliseconds, the best of the rounds, by engine."""
    text = record(1)
    checks = {name: make() for name, make in ENGINES.items()}
    best = dict.fromkeys(checks, float("inf"))
    for check in checks.values():
        check(text)
    for _ in range(ROUNDS):
        for name, check in checks.items():
            count, begun = 0, time.process_time()
            while (used := time.process_time() - begun) < ENOUGH:
                check(text)
                count += 1
            best[name] = min(best[name], used * 1000 / count)
    return best


def many(name: str, count: int) -> dict[str, float]:
    """Check `count` records in this process; return seconds by the clock and of processors, MiB, and refusals."""
    check = ENGINES[name]()
    check(record(1))
    part = min(count, SCALED.get(name, count))
    with memory() as peak:
        clock, begun = time.perf_counter(), time.process_time()
        refused = sum(bool(check(text)) for text in records(part))
        used, took = time.process_time() - begun, time.perf_counter() - clock
    scale = count / part
    return {"clock": took * scale, "cpu": used * scale, "mib": max(peak), "refused": refused * scale}


def _in_own_process(name: str, count: int) -> dict[str, float]:
    arguments = ["tests.bench.shacl", "--count", str(count), "--only", name]
    if name == WITH_JUDGE:
        arguments = ["tests.bench.shacl.judged", str(count)]
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--only", default="")
    given = options.parse_args()
    if given.only:
        sys.stdout.write(json.dumps(many(given.only, given.count)))
        return
    show(figures(given.count))


def figures(most: int) -> Iterator[tuple[str, str]]:
    """Yield every figure with its name."""
    shapes = len(list(structure().speech.shapes))
    yield "shapes", f"{PROFILE}, structure: {shapes} property shapes, {len(structure().shapes)} triples"
    yield "record", f"{len(parse(record(1), Format.TURTLE))} triples, {len(shacl.checker(PROFILE).sets)} levels"
    times = one_record()
    naive, best = times["pySHACL, two texts"], times["ours, structure"]
    for name, each in times.items():
        yield f"one record, {name}", f"{each:.3f} ms, {naive / each:.0f} x naive, {each / best:.1f} of ours"
    for count in sorted({1000, most}):
        rows = {name: _in_own_process(name, count) for name in (WITH_JUDGE, *ENGINES)}
        slow = rows["pySHACL, two texts"]["cpu"]
        for name, row in rows.items():
            scaled = " (scaled)" if SCALED.get(name, count) < count else ""
            took = f"{row['clock']:.1f} s by the clock, {row['cpu']:.1f} s of processors{scaled}"
            said = f"{row['mib']:.0f} MiB, {row['refused']:.0f} refused, {slow / row['cpu']:.0f} x naive"
            yield f"{count} records, {name}", f"{took}, {said}"


if __name__ == "__main__":
    main()
