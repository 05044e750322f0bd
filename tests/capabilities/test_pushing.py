"""Pushes: the file arrives whole or the transfer says why not, through every kind of failure, and only while it may."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col

from connector.capabilities import sinks
from connector.capabilities.notices import PushDue
from connector.errors import InvalidInput, NotFound, PeerFailed
from connector.standards.dsp import messages
from connector.standards.dsp.messages import DataAddress, EndpointProperty
from connector.standards.dsp.targets import HTTP_PUSH
from connector.storage.events import DeliveryFailed
from connector.storage.tables import Agreement, Asset, OutboxRow, Push, Transfer
from tests.builders import OPERATOR, Puppet, Still
from tests.capabilities.conftest import PEER, US
from tests.capabilities.receiving import Store, receiving
from tests.capabilities.test_delivery import change, running

CONTENT = bytes(range(256)) * 40
PIECE = 1000
pytestmark = pytest.mark.usefixtures("peer")


def address(store: Store, path: str = "/rain.csv", **properties: str) -> dict[str, Any]:
    """Return the address at which a store takes a file."""
    values = {"authorization": "secret", "authType": "bearer"} | properties
    given = tuple(EndpointProperty(name=name, value=value) for name, value in values.items())
    kind = "https://w3id.org/idsa/v4.1/HTTP"
    return messages.dump(DataAddress(endpoint_type=kind, endpoint=f"{store.address}{path}", endpoint_properties=given))


def pushed(house: Still, store: Store, content: bytes = CONTENT, **fields: Any) -> Transfer:
    """Return a running transfer whose data is to be brought to a store."""
    return running(house, content=content, format=HTTP_PUSH, data_address=address(store), **fields)


def push(house: Still, ours: Transfer) -> None:
    """Do what the outbox does when it is the push's turn."""
    house.runner.run(house.connector.pushes.push(PushDue(subject=ours.pid), US))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Give a server that takes files, and pieces that are small."""
    monkeypatch.setattr(sinks, "PIECE", PIECE)
    with receiving() as made:
        yield made


def test_a_small_file_is_one_request(house: Still, store: Store) -> None:
    """It arrives with its type, its digest and the secret that its consumer gave, and the transfer is completed."""
    ours = pushed(house, store, b"rain\n")
    push(house, ours)
    assert store.held == {"/rain.csv": b"rain\n"}
    (_, _, headers), *_ = store.asked
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"] == "text/csv"
    assert headers["Repr-Digest"].startswith("sha-256=:")
    assert "Content-Range" not in headers
    assert store.methods() == ["PUT", "HEAD"]
    assert house.transfer(ours.pid).state == "COMPLETED"
    assert "transfer.complete" in house.kinds(ours.pid)


def test_a_large_file_goes_in_parts(house: Still, store: Store) -> None:
    """Each with its place in the whole, and in the end the target is asked what it holds."""
    ours = pushed(house, store)
    push(house, ours)
    assert store.held == {"/rain.csv": CONTENT}
    ranges = [headers["Content-Range"] for method, _, headers in store.asked if method == "PUT"]
    assert ranges[0] == f"bytes 0-999/{len(CONTENT)}"
    assert ranges[-1] == f"bytes 10000-10239/{len(CONTENT)}"
    assert house.transfer(ours.pid).state == "COMPLETED"
    row = house.row(Push, ours.pid, "rain.csv")
    assert (row.sent, row.done, row.digest) == (len(CONTENT), True, hashlib.sha256(CONTENT).hexdigest())


def test_a_broken_connection_costs_a_piece(house: Still, store: Store) -> None:
    """The next try asks what is there and goes on from what both know."""
    ours = pushed(house, store)
    store.script = lambda _, number: 0 if number in {8, 9} else None  # the client itself tries once more
    with pytest.raises(PeerFailed):
        push(house, ours)
    assert house.row(Push, ours.pid, "rain.csv").sent == 5 * PIECE
    before = len(store.asked)
    push(house, ours)
    assert store.methods()[before : before + 2] == ["HEAD", "PUT"]
    assert store.asked[before + 1][2]["Content-Range"].startswith("bytes 5000-")
    assert store.held["/rain.csv"] == CONTENT
    assert house.transfer(ours.pid).state == "COMPLETED"


def test_what_the_target_lost_is_sent_again(house: Still, store: Store) -> None:
    """Acknowledged is not the same as kept: the next try goes on from what the target says it holds."""
    ours = pushed(house, store)
    store.script = lambda _, number: 0 if number in {8, 9} else None
    with pytest.raises(PeerFailed):
        push(house, ours)
    before = len(store.asked)
    store.held["/rain.csv"] = store.held["/rain.csv"][:2500]
    push(house, ours)
    assert store.asked[before + 1][2]["Content-Range"].startswith("bytes 2500-")
    assert store.held["/rain.csv"] == CONTENT


@given(data=st.data())
def test_whatever_fails_the_file_is_whole_or_the_transfer_goes_on(house: Still, data: st.DataObject) -> None:
    """Connections that break, stores that are busy or forget: completed means whole, all else is tried again."""
    faults = data.draw(st.lists(st.sampled_from([None, 0, 503, 429, "forget", "cut"]), max_size=25))
    content = data.draw(st.sampled_from([b"", b"x", CONTENT[: PIECE + 1], CONTENT]))

    def script(_: str, number: int) -> int | None:
        fault = faults[number - 1] if number <= len(faults) else None
        if fault == "forget":
            place.held.clear()
        elif fault == "cut":
            place.held = {path: held[: len(held) // 2] for path, held in place.held.items()}
        return fault if isinstance(fault, int) else None

    with pytest.MonkeyPatch.context() as patch, receiving() as place:
        patch.setattr(sinks, "PIECE", PIECE)
        ours = pushed(house, place, content)
        place.script = script
        for _ in range(len(faults) + 2):
            try:
                push(house, ours)
            except PeerFailed:
                assert house.transfer(ours.pid).state == "STARTED"
            if (state := house.transfer(ours.pid).state) != "STARTED":
                break
        assert state == "TERMINATED" or place.held["/rain.csv"] == content
        assert state in {"COMPLETED", "TERMINATED"}
        assert state == "COMPLETED" or {"forget", "cut"} & set(faults)


@pytest.mark.parametrize("parts", ["refused", "ignored"])
def test_a_server_that_takes_no_parts(house: Still, store: Store, parts: str) -> None:
    """One that says so gets the file whole; one that takes a part for the whole is found out before it does harm."""
    store.parts = parts
    ours = pushed(house, store)
    if parts == "ignored":
        store.held["/rain.csv"] = b"from before"
    push(house, ours)
    found = house.transfer(ours.pid)
    assert found.state == "COMPLETED"
    assert store.held["/rain.csv"] == CONTENT


def test_a_file_too_large_for_one_request_needs_a_server_that_takes_parts(
    house: Still, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded: then the transfer ends, and says why."""
    monkeypatch.setattr(sinks, "WHOLE", 5000)
    store.parts = "refused"
    ours = pushed(house, store)
    push(house, ours)
    found = house.transfer(ours.pid)
    assert (found.state, found.code) == ("TERMINATED", "push-failed")
    assert "takes no parts" in found.reason[0]


