"""One reader at work: a folder, a shell, a Python, and the page's steps done in it."""

import base64
import contextlib
import json
import os
import random
import re
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import psutil

from tests.architecture.project import ROOT
from tests.docs.pages import Command, Step, commands, matches, steps

PORTS = range(8080, 8100)
"""Ports that a page may name; each stands for one that is free for as long as the page is done."""

SECONDS = 120
"""The longest that one step may take."""

KEPT = re.compile(r"^(?:PIP_|SSL_|REQUESTS_|CURL_|OPENBLAS_|XDG_RUNTIME_DIR$|TMPDIR$)")
"""What of the machine's environment a reader has too; nothing of a connector that somebody runs here."""


class Failed(AssertionError):  # noqa: N818 - named as our refusals are
    """A step did not do what the page says."""


class Result(NamedTuple):
    """What a command printed, and its exit status."""

    printed: str
    status: int


class Reader:
    """Does what a page says, from its first step to its last, and leaves nothing running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: dict[str, str] = {}
        self.held = contextlib.ExitStack()
        self.printed = ""
        for entry in ("connector", "docs", "vocab", "shapes", "policies"):
            (folder / entry).symlink_to(ROOT / entry)
        environment = {name: value for name, value in os.environ.items() if KEPT.match(name)}
        environment |= {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "PYTHONUNBUFFERED": "1",
        }
        self.bash = _start(["bash", "--norc", "--noprofile"], folder, environment)
        self.python: subprocess.Popen[bytes] | None = None
        # Background jobs get process groups of their own, so that `kill %1` works as on a terminal.
        self._bash("set -m")

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything that the page started."""
        started = [self.bash, *([self.python] if self.python else [])]
        family = [child for each in started for child in _descendants(each.pid)]
        for process in family:
            _signal(process, signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=10)
        for process in alive:
            _signal(process, signal.SIGKILL)
        for each in started:
            each.kill()
            each.communicate()
        self.held.close()

    # --- steps ------------------------------------------------------------------------------------------------------

    def read(self, page: Path, before: tuple[Path, ...] = ()) -> None:
        """Do every step of `page`.

        Raises:
            Failed: a step printed or returned something else than the page says.
            Malformed: the page cannot be read.
        """
        for step in steps(page.read_text(encoding="utf-8")):
            if step.kind == "first":
                other = (page.parent / step.text).resolve()
                if other in before:
                    raise Failed(f"{page.name}:{step.line}: {step.text} waits for this page.")
                self.read(other, (*before, page.resolve()))
            else:
                self.do(step, page)

    def do(self, step: Step, page: Path) -> None:
        """Do one step of `page`."""
        match step.kind:
            case "console":
                for number, command in enumerate(listed := commands(step), 1):
                    self._console(command, page, step.exits if number == len(listed) else 0)
            case "run":
                self._console(Command(step.line, step.text, ""), page, 0)
            case "sh":
                (self.folder / ".step.sh").write_text(self._local(step.text), encoding="utf-8")
                self.printed = self._command(
                    f". {shlex.quote(str(self.folder / '.step.sh'))}", f"{page.name}:{step.line}", step.exits
                )
            case "python":
                self._python(step, page)
            case "file":
                path = self.folder / step.value
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self._local(step.text), encoding="utf-8")
            case "output":
                self._compare(step.text, f"{page.name}:{step.line}")
            case _:
                pass  # only shown, or not run

    def _console(self, command: Command, page: Path, exits: int) -> None:
        place = f"{page.name}:{command.line}"
        text = self._local(command.text)
        if text.rstrip().endswith("&") and not text.rstrip().endswith("&&"):
            self._background(text.rstrip()[:-1], place)
        else:
            self.printed = self._command(text, place, exits)
            if command.prints:
                self._compare(command.prints, place)

    def _command(self, text: str, place: str, exits: int) -> str:
        result = self._bash(text)
        if result.status != exits:
            logs = "".join(f"\n--- {log.name}\n{log.read_text()[-2000:]}" for log in self.folder.glob(".background-*"))
            raise Failed(f"{place}: exit status {result.status}, not {exits}, of: {text}\n{result.printed}{logs}")
        return result.printed

    def _compare(self, expected: str, place: str) -> None:
        printed = self.printed
        for named, real in self.ports.items():
            printed = re.sub(rf"\b{real}\b", named, printed)
        if not matches(expected, printed):
            raise Failed(f"{place}: the page shows\n{expected}\nbut this was printed:\n{printed}")

    # --- ports and servers ------------------------------------------------------------------------------------------

    def _local(self, text: str) -> str:
        """Return `text` with the page's ports replaced by free ones."""
        return re.sub(r"\b80[89]\d\b", lambda found: self._port(found[0]), text)

    def _port(self, named: str) -> str:
        if named not in self.ports and int(named) in PORTS:
            self.ports[named] = str(_reserved(self.held))
        return self.ports.get(named, named)

    def _background(self, command: str, place: str) -> None:
        """Start `command` and return when it, or a child of it, listens."""
        log = self.folder / f".background-{len(list(self.folder.glob('.background-*'))) + 1}"
        self._command(f"{command} >{shlex.quote(str(log))} 2>&1 &", place, 0)
        pid = int(self._bash("echo $!").printed)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if not _alive(pid):
                raise Failed(f"{place}: {command} ended at once:\n{log.read_text()}")
            if _listens(pid):
                return
            time.sleep(0.05)
        raise Failed(f"{place}: {command} listens nowhere after {SECONDS} s:\n{log.read_text()}")

    # --- the two programs -------------------------------------------------------------------------------------------

    def _bash(self, text: str) -> Result:
        """Run `text` in the page's shell; its state stays for the next command."""
        mark = f"end-of-step-{time.monotonic_ns()}"
        assert self.bash.stdin is not None
        # Commands read from nowhere: the shell's own input is the page.
        self.bash.stdin.write(f"{{ {text}\n}} </dev/null\nprintf '\\n%s %d\\n' {mark} $?\n".encode())
        self.bash.stdin.flush()
        output = _until(self.bash, re.compile(rf"\n{mark} (\d+)\n".encode()), text)
        return Result(output[0], int(output[1]))

    def _python(self, step: Step, page: Path) -> None:
        if self.python is None:
            program = str(Path(__file__).with_name("interpreter.py"))
            self.python = _start([sys.executable, "-W", "error", program], self.folder, self._environment())
        assert self.python.stdin is not None
        request = {
            "name": page.name,
            "line": step.line,
            "text": self._local(step.text),
            "cwd": self._bash("pwd").printed.strip(),
            "environment": self._environment(),
        }
        self.python.stdin.write(json.dumps(request).encode() + b"\n")
        self.python.stdin.flush()
        place = f"{page.name}:{step.line}"
        said, answer = _until(self.python, re.compile(rb'(\{"printed": .*\})\n'), place)
        result: dict[str, Any] = json.loads(answer)
        if result["failed"]:
            raise Failed(f"{place}: {said}{result['printed']}{result['failed']}")
        self.printed = result["printed"]

    def _environment(self) -> Mapping[str, str]:
        """Return what the page's shell has exported."""
        pairs = self._bash("env -0 | base64 -w0").printed.strip()
        return dict(line.split("=", 1) for line in base64.b64decode(pairs).decode().split("\0") if "=" in line)


