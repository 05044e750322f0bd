"""The providers that are asked side by side: ours, and a real Eclipse EDC where Java is installed."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

import psutil

from connector.capabilities.identity import new_key
from connector.standards.vc import keys, tokens
from tests.bench.catalog.ask import Door
from tests.bench.catalog.served import HOME, PEER, US
from tests.bench.running import SECONDS, folder, free_port, program
from tests.conformance.edc.identity import header
from tests.conformance.edc.peer import criterion, started

WARM_JAVA: Final = ("-Xmx1g",)
SOURCE: Final = "http://127.0.0.1:9/nothing"


@dataclass
class Provider:
    """A provider under measurement."""

    doors: dict[str, Door]
    process: psutil.Process
    name: Callable[[int], str]
    """The id of its dataset of this number."""

    def cpu(self) -> float:
        """Return the seconds of processor time it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def resident(self) -> float:
        """Return the memory in MiB that its process has to itself."""
        return float(self.process.memory_full_info().uss) / 2**20


@dataclass
class Ours(Provider):
    """Our connector, which can be told to change."""

    said: psutil.Popen

    def tell(self, words: str) -> None:
        """Let it do something, and return when it is done."""
        assert self.said.stdin is not None
        assert self.said.stdout is not None
        self.said.stdin.write(f"{words}\n".encode())
        self.said.stdin.flush()
        self.said.stdout.readline()


@contextmanager
def ours(datasets: int, database: str = "", kind: str = "rich") -> Iterator[Ours]:
    """Serve our connector with so many datasets, believing a bare header and checking a signed token."""
    key, port = new_key(), free_port()
    public = json.dumps({"keys": [keys.public_jwk(PEER, key)]})
    with folder() as place:
        command = [sys.executable, "-m", "tests.bench.catalog.served", str(place / "ours"), str(port)]
        command += [str(datasets), database, public, kind]
        process = psutil.Popen(command, env=program(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            _await(process, port)
            address, numbers = f"http://127.0.0.1:{port}/dsp/2025-1", count(1)

            def token() -> str:
                now = datetime.now(UTC)
                until = now + timedelta(minutes=5)
                claims = tokens.Claims(issuer=PEER, audience=US, issued=now, expires=until, id=f"{now}-{next(numbers)}")
                return f"Bearer {tokens.sign(claims, key, keys.key_id(PEER, key))}"

            doors = {"bare": Door(address, lambda: header(PEER, US)), "signed": Door(address, token)}
            yield Ours(doors, process, lambda number: f"{HOME}{number:06}", process)
        finally:
            process.terminate()
            process.wait(20)


def _await(process: psutil.Popen, port: int) -> None:
    """Return once it takes connections, which it does when its datasets are there and its shelf is made."""
    end = time.monotonic() + 30 * SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("The connector did not start.")


@contextmanager
def edc(datasets: int) -> Iterator[Provider]:
    """Run Eclipse EDC with so many assets under one contract definition, and warm it."""
    before = set(psutil.Process().children())
    with folder() as place, started("did:web:edc.example", Path(place), options=WARM_JAVA) as one:
        (process,) = set(psutil.Process().children()) - before
        for number in range(datasets):
            words = {"name": f"Asset asset-{number:06}", "description": f"Rain at station {number}, hour by hour."}
            one.add(f"asset-{number:06}", SOURCE, **words)
        one.allow("all", [criterion("id", "like", "asset-%")])
        doors = {"bare": Door(one.address, lambda: header(PEER, "did:web:edc.example"))}
        yield Provider(doors, process, lambda number: f"asset-{number:06}")
