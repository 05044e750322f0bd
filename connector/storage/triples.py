"""The RDF projection: the records as named graphs in an Oxigraph store on disk. One writer, checkpoints for readers.

SQL is the truth; this store can be dropped and filled again at any time. It remembers a sequence number so that
its owner knows what to replay after a crash: the store is atomic and survives a killed process, but it does not
sync each commit, so a power cut may lose the last ones.

Two records of one graph may say the same triple (the name of a publisher they share). The store therefore keeps, in a
control graph beside each data graph that no query is ever given,

- per record its triples, packed into one literal: what was there before, exactly, without asking anybody;
- per triple that more than one record says, the number of those records; a triple without such a number has one holder.

Replacing a record touches only the difference, and a triple goes when its last holder lets go. Keeping a control
graph per record would have doubled the indexed size instead; asking the caller for the old triples would not survive a
replay.
"""

import base64
import hashlib
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import pyoxigraph as ox

from connector.errors import Busy, InvalidInput

_HOUSE: Final = "urn:greendeal:ns:"
_CONTROL: Final = f"{_HOUSE}control:"
_META: Final = ox.NamedNode(f"{_CONTROL}meta")
_STORE: Final = ox.NamedNode(f"{_HOUSE}store")
_SEQUENCE: Final = ox.NamedNode(f"{_HOUSE}sequence")
_SAYS: Final = ox.NamedNode(f"{_HOUSE}says")
_HOLDERS: Final = ox.NamedNode(f"{_HOUSE}holders")
_TRIPLES: Final = ox.NamedNode(f"{_HOUSE}triples")
_RECORDS: Final = ox.NamedNode(f"{_HOUSE}records")
LAYOUT: Final = f"1 pyoxigraph {'.'.join(ox.__version__.split('.')[:2])}"
"""What a store folder must say to be opened; another layout or engine series means: rebuild."""


class Change(NamedTuple):
    """What a record of a dataset graph now says; no triples means it is gone."""

    graph: str
    subject: str
    triples: tuple[ox.Triple, ...]


@dataclass(slots=True, eq=False)
class Checkpoint:
    """A read-only copy of the store made of hard links; kept as long as somebody reads it."""

    number: int
    path: Path
    sequence: int
    graphs: frozenset[str]
    taken: float
    readers: int = field(default=0, repr=False)


