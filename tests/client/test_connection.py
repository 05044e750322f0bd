"""What the SDK does when a connector says no, is away, or comes back; against real connectors in other processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from connector import errors
from connector.client import Connection, NegotiationTerminated, TimedOut, connect
from connector.client.connection import checked
from connector.demo.cast import WEATHER
from tests.client.pair import Pair


def test_hits_come_page_by_page_and_each_once(pair: Pair) -> None:
    """Who walks through the hits meets every dataset once, however small the pages are."""
    provider = pair.provider.space
    (first,) = [each["id"] for each in provider.datasets() if each["id"] == pair.dataset]
    plain = provider.draft(WEATHER.path).record
    keys = [f"{first}-{number}" for number in range(7)]
    for key in keys:
        provider.register({**plain, "id": key, "title": {"en": f"Paged {key[-1]}"}, "distribution": []})
    hits = provider.search("paged", page_size=2)
    provider.connection.wait(lambda: hits.total, lambda total: total == len(keys), 30, "The index")
    assert sorted(hit.id for hit in hits) == keys
    assert len(list(provider.search("paged", page_size=2, max_items=3))) == 3
    assert set(hits.to_dataframe()["id"]) == set(keys)
    for key in keys:
        provider.connection.post("/api/datasets/withdraw", {"id": key})


def test_refusals_are_what_the_connector_said(pair: Pair) -> None:
    """A no arrives as the kind of refusal it is, with its reasons and its mend."""
    provider = pair.provider.space
    with pytest.raises(errors.InvalidInput, match="DCAT-AP") as invalid:
        provider.register({"id": "http://data.example/x", "title": {}, "description": {"en": "x"}})
    assert any("title" in reason for reason in invalid.value.reasons)
    with pytest.raises(errors.NotFound, match="no agreement"):
        _ = provider.agreement("urn:uuid:nothing").state
    with pytest.raises(errors.NotFound):
        provider.offer("http://data.example/none", template="open")
    with connect(pair.provider.url, "gdc_wrong") as space, pytest.raises(errors.Unauthenticated) as stranger:
        space.identity()
    assert stranger.value.fix
    with pytest.raises(errors.NotFound):
        pair.space.search("nothing of the kind").first()


def test_terms_that_are_not_accepted_are_not_asked_for(pair: Pair) -> None:
    """`accept` binds: terms outside it lead to no negotiation, and the refusal says them."""
    before = len(pair.space.connection.get("/api/negotiations"))
    with pytest.raises(errors.Denied) as refused:
        pair.found().negotiate(accept=[])
    assert refused.value.reasons
    assert len(pair.space.connection.get("/api/negotiations")) == before


def test_a_negotiation_that_is_refused_brings_the_reason(pair: Pair) -> None:
    """The provider's words reach who asked."""
    provider = pair.provider.space
    offer = provider.offer(pair.dataset, template="research-only", automation="accept")["id"]
    pair.space.crawl(WEATHER.participant)
    try:
        with pytest.raises(errors.InvalidInput, match="several offers"):
            pair.found().negotiate(accept="any")
        with pytest.raises(NegotiationTerminated) as refused:
            pair.found().negotiate(accept="any", offer=offer, purpose="https://w3id.org/dpv#Marketing")
        assert "Marketing" in refused.value.reasons[0]
    finally:
        provider.connection.post("/api/offers/close", {"id": offer})
        pair.space.crawl(WEATHER.participant)


def test_a_call_outlasts_a_restart(pair: Pair) -> None:
    """A connector that is killed and served again is missed for a moment by nobody who calls it."""
    pair.fleet.kill(pair.provider)
    assert pair.provider.space.identity()["participant"] == WEATHER.participant


def test_a_negotiation_outlasts_a_restart_of_either_side(pair: Pair) -> None:
    """An agreement comes about, once, when the consumer and then the provider die on the way to it."""
    made = []
    for member in (pair.consumer, pair.provider):
        hit = pair.found()
        with _killed_meanwhile(pair, member.actor.participant):
            made.append(hit.negotiate(accept="any", timeout=120))
    assert len({each.id for each in made}) == 2
    for each in made:
        assert len(each.state["signatures"]) == 2
        assert len([row for row in each.evidence if row["kind"] == "agreement.signed"]) == 1


@contextmanager
def _killed_meanwhile(pair: Pair, participant: str) -> Iterator[None]:
    killer = threading.Thread(target=pair.fleet.kill, args=[pair.fleet.members[participant]])
    killer.start()
    try:
        yield
    finally:
        killer.join()


def test_patience_ends(pair: Pair) -> None:
    """Who is not there at all is given up, with a word about it."""
    nobody = Connection("http://127.0.0.1:9", patience=0.2)
    with pytest.raises(errors.PeerFailed, match="does not answer"):
        nobody.get("/livez")
    nobody.close()
    with pytest.raises(TimedOut, match="within 0 seconds"):
        pair.space.connection.wait(lambda: 1, lambda _: False, 0, "Nothing")


@pytest.mark.parametrize(
    ("status", "headers", "kind", "retryable"),
    [
        (502, {}, errors.Busy, None),
        (503, {"content-type": "text/html"}, errors.Busy, None),
        (401, {}, errors.Unauthenticated, None),
        (403, {}, errors.Denied, None),
        (404, {}, errors.NotFound, None),
        (409, {}, errors.Conflict, None),
        (418, {}, errors.InvalidInput, None),
        (429, {}, errors.Busy, None),
        (500, {}, errors.PeerFailed, False),
        (502, {"content-type": "application/problem+json", "retry-after": "1"}, errors.PeerFailed, True),
        (502, {"content-type": "application/problem+json"}, errors.PeerFailed, False),
    ],
)
def test_answers_without_words_are_refusals_too(
    status: int, headers: dict[str, str], kind: type[errors.Refusal], retryable: bool | None
) -> None:
    """What a proxy says instead of the connector, and a peer's failure, become the refusal they mean."""
    body = b'{"type": "urn:greendeal:problem:PeerFailed", "detail": "Away."}' if "json" in str(headers) else b"<html>"
    request = httpx2.Request("GET", "http://connector.example/")
    answer = httpx2.Response(status, headers=headers, content=body, request=request)
    with pytest.raises(kind) as refused:
        checked(answer)
    assert getattr(refused.value, "retryable", None) == retryable


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that somebody set for the web does not stand between two programs of one machine."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with connect(pair.provider.url, pair.provider.key) as space:
        assert space.identity()["participant"] == WEATHER.participant


def test_no_secret_is_shown(pair: Pair) -> None:
    """A connection or a connector that lands in a log does not open the door."""
    shown: list[Any] = [pair.space.connection, pair.consumer, pair.found()]
    assert all(pair.consumer.key not in repr(each) for each in shown)
