"""Copies of peers' catalogs: in step after each crawl, whole after a broken one, gone when trust is gone."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col

from connector.capabilities import federation as subject
from connector.capabilities.federation import CrawlDue
from connector.capabilities.identity import PeerTrusted
from connector.capabilities.pages import CODINGS
from connector.errors import NotFound
from connector.standards import rdf
from connector.standards.dsp import catalog as dsp
from connector.standards.odrl import templates
from connector.storage.index import SearchRequest
from connector.storage.tables import Dataset, OutboxRow, Peer
from tests.builders import OPERATOR, Answer, Heard, Puppet, Still, puppet
from tests.capabilities.conftest import PEER, US

OFFER = {"@type": "Offer", "@id": "urn:offer:1", "assigner": PEER, **templates.fill("open")}


@pytest.fixture
def house(houses: Callable[..., Still]) -> Still:
    """Give a connector of this test alone."""
    return houses()


@pytest.fixture
def peer(house: Still) -> Iterator[Puppet]:
    """Give a peer that the connector trusts."""
    with puppet(PEER) as made:
        house.trust(made)
        house.drain()
        yield made


def entry(key: str, title: str = "Sun", offers: list[dict[str, Any]] | None = None) -> bytes:
    """Return a dataset as a catalog has it."""
    record = (
        f'<{key}> <http://purl.org/dc/terms/title> "{title}"@en .\n'
        f'<{key}> <http://purl.org/dc/terms/description> "By day"@en .\n'
    )
    triples = rdf.parse(record.encode(), rdf.Format.N_TRIPLES)
    made = dsp.dataset_entry(triples, key, offers or [OFFER], "https://peer.example/dsp", ["HttpData-PULL"])
    return json.dumps(made).encode()


def page(*entries: bytes, participant: str = PEER, following: str | None = None) -> Answer:
    """Return one page of a catalog."""
    body = dsp.catalog(participant, "https://peer.example/dsp", entries, "https://peer.example/catalog")
    return Answer(200, body, (("Link", f'<{following}>; rel="next"'),) if following else ())


def key(number: int) -> str:
    """Return the IRI of one of the peer's datasets."""
    return f"https://peer.example/datasets/{number}"


def crawl(house: Still, peer: Puppet, *answers: Answer) -> Peer:
    """Crawl the peer, which answers its requests with these in turn and the last one over and over."""
    left = list(answers)
    peer.script = lambda _: left.pop(0) if len(left) > 1 else left[0]
    house.connector.federation.ask(peer.participant, OPERATOR)
    house.drain()
    return house.row(Peer, peer.participant)


def copies(house: Still, state: str = "published") -> dict[str, str]:
    """Return the titles of our copies by their ids."""
    rows = house.rows(Dataset, col(Dataset.origin) == PEER, col(Dataset.state) == state)
    return {row.id: row.title for row in rows}


def test_a_crawl_brings_what_the_peer_shows(house: Still, peer: Puppet) -> None:
    """Record, offers and formats are kept as they came; the peer's row says when, and evidence how many."""
    row = crawl(house, peer, page(entry(key(1)), entry(key(2), "Wind")))
    assert (row.crawl_state, row.crawl_error, row.crawled_at) == ("fresh", None, house.clock())
    assert copies(house) == {key(1): "Sun", key(2): "Wind"}
    copy = house.row(Dataset, PEER, key(1))
    assert (copy.offers, copy.formats, copy.version) == ([OFFER], ["HttpData-PULL"], 1)
    assert b"By day" in copy.record
    (heard,) = peer.heard
    assert (heard.path, heard.message["@type"]) == ("/dsp/catalog/request", "CatalogRequestMessage")
    assert "filter" not in heard.message
    last = house.evidence(PEER)[-1]
    assert (last.kind, last.body) == (
        "catalog.crawled",
        {"datasets": 2, "changed": 2, "withdrawn": 0, "skipped": []},
    )