class Triples:
    """The writer. One per folder, in one process; its methods may be called from any thread.

    `folder` belongs to the store alone. `reset` says why the store was begun anew, or is None when it was found
    whole; `needs_reindex` is True until its owner has filled it from SQL and said so with a sequence number.
    """

    def __init__(self, folder: Path, *, now: Callable[[], float] = time.monotonic, reset: str | None = None) -> None:
        self.folder = folder
        self.reset = reset
        self._now = now
        self._lock = threading.RLock()
        self._checkpoints: list[Checkpoint] = []
        self._dirty = True
        self._frozen = False
        self._generation = max(_generations(folder), default=1)
        self._number = 0
        self._store = self._open()
        shutil.rmtree(
            folder / "checkpoints", ignore_errors=True
        )  # their readers ended with the process that wrote them
        (folder / "checkpoints").mkdir()

    @classmethod
    def open_or_reset(cls, folder: Path, *, now: Callable[[], float] = time.monotonic) -> "Triples":
        """Open the store in `folder`; one that is broken or of another layout is moved aside and begun anew.

        Raises Busy when another process writes to it.
        """
        try:
            return cls(folder, now=now)
        except _Unusable as unusable:
            broken = folder.with_name(folder.name + ".broken")
            shutil.rmtree(broken, ignore_errors=True)  # one is kept for inspection, not a growing pile
            folder.rename(broken)
            return cls(folder, now=now, reset=f"{unusable} It was moved to {broken.name}.")

    @property
    def needs_reindex(self) -> bool:
        """Whether no sequence number was ever written, so that the records have to be projected again.

        Who fills a new store writes one when it is full: a process that dies before that begins again.
        """
        return self.sequence() == 0

    # --- writing

    def replace(self, graph: str, subject: str, triples: Iterable[ox.Triple], sequence: int | None = None) -> None:
        """Let the record `subject` of `graph` say exactly `triples`; one transaction.

        Raises InvalidInput for a blank node (records come skolemised) or a term that is not valid RDF.
        """
        self.apply([Change(graph, subject, tuple(triples))], sequence)

    def remove(self, graph: str, subject: str, sequence: int | None = None) -> None:
        """Forget what the record `subject` of `graph` says; what other records say too stays."""
        self.apply([Change(graph, subject, ())], sequence)

    def apply(self, changes: Iterable[Change], sequence: int | None = None) -> None:
        """Make several changes in one transaction: all of them, or after a crash none.

        `sequence` is remembered when it is higher than the one known.
        """
        with self._lock:
            batch = _Batch(self._store, self._sizes)
            for change in changes:
                batch.say(change)
            self._commit(batch.update(), batch.sizes, sequence)

    def drop_graph(self, graph: str, sequence: int | None = None) -> None:
        """Forget every record of `graph`; an unknown graph is no error."""
        with self._lock:
            sizes = dict(self._sizes)
            sizes.pop(graph, None)
            drop = "".join(f"DROP SILENT GRAPH {node} ; " for node in (_data_graph(graph), _control_graph(graph)))
            self._commit(drop, sizes, sequence)

    def clear(self) -> None:
        """Empty the store at once, whatever its size: a new folder takes the place of the old one."""
        with self._lock:
            self._generation += 1
            del self._store
            self._store = self._open()  # a crash from here on finds two generations and keeps the newer
            self._dirty = True

    @contextmanager
    def rebuild(self) -> Iterator[None]:
        """Empty the store, let the block fill it, then compact it; readers keep the old state until the end."""
        with self._lock:
            self._newest(0)
            self._frozen = True
        try:
            self.clear()
            yield
            with self._lock:
                self._store.optimize()
        finally:
            with self._lock:
                self._frozen = False

    def close(self) -> None:
        """Let go of the folder. The object is of no use afterwards."""
        with self._lock:
            del self._store

    # --- reading

    def counts(self) -> dict[str, int]:
        """Return how many triples each graph has; kept as a number, not counted."""
        with self._lock:
            return {graph: size.triples for graph, size in self._sizes.items()}

    def records(self) -> dict[str, int]:
        """Return how many records each graph has."""
        with self._lock:
            return {graph: size.records for graph, size in self._sizes.items()}

    def subjects(self, graph: str) -> list[str]:
        """Return the records of `graph`, sorted; to compare with the truth."""
        with self._lock:
            said = self._store.quads_for_pattern(None, _SAYS, None, _control_graph(graph))
            return sorted(_text(quad.subject) for quad in said)

    def says(self, graph: str, subject: str) -> frozenset[ox.Triple]:
        """Return what the record `subject` of `graph` says, as the engine writes it (numbers in canonical form)."""
        with self._lock:
            return _said(self._store, graph, subject)

    def sequence(self) -> int:
        """Return the highest sequence number written, 0 for a fresh store."""
        with self._lock:
            return _number(self._store, _STORE, _SEQUENCE, _META) or 0

    # --- checkpoints

    def checkpoint(self) -> Checkpoint:
        """Return a checkpoint that holds everything written so far, making one if need be (1..70 ms)."""
        with self._lock:
            return self._newest(0)

    def lease(self, max_age: float = 0) -> Checkpoint:
        """Return a checkpoint to read from, at most `max_age` seconds behind the writer; `release` it afterwards."""
        with self._lock:
            checkpoint = self._newest(max_age)
            checkpoint.readers += 1
            return checkpoint

    def release(self, checkpoint: Checkpoint) -> None:
        """Say that a leased checkpoint is no longer read."""
        with self._lock:
            checkpoint.readers -= 1
            self._sweep()

    def _newest(self, max_age: float) -> Checkpoint:
        last = self._checkpoints[-1] if self._checkpoints else None
        if last and (self._frozen or not self._dirty or self._now() - last.taken < max_age):
            return last
        self._number += 1
        path = self.folder / "checkpoints" / str(self._number)
        self._store.backup(path)
        made = Checkpoint(self._number, path, self.sequence(), frozenset(self._sizes), self._now())
        self._checkpoints.append(made)
        self._dirty = False
        self._sweep()
        return made

    def _sweep(self) -> None:
        """Delete the checkpoints nobody reads, but the newest: each pins the disk space of its time."""
        for old in [c for c in self._checkpoints[:-1] if c.readers == 0]:
            shutil.rmtree(old.path, ignore_errors=True)
            self._checkpoints.remove(old)

    # --- inside

    def _open(self) -> ox.Store:
        path = self.folder / f"store-{self._generation}"
        _check_layout(self.folder)
        path.mkdir(exist_ok=True)
        try:
            store = ox.Store(path)
            self._sizes = _sizes(store)
        except (OSError, RuntimeError, ValueError) as error:
            if "lock" in str(error).lower():
                raise Busy(
                    f"The RDF store in {self.folder.name!r} is open in another process.",
                    fix="Stop the other connector that uses this folder, or give this one its own.",
                ) from error
            raise _Unusable(f"The RDF store could not be opened: {error}.") from error
        for other in _generations(self.folder):
            if other != self._generation:
                shutil.rmtree(self.folder / f"store-{other}", ignore_errors=True)
        return store

    def _commit(self, update: str, sizes: "Mapping[str, _Size]", sequence: int | None) -> None:
        """Run `update` and write the counters with it, as one transaction."""
        counters = _counters(self._sizes, sizes)
        known = self.sequence()
        if sequence is not None and sequence > known:
            counters += f"DELETE WHERE {{ GRAPH {_META} {{ {_STORE} {_SEQUENCE} ?n }} }} ; "
            counters += f"INSERT DATA {{ GRAPH {_META} {{ {_STORE} {_SEQUENCE} {sequence} }} }} ; "
        if update or counters:
            self._store.update(update + counters)
            self._sizes = dict(sizes)
            self._dirty = True


