"""The RDF projection: exact differences, shared triples, crashes, broken folders and checkpoints."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from connector.errors import Busy, InvalidInput
from connector.storage.triples import Change, Triples

NAME = ox.NamedNode("http://xmlns.com/foaf/0.1/name")
G, H = "did:web:a.example", "did:web:b.example"
RECORDS = [f"https://data.example/{number}" for number in range(3)]
XSD = "http://www.w3.org/2001/XMLSchema#"


def triple(subject: str, value: str | int = "x") -> ox.Triple:
    """Return a triple about a subject."""
    return ox.Triple(ox.NamedNode(subject), NAME, ox.Literal(value))


POOL = [triple("https://agency.example/", value) for value in range(6)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Triples]:
    """Return an empty store."""
    triples = Triples.open_or_reset(tmp_path / "rdf")
    yield triples
    triples.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triples]:
    """Return one store for the examples of a property, which each leave it empty."""
    triples = Triples.open_or_reset(tmp_path_factory.mktemp("kept") / "rdf")
    yield triples
    triples.close()


def quads(triples: Triples, graph: str) -> set[ox.Triple]:
    """Return what a query would find in a graph."""
    return {quad.triple for quad in triples._store.quads_for_pattern(None, None, None, ox.NamedNode(graph))}


def everything(triples: Triples) -> set[ox.Quad]:
    """Return the whole store but for the sequence number."""
    return {quad for quad in triples._store if quad.predicate.value != "urn:greendeal:ns:sequence"}


# --- differences ------------------------------------------------------------------------------------------------------

changes = st.builds(
    Change,
    st.sampled_from([G, H]),
    st.sampled_from(RECORDS),
    st.lists(st.sampled_from(POOL), max_size=4).map(tuple),
)
acts = st.lists(st.one_of(st.lists(changes, min_size=1, max_size=4), st.sampled_from([G, H])), min_size=1, max_size=8)


@given(acts)
@settings(max_examples=60)
def test_the_store_says_what_its_records_say(kept: Triples, acts: list[list[Change] | str]) -> None:
    """After any batches and dropped graphs each graph is the union of its records, and every count is right."""
    truth: dict[tuple[str, str], frozenset[ox.Triple]] = {}
    for act in acts:
        if isinstance(act, str):
            kept.drop_graph(act)
            truth = {key: said for key, said in truth.items() if key[0] != act}
            continue
        kept.apply(act)
        for change in act:
            truth[change[:2]] = frozenset(change.triples)
        for graph in (G, H):
            said = {key[1]: value for key, value in truth.items() if key[0] == graph and value}
            union = set().union(*said.values())
            assert quads(kept, graph) == union
            assert kept.counts().get(graph, 0) == len(union)
            assert kept.records().get(graph, 0) == len(said)
            assert kept.subjects(graph) == sorted(said)
            assert all(kept.says(graph, subject) == value for subject, value in said.items())
    event(f"shared: {sum(len(said) for said in truth.values()) > len(set().union(*truth.values()))}")
    kept.apply([Change(*key, ()) for key in truth])
    assert everything(kept) == set()  # nothing is left behind, not even a note


def test_a_shared_triple_stays_until_its_last_record_goes(store: Triples) -> None:
    """Two records name the same publisher: deleting one does not take the other's publisher away."""
    publisher = triple("https://agency.example/", "The agency")
    for record in RECORDS:
        store.replace(G, record, [triple(record), publisher])
    store.remove(G, RECORDS[0])
    store.replace(G, RECORDS[1], [triple(RECORDS[1])])
    assert publisher in quads(store, G)
    store.remove(G, RECORDS[2])
    assert quads(store, G) == {triple(RECORDS[1])}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("010", "integer"), ("10", "integer")),
        (("1e0", "double"), ("1.0", "double")),
        (("true", "boolean"), ("1", "boolean")),
    ],
)
def test_two_spellings_of_a_number_are_one_triple(
    store: Triples, first: tuple[str, str], second: tuple[str, str]
) -> None:
    """The engine keeps numbers canonically; the difference must see them as it does, or one would stay for ever."""
    said = [
        ox.Triple(ox.NamedNode(RECORDS[0]), NAME, ox.Literal(text, datatype=ox.NamedNode(XSD + kind)))
        for text, kind in (first, second)
    ]
    store.replace(G, RECORDS[0], said)
    assert store.counts() == {G: 1}
    store.replace(G, RECORDS[0], said[1:])
    assert store.counts() == {G: 1}
    store.remove(G, RECORDS[0])
    assert everything(store) == set()


