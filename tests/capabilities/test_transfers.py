"""Transfers in both roles: uses are counted exactly, what ended stays ended, and repeats and losses do no harm."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlmodel import col

from connector.capabilities.notices import TransferMoved
from connector.errors import Conflict, IllegalMove, InvalidInput, NotFound, PeerFailed
from connector.standards.dsp import messages, transfer
from connector.standards.dsp.address import EDC, HTTP, RENEWAL
from connector.standards.dsp.negotiation import Role
from connector.standards.dsp.targets import HTTP_PULL
from connector.standards.dsp.transfer import Move, State
from connector.standards.odrl import templates
from connector.storage.tables import Agreement, Negotiation, OutboxRow, Transfer
from tests.builders import CHINA, NOON, OPERATOR, Answer, Heard, Puppet, Still, acknowledge, error, puppet
from tests.capabilities.conftest import PEER, US

THIRD = "did:web:third.example"
pytestmark = pytest.mark.usefixtures("fresh_peer")


def contract(
    house: Still, role: Role = Role.PROVIDER, template: str = "open", peer: str = PEER, **fields: Any
) -> Agreement:
    """Write an agreement in force on a dataset of its own."""
    number = next(house.numbers)
    values = fields.pop("values", {})
    dataset = house.shelve() if role is Role.PROVIDER else f"https://peer.example/datasets/{number}"
    default: dict[str, Any] = {"participant": US, "peer": peer, "role": role, "dataset": dataset, "created": NOON}
    rules = templates.fill(template, **values)
    made = Agreement(
        **{
            **default,
            "id": f"urn:agreement:{number}",
            "negotiation": f"urn:negotiation:{number}",
            "policy": {**rules, "@id": f"urn:agreement:{number}", "@type": "Agreement"},
            "state": "active",
            **fields,
        }
    )
    process = Negotiation(
        **default,
        pid=made.negotiation,
        callback="http://127.0.0.1:9",
        state="FINALIZED",
        offer_id="urn:offer",
        policy=rules,
        updated=NOON,
    )
    house.add(process, made)
    return made


def asking(house: Still, peer: Puppet, made: Agreement, **changes: Any) -> messages.TransferRequestMessage:
    """Return the peer's request for the data of an agreement."""
    number = next(house.numbers)
    values: dict[str, Any] = {
        "id": f"urn:message:{number}",
        "consumer_pid": f"urn:theirs:{number}",
        "agreement_id": made.id,
        "format": HTTP_PULL,
        "callback_address": peer.address,
    }
    return messages.TransferRequestMessage(**values | changes)


def started(house: Still, peer: Puppet, made: Agreement | None = None) -> Transfer:
    """Let the peer ask for data, and us start."""
    ours = house.connector.transfers.open(asking(house, peer, made or contract(house)), peer.principal())
    house.drain()
    return house.transfer(ours.pid)


def said(house: Still, ours: Transfer, move: Move, **more: Any) -> Any:
    """Return a message about a transfer."""
    kinds = {
        Move.START: messages.TransferStartMessage,
        Move.SUSPEND: messages.TransferSuspensionMessage,
        Move.COMPLETE: messages.TransferCompletionMessage,
        Move.TERMINATE: messages.TransferTerminationMessage,
    }
    theirs = ours.peer_pid or f"urn:theirs:{ours.pid}"
    pair = (ours.pid, theirs) if ours.role == Role.CONSUMER else (theirs, ours.pid)
    values = {"id": f"urn:message:{next(house.numbers)}", "consumer_pid": pair[0], "provider_pid": pair[1], **more}
    return kinds[move](**values)


# --- as provider ------------------------------------------------------------------------------------------------------


