"""Files of many records, cut into one record after the other in the memory that a few of them take.

A dump in RDF is sorted by subject on the disk first, where the statements about a dataset are found from the dataset
on, whatever order they came in; JSON lines are read line by line. The records of a file come in the same order each
time, so that a reader that was stopped goes on where it was.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from pyoxigraph import BlankNode, NamedNode, Triple

from connector.errors import InvalidInput, TooLarge
from connector.standards import rdf
from connector.standards.rdf import Format, Limits, full

LINES: Final = "application/jsonl"
"""Media type of JSON lines: a record in the plain form, or in JSON-LD, on each."""

LIMITS: Final = Limits(bytes=512 * 2**20, triples=50_000_000)
LINE_BYTES: Final = 16 * 2**20
RECORD_TRIPLES: Final = 50_000
HOPS: Final = 8
_TYPE: Final = NamedNode(full("rdf:type"))
_KINDS: Final = tuple(NamedNode(full(name)) for name in ("dcat:Dataset", "dcat:DatasetSeries"))
_OTHERS: Final = frozenset({*_KINDS, *(NamedNode(full(name)) for name in ("dcat:Catalog", "dcat:CatalogRecord"))})
_BATCH: Final = 10_000
_TABLES: Final = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000;
CREATE TABLE said (subject TEXT NOT NULL, statement TEXT NOT NULL, PRIMARY KEY (subject, statement)) WITHOUT ROWID;
CREATE TABLE kind (subject TEXT NOT NULL, record INTEGER NOT NULL);
"""
_RECORDS: Final = "SELECT subject FROM record WHERE record ORDER BY substr(subject, 1, 1) = '_', subject"
_SORTED: Final = """
CREATE TABLE record AS SELECT subject, MAX(record) AS record FROM kind GROUP BY subject;
CREATE INDEX record_subject ON record (subject);
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One record of a file: its number, counted from 1, and what it says.

    `record` are its triples and `subject` what they are about; where it came as a document, `data` and `media_type`.
    """

    number: int
    subject: str | None = None
    record: rdf.Triples = ()
    data: bytes = b""
    media_type: str = ""


def media_type_of(filename: str) -> str:
    """Return the media type of a file by its name.

    Raises:
        InvalidInput: it is no format that records come in.
    """
    if filename.lower().endswith((".jsonl", ".ndjson")):
        return LINES
    return Format.of(filename).media_type


