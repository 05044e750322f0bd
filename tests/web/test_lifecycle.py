"""The life of a record over HTTP, the SDK and the command: versions, series, the end, drafts, imports, quality."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connector.client import Space
from connector.errors import Conflict, InvalidInput, NotFound
from connector.standards import rdf
from connector.standards.dcat import graph, quality
from tests.web.conftest import House


@pytest.fixture
def space(house: House) -> Space:
    """Return the SDK's view of the house."""
    return house.running.space


@pytest.fixture
def key(house: House) -> str:
    """Return an IRI of a test's own, below the house's address."""
    numbers: Iterator[int] = house.__dict__.setdefault("numbers", iter(range(1, 1000)))
    return f"{house.running.url}/datasets/life-{next(numbers)}"


def record(key: str, title: str = "Rain", **more: Any) -> dict[str, Any]:
    """Return a record in the plain form."""
    return {"id": key, "title": {"en": title}, "description": {"en": "By day."}, **more}


def get(address: str, accept: str = "text/turtle") -> httpx2.Response:
    """Ask an address as anybody may."""
    return httpx2.get(address, headers={"Accept": accept}, timeout=30)


def command(house: House, *words: str) -> tuple[int, str]:
    """Run the command against the house; return its exit code and what it printed."""
    variables = {"GREENDEAL_URL": house.running.url, "GREENDEAL_API_KEY": house.running.api_key}
    program = [sys.executable, "-m", "connector", *words]
    done = subprocess.run(program, env={**os.environ, **variables}, capture_output=True, check=False, timeout=120)
    assert done.returncode in {0, 3}, done.stderr.decode()
    return done.returncode, done.stdout.decode()


def test_versions_can_be_had_by_everybody_and_byte_for_byte(space: Space, house: House, key: str) -> None:
    """As linked data at an address of their own, as they were registered over the API, by the SDK and the command."""
    for title in ("Rain", "Snow"):
        space.register(record(key, title))
    one, two = space.versions(key)
    assert (one["number"], one["title"], two["iri"]) == (1, "Rain", f"{key}/versions/2")
    first = get(one["iri"])
    assert first.status_code == 200
    triples = rdf.parse(first.content, rdf.Format.TURTLE)
    assert graph.read(triples, one["iri"]).is_version_of == key
    assert graph.read(triples, one["iri"]).title == {"en": "Rain"}
    assert f"<{key}/versions/2>" in get(key).text
    assert get(f"{key}/versions/9").status_code == 404
    assert b"Rain" in space.version(key, 1)
    assert rdf.fingerprint(space.version(key, 1)) == one["fingerprint"]
    assert command(house, "dataset", "version", key, "1")[1].encode() == space.version(key, 1)
    code, listed = command(house, "dataset", "versions", key, "-o", "jsonl")
    assert (code, [json.loads(line)["number"] for line in listed.splitlines()]) == (0, [1, 2])
    page = get(key, "text/html").text
    assert f"{key}/versions/1" in page


def test_a_record_taken_from_its_address_is_the_same_record(space: Space, key: str) -> None:
    """What the catalog added goes away again."""
    space.register(record(key))
    done = space.register(get(key).content)
    assert (done["version"], done["changed"]) == (1, False)


def test_what_went_says_when_and_why(space: Space, key: str) -> None:
    """410 at its address and at those of its versions, as linked data and as a page; the reason is data, not markup."""
    space.register(record(key))
    space.withdraw(key, "The <b>sensor</b> was broken.")
    for address in (key, f"{key}/versions/1"):
        gone = get(address)
        assert gone.status_code == 410
        assert "The <b>sensor</b> was broken." in gone.text
        assert "invalidatedAtTime" in gone.text
    page = get(key, "text/html")
    assert page.status_code == 410
    assert "<b>sensor" not in page.text
    with pytest.raises(NotFound):
        space.quality(key)
    assert space.register(record(key))["version"] == 2
    assert get(key).status_code == 200
    assert space.delete(key, "A test.")["kind"] == "erased"
    assert get(key).status_code == 410
    with pytest.raises(Conflict, match="given once"):
        space.register(record(key))
    with pytest.raises(NotFound):
        space.delete(f"{key}-never")


def test_the_command_withdraws_and_deletes(house: House, space: Space, key: str) -> None:
    """With a reason that everybody can read."""
    space.register(record(key))
    assert command(house, "dataset", "withdraw", key, "--reason", "Maintenance.")[0] == 0
    assert "Maintenance." in get(key).text
    assert command(house, "dataset", "delete", key, "--reason", "For good.")[0] == 0
    assert "For good." in get(key).text


def test_a_series_is_shown_with_its_datasets(space: Space, house: House, key: str) -> None:
    """On its page, on the catalog's, and in their linked data."""
    space.register(record(key, "Rain by year", kind="series"))
    for year in ("2023", "2024"):
        space.register(record(f"{key}-{year}", f"Rain {year}", in_series=[key], temporal=[{"start": year}]))
    page = get(key, "text/html").text
    assert page.index(f"{key}-2023") < page.index(f"{key}-2024")
    assert f'href="{key}"' in get(f"{key}-2024", "text/html").text
    catalog = get(f"{house.running.url}/catalog", "text/html").text
    assert catalog.index("Series of datasets") < catalog.index("Rain by year")
    view = graph.read(rdf.parse(get(key).content, rdf.Format.TURTLE), key)
    assert (view.kind, view.first, view.last) == ("series", f"{key}-2023", f"{key}-2024")
    assert f"{key}#record" in get(f"{house.running.url}/catalog").text


