"""Foreign SPARQL in worker processes: rights, formats, limits, and what happens to a worker that misbehaves."""

import csv
import io
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from connector.errors import Busy, InvalidInput, TooLarge
from connector.storage import sparql_worker
from connector.storage.sparql import Limits, QueryPool, Result, _Worker
from connector.storage.sparql_gate import Kind
from connector.storage.triples import Change, Triples

A, B = "did:web:a.example", "did:web:b.example"
TITLE = ox.NamedNode("http://purl.org/dc/terms/title")
# Shapes the engine cannot be talked out of once it has begun them.
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n ?o }"
HOG = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l } ORDER BY ?a ?l ?o"
TITLE_OF = "SELECT ?o {{ <https://a.example/{}> ?p ?o }}"
EVERY = "SELECT ?s ?o { ?s ?p ?o }"
SECONDS = 60.0
"""Far longer than anything here takes: what ends earlier ended for its own reason."""


def record(graph: str, number: int) -> Change:
    """Return a small record of a graph."""
    name = f"https://{graph[8:]}/{number}"
    return Change(graph, name, (ox.Triple(ox.NamedNode(name), TITLE, ox.Literal(f"Dataset {number}", language="en")),))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triples]:
    """Return a store with 60 records in each of two graphs."""
    triples = Triples.open_or_reset(tmp_path_factory.mktemp("sparql") / "rdf")
    triples.apply([record(graph, number) for graph in (A, B) for number in range(60)], sequence=120)
    yield triples
    triples.close()


@pytest.fixture(scope="module")
def pool(store: Triples) -> Iterator[QueryPool]:
    """Return a pool that all tests that do not break it share."""
    pool = QueryPool(store, size=1)
    yield pool
    pool.close()


def rows(result: Result) -> list[dict[str, str]]:
    """Return the values of a JSON answer."""
    found = json.loads(result.body)["results"]["bindings"]
    return [{name: term["value"] for name, term in row.items()} for row in found]


def gone(pid: int) -> bool:
    """Return whether a process has ended, giving it a while to do so."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        threading.Event().wait(0.05)
    return False


def worker_of(pool: QueryPool) -> "subprocess.Popen[bytes]":
    """Return the process of the pool's idle worker, starting it."""
    pool.query("ASK {}", [A])
    process = pool._idle[0]._process
    assert process is not None
    return process


# --- rights -----------------------------------------------------------------------------------------------------------


def test_the_default_graph_is_the_union_of_what_may_be_read(pool: QueryPool) -> None:
    """Without GRAPH a query sees all allowed graphs merged, and with None all there are."""
    count = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
    for graphs, expected in ((None, "120"), ([A, B], "120"), ([A], "60"), ([], "0")):
        assert rows(pool.query(count, graphs)) == [{"n": expected}]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ?s { ?s ?p ?o }",
        "SELECT ?s { GRAPH ?g { ?s ?p ?o } }",
        "SELECT ?s { GRAPH <did:web:b.example> { ?s ?p ?o } }",
        "SELECT ?s FROM NAMED <did:web:a.example> { GRAPH ?g { ?s ?p ?o } }",
        "SELECT ?s { { SELECT ?s { { SELECT * { GRAPH ?g { ?s ?p ?o } } } } } }",
        "SELECT ?s { ?x ?y ?z FILTER EXISTS { GRAPH ?g { ?s ?p ?o } } GRAPH ?h { ?s ?p ?o } }",
    ],
)
def test_t13_no_query_leaves_the_graphs_it_may_read(pool: QueryPool, text: str) -> None:
    """Neither GRAPH nor FROM NAMED nor a sub-select shows what belongs to another visibility class."""
    found = rows(pool.query(text, [A]))
    assert all(row["s"].startswith("https://a.example/") for row in found)


def test_t13_describe_and_construct_stay_within_the_graphs(pool: QueryPool) -> None:
    """A description does not fetch triples from outside either."""
    assert pool.query("DESCRIBE <https://b.example/1>", [A]).body == b""
    assert pool.query("CONSTRUCT { ?s ?p ?o } { GRAPH ?g { ?s ?p ?o } }", [B]).count == 60


