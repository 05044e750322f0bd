"""The process that runs foreign queries: it reads one checkpoint, has no network, and may be killed at any moment.

Started as a script by `sparql.QueryPool`, so that it loads pyoxigraph and nothing else of the connector. It speaks over
its pipes: a line of JSON in per query, a line of JSON and as many bytes as that line says out.

What holds it: a namespace of its own without interfaces where the system allows one, a system-call filter that refuses
sockets and new programs, limits on memory and processor time, and the parent, which kills it at the deadline. It
ends by itself when the parent is gone, also in the middle of a query.
"""

import contextlib
import ctypes
import gc
import json
import os
import platform
import re
import resource
import select
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, Any
from xml.sax.saxutils import escape, quoteattr

import pyoxigraph as ox

GRAPH_FORMATS = {
    "text/turtle": ox.RdfFormat.TURTLE,
    "application/ld+json": ox.RdfFormat.JSON_LD,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
    "application/rdf+xml": ox.RdfFormat.RDF_XML,
}
"""How a graph is written, by media type."""
PREFIXES = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "locn": "http://www.w3.org/ns/locn#",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "prov": "http://www.w3.org/ns/prov#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
"""The prefixes a graph is written with, as far as it uses them."""
Term = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple
_STRING = "http://www.w3.org/2001/XMLSchema#string"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Answer:
    """The bytes of an answer, up to a number of rows and bytes; `truncated` says that there was more."""

    def __init__(self, rows: int, size: int) -> None:
        self.truncated = False
        self.count = 0
        self._rows = rows
        self._size = size

    def take(self, pieces: Iterable[bytes]) -> bytes:
        """Return the pieces, whole ones only, that fit."""
        kept: list[bytes] = []
        room = self._size
        for piece in pieces:
            room -= len(piece)
            if self.count == self._rows or room < 0:
                self.truncated = True
                break
            kept.append(piece)
            self.count += 1
        return b"".join(kept)


def bindings(solutions: ox.QuerySolutions, media_type: str, answer: Answer) -> bytes:
    """Return the solutions of a SELECT in one of the four result formats of SPARQL 1.1.

    Written here and not by the engine, which cannot be stopped after a number of rows with a whole document.
    """
    names = [variable.value for variable in solutions.variables]
    rows = (list(zip(names, solution, strict=True)) for solution in solutions)
    head, row, tail = _WRITERS[media_type](names)
    body = answer.take(row(values) for values in rows)
    if media_type.endswith("json"):
        body = body.removeprefix(b",")
    return head + body + tail


Row = list[tuple[str, Term | None]]
Writer = tuple[bytes, Callable[[Row], bytes], bytes]


def _json(names: list[str]) -> Writer:
    def row(values: Row) -> bytes:
        found = {name: json_term(term) for name, term in values if term is not None}
        return b"," + _compact(found)

    return b'{"head":' + _compact({"vars": names}) + b',"results":{"bindings":[', row, b"]}}"


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_term(term: Term) -> dict[str, Any]:
    """Return a term in the JSON result format, quoted triples as SPARQL 1.2 writes them."""
    match term:
        case ox.NamedNode():
            return {"type": "uri", "value": term.value}
        case ox.BlankNode():
            return {"type": "bnode", "value": term.value}
        case ox.Triple():
            parts = {"subject": term.subject, "predicate": term.predicate, "object": term.object}
            return {"type": "triple", "value": {name: json_term(part) for name, part in parts.items()}}
    literal: dict[str, Any] = {"type": "literal", "value": term.value}
    if term.language:
        literal["xml:lang"] = term.language
        if term.direction:
            literal["its:dir"] = term.direction.value
    elif term.datatype.value != _STRING:
        literal["datatype"] = term.datatype.value
    return literal


def _xml(names: list[str]) -> Writer:
    def row(values: Row) -> bytes:
        found = (f"<binding name={quoteattr(name)}>{_xml_term(term)}</binding>" for name, term in values if term)
        return f"<result>{''.join(found)}</result>".encode()

    head = "".join(f"<variable name={quoteattr(name)}/>" for name in names)
    start = f'<?xml version="1.0"?><sparql xmlns="http://www.w3.org/2005/sparql-results#"><head>{head}</head><results>'
    return start.encode(), row, b"</results></sparql>"


def _xml_term(term: Term) -> str:
    match term:
        case ox.NamedNode():
            return f"<uri>{escape(term.value)}</uri>"
        case ox.BlankNode():
            return f"<bnode>{escape(term.value)}</bnode>"
        case ox.Triple():
            parts = {"subject": term.subject, "predicate": term.predicate, "object": term.object}
            return "<triple>" + "".join(f"<{k}>{_xml_term(v)}</{k}>" for k, v in parts.items()) + "</triple>"
    if odd := _NOT_XML.search(term.value):
        raise ValueError(f"a value has the character U+{ord(odd.group()):04X}, which XML cannot carry")
    mark = ""
    if term.language:
        mark = f" xml:lang={quoteattr(term.language)}"
        if term.direction:
            mark += f' xmlns:its="http://www.w3.org/2005/11/its" its:version="2.0" its:dir="{term.direction.value}"'
    elif term.datatype.value != _STRING:
        mark = f" datatype={quoteattr(term.datatype.value)}"
    return f"<literal{mark}>{_xml_text(term.value)}</literal>"


def _xml_text(value: str) -> str:
    """Return text as XML that keeps its white space: readers turn CR into LF, and some trim what stands at the ends."""
    written = escape(value, {mark: f"&#{ord(mark)};" for mark in "\r\n\t"})
    written = f"&#32;{written[1:]}" if written.startswith(" ") else written
    return f"{written[:-1]}&#32;" if written.endswith(" ") else written