def test_what_rdf_can_say_comes_back(store: Triples) -> None:
    """Quotes, line ends, directions and quoted triples survive the way into an update and out of the notes."""
    subject = ox.NamedNode(RECORDS[0])
    objects: list[ox.Literal | ox.Triple] = [
        ox.Literal('a"\\\n\r\t} ; DROP ALL #'),
        ox.Literal("é\U0001f30d", language="en"),
        ox.Triple(subject, NAME, ox.Literal("quoted")),
    ]
    said = [ox.Triple(subject, NAME, value) for value in objects]
    store.replace(G, RECORDS[0], said)
    assert quads(store, G) == set(said) == store.says(G, RECORDS[0])
    store.remove(G, RECORDS[0])
    assert everything(store) == set()


def test_a_record_with_blank_nodes_is_refused(store: Triples) -> None:
    """A blank node could never be found again to be replaced."""
    blank = ox.Triple(ox.NamedNode(RECORDS[0]), NAME, ox.BlankNode())
    with pytest.raises(InvalidInput, match="blank nodes"):
        store.replace(G, RECORDS[0], [blank])
    inside = ox.Triple(ox.NamedNode(RECORDS[0]), NAME, ox.Triple(ox.BlankNode(), NAME, ox.Literal("x")))
    with pytest.raises(InvalidInput, match="blank nodes"):
        store.replace(G, RECORDS[0], [inside])
    assert everything(store) == set()


def test_t13_a_leniently_parsed_iri_cannot_write_an_update(store: Triples) -> None:
    r"""`\u003E` in an IRI that nobody validated must not close the IRI in the text of our update."""
    evil = rb"<https://x/\u003E\u0020<b>\u0020<c>\u0020}}\u003B\u0020DROP\u0020ALL\u0020#> <http://p> <http://o> ."
    parsed = ox.parse(evil.replace(b"<b>", b"b").replace(b"<c>", b"c"), format=ox.RdfFormat.N_TRIPLES, lenient=True)
    store.replace(G, RECORDS[1], [triple(RECORDS[1])])
    with pytest.raises(InvalidInput, match="not valid RDF"):
        store.replace(G, RECORDS[0], [quad.triple for quad in parsed])
    assert store.counts() == {G: 1}


@pytest.mark.parametrize("graph", ["urn:greendeal:ns:control:meta", "not an iri", "a> { } } ; DROP ALL #"])
def test_t13_a_graph_has_a_name_of_its_own(store: Triples, graph: str) -> None:
    """No record is written into the store's notes, and no name writes an update."""
    with pytest.raises(InvalidInput):
        store.replace(graph, RECORDS[0], [POOL[0]])
    with pytest.raises(InvalidInput):
        store.drop_graph(graph)
    with pytest.raises(InvalidInput):
        store.replace(G, graph if " " in graph else "no iri", [POOL[0]])


def test_threads_do_not_lose_each_others_changes(store: Triples) -> None:
    """The store loses updates of racing writers silently; the lock must not let them race."""

    def write(worker: int) -> None:
        for number in range(10):
            store.replace(
                G, f"https://data.example/{worker}/{number}", [POOL[0], triple(f"https://x/{worker}/{number}")]
            )

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts() == {G: 41}
    for worker in range(4):
        for number in range(10):
            store.remove(G, f"https://data.example/{worker}/{number}")
    assert everything(store) == set()


# --- sequence, clearing, rebuilding -----------------------------------------------------------------------------------


def test_the_sequence_only_rises(store: Triples) -> None:
    """A replayed old change must not make the store look older than it is."""
    assert store.needs_reindex
    store.replace(G, RECORDS[0], [POOL[0]], sequence=7)
    store.replace(G, RECORDS[1], [POOL[0]], sequence=3)
    store.replace(G, RECORDS[2], [POOL[0]])
    assert store.sequence() == 7
    store.drop_graph(G, sequence=9)
    assert store.sequence() == 9
    assert not store.needs_reindex


