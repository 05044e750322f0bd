"""The connectors of the demo as processes: made, served, killed, served again and ended, each on a folder of its own.

Every process leads a group, so that whatever it started ends with it; `watch` ends them all when the demo is killed.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connector.client import Connection, Space
from connector.demo.cast import Actor
from connector.errors import Refusal

FIRST_PORT: Final = 8101
LAST_PORT: Final = 8999
START_SECONDS: Final = 90.0
"""How long a connector may take to start, on a machine that has other things to do."""

PATIENCE: Final = 90.0
"""How long a call is repeated while a connector is away."""

END_SECONDS: Final = 5.0
"""How long a connector may take to end before it is made to."""

TAIL: Final = 25
"""Lines of a log that are shown when something failed."""


class Failed(Refusal):
    """A step of the demo did not do what it had to do; `of` names the connectors concerned."""

    def __init__(self, message: str, *, of: Iterable[str] = (), fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.of = tuple(of)


class _PortTaken(Exception):  # noqa: N818 - never leaves this module
    """Somebody else took the port between our look at it and the connector's."""


@dataclass
class Member:
    """One connector: its folder, its port, the key to its API, and the process that serves it now."""

    actor: Actor
    folder: Path
    port: int = 0
    key: str = field(default="", repr=False)
    space: Space = field(init=False)
    held: ExitStack = field(default_factory=ExitStack)
    """Its connections, and what holds its port while nobody serves on it."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Where it writes what it does."""
        return self.folder.with_suffix(".log")

    def close(self) -> None:
        """Let go of its connections and of its port."""
        self.held.close()

    def tail(self) -> str:
        """Return the end of its log."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:])
        return ""


class Guard:
    """The process that ends everything when the demo itself is killed; see `watch`."""

    def __init__(self, folder: Path) -> None:
        self._turn = threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603 - our own file, in our own interpreter
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("watch.py"))],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self.order("remove", str(folder))

    def order(self, word: str, number: int | str = "") -> None:
        """Tell it something."""
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError), self._turn:
                pipe.write(f"{word} {number}\n".encode())
                pipe.flush()

    def keep(self) -> None:
        """Let it end without ending anything."""
        self.order("keep")
        self.dismiss()

    def dismiss(self) -> None:
        """Let it end what still runs, which is nothing unless the demo was interrupted while it ended it."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()