@pytest.mark.parametrize("head", [403, 404, 405])
def test_parts_are_not_believed_to_who_does_not_tell_what_it_holds(house: Still, store: Store, head: int) -> None:
    """A target that may have kept each part as the whole is asked after the first one, and not trusted in silence."""
    store.head = head
    ours = pushed(house, store)
    push(house, ours)
    assert house.transfer(ours.pid).state == "TERMINATED"
    small = pushed(house, store, b"small")
    push(house, small)
    assert house.transfer(small.pid).state == ("TERMINATED" if head == 404 else "COMPLETED")


@pytest.mark.parametrize("status", [401, 403, 404, 413])
def test_a_target_that_refuses_ends_the_transfer(house: Still, store: Store, status: int) -> None:
    """Trying again would not help: the reason is kept and told to the consumer."""
    store.script = lambda method, _: status if method == "PUT" else None
    ours = pushed(house, store)
    push(house, ours)
    found = house.transfer(ours.pid)
    assert (found.state, found.code) == ("TERMINATED", "push-failed")
    assert str(status) in found.reason[0]
    due = house.rows(OutboxRow, col(OutboxRow.subject) == ours.pid, col(OutboxRow.subscriber) == "transfers.send")
    assert [row.body["move"] for row in due] == ["terminate"]


def test_what_the_outbox_gives_up_ends_the_transfer(house: Still, store: Store) -> None:
    """Not for ever tried in silence, and of other deliveries nothing is taken up."""
    ours = pushed(house, store)
    failed: dict[str, Any] = {"subject": ours.pid, "failed": "PushDue", "reason": "no answer", "row": 1, "body": {}}
    house.connector.pushes.failed(DeliveryFailed(**failed, subscriber="transfers.send"), US)
    assert house.transfer(ours.pid).state == "STARTED"
    house.connector.pushes.failed(DeliveryFailed(**failed, subscriber="pushes.push"), US)
    assert house.transfer(ours.pid).reason == ["The data could not be brought: no answer"]


@pytest.mark.parametrize("how", ["SUSPENDED", "TERMINATED", "agreement", "policy"])
def test_a_push_stops_while_a_piece_is_on_its_way(house: Still, store: Store, how: str) -> None:
    """t28: what is permitted no longer is broken off, though the target would take the rest for hours."""
    ours = pushed(house, store, template="recipients-only", values={"recipients": [PEER]})

    def script(_: str, number: int) -> int | None:
        if number < 4:
            return None
        if how == "agreement":
            house.connector.agreements.terminate(ours.agreement, "Recalled.", OPERATOR)
        elif how == "policy":
            change(house, Agreement, ours.agreement, uses=0, policy={"@type": "Agreement", "permission": []})
        else:
            change(house, Transfer, ours.pid, state=how)
        return -1

    store.script = script
    push(house, ours)
    found = house.transfer(ours.pid)
    assert found.state == (how if how.isupper() else "TERMINATED")
    assert house.row(Push, ours.pid, "rain.csv").sent < len(CONTENT)
    if how == "policy":
        assert found.code == "policy"
    if how == "SUSPENDED":
        store.script = lambda *_: None
        store.waiting.set()
        change(house, Transfer, ours.pid, state="STARTED")
        push(house, ours)
        assert (house.transfer(ours.pid).state, store.held["/rain.csv"]) == ("COMPLETED", CONTENT)