def test_t13_the_stores_own_notes_are_not_data(pool: QueryPool) -> None:
    """The control graphs are in the same store and in nobody's dataset."""
    found = rows(pool.query("SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }", None))
    assert sorted(row["g"] for row in found) == [A, B]
    assert rows(pool.query("SELECT ?s { ?s <urn:greendeal:ns:says> ?o }", None)) == []


def test_from_narrows_and_never_widens(pool: QueryPool) -> None:
    """FROM picks among the allowed graphs; anything else is refused and not answered emptily."""
    count = "SELECT (COUNT(*) AS ?n) FROM <%s> { ?s ?p ?o }"
    assert rows(pool.query(count % A, None)) == [{"n": "60"}]
    for graph in (B, "file:///etc/passwd", "http://127.0.0.1/"):
        with pytest.raises(InvalidInput, match="not among the graphs"):
            pool.query(count % graph, [A])


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["SELECT * { SERVICE <http://x/> {} }", "LOAD <http://x/>", "SELECT * { ?s ?p " + "x" * 70_000]
)
def test_t13_what_the_gate_refuses_starts_no_worker(store: Triples, text: str) -> None:
    """A refused text costs nothing."""
    pool = QueryPool(store, size=1)
    with pytest.raises(InvalidInput):
        pool.query(text, None)
    assert not pool._all
    pool.close()


def test_a_syntax_error_says_where(pool: QueryPool) -> None:
    """The engine's place is passed on in the words of every other refusal."""
    with pytest.raises(InvalidInput) as refused:
        pool.query("SELECT * {\n ?s ?p }", [A])
    assert refused.value.where == "line 2, column 9"
    assert worker_of(pool).poll() is None


def test_a_format_that_cannot_carry_the_answer_is_refused(pool: QueryPool) -> None:
    """XML has no way to write a control character, RDF/XML none for a property that ends in a digit after a slash."""
    with pytest.raises(InvalidInput, match="cannot be written"):
        pool.query("SELECT ('a\u0001' AS ?x) {}", [A], "application/sparql-results+xml")
    with pytest.raises(InvalidInput, match="text/turtle"):
        pool.query("CONSTRUCT WHERE { ?s ?p ?o }", [A], "text/csv")


# --- limits -----------------------------------------------------------------------------------------------------------


def test_t13_a_late_query_is_killed_and_the_next_one_answered(store: Triples) -> None:
    """A cartesian product ends at the deadline with its process, and the seat is free again."""
    pool = QueryPool(store, size=1)
    process = worker_of(pool)
    with pytest.raises(TooLarge, match="longer than it may"):
        pool.query(ENDLESS, None, limits=Limits(seconds=0.3))
    assert gone(process.pid)
    assert pool.query("ASK { ?s ?p ?o }", None).body == b'{"head":{},"boolean":true}'
    pool.close()


def test_t13_a_stopped_query_frees_the_processor(store: Triples) -> None:
    """When the asker has gone away, the query does not run on."""
    pool = QueryPool(store, size=1)
    process = worker_of(pool)
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Busy, match="stopped"):
        pool.query(ENDLESS, None, limits=Limits(seconds=SECONDS), stop=stop)
    assert gone(process.pid)
    pool.close()


def test_t13_a_query_that_eats_memory_dies_alone(store: Triples) -> None:
    """The limit is the worker's: it ends, the pool and the process that serves go on."""
    pool = QueryPool(store, size=1, memory=512 * 1024 * 1024)
    with pytest.raises(TooLarge, match="memory"):
        pool.query(HOG, None, limits=Limits(seconds=SECONDS))
    assert pool.query("ASK { ?s ?p ?o }", None).count == 0
    pool.close()


@pytest.mark.parametrize(("text", "whole"), [(EVERY, 120), ("CONSTRUCT WHERE { ?s ?p ?o }", 120)])
def test_rows_over_the_limit_are_left_out_and_said_so(pool: QueryPool, text: str, whole: int) -> None:
    """An answer that is not whole says so, so that nobody serves it as a success."""
    for limit in (1, 119, 120, 121):
        result = pool.query(text, None, limits=Limits(rows=limit))
        assert (result.count, result.truncated) == (min(limit, whole), limit < whole)