def _start(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _until(process: subprocess.Popen[bytes], end: re.Pattern[bytes], doing: str) -> tuple[str, str]:
    """Read what `process` prints up to `end`; return what came before it, and its group."""
    assert process.stdout is not None
    heard = b""
    deadline = time.monotonic() + SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not (found := end.search(heard)):
            if not selector.select(deadline - time.monotonic()):
                raise Failed(f"Not done after {SECONDS} s: {doing}\n{heard.decode(errors='replace')}")
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                raise Failed(f"The page's program ended in: {doing}\n{heard.decode(errors='replace')}")
            heard += chunk
    return heard[: found.start()].decode(errors="replace").removeprefix("\n"), found[1].decode()


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _listens(pid: int) -> bool:
    """Tell whether the process or one of its children accepts connections."""
    for process in [psutil.Process(pid), *_descendants(pid)]:
        try:
            if any(each.status == psutil.CONN_LISTEN for each in process.net_connections("inet")):
                return True
        except psutil.NoSuchProcess:
            continue
    return False


def _reserved(held: contextlib.ExitStack) -> int:
    """Return a port that no other page is given until `held` closes, and that a server may listen on.

    It has four digits, so that what is printed in columns keeps its width. It stays bound and is never listened on:
    Linux lets a server bind it too, since servers allow addresses to be used again.
    """
    ports = list(range(9100, 10000))
    random.SystemRandom().shuffle(ports)  # the seed of the tests would give two runs the same port
    port = next(filter(_free, ports))
    probe = held.enter_context(socket.socket())
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", port))
    return port


def _free(port: int) -> bool:
    """Tell whether nobody has the port, not even bound."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
