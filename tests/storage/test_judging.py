"""pySHACL in a process of its own: it answers as in ours, is held, and whatever ends it takes nothing with it."""

import os
import signal
from collections.abc import Iterator

import pytest

from connector.errors import Busy, InvalidInput, TooLarge
from connector.standards.dcat import shacl
from connector.standards.dcat.shacl.background import background_of
from connector.standards.dcat.shacl.results import multiset
from connector.standards.dcat.shacl.view import index_of, triples_of
from connector.standards.rdf import PREFIXES, Format, Triples, parse
from connector.storage.judging import Judges

HEAD = "\n".join(f"@prefix {prefix}: <{namespace}> ." for prefix, namespace in PREFIXES.items())
FAULTY = """<urn:d> a dcat:Dataset ; dct:title "Regen"@de, "x\\ny" ; dct:issued "last week" ; dcat:theme "rain", [] ;
    dct:accrualPeriodicity <http://publications.europa.eu/resource/authority/frequency/DAILY> ;
    dcat:distribution [ a dcat:Distribution ; dcat:byteSize "many"^^xsd:integer ] ."""


def turtle(text: str) -> Triples:
    """Return the statements of a text with the usual prefixes."""
    return parse(f"{HEAD}\n{text}".encode(), Format.TURTLE)


def shapes(text: str) -> shacl.ShapeSet:
    """Return shapes of a test."""
    return shacl.ShapeSet("test", "structure", True, turtle(text), {})  # noqa: FBT003 - a gate


@pytest.fixture(scope="module")
def judges() -> Iterator[Judges]:
    """Return the process, kept for all tests of this file."""
    started = Judges(seconds=60)
    yield started
    started.close()


@pytest.mark.parametrize("number", range(len(shacl.checker("geodcat-ap").sets)))
def test_it_says_what_pyshacl_says_here(judges: Judges, number: int) -> None:
    """Terms, paths and shapes come back as they are, at every level."""
    each, record = shacl.checker("geodcat-ap").sets[number], turtle(FAULTY)
    around = tuple(triples_of(background_of(index_of(record)))) if each.with_background else ()
    assert each.with_background == bool(around)
    expected = each.judge.results(record, around)
    assert expected
    found = judges.results(each, record, around)
    assert multiset(found) == multiset(expected)
    assert {result.rule for result in found} == {result.rule for result in expected}


def test_it_is_held(judges: Judges) -> None:
    """It has given up memory, and programs and sockets where the system can take them."""
    judges.results(shapes(""), ())
    assert "memory" in judges.taken


def test_shapes_that_pyshacl_refuses_are_named(judges: Judges) -> None:
    """The process lives on."""
    with pytest.raises(InvalidInput, match="pySHACL refuses the shapes"):
        judges.results(shapes("<urn:s> a sh:PropertyShape ; sh:minCount 1 ."), ())
    assert judges.results(shapes(""), turtle(FAULTY)) == []


def test_a_process_that_was_killed_is_replaced(judges: Judges) -> None:
    """Shapes that it knew are sent again."""
    each, record = shacl.checker("dcat-ap").sets[0], turtle(FAULTY)
    before = judges.results(each, record)
    process = judges._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert multiset(judges.results(each, record)) == multiset(before)


def test_a_record_that_takes_too_long_ends_the_process_and_not_the_connector() -> None:
    """The wall clock is the parent's; the next record gets a new process."""
    judges = Judges(seconds=0.0)
    try:
        with pytest.raises(TooLarge, match="longer"):
            judges.results(shacl.checker("dcat-ap").sets[0], turtle(FAULTY))
        judges._seconds = 60.0
        assert judges.results(shacl.checker("dcat-ap").sets[0], turtle(FAULTY))
    finally:
        judges.close()


def test_a_process_without_memory_says_so() -> None:
    """Nobody waits for an answer that cannot come."""
    judges = Judges(memory=1024 * 1024)
    with pytest.raises((Busy, TooLarge)):
        judges.results(shacl.checker("dcat-ap").sets[0], turtle(FAULTY))
    judges.close()
