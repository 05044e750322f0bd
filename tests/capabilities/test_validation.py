"""pySHACL has the last word on what is refused; where it differs there is an alarm, and it judges alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import structlog

from connector.capabilities.validation import Validation
from connector.errors import TooLarge
from connector.standards.dcat import shacl
from connector.standards.dcat.shacl.results import Result
from connector.standards.rdf import PREFIXES, Format, Triples, parse
from connector.storage.judging import Judges

HEAD = "\n".join(f"@prefix {prefix}: <{namespace}> ." for prefix, namespace in PREFIXES.items())
GOOD = '<urn:d> a dcat:Dataset ; dct:title "t"@en ; dct:description "d"@en .'
FAULTY = '<urn:d> a dcat:Dataset ; dct:title "t"@en .'


def turtle(text: str) -> Triples:
    """Return the statements of a text with the usual prefixes."""
    return parse(f"{HEAD}\n{text}".encode(), Format.TURTLE)


class InProcess:
    """The real pySHACL, in this process; it can be made to leave a result out, or to be too slow."""

    def __init__(self, *, forgets: bool = False, late: bool = False) -> None:
        self.forgets, self.late = forgets, late
        self.asked: list[str] = []

    def results(self, shapes: shacl.ShapeSet, record: Triples, background: Triples = ()) -> Sequence[Result]:
        """Return what it finds."""
        self.asked.append(shapes.level)
        if self.late:
            raise TooLarge("pySHACL took longer than it may.")
        found = shapes.judge.results(record, background)
        return found[1:] if self.forgets else found

    def start(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def test_what_is_accepted_asks_nobody() -> None:
    """The quick way stays quick."""
    judges = InProcess()
    validation = Validation(judges)
    assert validation.check(turtle(GOOD)).conforms
    assert judges.asked == []


def test_what_is_refused_is_reported_from_pyshacl() -> None:
    """Only the level that refuses is judged; the report says who found it."""
    judges = InProcess()
    report = Validation(judges).check(turtle(FAULTY))
    assert not report.conforms
    assert judges.asked == ["structure"]
    assert {each.level: each.by for each in report.judged}["structure"] == "pySHACL"


def test_a_difference_raises_the_alarm_and_pyshacl_judges_alone_from_then_on() -> None:
    """It wins, it is logged and counted, and the shapes are not trusted any more."""
    judges = InProcess(forgets=True)
    validation = Validation(judges)
    with structlog.testing.capture_logs() as lines:
        report = validation.check(turtle(FAULTY))
    assert report.conforms  # the one result that pySHACL forgot
    (line,) = [each for each in lines if each["event"] == "shacl.difference"]
    assert line["log_level"] == "error"
    assert (line["profile"], line["level"]) == ("dcat-ap", "structure")
    assert "MinCount" in str(line["compiled_only"])
    assert validation.counts()["differences"] == 1
    judges.forgets = False
    asked = len(judges.asked)
    assert validation.check(turtle(GOOD)).conforms
    assert len(judges.asked) == asked + 1


def test_when_pyshacl_gives_no_answer_what_was_found_stands() -> None:
    """A record is not accepted because its judge was too slow; the counter tells the operator."""
    validation = Validation(InProcess(late=True))
    report = validation.check(turtle(FAULTY))
    assert not report.conforms
    assert validation.counts()["unjudged"] == 1


def test_what_is_logged_is_no_part_of_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints its reports on standard output, and nothing else is there."""
    structlog.reset_defaults()
    Validation(InProcess(late=True)).check(turtle(FAULTY))
    structlog.reset_defaults()
    told = capsys.readouterr()
    assert told.out == ""
    assert "shacl.unjudged" in told.err


def test_a_sample_of_what_is_accepted_is_judged_at_every_level() -> None:
    """The share is the operator's choice; nobody waits for it."""
    judges = InProcess()
    chances = iter([0.5, 0.01])
    validation = Validation(judges, None, 0.02, lambda: next(chances))
    for _ in range(2):
        assert validation.check(turtle(GOOD)).conforms
    assert validation._auditor is not None
    validation._auditor.shutdown(wait=True)
    assert judges.asked == [each.level for each in shacl.checker("dcat-ap").sets]
    assert validation.counts() == {"checked": 2, "judged": 4, "audited": 1, "differences": 0, "unjudged": 0}
    validation.close()


@pytest.fixture
def added(tmp_path: Path) -> Iterator[Validation]:
    """Return validation with a profile whose shapes only pySHACL can judge, in its own process."""
    folder = tmp_path / "profiles" / "ours"
    folder.mkdir(parents=True)
    (folder / "profile.toml").write_text(
        'name = "ours"\ntitle = "Ours"\nversion = "1"\nsource = "https://ours.example/"\nlicence = "CC0"\n'
        '[[level]]\nname = "structure"\ntitle = "structure"\nfiles = ["s.ttl"]\ngate = true\n'
    )
    (folder / "s.ttl").write_text(
        f"{HEAD}\n<urn:s> a sh:NodeShape ; sh:targetClass dcat:Dataset ;"
        " sh:property [ sh:path [ sh:zeroOrMorePath dct:isPartOf ] ; sh:minCount 2 ] ."
    )
    judges = Judges()
    yield Validation(judges, tmp_path / "profiles")
    judges.close()


def test_shapes_that_are_not_compiled_are_judged_by_pyshacl(added: Validation) -> None:
    """They work like any others, only slower."""
    assert added.check(turtle(f"{GOOD} <urn:d> dct:isPartOf <urn:e> ."), "ours").conforms
    report = added.check(turtle(GOOD), "ours")
    assert [each.component.rpartition("#")[2] for each in report.results] == ["MinCountConstraintComponent"]
    assert shacl.checker("ours", added.shelf).sets[0].reasons