def test_bytes_over_the_limit_are_left_out_and_said_so(pool: QueryPool) -> None:
    """The size is capped too: few rows may be huge."""
    big = "SELECT (CONCAT(?o, ?o, ?o, ?o) AS ?x) { ?s ?p ?o }"
    result = pool.query(big, None, limits=Limits(size=1000))
    assert result.truncated
    assert 0 < len(rows(result)) < 120
    assert len(result.body) < 1200
    graph = pool.query("CONSTRUCT WHERE { ?s ?p ?o }", None, "application/n-triples", limits=Limits(size=1000))
    assert graph.truncated
    assert len(graph.body) <= 1000


def test_a_deep_but_allowed_nesting_is_answered(pool: QueryPool) -> None:
    """Sub-selects up to the gate's depth neither crash the parser nor change the answer."""
    text = "SELECT * { ?s ?p ?o }"
    for _ in range(40):
        text = f"SELECT * {{ {text} }}"
    assert pool.query(text, [A]).count == 60


# --- the process ------------------------------------------------------------------------------------------------------


def test_t13_a_worker_reaches_nobody_even_when_asked_to(store: Triples) -> None:
    """Behind the gate there is a second wall: asked directly, a worker cannot reach a server on this very machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        worker = _Worker(2**31)
        checkpoint = worker.read(store, 0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        request: dict[str, Any] = {
            "path": str(checkpoint.path),
            "query": f"SELECT * {{ SERVICE <{url}> {{ ?s ?p ?o }} }}",
            "default": [],
            "named": [],
            "format": "application/json",
            "rows": 10,
            "size": 1000,
            "cpu": SECONDS,
        }
        said, _ = worker.ask(request, SECONDS, None)
        assert {"network", "calls"} & set(worker.taken)
        worker.end()
        assert said["error"] == "run"
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("wall", ["unshare", "prctl"])
def test_t13_each_wall_holds_alone(wall: str) -> None:
    """Where a system lacks namespaces or system-call filters, the other still keeps the worker in."""
    code = f"""
import runpy, socket, sys
module = runpy.run_path(sys.argv[1])
import ctypes
class Partly(ctypes.CDLL):
    def __getattr__(self, name):
        if name == {wall!r}: raise AttributeError(name)
        return super().__getattr__(name)
module["hold"].__globals__["ctypes"].CDLL = Partly
taken = module["hold"](2**31)
try:
    with socket.socket() as probe:
        probe.settimeout(2)
        probe.connect(("127.0.0.1", int(sys.argv[2])))
    print("reached", taken)
except OSError:
    print("kept in", taken)
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", code, sparql_worker.__file__, str(server.getsockname()[1])]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if said == "reached ['memory']\n":
        pytest.skip("This system allows neither wall on its own.")
    assert said.startswith("kept in")


def test_t13_a_worker_starts_no_program() -> None:
    """The system-call filter refuses new programs too."""
    code = """
import os, runpy, sys
taken = runpy.run_path(sys.argv[1])["hold"](2**31)
try:
    os.execv("/bin/true", ["true"])
except PermissionError:
    print("refused")
"""
    if platform.machine() not in sparql_worker._CALLS:
        pytest.skip("There is no filter for this machine.")
    said = subprocess.run(
        [sys.executable, "-c", code, sparql_worker.__file__], capture_output=True, text=True, check=True
    )
    assert said.stdout == "refused\n"


