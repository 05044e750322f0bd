"""Pushes into a bucket of a real S3 server: whole, in parts, after a crash, refused, and taken back."""

import hashlib
import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlmodel import col

from connector.capabilities.notices import PushDue
from connector.capabilities.sinks import Progress, S3Sink
from connector.errors import InvalidInput
from connector.network import Response
from connector.standards import s3
from connector.standards.dsp import messages
from connector.standards.dsp.messages import DataAddress, EndpointProperty
from connector.standards.dsp.targets import S3_PULL, S3_PUSH, S3Target, read
from connector.standards.ranges import File
from connector.storage.tables import OutboxRow, Push, Transfer
from tests.builders import OPERATOR, Puppet, Still, puppet
from tests.capabilities.conftest import PEER, US
from tests.capabilities.test_delivery import change, running
from tests.conformance.java import class_path, missing

if missing():
    pytest.skip(f"The S3 server needs {', '.join(missing())}.", allow_module_level=True)

LARGE = random.Random(5).randbytes(2 * s3.PART_BYTES + 12345)  # noqa: S311 - content, not a secret
CONFIGURATION = """
s3proxy.endpoint=http://127.0.0.1:{port}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity=our-key
s3proxy.credential=our-secret
jclouds.provider=filesystem-nio2
jclouds.identity=none
jclouds.credential=none
jclouds.filesystem.basedir={folder}
"""
pytestmark = pytest.mark.usefixtures("peer")


@dataclass(frozen=True)
class Server:
    """Where it answers, and where its objects lie."""

    address: str
    folder: Path

    def place(self, **changes: str) -> dict[str, Any]:
        """Return the data address of an object."""
        values = {
            "bucketName": "rain",
            "objectName": "a b/rain.csv",
            "region": "us-east-1",
            "accessKeyId": "our-key",
            "secretAccessKey": "our-secret",
            "endpointOverride": self.address,
        } | changes
        given = tuple(EndpointProperty(name=name, value=value) for name, value in values.items())
        return messages.dump(DataAddress(endpoint_type="AmazonS3", endpoint_properties=given))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a bucket."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "objects" / "rain").mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = CONFIGURATION.format(port=port, folder=folder / "objects")
    (folder / "server.properties").write_text(text, encoding="utf-8")
    libraries = class_path(Path(__file__).parent / "s3proxy" / "pom.xml")
    command = ["java", "-cp", libraries, "org.gaul.s3proxy.Main", "--properties", str(folder / "server.properties")]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            while not _answers(port):
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
            yield Server(f"http://127.0.0.1:{port}", folder / "objects")
        finally:
            process.kill()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
        return True
    return False


def pushed(house: Still, place: dict[str, Any], content: bytes) -> Transfer:
    """Return a transfer whose data was to be brought to a place, after its push had its turn."""
    ours = running(house, content=content, format=S3_PUSH, data_address=place)
    house.runner.run(house.connector.pushes.push(PushDue(subject=ours.pid), US))
    return house.transfer(ours.pid)


def sink(house: Still, server: Server, content: bytes) -> S3Sink:
    """Return what brings content to the server by hand."""
    target = read(S3_PUSH, messages.load_address(server.place()))
    assert isinstance(target, S3Target)
    file = File(hashlib.sha256(content).hexdigest(), len(content), "text/csv", "rain.csv")
    return S3Sink(house.connector.network, target, file, _now)


def _now() -> Any:
    from connector import app  # noqa: PLC0415 - the server compares with its own clock, so it is the real one

    return app.now()


@pytest.fixture(autouse=True)
def real_clock(house: Still) -> None:
    """Let the connector of this file live now: a store refuses signatures of another day."""
    house.clock.moment = _now()