class Dump:
    """A file of many records.

    Args:
        path: the file.
        media_type: `LINES`, or that of an RDF format.
        scratch: a folder of the file's own, made where there is none, which stays until `close`.
    """

    def __init__(self, path: Path, media_type: str, scratch: Path) -> None:
        self._path = path
        self._form = None if media_type == LINES else Format.of(media_type)
        self._scratch = scratch
        self._sorted: sqlite3.Connection | None = None

    def total(self) -> int:
        """Return how many records there are.

        Raises:
            InvalidInput: the file is not well-formed; `where` names the line.
            TooLarge: it is larger than such a file may be.
        """
        return sum(1 for _ in self._lines()) if self._form is None else len(self._subjects())

    def after(self, done: int, most: int) -> Iterator[Found | InvalidInput]:
        """Yield up to `most` records behind the first `done`; in the place of one that cannot be read its refusal."""
        if self._form is None:
            for number, line in enumerate(self._lines(), 1):
                if number > done + most:
                    return
                if number > done:
                    yield Found(number, data=line, media_type=_form_of(line))
            return
        subjects = self._subjects()[done : done + most]
        for number, subject in enumerate(subjects, done + 1):
            yield self._found(number, subject)

    def close(self, *, done: bool = False) -> None:
        """Let go of the file; when all is `done`, of what was sorted of it, too."""
        if self._sorted is not None:
            self._sorted.close()
        self._sorted = None
        if done:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while line := file.readline(LINE_BYTES + 1):
                if len(line) > LINE_BYTES:
                    raise TooLarge(f"A line is longer than {LINE_BYTES:,} bytes.")
                if line.strip():
                    yield line

    def _subjects(self) -> list[str]:
        """Return what the records are about, in order; datasets without a name of their own come last."""
        rows = self._loaded().execute(_RECORDS)
        return [subject for (subject,) in rows]

    def _found(self, number: int, name: str) -> Found | InvalidInput:
        if name.startswith("_:"):
            return InvalidInput("A dataset in the file has no IRI.", where=name, fix="Give it an absolute IRI.")
        subject = name[1:-1]
        try:
            record = self._about(name)
        except TooLarge as refusal:
            return refusal
        return Found(number, subject=subject, record=rdf.skolemise(record, subject))

    def _about(self, root: str) -> rdf.Triples:
        """Return what the file says of a record: of the node and of what it leads to, but not of other records."""
        seen, found, edge = {root}, list[Triple](), [root]
        for _ in range(HOPS):
            lines = [line for node in edge for line in self._said(node)]
            if len(found) + len(lines) > RECORD_TRIPLES:
                raise TooLarge(f"The record has more than {RECORD_TRIPLES} statements.", where=root)
            new = rdf.parse("".join(lines).encode(), Format.N_TRIPLES)
            found += new
            nodes = dict.fromkeys(str(each.object) for each in new if isinstance(each.object, NamedNode | BlankNode))
            edge = [node for node in nodes if node not in seen and not self._is_other(node)]
            if not edge:
                break
            seen.update(edge)
        return tuple(dict.fromkeys(found))

    def _said(self, node: str) -> list[str]:
        rows = self._loaded().execute("SELECT statement FROM said WHERE subject = ? ORDER BY statement", (node,))
        return [statement for (statement,) in rows]

    def _is_other(self, node: str) -> bool:
        """Say whether a node is a record of its own, or one of the catalog's."""
        return self._loaded().execute("SELECT 1 FROM record WHERE subject = ?", (node,)).fetchone() is not None

    def _loaded(self) -> sqlite3.Connection:
        """Return the sorted statements of the whole file; what was not sorted to its end is made anew."""
        if self._sorted is None:
            whole = self._scratch / "sorted.db"
            if not whole.exists():
                self._sort(whole)
            self._sorted = sqlite3.connect(whole, check_same_thread=False)
        return self._sorted

    def _sort(self, whole: Path) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        making = self._scratch / "making.db"
        with closing(sqlite3.connect(making, isolation_level=None)) as database:
            database.executescript(_TABLES)
            database.execute("BEGIN")
            triples = self._triples()
            while batch := list(islice(triples, _BATCH)):
                rows = ((str(each.subject), f"{each} .\n") for each in batch)
                database.executemany("INSERT OR IGNORE INTO said VALUES (?, ?)", rows)
                kinds = ((str(each.subject), each.object in _KINDS) for each in batch if _is_kind(each))
                database.executemany("INSERT INTO kind VALUES (?, ?)", kinds)
            database.execute("COMMIT")
            database.executescript(_SORTED)
        making.replace(whole)

    def _triples(self) -> Iterator[Triple]:
        assert self._form is not None  # noqa: S101 - asked for RDF only
        size = self._path.stat().st_size
        if size > LIMITS.bytes:
            raise TooLarge(f"The file has {size:,} bytes; {LIMITS.bytes:,} are allowed.", fix="Cut it into several.")
        yield from rdf.stream(self._path.read_bytes(), self._form, limits=LIMITS, merge_graphs=True)


def _is_kind(triple: Triple) -> bool:
    return triple.predicate == _TYPE and triple.object in _OTHERS


def _form_of(line: bytes) -> str:
    """Return the form of a line: JSON-LD where it has a context or keywords, else the plain one."""
    return Format.JSON_LD.media_type if b'"@' in line else "application/json"