class Fleet:
    """All connectors of one run.

    Args:
        folder: where their folders lie; the demo's own, removed at its end.
        guard: who ends them if the demo cannot.
        databases: address of the database of a connector by its participant; without one it is SQLite.
    """

    def __init__(self, folder: Path, guard: Guard, databases: Mapping[str, str]) -> None:
        self.folder = folder
        self.members: dict[str, Member] = {}
        self._guard = guard
        self._databases = databases
        self._turn = threading.RLock()
        self._warm = threading.Event()
        self._next_port = FIRST_PORT
        self._ended = False
        (folder / "tmp").mkdir()
        # What a connector of this machine's user is set to must not reach the demo's, nor what they leave behind stay.
        own = {key: value for key, value in os.environ.items() if not key.startswith("GREENDEAL_")}
        self._environment = own | {"GREENDEAL_FEDERATION__CRAWL_SECONDS": "0", "TMPDIR": str(folder / "tmp")}

    def __getitem__(self, actor: Actor) -> Member:
        """Return the connector of an actor."""
        return self.members[actor.participant]

    def start(self, cast: Iterable[Actor]) -> None:
        """Make and serve a connector for each actor, together but for the first command.

        After an installation it compiles what all others import; at once they would all do it.
        """
        first, *others = cast
        with ThreadPoolExecutor(thread_name_prefix="start") as hands:
            try:
                begun = [hands.submit(self._make, first)]
                while not (self._warm.wait(0.1) or begun[0].done()):
                    pass
                begun += [hands.submit(self._make, actor) for actor in others]
                for each in begun:
                    each.result()
            except BaseException:
                self.end()  # those that are still starting are not waited for
                raise

    # --- chaos ------------------------------------------------------------------------------------------------------

    def kill(self, member: Member) -> None:
        """Kill a connector as it stands, and serve it again on the same folder and port."""
        with self._turn:
            if self._ended or member.process is None:
                return
            member.process.kill()
            member.process.wait()
            self._guard.order("forget", member.process.pid)
            self._serve(member)

    def fallen(self) -> list[Member]:
        """Return the connectors whose process ended without being asked to."""
        with self._turn:
            return [each for each in self.members.values() if each.process and each.process.poll() is not None]

    def numbers(self) -> list[int]:
        """Return the numbers of the processes."""
        return [each.process.pid for each in self.members.values() if each.process]

    # --- the end ----------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """Leave every process running."""
        with self._turn:
            self._ended = True

    def end(self) -> None:
        """End every process that runs, and whatever it started."""
        with self._turn:
            self._ended = True
            members = list(self.members.values())
            running = [each.process for each in members if each.process and each.process.returncode is None]
            for process in running:
                process.terminate()
        limit = time.monotonic() + END_SECONDS
        for process in running:
            _wait_unreaped(process, limit)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self._guard.order("forget", process.pid)
        for member in members:
            member.close()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _make(self, actor: Actor) -> None:
        member = Member(actor, self.folder / actor.participant.removeprefix("did:web:").removesuffix(".example"))
        # Known before it is ready, so that an interrupted start is ended too.
        self.members[actor.participant] = member
        while not self._ended:
            member.close()
            place = self._free_port()
            member.held.callback(place.close)
            member.port = place.getsockname()[1]
            shutil.rmtree(member.folder, ignore_errors=True)
            member.key = self._init(member)
            self._warm.set()
            member.space = Space(Connection(member.url, member.key, patience=PATIENCE))
            member.held.callback(member.space.close)
            self._serve(member)
            with suppress(_PortTaken):
                self._await_ready(member)
                return

    def _free_port(self) -> socket.socket:
        """Return what holds the next port that nobody uses, also while the connector is not there.

        It does not listen, so the connector can; but to whoever looks for a free port it is not one.
        """
        with self._turn:
            for port in range(self._next_port, LAST_PORT):
                place = socket.socket()
                try:
                    place.bind(("127.0.0.1", port))
                except OSError:
                    place.close()
                    continue
                place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self._next_port = port + 1
                return place
        raise Failed(f"Every port from {FIRST_PORT} to {LAST_PORT} is in use.", fix="Free some of them.")

    def _init(self, member: Member) -> str:
        """Run `greendeal init` and return the first API key."""
        options = ["--participant", member.actor.participant, "--name", member.actor.name, "--data", str(member.folder)]
        options += ["--port", str(member.port), "--loopback", "--open-reading", "--output", "json"]
        options += ["--database-url", self._databases.get(member.actor.participant, "")]
        process = self._run(member, "init", *options, answer=subprocess.PIPE)
        said = process.communicate()[0]
        self._guard.order("forget", process.pid)
        if process.returncode:
            raise Failed("`greendeal init` failed.", of=[member.actor.participant])
        return str(json.loads(said)["api_key"])

    def _serve(self, member: Member) -> None:
        """Run `greendeal serve`."""
        self._run(member, "serve", "--data", str(member.folder))

    def _run(self, member: Member, *words: str, answer: int | None = None) -> subprocess.Popen[bytes]:
        """Start one of our commands as the process of a connector; what it says goes to its log."""
        with self._turn, member.log.open("ab") as log:
            if self._ended:
                raise Failed("The connectors are being ended.")
            process = member.process = subprocess.Popen(  # noqa: S603 - our own command
                command(*words),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log if answer is None else answer,
                stderr=log,
                start_new_session=True,
            )
            self._guard.order("mind", process.pid)
            return process

    def _await_ready(self, member: Member) -> None:
        """Wait until the connector answers as itself; another program may hold the port it was given."""
        process, quick = member.process, Space(Connection(member.url, member.key, patience=0))
        limit = time.monotonic() + START_SECONDS
        try:
            while process is not None and process.poll() is None and time.monotonic() < limit:
                with suppress(Refusal, KeyError):
                    if quick.identity()["participant"] == member.actor.participant:
                        return
                time.sleep(0.05)
        finally:
            quick.close()
        if "address already in use" in member.tail().lower():
            raise _PortTaken
        raise Failed("`greendeal serve` does not start.", of=[member.actor.participant])


def command(*words: str) -> list[str]:
    """Return the command line of `greendeal`, independent of the search path and of the folder one is in."""
    return [sys.executable, "-P", "-m", "connector", *words]


def _wait_unreaped(process: subprocess.Popen[bytes], limit: float) -> None:
    """Wait until a process ended, leaving its number taken, so that its group can be named safely."""
    while time.monotonic() < limit:
        with suppress(ChildProcessError):
            if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                time.sleep(0.02)
                continue
        return
