"""`greendeal dataset draft` and `upload`: records from data files."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from connector.cli.given import Files
from connector.cli.output import Form, say, write
from connector.cli.remote import HERE, ApiKey, Url, space
from connector.errors import InvalidInput, Refusal

if TYPE_CHECKING:
    from connector.formats import Description
    from connector.formats.sandbox.gather import Group
    from connector.formats.series import Member

INVALID: Final = 3
MEBIBYTE: Final = 1 << 20


def add_to(app: typer.Typer) -> None:
    """Add the commands to `greendeal dataset`."""
    app.command()(draft)
    app.command()(upload)


def draft(
    files: Annotated[list[str], typer.Argument(help="Files, folders, or patterns in quotes.")],
    home: Annotated[str, typer.Option(help="Address under which the datasets will be shown.")] = f"{HERE}/datasets",
    output: Annotated[str, typer.Option("--output", "-o", help="jsonl or turtle.")] = "jsonl",
    *,
    each: Annotated[bool, typer.Option("--each", help="A line for each file of a folder or pattern.")] = False,
    progress: Annotated[bool, typer.Option("--progress", help="Say how far it is, on a terminal anyway.")] = False,
) -> None:
    """Draft records from data files on this machine; nothing is sent. Exit code 3 when a file cannot be read."""
    if output not in {"jsonl", "turtle"}:
        raise typer.BadParameter("choose jsonl or turtle", param_hint="--output")
    failed = False
    for name, found, members in _described(files, each=each, shown=_Shown(progress or sys.stderr.isatty())):
        failed = failed or isinstance(found, Refusal)
        if output == "jsonl":
            _print_line(name, found)
        elif isinstance(found, Refusal):
            say(f"{name}: {found}")
        else:
            _print_records(name, found, members, home)
    if failed:
        raise typer.Exit(INVALID)


def upload(
    files: Files, url: Url = HERE, api_key: ApiKey = "", output: Annotated[Form, typer.Option("-o")] = Form.JSONL
) -> None:
    """Upload data files and print the records that they support, to be completed and registered."""
    here = space(url, api_key)
    for path in files:
        drafted = here.draft(path)
        for note in drafted.notes:
            say(f"{path.name}: {note}")
        write(drafted.record, output)


def _print_line(name: str, found: "Description | Refusal") -> None:
    from connector.formats.summary import refused, summary  # noqa: PLC0415 - see the package

    line = refused(name, found) if isinstance(found, Refusal) else summary(name, found)
    _put(json.dumps(line, ensure_ascii=False) + "\n")


def _put(text: str) -> None:
    """Write to standard output at once, as JSON and Turtle demand in UTF-8; a name that is none gets question marks."""
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has enough
        raise
    except OSError as error:
        say(f"The output cannot be written: {error.strerror}.")
        # What is left to be written goes nowhere, or Python would fail on it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from error


def _print_records(name: str, found: "Description", members: "list[Member]", home: str) -> None:
    from connector.capabilities.drafting import draft as drafted  # noqa: PLC0415 - see the package
    from connector.capabilities.drafting import draft_series  # noqa: PLC0415 - see the package
    from connector.standards import rdf  # noqa: PLC0415 - see the package
    from connector.standards.dcat import graph  # noqa: PLC0415 - see the package

    if found.kind == "series" and len(members) > 1:
        named = [(Path(path).name, each) for path, each in members]
        records = draft_series(found, named, Path(name).name, home=home)
    else:
        ((path, _),) = members if len(members) == 1 else ((name, found),)  # the file, not its folder
        records = (drafted(found, Path(path).name, home=home),)
    triples = tuple(triple for record in records for triple in graph.write(record))
    _put(rdf.serialise(triples, rdf.Format.TURTLE).decode())


class _Shown:
    """Says on standard error which file is read and how far it is; several threads may."""

    def __init__(self, on: bool) -> None:
        self._on = on
        self._lock = threading.Lock()
        self.total = 0
        self._done = 0

    def file(self, path: Path) -> "Any":
        """Return what is told how many bytes of how many of the file were read."""

        def told(done: int, size: int) -> None:
            with self._lock:
                say(f"reading {path}: {done / MEBIBYTE:.0f} of {size / MEBIBYTE:.0f} MiB")

        return told if self._on else None

    def done(self, path: Path) -> None:
        """Count a file."""
        with self._lock:
            self._done += 1
            if self._on:
                say(f"{self._done}/{self.total} {path}")


def _described(
    files: list[str], *, each: bool, shown: _Shown
) -> "Iterator[tuple[str, Description | Refusal, list[Member]]]":
    """Yield name, description and members of every file or series in the order given, or why it cannot be read."""
    from connector.formats.sandbox.forkserver import servers  # noqa: PLC0415 - see the package
    from connector.formats.sandbox.gather import gather  # noqa: PLC0415 - see the package
    from connector.formats.sandbox.isolation import READERS  # noqa: PLC0415 - see the package

    groups: list[tuple[str, Group | Refusal]] = []
    for named in files:
        try:
            groups += [(group.name, group) for group in gather(named, each=each)]
        except InvalidInput as no:
            groups.append((named, no))
    shown.total = sum(len(group.paths) for _, group in groups if not isinstance(group, Refusal))
    with ThreadPoolExecutor(READERS) as readers:
        waiting = [
            (
                name,
                group
                if isinstance(group, Refusal)
                else (group, [readers.submit(_read, p, shown) for p in group.paths]),
            )
            for name, group in groups
        ]
        try:
            for name, what in waiting:
                yield (name, what, []) if isinstance(what, Refusal) else (name, *_joined(*what))
        except BaseException:
            # Whoever stops the command does not wait for the file that is being read.
            readers.shutdown(wait=False, cancel_futures=True)
            servers.close()
            raise


def _read(path: Path, shown: _Shown) -> "Description | Refusal":
    from connector.formats import describe  # noqa: PLC0415 - see the package

    try:
        return describe(path, progress=shown.file(path))
    except Refusal as no:
        return no
    except OSError as error:  # the file went away while it was read, or the disk is full
        return InvalidInput(f"The file cannot be read: {error.strerror or error}.", where=str(path))
    finally:
        shown.done(path)


def _joined(
    group: "Group", reading: "list[Future[Description | Refusal]]"
) -> "tuple[Description | Refusal, list[Member]]":
    """Return the description of a group: that of its one file, or that of the series that can be read, and of whom."""
    from connector.formats.series import gathered  # noqa: PLC0415 - see the package

    if not group.several:
        found = reading[0].result()
        return found, [] if isinstance(found, Refusal) else [(str(group.paths[0]), found)]
    return gathered([(str(path), each.result()) for path, each in zip(group.paths, reading, strict=True)])
