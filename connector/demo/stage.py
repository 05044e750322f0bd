"""What the demo shows: a line for what happens as it happens, and the table at the end."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

COLUMNS: Final = ("step", "who", "what", "result", "time")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; its words are the same in every run, its time is not."""

    who: str
    what: str
    result: str
    milliseconds: int


@dataclass
class Stage:
    """Where lines are written, by several threads, and rows are collected."""

    write: Callable[[str], object] = sys.stdout.write
    rows: list[Row] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def say(self, text: str, *, indent: int = 1) -> None:
        """Write a text at once, each of its lines indented."""
        with self._turn:
            for line in text.splitlines():
                self.write("   " * indent + line.rstrip() + "\n")
            sys.stdout.flush()

    @contextmanager
    def step(self, who: str, what: str) -> Iterator[list[str]]:
        """Announce a step, and keep it as a row with the result that was put into the list, once it is done."""
        self.say(f"{len(self.rows) + 1}. {who}: {what}", indent=0)
        result: list[str] = []
        begun = time.monotonic()
        yield result
        self.rows.append(Row(who, what, "; ".join(result), round((time.monotonic() - begun) * 1000)))

    def table(self) -> None:
        """Write the table; nothing is written after it."""
        self.say("\n".join(lines(self.rows)), indent=0)


def lines(rows: Iterable[Row], *, timed: bool = True) -> Iterator[str]:
    """Yield the lines of the table; the times come last, so that what is before them is the same in every run.

    Args:
        rows: what happened.
        timed: False leaves the times out, to compare two runs.
    """
    cells = [COLUMNS[:4], *((str(number), row.who, row.what, row.result) for number, row in enumerate(rows, 1))]
    times = [COLUMNS[4], *(f"{row.milliseconds} ms" for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    for line, took in zip(cells, times, strict=True):
        words = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield f"{words}  {took}" if timed else words