def test_several_files_each_get_a_place(house: Still, store: Store) -> None:
    """Below the address that was given, by their names; what is there already is not sent again."""
    ours = pushed(house, store, b"one")
    digest, size = house.connector.objects.put([b"two"])
    more: dict[str, Any] = {"distribution": f"{ours.dataset}#2", "filename": "snow.csv", "media_type": "text/csv"}
    house.add(Asset(participant=US, dataset=ours.dataset, object=digest, size=size, **more))
    store.script = lambda method, number: 503 if (method, number) == ("PUT", 3) else None
    with pytest.raises(PeerFailed):
        push(house, ours)
    push(house, ours)
    assert store.held == {"/rain.csv/rain.csv": b"one", "/rain.csv/snow.csv": b"two"}
    assert [path for method, path, _ in store.asked if method == "PUT"].count("/rain.csv/rain.csv") == 1


def test_a_transfer_that_does_not_run_is_brought_nowhere(house: Still, store: Store) -> None:
    """What was ended before its push's turn came stays ended."""
    ours = pushed(house, store, state="TERMINATED")
    push(house, ours)
    assert store.asked == []


# --- how it is asked for ----------------------------------------------------------------------------------------------


def asked(house: Still, store: Store, **changes: Any) -> messages.TransferRequestMessage:
    """Return a consumer's request for a push."""
    ours = running(house)
    place: DataAddress | None = messages.load_address(address(store))
    fields: dict[str, Any] = {
        "id": f"urn:m:{ours.pid}",
        "consumer_pid": f"urn:c:{ours.pid}",
        "agreement_id": ours.agreement,
        "format": HTTP_PUSH,
        "callback_address": "http://127.0.0.1:9",
        "data_address": place,
    }
    return messages.TransferRequestMessage(**(fields | changes))


def test_a_request_for_a_push_is_started_and_carried_out(house: Still, peer: Puppet, store: Store) -> None:
    """From the consumer's message to its file, told of each move, with no address in the start and no secret kept."""
    ours = house.connector.transfers.open(asked(house, store, callback_address=peer.address), peer.principal())
    for _ in range(6):
        house.drain()
    found = house.transfer(ours.pid)
    assert (found.state, store.held) == ("COMPLETED", {"/rain.csv": b"rain\n"})
    told = [heard.message for heard in peer.heard]
    assert [each["@type"] for each in told] == ["TransferStartMessage", "TransferCompletionMessage"]
    assert "dataAddress" not in told[0]
    kept = json.dumps([row.body for row in house.evidence(ours.pid)])
    assert "secret" not in kept
    with pytest.raises(NotFound):
        house.connector.transfers.renew(ours.pid, peer.principal())


@pytest.mark.parametrize(
    "changes",
    [
        {"data_address": None},
        {"data_address": DataAddress(endpoint_type="x")},
        {"data_address": DataAddress(endpoint_type="x", endpoint="ftp://a.example/x")},
        {"data_address": DataAddress(endpoint_type="x", endpoint="http://10.0.0.1/x")},
        {"format": "AmazonS3-PUSH"},
        {"format": "Kafka-PUSH"},
    ],
)
def test_a_place_that_is_none_is_refused(house: Still, peer: Puppet, store: Store, changes: dict[str, Any]) -> None:
    """t01: at the request, and nothing is opened: a place must be one, and one that this connector may call."""
    with pytest.raises(InvalidInput):
        house.connector.transfers.open(asked(house, store, **changes), peer.principal())


def test_our_own_request_for_a_push_says_where(house: Still, peer: Puppet, store: Store) -> None:
    """The provider is told format and place; the place is not shown to people, and there is nothing to fetch."""
    theirs = running(house, role="consumer")
    place = messages.load_address(address(store))
    ours = house.connector.transfers.request(theirs.agreement, OPERATOR, None, HTTP_PUSH, place)
    change(house, Transfer, ours.pid, callback=peer.address)
    house.drain()
    sent = peer.heard[-1].message
    assert (sent["format"], sent["dataAddress"]["endpoint"]) == (HTTP_PUSH, f"{store.address}/rain.csv")
    with pytest.raises(NotFound):
        asyncio.run(house.connector.transfers.data_access(ours.pid))
    for wrong in (None, DataAddress(endpoint_type="x", endpoint="nonsense")):
        with pytest.raises(InvalidInput):
            house.connector.transfers.request(theirs.agreement, OPERATOR, None, HTTP_PUSH, wrong)


@pytest.fixture(autouse=True)
def quiet(house: Still) -> Iterator[None]:
    """Leave nothing for the next test to deliver."""
    yield
    with house.connector.database.begin(US) as work:
        for row in work.select(OutboxRow, col(OutboxRow.event) != "EvidenceRecorded"):
            work.delete(row)
