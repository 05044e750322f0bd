"""Walks a real Eclipse EDC connector and one of ours through everything they do with each other: `make edc`.

    python -m tests.conformance.edc.walk [--record] [--row N] [BEGINNING OF AN ID ...]

One EDC process plays both roles, provider and consumer, with 50 ms between two looks of its state machines. Each step
prints a line with its milliseconds. Exit status: 0 every step went well; 1 one did not; 2 nothing was tried.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import structlog

from tests.conformance import java, recorded
from tests.conformance.edc import as_consumer, as_provider, habits
from tests.conformance.edc.identity import MockJson
from tests.conformance.edc.peer import Party, Refused, started
from tests.conformance.edc.steps import LOG, Needed, Step, World
from tests.conformance.recorded import Result
from tests.running import running

EDC: Final = "did:web:edc.example"
OURS: Final = "did:web:ours.example"
OTHER: Final = "Eclipse EDC 0.15.1, control and data plane in one process, mock identity, 50 ms between iterations"
ROW: Final = 300
"""Negotiations in a row, in each role."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk, print a line per step and the sum, and return the exit status."""
    parser = argparse.ArgumentParser(description="Walk Eclipse EDC and one of our connectors through their dealings.")
    parser.add_argument("--record", action="store_true", help="keep the results for docs/reference/conformance.md")
    parser.add_argument("--row", type=int, default=ROW, help="negotiations in a row in each role")
    parser.add_argument("steps", nargs="*", help="beginnings of ids, such as EDC-C: or EDC-P:1; none means every step")
    given = parser.parse_args(arguments)
    steps = [*as_consumer.STEPS, *as_provider.STEPS, *habits.STEPS]
    wanted = [step for step in steps if not given.steps or step.id.startswith(tuple(given.steps))]
    if missing := java.missing():
        sys.stderr.write(f"Eclipse EDC needs {', '.join(missing)}: not installed.\n")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="edc-"))
    try:
        with logging_to(folder / LOG), world(folder, given.row) as found:
            results = [walked(step, found) for step in wanted]
    except (Refused, RuntimeError) as why:
        sys.stderr.write(f"{why}\n")
        return 2
    failed = [result for result in results if result.verdict != "pass"]
    if failed:
        sys.stderr.write(f"The logs are in {folder}.\n")
    else:
        shutil.rmtree(folder)
    if given.record and not given.steps:
        recorded.write("edc", OTHER, results)
    say(f"{len(results) - len(failed)} steps went well, {len(failed)} did not")
    return 1 if failed else 0


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Keep what our connector logs out of the lines of the walk."""
    with path.open("w", encoding="utf-8") as file:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        try:
            yield
        finally:
            structlog.reset_defaults()


@contextmanager
def world(folder: Path, row: int) -> Iterator[World]:
    """Start both connectors and let them know each other."""
    with ExitStack() as stack:
        begun = time.perf_counter()
        edc = stack.enter_context(started(EDC, folder))
        say(f"{'':10} EDC is ready{'':57} {_ms(begun)}")
        proofs = (MockJson(),)
        ours = stack.enter_context(running(folder / "ours", OURS, "Ours", authenticators=proofs))
        # The mock identity needs no key; every peer of ours has one all the same, so it gets one that nobody holds.
        keys = ours.connector.identity.public_keys()["keys"][0] | {"kid": f"{EDC}#none"}
        ours.space.trust({"participant": EDC, "address": edc.address, "keys": {"keys": [keys]}}, "Eclipse EDC")
        source = stack.enter_context(as_provider.source())
        yield World(folder, edc, ours, Party(OURS, ours.address), row, {"source": source})


def walked(step: Step, found: World) -> Result:
    """Do one step and print how it went."""
    begun = time.perf_counter()
    try:
        note = step.act(found) or ""
        result = Result(step.id, "pass", step.shows)
    except Needed as earlier:
        note, result = "", Result(step.id, "skip", step.shows, str(earlier))
    except Exception as why:  # noqa: BLE001 - whatever it is, it is what became of this step, and the next has its turn
        note, result = "", Result(step.id, "fail", step.shows, f"{type(why).__name__}: {why}")
    verdict = "ok" if result.verdict == "pass" else result.verdict
    say(f"{step.id:10} {step.shows:90.90} {verdict:4} {_ms(begun)} {note}{result.reason}".rstrip())
    return result


def _ms(begun: float) -> str:
    return f"{(time.perf_counter() - begun) * 1000:8,.0f} ms"


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