def test_a_request_under_an_agreement_is_started(house: Still, peer: Puppet) -> None:
    """One use is counted; the consumer hears where the data is and gets a grant that is in no evidence."""
    made = contract(house)
    ours = started(house, peer, made)
    assert (ours.state, house.row(Agreement, made.id).uses) == ("STARTED", 1)
    assert house.kinds(ours.pid) == ["transfer.request.received", "policy.decided", "transfer.start"]
    (heard,) = peer.heard
    assert heard.path == f"/dsp/transfers/{ours.peer_pid}/start"
    address = messages.decode(heard.body, messages.TransferStartMessage).data_address
    assert address is not None
    assert (address.endpoint_type, address.get("authType")) == (HTTP, "bearer")
    assert address.endpoint == f"{house.connector.settings.public_url}/data/{ours.pid}"
    grant = str(address.get("authorization"))
    assert house.connector.delivery.assets(ours.pid, grant)[0].filename == "rain.csv"
    recorded = json.dumps([row.body for row in house.evidence(ours.pid)])
    assert grant not in recorded
    assert house.outbox(ours.pid) == []


def test_the_same_request_again_is_the_same_transfer(house: Still, peer: Puppet) -> None:
    """A repeat returns the process, before and after it was started, and counts nothing."""
    made = contract(house)
    message = asking(house, peer, made)
    transfers = house.connector.transfers
    first = transfers.open(message, peer.principal())
    assert transfers.open(message, peer.principal()).pid == first.pid
    house.drain()
    assert transfers.open(message, peer.principal()).pid == first.pid
    house.drain()
    assert house.row(Agreement, made.id).uses == 1
    assert len(peer.heard) == 1


def test_a_request_needs_an_agreement_in_force_with_this_peer(house: Still, peer: Puppet) -> None:
    """Somebody else's agreement, our own as consumer, and none look alike; a pending or ended one says why not."""
    transfers = house.connector.transfers
    with puppet(THIRD) as third:
        for made in (contract(house, peer=THIRD), contract(house, Role.CONSUMER)):
            with pytest.raises(NotFound):
                transfers.open(asking(house, peer, made), peer.principal())
        with pytest.raises(NotFound):
            transfers.open(asking(house, third, contract(house)), third.principal())
    with pytest.raises(NotFound):
        transfers.open(asking(house, peer, contract(house), agreement_id="urn:none"), peer.principal())
    for state, words in (("pending", "not yet in force"), ("terminated", "Gone.")):
        with pytest.raises(Conflict, match=words):
            transfers.open(asking(house, peer, contract(house, state=state, reason="Gone.")), peer.principal())
    for changes in ({"format": "AmazonS3-PUSH"}, {"callback_address": "http://10.1.1.1/"}):
        with pytest.raises(InvalidInput):
            transfers.open(asking(house, peer, contract(house), **changes), peer.principal())


@pytest.mark.parametrize("times", [8])
def test_a_request_that_comes_many_times_at_once_opens_one_transfer(each_house: Still, times: int) -> None:
    """A use costs: what the network doubles must not spend two."""
    with puppet(PEER) as peer:
        each_house.trust(peer)
        made = contract(each_house)
        message = asking(each_house, peer, made)
        start = threading.Barrier(times)

        def ask(_: int) -> str:
            start.wait()
            return each_house.connector.transfers.open(message, peer.principal()).pid

        with ThreadPoolExecutor(times) as pool:
            assert len(set(pool.map(ask, range(times)))) == 1
        each_house.drain()
        assert each_house.row(Agreement, made.id).uses == 1
        assert len(each_house.rows(Transfer)) == 1


@pytest.mark.parametrize("limit", [0, 3])
def test_racing_transfers_spend_exactly_the_uses_there_are(each_house: Still, limit: int) -> None:
    """Of eight transfers that are decided at once exactly as many start as the policy has uses; the rest hear why."""
    with puppet(PEER) as peer:
        each_house.trust(peer)
        made = contract(each_house, template="counted", values={"uses": str(max(limit, 1))})
        if limit == 0:
            with each_house.connector.database.begin(US) as work:
                work.need(Agreement, made.id, lock=True).uses = 1
        transfers = each_house.connector.transfers
        opened = [transfers.open(asking(each_house, peer, made), peer.principal()) for _ in range(8)]
        start = threading.Barrier(8)

        def react(ours: Transfer) -> None:
            start.wait()
            transfers.react(TransferMoved(subject=ours.pid, state=State.REQUESTED), US)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(react, opened))
        each_house.drain()
        states = sorted(each_house.transfer(ours.pid).state for ours in opened)
        assert states.count("STARTED") == limit
        assert states.count("TERMINATED") == 8 - limit
        assert each_house.row(Agreement, made.id).uses == max(limit, 1)
        refused = [heard.message for heard in peer.heard if heard.path.endswith("/termination")]
        assert len(refused) == 8 - limit
        assert all("use" in message["reason"][0] for message in refused)


