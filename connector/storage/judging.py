"""pySHACL in a process of its own, kept warm: it is slow, and a record that brings it down takes nothing with it."""

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

import msgspec
from pyoxigraph import Triple

from connector.errors import Busy, InvalidInput, TooLarge
from connector.standards.dcat.shacl import ShapeSet
from connector.standards.dcat.shacl.results import Result
from connector.standards.rdf import Triples
from connector.storage.shacl_terms import Answer, unpacked

_WORKER: Final = Path(__file__).with_name("shacl_worker.py")
_START_SECONDS: Final = 60.0
_MIB: Final = 1024 * 1024
_PIECE: Final = 65_536
_LARGEST: Final = 256 * _MIB  # of an answer
_answers: Final = msgspec.json.Decoder(Answer)


class Judges:
    """The process that judges, started when it is first needed and again when it did not survive.

    Args:
        seconds: how long one record may take.
        memory: bytes of address space the process may have.
        waiting: seconds to wait while it judges for another.
    """

    def __init__(self, *, seconds: float = 30.0, memory: int = 1024 * _MIB, waiting: float = 10.0) -> None:
        self._seconds, self._memory, self._waiting = seconds, memory, waiting
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._known: set[str] = set()
        self._buffer = b""
        self.taken: tuple[str, ...] = ()

    def results(self, shapes: ShapeSet, record: Triples, background: Triples = ()) -> list[Result]:
        """Return what pySHACL finds; see `judge.Judge.results`. Blocks, so call it from a worker thread.

        Raises:
            InvalidInput: pySHACL refuses the shapes, or gives up on the record.
            TooLarge: it took more time or memory than allowed.
            Busy: it was judging for others all the time.
        """
        if not self._turn.acquire(timeout=self._waiting):
            raise Busy("pySHACL is judging other records.", fix="Try again in a moment.")
        try:
            answer = self._ask(shapes, record, background)
        finally:
            self._turn.release()
        if answer.results is None:
            raise InvalidInput(answer.refused or "pySHACL gave no answer.", where="shapes")
        try:
            return [unpacked(row) for row in answer.results]
        except ValueError as error:
            raise InvalidInput(f"pySHACL gave an answer that is none: {error}") from error

    def start(self) -> None:
        """Start the process now, so that it has loaded what it needs when it is asked; waits for nothing."""
        with self._turn:
            self._spawn()

    def close(self) -> None:
        """End the process; who asks afterwards, as an audit that was under way may, is refused as busy."""
        with self._turn:
            self._closed = True
            self._end()

    def _ask(self, shapes: ShapeSet, record: Triples, background: Triples) -> Answer:
        process = self._running()
        end = time.monotonic() + self._seconds
        parts = {
            "shapes": b"" if shapes.digest in self._known else _written(shapes.shapes),
            "record": _written(record),
            "background": _written(background),
        }
        head = {"digest": shapes.digest, "seconds": self._seconds, **{name: len(part) for name, part in parts.items()}}
        request = json.dumps(head).encode() + b"\n" + b"".join(parts.values())
        try:
            self._send(process, request, end)
            answer = _answers.decode(self._line(process, end))
        except (msgspec.DecodeError, BrokenPipeError) as error:
            self._end()
            raise TooLarge("pySHACL did not survive the record.", fix="Send it in smaller parts.") from error
        if answer.results is not None:
            self._known.add(shapes.digest)
        return answer

    def _running(self) -> "subprocess.Popen[bytes]":
        process = self._spawn()
        if not self.taken:
            try:
                hello = json.loads(self._line(process, time.monotonic() + _START_SECONDS))
            except (TooLarge, ValueError) as error:
                self._end()
                raise Busy("pySHACL did not start.", fix="Ask the operator to look at its memory limit.") from error
            self.taken = tuple(hello["taken"])
        return process

    def _spawn(self) -> "subprocess.Popen[bytes]":
        if self._closed:
            raise Busy("The connector is closing.")
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._process = subprocess.Popen(  # noqa: S603 - our own script and no word of others
            [sys.executable, "-X", "utf8", str(_WORKER), str(self._memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"},  # nothing of ours
        )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        self._known, self._buffer, self.taken = set(), b"", ()
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait()

    def _send(self, process: "subprocess.Popen[bytes]", data: bytes, end: float) -> None:
        """Write the request; a process that reads nothing is not waited for beyond `end`."""
        pipe = _pipe(process.stdin).fileno()
        os.set_blocking(pipe, False)
        ready = select.poll()
        ready.register(pipe, select.POLLOUT)
        view = memoryview(data)
        while view:
            if not ready.poll(max(0.0, end - time.monotonic()) * 1000):
                self._late()
            view = view[os.write(pipe, view[:_PIECE]) :]

    def _line(self, process: "subprocess.Popen[bytes]", end: float) -> bytes:
        pipe = _pipe(process.stdout).fileno()
        ready = select.poll()
        ready.register(pipe, select.POLLIN)
        pieces = [self._buffer]
        while b"\n" not in pieces[-1]:
            if not ready.poll(max(0.0, end - time.monotonic()) * 1000) or sum(map(len, pieces)) > _LARGEST:
                self._late()
            got = os.read(pipe, _PIECE)
            if not got:
                self._end()
                raise TooLarge(
                    "pySHACL needed more time or memory than it may.", fix="Send the record in smaller parts."
                )
            pieces.append(got)
        line, _, self._buffer = b"".join(pieces).partition(b"\n")
        return line

    def _late(self) -> None:
        self._end()
        raise TooLarge("pySHACL took longer than it may.", fix="Send the record in smaller parts.")


def _written(triples: Sequence[Triple]) -> bytes:
    return "".join(f"{triple} .\n" for triple in triples).encode()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("The process was started without pipes.")
    return pipe
