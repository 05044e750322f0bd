"""From a published file to its bytes under a signed agreement, between two connectors that really run."""

import hashlib
from typing import Any

import pytest
from sqlmodel import col

from connector.client import Hit, NegotiationTerminated
from connector.client.connection import TimedOut
from connector.errors import Conflict, Denied, IllegalMove, NotFound
from connector.standards.vc import tokens
from connector.storage.tables import Agreement, Dataset, Evidence, Negotiation, Transfer
from tests.journeys.conftest import FILE, Pair
from tests.running import Running, settled

RESEARCH = "https://w3id.org/dpv#AcademicResearch"
MARKETING = "https://w3id.org/dpv#Marketing"


def hit(pair: Pair, dataset: str) -> Hit:
    """Return the dataset as the consumer knows it."""
    return Hit(pair.consumer.space.connection, pair.provider.participant, dataset, dataset)


def processes(each: Running, dataset: str) -> list[dict[str, Any]]:
    """Return a connector's negotiations about a dataset."""
    found = each.space.connection.get("/api/negotiations")
    return [process for process in found if process["dataset"] == dataset]


def test_a_file_travels_from_shelf_to_table(pair: Pair) -> None:
    """The main job: publish, crawl, find, negotiate, fetch, open; the bytes are those that were published."""
    dataset, _ = pair.publish()
    settled(pair.provider, pair.consumer)
    (found,) = [
        each
        for each in pair.consumer.space.search("Dataset", participant=pair.provider.participant)
        if each.id == dataset
    ]
    agreement = found.negotiate(accept="any")
    table = agreement.open()
    assert len(table) == len(FILE.read_text().splitlines()) - 1


def test_the_decision_over_the_terms_refuses_and_permits(pair: Pair) -> None:
    """The same call with another purpose, and nothing else changed, is refused; the reason names the purpose."""
    dataset, _ = pair.publish(template="research-only")
    with pytest.raises(NegotiationTerminated) as refused:
        hit(pair, dataset).negotiate(accept="any", purpose=MARKETING)
    assert "'Marketing' is not allowed" in refused.value.reasons[0]
    assert hit(pair, dataset).negotiate(accept="any", purpose=RESEARCH).state["state"] == "active"


def test_both_sides_sign_and_keep_the_same_agreement(pair: Pair) -> None:
    """Each side holds the same terms and two signatures that verify with the other's key."""
    dataset, _ = pair.publish()
    ours = hit(pair, dataset).negotiate(accept="any").state
    settled(pair.provider, pair.consumer)
    with pair.provider.connector.database.read(pair.provider.participant) as work:
        theirs = work.need(Agreement, ours["id"])
    assert theirs.policy == ours["policy"]
    assert theirs.signatures == ours["signatures"]
    assert theirs.state == "active"
    for each in (pair.provider, pair.consumer):
        keys = each.connector.identity.public_keys()
        tokens.verify_document(ours["policy"], ours["signatures"][each.participant], keys)


def test_an_ended_agreement_gives_nothing_more(pair: Pair) -> None:
    """After termination the running transfer's grant is void, the transfer ends on both sides, a new one is refused."""
    dataset, _ = pair.publish()
    agreement = hit(pair, dataset).negotiate(accept="any")
    transfer = agreement.transfer()
    access = pair.consumer.space.connection.post(f"/api/transfers/{transfer.id}/access")
    token = next(each["value"] for each in access["endpointProperties"] if each["name"] == "authorization")
    pair.provider.space.agreement(agreement.id).terminate("The source was recalled.")
    path = access["endpoint"].removeprefix(pair.provider.url)
    refused = pair.provider.call("GET", path, key=token)
    assert refused.status_code == 403
    assert "The source was recalled." in refused.json()["detail"]
    settled(pair.provider, pair.consumer)
    assert transfer.state["state"] == "TERMINATED"
    assert "The source was recalled." in transfer.state["reason"][0]
    with pytest.raises(Denied):
        agreement.transfer()