def test_the_policy_is_asked_when_the_data_is_asked_for(house: Still) -> None:
    """A country that changed, a day that passed: the transfer ends with the policy's sentences, and no use is spent."""
    with puppet("did:web:moved.example") as peer:
        house.trust(peer, CHINA)
        made = contract(house, template="eu-only", peer=peer.participant)
        ours = started(house, peer, made)
        assert (ours.state, ours.code) == ("TERMINATED", "policy")
        assert "China" in ours.reason[0]
        assert peer.heard[0].message["reason"] == ours.reason
        assert house.row(Agreement, made.id).uses == 0
        day = f"{house.clock():%Y-%m-%d}"
        limited = contract(house, template="time-limited", values={"until": day}, peer=peer.participant)
        assert started(house, peer, limited).state == "STARTED"
        house.clock.move(days=1, hours=1)
        late = started(house, peer, limited)
        assert late.state == "TERMINATED"
        assert house.row(Agreement, limited.id).uses == 1


def test_an_agreement_that_ends_takes_its_transfers_along(house: Still, peer: Puppet) -> None:
    """Running, suspended and just requested ones end with its reason; those that were over are left in peace."""
    made = contract(house)
    running, paused, done = (started(house, peer, made) for _ in range(3))
    transfers = house.connector.transfers
    transfers.receive(paused.pid, said(house, paused, Move.SUSPEND), peer.principal())
    transfers.complete(done.pid, OPERATOR)
    asked = transfers.open(asking(house, peer, made), peer.principal())
    house.connector.agreements.terminate(made.id, "Recalled.", OPERATOR)
    house.drain()
    for ours in (running, paused, asked):
        now = house.transfer(ours.pid)
        assert now.state == "TERMINATED"
        assert "The agreement was terminated: Recalled." in now.reason
    assert house.transfer(done.pid).state == "COMPLETED"
    assert house.row(Agreement, made.id).uses == 3
    told = [heard.path for heard in peer.heard if heard.path.endswith("/termination")]
    assert len(told) == 3
    with pytest.raises(Conflict, match=r"Recalled\."):
        transfers.open(asking(house, peer, made), peer.principal())
    again = house.connector.agreements.terminate(made.id, "Recalled.", OPERATOR)
    assert again.state == "terminated"
    with pytest.raises(Conflict):
        house.connector.agreements.terminate(made.id, "Another reason.", OPERATOR)
    assert house.kinds(made.id).count("agreement.terminated") == 1


def test_an_event_that_is_heard_twice_or_late_counts_once(house: Still, peer: Puppet) -> None:
    """`react` looks at the state it finds."""
    made = contract(house)
    ours = house.connector.transfers.open(asking(house, peer, made), peer.principal())
    for _ in range(3):
        house.connector.transfers.react(TransferMoved(subject=ours.pid, state=State.REQUESTED), US)
    house.drain()
    for state in State:
        house.connector.transfers.react(TransferMoved(subject=ours.pid, state=state), US)
    house.drain()
    assert house.row(Agreement, made.id).uses == 1
    assert [heard.path.rpartition("/")[2] for heard in peer.heard] == ["start"]