def test_the_copies_keep_in_step(house: Still, peer: Puppet) -> None:
    """New, changed in record or offers, gone, and back: each is seen; what stayed is not touched."""
    crawl(house, peer, page(*(entry(key(n)) for n in (1, 2, 3))))
    before = house.row(Dataset, PEER, key(1))
    house.clock.move(hours=1)
    other = {**OFFER, "@id": "urn:offer:2"}
    crawl(house, peer, page(entry(key(1)), entry(key(2), "Moon"), entry(key(3), offers=[other]), entry(key(4))))
    assert house.row(Dataset, PEER, key(1)) == before
    assert [house.row(Dataset, PEER, key(n)).version for n in (2, 3, 4)] == [2, 2, 1]
    assert house.row(Dataset, PEER, key(2)).title == "Moon"
    assert house.row(Dataset, PEER, key(3)).offers == [other]
    assert house.evidence(PEER)[-1].body["changed"] == 3
    crawl(house, peer, page(entry(key(1))))
    assert set(copies(house)) == {key(1)}
    assert set(copies(house, "withdrawn")) == {key(2), key(3), key(4)}
    assert house.evidence(PEER)[-1].body["withdrawn"] == 3
    crawl(house, peer, page(entry(key(1))))
    assert house.evidence(PEER)[-1].body == {"datasets": 1, "changed": 0, "withdrawn": 0, "skipped": []}
    crawl(house, peer, page(entry(key(1)), entry(key(2), "Moon")))
    assert set(copies(house)) == {key(1), key(2)}
    crawl(house, peer, page())
    assert copies(house) == {}


def test_all_pages_are_followed(house: Still, peer: Puppet) -> None:
    """Relative and absolute links lead on; each page is asked for by a POST of the same message."""
    row = crawl(
        house,
        peer,
        page(entry(key(1)), following="request?after=1"),
        page(following=f"{peer.address}/catalog/request?after=2"),
        page(entry(key(3))),
    )
    assert row.crawl_state == "fresh"
    assert set(copies(house)) == {key(1), key(3)}
    assert [heard.path for heard in peer.heard] == [
        "/dsp/catalog/request",
        "/dsp/catalog/request?after=1",
        "/dsp/catalog/request?after=2",
    ]
    assert len({heard.body for heard in peer.heard}) == 1
    assert len({heard.authorization for heard in peer.heard}) == 3


