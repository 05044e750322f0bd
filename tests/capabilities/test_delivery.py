"""Delivery: bytes are given for a running transfer whose agreement permits it now, and only as long as it does."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col

from connector.capabilities.delivery import PIECE, RECHECK_SECONDS
from connector.capabilities.grants import LIFE, Grants
from connector.capabilities.identity import new_key
from connector.errors import Denied, NotFound, Refusal, Unauthenticated
from connector.standards.odrl import templates
from connector.standards.vc import keys, tokens
from connector.storage.tables import Agreement, Asset, Negotiation, OutboxRow, Transfer
from connector.storage.work import Database
from tests.builders import CHINA, NOON, OPERATOR, Puppet, Still, puppet
from tests.capabilities.conftest import PEER, US

OTHER = "did:web:other.example"
pytestmark = pytest.mark.usefixtures("peer")


def running(
    house: Still, peer: str = PEER, template: str = "open", content: bytes = b"rain\n", **fields: Any
) -> Transfer:
    """Write a transfer that runs, under an agreement whose one use was counted when it started."""
    number = next(house.numbers)
    dataset = house.shelve(content)
    policy = {**templates.fill(template, **fields.pop("values", {})), "@type": "Agreement"}
    role = fields.pop("role", "provider")
    common: dict[str, Any] = {"participant": US, "peer": peer, "role": role, "dataset": dataset, "created": NOON}
    process: dict[str, Any] = {"callback": "http://127.0.0.1:9", "updated": NOON}
    pid = f"urn:running:{number}"
    transfer: dict[str, Any] = {"agreement": f"urn:a:{number}", "format": "HttpData-PULL", "state": "STARTED"} | fields
    house.add(
        Negotiation(**common, **process, pid=f"urn:n:{number}", state="FINALIZED", offer_id="o", policy=policy),
        Agreement(**common, id=f"urn:a:{number}", negotiation=f"urn:n:{number}", policy=policy, state="active", uses=1),
        Transfer(**common, **process, pid=pid, **transfer),
    )
    return house.transfer(pid)


def grant(house: Still, ours: Transfer, consumer: str = PEER) -> str:
    """Return a grant as the transfer's start message carries it."""
    return house.connector.transfers.places.grant(ours.pid, consumer)


def change(house: Still, model: Any, key: str, **fields: Any) -> None:
    """Change a row."""
    with house.connector.database.begin(US) as work:
        row = work.need(model, key, lock=True)
        for name, value in fields.items():
            setattr(row, name, value)


def test_the_files_of_a_running_transfer_are_given(house: Still) -> None:
    """List, open and bytes agree, from any place to any other."""
    content = bytes(range(256)) * 3000
    ours = running(house, content=content)
    token = grant(house, ours)
    delivery = house.connector.delivery
    (asset,) = delivery.assets(ours.pid, token)
    assert (asset.filename, asset.size) == ("rain.csv", len(content))
    for name in (None, "rain.csv"):
        with delivery.open(ours.pid, token, name).source as source:
            assert source.read() == content
    for start, end in ((0, len(content)), (0, 1), (PIECE - 1, PIECE + 1), (len(content) - 1, len(content)), (5, 5)):
        opened = delivery.open(ours.pid, token)
        assert opened.file == (asset.object, len(content), "text/csv", "rain.csv")
        assert b"".join(delivery.stream(opened, start, end)) == content[start:end]
        assert opened.source.closed


def test_t28_a_grant_opens_its_own_transfer_only(house: Still) -> None:
    """Of another transfer, another consumer, another connector, or of no transfer: refused."""
    ours, other = running(house), running(house)
    now, key = house.clock(), house.connector.identity.key
    foreign = Grants(house.connector.database.read, house.clock, lambda: "id", US, new_key())
    claims = tokens.Claims(issuer=US, audience=f"{US}/data/{ours.pid}", issued=now, expires=now + LIFE, id="i")
    nobodys = tokens.sign(claims, key, keys.key_id(US, key))
    for wrong in (
        grant(house, other),
        grant(house, ours, OTHER),
        foreign.give(ours.pid, PEER),
        house.connector.identity.mint(PEER),
        house.connector.identity.mint(US),
        nobodys,
        "",
        "rubbish",
        grant(house, ours)[:-2],
    ):
        for ask in (house.connector.delivery.assets, house.connector.delivery.open):
            with pytest.raises(Unauthenticated):
                ask(ours.pid, wrong)
    with pytest.raises(Unauthenticated):
        house.connector.delivery.assets("urn:none", grant(house, ours))
    with pytest.raises(NotFound):
        house.connector.transfers.places.grant("urn:none", PEER)


