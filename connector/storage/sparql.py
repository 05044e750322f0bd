"""Foreign SPARQL: through the gate, to a worker process on a checkpoint, and back within limits or not at all.

No query runs in the serving process: the engine cannot be interrupted, some shapes run for hours, and a sort can
take all memory. A worker that is late is killed and another takes its seat.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, NoReturn

from connector.errors import Busy, InvalidInput, TooLarge
from connector.storage.sparql_gate import Kind, QueryLimits, check_query, negotiate
from connector.storage.triples import Checkpoint, Triples

_WORKER: Final = Path(__file__).with_name("sparql_worker.py")
_START_SECONDS: Final = 60.0
_SLICE: Final = 0.05
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may cost: seconds of waiting and running, rows (or triples) and bytes of its answer."""

    seconds: float = 10.0
    rows: int = 10_000
    size: int = 16 * _MIB
    text: QueryLimits = field(default_factory=QueryLimits)


@dataclass(frozen=True, slots=True)
class Result:
    """An answer: a whole document, even when `truncated` says that rows are missing from it.

    `count` is the number of rows or triples (0 for ASK), `sequence` how far the writer had got in what was read.
    """

    kind: Kind
    media_type: str
    body: bytes
    truncated: bool
    count: int
    sequence: int


class QueryPool:
    """Workers that answer queries over what `triples` holds.

    Args:
        triples: the store; its checkpoints are read.
        size: how many queries run at once. Workers start when they are first needed.
        waiting: how many queries may wait for a worker; more are turned away.
        stale: how many seconds an answer may lie behind the writer, when it need not be fresh.
        memory: bytes of address space a worker may have.
    """

    def __init__(
        self, triples: Triples, *, size: int = 2, waiting: int = 16, stale: float = 1.0, memory: int = 2048 * _MIB
    ) -> None:
        self._triples = triples
        self._size = size
        self._places = size + waiting
        self._stale = stale
        self._memory = memory
        self._turn = threading.Condition()
        self._idle: list[_Worker] = []
        self._seats = size  # workers that may still be started or are idle
        self._present = 0
        self._all: set[_Worker] = set()
        self._closed = False

    def query(
        self,
        text: str,
        graphs: Sequence[str] | None,
        accept: str | None = None,
        *,
        limits: Limits | None = None,
        fresh: bool = False,
        stop: threading.Event | None = None,
    ) -> Result:
        """Answer `text` over `graphs` (None: all there are); the default graph is their union.

        Blocks, so call it from a worker thread; `stop`, set by another thread, ends the query and frees its processor.
        With `fresh` the answer sees everything that was written before the call.

        Raises:
            InvalidInput: the query is not one, or asks for what it may not; or Accept fits no format.
            TooLarge: it took more time or memory than allowed.
            Busy: too many queries are waiting, no worker became free in time, or the query was stopped.
        """
        limits = limits or Limits()
        query = check_query(text, limits.text)
        media_type = negotiate(accept, query.kind)
        with self._worker(limits.seconds, stop) as worker:
            checkpoint = worker.read(self._triples, 0 if fresh else self._stale)
            readable = sorted(checkpoint.graphs) if graphs is None else graphs
            default, named = query.dataset(readable)
            request = {
                "path": str(checkpoint.path),
                "query": query.text,
                "default": default,
                "named": named,
                "format": media_type,
                "rows": limits.rows,
                "size": limits.size,
                "cpu": limits.seconds,
            }
            said, body = worker.ask(request, limits.seconds, stop)
        if "error" in said:
            _refuse(said["error"], said["message"])
        return Result(query.kind, media_type, body, said["truncated"], said["count"], checkpoint.sequence)

    def close(self) -> None:
        """End every worker; running queries are refused as busy."""
        with self._turn:
            self._closed = True
            workers, self._all, self._idle = self._all, set(), []
            self._turn.notify_all()
        for worker in workers:
            worker.end()

    @contextmanager
    def _worker(self, seconds: float, stop: threading.Event | None) -> "Iterator[_Worker]":
        """Lend a worker; one that did not survive is replaced by whoever comes next."""
        with self._turn:
            if self._present >= self._places:
                raise Busy("Too many queries are waiting.", fix="Ask again in a few seconds.")
            self._present += 1
        worker: _Worker | None = None
        try:
            worker = self._seat(seconds, stop)
            yield worker
        finally:
            with self._turn:
                self._present -= 1
                if worker is not None:
                    self._seats += 1
                    if worker.alive and not self._closed:
                        self._idle.append(worker)
                    else:
                        self._all.discard(worker)
                    self._turn.notify()

    def _seat(self, seconds: float, stop: threading.Event | None) -> "_Worker":
        end = time.monotonic() + seconds
        with self._turn:
            while self._seats == 0 and not self._closed:
                if time.monotonic() >= end or (stop and stop.is_set()):
                    raise Busy("No query worker became free in time.", fix="Ask again in a few seconds.")
                self._turn.wait(_SLICE)
            if self._closed:
                raise Busy("The connector is shutting down.")
            self._seats -= 1
            worker = self._idle.pop() if self._idle else _Worker(self._memory)
            self._all.add(worker)
        return worker