def test_everything_is_found_again_after_a_restart(tmp_path: Path) -> None:
    """Counts, notes and sequence are in the store and not in the process."""
    first = Triples(tmp_path / "rdf")
    first.replace(G, RECORDS[0], POOL[:3], sequence=5)
    first.close()
    second = Triples.open_or_reset(tmp_path / "rdf")
    assert (second.counts(), second.records(), second.sequence()) == ({G: 3}, {G: 1}, 5)
    assert second.reset is None
    assert second.says(G, RECORDS[0]) == frozenset(POOL[:3])
    second.close()


def test_clear_leaves_an_empty_store_and_one_folder(store: Triples) -> None:
    """Clearing takes the place of a scan over everything; the old folder goes with it."""
    store.replace(G, RECORDS[0], POOL, sequence=5)
    store.clear()
    assert (store.counts(), store.sequence(), everything(store)) == ({}, 0, set())
    assert [path.name for path in store.folder.glob("store-*")] == ["store-2"]
    store.replace(G, RECORDS[0], POOL[:1])
    assert store.counts() == {G: 1}


def test_a_crash_while_clearing_keeps_the_newer_store(tmp_path: Path) -> None:
    """Killed between the new folder and the removal of the old one, the store opens empty and asks for a reindex."""
    first = Triples(tmp_path / "rdf")
    first.replace(G, RECORDS[0], POOL, sequence=5)
    first.close()
    (tmp_path / "rdf" / "store-2").mkdir()
    second = Triples.open_or_reset(tmp_path / "rdf")
    assert second.needs_reindex
    assert [path.name for path in second.folder.glob("store-*")] == ["store-2"]
    second.close()


def test_readers_keep_the_old_state_while_the_store_is_rebuilt(store: Triples) -> None:
    """A rebuild never shows a half-filled catalog; afterwards it shows the new one."""
    store.replace(G, RECORDS[0], POOL[:3], sequence=5)
    with store.rebuild():
        store.replace(G, RECORDS[1], POOL[:1], sequence=6)
        assert read(store, G) == set(POOL[:3])
    assert read(store, G) == set(POOL[:1])


def read(store: Triples, graph: str) -> set[ox.Triple]:
    """Read a graph through a checkpoint, as a worker does."""
    checkpoint = store.checkpoint()
    copy = ox.Store.read_only(str(checkpoint.path))
    return {quad.triple for quad in copy.quads_for_pattern(None, None, None, ox.NamedNode(graph))}


# --- folders that cannot be used --------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["CURRENT", "MANIFEST-*", "layout", "no layout"])
def test_an_unusable_store_is_moved_aside_and_begun_anew(tmp_path: Path, damage: str) -> None:
    """A broken file or another layout costs a reindex and not the start of the connector."""
    folder = tmp_path / "rdf"
    first = Triples(folder)
    first.replace(G, RECORDS[0], POOL, sequence=5)
    first.close()
    if damage == "no layout":
        (folder / "layout").unlink()
    for path in folder.rglob(damage):
        path.write_bytes(b"garbage")
    second = Triples.open_or_reset(folder)
    assert second.reset is not None
    assert "rdf.broken" in second.reset
    assert second.needs_reindex
    assert (tmp_path / "rdf.broken" / "store-1").is_dir()
    second.replace(G, RECORDS[0], POOL[:1], sequence=1)
    second.close()
    third = Triples.open_or_reset(folder)
    assert (third.reset, third.counts()) == (None, {G: 1})
    third.close()


def test_a_store_in_use_is_not_taken_for_broken(store: Triples) -> None:
    """A second writer is told to wait; the folder of the first is left alone."""
    store.replace(G, RECORDS[0], POOL, sequence=5)
    with pytest.raises(Busy, match="another process"):
        Triples.open_or_reset(store.folder)
    assert store.checkpoint().path.is_dir()
    assert store.counts() == {G: len(POOL)}