@pytest.mark.parametrize("part", ["agreement", "dataset"])
def test_t28_a_grant_is_for_one_agreement_and_one_dataset(house: Still, part: str) -> None:
    """Should a transfer ever come to stand under another agreement or dataset, grants given before open nothing."""
    ours, other = running(house), running(house)
    token = grant(house, ours)
    change(house, Transfer, ours.pid, **{part: getattr(other, part)})
    with pytest.raises(Unauthenticated, match="another agreement or dataset"):
        house.connector.delivery.assets(ours.pid, token)
    assert house.connector.delivery.assets(ours.pid, grant(house, ours))


def test_t28_a_grant_is_old_after_five_minutes(house: Still) -> None:
    """Whoever copied it has little time; the consumer's connector gets a fresh one."""
    ours = running(house)
    token = grant(house, ours)
    house.clock.move(minutes=4, seconds=59)
    assert house.connector.delivery.assets(ours.pid, token)
    house.clock.move(seconds=1)
    with pytest.raises(Unauthenticated, match="expired"):
        house.connector.delivery.assets(ours.pid, token)
    assert house.connector.delivery.assets(ours.pid, grant(house, ours))


@pytest.fixture(scope="module")
def limited(houses: Callable[..., Still]) -> Still:
    """Return a connector with one running transfer, whose agreement each example rewrites."""
    made = houses()
    with puppet(PEER) as known:
        made.trust(known)
    running(made)
    return made


@given(st.integers(1, 900), st.integers(0, 900))
def test_t28_a_grant_never_outlives_the_agreement(limited: Still, limit: int, later: int) -> None:
    """It ends after five minutes or where the policy does, whichever comes first, to the second."""
    limited.clock.moment, until = NOON, NOON + timedelta(seconds=limit)
    ours = limited.transfer("urn:running:1")
    policy = templates.fill("time-limited", until=until.isoformat().replace("+00:00", "Z"))
    change(limited, Agreement, ours.agreement, policy=policy)
    token = grant(limited, ours)
    check = limited.connector.delivery.check_grant
    assert check(token, ours.pid).expires == min(NOON + LIFE, until)
    limited.clock.move(seconds=later)
    if later < min(300, limit):
        assert check(token, ours.pid).agreement == ours.agreement
    else:
        with pytest.raises(Unauthenticated):
            check(token, ours.pid)


def test_t28_a_renewal_whose_answer_was_lost_costs_nothing(house: Still, peer: Puppet) -> None:
    """Asked again and again, each answer is good, the lost ones too, and the grant from before to its own end."""
    ours = running(house)
    first = grant(house, ours)
    house.clock.move(minutes=4)
    fresh = [house.connector.transfers.renew(ours.pid, peer.principal()).get("authorization") for _ in range(3)]
    assert len({first, *fresh}) == 4
    for token in (first, *fresh):
        assert house.connector.delivery.assets(ours.pid, str(token))
    house.clock.move(minutes=2)
    for token in fresh:
        assert house.connector.delivery.assets(ours.pid, str(token))
    with pytest.raises(Unauthenticated):
        house.connector.delivery.assets(ours.pid, first)


def test_t28_a_grant_for_a_transfer_of_which_we_are_the_consumer_opens_nothing(house: Still) -> None:
    """Our own requests are no doors."""
    ours = running(house, role="consumer")
    with pytest.raises(Unauthenticated):
        house.connector.delivery.assets(ours.pid, grant(house, ours))


@pytest.mark.parametrize("state", ["REQUESTED", "SUSPENDED", "COMPLETED", "TERMINATED"])
def test_t28_a_transfer_that_does_not_run_gives_nothing(house: Still, state: str) -> None:
    """The grant is good and the transfer is not: its state is told."""
    ours = running(house)
    token = grant(house, ours)
    change(house, Transfer, ours.pid, state=state)
    with pytest.raises(Denied, match=state):
        house.connector.delivery.assets(ours.pid, token)


def test_t28_an_ended_agreement_gives_nothing(house: Still) -> None:
    """At once, before its transfers are ended, and with its reason."""
    ours = running(house)
    token = grant(house, ours)
    house.connector.agreements.terminate(ours.agreement, "The source was recalled.", OPERATOR)
    with pytest.raises(Denied, match="recalled"):
        house.connector.delivery.assets(ours.pid, token)