def test_a_limit_of_uses_holds(pair: Pair) -> None:
    """Of an offer for two uses the third transfer is refused in words, and the refused one is not counted."""
    dataset, _ = pair.publish(template="counted", values={"uses": "2"})
    agreement = hit(pair, dataset).negotiate(accept="any")
    agreement.transfer()
    agreement.transfer()
    with pytest.raises(Denied) as refused:
        agreement.transfer()
    assert refused.value.reasons
    assert pair.provider.space.agreement(agreement.id).state["uses"] == 2


def test_a_range_is_the_part_it_says(pair: Pair) -> None:
    """A consumer may fetch a file in parts; the parts are the file."""
    dataset, _ = pair.publish()
    transfer = hit(pair, dataset).negotiate(accept="any").transfer()
    access = pair.consumer.space.connection.post(f"/api/transfers/{transfer.id}/access")
    token = next(each["value"] for each in access["endpointProperties"] if each["name"] == "authorization")
    path = access["endpoint"].removeprefix(pair.provider.url)
    whole = pair.provider.call("GET", path, key=token)
    first = pair.provider.call("GET", path, key=token, headers={"Range": "bytes=0-99"})
    rest = pair.provider.call("GET", path, key=token, headers={"Range": "bytes=100-"})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == whole.content
    assert whole.headers["etag"].strip('"') == hashlib.sha256(whole.content).hexdigest()
    beyond = pair.provider.call("GET", path, key=token, headers={"Range": f"bytes={len(whole.content)}-"})
    assert beyond.status_code == 416


def test_a_person_decides_where_the_offer_says_so(pair: Pair) -> None:
    """An offer that a person approves waits in the provider's inbox and goes on when the person says yes."""
    dataset, _ = pair.publish(automation="approve")
    with pytest.raises(TimedOut):
        hit(pair, dataset).negotiate(accept="any", timeout=0.5)
    settled(pair.provider, pair.consumer)
    (waiting,) = processes(pair.provider, dataset)
    assert waiting["pending"] == "approval"
    pair.provider.space.connection.post(f"/api/negotiations/{waiting['pid']}/approve")
    settled(pair.provider, pair.consumer)
    settled(pair.provider, pair.consumer)
    (ours,) = processes(pair.consumer, dataset)
    assert ours["state"] == "FINALIZED"
    with pytest.raises(Conflict):
        pair.provider.space.connection.post(f"/api/negotiations/{waiting['pid']}/approve")


def test_a_person_may_say_no(pair: Pair) -> None:
    """A refusal by a person ends it on both sides with that person's reason; what is over stays over."""
    dataset, _ = pair.publish(automation="approve")
    with pytest.raises(TimedOut):
        hit(pair, dataset).negotiate(accept="any", timeout=0.3)
    (waiting,) = processes(pair.provider, dataset)
    pair.provider.space.connection.post(f"/api/negotiations/{waiting['pid']}/terminate", {"reason": "Not this year."})
    settled(pair.provider, pair.consumer)
    (ours,) = processes(pair.consumer, dataset)
    assert (ours["state"], ours["reason"]) == ("TERMINATED", ["Not this year."])
    with pytest.raises((Conflict, IllegalMove)):
        pair.consumer.space.connection.post(f"/api/negotiations/{ours['pid']}/terminate", {"reason": "Too late."})


def test_terms_that_we_do_not_accept_are_not_asked_for(pair: Pair) -> None:
    """`accept` is the consumer's safety: other terms are refused before anything is sent, and are shown."""
    dataset, _ = pair.publish(template="research-only")
    wanted = {"permission": [{"action": "odrl:use"}]}
    with pytest.raises(Denied) as refused:
        hit(pair, dataset).negotiate(accept=[wanted], purpose=RESEARCH)
    assert "Academic Research" in refused.value.reasons[0]
    assert processes(pair.provider, dataset) == []
    same = hit(pair, dataset).offers[0]["policy"]
    assert hit(pair, dataset).negotiate(accept=[same], purpose=RESEARCH).state["state"] == "active"


