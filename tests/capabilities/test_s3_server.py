"""Pushes into a bucket of a real S3 server: whole, in parts, after a crash, refused, and taken back."""

import hashlib
import random
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col

from connector.capabilities.notices import PushDue
from connector.capabilities.sinks import Progress, S3Sink
from connector.network import Response
from connector.standards import s3
from connector.standards.dsp import messages
from connector.standards.dsp.messages import DataAddress, EndpointProperty
from connector.standards.dsp.targets import S3_PUSH, S3Target, read
from connector.standards.ranges import File
from connector.storage.tables import OutboxRow, Push, Transfer
from tests.builders import Still
from tests.capabilities.conftest import US
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
    answer = house.runner.run(again._send("GET", {"uploadId": str(seen[0].upload)}))
    assert b"<Part>" not in answer.body, answer.body


@pytest.fixture(autouse=True)
def quiet(house: Still) -> Iterator[None]:
    """Leave nothing for the next test to deliver."""
    yield
    with house.connector.database.begin(US) as work:
        for row in work.select(OutboxRow, col(OutboxRow.event) != "EvidenceRecorded"):
            work.delete(row)