@pytest.mark.parametrize("content", [b"", b"rain\n", LARGE], ids=["empty", "small", "in parts"])
def test_a_file_is_put_into_a_bucket(house: Still, server: Server, content: bytes) -> None:
    """Whatever its size, and the transfer is completed; whoever is given an address for it can fetch it."""
    ours = pushed(house, server.place(), content)
    assert (ours.state, ours.reason) == ("COMPLETED", [])
    assert (server.folder / "rain" / "a b" / "rain.csv").read_bytes() == content
    target = read(S3_PUSH, messages.load_address(server.place()))
    assert isinstance(target, S3Target)
    url = s3.presign(target.bucket, "GET", target.key, _now(), 60)
    answer: Response = house.runner.run(house.connector.network.request("GET", url, limit=len(LARGE)))
    assert (answer.status, answer.body) == (200, content)
    other = house.runner.run(house.connector.network.request("GET", url.replace("rain.csv", "snow.csv")))
    assert other.status == 403


def test_an_upload_goes_on_after_a_crash(house: Still, server: Server) -> None:
    """Parts that had arrived are not sent again: the upload and its tags outlive the process."""
    by_hand = sink(house, server, LARGE)
    begun = house.runner.run(by_hand.resume(Progress()))
    progress = house.runner.run(by_hand.put(begun, LARGE[: s3.PART_BYTES]))
    ours = running(house, content=LARGE, format=S3_PUSH, data_address=server.place())
    house.connector.pushes._keep(ours.pid, by_hand._file, progress)
    house.runner.run(house.connector.pushes.push(PushDue(subject=ours.pid), US))
    assert house.transfer(ours.pid).state == "COMPLETED"
    assert (server.folder / "rain" / "a b" / "rain.csv").read_bytes() == LARGE
    assert house.row(Push, ours.pid, "rain.csv").done


def test_an_upload_that_the_store_forgot_begins_anew(house: Still, server: Server) -> None:
    """A lifecycle rule of the bucket may tidy up meanwhile; the file arrives all the same."""
    by_hand = sink(house, server, LARGE)
    progress = house.runner.run(by_hand.put(house.runner.run(by_hand.resume(Progress())), LARGE[: s3.PART_BYTES]))
    house.runner.run(by_hand.abandon(progress))
    ours = running(house, content=LARGE, format=S3_PUSH, data_address=server.place())
    house.connector.pushes._keep(ours.pid, by_hand._file, progress)
    house.runner.run(house.connector.pushes.push(PushDue(subject=ours.pid), US))
    assert (house.transfer(ours.pid).reason, house.transfer(ours.pid).state) == ([], "COMPLETED")
    assert (server.folder / "rain" / "a b" / "rain.csv").read_bytes() == LARGE


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"secretAccessKey": "another"}, "SignatureDoesNotMatch"),
        ({"accessKeyId": "another"}, "InvalidAccessKeyId"),
        ({"bucketName": "no-such-bucket"}, "NoSuchBucket"),
    ],
)
@pytest.mark.parametrize("content", [b"rain\n", LARGE], ids=["small", "in parts"])
def test_a_store_that_refuses_ends_the_transfer(
    house: Still, server: Server, changes: dict[str, str], said: str, content: bytes
) -> None:
    """With the store's own words as the reason, which the consumer is told."""
    ours = pushed(house, server.place(**changes), content)
    assert (ours.state, ours.code) == ("TERMINATED", "push-failed")
    assert said in ours.reason[0]