class _Unusable(Exception):  # noqa: N818 - never leaves this module
    """The folder does not hold a store this program can use."""


class _Size(NamedTuple):
    triples: int = 0
    records: int = 0


class _Batch:
    """The difference several changes make, computed against the store and against each other."""

    def __init__(self, store: ox.Store, sizes: Mapping[str, _Size]) -> None:
        self.sizes = dict(sizes)
        self._store = store
        self._said: dict[tuple[str, str], tuple[frozenset[ox.Triple], frozenset[ox.Triple]]] = {}
        self._holders: dict[tuple[str, ox.Triple], tuple[int, int]] = {}

    def say(self, change: Change) -> None:
        """Note that the record now says these triples."""
        key = change.graph, change.subject
        now = _as_stored(change)
        first, before = self._said.get(key) or (_said(self._store, *key),) * 2
        self._said[key] = first, now
        for triple in before - now:
            self._hold(change.graph, triple, -1)
        for triple in now - before:
            self._hold(change.graph, triple, +1)
        size = self.sizes.get(change.graph, _Size())
        self._resize(change.graph, size._replace(records=size.records + bool(now) - bool(before)))

    def _hold(self, graph: str, triple: ox.Triple, step: int) -> None:
        key = graph, triple
        stored, holders = self._holders.get(key) or (_holders(self._store, graph, triple),) * 2
        self._holders[key] = stored, holders + step
        size = self.sizes.get(graph, _Size())
        change = bool(holders + step) - bool(holders)
        self._resize(graph, size._replace(triples=size.triples + change))

    def _resize(self, graph: str, size: _Size) -> None:
        self.sizes[graph] = size
        if size == _Size():
            del self.sizes[graph]

    def update(self) -> str:
        """Return the difference as SPARQL Update; empty when there is none."""
        gone: list[str] = []
        new: list[str] = []
        for (graph, subject), (first, now) in self._said.items():
            if first != now:
                record = f"GRAPH {_control_graph(graph)} {{ {ox.NamedNode(subject)} {_SAYS} "
                gone += [f'{record} "{_pack(first)}" }}'] if first else []
                new += [f'{record} "{_pack(now)}" }}'] if now else []
        for (graph, triple), (stored, holders) in self._holders.items():
            quad = f"GRAPH {_data_graph(graph)} {{ {triple} }}"
            gone += [quad] if stored and not holders else []
            new += [quad] if holders and not stored else []
            if stored != holders:
                count = f"GRAPH {_control_graph(graph)} {{ {_triple_name(triple)} {_HOLDERS} "
                gone += [f"{count} {stored} }}"] if stored > 1 else []
                new += [f"{count} {holders} }}"] if holders > 1 else []
        delete = f"DELETE DATA {{ {' '.join(gone)} }} ; " if gone else ""
        return delete + (f"INSERT DATA {{ {' '.join(new)} }} ; " if new else "")


def _as_stored(change: Change) -> frozenset[ox.Triple]:
    """Return the triples as the engine will hand them back, so that sets of them can be compared.

    It writes numbers canonically ("010" becomes "10"). Reading the N-Triples back strictly also proves that the terms
    may stand in the text of an update: a leniently parsed IRI could hold a '>'.
    """
    try:
        text = ox.serialize(change.triples, format=ox.RdfFormat.N_TRIPLES)
        read = [quad.triple for quad in ox.parse(text, format=ox.RdfFormat.N_TRIPLES)]
    except (SyntaxError, ValueError) as error:
        raise InvalidInput(
            f"The record says something that is not valid RDF: {error}.", where=change.subject
        ) from error
    if read != list(change.triples):
        raise InvalidInput("The record has a term that N-Triples cannot carry.", where=change.subject)
    if any(_has_blank(term) for triple in read for term in triple):
        raise InvalidInput(
            "The record has blank nodes.", where=change.subject, fix="Skolemise it before it is projected."
        )
    store = ox.Store()
    store.extend(_quad(triple) for triple in read)
    return frozenset(quad.triple for quad in store)