def test_t13_a_worker_knows_nothing_of_our_environment(pool: QueryPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets in the environment of the server are not in that of the process that runs foreign queries."""
    monkeypatch.setenv("CONNECTOR_SECRET", "canary")
    environment = Path(f"/proc/{worker_of(pool).pid}/environ").read_bytes()
    assert b"canary" not in environment
    assert b"HOME" not in environment


def test_t13_a_worker_ends_with_its_parent_in_the_middle_of_a_query(tmp_path: Path) -> None:
    """A killed server leaves no query behind that nobody waits for."""
    code = """
import sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import pyoxigraph as ox
from connector.storage.triples import Triples
from connector.storage.sparql import Limits, QueryPool
store = Triples(Path(sys.argv[1]))
name = ox.NamedNode("http://x/p")
store.replace("http://g", "http://r", [ox.Triple(name, name, ox.Literal(n)) for n in range(200)])
pool = QueryPool(store, size=1)
pool.query("ASK {}", None)
pid = pool._idle[0]._process.pid
threading.Thread(target=pool.query, args=(sys.argv[3], None), kwargs={"limits": Limits(seconds=600)}).start()
print(pid, flush=True)
"""
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", code, str(tmp_path / "rdf"), root, ENDLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        threading.Event().wait(0.3)
        parent.send_signal(signal.SIGKILL)
    assert gone(worker)


def test_a_worker_that_died_while_idle_is_replaced(store: Triples) -> None:
    """The system may kill any process; the next query does not notice."""
    pool = QueryPool(store, size=1)
    process = worker_of(pool)
    process.kill()
    process.wait()
    assert pool.query("ASK { ?s ?p ?o }", None).media_type == "application/sparql-results+json"
    pool.close()


def test_workers_start_when_needed_and_end_with_the_pool(store: Triples) -> None:
    """A connector nobody asks has no workers, and none outlives the pool."""
    pool = QueryPool(store, size=2)
    assert not pool._all
    process = worker_of(pool)
    assert len(pool._all) == 1
    pool.close()
    assert gone(process.pid)
    with pytest.raises(Busy, match="shutting down"):
        pool.query("ASK {}", None)


def test_closing_ends_a_running_query(store: Triples) -> None:
    """Shutting down does not wait for a stranger's query."""
    pool = QueryPool(store, size=1)
    process = worker_of(pool)
    threading.Timer(0.2, pool.close).start()
    with pytest.raises(Busy):
        pool.query(ENDLESS, None, limits=Limits(seconds=SECONDS))
    assert gone(process.pid)


def test_more_than_may_wait_are_turned_away(store: Triples) -> None:
    """The queue is bounded: a flood is told to come back, at once."""
    pool = QueryPool(store, size=1, waiting=0)
    worker_of(pool)
    stop = threading.Event()
    refused: list[Exception] = []

    def ask() -> None:
        try:
            pool.query(ENDLESS, None, limits=Limits(seconds=SECONDS), stop=stop)
        except Busy as error:
            refused.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    while not pool._present:
        threading.Event().wait(0.01)
    with pytest.raises(Busy, match="Too many"):
        pool.query("ASK {}", None)
    stop.set()
    asker.join()
    assert "stopped" in str(refused[0])
    pool.close()


def test_several_threads_share_the_workers(store: Triples) -> None:
    """Answers are never mixed up between askers."""
    pool = QueryPool(store, size=2)
    wrong: list[object] = []

    def ask(number: int) -> None:
        for _ in range(5):
            found = rows(pool.query(TITLE_OF.format(number), None))
            if found != [{"o": f"Dataset {number}"}]:
                wrong.append((number, found))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    pool.close()


# --- freshness --------------------------------------------------------------------------------------------------------


def test_a_fresh_query_sees_what_was_just_written(tmp_path: Path) -> None:
    """Whoever registered a dataset finds it at once when they ask for it; others may see it a little later."""
    store = Triples(tmp_path / "rdf")
    pool = QueryPool(store, size=1, stale=3600)
    assert pool.query(EVERY, None).sequence == 0
    for number in range(1, 4):
        store.apply([record(A, number)], sequence=number)
        result = pool.query(EVERY, None, fresh=True)
        assert (result.sequence, result.count) == (number, number)
    store.apply([record(A, 4)], sequence=4)
    assert pool.query(EVERY, None).sequence == 3
    assert len(list((tmp_path / "rdf" / "checkpoints").iterdir())) == 1  # the old ones went when the worker moved on
    pool.close()
    store.close()


# --- formats ----------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
iris = st.sampled_from(["http://x/a", "urn:é", "http://x/a?b=c&d='e'"]).map(ox.NamedNode)
literals = st.one_of(
    texts.map(ox.Literal),
    st.builds(lambda text, tag: ox.Literal(text, language=tag), texts, st.sampled_from(["en", "el-GR"])),
    st.builds(lambda text, kind: ox.Literal(text, datatype=kind), texts, iris),
    st.integers().map(ox.Literal),
    st.booleans().map(ox.Literal),
)
quoted = st.builds(ox.Triple, iris, iris, literals)
plain: st.SearchStrategy[Any] = st.one_of(iris, literals, st.just(ox.BlankNode("b")))
terms: st.SearchStrategy[Any] = st.one_of(plain, quoted)


def solutions(values: list[Any]) -> ox.QuerySolutions:
    """Return solutions with these values of ?o, one of them also unbound."""
    store = ox.Store()
    for number, value in enumerate(values):
        store.add(ox.Quad(ox.NamedNode(f"http://s/{number}"), ox.NamedNode("http://p"), value))
    found = store.query("SELECT ?o ?n ?unbound { { ?s ?p ?o } UNION { BIND(1 AS ?n) } } ORDER BY ?s")
    assert isinstance(found, ox.QuerySolutions)
    return found


def read(body: bytes, media_type: str) -> list[tuple[Any, ...]]:
    """Read a result document back with the engine's parser."""
    formats = {"+json": ox.QueryResultsFormat.JSON, "+xml": ox.QueryResultsFormat.XML}
    format_ = next((f for end, f in formats.items() if media_type.endswith(end)), ox.QueryResultsFormat.TSV)
    parsed = ox.parse_query_results(body, format=format_)
    assert isinstance(parsed, ox.QuerySolutions)
    return [tuple(row) for row in parsed]


@pytest.mark.parametrize(
    "media_type", ["application/sparql-results+json", "application/sparql-results+xml", "text/tab-separated-values"]
)
@given(values=st.lists(terms, max_size=4), limit=st.integers(0, 6), size=st.integers(0, 900))
@example(values=[ox.Literal(text) for text in ("\n", " ", "  a ", "\ta\r\n")], limit=4, size=900)
@settings(max_examples=60)
def test_result_documents_read_back_as_they_were(media_type: str, values: list[Any], limit: int, size: int) -> None:
    """Each format carries every term, and a cut document is a whole one with fewer rows."""
    expected = [tuple(row) for row in solutions(values)]
    for answer in (sparql_worker.Answer(1000, 10**6), sparql_worker.Answer(limit, size)):
        try:
            body = sparql_worker.bindings(solutions(values), media_type, answer)
        except ValueError:
            event("not XML")
            assert media_type.endswith("xml")
            assert any(sparql_worker._NOT_XML.search(str(row)) for row in expected)
            return
        assert read(body, media_type) == expected[: answer.count]
        assert answer.truncated == (answer.count < len(expected))
    event(f"cut: {answer.truncated}")


@given(st.lists(plain, max_size=4))
@settings(max_examples=60)
def test_csv_is_what_the_engine_writes(values: list[Any]) -> None:
    """CSV drops types, so it is compared with the engine's own; any reader of RFC 4180 finds the rows."""
    body = sparql_worker.bindings(solutions(values), "text/csv", sparql_worker.Answer(1000, 10**6))
    assert body == solutions(values).serialize(format=ox.QueryResultsFormat.CSV)
    table = list(csv.reader(io.StringIO(body.decode(), newline="")))
    assert table[0] == ["o", "n", "unbound"]
    assert len(table) == len(values) + 2


@pytest.mark.parametrize("media_type", list(sparql_worker.GRAPH_FORMATS))
def test_graphs_read_back_as_they_were(pool: QueryPool, media_type: str) -> None:
    """CONSTRUCT in each format is the same set of triples; a triple the template makes twice is there once."""
    result = pool.query("CONSTRUCT { ?s ?p ?o } { { ?s ?p ?o } UNION { ?s ?p ?o } }", [A], media_type)
    assert (result.kind, result.media_type, result.count) == (Kind.CONSTRUCT, media_type, 60)
    parsed = {quad.triple for quad in ox.parse(result.body, format=sparql_worker.GRAPH_FORMATS[media_type])}
    assert parsed == {triple for number in range(60) for triple in record(A, number).triples}


def test_ask_is_answered_in_both_its_formats(pool: QueryPool) -> None:
    """JSON by default, XML on request."""
    assert json.loads(pool.query("ASK { ?s ?p ?o }", [A]).body)["boolean"] is True
    xml = pool.query("ASK { ?s ?p ?o }", [], "application/sparql-results+xml").body
    assert b"<boolean>false</boolean>" in xml