def test_a_registration_says_how_good_it_is(space: Space, house: House, key: str, tmp_path: Path) -> None:
    """The same figures come with 201, from the API, as DQV, and from the command, of a file as well."""
    done = space.register(record(key, keyword={"en": ["rain"]}))
    assert done["quality"]["points"] == 60
    assert space.quality(key)["points"] == 60
    assert space.quality(key, "de")["fixes"][0]["label"] != space.quality(key)["fixes"][0]["label"]
    dqv = rdf.parse(space.quality_measurements(key), rdf.Format.TURTLE)
    assert any(quality.VOCABULARY in str(each.object) for each in dqv)
    assert space.catalog_quality()["datasets"] >= 1
    whole = rdf.parse(space.catalog_quality_measurements(), rdf.Format.TURTLE)
    assert any(str(each.subject).endswith("/catalog#quality-score>") for each in whole)
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record("urn:x:nowhere", keyword={"en": ["rain"]})))
    code, printed = command(house, "dataset", "quality", str(file), key, "-o", "jsonl")
    found = [json.loads(line) for line in printed.splitlines()]
    assert (code, [each["points"] for each in found], found[0]["file"]) == (0, [60, 60], str(file))
    code, printed = command(house, "dataset", "quality", str(file))
    assert "+50" in printed
    code, printed = command(house, "dataset", "quality", str(file), "-o", "turtle")
    assert rdf.parse(printed.encode(), rdf.Format.TURTLE)
    code, printed = command(house, "dataset", "quality")
    assert "keywordAvailability" in printed


def test_addresses_are_asked_when_somebody_wants_it(space: Space, key: str) -> None:
    """The answer says how many; nobody waits for them."""
    file = {"id": f"{key}#file", "access_url": ["http://127.0.0.1:9/nobody"]}
    space.register(record(key, distribution=[file]))
    assert space.check_addresses(key) == 1
    assert space.check_addresses() >= 1

    def answered() -> Any:
        return next(each for each in space.quality(key)["indicators"] if each["metric"] == "accessUrlStatusCode")

    seen = space.connection.wait(answered, lambda each: each["outcome"] != "not checked", 30, "The check")
    assert (seen["outcome"], seen["value"]) == ("failed", 0)


def test_a_draft_is_kept_until_it_is_published(space: Space, key: str) -> None:
    """Invalid it is kept and not published; saved meanwhile it is 409 with the fields that differ."""
    draft = space.save_draft({**record(key), "title": {}})
    assert (draft["revision"], draft["report"]["conforms"]) == (1, False)
    with pytest.raises(InvalidInput):
        space.publish_draft(draft["id"], 1)
    saved = space.save_draft(record(key, "Hail"), key=draft["id"], revision=1)
    assert saved["revision"] == 2
    with pytest.raises(Conflict) as refused:
        space.save_draft(record(key, "Sleet"), key=draft["id"], revision=1)
    assert any("title.en" in reason for reason in refused.value.reasons)
    answer = httpx2.put(
        f"{space.connection.url}/api/datasets/drafts/{draft['id']}?revision=1",
        content=b'{"title": {"en": "Sleet"}}',
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {_key(space)}"},
        timeout=30,
    )
    assert answer.status_code == 409
    assert {"field": "title.en", "stored": '"Hail"', "yours": '"Sleet"'} in answer.json()["differences"]
    assert json.loads(space.saved_draft(draft["id"])["content"])["title"] == {"en": "Hail"}
    assert space.publish_draft(draft["id"], 2)["version"] == 1
    assert space.saved_draft(draft["id"])["published"] == 1
    assert draft["id"] in {each["id"] for each in space.drafts()}
    space.discard_draft(draft["id"])
    with pytest.raises(NotFound):
        space.saved_draft(draft["id"])


def _key(space: Space) -> str:
    return str(space.connection._http.headers["authorization"]).removeprefix("Bearer ")


def test_a_folder_of_records_is_imported(house: House, space: Space, key: str, tmp_path: Path) -> None:
    """A line for each record of each file in order; exit code 3 for what was not taken; again it is all the same."""
    lines = [record(f"{key}-{number}", f"Line {number}") for number in range(3)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines) + '{"id": "urn:x:no"}\n')
    known = rdf.parse(space.version(_first(space, key), 1), rdf.Format.N_TRIPLES)
    turtle = rdf.serialise(known, rdf.Format.TURTLE)
    (tmp_path / "b.ttl").write_bytes(turtle)
    code, printed = command(house, "dataset", "import", str(tmp_path))
    found = [json.loads(line) for line in printed.splitlines()]
    assert code == 3
    assert [each["outcome"] for each in found] == ["created", "created", "created", "invalid", "same"]
    assert [each["number"] for each in found] == [1, 2, 3, 4, 1]
    assert found[3]["problem"]["message"]
    assert command(house, "dataset", "import", str(tmp_path / "b.ttl"))[0] == 0
    code, printed = command(house, "dataset", "import", str(tmp_path / "a.jsonl"), "--again")
    assert [json.loads(line)["outcome"] for line in printed.splitlines()] == ["same"] * 3 + ["invalid"]
    (tmp_path / "c.nq").write_text("<urn:a> oops .\n")
    code, printed = command(house, "dataset", "import", str(tmp_path / "c.nq"))
    assert (code, "line 1" in json.loads(printed)["error"]) == (3, True)


def _first(space: Space, key: str) -> str:
    """Publish a record and return its IRI."""
    space.register(record(f"{key}-first"))
    return f"{key}-first"
