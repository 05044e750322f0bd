"""Runs the official conformance kit against a connector under test, one line per case: `make tck`.

    python -m tests.conformance.kit.run [--record] [BEGINNING OF AN ID ...]

The kit comes from wherever Maven is set up to fetch it from; its class path is worked out once per state of the pom.
Exit status: 0 every case passed; 1 one did not, or did not run; 2 nothing was tried.
"""

import argparse
import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx2

from tests.conformance import java, recorded
from tests.conformance.cases import ACTIVE, CASES, DISABLED, KIT
from tests.conformance.recorded import Result, Verdict
from tests.conformance.under_test import AUTHORIZATION, NEGOTIATE, PARTICIPANT, TRANSFER

HERE: Final = Path(__file__).parent
CHECKOUT: Final = HERE.parents[2]
AFTER: Final = 0.2
"""Seconds that the connector waits before each of its own steps: the kit is not ready for it any sooner."""
PATIENCE: Final = 10
"""Seconds that the kit waits for one step."""
WHOLE_RUN: Final = 600.0
"""Seconds after which a run is given up."""
START: Final = 60.0
"""Seconds that the connector has to start."""
CASE: Final = {case.id: case for case in CASES}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the kit, print a line per case and the sum, and return the exit status."""
    parser = argparse.ArgumentParser(description="Run the conformance kit against a connector under test.")
    parser.add_argument("--record", action="store_true", help="keep the results for docs/reference/conformance.md")
    parser.add_argument("cases", nargs="*", help="beginnings of ids, such as CN: or TP_C:01; none means every case")
    given = parser.parse_args(arguments)
    try:
        found = run(given.cases)
    except RuntimeError as why:
        sys.stderr.write(f"{why}\n")
        return 2
    failed = [result for result in found if result.verdict == "fail"]
    if given.record and not given.cases:
        order = list(CASE)
        recorded.write("tck", KIT, sorted(found, key=lambda result: order.index(result.id)))
    say(f"{sum(result.verdict == 'pass' for result in found)} passed, {len(failed)} failed")
    return 1 if failed else 0


def run(beginnings: Sequence[str]) -> list[Result]:
    """Run the cases whose ids begin so, print each as it ends, and return them all.

    Raises:
        RuntimeError: a program is missing, the kit cannot be had, the connector does not start, or no case is meant.
    """
    wanted = [id_ for id_ in ACTIVE if not beginnings or id_.startswith(tuple(beginnings))]
    if not wanted:
        raise RuntimeError(f"No case begins with {' or '.join(beginnings)}.")
    if missing := java.missing():
        raise RuntimeError(f"The conformance kit needs {', '.join(missing)}: not installed.")
    jars = java.class_path(HERE / "pom.xml", [HERE / "Cases.java"])
    folder = Path(tempfile.mkdtemp(prefix="conformance-"))
    ours, theirs = free_ports()
    found: list[Result] = []
    with connector(folder, ours, f"http://127.0.0.1:{theirs}"):
        for result in checked(told(jars, settings(ours, theirs), folder, beginnings), wanted):
            say(f"{result.id} {result.verdict} {result.reason}".strip())
            found.append(result)
    if any(result.verdict == "fail" for result in found):
        sys.stderr.write(f"The logs are in {folder}.\n")
    else:
        shutil.rmtree(folder)
    return found


def checked(lines: Iterable[str], wanted: Iterable[str]) -> Iterator[Result]:
    """Yield the result in each line of the kit, and a failure for each wanted case that it did not run."""
    missing = dict.fromkeys(wanted)
    for line in lines:
        id_, verdict, reason = line.rstrip("\n").split("\t")
        shows = CASE[id_].shows if id_ in CASE else "A case that is not in the table."
        if id_ in DISABLED and verdict == "skip":
            yield Result(id_, "skip", shows, "disabled in the kit")
            continue
        good = verdict == "pass" and id_ in missing
        missing.pop(id_, None)
        outcome: Verdict = "pass" if good else "fail"
        yield Result(id_, outcome, shows, "" if good else reason or verdict)
    for id_ in missing:
        yield Result(id_, "fail", CASE[id_].shows, "did not run")


def told(jars: str, properties: Mapping[str, str], folder: Path, beginnings: Sequence[str]) -> Iterator[str]:
    """Run the kit and yield its lines as they come."""
    config = folder / "kit.properties"
    config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()), encoding="utf-8")
    command = ["java", "-cp", jars, "Cases", str(config), str(folder / "kit.log"), *beginnings]
    with (folder / "java.log").open("wb") as errors:
        kit = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    timer = threading.Timer(WHOLE_RUN, kit.kill)
    timer.start()
    try:
        assert kit.stdout is not None
        yield from kit.stdout
    finally:
        timer.cancel()
        kit.kill()
        kit.wait()


def settings(ours: int, theirs: int) -> dict[str, str]:
    """Return the settings of the kit for a connector at port `ours` and the kit itself at port `theirs`."""
    root = f"http://127.0.0.1:{ours}"
    own = {
        "dataspacetck.launcher": "org.eclipse.dataspacetck.dsp.system.DspSystemLauncher",
        "dataspacetck.debug": "true",
        "dataspacetck.ansi": "false",
        "dataspacetck.host": "127.0.0.1",
        "dataspacetck.port": str(theirs),
        "dataspacetck.callback.address": f"http://127.0.0.1:{theirs}",
    }
    about = {
        "local.connector": "false",
        "connector.agent.id": PARTICIPANT,
        "connector.http.url": f"{root}/dsp/2025-1",
        "connector.http.base.url": root,
        "connector.http.headers.authorization": AUTHORIZATION,
        "connector.negotiation.initiate.url": root + NEGOTIATE,
        "connector.transfer.initiate.url": root + TRANSFER,
        "default.wait": str(PATIENCE),
    }
    found = own | {f"dataspacetck.dsp.{key}": value for key, value in about.items()}
    for case in CASES:
        found |= case.settings()
    return found


@contextlib.contextmanager
def connector(folder: Path, port: int, kit: str) -> Iterator[None]:
    """Serve a connector under test in a process of its own until the block ends.

    Raises:
        RuntimeError: it does not start.
    """
    command = [sys.executable, "-m", "tests.conformance.under_test"]
    command += ["--folder", str(folder / "data"), "--port", str(port), "--kit", kit, "--after", str(AFTER)]
    with (folder / "connector.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=CHECKOUT, stdout=log, stderr=log)
    try:
        end = time.monotonic() + START
        while not answers(f"http://127.0.0.1:{port}/livez"):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"The connector under test did not start: see {log.name}.")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    """Tell whether something answers there."""
    try:
        return httpx2.get(url, timeout=2).is_success
    except httpx2.TransportError:
        return False


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def free_ports() -> tuple[int, int]:
    """Return two ports of this machine that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