def _quad(triple: ox.Triple, graph: ox.NamedNode | None = None) -> ox.Quad:
    return ox.Quad(triple.subject, triple.predicate, triple.object, graph)


def _text(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> str:
    """Return the value of an IRI or literal of the control graphs, which hold nothing else."""
    return str(term) if isinstance(term, ox.Triple) else term.value


def _has_blank(term: object) -> bool:
    return isinstance(term, ox.BlankNode) or (isinstance(term, ox.Triple) and any(_has_blank(part) for part in term))


def _data_graph(graph: str) -> ox.NamedNode:
    if graph.startswith(_CONTROL):
        raise InvalidInput("This graph name is reserved for the store's own notes.", where=graph)
    try:
        return ox.NamedNode(graph)
    except ValueError as error:
        raise InvalidInput(f"The name of a graph must be an absolute IRI: {error}.", where=graph) from error


def _control_graph(graph: str) -> ox.NamedNode:
    return ox.NamedNode(_CONTROL + hashlib.sha256(graph.encode()).hexdigest())


def _triple_name(triple: ox.Triple) -> ox.NamedNode:
    return ox.NamedNode(f"{_HOUSE}triple:{hashlib.sha256(str(triple).encode()).hexdigest()[:32]}")


def _said(store: ox.Store, graph: str, subject: str) -> frozenset[ox.Triple]:
    try:
        record = ox.NamedNode(subject)
    except ValueError as error:
        raise InvalidInput(f"A record must be named by an absolute IRI: {error}.", where=subject) from error
    _data_graph(graph)
    for quad in store.quads_for_pattern(record, _SAYS, None, _control_graph(graph)):
        return _unpack(_text(quad.object))
    return frozenset()


def _pack(triples: frozenset[ox.Triple]) -> str:
    """Pack triples into a literal; the same set always gives the same text, which the next difference deletes."""
    lines = "\n".join(sorted(f"{triple} ." for triple in triples))
    return base64.b85encode(zlib.compress(lines.encode(), 6)).decode()


def _unpack(text: str) -> frozenset[ox.Triple]:
    lines = zlib.decompress(base64.b85decode(text))
    return frozenset(quad.triple for quad in ox.parse(lines, format=ox.RdfFormat.N_TRIPLES))


def _holders(store: ox.Store, graph: str, triple: ox.Triple) -> int:
    if _quad(triple, _data_graph(graph)) not in store:
        return 0
    return _number(store, _triple_name(triple), _HOLDERS, _control_graph(graph)) or 1


def _number(store: ox.Store, subject: ox.NamedNode, predicate: ox.NamedNode, graph: ox.NamedNode) -> int | None:
    for quad in store.quads_for_pattern(subject, predicate, None, graph):
        return int(_text(quad.object))
    return None


def _sizes(store: ox.Store) -> dict[str, _Size]:
    sizes: dict[str, _Size] = {}
    for predicate, name in ((_TRIPLES, "triples"), (_RECORDS, "records")):
        for quad in store.quads_for_pattern(None, predicate, None, _META):
            graph = _text(quad.subject)
            sizes[graph] = sizes.get(graph, _Size())._replace(**{name: int(_text(quad.object))})
    return sizes


def _counters(before: Mapping[str, _Size], after: Mapping[str, _Size]) -> str:
    """Return the update that turns the counters of one state into those of the other."""
    update = ""
    for graph in sorted({*before, *after}):
        old, new = before.get(graph), after.get(graph)
        if old != new:
            for verb, size in (("DELETE", old), ("INSERT", new)):
                if size:
                    said = f"{_TRIPLES} {size.triples} ; {_RECORDS} {size.records}"
                    update += f"{verb} DATA {{ GRAPH {_META} {{ {_data_graph(graph)} {said} }} }} ; "
    return update


def _generations(folder: Path) -> list[int]:
    return [int(path.name[6:]) for path in folder.glob("store-*") if path.name[6:].isdecimal()]


def _check_layout(folder: Path) -> None:
    """Refuse a folder of another layout; a new folder is marked with ours."""
    mark = folder / "layout"
    folder.mkdir(parents=True, exist_ok=True)
    if mark.is_file():
        found = mark.read_text(encoding="utf-8", errors="replace")
        if found != LAYOUT:
            raise _Unusable(f"The RDF store has the layout {found[:80]!r}, not {LAYOUT!r}.")
    elif _generations(folder):
        raise _Unusable("The RDF store does not say its layout.")
    else:
        mark.write_text(LAYOUT, encoding="utf-8")