class _Worker:
    """One process and the checkpoint it reads. Used by one thread at a time, but for `end`."""

    def __init__(self, memory: int) -> None:
        self.taken: tuple[str, ...] = ()
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._lease: tuple[Triples, Checkpoint] | None = None
        self._over = False

    @property
    def alive(self) -> bool:
        """Whether it can be asked again."""
        return not self._over

    def read(self, triples: Triples, max_age: float) -> Checkpoint:
        """Move on to a checkpoint of at most that age."""
        newest = triples.lease(max_age)
        if self._lease and self._lease[1] is newest:
            triples.release(newest)
        else:
            self._let_go()
            self._lease = triples, newest
        return newest

    def ask(
        self, request: dict[str, Any], seconds: float, stop: threading.Event | None
    ) -> tuple[dict[str, Any], bytes]:
        """Run one query. A worker that is late, stopped or dies is over."""
        process = self._started()
        end = time.monotonic() + seconds
        try:
            self._pipe(process.stdin).write(json.dumps(request).encode() + b"\n")
            self._pipe(process.stdin).flush()
            said = json.loads(self._line(process, end, stop))
            return said, self._bytes(process, said["size"], end, stop)
        except BrokenPipeError:
            self._died(process)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Kill the process and let the checkpoint go."""
        self._over = True
        self._reap()
        self._let_go()

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    self._pipe(pipe).close()

    def _let_go(self) -> None:
        lease, self._lease = self._lease, None
        if lease:
            triples, checkpoint = lease
            triples.release(checkpoint)

    def _started(self) -> "subprocess.Popen[bytes]":
        """Return the process; start it first, or again when it died while idle."""
        process = self._process
        if process is not None and process.poll() is None:
            return process
        self._reap()
        self._buffer = b""
        process = self._process = subprocess.Popen(  # noqa: S603 - our own file, in our own interpreter
            [sys.executable, "-I", str(_WORKER), str(self._memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"MALLOC_ARENA_MAX": "2"},  # nothing of ours; fewer arenas reserve less of its address space
        )
        try:
            hello = json.loads(self._line(process, time.monotonic() + _START_SECONDS, None))
        except TooLarge as error:
            self.end()
            raise Busy("A query worker did not start.", fix="Ask the operator to look at its memory limit.") from error
        self.taken = tuple(hello["taken"])
        return process

    def _line(self, process: "subprocess.Popen[bytes]", end: float, stop: threading.Event | None) -> bytes:
        while b"\n" not in self._buffer:
            self._fill(process, end, stop)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _bytes(self, process: "subprocess.Popen[bytes]", size: int, end: float, stop: threading.Event | None) -> bytes:
        pieces, missing = [self._buffer], size - len(self._buffer)
        while missing > 0:
            self._buffer = b""
            self._fill(process, end, stop)
            pieces.append(self._buffer)
            missing -= len(self._buffer)
        self._buffer = b""
        return b"".join(pieces)

    def _fill(self, process: "subprocess.Popen[bytes]", end: float, stop: threading.Event | None) -> None:
        """Read what there is, waiting for it until `end` or `stop`."""
        pipe = self._pipe(process.stdout).fileno()
        ready = select.poll()
        ready.register(pipe, select.POLLIN)
        while not ready.poll(_SLICE * 1000):
            if stop and stop.is_set():
                self.end()
                raise Busy("The query was stopped.")
            if time.monotonic() >= end:
                self.end()
                raise TooLarge("The query took longer than it may.", where="query", fix=_NARROWER)
        got = os.read(pipe, _MIB)
        if not got:
            self._died(process)
        self._buffer += got

    def _died(self, process: "subprocess.Popen[bytes]") -> NoReturn:
        stopped = self._over  # by close(), from another thread
        self.end()
        if stopped:
            raise Busy("The connector is shutting down.")
        ended = process.returncode
        what = "time" if ended == -signal.SIGXCPU else "memory"
        raise TooLarge(f"The query needed more {what} than it may.", where="query", fix=_NARROWER)

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise RuntimeError("The worker was started without pipes.")
        return pipe


_NARROWER: Final = "Ask for less: begin with the rarest pattern, bind more terms, and add a LIMIT."


def _refuse(error: str, message: str) -> NoReturn:
    if error == "memory":
        raise TooLarge("The query needed more memory than it may.", where="query", fix=_NARROWER)
    if error == "format":
        raise InvalidInput(
            f"The answer cannot be written in this format: {message}.",
            where="Accept",
            fix="Accept JSON for bindings or Turtle for a graph.",
        )
    place = re.match(r"error at (\d+):(\d+): (.*)", message, re.DOTALL)
    if place:
        line, column, found = place.groups()
        raise InvalidInput(
            f"This is not valid SPARQL: {found[:500]}.",
            where=f"line {line}, column {column}",
            fix="Correct the query; the grammar is that of SPARQL 1.1.",
        )
    raise InvalidInput(f"The query failed: {message[:500]}.", where="query")