WHOLE = page(entry(key(1)), entry(key(2)))
BROKEN: dict[str, list[Answer]] = {
    "no catalog": [Answer(200, b"<html>hello</html>")],
    "half": [Answer(200, WHOLE.body[: len(WHOLE.body) // 2])],
    "nothing": [Answer(200, b"")],
    "of somebody else": [page(entry(key(1)), participant="did:web:somebody.example")],
    "second page of somebody else": [page(entry(key(1)), following="request?2"), page(participant="did:web:b.example")],
    "second page broken": [page(entry(key(1)), following="request?2"), Answer(200, b"{")],
    "second page refused": [page(entry(key(1)), following="request?2"), Answer(404)],
    "next page elsewhere": [page(entry(key(1)), following="https://evil.example/dsp/catalog/request")],
    "next page on another port": [page(entry(key(1)), following="http://127.0.0.1:1/dsp/catalog/request")],
    "next page without host": [page(entry(key(1)), following="file:///etc/passwd")],
    "refused": [Answer(403)],
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_catalog_that_is_broken_leaves_the_last_whole_copy(house: Still, peer: Puppet, case: str) -> None:
    """Whatever is wrong, and on whichever page: nothing of it is taken, and the peer's row says what it is."""
    crawl(house, peer, WHOLE)
    before = house.rows(Dataset, col(Dataset.origin) == PEER)
    last = house.row(Peer, PEER).crawled_at
    house.clock.move(hours=1)
    peer.heard.clear()
    row = crawl(house, peer, *BROKEN[case])
    assert row.crawl_state == "failed"
    assert row.crawl_error
    assert row.crawled_at == last
    assert house.rows(Dataset, col(Dataset.origin) == PEER) == before
    assert len(peer.heard) == len(BROKEN[case])
    assert crawl(house, peer, WHOLE).crawl_state == "fresh"
    assert house.row(Peer, PEER).crawl_error is None


def test_a_catalog_that_is_too_large_is_refused(house: Still, peer: Puppet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one page nor all together may be endless; nothing of it is kept."""
    monkeypatch.setattr(dsp, "MAX_BYTES", 2000)
    row = crawl(house, peer, page(*(entry(key(n)) for n in range(20))))
    assert row.crawl_state == "failed"
    assert copies(house) == {}


@pytest.mark.parametrize("limit", ["PAGES_AT_MOST", "DATASETS_AT_MOST"])
def test_a_catalog_without_end_is_given_up(
    house: Still, peer: Puppet, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """A peer that always has one more page does not keep us busy for ever."""
    monkeypatch.setattr(subject, limit, 10)
    turns = iter(range(1, 1000))

    def endless(_: Heard) -> Answer:
        number = next(turns)
        return page(entry(key(number)), following=f"request?after={number}")

    peer.script = endless
    house.connector.federation.ask(PEER, OPERATOR)
    house.drain()
    row = house.row(Peer, PEER)
    assert row.crawl_state == "failed"
    assert "end" in str(row.crawl_error)
    assert 10 <= len(peer.heard) <= 12
    assert copies(house) == {}


def test_a_page_that_leads_back_is_noticed(house: Still, peer: Puppet) -> None:
    """Pages that go round in a circle are given up at the first repeat, not after thousands of requests."""
    row = crawl(house, peer, page(entry(key(1)), following="request?a"), page(entry(key(2)), following="request?a"))
    assert row.crawl_state == "failed"
    assert len(peer.heard) == 2
    assert copies(house) == {}


def test_a_faulty_dataset_costs_no_other(house: Still, peer: Puppet) -> None:
    """What of a catalog cannot be used is named at the peer; the rest is taken."""
    bad = {"@id": "https://peer.example/datasets/9", "@type": "Dataset", "distribution": [{"@type": "x"}]}
    odd = {**json.loads(entry(key(8))), "dct:title": {"@value": "x", "@language": 5}}
    row = crawl(house, peer, page(entry(key(1)), json.dumps(bad).encode(), json.dumps(odd).encode(), b"7"))
    assert row.crawl_state == "fresh"
    assert key(1) in copies(house)
    assert "datasets/9" in str(row.crawl_error)
    assert "datasets/8" in str(row.crawl_error)


def test_a_dataset_whose_plain_view_would_burst_costs_no_other(house: Still, peer: Puppet) -> None:
    """A small record can describe a huge view, by parts that refer to one another: it is left out."""
    found = json.loads(entry(key(2)))
    links = [{"@id": f"urn:x:{n}"} for n in range(200)]
    found["dct:creator"] = [{"@id": f"urn:a:{n}", "@type": "foaf:Agent"} for n in range(50)]
    found["dcat:distribution"] = [
        {"@id": f"urn:d:{n}", "@type": ["dcat:Distribution"], "dcat:accessService": links} for n in range(200)
    ]
    found["@included"] = [
        {"@id": link["@id"], "dct:conformsTo": [{"@id": f"urn:s:{n}", "dct:title": "x"} for n in range(5)]}
        for link in links
    ]
    row = crawl(house, peer, page(entry(key(1)), json.dumps(found).encode()))
    assert row.crawl_state == "fresh"
    assert key(1) in copies(house)


@pytest.mark.parametrize("field", ["@id", "dct:title", "dct:description"])
def test_what_no_database_keeps_costs_no_other(house: Still, peer: Puppet, field: str) -> None:
    """A text with a NUL is no text to PostgreSQL: where it would be kept, its dataset is named and left out."""
    body = json.loads(page(entry(key(1))).body)
    body["dataset"].append({**json.loads(entry(key(2))), field: "nul\x00"})
    row = crawl(house, peer, Answer(200, json.dumps(body).encode()))
    assert row.crawl_state == "fresh"
    assert set(copies(house)) - {key(2)} == {key(1)}
    if field != "dct:description":
        assert "NUL" in str(row.crawl_error)
        assert len(copies(house)) == 1


def test_datasets_of_others_in_a_peers_catalog_are_not_the_peers(house: Still, peer: Puppet) -> None:
    """A catalog may hold the catalogs of others; with them the peer cannot negotiate, so they are left out by name."""
    body = json.loads(page(entry(key(1))).body)
    body["catalog"] = [json.loads(page(entry(key(2)), participant="did:web:other.example").body)]
    row = crawl(house, peer, Answer(200, json.dumps(body).encode()))
    assert set(copies(house)) == {key(1)}
    assert "did:web:other.example" in str(row.crawl_error)


def test_an_id_that_is_too_long_for_a_key_costs_no_other(house: Still, peer: Puppet) -> None:
    """PostgreSQL keeps no such key, so neither engine does."""
    long = "https://peer.example/" + "x" * 3000
    row = crawl(house, peer, page(entry(key(1)), entry(long)))
    assert set(copies(house)) == {key(1)}
    assert "bytes" in str(row.crawl_error)


def test_a_dataset_whose_id_is_no_iri_is_kept_under_it(house: Still, peer: Puppet) -> None:
    """Connectors of other kinds name their datasets `asset-1`: negotiations need the name letter by letter."""
    found = json.loads(entry("https://peer.example/x"))
    found["@id"] = "asset 1/ü"
    crawl(house, peer, page(json.dumps(found).encode()))
    assert set(copies(house)) == {"asset 1/ü"}
    house.drain()
    assert house.outbox() == []
    assert [hit.id for hit in house.connector.search.find(SearchRequest()).hits] == ["asset 1/ü"]


def test_an_unreachable_peer_is_tried_again(house: Still, peer: Puppet) -> None:
    """While it is away the last copy stays and its row says so; when it is back, all is fresh by itself."""
    crawl(house, peer, WHOLE)
    house.clock.move(hours=1)
    row = crawl(house, peer, Answer(503))
    assert (row.crawl_state, len(copies(house))) == ("unreachable", 2)
    assert "503" in str(row.crawl_error)
    peer.script = lambda _: page(entry(key(3)))
    house.clock.move(minutes=1)
    house.drain()
    row = house.row(Peer, PEER)
    assert (row.crawl_state, row.crawl_error, row.crawled_at) == ("fresh", None, house.clock())
    assert set(copies(house)) == {key(3)}
    crawl(house, peer, Answer(500))
    house.patient()
    assert house.row(Peer, PEER).crawl_state == "failed"
    assert set(copies(house)) == {key(3)}
    assert [failed.subscriber for failed in house.connector.health.failures()] == ["federation.crawl"]


def test_a_later_success_is_not_overwritten_by_an_older_failure(house: Still, peer: Puppet) -> None:
    """Two crawls were asked for, the first was refused and the second went well: the peer is fresh."""
    answers = [Answer(403), WHOLE]
    peer.script = lambda _: answers.pop(0)
    house.connector.federation.ask(PEER, OPERATOR)
    house.connector.federation.ask(PEER, OPERATOR)
    house.drain()
    row = house.row(Peer, PEER)
    assert (row.crawl_state, row.crawl_error) == ("fresh", None)


def test_a_peer_that_is_trusted_no_longer_has_no_copies(house: Still, peer: Puppet) -> None:
    """They are withdrawn, one by one announced, and come back only with trust and a crawl."""
    crawl(house, peer, WHOLE)
    house.connector.identity.distrust(PEER)
    house.drain()
    assert copies(house) == {}
    assert set(copies(house, "withdrawn")) == {key(1), key(2)}
    with pytest.raises(NotFound):
        house.connector.federation.ask(PEER, OPERATOR)
    house.trust(peer)
    house.drain()
    assert copies(house) == {}
    crawl(house, peer, WHOLE)
    assert set(copies(house)) == {key(1), key(2)}


def test_a_crawl_under_way_when_trust_ends_brings_nothing(house: Still, peer: Puppet) -> None:
    """What comes in after the decision is not kept."""

    def distrusted(_: Heard) -> Answer:
        house.connector.identity.distrust(PEER)
        return WHOLE

    peer.script = distrusted
    house.runner.run(house.connector.federation.crawl(CrawlDue(subject=PEER), US))
    assert (len(peer.heard), copies(house)) == (1, {})
    house.runner.run(house.connector.federation.crawl(CrawlDue(subject=PEER), US))
    assert len(peer.heard) == 1


def timers(house: Still) -> list[OutboxRow]:
    """Return the crawls that are set for later."""
    return house.rows(OutboxRow, col(OutboxRow.event) == "CrawlDue", col(OutboxRow.due) > house.clock())


def test_one_crawl_is_due_for_each_peer(houses: Callable[..., Still]) -> None:
    """However often trust is given and whatever is heard twice: a period after each crawl there is one next."""
    house = houses(federation={"crawl_seconds": 600})
    with puppet(PEER) as peer:
        peer.script = lambda _: WHOLE
        house.trust(peer)
        house.drain()
        assert len(peer.heard) == 1
        assert {timer.due for timer in timers(house)} == {house.clock() + timedelta(minutes=10)}
        for event in (PeerTrusted(subject=PEER), CrawlDue(subject=PEER), CrawlDue(subject=PEER)):
            house.connector.federation.schedule(event, US)
        house.drain()
        assert len({row.due for row in timers(house)}) == 1
        for _ in range(3):
            house.clock.move(minutes=10)
            house.drain()
        assert len(peer.heard) == 4
        peer.script = lambda _: Answer(404)
        house.clock.move(minutes=10)
        house.drain()
        assert house.row(Peer, PEER).crawl_state == "failed"
        peer.script = lambda _: WHOLE
        house.clock.move(minutes=10)
        house.drain()
        assert house.row(Peer, PEER).crawl_state == "fresh"
        house.connector.identity.distrust(PEER)
        house.clock.move(minutes=10)
        house.drain()
        house.clock.move(minutes=10)
        house.drain()
        assert (len(peer.heard), timers(house)) == (6, [])


def test_without_a_period_a_crawl_is_only_asked_for(house: Still, peer: Puppet) -> None:
    """`crawl_seconds = 0` sets no timer at all."""
    house.connector.federation.schedule(PeerTrusted(subject=PEER), US)
    assert timers(house) == []
    assert peer.heard == []
    assert house.connector.federation.ask(PEER, OPERATOR).crawl_state == "waiting"


def tagged(*answers: Answer) -> Callable[[Heard], Answer]:
    """Return a script that answers each path with its page in turn, tagged, and 304 who has it already."""
    paths = ["/dsp/catalog/request", *(f"/dsp/catalog/request?after={number}" for number in range(1, len(answers)))]
    pages = dict(zip(paths, answers, strict=True))

    def script(heard: Heard) -> Answer:
        answer = pages[heard.path]
        tag = f'W/"{hashlib.sha256(answer.body).hexdigest()[:8]}"'
        if heard.headers.get("If-None-Match") == tag:
            return Answer(304, b"", (("ETag", tag),))
        return Answer(200, answer.body, (*answer.headers, ("ETag", tag)))

    return script


def renewed(house: Still, peer: Puppet, *answers: Answer) -> list[int]:
    """Crawl a peer with these pages an hour later; return how often it was asked with and without a tag."""
    house.clock.move(hours=1)
    peer.heard.clear()
    peer.script = tagged(*answers)
    house.connector.federation.ask(peer.participant, OPERATOR)
    house.drain()
    row = house.row(Peer, peer.participant)
    assert (row.crawl_state, row.crawled_at) == ("fresh", house.clock())
    known = sum("If-None-Match" in heard.headers for heard in peer.heard)
    return [known, len(peer.heard) - known]


def test_a_catalog_that_did_not_change_is_not_read_again(house: Still, peer: Puppet) -> None:
    """Each page is asked for by its tag; when none has changed the copy is as fresh as after a crawl."""
    two = [page(entry(key(1)), following="request?after=1"), page(entry(key(2)))]
    assert renewed(house, peer, *two) == [0, 2]
    before = house.rows(Dataset, col(Dataset.origin) == PEER)
    assert renewed(house, peer, *two) == [2, 0]
    assert house.rows(Dataset, col(Dataset.origin) == PEER) == before
    assert house.evidence(PEER)[-1].body == {"datasets": 2, "changed": 0, "withdrawn": 0, "skipped": []}


def test_one_changed_page_is_enough_to_read_all(house: Still, peer: Puppet) -> None:
    """Of a page that is not sent we do not know what is on it: nothing is taken for gone that is not."""
    first, last = page(entry(key(1)), following="request?after=1"), page(entry(key(2)))
    renewed(house, peer, first, last)
    assert renewed(house, peer, first, page(entry(key(3)))) == [2, 2]
    assert set(copies(house)) == {key(1), key(3)}
    assert renewed(house, peer, page(entry(key(4))), last) == [1, 0]
    assert set(copies(house)) == {key(4)}


def test_what_was_left_out_is_read_again(house: Still, peer: Puppet) -> None:
    """A dataset that was not understood may be understood by a later version: a tag does not hide it."""
    bad = json.dumps({"@id": key(9), "@type": "Dataset", "distribution": [{"@type": "x"}]}).encode()
    assert renewed(house, peer, page(entry(key(1)), bad)) == [0, 1]
    assert renewed(house, peer, page(entry(key(1)), bad)) == [0, 1]


def test_a_peer_for_whom_no_post_is_conditional_is_read(house: Still, peer: Puppet) -> None:
    """412 to the tag means that it changed, or that the peer holds the letter of HTTP: it is read without."""
    renewed(house, peer, page(entry(key(1))))
    whole = tagged(page(entry(key(2))))
    peer.script = lambda heard: Answer(412) if "If-None-Match" in heard.headers else whole(heard)
    house.connector.federation.ask(peer.participant, OPERATOR)
    house.drain()
    assert set(copies(house)) == {key(2)}


def test_no_tag_goes_to_another_address(house: Still, peer: Puppet) -> None:
    """A peer that moved is read from its new place; its token is for the peer alone."""
    renewed(house, peer, page(entry(key(1))))
    with house.connector.database.begin(US) as work:
        work.need(Peer, PEER, lock=True).crawl_tags = [["http://127.0.0.1:1/dsp/catalog/request", 'W/"x"']]
    assert renewed(house, peer, page(entry(key(1)))) == [0, 1]


@pytest.mark.parametrize("packing", CODINGS)
def test_a_catalog_of_twins_is_no_bomb(house: Still, peer: Puppet, packing: str) -> None:
    """Datasets that differ in their names alone pack to a hundredth and less, and are taken all the same."""
    title = " ".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(30))
    one = entry("urn:d:000", title).decode()
    whole = page(*(one.replace("urn:d:000", f"urn:d:{number:03}").encode() for number in range(450)))
    packed = CODINGS[packing](whole.body)
    assert len(whole.body) > 1024**2
    assert len(whole.body) > 30 * len(packed)
    crawl(house, peer, Answer(200, packed, (("Content-Encoding", packing),)))
    assert len(copies(house)) == 450


@pytest.mark.parametrize("packing", CODINGS)
def test_packed_pages_are_asked_for_and_read(house: Still, peer: Puppet, packing: str) -> None:
    """A whole catalog packs to a twentieth: a crawl takes it so."""
    whole = page(entry(key(1)))
    crawl(house, peer, Answer(200, CODINGS[packing](whole.body), (("Content-Encoding", packing),)))
    assert peer.heard[0].headers["Accept-Encoding"] == "zstd, gzip"
    assert set(copies(house)) == {key(1)}