def test_what_is_withdrawn_leaves_the_copies(pair: Pair) -> None:
    """A withdrawn dataset and a closed offer are gone after the next crawl, from search and SPARQL too."""
    dataset, _ = pair.publish()
    settled(pair.consumer)
    before = pair.consumer.space.search().total
    pair.provider.space.connection.post("/api/datasets/withdraw", {"id": dataset})
    pair.consumer.space.crawl(pair.provider.participant)
    settled(pair.consumer)
    assert pair.consumer.space.search().total == before - 1
    assert pair.consumer.space.sparql(f"SELECT ?p {{ <{dataset}> ?p ?o }}") == []
    with pytest.raises(NotFound):
        hit(pair, dataset).negotiate(accept="any", offer="urn:none")


def test_a_copy_is_the_record_itself(pair: Pair) -> None:
    """Crawling loses nothing: the consumer's copy has exactly the triples that the provider registered."""
    dataset, offer = pair.publish()
    with pair.provider.connector.database.read(pair.provider.participant) as work:
        own = work.need(Dataset, pair.provider.participant, dataset)
    with pair.consumer.connector.database.read(pair.consumer.participant) as work:
        copy = work.need(Dataset, pair.provider.participant, dataset)
    extra = set(copy.record.splitlines()) - set(own.record.splitlines())
    assert set(own.record.splitlines()) <= set(copy.record.splitlines())
    assert not extra
    assert [each["@id"] for each in copy.offers] == [offer]


def test_the_evidence_tells_the_story_and_holds(pair: Pair) -> None:
    """Every step is recorded once on each side, sealed, and verifies."""
    dataset, _ = pair.publish()
    hit(pair, dataset).negotiate(accept="any").transfer()
    settled(pair.provider, pair.consumer)
    for each, expected in (
        (pair.provider, ["negotiation.request.received", "policy.decided", "negotiation.agree"]),
        (pair.consumer, ["negotiation.request", "negotiation.agree.received", "negotiation.verify"]),
    ):
        report = each.space.ledger()
        assert (report["ok"], report["unsealed"]) == (True, 0)
        with each.connector.database.read(each.participant) as work:
            pid = processes(each, dataset)[0]["pid"]
            rows = work.select(Evidence, col(Evidence.subject) == pid, order_by=col(Evidence.seq))
        assert [row.kind for row in rows if row.kind in expected] == expected


def test_asking_again_changes_nothing(pair: Pair) -> None:
    """A caller that lost the answer asks again under the same id: one negotiation, one transfer, one use."""
    dataset, offer = pair.publish()
    api = pair.consumer.space.connection
    wanted = {
        "peer": pair.provider.participant,
        "dataset": dataset,
        "offer": offer,
        "accept": "any",
        "id": "urn:uuid:n-1",
    }
    assert api.post("/api/negotiations", wanted)["pid"] == api.post("/api/negotiations", wanted)["pid"]
    with pytest.raises(Conflict):
        api.post("/api/negotiations", wanted | {"purpose": RESEARCH})
    seen = api.wait(lambda: api.get("/api/negotiations/urn:uuid:n-1"), lambda n: n["state"] == "FINALIZED", 20, "It")
    asked = {"agreement": seen["agreement_id"], "id": "urn:uuid:t-1"}
    assert api.post("/api/transfers", asked)["pid"] == api.post("/api/transfers", asked)["pid"]
    settled(pair.provider, pair.consumer)
    with pair.provider.connector.database.read(pair.provider.participant) as work:
        mine = [col(kind.dataset) == dataset for kind in (Negotiation, Transfer, Agreement)]
        assert (work.count(Negotiation, mine[0]), work.count(Transfer, mine[1])) == (1, 1)
        assert [agreement.uses for agreement in work.select(Agreement, mine[2])] == [1]