def test_a_fresh_grant_is_given_while_it_runs(house: Still, peer: Puppet) -> None:
    """Renewal is for the consumer of a running transfer under a standing agreement, and for nobody else."""
    transfers = house.connector.transfers
    made = contract(house)
    ours = started(house, peer, made)
    first = messages.decode(peer.heard[0].body, messages.TransferStartMessage).data_address
    again = transfers.renew(ours.pid, peer.principal())
    assert first is not None
    assert again.endpoint == first.endpoint
    assert again.get("authorization") != first.get("authorization")
    with puppet(THIRD) as third, pytest.raises(NotFound):
        transfers.renew(ours.pid, third.principal())
    with pytest.raises(NotFound):
        transfers.renew("urn:none", peer.principal())
    transfers.receive(ours.pid, said(house, ours, Move.SUSPEND, reason=("Lunch.",)), peer.principal())
    with pytest.raises(Conflict, match="SUSPENDED"):
        transfers.renew(ours.pid, peer.principal())
    transfers.receive(ours.pid, said(house, ours, Move.START), peer.principal())
    assert transfers.renew(ours.pid, peer.principal()).get("authorization")
    house.connector.agreements.terminate(made.id, "Over.", OPERATOR)
    with pytest.raises(Conflict, match="Over"):
        transfers.renew(ours.pid, peer.principal())
    house.drain()
    with pytest.raises(Conflict, match="Over"):
        transfers.renew(ours.pid, peer.principal())
    own = taken(house)
    with pytest.raises(NotFound):
        transfers.renew(own.pid, peer.principal())


# --- as consumer ------------------------------------------------------------------------------------------------------


def taken(house: Still, made: Agreement | None = None, **more: Any) -> Transfer:
    """Ask the peer for data."""
    return house.connector.transfers.request((made or contract(house, Role.CONSUMER)).id, OPERATOR, **more)


def address_of(peer: Puppet, *, renewal: bool = True) -> messages.DataAddress:
    """Return where the peer says its data is."""
    properties = {"authorization": "first", "authType": "bearer"}
    if renewal:
        properties[RENEWAL] = f"{peer.address}/renewal"
    return messages.DataAddress(
        endpoint_type=HTTP,
        endpoint=f"{peer.address}/data",
        endpoint_properties=tuple(messages.EndpointProperty(name=n, value=v) for n, v in properties.items()),
    )


def test_a_request_names_agreement_format_and_where_to_answer(house: Still, peer: Puppet) -> None:
    """The provider's id is learnt from its acknowledgement, and its address kept when it starts."""
    made = contract(house, Role.CONSUMER)
    ours = taken(house, made)
    house.drain()
    (heard,) = peer.heard
    sent = messages.decode(heard.body, messages.TransferRequestMessage)
    assert heard.path == "/dsp/transfers/request"
    assert (sent.consumer_pid, sent.agreement_id, sent.format) == (ours.pid, made.id, HTTP_PULL)
    assert sent.callback_address == house.connector.address
    ours = house.transfer(ours.pid)
    assert ours.peer_pid == f"urn:theirs:{ours.pid}"
    with pytest.raises(Conflict):
        house.runner.run(house.connector.transfers.data_access(ours.pid))
    start = said(house, ours, Move.START, data_address=address_of(peer))
    house.connector.transfers.receive(ours.pid, start, peer.principal())
    house.drain()
    fresh = messages.dump(address_of(peer))
    fresh["endpointProperties"][0]["value"] = "second"
    peer.script = lambda _: Answer(200, json.dumps(fresh).encode())
    found = house.runner.run(house.connector.transfers.data_access(ours.pid))
    assert found.get("authorization") == "second"
    assert peer.heard[-1].path == "/dsp/renewal"
    assert len(peer.heard) == 2
    recorded = json.dumps([row.body for row in house.evidence(ours.pid)])
    assert "first" not in recorded


def test_an_address_without_renewal_is_taken_as_it_is(house: Still, peer: Puppet) -> None:
    """A connector of another kind gives one token for as long as it likes."""
    ours = taken(house)
    house.drain()
    start = said(house, ours, Move.START, data_address=address_of(peer, renewal=False))
    house.connector.transfers.receive(ours.pid, start, peer.principal())
    assert house.runner.run(house.connector.transfers.data_access(ours.pid)).get("authorization") == "first"


def test_an_address_in_another_connectors_names_is_taken_in_ours(house: Still, peer: Puppet) -> None:
    """Eclipse EDC names everything by IRIs of its own, the endpoint too; our users find the protocol's names."""
    ours = taken(house)
    house.drain()
    long = {"endpoint": f"{peer.address}/data", "authorization": "first", "authType": "bearer"}
    properties = tuple(messages.EndpointProperty(name=EDC + name, value=value) for name, value in long.items())
    address = messages.DataAddress(endpoint_type=HTTP, endpoint_properties=properties)
    house.connector.transfers.receive(ours.pid, said(house, ours, Move.START, data_address=address), peer.principal())
    found = house.runner.run(house.connector.transfers.data_access(ours.pid))
    assert (found.endpoint, found.get("authorization"), found.get("authType")) == tuple(long.values())