def test_t24_a_distrusted_consumer_gets_nothing_more(house: Still) -> None:
    """Who is taken out of the list of peers gets no byte more, whatever grants it holds, and in mid-file."""
    with puppet("did:web:rogue.example") as rogue:
        house.trust(rogue)
        ours = running(house, rogue.participant, content=b"x" * (4 * PIECE))
        token = grant(house, ours, rogue.participant)
        delivery = house.connector.delivery
        stream = delivery.stream(delivery.open(ours.pid, token), 0, 4 * PIECE)
        next(stream)
        house.connector.identity.distrust(rogue.participant)
        with pytest.raises(Denied):
            delivery.assets(ours.pid, token)
        house.clock.move(seconds=2)
        with pytest.raises(Denied):
            list(stream)


@pytest.mark.parametrize(
    ("template", "values", "until"),
    [
        ("time-limited", {"until": "2026-03-01T13:00:00Z"}, "2026-03-01T13:00:01+00:00"),
        ("eu-only", {}, None),
        ("recipients-only", {"recipients": [PEER]}, None),
        ("counted", {"uses": "1"}, None),
    ],
)
def test_t22_the_policy_is_asked_at_every_access(
    houses: Callable[..., Still], template: str, values: dict[str, str], until: str | None
) -> None:
    """What permitted the start has to permit the access too: the clock, the peer's country and the count go on."""
    house = houses()
    with puppet(PEER) as peer:
        house.trust(peer)
        ours = running(house, template=template, values=values)
        assert house.connector.delivery.assets(ours.pid, grant(house, ours))
        if until:
            house.clock.move(hours=1, seconds=1)
        elif template == "eu-only":
            house.trust(peer, CHINA)
        elif template == "recipients-only":
            change(house, Agreement, ours.agreement, policy=templates.fill(template, recipients=[OTHER]))
        else:
            change(house, Agreement, ours.agreement, uses=2)
        with pytest.raises(Denied) as refused:
            house.connector.delivery.assets(ours.pid, grant(house, ours))
        assert refused.value.reasons


@pytest.mark.parametrize("how", ["clock", "agreement", "SUSPENDED", "COMPLETED", "TERMINATED"])
def test_t22_a_stream_stops_in_the_middle_when_it_is_permitted_no_longer(
    houses: Callable[..., Still], how: str
) -> None:
    """Bytes that flow are held to the agreement while they flow: less than a second's worth is given too much."""
    house = houses()
    content = bytes(PIECE) * 8
    with puppet(PEER) as peer:
        house.trust(peer)
        ours = running(house, template="time-limited", values={"until": "2026-03-01T12:05:00Z"}, content=content)
        token = grant(house, ours)
        delivery = house.connector.delivery
        stream = delivery.stream(delivery.open(ours.pid, token), 0, len(content))
        got = [next(stream) for _ in range(2)]
        house.clock.move(seconds=2)
        got.append(next(stream))
        if how == "clock":
            house.clock.move(minutes=5)
        else:
            house.clock.move(seconds=2)
            if how == "agreement":
                house.connector.agreements.terminate(ours.agreement, "Recalled.", OPERATOR)
            else:
                change(house, Transfer, ours.pid, state=how)
        with pytest.raises(Denied):
            got.extend(stream)
        assert len(got) == 3


@pytest.mark.parametrize("state", ["SUSPENDED", "COMPLETED", "TERMINATED"])
def test_a_stream_stops_when_another_process_ends_the_transfer(each_house: Still, state: str) -> None:
    """On both engines: whoever wrote the end, and through whichever connection, it holds for streams everywhere."""
    with puppet(PEER) as known:
        each_house.trust(known)
    ours = running(each_house, content=bytes(PIECE) * 3)
    delivery = each_house.connector.delivery
    stream = delivery.stream(delivery.open(ours.pid, grant(each_house, ours)), 0, 3 * PIECE)
    next(stream)
    url = each_house.connector.database.engines.url.render_as_string(hide_password=False)
    other = Database(url, {}, each_house.clock, lambda: "other", flush=False)
    with other.begin(US) as work:
        work.need(Transfer, ours.pid, lock=True).state = state
    other.close()
    each_house.clock.move(milliseconds=int(RECHECK_SECONDS * 1000))
    with pytest.raises(Denied, match=state):
        next(stream)


def test_a_slow_taker_gets_nothing_after_the_end(house: Still) -> None:
    """However long the last bytes took, those that follow are given only after another look."""
    ours = running(house, content=bytes(PIECE) * 3)
    delivery = house.connector.delivery
    stream = delivery.stream(delivery.open(ours.pid, grant(house, ours)), 0, 3 * PIECE)
    next(stream)
    change(house, Transfer, ours.pid, state="TERMINATED")
    house.clock.move(milliseconds=int(RECHECK_SECONDS * 1000))
    with pytest.raises(Denied):
        next(stream)


