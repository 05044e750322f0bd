"""Imports: a result for each record, in any form; what is broken off goes on, and what is killed loses nothing."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.capabilities import imports
from connector.capabilities.imports import Imports
from connector.errors import InvalidInput, NotFound
from connector.standards import rdf
from connector.standards.dcat import graph, model
from connector.storage.dumps import LINES, Dump, Found
from connector.storage.tables import Dataset, Evidence, Import, ImportResult, Version
from connector.storage.work import Work
from tests.builders import NOON, OPERATOR, Still, still
from tests.capabilities.conftest import US
from tests.fixtures import Clock, NewUrl

NQUADS = "application/n-quads"


def records(count: int, tag: str = "a") -> list[model.Dataset]:
    """Return records with parts of their own and a publisher that they share."""
    agent = model.Agent(id="https://us.example/agent", name={"en": "Service"})
    return [
        model.Dataset(
            id=f"https://us.example/datasets/{tag}-{number}",
            title={"en": f"Rain {number}"},
            description={"en": "By day."},
            publisher=agent,
            contact_point=(model.ContactPoint(name={"en": f"Desk {number}"}),),
            temporal=(model.PeriodOfTime(start="2024", end="2025"),),
        )
        for number in range(count)
    ]


def dump(found: list[model.Dataset], form: rdf.Format = rdf.Format.N_QUADS, more: str = "") -> bytes:
    """Return records in one document, as a catalog is dumped."""
    triples = [each for record in found for each in graph.write(record)]
    catalog = "<urn:x:catalog> a <http://www.w3.org/ns/dcat#Catalog> ; <http://www.w3.org/ns/dcat#dataset> "
    listed = catalog + ", ".join(f"<{record.id}>" for record in found) + " . " + more
    return rdf.serialise([*triples, *rdf.parse(listed.encode(), rdf.Format.TURTLE)], form)


def start(house: Still, content: bytes, media_type: str = NQUADS, **given: Any) -> Import:
    """Upload a file and import it."""
    digest, _ = house.connector.objects.put([content])
    return house.connector.imports.start(digest, "dump", media_type, OPERATOR, "dcat-ap", **given)


def outcomes(house: Still, key: str) -> list[str]:
    """Return what became of each record, in order."""
    return [row.outcome for row in house.connector.imports.results(key)]


@pytest.mark.parametrize("form", [rdf.Format.N_QUADS, rdf.Format.TURTLE, rdf.Format.JSON_LD, rdf.Format.RDF_XML])
def test_a_dump_in_any_form_gives_the_same_records(house: Still, form: rdf.Format) -> None:
    """Each record has what belongs to it and nothing of the others, whatever order the statements came in."""
    found = records(5, f"form-{form.value}")
    run = start(house, dump(found, form), form.media_type)
    assert (run.state, run.done) == ("waiting", 0)
    house.drain()
    run = house.connector.imports.get(run.id)
    assert (run.state, run.total, run.done, run.counts) == ("done", 5, 5, {"created": 5})
    for record in found:
        kept = rdf.parse(house.row(Dataset, US, record.id).record, rdf.Format.N_TRIPLES)
        view = graph.read(kept, record.id)
        assert (view.title, view.publisher) == (record.title, record.publisher)
        assert [each.name for each in view.contact_point] == [each.name for each in record.contact_point]
        assert b"Catalog" not in house.row(Dataset, US, record.id).record
    results = house.connector.imports.results(run.id)
    assert [row.number for row in results] == [1, 2, 3, 4, 5]
    assert [row.dataset for row in results] == sorted(record.id for record in found)
    assert not (house.connector.imports.scratch / run.id).exists()


def test_a_record_of_a_dump_is_the_record_that_is_posted(house: Still) -> None:
    """Posted alone it is the same again: how it came makes no difference."""
    (record,) = records(1, "posted")
    start(house, dump([record]))
    house.drain()
    posted = rdf.serialise(graph.write(record), rdf.Format.TURTLE)
    done = house.connector.datasets.register(posted, "text/turtle", OPERATOR)
    assert (done.version, done.changed) == (1, False)


def test_records_that_refer_to_each_other_stay_apart(house: Still) -> None:
    """A dataset names its series and its source, and takes nothing of what is said of them."""
    series, one, two = records(3, "apart")
    series = msgspec.structs.replace(series, kind="series")
    one = msgspec.structs.replace(one, in_series=(series.id,))
    two = msgspec.structs.replace(two, in_series=(series.id,), source=(one.id,))
    run = start(house, dump([series, one, two]))
    house.drain()
    assert outcomes(house, run.id) == ["created"] * 3
    kept = house.row(Dataset, US, two.id).record
    assert one.id.encode() in kept
    assert b"Rain 1" not in kept
    assert b"Rain 0" not in kept
    assert [row.id for row in house.connector.datasets.members(series.id)] == [one.id, two.id]


def test_what_a_dump_says_again_and_again_is_said_once(tmp_path: Path) -> None:
    """The publisher of thousands of records is described with each of them, and costs no record more for that."""
    file = tmp_path / "dump.nt"
    record = rdf.serialise(graph.write(records(1, "again")[0]), rdf.Format.N_TRIPLES)
    file.write_bytes(record + b'<https://us.example/agent> <urn:x:said> "x" .\n' * 60_000)
    found = Dump(file, "application/n-triples", tmp_path / "scratch")
    (one,) = found.after(0, 10)
    assert isinstance(one, Found)
    assert len(one.record) == record.count(b"\n") + 1
    found.close(done=True)


def test_each_line_has_its_result(each_house: Still) -> None:
    """Created, updated, the same, and invalid for four reasons, each with what was wrong; on either engine."""
    house = each_house
    known, changed = records(2, "line")
    for record in (known, changed):
        house.connector.datasets.register(
            rdf.serialise(graph.write(record), rdf.Format.TURTLE), "text/turtle", OPERATOR
        )
    gone = json.dumps({"id": "https://us.example/gone", "title": {"en": "x"}, "description": {"en": "y"}}).encode()
    house.connector.datasets.register(gone, "application/json", OPERATOR)
    house.connector.datasets.delete("https://us.example/gone", OPERATOR)
    lines = [
        rdf.serialise(graph.write(known), rdf.Format.JSON_LD).replace(b"\n", b" "),
        json.dumps({"id": changed.id, "title": {"en": "Snow"}, "description": {"en": "y"}}).encode(),
        b'{"title": {"en": "Unnamed"}, "description": {"en": "y"}}',
        b'{"id": "https://us.example/untitled"}',
        b'{"id": "https://us.example/x", "colour": 1}',
        b"{not json",
        gone,
        b"",
        json.dumps(
            {"id": "https://us.example/series", "kind": "series", "title": {"en": "x"}, "description": {"en": "y"}}
        ).encode(),
    ]
    run = start(house, b"\n".join(lines) + b"\n", LINES)
    house.drain()
    found = house.connector.imports.results(run.id)
    assert [row.outcome for row in found] == ["same", "updated", "created", *["invalid"] * 4, "created"]
    wrong = [row.problem or {} for row in found[3:7]]
    assert wrong[0]["reasons"]
    assert "colour" in wrong[1]["message"]
    assert wrong[2]["where"]
    assert wrong[3]["kind"] == "Conflict"
    assert (found[1].version, found[2].version) == (2, 1)
    assert (found[2].dataset or "").startswith(f"{house.connector.settings.home}/unnamed-")
    assert house.row(Dataset, US, "https://us.example/series").kind == "series"
    run = house.connector.imports.get(run.id)
    assert (run.done, run.counts) == (8, dict(Counter(row.outcome for row in found)))


def test_a_dataset_without_a_name_in_a_dump_is_told(house: Still) -> None:
    """It cannot be registered again later, so it is not registered now; the others are."""
    more = "[] a <http://www.w3.org/ns/dcat#Dataset> ."
    run = start(house, dump(records(2, "blank"), more=more))
    house.drain()
    assert outcomes(house, run.id) == ["created", "created", "invalid"]


@pytest.mark.parametrize(
    ("content", "media_type", "said"),
    [
        (b"<urn:a> <urn:b> <urn:c> .\n<urn:a> oops .\n", NQUADS, "line 2"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "application/rdf+xml", "DOCTYPE"),
        (b'{"@context": "https://unknown.example/context", "@id": "urn:x"}', "application/ld+json", "context"),
    ],
)
def test_a_file_that_cannot_be_read_fails_as_a_whole(house: Still, content: bytes, media_type: str, said: str) -> None:
    """With the line; nothing is registered, and after the file was mended it is another import."""
    run = start(house, content, media_type)
    house.drain()
    run = house.connector.imports.get(run.id)
    assert run.state == "failed"
    assert said in (run.error or "")
    assert house.connector.imports.results(run.id) == []
    assert house.kinds(run.id) == ["import.asked", "import.failed"]
    assert house.outbox(run.id) == []
    assert start(house, content, media_type).state == "waiting"


def test_the_same_file_is_the_same_import(house: Still) -> None:
    """Asked for again it is done already; with `again` every record is looked at once more."""
    content = dump(records(3, "same"))
    run = start(house, content)
    assert start(house, content).id == run.id
    house.drain()
    assert start(house, content).state == "done"
    assert outcomes(house, run.id) == ["created"] * 3
    start(house, content, again=True)
    house.drain()
    assert outcomes(house, run.id) == ["same"] * 3
    other = house.connector.imports.start(run.object, "dump", "text/turtle", OPERATOR, "dcat-ap")
    assert other.id != run.id
    assert {run.id, other.id} <= {row.id for row in house.connector.imports.all()}


def test_what_cannot_be_imported_is_refused_at_once(house: Still) -> None:
    """A file that was never uploaded, a profile that is none, an import that is none."""
    with pytest.raises(NotFound):
        house.connector.imports.start("0" * 64, "x", NQUADS, OPERATOR, "dcat-ap")
    digest, _ = house.connector.objects.put([b"x"])
    with pytest.raises(InvalidInput):
        house.connector.imports.start(digest, "x", NQUADS, OPERATOR, "none")
    with pytest.raises(NotFound):
        house.connector.imports.results("none")


def test_results_come_in_pages(house: Still) -> None:
    """Behind a number, as many as are asked for."""
    run = start(house, dump(records(7, "page")))
    house.drain()
    first = house.connector.imports.results(run.id, most=3)
    assert [row.number for row in first] == [1, 2, 3]
    assert [row.number for row in house.connector.imports.results(run.id, after=5)] == [6, 7]


def test_others_have_their_turn_between_two_rounds(house: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long import is many deliveries; each goes on where the one before ended."""
    house.drain()  # what other tests began in this house is not counted
    monkeypatch.setattr(imports, "ROUND", 4)
    monkeypatch.setattr(imports, "CHUNK", 3)
    rounds: list[int] = []
    whole = Dump.after

    def after(self: Dump, done: int, most: int) -> Any:
        rounds.append(done)
        return whole(self, done, most)

    monkeypatch.setattr(Dump, "after", after)
    run = start(house, dump(records(10, "round")))
    house.drain()
    assert rounds == [0, 4, 8]
    assert outcomes(house, run.id) == ["created"] * 10