def test_t01_an_endpoint_under_another_name_is_judged_too(house: Still, peer: Puppet) -> None:
    """An address that must not be called is refused under whatever name it stands; the start stays undone."""
    ours = taken(house)
    house.drain()
    bad = (messages.EndpointProperty(name=f"{EDC}endpoint", value="http://169.254.169.254/latest"),)
    address = messages.DataAddress(endpoint_type=HTTP, endpoint_properties=bad)
    start = said(house, ours, Move.START, data_address=address)
    with pytest.raises(InvalidInput):
        house.connector.transfers.receive(ours.pid, start, peer.principal())
    assert house.transfer(ours.pid).state == "REQUESTED"


@pytest.mark.parametrize("answer", [Answer(409), Answer(404), Answer(200, b"<html>"), Answer(200, b"{}")])
def test_a_renewal_that_fails_is_the_peers_fault(house: Still, peer: Puppet, answer: Answer) -> None:
    """It is told as a refusal, and the transfer stays as it is."""
    ours = taken(house)
    house.drain()
    start = said(house, ours, Move.START, data_address=address_of(peer))
    house.connector.transfers.receive(ours.pid, start, peer.principal())
    peer.script = lambda _: answer
    with pytest.raises((PeerFailed, InvalidInput)):
        house.runner.run(house.connector.transfers.data_access(ours.pid))
    assert house.transfer(ours.pid).state == "STARTED"


def test_the_proof_for_a_renewal_is_for_the_peer_alone(house: Still, peer: Puppet) -> None:
    """A provider may have its renewals elsewhere: what is sent there proves us to that provider and to nobody else."""
    with puppet("did:web:elsewhere.example") as elsewhere:
        ours = taken(house)
        house.drain()
        start = said(house, ours, Move.START, data_address=address_of(elsewhere))
        house.connector.transfers.receive(ours.pid, start, peer.principal())
        elsewhere.script = lambda _: Answer(200, json.dumps(messages.dump(address_of(elsewhere))).encode())
        house.runner.run(house.connector.transfers.data_access(ours.pid))
        assert [_audience(heard) for heard in elsewhere.heard] == [PEER]


def _audience(heard: Heard) -> str:
    part = heard.authorization.partition(" ")[2].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["aud"])


def test_asking_twice_with_one_id_is_asking_once(house: Still, peer: Puppet) -> None:
    """A caller that does not know whether it was heard may ask again; for another agreement the id is taken."""
    made, other = contract(house, Role.CONSUMER), contract(house, Role.CONSUMER)
    assert taken(house, made, pid="urn:mine:1") == taken(house, made, pid="urn:mine:1")
    house.drain()
    assert len(peer.heard) == 1
    with pytest.raises(Conflict):
        taken(house, other, pid="urn:mine:1")
    with pytest.raises(NotFound):
        house.connector.transfers.request("urn:none", OPERATOR)
    with pytest.raises(NotFound):
        house.connector.transfers.request(contract(house).id, OPERATOR)
    with pytest.raises(Conflict):
        taken(house, contract(house, Role.CONSUMER, state="pending"))


def test_a_refusal_ends_it_with_the_peers_words(house: Still, peer: Puppet) -> None:
    """Final is final, and the words are the peer's."""
    peer.script = lambda _: error(400, "Keine Lust.", {"n": 1}, kind="TransferError")
    ours = taken(house)
    house.drain()
    ours = house.transfer(ours.pid)
    assert (ours.state, ours.code, ours.reason) == ("TERMINATED", "no", ["Keine Lust.", '{"n":1}'])
    assert house.kinds(ours.pid)[-1] == "transfer.refused"