def test_an_upload_whose_transfer_ends_is_taken_back(
    house: Still, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that nobody joins would be paid for by the bucket's owner for ever."""
    seen: list[Progress] = []
    put = S3Sink.put

    async def ending(self: S3Sink, progress: Progress, piece: bytes) -> Progress:
        done = await put(self, progress, piece)
        seen.append(done)
        change(house, Transfer, house.rows(Transfer, col(Transfer.state) == "STARTED")[-1].pid, state="TERMINATED")
        return done

    monkeypatch.setattr(S3Sink, "put", ending)
    for row in house.rows(Transfer, col(Transfer.state) == "STARTED"):
        change(house, Transfer, row.pid, state="TERMINATED")
    assert pushed(house, server.place(objectName="ended.csv"), LARGE).state == "TERMINATED"
    monkeypatch.undo()
    assert len(seen) == 1
    assert not (server.folder / "rain" / "ended.csv").exists()
    target = S3Target(sink(house, server, LARGE)._target.bucket, "ended.csv")
    again = S3Sink(house.connector.network, target, sink(house, server, LARGE)._file, _now)
    answer = house.runner.run(again.send("GET", {"uploadId": str(seen[0].upload)}))
    assert b"<Part>" not in answer.body, answer.body


@pytest.fixture(scope="module")
def shop(houses: Callable[..., Still], server: Server) -> Still:
    """Return a connector with a bucket of its own."""
    bucket = {"name": "rain", "endpoint": server.address, "key_id": "our-key", "secret": "our-secret"}
    return houses(bucket=bucket)


def fetched(house: Still, url: str) -> Response:
    """Return what comes from an address."""
    return house.runner.run(house.connector.network.request("GET", url, limit=len(LARGE)))


@pytest.mark.parametrize("how", ["suspend", "terminate", "complete", "agreement"])
def test_a_file_is_fetched_from_a_bucket_while_its_transfer_runs(shop: Still, how: str) -> None:
    """AmazonS3-PULL: it is there before the consumer is told, fetched with nothing but the address, and then gone."""
    shop.clock.moment = _now()
    with puppet(PEER) as peer:
        shop.trust(peer)
        contract = running(shop, content=LARGE)
        asked = messages.TransferRequestMessage(
            id=f"urn:m:{how}",
            consumer_pid=f"urn:c:{how}",
            agreement_id=contract.agreement,
            format=S3_PULL,
            callback_address=peer.address,
        )
        ours = shop.connector.transfers.open(asked, peer.principal())
        for _ in range(4):
            shop.drain()
        (start,) = [heard.message for heard in peer.heard if heard.path.endswith("/start")]
        url = start["dataAddress"]["endpoint"]
        assert fetched(shop, url).body == LARGE
        assert fetched(shop, url.replace("rain", "snow", 1)).status == 403
        fresh = shop.connector.transfers.renew(ours.pid, peer.principal())
        assert fetched(shop, str(fresh.endpoint)).body == LARGE
        assert fetched(shop, url).status == 200
        if how == "suspend":
            shop.connector.transfers.suspend(ours.pid, "A pause.", OPERATOR)
        elif how == "complete":
            shop.connector.transfers.complete(ours.pid, OPERATOR)
        elif how == "terminate":
            shop.connector.transfers.terminate(ours.pid, "Over.", OPERATOR)
        else:
            shop.connector.agreements.terminate(contract.agreement, "Recalled.", OPERATOR)
        for _ in range(4):
            shop.drain()
        assert fetched(shop, url).status == 404
        assert shop.rows(Push, col(Push.transfer) == ours.pid) == []
        if how == "suspend":
            shop.connector.transfers.start(ours.pid, OPERATOR)
            for _ in range(4):
                shop.drain()
            assert fetched(shop, peer.heard[-1].message["dataAddress"]["endpoint"]).body == LARGE


def test_an_address_into_a_bucket_lives_no_longer_than_a_grant(shop: Still) -> None:
    """t28: five minutes, or until the agreement's policy could change its answer."""
    shop.clock.moment = _now()
    until = (_now() + timedelta(seconds=100)).isoformat(timespec="seconds").replace("+00:00", "Z")
    for template, values, least, most in (("open", {}, 299, 300), ("time-limited", {"until": until}, 90, 100)):
        ours = running(shop, template=template, values=values, format=S3_PULL)
        address = shop.connector.transfers.places.pull(ours)
        query = parse_qs(urlsplit(str(address.endpoint)).query)
        assert least <= int(query["X-Amz-Expires"][0]) <= most


def test_without_a_bucket_there_is_no_fetching_from_one(house: Still, peer: Puppet) -> None:
    """It is refused at the request, and nothing is opened."""
    contract = running(house)
    asked = messages.TransferRequestMessage(
        id="urn:m:none",
        consumer_pid="urn:c:none",
        agreement_id=contract.agreement,
        format=S3_PULL,
        callback_address=peer.address,
    )
    with pytest.raises(InvalidInput):
        house.connector.transfers.open(asked, peer.principal())


@pytest.fixture(autouse=True)
def quiet(house: Still) -> Iterator[None]:
    """Leave nothing for the next test to deliver."""
    yield
    with house.connector.database.begin(US) as work:
        for row in work.select(OutboxRow, col(OutboxRow.event) != "EvidenceRecorded"):
            work.delete(row)
