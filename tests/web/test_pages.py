"""The catalog for people and machines, search and SPARQL over HTTP, and refusals on our own API."""

import json
from typing import Any

import httpx2
import pytest

from connector.standards import rdf
from connector.standards.dcat import graph, shacl
from tests.running import Running, running
from tests.web.conftest import House

TYPES = ["text/turtle", "application/ld+json", "application/rdf+xml", "application/n-triples"]


def get(house: House, path: str, accept: str, **headers: str) -> httpx2.Response:
    """GET something as anybody."""
    return house.running.call("GET", path, key="", headers={"Accept": accept, **headers})


@pytest.mark.parametrize("media_type", TYPES)
def test_the_catalog_is_the_same_in_every_form(house: House, media_type: str) -> None:
    """Each form parses to the same catalog: every own dataset whole, its subject the full IRI."""
    answer = get(house, "/catalog", media_type)
    assert answer.headers["content-type"].startswith(media_type)
    triples = rdf.parse(answer.content, rdf.Format.of(media_type))
    assert graph.subjects(triples) == [house.dataset]
    turtle = rdf.parse(get(house, "/catalog", "text/turtle").content, rdf.Format.TURTLE)
    assert set(triples) == set(turtle)


def test_the_catalog_meets_its_own_profile(house: House) -> None:
    """What we publish about ourselves passes the shapes that we hold others to."""
    triples = rdf.parse(get(house, "/catalog", "text/turtle").content, rdf.Format.TURTLE)
    report = shacl.check(triples, "dcat-ap")
    assert report.conforms, report.text()


def test_a_dataset_is_found_under_its_own_address(house: House) -> None:
    """The dataset's IRI is an address that answers with the record, for people as a page."""
    path = house.dataset.removeprefix(house.running.url)
    triples = rdf.parse(get(house, path, "text/turtle").content, rdf.Format.TURTLE)
    assert graph.read(triples).id == house.dataset
    page = get(house, path, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "You may use the data" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text


def test_an_unchanged_record_is_not_sent_again(house: House) -> None:
    """A client that has the record gets 304 for its tag."""
    path = house.dataset.removeprefix(house.running.url)
    tag = get(house, path, "text/turtle").headers["etag"]
    assert get(house, path, "text/turtle", **{"If-None-Match": tag}).status_code == 304


def test_t17_metadata_cannot_bring_its_own_markup(house: House) -> None:
    """A title with markup in it is shown as text."""
    draft = house.running.space.connection.get("/api/datasets")[0]
    record: dict[str, Any] = {
        "id": f"{house.running.url}/datasets/markup",
        "title": {"en": "<script>alert(1)</script>"},
        "description": {"en": "<img src=x onerror=alert(1)>"},
    }
    house.running.space.register(record)
    page = get(house, "/datasets/markup", "text/html")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "<img" not in page.text
    house.running.space.connection.post("/api/datasets/withdraw", {"id": record["id"]})
    gone = get(house, "/datasets/markup", "text/html")
    assert gone.status_code == 410
    assert "<script>" not in gone.text
    assert draft["id"] == house.dataset


def test_search_and_sparql_are_for_readers_with_a_key(house: House) -> None:
    """Closed by default; with any key they answer."""
    assert house.running.call("GET", "/search", key="").status_code == 401
    page = house.running.call("GET", "/search", params={"q": "*"}).status_code
    assert page in {200, 422}
    query = {"query": "ASK { ?s ?p ?o }"}
    assert house.running.call("GET", "/sparql", key="", params=query).status_code == 401
    assert house.running.call("GET", "/sparql", params=query).json()["boolean"] is True


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Serve a connector whose operator opened reading."""
    folder = tmp_path_factory.mktemp("open")
    with running(folder, "did:web:open.example", "Open house", reading={"open": True}) as served:
        yield served


@pytest.mark.parametrize("how", ["url", "body", "form"])
def test_an_open_house_lets_everyone_query(open_house: Running, how: str) -> None:
    """The three ways of the SPARQL protocol, without a key, where the operator says so."""
    query = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
    parts: dict[str, Any] = {
        "url": {"method": "GET", "params": {"query": query}},
        "body": {"method": "POST", "content": query, "headers": {"Content-Type": "application/sparql-query"}},
        "form": {"method": "POST", "data": {"query": query}},
    }[how]
    answer = open_house.call(parts.pop("method"), "/sparql", key="", **parts)
    assert answer.status_code == 200, answer.text
    assert answer.json()["results"]["bindings"][0]["n"]["value"] == "0"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * { SERVICE <http://peer.example/> { ?s ?p ?o } }", "SERVICE"),
        ("DROP ALL", "DROP"),
        ("SELECT * FROM <file:///etc/passwd> { ?s ?p ?o }", "graph"),
        ("SELECT", "quer"),
    ],
)
def test_t13_a_query_that_reaches_out_is_refused_in_words(open_house: Running, query: str, said: str) -> None:
    """Reading only, and only what is here: the refusal names what is not allowed."""
    answer = open_house.call("GET", "/sparql", key="", params={"query": query})
    assert answer.status_code == 422, answer.text
    assert said.lower() in answer.text.lower()


def test_a_record_with_a_fault_is_refused_with_every_finding(house: House) -> None:
    """The problem document lists the findings in words, and nothing is stored."""
    record = {"id": f"{house.running.url}/datasets/faulty", "keyword": {"en": ["no title"]}}
    answer = house.running.call("POST", "/api/datasets", json=record)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    said = json.dumps(answer.json())
    assert "title" in said
    assert "description" in said
    assert get(house, "/datasets/faulty", "text/turtle").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/offers", {"dataset": "urn:none", "template": "open"}, "no dataset"),
        ("/api/offers", {"dataset": "x", "template": "none-such"}, "none-such"),
        ("/api/offers", {"dataset": "x"}, "policy or a template"),
        ("/api/offers", {"dataset": "x", "colour": "green"}, "colour"),
        ("/api/peers", {"participant": "no iri", "name": "N", "address": "http://127.0.0.1:1", "keys": {}}, "IRI"),
        ("/api/negotiations", {"peer": "urn:p", "dataset": "d", "offer": "o", "accept": "all"}, "accept"),
        ("/api/transfers", {"agreement": "urn:none"}, "agreement"),
        ("/api/agreements/urn:none/terminate", {"reason": "x"}, "agreement"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(house: House, path: str, body: dict[str, Any], said: str) -> None:
    """Every refusal of the API names the thing it is about."""
    answer = house.running.call("POST", path, json=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert said in answer.text


def test_t08_no_secret_leaves_by_another_door(house: House, capfd: pytest.CaptureFixture[str]) -> None:
    """A key and a token that are shown to every door turn up in no answer and in no log."""
    token = house.token()
    for path in ("/api/peers", "/api/failures", "/metrics", "/api/none", "/catalog"):
        answer = house.running.call("GET", path)
        assert house.running.api_key not in answer.text
        assert token not in house.running.call("GET", path, key=token).text
    logged = capfd.readouterr()
    assert house.running.api_key not in logged.out + logged.err
    assert token not in logged.out + logged.err


def test_an_answer_in_no_form_we_have_is_406(open_house: Running) -> None:
    """A client that takes only what we cannot give is told so, with what there is."""
    headers = {"Accept": "image/png"}
    answer = open_house.call("GET", "/sparql", key="", params={"query": "ASK {}"}, headers=headers)
    assert answer.status_code == 406, answer.text