def test_a_stream_needs_no_second_grant(house: Still) -> None:
    """A large file takes longer than a grant lives: what was opened in time is given to its end."""
    content = bytes(PIECE) * 3
    ours = running(house, content=content)
    token = grant(house, ours)
    got = b""
    for piece in house.connector.delivery.stream(house.connector.delivery.open(ours.pid, token), 0, len(content)):
        got += piece
        house.clock.move(minutes=20)
    assert got == content


NAMES = st.text(max_size=20) | st.sampled_from(
    [
        "../key.json",
        "..",
        "%2e%2e%2fkey.json",
        "/etc/passwd",
        "rain.csv\x00",
        "RAIN.CSV",
        "rain.csv/..",
        "",
        "./rain.csv",
    ]
)


@given(NAMES)
def test_t09_a_name_is_one_of_the_files_or_none(house: Still, name: str) -> None:
    """Names are compared with those of the dataset's files and never become a path."""
    ours = _one(house)
    if name == "rain.csv":
        return
    with pytest.raises(NotFound):
        house.connector.delivery.open(ours.pid, grant(house, ours), name)


def _one(house: Still) -> Transfer:
    found = house.rows(Transfer, col(Transfer.pid) == "urn:running:names")
    if not found:
        made = running(house)
        row = house.transfer(made.pid)
        house.add(Transfer(**{**row.model_dump(), "pid": "urn:running:names"}))
    return house.transfer("urn:running:names")


@given(st.text(max_size=30))
def test_t28_no_text_is_a_grant(house: Still, text: str) -> None:
    """Anything at all that is presented is refused, and breaks nothing."""
    with pytest.raises(Refusal):
        house.connector.delivery.assets(_one(house).pid, text)


def test_of_several_files_one_is_named(house: Still) -> None:
    """A file is never chosen for the asker."""
    ours = running(house)
    digest, size = house.connector.objects.put([b"second"])
    more: dict[str, Any] = {"distribution": f"{ours.dataset}#2", "filename": "snow.csv", "media_type": "text/csv"}
    house.add(Asset(participant=US, dataset=ours.dataset, object=digest, size=size, **more))
    token = grant(house, ours)
    assert [asset.filename for asset in house.connector.delivery.assets(ours.pid, token)] == ["rain.csv", "snow.csv"]
    with house.connector.delivery.open(ours.pid, token, "snow.csv").source as source:
        assert source.read() == b"second"
    with pytest.raises(NotFound):
        house.connector.delivery.open(ours.pid, token)


def test_a_file_that_is_gone_is_not_found(house: Still) -> None:
    """A shelf that lost a file says so; it does not break."""
    ours = running(house, content=b"only here")
    (asset,) = house.connector.delivery.assets(ours.pid, grant(house, ours))
    house.connector.objects.delete(asset.object)
    with pytest.raises(NotFound):
        house.connector.delivery.open(ours.pid, grant(house, ours))


def test_a_file_that_was_cut_is_not_given(house: Still) -> None:
    """What is on the shelf has the size that was announced, or it is not given at all."""
    ours = running(house, content=b"cut here: this is lost")
    (asset,) = house.connector.delivery.assets(ours.pid, grant(house, ours))
    path = house.connector.objects.path(asset.object)
    path.chmod(0o600)
    os.truncate(path, 8)
    with pytest.raises(NotFound, match="undamaged"):
        house.connector.delivery.open(ours.pid, grant(house, ours))


def test_a_file_cut_while_it_is_read_ends_early(house: Still) -> None:
    """Nothing is put in the place of missing bytes."""
    ours = running(house, content=b"x" * (2 * PIECE) + b"end of the file that is cut")
    delivery = house.connector.delivery
    opened = delivery.open(ours.pid, grant(house, ours))
    stream = delivery.stream(opened, 0, opened.file.size)
    next(stream)
    path = house.connector.objects.path(opened.file.digest)
    path.chmod(0o600)
    os.truncate(path, PIECE + 10)
    assert sum(map(len, stream)) <= PIECE + 27


@pytest.fixture(autouse=True)
def quiet(house: Still) -> Iterator[None]:
    """Leave nothing for the next test to deliver."""
    yield
    with house.connector.database.begin(US) as work:
        for row in work.select(OutboxRow, col(OutboxRow.event) != "EvidenceRecorded"):
            work.delete(row)