def _csv(names: list[str]) -> Writer:
    def row(values: Row) -> bytes:
        return (",".join(_csv_field(plain(term)) for _, term in values) + "\r\n").encode()

    return (",".join(_csv_field(name) for name in names) + "\r\n").encode(), row, b""


def plain(term: Term | None) -> str:
    """Return a term without its type, as CSV shows it."""
    match term:
        case None:
            return ""
        case ox.Triple():
            return f"{plain(term.subject)} {plain(term.predicate)} {plain(term.object)}"
        case ox.BlankNode():
            return str(term)
    return term.value


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text


def _tsv(names: list[str]) -> Writer:
    def row(values: Row) -> bytes:
        fields = ("" if term is None else _turtle(term).replace("\t", "\\t") for _, term in values)
        return ("\t".join(fields) + "\n").encode()

    return ("\t".join(f"?{name}" for name in names) + "\n").encode(), row, b""


def _turtle(term: Term) -> str:
    return f"<<( {term} )>>" if isinstance(term, ox.Triple) else str(term)


_WRITERS: Mapping[str, Callable[[list[str]], Writer]] = {
    "application/sparql-results+json": _json,
    "application/json": _json,
    "application/sparql-results+xml": _xml,
    "text/csv": _csv,
    "text/tab-separated-values": _tsv,
}


def graph(triples: Iterable[ox.Triple], media_type: str, answer: Answer) -> bytes:
    """Return the triples of a CONSTRUCT or DESCRIBE, each once; their size is counted as N-Triples."""
    seen: dict[ox.Triple, None] = {}

    def lines() -> Iterator[bytes]:
        for triple in triples:
            if triple not in seen:
                seen[triple] = None
                yield f"{triple} .\n".encode()

    body = answer.take(lines())
    if media_type == "application/n-triples":
        return body
    used = {prefix: name for prefix, name in PREFIXES.items() if name.encode() in body}
    return ox.serialize(islice(seen, answer.count), format=GRAPH_FORMATS[media_type], prefixes=used) or b""


def run(store: ox.Store, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Run one query; return what to say about it, and the answer."""
    answer = Answer(request["rows"], request["size"])
    default = [ox.NamedNode(name) for name in request["default"]]
    named: list[ox.NamedNode | ox.BlankNode] = [ox.NamedNode(name) for name in request["named"]]
    try:
        found = store.query(request["query"], default_graph=list(default), named_graphs=named)
    except SyntaxError as error:
        return {"error": "syntax", "message": str(error)}, b""
    try:
        if isinstance(found, ox.QuerySolutions):
            body = bindings(found, request["format"], answer)
        elif isinstance(found, ox.QueryTriples):
            body = graph(found, request["format"], answer)
        else:
            xml = request["format"].endswith("xml")
            body = found.serialize(format=ox.QueryResultsFormat.XML if xml else ox.QueryResultsFormat.JSON) or b""
    except ValueError as error:
        return {"error": "format", "message": str(error)}, b""
    return {"truncated": answer.truncated, "count": answer.count}, body


# --- holding the process ----------------------------------------------------------------------------------------------

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001
_CALLS = {
    # machine: (audit number, socket, socketpair, connect, execve, execveat, io_uring_setup)
    "x86_64": (0xC000003E, (41, 53, 42, 59, 322, 425)),
    "aarch64": (0xC00000B7, (198, 199, 203, 221, 281, 425)),
}


def hold(memory: int) -> list[str]:
    """Take from this process what a query never needs; return what could be taken."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    taken = ["memory"]
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "unshare") and libc.unshare(_NEW_USER | _NEW_NET) == 0:
        taken.append("network")
    if hasattr(libc, "prctl") and _filter_calls(libc):
        taken.append("calls")
    return taken


def _filter_calls(libc: ctypes.CDLL) -> bool:
    """Refuse sockets and programs from now on, for every thread to come; return whether the system does so."""
    if platform.machine() not in _CALLS:
        return False
    audit, refused = _CALLS[platform.machine()]
    steps = [(0x20, 0, 0, 4), (0x15, 0, len(refused) + 1, audit), (0x20, 0, 0, 0)]  # wrong machine: to the refusal
    steps += [(0x15, len(refused) - at, 0, call) for at, call in enumerate(refused)]
    steps += [(0x06, 0, 0, _ALLOW), (0x06, 0, 0, _REFUSE)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program)))
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_SECCOMP, _FILTER, header, 0, 0) == 0)


def end_with_parent(pipe: int) -> None:
    """End the process as soon as nobody can write to `pipe` any more, whatever it is doing."""
    waiting = select.poll()
    waiting.register(pipe, 0)  # only the hang-up is reported, never the data

    def watch() -> None:
        waiting.poll()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _limit_cpu(seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    path, store = "", None
    for line in requests:
        request = json.loads(line)
        _limit_cpu(request["cpu"])
        if store is None or request["path"] != path:
            store = None
            gc.collect()  # the old checkpoint's files are let go before the next is opened
            path, store = request["path"], ox.Store.read_only(request["path"])
        try:
            said, body = run(store, request)
        except MemoryError:
            said, body = {"error": "memory", "message": "out of memory"}, b""
        except (OSError, RuntimeError) as error:
            said, body = {"error": "run", "message": str(error)}, b""
        answers.write(_compact({**said, "size": len(body)}) + b"\n" + body)
        answers.flush()


def main() -> None:
    """Hold the process, say so, and serve."""
    taken = hold(int(sys.argv[1]))
    end_with_parent(sys.stdin.fileno())
    sys.stdout.buffer.write(_compact({"taken": taken}) + b"\n")
    sys.stdout.buffer.flush()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