class _Killed(BaseException):
    """What ends a process at once."""


@pytest.mark.parametrize("survive", range(5))
def test_an_import_that_was_killed_goes_on_and_doubles_nothing(
    new_url: NewUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survive: int
) -> None:
    """However many records it had, the next process registers the rest: one version, one evidence, one result each."""
    url, done = new_url(), list[str]()
    monkeypatch.setattr(imports, "CHUNK", 2)
    whole = Imports._result

    def dying(self: Imports, work: Work, record: Any, by: Any) -> dict[str, Any]:
        if len(done) == survive:
            raise _Killed
        done.append("")
        return whole(self, work, record, by)

    found = records(5, "killed")
    with still(tmp_path / "house", US, Clock(NOON), url=url) as house:
        run = start(house, dump(found))
        with monkeypatch.context() as patch:
            patch.setattr(Imports, "_result", dying)
            with pytest.raises(_Killed):
                house.drain()
        kept = house.connector.imports.get(run.id).done
        assert kept == survive // 2 * 2
        assert len(house.rows(Dataset)) == kept
        house.die()
        house.clock.move(minutes=5)
        house.drain()
        run = house.connector.imports.get(run.id)
        assert (run.state, run.done, run.counts) == ("done", 5, {"created": 5})
        assert [row.number for row in house.rows(ImportResult)] == [1, 2, 3, 4, 5]
        assert sorted(row.dataset for row in house.rows(Version)) == sorted(record.id for record in found)
        published = [row for row in house.rows(Evidence) if row.kind == "dataset.published"]
        assert Counter(row.subject for row in published) == dict.fromkeys((record.id for record in found), 1)