def test_what_may_pass_is_tried_again_and_what_does_not_ends_it(house: Still, peer: Puppet) -> None:
    """The same message until patience is over; then the reason stands at the transfer."""
    peer.script = lambda heard: Answer(0) if len(peer.heard) < 3 else acknowledge(heard)
    ours = taken(house)
    for _ in range(4):
        house.drain()
        house.clock.move(seconds=10)
    assert len({heard.body for heard in peer.heard}) == 1
    assert house.transfer(ours.pid).peer_pid is not None
    peer.script = lambda _: Answer(500)
    lost = taken(house)
    house.patient()
    assert house.transfer(lost.pid).state == "TERMINATED"
    assert "answered 500" in house.transfer(lost.pid).reason[0]


def test_completion_and_termination_are_said_once(house: Still, peer: Puppet) -> None:
    """Either may be asked for again; what is over cannot be ended otherwise."""
    transfers = house.connector.transfers
    ours, other = started(house, peer), started(house, peer)
    peer.heard.clear()
    for _ in range(2):
        assert transfers.complete(ours.pid, OPERATOR).state == "COMPLETED"
        assert transfers.terminate(other.pid, "Enough.", OPERATOR).state == "TERMINATED"
    house.drain()
    assert sorted(heard.path.rpartition("/")[2] for heard in peer.heard) == ["completion", "termination"]
    with pytest.raises(IllegalMove):
        transfers.terminate(ours.pid, "Enough.", OPERATOR)
    with pytest.raises(IllegalMove):
        transfers.complete(other.pid, OPERATOR)


def test_what_was_ended_while_the_peer_was_away_leaves_nothing_open_there(house: Still, peer: Puppet) -> None:
    """The peer may have heard the request though its answer was lost: it is asked for its id, and then told."""
    peer.script = lambda _: Answer(503)
    ours = taken(house)
    house.drain()
    house.connector.transfers.terminate(ours.pid, "Took too long.", OPERATOR)
    peer.script = acknowledge
    for _ in range(2):
        house.clock.move(minutes=1)
        house.drain()
    assert peer.paths()[-1] == f"/transfers/urn:theirs:{ours.pid}/termination"
    assert house.transfer(ours.pid).reason == ["Took too long."]
    assert house.outbox(ours.pid) == []


# --- going on after a pause -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [Answer(200), Answer(400), Answer(404)])
def test_a_consumer_that_goes_on_is_told_where(house: Still, peer: Puppet, answer: Answer) -> None:
    """Some consumers wait for the address that only a start brings; one that refuses it goes on all the same."""
    ours = started(house, peer)
    for move in (Move.SUSPEND, Move.START):
        peer.heard.clear()
        house.connector.transfers.receive(ours.pid, said(house, house.transfer(ours.pid), move), peer.principal())
        peer.script = lambda _: answer
        house.drain()
    (heard,) = peer.heard
    start = messages.decode(heard.body, messages.TransferStartMessage)
    assert start.data_address is not None
    assert start.data_address.get("authorization")
    assert house.transfer(ours.pid).state == "STARTED"


def test_nobody_is_told_where_after_the_next_pause(house: Still, peer: Puppet) -> None:
    """A reply that is late must not take up again what was suspended meanwhile."""
    ours = started(house, peer)
    for move in (Move.SUSPEND, Move.START, Move.SUSPEND):
        house.connector.transfers.receive(ours.pid, said(house, house.transfer(ours.pid), move), peer.principal())
    peer.heard.clear()
    house.drain()
    assert (peer.heard, house.transfer(ours.pid).state) == ([], "SUSPENDED")


def test_a_provider_may_reply_to_us_who_go_on_with_a_new_address(house: Still, peer: Puppet) -> None:
    """It is a start for what runs already: taken from whom we asked to go on, and from nobody else."""
    ours = taken(house)
    house.drain()
    transfers, address = house.connector.transfers, address_of(peer, renewal=False)
    transfers.receive(ours.pid, said(house, ours, Move.START, data_address=address), peer.principal())
    with pytest.raises(IllegalMove):
        transfers.receive(ours.pid, said(house, ours, Move.START, data_address=address), peer.principal())
    transfers.suspend(ours.pid, "Lunch.", OPERATOR)
    transfers.start(ours.pid, OPERATOR)
    house.drain()
    fresh = messages.EndpointProperty(name="authorization", value="second")
    new = messages.DataAddress(endpoint_type=HTTP, endpoint=address.endpoint, endpoint_properties=(fresh,))
    assert (
        transfers.receive(ours.pid, said(house, ours, Move.START, data_address=new), peer.principal()).state
        == "STARTED"
    )
    assert house.runner.run(transfers.data_access(ours.pid)).get("authorization") == "second"