# --- crashes ----------------------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import pyoxigraph as ox
from connector.storage.triples import Triples
name = ox.NamedNode("http://xmlns.com/foaf/0.1/name")
store = Triples(Path(sys.argv[1]))
for sequence in range(1, 100_000):
    record = f"https://data.example/{sequence % 7}"
    own, shared = ox.Literal(sequence), ox.Literal(sequence % 3)
    said = [ox.Triple(ox.NamedNode(record), name, own), ox.Triple(name, name, shared)]
    store.replace("did:web:a.example", record, said, sequence=sequence)
    print(sequence, flush=True)
"""


def said_at(sequence: int) -> tuple[str, list[ox.Triple]]:
    """Return the record and what it says at a step of the writer above."""
    record = f"https://data.example/{sequence % 7}"
    return record, [triple(record, sequence), ox.Triple(NAME, NAME, ox.Literal(sequence % 3))]


@pytest.mark.parametrize("acknowledged", [1, 8, 40])
def test_a_killed_writer_loses_nothing_it_acknowledged_and_replays_to_the_same(
    tmp_path: Path, acknowledged: int
) -> None:
    """After kill -9 the store is at a whole step; replaying the last steps gives what a fresh build gives."""
    root = str(Path(__file__).resolve().parents[2])
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "rdf"), root], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for _ in range(acknowledged):
        last = int(writer.stdout.readline())
    writer.kill()
    writer.wait()
    rest = writer.stdout.read().split()
    writer.stdout.close()
    last = int(rest[-1]) if rest and rest[-1].isdecimal() else last

    store = Triples.open_or_reset(tmp_path / "rdf")
    assert store.reset is None
    reached = store.sequence()
    assert reached in {last, last + 1}
    for sequence in range(max(1, reached - 5), reached + 4):
        store.replace(G, *said_at(sequence), sequence=sequence)
    fresh = Triples(tmp_path / "fresh")
    for sequence in range(1, reached + 4):
        fresh.replace(G, *said_at(sequence), sequence=sequence)
    assert set(store._store) == set(fresh._store)
    store.close()
    fresh.close()


# --- checkpoints ------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_made_only_when_something_was_written(store: Triples) -> None:
    """Asking twice costs nothing the second time, and a change is seen at once."""
    first = store.checkpoint()
    assert store.checkpoint() is first
    store.replace(G, RECORDS[0], [POOL[0]], sequence=4)
    second = store.checkpoint()
    assert (second.number, second.sequence, second.graphs) == (first.number + 1, 4, frozenset({G}))
    assert read(store, G) == {POOL[0]}
    store.replace(G, RECORDS[0], [POOL[0]])  # says nothing new
    assert store.checkpoint() is second


def test_an_old_checkpoint_lives_as_long_as_it_is_read(store: Triples) -> None:
    """Readers are never cut off, and nobody's old checkpoints fill the disk."""
    old = store.lease()
    again = store.lease()
    assert again is old
    store.replace(G, RECORDS[0], [POOL[0]])
    newest = store.checkpoint()
    store.release(old)
    assert old.path.is_dir()
    store.release(again)
    assert not old.path.exists()
    assert newest.path.is_dir()


def test_a_lease_may_lie_behind_by_its_age_and_no_more(tmp_path: Path) -> None:
    """Readers who can wait share a checkpoint; time, moved by the test, makes it too old."""
    now = [100.0]
    store = Triples(tmp_path / "rdf", now=lambda: now[0])
    first = store.lease(1.0)
    store.replace(G, RECORDS[0], [POOL[0]])
    now[0] += 0.9
    assert store.lease(1.0) is first
    assert store.lease(0) is not first
    store.replace(G, RECORDS[0], [POOL[1]])
    now[0] += 1.0
    assert store.lease(1.0).number == 3
    store.close()


def test_checkpoints_of_an_earlier_process_are_removed(tmp_path: Path) -> None:
    """Their readers ended with it; what they pin on the disk must not stay."""
    first = Triples(tmp_path / "rdf")
    first.checkpoint()
    first.close()
    second = Triples(tmp_path / "rdf")
    assert list((tmp_path / "rdf" / "checkpoints").iterdir()) == []
    second.close()
    shutil.rmtree(tmp_path / "rdf")