# --- the table of moves, at this door ---------------------------------------------------------------------------------


@pytest.fixture
def placed(house: Still) -> Callable[[Role, State], Transfer]:
    """Return a maker of transfers in any state."""

    def place(role: Role, state: State) -> Transfer:
        number = next(house.numbers)
        ours = Transfer(
            participant=US,
            pid=f"urn:placed:{number}",
            role=role,
            peer=PEER,
            peer_pid=f"urn:theirs:{number}",
            callback="http://127.0.0.1:9",
            agreement=contract(house, role).id,
            dataset="urn:d",
            format=HTTP_PULL,
            state=state,
            created=NOON,
            updated=NOON,
        )
        house.add(ours)
        return house.transfer(ours.pid)

    return place


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", State)
def test_every_message_in_every_state_does_what_the_table_says(
    house: Still, peer: Puppet, placed: Callable[[Role, State], Transfer], role: Role, state: State
) -> None:
    """An illegal message changes nothing at all; a legal one changes the state, and is on record with its event."""
    for move in (Move.START, Move.SUSPEND, Move.COMPLETE, Move.TERMINATE):
        ours = placed(role, state)
        message = said(house, ours, move)
        if not transfer.may_send(state, move, role.other):
            with pytest.raises(IllegalMove):
                house.connector.transfers.receive(ours.pid, message, peer.principal())
            assert house.transfer(ours.pid) == ours
            assert (house.kinds(ours.pid), house.outbox(ours.pid)) == ([], [])
            continue
        expected = transfer.apply(state, move, role.other)
        assert house.connector.transfers.receive(ours.pid, message, peer.principal()).state == expected
        # A consumer that goes on is replied to with the address, see `test_a_consumer_that_goes_on_is_told_where`.
        replied = role is Role.PROVIDER and move is Move.START
        known = [f"transfer.{move}.received", *["transfer.start"] * replied]
        assert house.kinds(ours.pid) == known
        row, *replies = house.outbox(ours.pid)
        assert (row.event, row.body["state"]) == ("TransferMoved", expected)
        assert [reply.body["reply"] for reply in replies] == [True] * replied
        again = house.connector.transfers.receive(ours.pid, message, peer.principal())
        assert (again.state, house.kinds(ours.pid)) == (expected, known)
    with pytest.raises(InvalidInput):
        house.connector.transfers.receive(
            placed(role, state).pid, asking(house, peer, contract(house)), peer.principal()
        )


def test_t06_t07_a_transfer_is_nobody_elses(
    house: Still, peer: Puppet, placed: Callable[[Role, State], Transfer]
) -> None:
    """A third participant can neither see nor move it; foreign ids in a message of the right peer are refused."""
    ours = placed(Role.PROVIDER, State.STARTED)
    with puppet(THIRD) as third:
        with pytest.raises(NotFound):
            house.connector.transfers.receive(ours.pid, said(house, ours, Move.TERMINATE), third.principal())
        for pid, who in ((ours.pid, third), ("urn:none", peer)):
            with pytest.raises(NotFound):
                house.connector.transfers.state_for(pid, who.principal())
    for wrong in ({"consumer_pid": "urn:x"}, {"provider_pid": "urn:x"}):
        with pytest.raises(InvalidInput):
            house.connector.transfers.receive(ours.pid, said(house, ours, Move.SUSPEND, **wrong), peer.principal())
    assert house.transfer(ours.pid).state == "STARTED"


@pytest.fixture(autouse=True)
def quiet(house: Still) -> Iterator[None]:
    """Leave nothing for the next test to deliver."""
    yield
    with house.connector.database.begin(US) as work:
        for row in work.select(OutboxRow, col(OutboxRow.event) != "EvidenceRecorded"):
            work.delete(row)
